"""A linear layer whose weights are whole numbers, in plain torch.

It takes the memory of small weights but not their speed: the numbers become floats in every call.
Processors with kernels (`qwen3_tts.native`) compute from the numbers themselves.
"""

from torch import Tensor, nn
from torch.nn import functional as F

from qwen3_tts.quantize.rows import Format, Rows


class QuantizedLinear(nn.Module):
    """y = W x + b, with W rounded. Made from an `nn.Linear`, or from rows read from a file."""

    values: Tensor
    scales: Tensor
    bias: Tensor | None

    def __init__(self, rows: Rows, bias: Tensor | None):
        super().__init__()
        self.format: Format = rows.format
        self.out_features, self.in_features = rows.values.shape
        self.register_buffer("values", rows.values)
        self.register_buffer("scales", rows.scales)
        self.register_buffer("bias", bias)

    @staticmethod
    def of(linear: nn.Linear, format: Format) -> "QuantizedLinear":
        return QuantizedLinear(Rows.of(linear.weight, format), linear.bias)

    @property
    def rows(self) -> Rows:
        return Rows(self.format, self.values, self.scales)

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
