"""Trains the byte-level BPE tokenizer and encodes the text: WORK/{train,heldout}.txt -> WORK/tokenizer.json, WORK/*.bin (uint16).

Usage: python tokenizer.py WORK
The first step of the line (tokenizer, model, train, export). Token 0 is <|endoftext|>; the next 256 are the bytes.
"""
import json
import sys
from pathlib import Path

import numpy as np
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END_OF_TEXT = "<|endoftext|>"


def train_tokenizer(text: Path, vocabulary: int, characters: int) -> Tokenizer:
    """Learns the merges from the first `characters` characters of `text`."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        special_tokens=[END_OF_TEXT],
        initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
        show_progress=False,
    )
    with open(text, encoding="utf-8") as file:
        tokenizer.train_from_iterator(paragraphs(file.read(characters)), trainer)
    return tokenizer


def paragraphs(text: str, size: int = 20_000):
    """Cuts text at paragraph ends into pieces of at least `size` characters, so that the encoder works on bounded strings."""
    start = 0
    while start < len(text):
        end = text.find("\n\n", start + size)
        end = len(text) if end < 0 else end + 2
        yield text[start:end]
        start = end


def encode(tokenizer: Tokenizer, text: Path) -> np.ndarray:
    with open(text, encoding="utf-8") as file:
        pieces = [np.array(tokenizer.encode(piece).ids, np.uint16) for piece in paragraphs(file.read())]
    return np.concatenate(pieces)


if __name__ == "__main__":
    work = Path(sys.argv[1])
    recipe = json.loads((Path(__file__).parent / "recipe.json").read_text())["tokenizer"]
    saved = work / "tokenizer.json"
    if not saved.exists():
        train_tokenizer(work / "train.txt", recipe["vocabulary"], recipe["characters"]).save(str(saved))
    tokenizer = Tokenizer.from_file(str(saved))
    for name in ("heldout", "train"):
        ids = encode(tokenizer, work / f"{name}.txt")
        ids.tofile(work / f"{name}.bin")
        print(name, len(ids), "tokens", flush=True)
