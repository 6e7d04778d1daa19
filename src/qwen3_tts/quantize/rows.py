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
        groups = F.pad(self.values, (0, -K % GROUP)).unflatten(1, (-1, GROUP))
        return (groups * self.scales[..., None]).flatten(1)[:, :K]

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
    """The number furthest from zero becomes -8, then numbers and scale are fitted in turn.

    On normal weights -8 lowers the squared error by 21 % against 7 or -7, fitting by 7 % more.
    """
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


def join_pairs(values: Tensor) -> Tensor:
    """Numbers -8..7 [N, K] -> uint8 [N, ceil(K / 2)]: the even one of a pair in the low four bits,
    the odd one in the high four, in two's complement. An odd K leaves the last high ones zero."""
    pairs = F.pad(values, (0, values.shape[1] % 2)).view(torch.uint8).unflatten(1, (-1, 2))
    return pairs[..., 0] & 15 | pairs[..., 1] << 4


def split_pairs(bytes: Tensor) -> Tensor:
    """What `join_pairs` joined: uint8 [N, M] -> int8 [N, 2 M]."""
    N, M = bytes.shape
    pairs = PAIRS.to(bytes.device).index_select(0, bytes.flatten().int())
    return pairs.view(torch.int8).view(N, 2 * M)


def _pairs() -> Tensor:
    every = torch.arange(256, dtype=torch.uint8).view(torch.int8)
    return torch.stack([every << 4 >> 4, every >> 4], dim=1).view(torch.int16)[:, 0]


# The two numbers of every byte, seen as one: looking them up takes a third of the time of shifts.
PAIRS = _pairs()


def _near(groups: Tensor, scales: Tensor) -> Tensor:
    safe = torch.where(scales.abs() < TINY, TINY, scales)
    return (groups / safe).round_().clamp_(-8, 7)
