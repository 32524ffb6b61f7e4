"""The other side of evaluate.ts: perplexity of the same windows by transformers on the CPU, in float32.

python evaluate.py MODEL TEXT WINDOWS THREADS  ->  one line of JSON: seconds (the fastest batch size), nll, tokens
"""

import json
import sys
import time

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

folder, path, windows, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
torch.set_num_threads(threads)
tokenizer = AutoTokenizer.from_pretrained(folder)
model = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()
size = model.config.max_position_embeddings
text = open(path, encoding="utf-8", newline="").read()


@torch.inference_mode()
def measure(batch):
    start = time.perf_counter()
    ids = torch.tensor(tokenizer.encode(text)[: windows * size]).view(windows, size)
    total = 0.0
    for rows in ids.split(batch):
        scores = torch.log_softmax(model(rows).logits[:, :-1], -1)
        total += scores.gather(2, rows[:, 1:, None]).double().sum().item()
    return time.perf_counter() - start, -total


tokens = windows * (size - 1)
measure(4)
runs = [measure(batch) for batch in (1, 4, 16)]
seconds, total = min(runs)
print(json.dumps({"seconds": seconds, "nll": total / tokens, "tokens": tokens}))
