"""The teacher speaks, and knows when. Skipped where flite's libraries are not installed."""

import ctypes.util
import math

import numpy as np
import pytest

from qwen3_tts.errors import MissingPackage, UnknownVoice
from qwen3_tts.train.recipe import flite
from qwen3_tts.train.recipe.flite import VOICES, Flite
from tests.refusal import refused

needs_flite = pytest.mark.skipif(
    ctypes.util.find_library("flite") is None, reason="flite is not installed"
)
TEXT = "Well, Anna bought 42 apples on Monday."
TOKENS = ["Well", "Anna", "bought", "42", "apples", "on", "Monday"]


@needs_flite
@pytest.mark.parametrize("voice", VOICES)
def test_speech_and_its_times(voice: str) -> None:
    said = Flite(voice).speak(TEXT)
    seconds = len(said.wave) / said.sample_rate
    assert (said.wave.dtype, said.sample_rate) == (np.int16, 16_000)
    assert 1.5 < seconds < 5
    assert said.wave.astype(float).std() > 300  # one per cent of full scale
    assert [name for name, _, _ in said.tokens] == TOKENS
    times = [time for _, start, end in said.tokens for time in (start, end)]
    assert times == sorted(times)
    assert 0 < times[0] < times[-1] < seconds
    assert all(end - start > 0.03 for _, start, end in said.tokens)
    ends = [end for _, end in said.phones]
    assert ends == sorted(ends)
    assert -0.12 < seconds - ends[-1] < 0.03  # kal16 stops half-way through its last pause
    assert (said.phones[0][0], said.phones[-1][0]) == ("pau", "pau")
    # the last word ends where its last phone does
    assert any(math.isclose(times[-1], end, abs_tol=1e-5) for end in ends)


@needs_flite
def test_sound_is_where_the_words_are() -> None:
    said = Flite("rms").speak(TEXT)
    wave = said.wave.astype(float)

    def level(start_s: float, end_s: float) -> float:
        part = wave[round(start_s * said.sample_rate) : round(end_s * said.sample_rate)]
        return float(np.sqrt(np.mean(part**2)))

    quiet = max(level(0, said.tokens[0][1] - 0.05), level(said.tokens[-1][2] + 0.05, 99))
    assert all(level(start, end) > 5 * quiet for _, start, end in said.tokens)


@needs_flite
def test_the_same_text_is_the_same_speech() -> None:
    one = Flite("slt").speak(TEXT)
    Flite("slt").speak("Something else.")  # which draws from the same noise
    two = Flite("slt").speak(TEXT)
    assert np.array_equal(one.wave, two.wave)
    assert (one.tokens, one.phones) == (two.tokens, two.phones)
    assert not np.array_equal(Flite("rms").speak(TEXT).wave, one.wave)


def test_an_unknown_voice() -> None:
    with refused(UnknownVoice, "'anna'", "rms, slt, awb, kal16"):
        Flite("anna")


def test_without_flite(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ctypes.util, "find_library", lambda name: None)
    flite._library.cache_clear()
    try:
        with refused(MissingPackage, "libflite is not installed", "apt install flite"):
            Flite("rms")
    finally:
        flite._library.cache_clear()
