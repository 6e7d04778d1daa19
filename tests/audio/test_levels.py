"""Speech, pauses and clicks are told apart by level."""

import numpy as np
import pytest

from qwen3_tts.audio.levels import BLOCK_S, FLOOR_DB, levels

RATE = 16_000


def sound(seconds: float, level: float = 0.3) -> np.ndarray:
    return (level * np.random.default_rng(1).standard_normal(round(seconds * RATE))).astype("f4")


def silence(seconds: float) -> np.ndarray:
    return np.zeros(round(seconds * RATE), np.float32)


def near(spans: list[tuple[float, float]], *expected: tuple[float, float]) -> bool:
    """Within two blocks: levels are smoothed over three."""
    return np.shape(spans) == np.shape(expected) and np.allclose(spans, expected, atol=0.021)


@pytest.mark.parametrize("noise", [0.0, 0.003, 0.03])
def test_speech_and_pauses_are_where_they_are(noise: float) -> None:
    wave = np.concatenate([silence(0.5), sound(1), silence(0.4), sound(0.7), silence(0.6)])
    level = levels(wave + noise * sound(3.2, 1.0), RATE)
    assert near(level.spans(speech=True), (0.5, 1.5), (1.9, 2.6))
    assert near(level.pauses(), (1.5, 1.9))
    assert level.speech_s == pytest.approx(1.7, abs=0.05)
    assert level.seconds == pytest.approx(3.2)


def test_short_gaps_are_no_pauses_and_clicks_no_speech() -> None:
    wave = np.concatenate([silence(1), sound(0.5), silence(0.1), sound(0.5), silence(1)])
    wave[RATE // 2] = 1.0
    assert near(levels(wave, RATE).spans(speech=True), (1.0, 2.1))


@pytest.mark.parametrize("offset", [0.2, -0.01])
def test_an_offset_plays_no_part(offset: float) -> None:
    wave = np.concatenate([silence(0.5), sound(1, 0.05), silence(0.5)])
    plain, shifted = levels(wave, RATE), levels(wave + np.float32(offset), RATE)
    assert near(shifted.spans(speech=True), *plain.spans(speech=True))
    loud = plain.speech
    np.testing.assert_allclose(shifted.db[loud], plain.db[loud], atol=0.01)


def test_where_nothing_stands_out_all_is_speech() -> None:
    assert near(levels(sound(2), RATE).spans(speech=True), (0.0, 2.0))


def test_silence_has_no_speech() -> None:
    level = levels(silence(1), RATE)
    assert level.spans(speech=True) == level.pauses() == []
    assert level.speech_s == 0
    assert level.noise_db == level.speech_db == pytest.approx(FLOOR_DB)


@pytest.mark.parametrize("num_samples", [1, 2, 159, 160, 161, 1_000])
def test_few_samples_have_a_level(num_samples: int) -> None:
    wave = np.float32(0.5) * (-1) ** np.arange(num_samples, dtype=np.float32)
    level = levels(wave, RATE)
    assert len(level.db) == max(1, num_samples // round(BLOCK_S * RATE))
    if num_samples % 2 == 0:
        np.testing.assert_allclose(level.db, 20 * np.log10(0.5), atol=1e-6)
