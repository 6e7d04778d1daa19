"""Causal convolutions of the decoder: the past comes from a `DecoderState`, the future is unseen.

Each layer has a `slot`, its place among the state's tails, given once by the decoder.
Layout [B, C, T]: rows, channels, time steps at the layer's own rate.
"""

import math

import torch
from torch import Tensor, nn

from qwen3_tts.model.codec.state import DecoderState


class CausalConv1d(nn.Conv1d):
    def __init__(
        self,
        channels_in: int,
        channels_out: int,
        kernel: int,
        *,
        dilation: int = 1,
        groups: int = 1,
    ):
        super().__init__(channels_in, channels_out, kernel, dilation=dilation, groups=groups)
        self.context = (kernel - 1) * dilation
        self.slot = -1

    def forward(self, x: Tensor, state: DecoderState) -> Tensor:
        return super().forward(extend(x, state.tails[self.slot]))


class CausalConvTranspose1d(nn.ConvTranspose1d):
    """Upsampling by `stride`; an output depends on the last ceil(kernel / stride) inputs."""

    def __init__(self, channels_in: int, channels_out: int, kernel: int, stride: int):
        super().__init__(channels_in, channels_out, kernel, stride)
        self.context = math.ceil(kernel / stride) - 1
        self.slot = -1

    def forward(self, x: Tensor, state: DecoderState) -> Tensor:
        steps, stride = x.shape[-1], self.stride[0]
        y = super().forward(extend(x, state.tails[self.slot]))
        return y.narrow(-1, self.context * stride, steps * stride)


def extend(x: Tensor, tail: Tensor) -> Tensor:
    """Put the remembered inputs in front of `x` and remember the new last ones."""
    x = torch.cat([tail, x], dim=-1)
    tail.copy_(x[..., x.shape[-1] - tail.shape[-1] :])
    return x
