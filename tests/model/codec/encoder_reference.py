"""The codec encoder as plain formulas, weights by official names (specification 7.1).

Nothing here is shared with the package: padding by index, attention with an explicit mask, entries
compared by all their differences.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Weights = Mapping[str, Tensor]
STRIDES = (4, 5, 6, 8)


def conv(x: Tensor, w: Weights, name: str, stride: int = 1) -> Tensor:
    """[C, T] -> [C', ceil(T / stride)]; zeros before, and after where a stride is incomplete."""
    weight = w[f"{name}.weight"]
    x = F.pad(x, (weight.shape[2] - stride, (stride - x.shape[1] % stride) % stride))
    return F.conv1d(x[None], weight, w[f"{name}.bias"], stride)[0]


def elu(x: Tensor) -> Tensor:
    return torch.where(x > 0, x, x.exp() - 1)


def gelu(x: Tensor) -> Tensor:
    return x * (1 + torch.erf(x / 2**0.5)) / 2


def norm(x: Tensor, w: Weights, name: str, eps: float) -> Tensor:
    x = x - x.mean(-1, keepdim=True)
    x = x / torch.sqrt((x * x).mean(-1, keepdim=True) + eps)
    return x * w[f"{name}.weight"] + w[f"{name}.bias"]


def attention(x: Tensor, w: Weights, name: str, config: Mapping[str, Any]) -> Tensor:
    """[T, D] -> [T, D], causal over everything before."""
    T, E = x.shape[0], config["head_dim"]
    time = torch.arange(T, dtype=x.dtype)
    frequency = config["rope_theta"] ** (-torch.arange(E // 2, dtype=x.dtype) / (E // 2))
    turn = torch.polar(torch.ones(T, E // 2, dtype=x.dtype), time[:, None] * frequency)
    q, k, v = (
        (x @ w[f"{name}.{part}_proj.weight"].T).view(T, -1, E).transpose(0, 1) for part in "qkv"
    )

    def turned(y: Tensor) -> Tensor:
        pairs = torch.complex(y[..., : E // 2].contiguous(), y[..., E // 2 :].contiguous()) * turn
        return torch.cat([pairs.real, pairs.imag], dim=-1)

    scores = turned(q) @ turned(k).transpose(1, 2) / E**0.5
    scores = scores.masked_fill(time > time[:, None], -torch.inf)
    return (scores.softmax(-1) @ v).transpose(0, 1).flatten(1) @ w[f"{name}.o_proj.weight"].T


def latent(wave: Tensor, w: Weights, config: Mapping[str, Any]) -> Tensor:
    """Wave [N] -> [C, T], before quantisation; `config` is the file's `encoder_config`."""
    name = "encoder.encoder.layers"
    x = conv(wave[None], w, f"{name}.0.conv")
    for stage, stride in enumerate(STRIDES):
        unit, down = f"{name}.{3 * stage + 1}", f"{name}.{3 * stage + 3}"
        y = conv(elu(x), w, f"{unit}.block.1.conv")
        x = x + conv(elu(y), w, f"{unit}.block.3.conv")
        x = conv(elu(x), w, f"{down}.conv", stride)
    x = conv(elu(x), w, f"{name}.14.conv").T
    for i in range(config["num_hidden_layers"]):
        layer, eps = f"encoder.encoder_transformer.layers.{i}", config["norm_eps"]
        y = attention(norm(x, w, f"{layer}.input_layernorm", eps), w, f"{layer}.self_attn", config)
        x = x + w[f"{layer}.self_attn_layer_scale.scale"] * y
        y = norm(x, w, f"{layer}.post_attention_layernorm", eps)
        y = gelu(y @ w[f"{layer}.mlp.fc1.weight"].T) @ w[f"{layer}.mlp.fc2.weight"].T
        x = x + w[f"{layer}.mlp_layer_scale.scale"] * y
    ends = [x[:1], x[:1], x, *([x[-1:]] if len(x) % 2 else [])]
    return F.conv1d(torch.cat(ends).T[None], w["encoder.downsample.conv.weight"], stride=2)[0]


def encode(wave: Tensor, w: Weights, config: Mapping[str, Any], count: int) -> Tensor:
    """Wave [N] -> codes [count, T]."""
    x, codes = latent(wave, w, config), []
    for branch, books in (("semantic", 1), ("acoustic", count - 1)):
        name = f"encoder.quantizer.{branch}_residual_vector_quantizer"
        rest = (w[f"{name}.input_proj.weight"][:, :, 0] @ x).T
        for i in range(books):
            book = f"{name}.layers.{i}.codebook"
            entries = w[f"{book}.embed_sum"] / w[f"{book}.cluster_usage"][:, None].clamp(min=1e-5)
            nearest = (rest[:, None] - entries).square().sum(-1).argmin(-1)
            codes.append(nearest)
            rest = rest - entries[nearest]
    return torch.stack(codes)
