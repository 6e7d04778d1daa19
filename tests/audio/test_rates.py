"""Streaming resampling: the pieces are those of the whole wave, and there are as many samples."""

import sys
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_tts.audio.files import resample
from qwen3_tts.audio.rates import Resampler
from qwen3_tts.errors import InvalidAudio, MissingPackage
from tests.refusal import refused

PAIRS = [
    (24_000, 8_000), (24_000, 16_000), (24_000, 22_050), (24_000, 44_100), (24_000, 48_000),
    (22_050, 24_000), (16_000, 24_000), (44_100, 24_000),
]  # fmt: skip


def noise(num_samples: int) -> np.ndarray:
    return np.random.default_rng(5).uniform(-0.9, 0.9, num_samples).astype(np.float32)


def in_pieces(wave: np.ndarray, sizes: list[int], *rates: int) -> np.ndarray:
    resampler = Resampler(*rates)
    pieces = np.split(wave, np.minimum(np.cumsum(sizes), len(wave)))
    return np.concatenate([*(resampler.push(piece) for piece in pieces), resampler.finish()])


@pytest.mark.parametrize("rates", PAIRS)
@pytest.mark.parametrize("num_samples", [0, 1, 5, 147, 1_920, 20_001])
def test_pieces_are_those_of_the_whole(rates: tuple[int, int], num_samples: int) -> None:
    """Bit for bit: soxr runs the same filter over the same samples."""
    wave = noise(num_samples)
    for sizes in ([], [777] * 30, [1, 0, 2] * 400):
        np.testing.assert_array_equal(in_pieces(wave, sizes, *rates), resample(wave, *rates))


@settings(max_examples=20, deadline=None)
@given(rates=st.sampled_from(PAIRS), sizes=st.lists(st.integers(0, 3_000), max_size=10))
def test_any_pieces_are_those_of_the_whole(rates: tuple[int, int], sizes: list[int]) -> None:
    wave = noise(8_001)
    np.testing.assert_array_equal(in_pieces(wave, sizes, *rates), resample(wave, *rates))


def test_equal_rates_give_back_what_they_are_given() -> None:
    resampler, wave = Resampler(24_000, 24_000), noise(100)
    assert resampler.push(wave) is wave
    assert len(resampler.finish()) == 0


@pytest.mark.parametrize("rates", PAIRS)
def test_little_is_held_back(rates: tuple[int, int]) -> None:
    resampler, got = Resampler(*rates), 0
    for index, piece in enumerate(np.split(noise(9_600), 20), 1):
        got += len(resampler.push(piece))
        behind_s = index * 480 / rates[0] - got / rates[1]
        # measured: 905 samples of the lower rate in a piece or still to come, 75 ms at 8,000 Hz
        assert behind_s < 950 / min(*rates, 24_000)


def test_the_end_comes_once_and_its_type_is_float32() -> None:
    resampler = Resampler(24_000, 16_000)
    got = resampler.push(noise(480).astype(np.float64))
    assert got.dtype == np.float32
    assert len(got) + len(resampler.finish()) == 320
    assert resampler.finish().dtype == np.float32
    assert len(resampler.finish()) == 0


@pytest.mark.parametrize("rates", [(0, 24_000), (24_000, 10**6), (24_000.0, 16_000)])
def test_rates_out_of_range_are_refused(rates: tuple[Any, Any]) -> None:
    with refused(InvalidAudio, "sample rate", "1000..768000"):
        Resampler(*rates)


@pytest.mark.parametrize("rates", [(24_000, 24_000), (24_000, 16_000)])
def test_only_a_wave_is_taken(rates: tuple[int, int]) -> None:
    for bad in (noise(4).reshape(2, 2), np.zeros(4, np.int16)):
        with refused(InvalidAudio, "a wave is a float array [N]"):
            Resampler(*rates).push(bad)


def test_without_soxr_equal_rates_work(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "soxr", None)
    assert len(Resampler(24_000, 24_000).push(noise(5))) == 5
    with refused(MissingPackage, "pip install soxr"):
        Resampler(24_000, 16_000)
