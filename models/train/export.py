"""Writes a trained model in the Hugging Face layout: float16 weights, config, tokenizer and model card. Last step of the line."""
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import save_file

from model import Decoder, count_parameters

CARD = """---
license: mit
language: en
library_name: transformers
pipeline_tag: text-generation
---
# {name}
A {architecture} language model of {total:,} parameters ({outside:,} outside the embedding, which is tied), one of a family
trained with one recipe to measure how quantization changes with size.

- Layers {layers}, width {width}, heads {heads}{kv}, feed-forward {inner}, context {context} tokens.
- Data: {tokens:,} tokens of English books (titles in `models/books.txt`), in the same order for every size of a seed; seed {seed}.
- Tokenizer: byte-level BPE, 1,024 tokens, learned from the same text.
- Loss on books that were not trained on: {loss:.4f} nats a token, before the weights were rounded to float16.
- Licence: weights MIT; the text is in the public domain in the United States, as its collection says.

Good for: tests, demonstrations and scaling laws of quantization, measured in seconds on a CPU. Not good for: facts, advice, or any
text that someone relies on; it repeats the language, and the prejudices, of books up to the middle of the twentieth century.
"""


def neox_config() -> dict:
    return {
        "architectures": ["GPTNeoXForCausalLM"],
        "model_type": "gpt_neox",
        "hidden_act": "gelu",
        "rotary_pct": 0.25,
        "rotary_emb_base": 10000,
        "layer_norm_eps": 1e-5,
        "use_parallel_residual": True,
        "attention_bias": True,
    }


def llama_config(size: dict) -> dict:
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "num_key_value_heads": size["kvHeads"],
        "head_dim": size["width"] // size["heads"],
        "hidden_act": "silu",
        "rope_theta": 10000.0,
        "rms_norm_eps": 1e-5,
        "attention_bias": False,
        "mlp_bias": False,
    }


def export(model: Decoder, size: dict, settings: dict, tokenizer: Path, folder: Path, record: dict) -> None:
    """Fills `folder`; the weights are written last, so their presence says that the model is complete."""
    folder.mkdir(parents=True, exist_ok=True)
    shared = {
        "vocab_size": model.parts[0].num_embeddings,
        "hidden_size": size["width"],
        "intermediate_size": size["inner"],
        "num_hidden_layers": size["layers"],
        "num_attention_heads": size["heads"],
        "max_position_embeddings": settings["context"],
        "tie_word_embeddings": True,
        "bos_token_id": 0,
        "eos_token_id": 0,
        "torch_dtype": "float16",
    }
    config = (neox_config() if size["family"] == "neox" else llama_config(size)) | shared
    (folder / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    end = "<|endoftext|>"
    tokens = {"tokenizer_class": "PreTrainedTokenizerFast", "bos_token": end, "eos_token": end, "unk_token": end}
    tokens |= {"model_max_length": settings["context"], "add_bos_token": False, "clean_up_tokenization_spaces": False}
    (folder / "tokenizer_config.json").write_text(json.dumps(tokens, indent=2) + "\n")
    shutil.copyfile(tokenizer, folder / "tokenizer.json")
    total, outside = count_parameters(model)
    card = CARD.format(
        name=folder.name, architecture="GPT-NeoX" if size["family"] == "neox" else "Llama", total=total, outside=outside,
        kv=f" ({size['kvHeads']} key-value heads)" if "kvHeads" in size else "", context=settings["context"],
        tokens=record["tokens"], seed=settings["seed"], loss=record["heldoutLoss"],
        **{key: size[key] for key in ("layers", "width", "heads", "inner")},
    )
    (folder / "README.md").write_text(card)
    weights = {name: weight.to(torch.float16).contiguous() for name, weight in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors.new", metadata={"format": "pt"})
    (folder / "model.safetensors.new").rename(folder / "model.safetensors")
