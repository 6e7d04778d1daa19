"""Limiting: never over the ceiling, nothing changed under it, the same however it was cut."""

import math
from typing import Any

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_tts.audio.limiter import Limiter
from qwen3_tts.errors import InvalidAudio, InvalidRequest
from tests.audio.conftest import Spoken
from tests.refusal import refused

RATE = 24_000
CEILING = np.float32(10 ** (-1 / 20))


def limited(
    wave: np.ndarray, sizes: list[int] | None = None, rate: int = RATE, ceiling_db: float = -1.0
) -> np.ndarray:
    limiter = Limiter(rate, ceiling_db)
    pieces = np.split(wave, np.minimum(np.cumsum(sizes or [1_920] * 200), len(wave)))
    return np.concatenate([*(limiter.push(piece) for piece in pieces), limiter.end()])


def true_peak_db(wave: np.ndarray, rate: int = RATE) -> float:
    """Oversampled 16 times, by another filter than the limiter's."""
    return 20 * math.log10(
        np.abs(soxr.resample(wave.astype(np.float64), rate, 16 * rate, quality="VHQ")).max()
    )


def bursts(num_samples: int, level: float = 3.0, seed: int = 5) -> np.ndarray:
    """Soft noise with loud moments in it."""
    rng = np.random.default_rng(seed)
    wave = 0.05 * rng.standard_normal(num_samples)
    for start in range(500, num_samples, 2_600):
        wave[start : start + 40] *= 20 * level
    return wave.astype(np.float32)


def at_peak(wave: np.ndarray, level: float) -> np.ndarray:
    return wave * np.float32(level / np.abs(wave).max())


@pytest.mark.parametrize("over", [1.0, 1.5, 2.0])
def test_speech_stays_under_the_ceiling(over: float, spoken: list[Spoken]) -> None:
    """Also between the samples; -1 dB of full scale may be passed by a tenth of a tenth there."""
    for speech in spoken:
        got = limited(at_peak(speech.wave, over))
        assert len(got) == len(speech.wave)
        assert np.abs(got).max() <= CEILING
        assert true_peak_db(got) <= -0.99


@pytest.mark.parametrize("rate", [1_000, 8_000, 16_000, 44_100, 48_000])
@pytest.mark.parametrize("ceiling_db", [-12.0, -1, 0])
def test_no_sample_passes_any_ceiling_at_any_rate(rate: int, ceiling_db: float) -> None:
    got = limited(bursts(6_000), rate=rate, ceiling_db=ceiling_db)
    assert np.abs(got).max() <= np.float32(10 ** (ceiling_db / 20))
    assert len(got) == 6_000


def test_a_peak_between_two_samples_is_seen() -> None:
    """A sine at a quarter of the rate, sampled 45 degrees off its peaks: 3 dB over its samples."""
    sine = np.sin(2 * np.pi * np.arange(RATE) / 4 + np.pi / 4).astype(np.float32)
    assert np.abs(sine).max() < 0.71
    inner = limited(sine)[2_000:-2_000]
    # it is the same sine again, and the peak of a sine is known from its power
    peak = math.sqrt(2 * float(np.mean(inner.astype(np.float64) ** 2)))
    assert 20 * math.log10(peak) == pytest.approx(-1.1, abs=0.02)  # 0.1 is kept in hand


@pytest.mark.parametrize("peak", [0.0, 0.01, 0.5])
def test_soft_sound_is_given_back_bit_for_bit(peak: float, clean: Spoken) -> None:
    wave = clean.wave * np.float32(peak / np.abs(clean.wave).max())
    got = limited(wave)
    assert got.dtype == np.float32
    assert got.tobytes() == wave.tobytes()


def test_just_under_the_ceiling_nothing_is_changed(clean: Spoken) -> None:
    """Speech whose highest place between samples is a thousandth of a dB under it."""
    wave = at_peak(clean.wave, 1.0)
    wave = wave * np.float32(10 ** ((-1.001 - max(0.0, true_peak_db(wave))) / 20))
    assert limited(wave).tobytes() == wave.tobytes()
    assert limited(wave * np.float32(1.01)).tobytes() != (wave * np.float32(1.01)).tobytes()


def test_what_is_far_from_a_peak_is_not_touched() -> None:
    wave = bursts(12_000)
    wave[3_000:] = 0.1 * np.sign(wave[3_000:])
    got = limited(wave)
    # the last loud moment ends before 3,140; 5 ms to look ahead, 30 to hold, 5 to let go: 1,000
    assert got[4_300:].tobytes() == wave[4_300:].tobytes()
    assert got[:300].tobytes() == wave[:300].tobytes()


def test_the_gain_moves_without_a_click() -> None:
    """Over a constant the gain can be read off: it falls and rises in steps too small to hear."""
    wave = np.full(RATE, 0.5, np.float32)
    wave[12_000:12_010] = 4.0
    gain = limited(wave) / wave
    assert gain.min() == pytest.approx(CEILING / 4, rel=0.15)  # a square passes between its samples
    away = np.delete(gain, slice(11_999, 12_011))
    steps = np.abs(np.diff(away))
    # a fall by 0.8 in 127 samples along a triangle is at most twice the mean slope
    assert steps.max() < 2.5 * 0.8 / 127
    assert gain[-1] == gain[0] == 1


def test_a_low_tone_is_turned_down_and_not_bent() -> None:
    tone = (2 * np.sin(2 * np.pi * 80 * np.arange(2 * RATE) / RATE)).astype(np.float32)
    inner = limited(tone)[RATE // 2 : -RATE // 2]
    power = np.abs(np.fft.rfft(inner * np.hanning(len(inner)))) ** 2
    peak = int(power.argmax())
    rest = power.sum() - power[peak - 8 : peak + 9].sum()
    assert rest < 1e-8 * power.sum()  # the hold is longer than its period: measured 5e-12


@pytest.mark.parametrize("sizes", [[4_001], [1, 0] * 4_001, [777] * 31, [3_000, 1, 1, 0, 9]])
def test_pieces_do_not_matter(sizes: list[int]) -> None:
    for wave in (bursts(4_001), 0.1 * bursts(4_001)):
        assert limited(wave, sizes).tobytes() == limited(wave, [99_999]).tobytes()


@settings(max_examples=30, deadline=None)
@given(
    sizes=st.lists(st.integers(0, 3_000), min_size=1, max_size=8),
    num_samples=st.integers(0, 6_000),
    level=st.floats(0, 40),
    seed=st.integers(0, 99),
)
def test_any_pieces_of_anything(
    sizes: list[int], num_samples: int, level: float, seed: int
) -> None:
    wave = bursts(num_samples, level, seed)
    got = limited(wave, sizes)
    assert got.tobytes() == limited(wave, [99_999]).tobytes()
    assert len(got) == num_samples
    assert num_samples == 0 or np.abs(got).max() <= CEILING


def test_the_output_is_behind_by_its_latency() -> None:
    limiter, given, got = Limiter(RATE), 0, 0
    assert limiter.latency <= 0.006 * RATE
    for piece in np.split(bursts(24_000), 100):
        given += len(piece)
        got += len(limiter.push(piece))
        assert got == max(0, given - limiter.latency)
    assert len(limiter.end()) == limiter.latency
    assert len(limiter.end()) == 0


def test_what_is_given_out_may_be_changed() -> None:
    """It is no view of the past that decides what comes next."""
    wave = bursts(9_600, level=0.01)
    wave[4_900] = 3.0
    limiter, kept = Limiter(RATE), []
    for piece in np.split(wave, 10):
        out = limiter.push(piece.copy())
        kept.append(out.copy())
        out[:] = 9.0
    kept.append(limiter.end())
    assert np.concatenate(kept).tobytes() == limited(wave).tobytes()


@pytest.mark.parametrize("ceiling", [0.1, -40.1, math.nan, math.inf, "-1", None])
def test_ceilings_out_of_range_are_refused(ceiling: Any) -> None:
    with refused(InvalidRequest, f"ceiling `{ceiling}` dB", "-40..0"):
        Limiter(RATE, ceiling)


def test_other_mistakes_are_refused() -> None:
    with refused(InvalidAudio, "sample rate `0`"):
        Limiter(0)
    with refused(InvalidAudio, "a wave is a float array [N]"):
        Limiter(RATE).push(bursts(4).reshape(2, 2))
    with refused(InvalidAudio, "1 NaN or infinite samples of 3"):
        Limiter(RATE).push(np.float32([0, math.nan, 0]))
