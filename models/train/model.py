"""The two architectures in plain PyTorch: GptNeoX (as Pythia) and Llama. Parameter names are those of the Hugging Face
checkpoints, so export is a plain copy. The line: tokenizer, model, train, export. Left out: generation, caches, dropout.
"""
import math

import torch
import torch.nn.functional as F
from torch import Tensor, nn


def rotary_tables(context: int, dimensions: int) -> tuple[Tensor, Tensor]:
    """cos and sin, each (context, dimensions), in the half-split layout of both families."""
    frequencies = 10000.0 ** (-torch.arange(0, dimensions, 2).float() / dimensions)
    angles = torch.outer(torch.arange(context).float(), frequencies).repeat(1, 2)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turns the first cos.shape[1] dimensions of every head, x: (batch, heads, time, head)."""
    turned, kept = x.split([cos.shape[1], x.shape[-1] - cos.shape[1]], -1)
    first, second = turned.chunk(2, -1)
    turned = turned * cos + torch.cat((-second, first), -1) * sin
    return torch.cat((turned, kept), -1).to(x.dtype)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention, (batch, heads, time, head). Written out: on a CPU it takes half the time of the fused one."""
    time = q.shape[2]
    with torch.autocast("cpu", enabled=False):
        future = torch.full((time, time), float("-inf"), dtype=q.dtype).triu(1)
        scores = (q / math.sqrt(q.shape[-1])) @ k.transpose(-1, -2) + future
        return scores.softmax(-1) @ v


class NeoxAttention(nn.Module):
    def __init__(self, width: int, heads: int):
        super().__init__()
        self.heads = heads
        self.query_key_value = nn.Linear(width, 3 * width)  # rows: for each head its q, k, v
        self.dense = nn.Linear(width, width)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, time, width = x.shape
        q, k, v = self.query_key_value(x).view(batch, time, self.heads, -1).transpose(1, 2).chunk(3, -1)
        mixed = attend(rotate(q, cos, sin), rotate(k, cos, sin), v)
        return self.dense(mixed.transpose(1, 2).reshape(batch, time, width))


class NeoxMlp(nn.Module):
    def __init__(self, width: int, inner: int):
        super().__init__()
        self.dense_h_to_4h = nn.Linear(width, inner)
        self.dense_4h_to_h = nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.dense_4h_to_h(F.gelu(self.dense_h_to_4h(x)))


class NeoxLayer(nn.Module):
    """Attention and feed-forward read the same residual stream (parallel residual)."""

    def __init__(self, size: dict):
        super().__init__()
        self.input_layernorm = nn.LayerNorm(size["width"])
        self.post_attention_layernorm = nn.LayerNorm(size["width"])
        self.attention = NeoxAttention(size["width"], size["heads"])
        self.mlp = NeoxMlp(size["width"], size["inner"])

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        return x + self.attention(self.input_layernorm(x), cos, sin) + self.mlp(self.post_attention_layernorm(x))


class LlamaAttention(nn.Module):
    """Each key-value head serves heads / kv_heads query heads."""

    def __init__(self, width: int, heads: int, kv_heads: int):
        super().__init__()
        self.heads, self.kv_heads = heads, kv_heads
        self.q_proj = nn.Linear(width, width, bias=False)
        self.k_proj = nn.Linear(width, width // heads * kv_heads, bias=False)
        self.v_proj = nn.Linear(width, width // heads * kv_heads, bias=False)
        self.o_proj = nn.Linear(width, width, bias=False)

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        batch, time, width = x.shape
        q = self.q_proj(x).view(batch, time, self.heads, -1).transpose(1, 2)
        k = self.k_proj(x).view(batch, time, self.kv_heads, -1).transpose(1, 2)
        v = self.v_proj(x).view(batch, time, self.kv_heads, -1).transpose(1, 2)
        groups = self.heads // self.kv_heads
        k, v = rotate(k, cos, sin).repeat_interleave(groups, 1), v.repeat_interleave(groups, 1)
        mixed = attend(rotate(q, cos, sin), k, v)
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, time, width))


class LlamaMlp(nn.Module):
    def __init__(self, width: int, inner: int):
        super().__init__()
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class LlamaLayer(nn.Module):
    def __init__(self, size: dict):
        super().__init__()
        self.input_layernorm = nn.RMSNorm(size["width"], eps=1e-5)
        self.post_attention_layernorm = nn.RMSNorm(size["width"], eps=1e-5)
        self.self_attn = LlamaAttention(size["width"], size["heads"], size["kvHeads"])
        self.mlp = LlamaMlp(size["width"], size["inner"])

    def forward(self, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.self_attn(self.input_layernorm(x), cos, sin)
        return x + self.mlp(self.post_attention_layernorm(x))


class Decoder(nn.Module):
    """Embedding, layers, final norm, and the embedding again as the head (tied)."""

    def __init__(self, size: dict, vocabulary: int, context: int):
        super().__init__()
        width, neox = size["width"], size["family"] == "neox"
        stem = nn.Module()
        embedding, norm = nn.Embedding(vocabulary, width), nn.LayerNorm(width) if neox else nn.RMSNorm(width, eps=1e-5)
        setattr(self, "gpt_neox" if neox else "model", stem)
        setattr(stem, "embed_in" if neox else "embed_tokens", embedding)
        stem.layers = nn.ModuleList((NeoxLayer if neox else LlamaLayer)(size) for _ in range(size["layers"]))
        setattr(stem, "final_layer_norm" if neox else "norm", norm)
        self.parts = (embedding, stem.layers, norm)
        head = width // size["heads"]
        cos, sin = rotary_tables(context, head // 4 if neox else head)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self.start(width, size["layers"])

    def start(self, width: int, layers: int) -> None:
        """Small normal weights everywhere; those that write to the residual stream smaller still (as GPT-NeoX does)."""
        for name, weight in self.named_parameters():
            if name.endswith(("dense.weight", "4h_to_h.weight", "o_proj.weight", "down_proj.weight")):
                nn.init.normal_(weight, 0, min(2 / layers, 0.5) / math.sqrt(width))
            elif weight.dim() == 2:
                nn.init.normal_(weight, 0, math.sqrt(2 / (5 * width)))
            elif name.endswith("bias"):
                nn.init.zeros_(weight)

    def forward(self, ids: Tensor) -> Tensor:  # (batch, time) -> (batch, time, vocabulary)
        embedding, layers, norm = self.parts
        time = ids.shape[1]
        x = embedding(ids)
        for layer in layers:
            x = layer(x, self.cos[:time], self.sin[:time])
        return F.linear(norm(x), embedding.weight)


def count_parameters(model: Decoder) -> tuple[int, int]:
    """All parameters, and those outside the embedding (the size by which the family is spaced)."""
    total = sum(weight.numel() for weight in model.parameters())
    return total, total - model.parts[0].weight.numel()
