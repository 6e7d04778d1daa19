"""Codec decoder: codes [B, K, T] -> wave [B, T * 1920], any number of frames at a time.

Every layer is causal and remembers the tail of its own input in a `DecoderState`, so a whole
decode is a stream of one chunk, and chunks of any size give the samples that one chunk gives.

Dims: B rows, K codebooks, C channels, T time steps at the layer's own rate.
"""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from qwen3_tts.config import CodecDecoderConfig
from qwen3_tts.model.codec.causal import CausalConv1d, CausalConvTranspose1d
from qwen3_tts.model.codec.codebooks import Codebook, ResidualCodebooks, SplitCodebooks
from qwen3_tts.model.codec.state import DecoderState
from qwen3_tts.model.codec.transformer import WindowTransformer


class SnakeBeta(nn.Module):
    """x + sin^2(alpha x) / beta, frequency and magnitude per channel (stored as logarithms)."""

    def __init__(self, channels: int):
        super().__init__()
        self.alpha = nn.Parameter(torch.zeros(channels))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        alpha, beta = self.alpha.exp()[:, None], self.beta.exp()[:, None]
        return x + torch.sin(alpha * x).square() / (beta + 1e-9)


class ConvNeXtBlock(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        self.dwconv = CausalConv1d(channels, channels, 7, groups=channels)
        self.norm = nn.LayerNorm(channels, eps=1e-6)
        self.pwconv1 = nn.Linear(channels, 4 * channels)
        self.pwconv2 = nn.Linear(4 * channels, channels)
        self.gamma = nn.Parameter(torch.full((channels,), 1e-6))

    def forward(self, x: Tensor, state: DecoderState) -> Tensor:
        y = self.norm(self.dwconv(x, state).transpose(1, 2))  # [B, T, C]
        y = self.gamma * self.pwconv2(F.gelu(self.pwconv1(y)))
        return x + y.transpose(1, 2)


class LatentStage(nn.Module):
    """Multiply the frame rate, then mix."""

    def __init__(self, channels: int, rate: int):
        super().__init__()
        self.up = nn.ConvTranspose1d(channels, channels, rate, rate)  # kernel = stride: no memory
        self.mix = ConvNeXtBlock(channels)

    def forward(self, x: Tensor, state: DecoderState) -> Tensor:
        return self.mix(self.up(x), state)


class ResidualUnit(nn.Module):
    def __init__(self, channels: int, dilation: int):
        super().__init__()
        self.act1 = SnakeBeta(channels)
        self.conv1 = CausalConv1d(channels, channels, 7, dilation=dilation)
        self.act2 = SnakeBeta(channels)
        self.conv2 = nn.Conv1d(channels, channels, 1)

    def forward(self, x: Tensor, state: DecoderState) -> Tensor:
        y = self.conv1(self.act1(x), state)
        return x + self.conv2(self.act2(y))


class WaveStage(nn.Module):
    """Halve the channels, multiply the rate."""

    def __init__(self, channels: int, rate: int):
        super().__init__()
        self.act = SnakeBeta(channels)
        self.up = CausalConvTranspose1d(channels, channels // 2, 2 * rate, rate)
        self.units = nn.ModuleList(ResidualUnit(channels // 2, d) for d in (1, 3, 9))

    def forward(self, x: Tensor, state: DecoderState) -> Tensor:
        x = self.up(self.act(x), state)
        for unit in self.units:
            x = unit(x, state)
        return x


def decoder_codebooks(config: CodecDecoderConfig) -> SplitCodebooks:
    """`codebook_dim` is the width outside the projections; entries are half as wide."""
    width, dim = config.codebook_dim, config.codebook_dim // 2

    def branch(count: int) -> ResidualCodebooks:
        books = [Codebook(config.codebook_size, dim) for _ in range(count)]
        return ResidualCodebooks(books, width, dim)

    return SplitCodebooks(branch(1), branch(config.num_quantizers - 1))


CAUSAL = (CausalConv1d, CausalConvTranspose1d)


class CodecDecoder(nn.Module):
    def __init__(self, config: CodecDecoderConfig):
        super().__init__()
        self.config = config
        self.samples_per_frame = math.prod(config.upsampling_ratios + config.upsample_rates)
        self.codebooks = decoder_codebooks(config)
        self.pre_conv = CausalConv1d(config.codebook_dim, config.latent_dim, 3)
        self.transformer = WindowTransformer(config)
        self.latent_stages = nn.ModuleList(
            LatentStage(config.latent_dim, rate) for rate in config.upsampling_ratios
        )
        self.wave_in = CausalConv1d(config.latent_dim, config.decoder_dim, 7)
        self.wave_stages = nn.ModuleList(
            WaveStage(config.decoder_dim // 2**i, rate)
            for i, rate in enumerate(config.upsample_rates)
        )
        channels = config.decoder_dim // 2 ** len(config.upsample_rates)
        self.wave_act = SnakeBeta(channels)
        self.wave_out = CausalConv1d(channels, 1, 7)

        self.causal_layers = [m for m in self.modules() if isinstance(m, CAUSAL)]
        for slot, layer in enumerate(self.causal_layers):
            layer.slot = slot

    def new_state(self, rows: int) -> DecoderState:
        c, like = self.config, self.wave_out.weight
        kv = (c.num_hidden_layers, rows, c.num_attention_heads, c.sliding_window - 1, c.head_dim)
        return DecoderState(
            tails=[like.new_zeros(rows, m.in_channels, m.context) for m in self.causal_layers],
            keys=like.new_zeros(kv),
            values=like.new_zeros(kv),
            pos=torch.zeros(rows, dtype=torch.long, device=like.device),
        )

    def forward(self, codes: Tensor, state: DecoderState) -> Tensor:
        """Decode the next frames of every row. codes [B, K, T] -> wave [B, T * 1920]."""
        return self.from_latent(self.codebooks.decode(codes), state).clamp(-1, 1)

    def from_latent(self, latent: Tensor, state: DecoderState) -> Tensor:
        """What follows the codebooks: latent [B, C, T] -> wave [B, T * 1920], not yet clamped."""
        x = self.pre_conv(latent, state)
        x = self.transformer(x.transpose(1, 2), state).transpose(1, 2)
        for stage in self.latent_stages:
            x = stage(x, state)
        x = self.wave_in(x, state)
        for stage in self.wave_stages:
            x = stage(x, state)
        return self.wave_out(self.wave_act(x), state).squeeze(1)
