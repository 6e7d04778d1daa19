"""Rows of weights as small whole numbers and scales, and back.

int8: one scale an output, numbers -127..127. int4: one scale for `GROUP` inputs of an output,
numbers -8..7; scales are rounded to bfloat16, in which they are kept.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F

Format = Literal["int8", "int4"]
FORMATS: tuple[Format, ...] = ("int8", "int4")
GROUP = 32
TINY = 1e-20  # stands for the scale of a row of zeros
ROUNDS = 3  # of finding numbers for a scale, then the best scale for the numbers


@dataclass(frozen=True)
class Rows:
    """W [N, K] = values * scales. scales: float32, [N] for int8, [N, ceil(K / 32)] for int4."""

    format: Format
    values: Tensor  # int8 [N, K]
    scales: Tensor

    @staticmethod
    def of(weight: Tensor, format: Format) -> "Rows":
        """Round weights [N, K] of any float type."""
        return (_int8 if format == "int8" else _int4)(weight)

    def floats(self) -> Tensor:
        """The weights these numbers stand for, float32 [N, K]."""
        if self.format == "int8":
            return self.values.float() * self.scales[:, None]
        K = self.values.shape[1]
        return self.values.float() * self.scales.repeat_interleave(GROUP, dim=1)[:, :K]

    @property
    def num_bytes(self) -> int:
        """Memory of the weights as kernels read them."""
        N, K = self.values.shape
        return N * K + 4 * N if self.format == "int8" else N * K // 2 + 2 * self.scales.numel()


def _int8(weight: Tensor) -> Rows:
    w = weight.float()
    scales = w.abs().amax(dim=1).clamp(min=TINY) / 127
    values = (w / scales[:, None]).round_().clamp_(-127, 127)
    return Rows("int8", values.to(torch.int8), scales)


def _int4(weight: Tensor) -> Rows:
    """The number furthest from zero becomes -8; then numbers and scale are fitted in turn, which
    lowers the squared error (by a fifth on normal weights)."""
    N, K = weight.shape
    groups = F.pad(weight.float(), (0, -K % GROUP)).view(N, -1, GROUP)
    peak = groups.gather(2, groups.abs().argmax(dim=2, keepdim=True))
    scales = peak / -8
    for _ in range(ROUNDS):
        values = _near(groups, scales)
        products = (groups * values).sum(dim=2, keepdim=True)
        squares = values.square().sum(dim=2, keepdim=True)
        scales = torch.where(squares > 0, products / squares, scales)
    scales = scales.bfloat16().float()
    values = _near(groups, scales).view(N, -1)[:, :K]
    return Rows("int4", values.to(torch.int8).contiguous(), scales[..., 0])


def _near(groups: Tensor, scales: Tensor) -> Tensor:
    safe = torch.where(scales.abs() < TINY, TINY, scales)
    return (groups / safe).round_().clamp_(-8, 7)
