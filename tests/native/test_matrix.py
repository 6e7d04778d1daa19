"""Products of packed matrices against the same products in float64."""

import ctypes
import itertools

import pytest
import torch
from torch import Tensor, nn

from qwen3_tts.native import packing
from qwen3_tts.native.library import Pool
from qwen3_tts.native.packing import Arena, Packer
from qwen3_tts.native.structs import Matrix, functions
from qwen3_tts.quantize.linear import QuantizedLinear
from qwen3_tts.quantize.rows import Format, Rows

FORMATS: list[Format | None] = ["int8", "int4", None]
# An activation is a 16-bit integer times a scale: half a step of 1/32512 of the row's largest. For
# bfloat16 weights it is two bfloat16 numbers, of 16 bits together.
STEP = 2**-15


def packed(weight: Tensor, format: Format | None) -> tuple[Matrix, Arena, Tensor]:
    """The matrix, its memory, and the weights it stands for in float64."""
    layer = nn.Linear(weight.shape[1], weight.shape[0], bias=False)
    layer.weight = nn.Parameter(weight, requires_grad=False)
    exact = weight.bfloat16() if format is None else QuantizedLinear.of(layer, format).rows.floats()
    packer = Packer()
    matrix = packer.add([layer], format)
    return matrix, packer.pack(2), exact.double()


def product(pool: Pool, matrix: Matrix, x: Tensor, threads: int = 2) -> Tensor:
    y = torch.full((len(x), matrix.n), torch.nan)
    result = functions().matrix_multiply(
        pool.handle, threads, ctypes.byref(matrix), x.data_ptr(), len(x), y.data_ptr()
    )
    assert result == 0
    return y


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize(("outputs", "inputs"), [(16, 32), (48, 64), (37, 50), (5, 7), (160, 256)])
def test_a_product_is_that_of_the_rounded_weights(
    pool: Pool, format: Format | None, outputs: int, inputs: int
) -> None:
    torch.manual_seed(outputs * inputs)
    matrix, _arena, exact = packed(torch.randn(outputs, inputs), format)
    for rows in (1, 2, 3, 4, 7, 8, 9, 17):
        x = torch.randn(rows, inputs)
        expected = x.double() @ exact.T
        # errors of the inputs' halves of a step, all of one sign at worst
        bound = STEP * x.abs().amax(1, keepdim=True) * exact.abs().sum(1)
        assert ((product(pool, matrix, x) - expected).abs() <= bound + 1e-5).all()


@pytest.mark.parametrize("format", FORMATS)
def test_a_row_feels_neither_neighbours_nor_threads(pool: Pool, format: Format | None) -> None:
    torch.manual_seed(1)
    matrix, _arena, _ = packed(torch.randn(80, 96), format)
    x = torch.randn(19, 96)
    alone = torch.cat([product(pool, matrix, row[None]) for row in x])
    for rows, threads in itertools.product((2, 5, 8, 19), (1, 2)):
        assert torch.equal(product(pool, matrix, x[:rows], threads), alone[:rows])


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("size", [0.0, 1e-35, 1e-12, 1e12])
def test_any_size_of_activation_is_taken(pool: Pool, format: Format | None, size: float) -> None:
    torch.manual_seed(2)
    matrix, _arena, exact = packed(torch.randn(32, 64), format)
    x = torch.randn(2, 64) * size
    error = (product(pool, matrix, x) - x.double() @ exact.T).abs()
    # products below 1e-30 count as nothing
    assert (error <= STEP * x.abs().max() * exact.abs().sum(1) + 1e-28).all()


def test_the_largest_sums_do_not_overflow(pool: Pool) -> None:
    """All weights and activations at their bounds, over the widest published layer."""
    weight = torch.ones(16, 6144)
    matrix, _arena, exact = packed(weight, "int8")
    for x in (torch.ones(1, 6144), -torch.ones(1, 6144)):
        torch.testing.assert_close(product(pool, matrix, x).double(), x.double() @ exact.T)


def test_layers_are_joined_one_below_the_other_or_in_turns(pool: Pool) -> None:
    torch.manual_seed(3)
    layers = [nn.Linear(32, 32, bias=False).requires_grad_(False) for _ in range(2)]
    weights = [layer.weight.detach().bfloat16().double() for layer in layers]
    packer = Packer()
    below = packer.add(layers, None)
    arena = packer.pack(1)
    x = torch.randn(1, 32)
    expected = torch.cat([x.double() @ w.T for w in weights], dim=1)
    torch.testing.assert_close(product(pool, below, x).double(), expected, rtol=0, atol=1e-4)
    assert arena.used <= arena.size

    layers = [nn.Linear(32, 32, bias=False).requires_grad_(False) for _ in range(2)]
    weights = [layer.weight.detach().bfloat16().double() for layer in layers]
    packer = Packer()
    turns = packer.add(layers, None, alternate=True)
    _arena = packer.pack(1)
    first, second = (x.double() @ w.T for w in weights)
    expected = torch.cat([first[:, :16], second[:, :16], first[:, 16:], second[:, 16:]], dim=1)
    torch.testing.assert_close(product(pool, turns, x).double(), expected, rtol=0, atol=1e-4)


def test_packed_layers_give_their_weights_away(pool: Pool) -> None:
    layer = nn.Linear(32, 16, bias=False)
    packer = Packer()
    packer.add([layer], "int8")
    packer.pack(1)
    assert not list(layer.parameters())


def test_rounding_is_that_of_torch(pool: Pool) -> None:
    """Ties, zeros and odd widths too: to the bit."""
    torch.manual_seed(4)
    for outputs, inputs in ((8, 64), (3, 37), (1, 1)):
        weight = torch.randn(outputs, inputs).bfloat16()
        weight[0] = (torch.arange(inputs) - inputs // 2) / 2  # halves of a step
        weight[-1] *= 1e-3
        ours, theirs = packing._rounded(weight), Rows.of(weight, "int8")
        assert torch.equal(ours.values, theirs.values)
        assert torch.equal(ours.scales, theirs.scales)
    zeros = packing._rounded(torch.zeros(2, 32, dtype=torch.bfloat16))
    assert not zeros.values.any()
