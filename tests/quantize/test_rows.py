"""Rounding: how far a number can move, what is kept exactly, what odd shapes do."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from qwen3_tts.quantize.rows import FORMATS, GROUP, Format, Rows, join_pairs, split_pairs

SHAPES = [(48, 64), (16, 32), (5, 33), (3, 31), (2, 1), (1, 95)]
BF16_STEP = 2.0**-8  # a number that is rounded to bfloat16 moves by at most this share of itself


def weights(shape: tuple[int, int]) -> Tensor:
    """Normal numbers whose rows have very different sizes."""
    generator = torch.Generator().manual_seed(shape[1])
    sizes = 10.0 ** torch.linspace(-4, 1, shape[0])[:, None]
    return torch.randn(shape, generator=generator) * sizes


def groups_of(values: Tensor) -> Tensor:
    """[N, K] -> [N, ceil(K / 32), 32], zeros at the end."""
    return F.pad(values, (0, -values.shape[1] % GROUP)).unflatten(1, (-1, GROUP))


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_int8_moves_a_number_by_half_a_step_at_most(shape: tuple[int, int]) -> None:
    """Nothing is clamped: the largest number of a row is 127 steps. The division that finds the
    nearest step is itself rounded, in the 24th bit of up to 127 steps."""
    weight = weights(shape)
    rows = Rows.of(weight, "int8")
    error = (rows.floats() - weight).abs()
    assert (error <= rows.scales[:, None] * (0.5 + 127 * 2**-23)).all()
    assert (rows.values.abs().amax(dim=1) == 127).all()
    peaks = weight.abs().amax(dim=1)
    assert torch.allclose(rows.scales * 127, peaks, rtol=2**-22, atol=0)


@pytest.mark.parametrize("shape", SHAPES, ids=str)
def test_int4_is_no_further_than_plain_rounding(shape: tuple[int, int]) -> None:
    """Fitting numbers and scale in turn never adds to the squared error of a group. Keeping the
    scale in bfloat16 does: at most its share of the rounded group."""
    weight = weights(shape)
    rows = Rows.of(weight, "int4")
    groups = groups_of(weight)
    peak = groups.gather(2, groups.abs().argmax(dim=2, keepdim=True)) / -8
    plain = (groups / peak).round().clamp(-8, 7) * peak
    error, bound = ((groups_of(rows.floats()) - groups), (plain - groups))
    extra = BF16_STEP * groups_of(rows.floats()).norm(dim=2)
    assert (error.norm(dim=2) <= bound.norm(dim=2) + extra * 1.01).all()


def test_int4_gains_on_normal_numbers() -> None:
    """Over a largest number that becomes 7 or -7, and over one that becomes -8 without fitting."""
    weight = torch.randn(64, 1024, generator=torch.Generator().manual_seed(1))
    groups = groups_of(weight)
    peak = groups.gather(2, groups.abs().argmax(dim=2, keepdim=True))
    even, odd = (
        ((groups / scale).round().clamp(-8, 7) * scale - groups).square().mean()
        for scale in (peak.abs() / 7, peak / -8)
    )
    ours = (Rows.of(weight, "int4").floats() - weight).square().mean()
    assert ours < 0.8 * even
    assert ours < 0.95 * odd


def test_int4_uses_scales_that_bfloat16_holds() -> None:
    rows = Rows.of(weights((48, 64)), "int4")
    assert torch.equal(rows.scales.bfloat16().float(), rows.scales)


def test_numbers_that_are_whole_steps_stay_what_they_are() -> None:
    generator = torch.Generator().manual_seed(3)
    eight = torch.randint(-127, 128, (20, 50), generator=generator)
    eight[:, 7] = 127
    scales = torch.rand(20, generator=generator) + 0.01
    rows = Rows.of(eight * scales[:, None], "int8")
    assert torch.equal(rows.values, eight.to(torch.int8))

    four = torch.randint(-8, 8, (20, 64), generator=generator)
    four[:, ::GROUP] = -8
    scales = (torch.rand(20, 2, generator=generator) + 0.01).bfloat16().float()
    weight = four * scales.repeat_interleave(GROUP, dim=1)
    rows = Rows.of(weight, "int4")
    assert torch.equal(rows.values, four.to(torch.int8))
    assert torch.equal(rows.scales, scales)
    assert torch.equal(rows.floats(), weight)


@pytest.mark.parametrize("format", FORMATS)
def test_zeros_stay_zeros(format: Format) -> None:
    weight = weights((3, 64))
    weight[1] = 0
    weight[2, GROUP:] = 0
    rows = Rows.of(weight, format)
    assert (rows.floats()[weight == 0] == 0).all()
    assert rows.scales.isfinite().all()


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_any_float_type_is_read_as_it_is(format: Format, dtype: torch.dtype) -> None:
    weight = weights((5, 64)).to(dtype)
    ours, wide = Rows.of(weight, format), Rows.of(weight.float(), format)
    assert torch.equal(ours.values, wide.values)
    assert torch.equal(ours.scales, wide.scales)


@pytest.mark.parametrize("width", [1, 31, 33, 95])
def test_a_cut_group_is_a_group_of_its_own(width: int) -> None:
    weight = weights((4, width))
    rows = Rows.of(weight, "int4")
    assert rows.values.shape == (4, width)
    assert rows.scales.shape == (4, -(-width // GROUP))
    for index, part in enumerate(weight.split(GROUP, dim=1)):
        alone = Rows.of(part, "int4")
        assert torch.equal(rows.scales[:, index], alone.scales[:, 0])
        assert torch.equal(rows.floats().split(GROUP, dim=1)[index], alone.floats())


def test_pairs_are_two_numbers_in_a_byte() -> None:
    numbers = torch.tensor([[1, -2, 7]], dtype=torch.int8)
    assert join_pairs(numbers).tolist() == [[0xE1, 0x07]]  # even one low, two's complement
    assert split_pairs(join_pairs(numbers)).tolist() == [[1, -2, 7, 0]]


def test_every_byte_is_a_pair() -> None:
    every = torch.arange(256, dtype=torch.uint8).view(8, 32)
    numbers = split_pairs(every)
    assert (numbers.min(), numbers.max()) == (-8, 7)
    assert torch.equal(join_pairs(numbers), every)
