"""Time stretching: as long as asked, as high as before, the same however it was cut."""

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_tts.audio.speed import MAX_SPEED, MIN_SPEED, TimeStretch
from qwen3_tts.errors import InvalidAudio, InvalidRequest
from tests.refusal import refused

RATE = 24_000
SPEEDS = (0.25, 0.5, 0.9, 1.1, 1.5, 2.0, 3.0, 4.0)


def sine(num_samples: int = RATE, hz: float = 220.0) -> np.ndarray:
    return (0.5 * np.sin(2 * np.pi * hz * np.arange(num_samples) / RATE)).astype(np.float32)


def noise(num_samples: int = RATE) -> np.ndarray:
    return (0.1 * np.random.default_rng(6).standard_normal(num_samples)).astype(np.float32)


def voice(num_samples: int = RATE) -> np.ndarray:
    """Pulses at 100..150 Hz through a resonance: a vowel that rises."""
    t = np.arange(max(600, num_samples)) / RATE
    turns = np.floor(100 * t + 25 * t**2)
    pulses = np.diff(turns, prepend=0.0)
    ring = np.exp(-300 * t[:600]) * np.sin(2 * np.pi * 700 * t[:600])
    return np.convolve(pulses, ring)[:num_samples].astype(np.float32)


def stretched(wave: np.ndarray, speed: float, sizes: list[int] | None = None) -> np.ndarray:
    stretch = TimeStretch(RATE, speed)
    pieces = np.split(wave, np.minimum(np.cumsum(sizes or [1_920] * 99), len(wave)))
    return np.concatenate([*(stretch.push(piece) for piece in pieces), stretch.finish()])


@pytest.mark.parametrize("speed", [*SPEEDS, 1.0, 1, 0.7071, 3.999])
@pytest.mark.parametrize("num_samples", [0, 1, 100, 359, 360, 721, 5_000, 24_017])
def test_the_length_is_exact(speed: float, num_samples: int) -> None:
    got = stretched(voice(num_samples), speed)
    assert len(got) == round(num_samples / speed)
    assert got.dtype == np.float32


@pytest.mark.parametrize("speed", SPEEDS)
def test_the_pitch_stays(speed: float) -> None:
    got = stretched(sine(), speed)
    bin_hz = RATE / len(got)
    spectrum = np.abs(np.fft.rfft(got * np.hanning(len(got)), 8 * len(got)))
    # Also within 2 cents: places are whole samples, which shifts a sine by 1.7 at most (speed 2).
    peak_hz = spectrum.argmax() * bin_hz / 8
    assert abs(peak_hz - 220) <= min(bin_hz, 220 * (2 ** (2 / 1_200) - 1))


@pytest.mark.parametrize("speed", SPEEDS)
def test_a_sine_stays_a_sine(speed: float) -> None:
    """No clicks: -40 dB of distortion would be heard, a hard joint gives -20; measured -51."""
    got = stretched(sine(), speed)[1_200:-1_200]
    power = np.abs(np.fft.rfft(got * np.hanning(len(got)))) ** 2
    peak = int(power.argmax())
    assert power[max(0, peak - 8) : peak + 9].sum() > (1 - 1e-4) * power.sum()
    assert np.abs(np.diff(got)).max() < 1.2 * np.abs(np.diff(sine())).max()


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("wave", [sine(), noise(), voice()], ids=["sine", "noise", "voice"])
def test_it_stays_as_loud(speed: float, wave: np.ndarray) -> None:
    """Also noise, which a plain cross-fade would make hoarse: 3 dB softer in every joint."""
    got = stretched(wave, speed)
    assert 20 * abs(np.log10(got.std() / wave.std())) < 0.5
    assert np.abs(got).max() < 1.25 * np.abs(wave).max()


@pytest.mark.parametrize("speed", SPEEDS)
def test_content_stays_where_it_belongs(speed: float) -> None:
    """Bursts begin and end at their times divided by the speed, within a hop and the reach."""
    wave = 0.001 * noise()
    starts = (2_400, 12_000, 19_200)
    for start in starts:
        wave[start : start + 2_400] += sine(2_400, 500.0)
    loud = np.flatnonzero(np.abs(stretched(wave, speed)) > 0.05)
    slack = 360 + (360 + 192) / speed
    for start in starts:
        middle = (start + 1_200) / speed
        burst = loud[np.abs(loud - middle) < 3_500 / speed]
        assert abs(burst[0] - start / speed) < slack
        assert abs(burst[-1] - (start + 2_400) / speed) < slack


@pytest.mark.parametrize("speed", SPEEDS)
@pytest.mark.parametrize("sizes", [[24_000], [777] * 31, [1, 0] * 3_000, [5_000, 1, 1]])
def test_pieces_do_not_matter(speed: float, sizes: list[int]) -> None:
    """Bit for bit: a hop is found from the same samples, whenever they come."""
    for wave in (voice(7_001), noise(7_001)):
        np.testing.assert_array_equal(stretched(wave, speed, sizes), stretched(wave, speed))


@settings(max_examples=25, deadline=None)
@given(
    speed=st.floats(MIN_SPEED, MAX_SPEED),
    sizes=st.lists(st.integers(0, 3_000), min_size=1, max_size=8),
    num_samples=st.integers(0, 6_000),
)
def test_any_pieces_at_any_speed(speed: float, sizes: list[int], num_samples: int) -> None:
    wave = voice(num_samples)
    got = stretched(wave, speed, sizes)
    assert len(got) == round(num_samples / speed)
    np.testing.assert_array_equal(got, stretched(wave, speed))


@pytest.mark.parametrize("speed", [1, 1.0])
def test_speed_one_gives_back_what_it_is_given(speed: float) -> None:
    stretch, wave = TimeStretch(RATE, speed), noise(1_000)
    assert stretch.push(wave) is wave
    assert len(stretch.finish()) == 0


@pytest.mark.parametrize("speed", SPEEDS)
def test_the_output_is_hardly_behind(speed: float) -> None:
    """35 ms at most, of input below speed 1 and of output above; and never ahead."""
    stretch, given, got = TimeStretch(RATE, speed), 0, 0
    behind = []
    for piece in np.split(noise(), 1_000):  # 1 ms each
        given += len(piece)
        got += len(stretch.push(piece))
        assert got <= round(given / speed)
        behind.append((given - got * speed) / RATE / max(1, speed))
    assert max(behind) < 0.035
    assert got > 0


def test_silence_and_its_end() -> None:
    wave = np.concatenate([np.zeros(5_000, np.float32), sine(5_000), np.zeros(5_000, np.float32)])
    for speed in SPEEDS:
        got = stretched(wave, speed)
        edge = round(5_000 / speed - 2 * 360 - (360 + 192) / speed)  # hop and fade; hop and reach
        assert not got[:edge].any()
        assert not got[-edge:].any()
        assert np.isfinite(got).all()


def test_slow_speech_is_not_faded_away_at_its_end() -> None:
    got = stretched(sine(), 0.25)
    assert np.sqrt(np.mean(got[-480:] ** 2)) > 0.2  # a sine's is 0.35; 20 ms


def test_the_end_comes_once() -> None:
    stretch = TimeStretch(RATE, 2.0)
    assert len(stretch.push(sine(1_000))) + len(stretch.finish()) == 500
    assert len(stretch.finish()) == 0


@pytest.mark.parametrize("rate", [8_000, 16_000, 48_000])
def test_other_rates(rate: int) -> None:
    stretch = TimeStretch(rate, 1.5)
    t = np.arange(rate) / rate
    wave = np.sin(2 * np.pi * 220 * t).astype(np.float32)
    got = np.concatenate([stretch.push(wave), stretch.finish()])
    assert len(got) == round(rate / 1.5)
    spectrum = np.abs(np.fft.rfft(got * np.hanning(len(got))))
    assert abs(spectrum.argmax() * rate / len(got) - 220) <= rate / len(got)


@pytest.mark.parametrize("speed", [0.2499, 4.01, 0, -1, math.nan, math.inf, "2", None])
def test_speeds_out_of_range_are_refused(speed: Any) -> None:
    with refused(InvalidRequest, f"speed `{speed}`", "0.25..4"):
        TimeStretch(RATE, speed)


def test_other_mistakes_are_refused() -> None:
    with refused(InvalidAudio, "sample rate `0`"):
        TimeStretch(0, 2.0)
    for speed in (1.0, 2.0):
        with refused(InvalidAudio, "a wave is a float array [N]"):
            TimeStretch(RATE, speed).push(noise(4).reshape(2, 2))
