"""The codec decoder as whole-utterance formulas, weights by official names (specification 7.2).

No state and no code of the package: causal layers pad their input with zeros on the left, attention
sees a masked window, upsampling is written as its two taps.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

Weights = Mapping[str, Tensor]


def causal(x: Tensor, w: Weights, name: str, dilation: int = 1, groups: int = 1) -> Tensor:
    """Convolution over [C, T] whose last tap is the present."""
    weight = w[f"{name}.weight"]
    x = F.pad(x, ((weight.shape[2] - 1) * dilation, 0))
    return F.conv1d(x[None], weight, w[f"{name}.bias"], dilation=dilation, groups=groups)[0]


def snake(x: Tensor, w: Weights, name: str) -> Tensor:
    alpha, beta = w[f"{name}.alpha"].exp()[:, None], w[f"{name}.beta"].exp()[:, None]
    return x + torch.sin(x * alpha) ** 2 / (beta + 1e-9)


def upsample(x: Tensor, w: Weights, name: str, stride: int) -> Tensor:
    """Transposed convolution [C, T] -> [C', T * stride], sample by sample.

    y[stride * t + r] = bias + W[:, :, r] x[t] + W[:, :, r + stride] x[t - 1]
    """
    weight, bias = w[f"{name}.weight"], w[f"{name}.bias"]
    before = torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], dim=1)
    phases = []
    for r in range(stride):
        y = weight[:, :, r].T @ x + bias[:, None]
        if r + stride < weight.shape[2]:
            y = y + weight[:, :, r + stride].T @ before
        phases.append(y)
    return torch.stack(phases, dim=2).flatten(1)


def dequantize(codes: Tensor, w: Weights) -> Tensor:
    """Codes [K, T] -> latent [C, T]."""

    def entry(name: str, ids: Tensor) -> Tensor:
        usage = w[f"{name}._codebook.cluster_usage"].clamp(min=1e-5)
        return (w[f"{name}._codebook.embedding_sum"] / usage[:, None])[ids].T

    first, rest = "decoder.quantizer.rvq_first", "decoder.quantizer.rvq_rest"
    total = sum(entry(f"{rest}.vq.layers.{i}", ids) for i, ids in enumerate(codes[1:]))
    y = w[f"{first}.output_proj.weight"][:, :, 0] @ entry(f"{first}.vq.layers.0", codes[0])
    return y + w[f"{rest}.output_proj.weight"][:, :, 0] @ total


def rms(x: Tensor, weight: Tensor, eps: float) -> Tensor:
    return x / torch.sqrt((x * x).mean(-1, keepdim=True) + eps) * weight


def attention(x: Tensor, w: Weights, name: str, config: Mapping[str, Any]) -> Tensor:
    """[T, D] -> [T, D]; a frame sees itself and the window - 1 frames before it."""
    T, E = x.shape[0], config["head_dim"]
    time = torch.arange(T, dtype=x.dtype)
    frequency = config["rope_theta"] ** (-torch.arange(E // 2, dtype=x.dtype) / (E // 2))
    angle = (time[:, None] * frequency).repeat(1, 2)
    cos, sin = angle.cos(), angle.sin()
    q, k, v = (
        (x @ w[f"{name}.{part}_proj.weight"].T).view(T, -1, E).transpose(0, 1) for part in "qkv"
    )
    q, k = (y * cos + torch.cat([-y[..., E // 2 :], y[..., : E // 2]], -1) * sin for y in (q, k))
    age = time[:, None] - time
    hidden = (age < 0) | (age >= config["sliding_window"])
    scores = (q @ k.transpose(1, 2) / E**0.5).masked_fill(hidden, -torch.inf)
    return (scores.softmax(-1) @ v).transpose(0, 1).flatten(1) @ w[f"{name}.o_proj.weight"].T


def transformer(x: Tensor, w: Weights, config: Mapping[str, Any]) -> Tensor:
    """[T, C] -> [T, C]."""
    name, eps = "decoder.pre_transformer", config["rms_norm_eps"]
    x = F.linear(x, w[f"{name}.input_proj.weight"], w[f"{name}.input_proj.bias"])
    for i in range(config["num_hidden_layers"]):
        layer = f"{name}.layers.{i}"
        y = rms(x, w[f"{layer}.input_layernorm.weight"], eps)
        y = attention(y, w, f"{layer}.self_attn", config)
        x = x + w[f"{layer}.self_attn_layer_scale.scale"] * y
        y = rms(x, w[f"{layer}.post_attention_layernorm.weight"], eps)
        gate, up = (y @ w[f"{layer}.mlp.{part}_proj.weight"].T for part in ("gate", "up"))
        y = (F.silu(gate) * up) @ w[f"{layer}.mlp.down_proj.weight"].T
        x = x + w[f"{layer}.mlp_layer_scale.scale"] * y
    x = rms(x, w[f"{name}.norm.weight"], eps)
    return F.linear(x, w[f"{name}.output_proj.weight"], w[f"{name}.output_proj.bias"])


def convnext(x: Tensor, w: Weights, name: str) -> Tensor:
    y = causal(x, w, f"{name}.dwconv.conv", groups=x.shape[0]).T
    y = F.layer_norm(y, y.shape[1:], w[f"{name}.norm.weight"], w[f"{name}.norm.bias"], 1e-6)
    y = F.gelu(F.linear(y, w[f"{name}.pwconv1.weight"], w[f"{name}.pwconv1.bias"]))
    y = F.linear(y, w[f"{name}.pwconv2.weight"], w[f"{name}.pwconv2.bias"])
    return x + (w[f"{name}.gamma"] * y).T


def decode(codes: Tensor, w: Weights, config: Mapping[str, Any]) -> Tensor:
    """Codes [K, T] -> wave [T * 1920]; `config` is the file's `decoder_config`."""
    x = causal(dequantize(codes, w), w, "decoder.pre_conv.conv")
    x = transformer(x.T, w, config).T
    for i, rate in enumerate(config["upsampling_ratios"]):
        x = upsample(x, w, f"decoder.upsample.{i}.0.conv", rate)
        x = convnext(x, w, f"decoder.upsample.{i}.1")
    x = causal(x, w, "decoder.decoder.0.conv")
    for i, rate in enumerate(config["upsample_rates"], start=1):
        stage = f"decoder.decoder.{i}.block"
        x = upsample(snake(x, w, f"{stage}.0"), w, f"{stage}.1.conv", rate)
        for unit, dilation in zip((2, 3, 4), (1, 3, 9), strict=True):
            y = snake(x, w, f"{stage}.{unit}.act1")
            y = causal(y, w, f"{stage}.{unit}.conv1.conv", dilation)
            x = x + causal(snake(y, w, f"{stage}.{unit}.act2"), w, f"{stage}.{unit}.conv2.conv")
    last = len(config["upsample_rates"]) + 1
    x = causal(snake(x, w, f"decoder.decoder.{last}"), w, f"decoder.decoder.{last + 1}.conv")
    return x[0].clamp(-1, 1)
