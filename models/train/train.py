"""Trains the runs of the queue in recipe.json, one after another; start it twice to use two cores (a lock a run keeps them apart).

Usage: python train.py WORK [RECIPE]
Reads WORK/train.bin, heldout.bin, tokenizer.json; keeps WORK/runs/NAME/{state.pt, log.jsonl} and writes WORK/models/NAME when a
run ends. Killed at any moment and started again, it goes on from the last checkpoint and gives the same weights, bit for bit on one machine and build of torch.
"""
import fcntl
import json
import math
import os
import sys
import time
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

from export import export
from model import Decoder, count_parameters


class Sequences:
    """The text cut into sequences of `context` tokens and read in one shuffled order, the same for every run of a seed."""

    def __init__(self, tokens: np.ndarray, settings: dict):
        self.tokens, self.context, self.opened = tokens, settings["context"], settings["openedEvery"]
        self.order = np.random.RandomState(settings["seed"]).permutation((len(tokens) - 1) // self.context)

    def batch(self, first: int, count: int) -> torch.Tensor:
        """(count, context + 1) token ids. One sequence in `openedEvery` starts with <|endoftext|>, so that the models know both
        a document's start and a window cut from its middle."""
        rows = np.empty((count, self.context + 1), np.int64)
        for row in range(count):
            start = self.order[first + row] * self.context
            rows[row] = self.tokens[start : start + self.context + 1]
            if (first + row) % self.opened == 0:
                rows[row, 1:] = rows[row, :-1].copy()
                rows[row, 0] = 0
        return torch.from_numpy(rows)


def rate(step: int, settings: dict, width: int) -> float:
    """Linear warm-up to peakRate / width (the best rate falls with width), then a cosine down to finalRate of it."""
    warmup, steps = settings["warmup"] * settings["steps"], settings["steps"]
    done = min(1.0, max(0.0, (step - warmup) / (steps - warmup)))
    cosine = 0.5 * (1 + math.cos(math.pi * done))
    falling = settings["finalRate"] + (1 - settings["finalRate"]) * cosine
    return settings["peakRate"] / width * min(1.0, (step + 1) / warmup) * falling


def loss_of(model: Decoder, rows: torch.Tensor, reduction: str = "mean") -> torch.Tensor:
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=model.training):
        logits = model(rows[:, :-1])
    return F.cross_entropy(logits.float().flatten(0, 1), rows[:, 1:].flatten(), reduction=reduction)


@torch.no_grad()
def heldout_loss(model: Decoder, tokens: np.ndarray, settings: dict) -> float:
    """Mean nats a token in float32 over sequences spread evenly over the held-out books."""
    model.eval()
    count, context = settings["heldoutSequences"], settings["context"]
    starts = np.linspace(0, len(tokens) - context - 1, count).astype(np.int64)
    total = 0.0
    for part in np.array_split(starts, count // 16):
        rows = torch.from_numpy(np.stack([tokens[s : s + context + 1] for s in part]).astype(np.int64))
        total += loss_of(model, rows, "sum").item()
    model.train()
    return total / (count * context)


def optimizer_of(model: Decoder, settings: dict) -> torch.optim.AdamW:
    matrices = [p for p in model.parameters() if p.dim() == 2]
    others = [p for p in model.parameters() if p.dim() != 2]
    groups = [{"params": matrices, "weight_decay": settings["weightDecay"]}, {"params": others, "weight_decay": 0.0}]
    return torch.optim.AdamW(groups, lr=0.0, betas=tuple(settings["betas"]), eps=settings["epsilon"], fused=True)


class Log:
    """A JSON line a record. On resuming, lines later than the checkpoint are cut off, since those steps are done again. The
    log of a run that is begun anew is kept under a number (log.1.jsonl, ..): a fault stays documented."""

    def __init__(self, path: Path, step: int):
        lines = path.read_text().splitlines() if path.exists() else []
        if step == 0 and any("loss" in json.loads(line) for line in lines):
            os.replace(path, path.with_name(f"log.{len(list(path.parent.glob('log.*.jsonl'))) + 1}.jsonl"))
            lines = []
        kept = [line for line in lines if (record := json.loads(line))["step"] <= step and record.get("event") != "finished"]
        path.with_suffix(".new").write_text("".join(line + "\n" for line in kept))
        os.replace(path.with_suffix(".new"), path)
        self.path = path

    def add(self, **record) -> None:
        with open(self.path, "a") as file:
            file.write(json.dumps(record) + "\n")


def save_state(path: Path, state: dict) -> None:
    torch.save(state, path.with_suffix(".new"))
    os.replace(path.with_suffix(".new"), path)


def run_name(run: dict) -> str:
    return run["size"] + "".join(f"-{key}{run[key]}" for key in ("seed", "steps") if key in run)


def train(work: Path, recipe: dict, run: dict) -> None:
    name, size = run_name(run), recipe["sizes"][run["size"]]
    settings = recipe["training"] | {key: value for key, value in run.items() if key != "size"}
    folder = work / "runs" / name
    torch.manual_seed(settings["seed"])
    model = Decoder(size, recipe["tokenizer"]["vocabulary"], settings["context"])
    optimizer = optimizer_of(model, settings)
    step, seconds, loss_sum = 0, 0.0, 0.0
    if (folder / "state.pt").exists():
        state = torch.load(folder / "state.pt", weights_only=True)
        model.load_state_dict(state["model"])
        optimizer.load_state_dict(state["optimizer"])
        step, seconds, loss_sum = state["step"], state["seconds"], state["lossSum"]
    log = Log(folder / "log.jsonl", step)
    total, outside = count_parameters(model)
    log.add(step=step, event="resumed" if step else "started", run=run, size=size, parameters=total, nonEmbedding=outside)
    sequences = Sequences(np.fromfile(work / "train.bin", np.uint16), settings)
    batch, tokens_a_step = settings["batch"], settings["batch"] * settings["context"]
    saved = logged = time.monotonic()
    logged_step = step
    while step < settings["steps"]:
        for group in optimizer.param_groups:
            group["lr"] = rate(step, settings, size["width"])
        loss = loss_of(model, sequences.batch(step * batch, batch))
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), settings["clip"])
        optimizer.step()
        step += 1
        loss_sum += loss.item()
        now = time.monotonic()
        if step % 100 == 0:
            speed = (step - logged_step) * tokens_a_step / (now - logged)
            log.add(step=step, loss=round(loss_sum / 100, 4), tokensPerSecond=round(speed))
            loss_sum, logged, logged_step = 0.0, now, step
        if now - saved > settings["checkpointSeconds"] or step == settings["steps"]:
            seconds, saved = seconds + now - saved, now
            state = {"model": model.state_dict(), "optimizer": optimizer.state_dict()}
            save_state(folder / "state.pt", state | {"step": step, "seconds": seconds, "lossSum": loss_sum})
    loss = heldout_loss(model, np.fromfile(work / "heldout.bin", np.uint16), settings)
    record = {"tokens": step * tokens_a_step, "heldoutLoss": round(loss, 5), "seconds": round(seconds)}
    log.add(step=step, event="finished", **record)
    export(model, size, settings, work / "tokenizer.json", work / "models" / name, record)


def main() -> None:
    torch.set_num_threads(1)
    work, here = Path(sys.argv[1]), Path(__file__).parent
    recipe = json.loads(Path(sys.argv[2] if len(sys.argv) > 2 else here / "recipe.json").read_text())
    for run in recipe["queue"]:
        folder = work / "runs" / run_name(run)
        folder.mkdir(parents=True, exist_ok=True)
        with open(folder / "lock", "w") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            if not (work / "models" / run_name(run) / "model.safetensors").exists():
                print(run_name(run), flush=True)
                train(work, recipe, run)


if __name__ == "__main__":
    main()
