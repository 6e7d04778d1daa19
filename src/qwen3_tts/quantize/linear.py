"""A linear layer whose weights are whole numbers, in plain torch.

It takes the memory of small weights but not their speed: the numbers become floats in every call.
Processors with kernels (`qwen3_tts.native`) compute from the numbers themselves.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from qwen3_tts.quantize.rows import GROUP, Format, Rows, join_pairs, split_pairs


class QuantizedLinear(nn.Module):
    """y = W x + b, with W rounded. What it holds is what a file of rounded weights holds.

    `values` is int8 [N, K], or uint8 [N, ceil(K / 2)] with two four-bit numbers in each (see
    `join_pairs`); `scales` is float32 [N], or bfloat16 [N, ceil(K / 32)] for four bits.
    """

    values: Tensor
    scales: Tensor
    bias: Tensor | None

    def __init__(
        self, format: Format, in_features: int, values: Tensor, scales: Tensor, bias: Tensor | None
    ):
        super().__init__()
        self.format: Format = format
        self.in_features, self.out_features = in_features, len(values)
        self.register_buffer("values", values)
        self.register_buffer("scales", scales)
        self.register_buffer("bias", bias)

    @staticmethod
    def of(linear: nn.Linear, format: Format) -> "QuantizedLinear":
        rows = Rows.of(linear.weight, format)
        values, scales = rows.values, rows.scales
        if format == "int4":
            values, scales = join_pairs(values), scales.bfloat16()
        return QuantizedLinear(format, linear.in_features, values, scales, linear.bias)

    @staticmethod
    def blank(linear: nn.Linear, format: Format) -> "QuantizedLinear":
        """A layer of this shape whose numbers are yet to come."""
        N, K = linear.out_features, linear.in_features
        new = linear.weight.new_empty
        if format == "int8":
            values, scales = new((N, K), dtype=torch.int8), new(N, dtype=torch.float32)
        else:
            values = new((N, -(-K // 2)), dtype=torch.uint8)
            scales = new((N, -(-K // GROUP)), dtype=torch.bfloat16)
        return QuantizedLinear(format, K, values, scales, linear.bias)

    @property
    def rows(self) -> Rows:
        values = self.values
        if self.format == "int4":
            values = split_pairs(values)[:, : self.in_features]
        return Rows(self.format, values, self.scales.float())

    def forward(self, x: Tensor) -> Tensor:
        bias = None if self.bias is None else self.bias.to(x.dtype)
        if self.format == "int8":
            y = F.linear(x, self.values.to(x.dtype)) * self.scales.to(x.dtype)
            return y if bias is None else y + bias
        return F.linear(x, self.rows.floats().to(x.dtype), bias)


def rows_of(layer: nn.Module) -> Rows | Tensor:
    """The weights of a layer: rounded, or the floats [N, K] of a plain one."""
    if isinstance(layer, QuantizedLinear):
        return layer.rows
    assert isinstance(layer, nn.Linear)
    return layer.weight.detach()
