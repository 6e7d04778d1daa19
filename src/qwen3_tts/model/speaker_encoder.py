"""ECAPA-TDNN: log-mel of a recording -> one vector that stands for its voice.

All convolutions keep the length with reflected borders; there is no batch norm and the result is
not normalised. Dims: B rows, C channels, M mel bands, T mel frames, D vector width.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from qwen3_tts.config import SpeakerEncoderConfig


def same_conv(channels_in: int, channels_out: int, kernel: int, dilation: int = 1) -> nn.Conv1d:
    return nn.Conv1d(
        channels_in, channels_out, kernel, dilation=dilation, padding="same", padding_mode="reflect"
    )


class ResidualChunks(nn.Module):
    """Res2Net: channel chunks pass through a chain of convolutions, each adding the one before."""

    def __init__(self, channels: int, scale: int, kernel: int, dilation: int):
        super().__init__()
        width = channels // scale
        self.convs = nn.ModuleList(
            same_conv(width, width, kernel, dilation) for _ in range(scale - 1)
        )

    def forward(self, x: Tensor) -> Tensor:
        first, *rest = x.chunk(len(self.convs) + 1, dim=1)
        outputs = [first]
        for conv, part in zip(self.convs, rest, strict=True):
            part = part if len(outputs) == 1 else part + outputs[-1]
            outputs.append(F.relu(conv(part)))
        return torch.cat(outputs, dim=1)


class SqueezeExcite(nn.Module):
    """Scale each channel by a gate computed from its mean over time."""

    def __init__(self, channels: int, inner: int):
        super().__init__()
        self.conv1 = nn.Conv1d(channels, inner, 1)
        self.conv2 = nn.Conv1d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        gate = self.conv2(F.relu(self.conv1(x.mean(dim=2, keepdim=True))))  # [B, C, 1]
        return x * gate.sigmoid()


class EncoderBlock(nn.Module):
    def __init__(self, config: SpeakerEncoderConfig, channels: int, kernel: int, dilation: int):
        super().__init__()
        self.conv_in = same_conv(channels, channels, 1)
        self.chunks = ResidualChunks(channels, config.enc_res2net_scale, kernel, dilation)
        self.conv_out = same_conv(channels, channels, 1)
        self.gate = SqueezeExcite(channels, config.enc_se_channels)

    def forward(self, x: Tensor) -> Tensor:
        y = F.relu(self.conv_out(self.chunks(F.relu(self.conv_in(x)))))
        return x + self.gate(y)


class AttentivePooling(nn.Module):
    """Weighted mean and deviation over time, [B, C, T] -> [B, 2C, 1]."""

    def __init__(self, channels: int, inner: int):
        super().__init__()
        self.conv1 = same_conv(3 * channels, inner, 1)
        self.conv2 = nn.Conv1d(inner, channels, 1)

    def forward(self, x: Tensor) -> Tensor:
        uniform = torch.full_like(x[:, :1], 1.0 / x.shape[2])
        stats = [s.expand_as(x) for s in mean_and_deviation(x, uniform)]
        weights = self.conv2(F.relu(self.conv1(torch.cat([x, *stats], dim=1))).tanh())
        return torch.cat(mean_and_deviation(x, weights.softmax(dim=2)), dim=1)


def mean_and_deviation(x: Tensor, weights: Tensor) -> tuple[Tensor, Tensor]:
    """Over time, [B, C, T] -> two of [B, C, 1]; variance is clamped at 1e-12."""
    mean = (weights * x).sum(dim=2, keepdim=True)
    variance = (weights * (x - mean).square()).sum(dim=2, keepdim=True)
    return mean, variance.clamp(min=1e-12).sqrt()


class SpeakerEncoder(nn.Module):
    def __init__(self, config: SpeakerEncoderConfig):
        super().__init__()
        self.config = config
        first, *middle, last = config.enc_channels
        kernels, dilations = config.enc_kernel_sizes, config.enc_dilations
        self.conv_in = same_conv(config.mel_dim, first, kernels[0], dilations[0])
        self.blocks = nn.ModuleList(
            EncoderBlock(config, channels, kernel, dilation)
            for channels, kernel, dilation in zip(
                middle, kernels[1:-1], dilations[1:-1], strict=True
            )
        )
        self.merge = same_conv(sum(middle), last, kernels[-1], dilations[-1])
        self.pool = AttentivePooling(last, config.enc_attention_channels)
        self.project = nn.Conv1d(2 * last, config.enc_dim, 1)

    def forward(self, mel: Tensor) -> Tensor:
        """Log-mel [B, T, M], at least 5 frames -> vectors [B, D]."""
        x = F.relu(self.conv_in(mel.transpose(1, 2)))  # [B, C, T]
        outputs = []
        for block in self.blocks:
            x = block(x)
            outputs.append(x)
        x = F.relu(self.merge(torch.cat(outputs, dim=1)))
        return self.project(self.pool(x)).squeeze(2)
