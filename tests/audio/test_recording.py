"""Cleaning takes away what no clone should hear, and nothing else."""

import math
from typing import Any

import numpy as np
import pytest

from qwen3_tts.audio.levels import levels
from qwen3_tts.audio.recording import clean_recording
from qwen3_tts.errors import InvalidAudio, InvalidRequest
from tests.audio.conftest import Spoken
from tests.refusal import refused

RATE = 24_000


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def test_what_is_clean_stays_as_it_is(spoken: list[Spoken]) -> None:
    for speech in spoken:
        cleaned = clean_recording(speech.wave, speech.rate)
        assert cleaned.wave.tobytes() == speech.wave.tobytes()
        assert (cleaned.start_s, cleaned.end_s) == (0, len(speech.wave) / speech.rate)
        assert (cleaned.rate, cleaned.notes, cleaned.cut) == (speech.rate, (), False)


def test_silent_ends_are_taken_off(clean: Spoken) -> None:
    wave = np.concatenate([silence(2), clean.wave, silence(3)])
    cleaned = clean_recording(wave, RATE)
    span = levels(wave, RATE).spans(speech=True)
    # a tenth of a second is left before, a quarter after it
    assert cleaned.start_s == pytest.approx(span[0][0] - 0.1)
    assert cleaned.end_s == pytest.approx(span[-1][1] + 0.25)
    start = round(cleaned.start_s * RATE)
    np.testing.assert_array_equal(
        cleaned.wave[240:-240], wave[start : start + len(cleaned.wave)][240:-240]
    )
    assert cleaned.wave[0] == 0
    assert abs(cleaned.wave[-1]) < 1e-5  # faded: a cut makes no click
    assert not cleaned.cut
    (note,) = cleaned.notes
    assert note == f"silence was taken off: {len(wave) / RATE - len(cleaned.wave) / RATE:.1f} s"
    # and there is nothing left to do
    again = clean_recording(cleaned.wave, RATE)
    assert again.wave.tobytes() == cleaned.wave.tobytes()
    assert again.notes == ()


@pytest.mark.parametrize("offset", [0.2, -0.01])
def test_an_offset_is_taken_out(offset: float, clean: Spoken) -> None:
    cleaned = clean_recording(clean.wave + np.float32(offset), RATE)
    assert abs(cleaned.wave.mean(dtype=np.float64)) < 1e-6
    # what was added is gone again; float32 rounds the sum
    np.testing.assert_allclose(cleaned.wave, clean.wave - clean.wave.mean(), atol=1e-6)
    assert cleaned.notes == (f"an offset of {100 * offset:.1f} % of full scale was taken out",)


def test_the_given_wave_is_not_changed(clean: Spoken) -> None:
    wave = np.concatenate([silence(1), clean.wave, silence(1)]) + np.float32(0.1)
    before = wave.copy()
    clean_recording(wave, RATE, longest_s=3)
    np.testing.assert_array_equal(wave, before)


@pytest.mark.parametrize("pause_s", [0.4, 1.0])
def test_too_much_is_cut_at_the_last_long_pause(pause_s: float, spoken: list[Spoken]) -> None:
    """Two sentences fit into 15 s, and the pauses inside them are shorter than that after them."""
    parts = [part for s in spoken for part in (trimmed(s.wave), silence(pause_s))]
    wave = np.concatenate(parts)
    cleaned = clean_recording(wave, RATE)
    ends_s = [sum(map(len, parts[: 2 * n + 1])) / RATE for n in range(3)]
    assert cleaned.cut
    assert cleaned.start_s == 0
    assert cleaned.end_s == pytest.approx(ends_s[1] + 0.25, abs=0.05)
    assert "at a pause" in cleaned.notes[-1]
    assert len(cleaned.wave) == round(cleaned.end_s * RATE)
    np.testing.assert_array_equal(cleaned.wave[:-240], wave[: len(cleaned.wave)][:-240])


def trimmed(wave: np.ndarray) -> np.ndarray:
    span = levels(wave, RATE).spans(speech=True)
    return wave[round(span[0][0] * RATE) : round(span[-1][1] * RATE)]


@pytest.mark.parametrize("longest_s", [1, 2.5, 5.0])
def test_nothing_is_longer_than_asked(longest_s: float, spoken: list[Spoken]) -> None:
    for speech in spoken:
        wave = np.concatenate([silence(1), speech.wave])
        cleaned = clean_recording(wave, RATE, longest_s=longest_s)
        assert cleaned.cut
        assert 0.4 * longest_s <= len(cleaned.wave) / RATE <= longest_s
        assert cleaned.end_s - cleaned.start_s == pytest.approx(len(cleaned.wave) / RATE, abs=1e-4)


def test_without_a_pause_it_is_cut_where_it_is_softest() -> None:
    rng = np.random.default_rng(4)
    wave = (0.3 * rng.standard_normal(20 * RATE)).astype(np.float32)
    wave[13 * RATE : round(13.1 * RATE)] *= 0.2
    cleaned = clean_recording(wave, RATE)
    assert cleaned.end_s == pytest.approx(13.05, abs=0.05)
    assert "softest" in cleaned.notes[-1]


def test_silence_is_left_to_the_checks() -> None:
    assert len(clean_recording(silence(1), RATE).wave) == RATE


@pytest.mark.parametrize("rate", [1_000, 8_000, 768_000])
@pytest.mark.parametrize("num_samples", [1, 2, 479, 40_000])
def test_anything_can_be_cleaned(rate: int, num_samples: int, rng: np.random.Generator) -> None:
    noise = rng.standard_normal(num_samples).astype(np.float32)
    click = np.zeros(num_samples, np.float32)
    click[num_samples // 2] = 1
    for wave in (noise, click, np.ones_like(noise)):
        cleaned = clean_recording(wave, rate, longest_s=1)
        assert 0 < len(cleaned.wave) <= max(1, rate)
        assert np.isfinite(cleaned.wave).all()


@pytest.mark.parametrize("longest_s", [0.9, -1, math.nan, "15", None])
def test_a_bad_length_is_refused(longest_s: Any, clean: Spoken) -> None:
    with refused(InvalidRequest, f"longest_s `{longest_s}`", "from 1 on"):
        clean_recording(clean.wave, RATE, longest_s=longest_s)


def test_no_recording_is_refused() -> None:
    with refused(InvalidAudio, "holds no samples"):
        clean_recording(silence(0), RATE)
    with refused(InvalidAudio, "1 NaN or infinite samples of 2"):
        clean_recording(np.array([0.0, math.nan]), RATE)
    with refused(InvalidAudio, "sample rate `0`"):
        clean_recording(silence(1), 0)
