"""Loudness: what the standard says of a sine, what another meter says of speech, gains that fit."""

import math
import sys
from fractions import Fraction
from typing import Any

import av
import av.filter
import numpy as np
import pytest

from qwen3_tts.audio.loudness import apply_gain, gain_db, loudness
from qwen3_tts.errors import InvalidAudio, InvalidRequest, MissingPackage
from tests.audio.conftest import Spoken
from tests.refusal import refused

RATE = 24_000


def sine(seconds: float, level: float = 0.1, rate: int = RATE, hz: float = 997.0) -> np.ndarray:
    return (level * np.sin(2 * np.pi * hz * np.arange(int(seconds * rate)) / rate)).astype("f4")


def by_ffmpeg(wave: np.ndarray, rate: int) -> float:
    """FFmpeg's own meter, which counts in steps of 100 ms."""
    graph = av.filter.Graph()
    clock = Fraction(1, rate)
    source = graph.add_abuffer(sample_rate=rate, format="flt", layout="mono", time_base=clock)
    meter, sink = graph.add("ebur128", "metadata=1"), graph.add("abuffersink")
    source.link_to(meter)
    meter.link_to(sink)
    graph.configure()
    frame = av.AudioFrame.from_ndarray(wave[None], format="flt", layout="mono")
    frame.sample_rate, frame.pts, frame.time_base = rate, 0, clock
    source.push(frame)
    source.push(None)
    measured = math.nan
    while True:
        try:
            measured = float(sink.pull().metadata.get("lavfi.r128.I", measured))
        except (av.BlockingIOError, av.EOFError):
            return measured


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 24_000, 44_100, 48_000, 96_000])
def test_a_sine_has_the_loudness_the_standard_gives_it(rate: int) -> None:
    """A sine of 997 Hz at full scale in one channel reads -3.01 LUFS; the standard allows 0.1."""
    assert loudness(sine(2, 1.0, rate), rate) == pytest.approx(-3.01, abs=0.1)
    assert loudness(sine(2, 0.1, rate), rate) == pytest.approx(-23.01, abs=0.1)


def test_a_low_rate_is_measured_too() -> None:
    """A sine of 100 Hz is filtered alike at every rate."""
    high, low = (loudness(sine(2, 0.5, rate, 100.0), rate) for rate in (RATE, 2_000))
    assert low == pytest.approx(high, abs=0.1)


def test_speech_is_as_loud_as_another_meter_says(spoken: list[Spoken]) -> None:
    for speech in spoken:
        # blocks begin at other samples, and the last ones are counted or not: measured 0.08
        assert loudness(speech.wave, speech.rate) == pytest.approx(
            by_ffmpeg(speech.wave, speech.rate), abs=0.2
        )


@pytest.mark.parametrize("seconds", [0.02, 0.1, 0.399, 0.4, 0.401, 0.55])
def test_a_short_wave_is_one_block(seconds: float) -> None:
    # within 0.5: the weighting filter needs some of 20 ms to settle
    assert loudness(sine(seconds), RATE) == pytest.approx(loudness(sine(3), RATE), abs=0.5)


def test_pauses_do_not_count(clean: Spoken) -> None:
    silence = np.zeros(3 * clean.rate, np.float32)
    longer = np.concatenate([silence, clean.wave, silence])
    # blocks half in the silence are gated or not: they are few
    assert loudness(longer, RATE) == pytest.approx(loudness(clean.wave, RATE), abs=0.3)


def test_silence_has_no_loudness_and_needs_no_gain() -> None:
    silence = np.zeros(RATE, np.float32)
    assert loudness(silence, RATE) == -math.inf
    assert loudness(silence[:300], RATE) == -math.inf
    assert gain_db(silence, RATE) == 0


@pytest.mark.parametrize("target", [-30, -23.0, -20.0, -14.0])
def test_the_gain_meets_the_target(target: float, clean: Spoken) -> None:
    louder = apply_gain(clean.wave, gain_db(clean.wave, clean.rate, target))
    # a gain moves every block alike; only the absolute gate at -70 does not move with it
    assert loudness(louder, clean.rate) == pytest.approx(target, abs=0.02)


def test_two_voices_become_equally_loud(clean: Spoken, other_voice: np.ndarray) -> None:
    """Each with its own gain, measured on other speech than it is used on."""
    voices = {"one": (clean.wave, 0.3), "other": (other_voice, 1.7)}
    heard = []
    for wave, level in voices.values():
        half = len(wave) // 2
        gain = gain_db(wave[:half] * np.float32(level), RATE)
        heard.append(loudness(apply_gain(wave[half:] * np.float32(level), gain), RATE))
    assert abs(heard[0] - heard[1]) < 1  # two halves of speech differ by a few tenths


def test_gains_have_a_limit(clean: Spoken) -> None:
    assert gain_db(clean.wave * np.float32(0.005), clean.rate) == 30
    assert gain_db(sine(1, 1.0), RATE, -60) == -30


def test_no_gain_gives_back_the_wave_itself(clean: Spoken) -> None:
    assert apply_gain(clean.wave, 0) is clean.wave
    assert apply_gain(clean.wave, 6.0).dtype == np.float32
    np.testing.assert_array_equal(
        apply_gain(clean.wave, 6.0), clean.wave * np.float32(10 ** (6 / 20))
    )


def test_only_a_minute_counts() -> None:
    """An hour costs no more than that."""
    wave = np.concatenate([sine(60, 0.1, 8_000), sine(60, 0.9, 8_000)])
    assert loudness(wave, 8_000) == loudness(sine(60, 0.1, 8_000), 8_000)


@pytest.mark.parametrize("target", [-60.1, 0.1, math.nan, "-20", None])
def test_targets_out_of_range_are_refused(target: Any) -> None:
    with refused(InvalidRequest, f"loudness target `{target}` LUFS", "-60..0"):
        gain_db(sine(1), RATE, target)


@pytest.mark.parametrize("db", [60.1, -61, math.inf, math.nan, "6"])
def test_gains_out_of_range_are_refused(db: Any) -> None:
    with refused(InvalidRequest, f"gain `{db}` dB", "-60..60"):
        apply_gain(sine(1), db)


def test_bad_waves_are_refused() -> None:
    with refused(InvalidAudio, "239 samples at 24000 Hz", "10 ms"):
        loudness(sine(1)[:239], RATE)
    with refused(InvalidAudio, "0 samples"):
        loudness(sine(0), RATE)
    with refused(InvalidAudio, "200 NaN or infinite samples of 400"):
        loudness(np.array([0.0, math.nan] * 200), RATE)
    with refused(InvalidAudio, "sample rate `0`"):
        loudness(sine(1), 0)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyloudnorm", None)
    with refused(MissingPackage, "pip install pyloudnorm"):
        loudness(sine(1), RATE)
