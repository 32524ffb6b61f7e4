"""What the attention of each layer is worth: the loss it costs to replace it by the plain mean of what came before.

Usage: python attention.py MODEL..      (folders as models/llama/llama-1m; reads models/families/heldout.txt)
Prints a Markdown row a model: layer by layer the rise of the loss, nats a token, on 48 windows of the held-out text. About zero says
that a layer's attention has collapsed to that mean: a fault of training that does not show in the loss curve.
"""
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file
from tokenizers import Tokenizer

import model as models
from train import loss_of

here = Path(__file__).parent
sizes = json.loads((here / "recipe.json").read_text())["sizes"]


def mean_so_far(v: torch.Tensor) -> torch.Tensor:
    """(batch, heads, time, head) -> the same, each place the mean of those up to it."""
    return v.cumsum(2) / torch.arange(1, v.shape[2] + 1).view(-1, 1)


@torch.no_grad()
def costs(folder: Path) -> list[float]:
    size = sizes[next(name for name in sizes if folder.name == name or folder.name.startswith(f"{name}-"))]
    decoder = models.Decoder(size, 1024, 256).eval()
    decoder.load_state_dict({name: weight.float() for name, weight in load_file(folder / "model.safetensors").items()})
    ids = Tokenizer.from_file(str(folder / "tokenizer.json")).encode((here / "../families/heldout.txt").read_text()).ids
    rows = torch.tensor(ids[: len(ids) // 257 * 257]).view(-1, 257)
    rows = rows[:: len(rows) // 48][:48]
    attend, losses = models.attend, []
    for replaced in range(-1, size["layers"]):
        layers = iter(range(size["layers"]))
        models.attend = lambda q, k, v: mean_so_far(v) if next(layers) == replaced else attend(q, k, v)
        losses.append(loss_of(decoder, rows).item())
    models.attend = attend
    return [loss - losses[0] for loss in losses[1:]]


for name in sys.argv[1:]:
    print(f"| {Path(name).name} | " + " | ".join(f"{cost:+.3f}" for cost in costs(Path(name))) + " |", flush=True)
