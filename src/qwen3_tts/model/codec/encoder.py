"""Codec encoder: wave [B, N] -> codes [B, K, ceil(N / 1920)]. A Mimi encoder.

Strided convolutions bring 24 kHz down to 25 Hz, a transformer mixes, one more convolution halves
the rate, residual codebooks turn each step into codes. Everything is causal; each convolution pads
zeros on the left, and on the right what completes its last stride.

Dims: B rows, C channels, T steps at the layer's own rate, E head dim.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from qwen3_tts.config import CodecEncoderConfig
from qwen3_tts.model.codec.codebooks import EncoderCodebook, ResidualCodebooks, SplitCodebooks
from qwen3_tts.model.layers import rotary_table, rotate


class StridedConv1d(nn.Conv1d):
    """Length T -> ceil(T / stride)."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int = 1):
        super().__init__(channels_in, channels_out, kernel, stride)

    def forward(self, x: Tensor) -> Tensor:
        return super().forward(F.pad(x, self.borders(x.shape[-1])))

    def borders(self, length: int) -> tuple[int, int]:
        """Left and right padding that lets every stride, the last included, be complete."""
        kernel, stride = self.kernel_size[0], self.stride[0]
        return kernel - stride, -length % stride


class Downsample(StridedConv1d):
    """Halve the rate; unlike the other convolutions it repeats the border values."""

    def __init__(self, width: int, stride: int):
        super().__init__(width, width, 2 * stride, stride)
        self.bias = None

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, self.borders(x.shape[-1]), mode="replicate")
        return nn.Conv1d.forward(self, x)


class EncoderStage(nn.Module):
    """Residual unit, then a strided convolution that doubles the channels."""

    def __init__(self, config: CodecEncoderConfig, channels: int, stride: int):
        super().__init__()
        inner = channels // config.compress
        self.conv1 = StridedConv1d(channels, inner, config.residual_kernel_size)
        self.conv2 = StridedConv1d(inner, channels, 1)
        self.down = StridedConv1d(channels, 2 * channels, 2 * stride, stride)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.conv2(F.elu(self.conv1(F.elu(x))))
        return self.down(F.elu(x))


class EncoderAttention(nn.Module):
    """Causal attention over everything before.

    The config names a window of 250 steps; the official encoder does not apply it.
    """

    def __init__(self, config: CodecEncoderConfig):
        super().__init__()
        D, width = config.hidden_size, config.num_attention_heads * config.head_dim
        self.head_dim = config.head_dim
        self.q_proj = nn.Linear(D, width, bias=False)
        self.k_proj = nn.Linear(D, width, bias=False)
        self.v_proj = nn.Linear(D, width, bias=False)
        self.o_proj = nn.Linear(width, D, bias=False)

    def forward(self, x: Tensor, rotary: Tensor) -> Tensor:
        B, T, _ = x.shape
        q, k, v = (
            proj(x).view(B, T, -1, self.head_dim).transpose(1, 2)  # [B, H, T, E]
            for proj in (self.q_proj, self.k_proj, self.v_proj)
        )
        q, k = rotate(q, rotary), rotate(k, rotary)
        y = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.o_proj(y.transpose(1, 2).reshape(B, T, -1))


class EncoderBlock(nn.Module):
    def __init__(self, config: CodecEncoderConfig):
        super().__init__()
        D, initial = config.hidden_size, config.layer_scale_initial_scale
        self.attn_norm = nn.LayerNorm(D, config.norm_eps)
        self.attn = EncoderAttention(config)
        self.attn_scale = nn.Parameter(torch.full((D,), initial))
        self.mlp_norm = nn.LayerNorm(D, config.norm_eps)
        self.fc1 = nn.Linear(D, config.intermediate_size, bias=False)
        self.fc2 = nn.Linear(config.intermediate_size, D, bias=False)
        self.mlp_scale = nn.Parameter(torch.full((D,), initial))

    def forward(self, x: Tensor, rotary: Tensor) -> Tensor:
        x = x + self.attn_scale * self.attn(self.attn_norm(x), rotary)
        return x + self.mlp_scale * self.fc2(F.gelu(self.fc1(self.mlp_norm(x))))


def encoder_codebooks(config: CodecEncoderConfig) -> SplitCodebooks:
    """All codebooks of the file; a caller asks for the first 16."""
    width, dim = config.hidden_size, config.vector_quantization_hidden_dimension

    def branch(count: int) -> ResidualCodebooks:
        books = [EncoderCodebook(config.codebook_size, config.codebook_dim) for _ in range(count)]
        return ResidualCodebooks(list(books), width, dim)

    return SplitCodebooks(branch(1), branch(config.num_quantizers - 1))


class CodecEncoder(nn.Module):
    def __init__(self, config: CodecEncoderConfig):
        super().__init__()
        self.head_dim, self.theta = config.head_dim, config.rope_theta
        strides = tuple(reversed(config.upsampling_ratios))  # published in decoder order
        width = config.num_filters
        self.conv_in = StridedConv1d(1, width, config.kernel_size)
        self.stages = nn.ModuleList(
            EncoderStage(config, width * 2**i, stride) for i, stride in enumerate(strides)
        )
        channels = width * 2 ** len(strides)
        self.conv_out = StridedConv1d(channels, config.hidden_size, config.last_kernel_size)
        self.blocks = nn.ModuleList(EncoderBlock(config) for _ in range(config.num_hidden_layers))
        self.downsample = Downsample(config.hidden_size, 2)
        self.codebooks = encoder_codebooks(config)

    def latent(self, wave: Tensor) -> Tensor:
        """Wave [B, N] -> [B, C, ceil(N / 1920)], before quantisation."""
        x = self.conv_in(wave[:, None])
        for stage in self.stages:
            x = stage(x)
        x = self.conv_out(F.elu(x)).transpose(1, 2)  # [B, T, D]
        positions = torch.arange(x.shape[1], device=x.device)[None]
        rotary = rotary_table(positions, self.head_dim, self.theta)
        for block in self.blocks:
            x = block(x, rotary)
        return self.downsample(x.transpose(1, 2))

    def forward(self, wave: Tensor, num_codebooks: int) -> Tensor:
        """Wave [B, N], 24 kHz -> codes [B, num_codebooks, ceil(N / 1920)]."""
        return self.codebooks.encode(self.latent(wave), num_codebooks)
