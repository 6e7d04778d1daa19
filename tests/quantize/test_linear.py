"""A rounded layer computes what a plain one does with the weights that its numbers stand for."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F

from qwen3_tts.quantize.linear import QuantizedLinear, rows_of
from qwen3_tts.quantize.rows import FORMATS, Format, Rows


def linear(inputs: int, outputs: int, bias: bool) -> nn.Linear:
    torch.manual_seed(inputs)
    return nn.Linear(inputs, outputs, bias=bias).requires_grad_(False)


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("bias", [False, True], ids=["plain", "bias"])
@pytest.mark.parametrize("inputs", [64, 33, 1])
def test_it_is_a_layer_of_the_rounded_weights(format: Format, bias: bool, inputs: int) -> None:
    layer = linear(inputs, 48, bias)
    rounded = QuantizedLinear.of(layer, format)
    x = torch.randn(2, 3, inputs, dtype=torch.float64)
    weight = Rows.of(layer.weight, format).floats().double()
    expected = F.linear(x, weight, layer.bias.double() if bias else None)
    # A weight is a product of number and scale: `floats` rounds it to 24 bits, int8 does not.
    most = (x.abs() @ weight.abs().T).max() * 2**-24
    assert (rounded(x) - expected).abs().max() <= most


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_it_answers_in_the_type_it_is_asked_in(format: Format, dtype: torch.dtype) -> None:
    layer = linear(64, 48, bias=True)
    x = torch.randn(3, 64)
    rounded = QuantizedLinear.of(layer, format)
    y = rounded(x.to(dtype))
    assert y.dtype == dtype
    # bfloat16 keeps 8 bits of inputs, weights and result
    most = (x.abs() @ layer.weight.abs().T).max() * (2**-6 if dtype == torch.bfloat16 else 2**-20)
    assert (y.float() - rounded(x)).abs().max() <= most


@pytest.mark.parametrize("inputs", [64, 33])
def test_it_holds_small_numbers_alone(inputs: int) -> None:
    layer = linear(inputs, 48, bias=False)
    groups = -(-inputs // 32)
    held = {
        format: {name: (t.dtype, *t.shape) for name, t in made.state_dict().items()}
        for format in FORMATS
        for made in [QuantizedLinear.of(layer, format)]
    }
    assert held == {
        "int8": {"values": (torch.int8, 48, inputs), "scales": (torch.float32, 48)},
        "int4": {
            "values": (torch.uint8, 48, (inputs + 1) // 2),
            "scales": (torch.bfloat16, 48, groups),
        },
    }
    assert not list(QuantizedLinear.of(layer, "int8").parameters())


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("inputs", [64, 33])
def test_its_rows_are_those_it_was_made_of(format: Format, inputs: int) -> None:
    layer = linear(inputs, 48, bias=True)
    made, expected = rows_of(QuantizedLinear.of(layer, format)), Rows.of(layer.weight, format)
    assert isinstance(made, Rows)
    assert made.format == format
    assert torch.equal(made.values, expected.values)
    assert torch.equal(made.scales, expected.scales)
    plain = rows_of(layer)
    assert torch.equal(plain, layer.weight)


@pytest.mark.parametrize("inputs", [64, 32])
@pytest.mark.parametrize("format", FORMATS)
def test_bytes_are_those_that_rows_count(format: Format, inputs: int) -> None:
    made = QuantizedLinear.of(linear(inputs, 48, bias=False), format)
    assert made.rows.num_bytes == made.values.nbytes + made.scales.nbytes


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("inputs", [64, 33])
def test_a_blank_one_has_the_same_shape(format: Format, inputs: int) -> None:
    layer = linear(inputs, 48, bias=True)
    made, blank = QuantizedLinear.of(layer, format), QuantizedLinear.blank(layer, format)
    assert (blank.in_features, blank.out_features) == (inputs, 48)
    for name, tensor in made.state_dict().items():
        other = blank.state_dict()[name]
        assert (other.shape, other.dtype) == (tensor.shape, tensor.dtype)
