"""The decoder's transformer: attention over a sliding window of frames, carried between chunks.

Dims: B rows, T frames, H heads, E head dim, W window (a frame and the W-1 before it).
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from qwen3_tts.config import CodecDecoderConfig
from qwen3_tts.model.codec.state import DecoderState
from qwen3_tts.model.layers import RMSNorm, SwiGLU, rotary_table, rotate


class WindowAttention(nn.Module):
    def __init__(self, config: CodecDecoderConfig, layer: int):
        super().__init__()
        D, width = config.hidden_size, config.num_attention_heads * config.head_dim
        self.layer, self.head_dim = layer, config.head_dim
        self.q_proj = nn.Linear(D, width, bias=False)
        self.k_proj = nn.Linear(D, width, bias=False)
        self.v_proj = nn.Linear(D, width, bias=False)
        self.o_proj = nn.Linear(width, D, bias=False)

    def forward(self, x: Tensor, rotary: Tensor, mask: Tensor, state: DecoderState) -> Tensor:
        B, T, _ = x.shape
        q, k, v = (
            proj(x).view(B, T, -1, self.head_dim).transpose(1, 2)  # [B, H, T, E]
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = rotate(q, rotary), rotate(k, rotary)
        k = torch.cat([state.keys[self.layer], k], dim=2)  # [B, H, W-1+T, E]
        v = torch.cat([state.values[self.layer], v], dim=2)
        state.keys[self.layer].copy_(k[:, :, T:])
        state.values[self.layer].copy_(v[:, :, T:])
        y = F.scaled_dot_product_attention(q, k, v, mask)
        return self.o_proj(y.transpose(1, 2).reshape(B, T, -1))


class WindowBlock(nn.Module):
    """Pre-norm block whose two branches are scaled per channel."""

    def __init__(self, config: CodecDecoderConfig, layer: int):
        super().__init__()
        D, initial = config.hidden_size, config.layer_scale_initial_scale
        self.attn_norm = RMSNorm(D, config.rms_norm_eps)
        self.attn = WindowAttention(config, layer)
        self.attn_scale = nn.Parameter(torch.full((D,), initial))
        self.mlp_norm = RMSNorm(D, config.rms_norm_eps)
        self.mlp = SwiGLU(D, config.intermediate_size)
        self.mlp_scale = nn.Parameter(torch.full((D,), initial))

    def forward(self, x: Tensor, rotary: Tensor, mask: Tensor, state: DecoderState) -> Tensor:
        x = x + self.attn_scale * self.attn(self.attn_norm(x), rotary, mask, state)
        return x + self.mlp_scale * self.mlp(self.mlp_norm(x))


class WindowTransformer(nn.Module):
    """Latent [B, T, C] -> latent [B, T, C]; moves the state's position on by T frames."""

    def __init__(self, config: CodecDecoderConfig):
        super().__init__()
        self.window, self.head_dim = config.sliding_window, config.head_dim
        self.theta = config.rope_theta
        self.input_proj = nn.Linear(config.latent_dim, config.hidden_size)
        self.blocks = nn.ModuleList(WindowBlock(config, i) for i in range(config.num_hidden_layers))
        self.norm = RMSNorm(config.hidden_size, config.rms_norm_eps)
        self.output_proj = nn.Linear(config.hidden_size, config.latent_dim)

    def forward(self, x: Tensor, state: DecoderState) -> Tensor:
        steps = torch.arange(1 - self.window, x.shape[1], device=x.device)
        key_pos = state.pos[:, None] + steps  # [B, W-1+T]
        query_pos = key_pos[:, self.window - 1 :]  # [B, T]
        age = query_pos[:, :, None] - key_pos[:, None, :]
        mask = (age >= 0) & (age < self.window) & (key_pos >= 0)[:, None]
        rotary = rotary_table(query_pos, self.head_dim, self.theta)
        x = self.input_proj(x)
        for block in self.blocks:
            x = block(x, rotary, mask[:, None], state)
        state.pos += steps.shape[0] - self.window + 1
        return self.output_proj(self.norm(x))
