"""Parts shared by the talker and the code predictor: a pre-norm transformer with grouped heads.

Dims: B rows, S positions, D width, H query heads, G key/value heads, E head dim.
Statistics of norms, rotary angles and the rotation itself are float32 for any weight dtype.
"""

from typing import Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from qwen3_tts.config import CodePredictorConfig, TalkerConfig

TransformerConfig = TalkerConfig | CodePredictorConfig


class Span(Protocol):
    """New positions of every row: where they stand, what they may see, where they are kept."""

    positions: Tensor  # [B or 1, S]
    mask: Tensor | None  # [B or 1, 1, S, S_seen], True = may attend; None = everything

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Remember [B, G, S, E]; return all keys and values in sight, [B, G, S_seen, E]."""
        ...


class RMSNorm(nn.Module):
    def __init__(self, width: int, eps: float):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.eps = eps

    def forward(self, x: Tensor) -> Tensor:
        y = x.float()
        y = y * torch.rsqrt(y.square().mean(-1, keepdim=True) + self.eps)
        return self.weight * y.to(x.dtype)


def rotary_table(positions: Tensor, head_dim: int, theta: float) -> Tensor:
    """Cosines and sines of positions [B, S] -> [2, B, 1, S, E], float32, half-split layout."""
    exponent = torch.arange(0, head_dim, 2, device=positions.device).float() / head_dim
    angle = positions[:, None, :, None].float() * (1.0 / theta**exponent)
    angle = torch.cat([angle, angle], dim=-1)
    return torch.stack([angle.cos(), angle.sin()])


def rotate(x: Tensor, rotary: Tensor) -> Tensor:
    """Rotary embedding. x [B, H, S, E], rotary [2, B, 1, S, E]."""
    y = x.float()
    a, b = y.chunk(2, dim=-1)
    return (y * rotary[0] + torch.cat([-b, a], dim=-1) * rotary[1]).to(x.dtype)


class Attention(nn.Module):
    """Grouped-head attention; queries and keys are normalised per head before rotation."""

    def __init__(self, config: TransformerConfig, layer: int):
        super().__init__()
        D, E = config.hidden_size, config.head_dim
        H, G = config.num_attention_heads, config.num_key_value_heads
        self.layer, self.head_dim, self.grouped = layer, E, H != G
        self.q_proj = nn.Linear(D, H * E, bias=False)
        self.k_proj = nn.Linear(D, G * E, bias=False)
        self.v_proj = nn.Linear(D, G * E, bias=False)
        self.o_proj = nn.Linear(H * E, D, bias=False)
        self.q_norm = RMSNorm(E, config.rms_norm_eps)
        self.k_norm = RMSNorm(E, config.rms_norm_eps)

    def forward(self, x: Tensor, rotary: Tensor, span: Span | None) -> Tensor:
        B, S, _ = x.shape
        heads = (B, S, -1, self.head_dim)
        q = self.q_norm(self.q_proj(x).view(heads)).transpose(1, 2)  # [B, H, S, E]
        k = self.k_norm(self.k_proj(x).view(heads)).transpose(1, 2)  # [B, G, S, E]
        v = self.v_proj(x).view(heads).transpose(1, 2)
        q, k = rotate(q, rotary), rotate(k, rotary)
        if span is None:
            y = F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=self.grouped)
        else:
            k, v = span.extend(self.layer, k, v)
            y = F.scaled_dot_product_attention(q, k, v, span.mask, enable_gqa=self.grouped)
        return self.o_proj(y.transpose(1, 2).reshape(B, S, -1))


class SwiGLU(nn.Module):
    def __init__(self, width: int, inner: int):
        super().__init__()
        self.gate_proj = nn.Linear(width, inner, bias=False)
        self.up_proj = nn.Linear(width, inner, bias=False)
        self.down_proj = nn.Linear(inner, width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    def __init__(self, config: TransformerConfig, layer: int):
        super().__init__()
        self.attn_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.attn = Attention(config, layer)
        self.mlp_norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.mlp = SwiGLU(config.hidden_size, config.intermediate_size)

    def forward(self, x: Tensor, rotary: Tensor, span: Span | None) -> Tensor:
        x = x + self.attn(self.attn_norm(x), rotary, span)
        return x + self.mlp(self.mlp_norm(x))


class Transformer(nn.Module):
    """Blocks and the final norm: hidden [B, S, D] -> hidden [B, S, D]."""

    def __init__(self, config: TransformerConfig):
        super().__init__()
        self.head_dim, self.theta = config.head_dim, config.rope_theta
        self.blocks = nn.ModuleList(Block(config, i) for i in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)

    def forward(self, x: Tensor, span: Span | None) -> Tensor:
        """Without a span: the training pass, causal over the given positions."""
        positions = span.positions if span else torch.arange(x.shape[1], device=x.device)[None]
        rotary = rotary_table(positions, self.head_dim, self.theta)
        for block in self.blocks:
            x = block(x, rotary, span)
        return self.norm(x)
