"""The other side of study.ts: a straightforward study in Python, as one would write it.

python study.py MODEL DATA SPECS TASKS LIMIT THREADS BATCH CLOCK RESAMPLES
  ->  one line of JSON: seconds from the first model to the last metric, and the metrics of each experiment

RESAMPLES 0: accuracies alone; else also what kbit has: the perplexity of last words, with its error by so many resamples.

transformers loads the model in float32; every weight of a linear layer but the head is quantized and dequantized in place by
bitsandbytes (`quantize_blockwise` with the data type's map); lm-evaluation-harness scores the tasks. Imports and the
reading of task files are not timed. DATA holds continuation.jsonl and lastword.jsonl of models/families.
"""
import json
import os
import sys
import tempfile
import time
from pathlib import Path

os.environ |= {"HF_HUB_OFFLINE": "1", "HF_DATASETS_OFFLINE": "1", "TOKENIZERS_PARALLELISM": "true"}

import torch  # noqa: E402
from bitsandbytes import functional as bnb  # noqa: E402
from lm_eval.evaluator import evaluate  # noqa: E402
from lm_eval.models.huggingface import HFLM  # noqa: E402
from lm_eval.tasks import TaskManager, get_task_dict  # noqa: E402
from transformers import AutoModelForCausalLM, AutoTokenizer  # noqa: E402

TASKS = {
    "continuation": ["output_type: multiple_choice", 'doc_to_text: "{{context}}"', 'doc_to_choice: "{{choices}}"', 'doc_to_target: "{{label}}"', "metric_list:", "  - metric: acc"],
    "lastword": ["output_type: loglikelihood", 'doc_to_text: "{{context}}"', 'doc_to_target: " {{word}}"', 'target_delimiter: ""', "metric_list:", "  - metric: acc"],
}
PERPLEXITY = ["  - metric: perplexity", "    aggregation: perplexity", "    higher_is_better: false"]


def write_task(folder: Path, name: str, data: Path, limit: int, resamples: int) -> None:
    excerpt = folder / f"{name}.jsonl"
    with open(data / f"{name}.jsonl", encoding="utf-8") as lines:
        excerpt.write_text("".join(line for line, _ in zip(lines, range(limit))), encoding="utf-8")
    yaml = [f"task: local_{name}", "dataset_path: json", "dataset_kwargs:", "  data_files:", f"    test: {excerpt}", "test_split: test", "metadata:", "  version: 1"]
    more = PERPLEXITY if resamples and name == "lastword" else []
    (folder / f"{name}.yaml").write_text("\n".join(yaml + TASKS[name] + more) + "\n")


def parse(spec: str) -> tuple[torch.Tensor, int]:
    """The data type's values and the block size, of specs such as int4:b64:a32 and float4:e3:bnb:b64:a32."""
    head, *options = spec.split(":")
    bits = int(head[-1])
    block = next(int(option[1:]) for option in options if option[0] == "b" and option != "bnb")
    if head.startswith("int"):
        return bnb.create_linear_map(True, total_bits=bits), block
    exponent = int(options[0][1:])
    return bnb.create_fp8_map(True, exponent, bits - 1 - exponent, bits), block


def quantize(model: torch.nn.Module, spec: str) -> None:
    code, block = parse(spec)
    for layer in model.modules():
        if isinstance(layer, torch.nn.Linear) and layer is not model.get_output_embeddings():
            quantized, state = bnb.quantize_blockwise(layer.weight.data, code=code, blocksize=block)
            layer.weight.data = bnb.dequantize_blockwise(quantized, state).view_as(layer.weight)


def main() -> None:
    model_path, data, specs, tasks, limit, threads, batch, clock, resamples = sys.argv[1:10]
    # Resampling runs in processes of its own, whose time counts too.
    read_clock = (lambda: sum(os.times()[:4])) if clock == "cpu" else time.perf_counter
    torch.set_num_threads(int(threads))
    found = {}
    with tempfile.TemporaryDirectory() as folder, torch.no_grad():
        for name in tasks.split(","):
            write_task(Path(folder), name, Path(data), int(limit), int(resamples))
        manager = TaskManager(include_path=folder)
        chosen = get_task_dict([f"local_{name}" for name in tasks.split(",")], manager)
        start = read_clock()
        for spec in specs.split(","):
            model = AutoModelForCausalLM.from_pretrained(model_path, dtype=torch.float32)
            if spec != "fp32":
                quantize(model, spec)
            lm = HFLM(pretrained=model, tokenizer=AutoTokenizer.from_pretrained(model_path), batch_size=int(batch), device="cpu")
            results = evaluate(lm=lm, task_dict=chosen, bootstrap_iters=int(resamples), log_samples=False)["results"]
            for name in tasks.split(","):
                for metric in ("acc", "perplexity", "perplexity_stderr"):
                    if f"{metric},none" in results[f"local_{name}"]:
                        found[f"{spec} {name} {metric}"] = results[f"local_{name}"][f"{metric},none"]
        seconds = read_clock() - start
    print(json.dumps({"seconds": seconds, "metrics": found}))


if __name__ == "__main__":
    main()
