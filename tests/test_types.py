"""Voices and speech as files, and requests as plain data."""

import io
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_tts.audio.files import read_audio
from qwen3_tts.types import Sampling, Speech, SpeechRequest, Timing, Voice

TEXTS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)


def vector_of(width: int = 64) -> np.ndarray:
    return np.random.default_rng(1).normal(size=width).astype(np.float32)


def codes_of(frames: int = 9) -> np.ndarray:
    return np.random.default_rng(2).integers(0, 2048, (frames, 16))


def speech_of(seconds: float = 0.5) -> Speech:
    """A tone that fades in and out, so that lossy formats keep it well."""
    time_s = np.arange(int(24_000 * seconds)) / 24_000
    fade = np.sin(np.pi * time_s / seconds)
    wave = (0.5 * fade * np.sin(2 * np.pi * 440 * time_s)).astype(np.float32)
    timing = Timing(0.0, 0.01, 0.02, 0.03, 0.2, 0.25, frames=6, audio_s=seconds)
    return Speech(wave, 24_000, codes_of(6), 3, "stop", timing)


def same(a: Voice, b: Voice) -> None:
    assert a.vector.dtype == b.vector.dtype
    assert np.array_equal(a.vector, b.vector)
    assert (a.codes is None) == (b.codes is None)
    if a.codes is not None and b.codes is not None:
        assert a.codes.dtype == b.codes.dtype
        assert np.array_equal(a.codes, b.codes)
    assert (a.text, a.language, a.name, a.mode) == (b.text, b.language, b.name, b.mode)


def test_a_voice_of_a_vector_alone_survives_its_file(tmp_path: Path) -> None:
    voice = Voice(vector_of(), language="english", name="anna")
    voice.save(tmp_path / "anna.safetensors")
    same(Voice.load(tmp_path / "anna.safetensors"), voice)
    assert voice.mode == "x_vector"


def test_a_voice_in_context_survives_its_file(tmp_path: Path) -> None:
    voice = Voice(vector_of(80), codes_of(), "What it says.")
    voice.save(str(tmp_path / "anna.safetensors"))
    same(Voice.load(str(tmp_path / "anna.safetensors")), voice)
    assert voice.mode == "icl"


@given(text=TEXTS.filter(str.strip), name=TEXTS, frames=st.integers(0, 30))
def test_any_text_and_name_survive_a_file(
    tmp_path_factory: pytest.TempPathFactory, text: str, name: str, frames: int
) -> None:
    path = tmp_path_factory.getbasetemp() / "any.safetensors"
    voice = Voice(vector_of(3), codes_of(frames), text, name=name)
    voice.save(path)
    same(Voice.load(path), voice)


def test_views_are_saved_as_what_they_show(tmp_path: Path) -> None:
    """Rows out of order in memory, as a transposed array has them."""
    voice = Voice(vector_of(64)[::2], np.asfortranarray(codes_of()), "Words.")
    voice.save(tmp_path / "v")
    same(Voice.load(tmp_path / "v"), voice)


def test_a_voice_file_can_be_overwritten(tmp_path: Path) -> None:
    Voice(vector_of(), codes_of(), "Words.").save(tmp_path / "v")
    Voice(vector_of(8)).save(tmp_path / "v")
    same(Voice.load(tmp_path / "v"), Voice(vector_of(8)))


@pytest.mark.parametrize("format", ["wav", "flac"])
def test_speech_survives_a_lossless_file(tmp_path: Path, format: str) -> None:
    speech = speech_of()
    speech.save(tmp_path / f"speech.{format}")
    wave, rate = read_audio(tmp_path / f"speech.{format}")
    assert rate == 24_000
    # 16-bit samples: values between two steps go to the lower one
    np.testing.assert_allclose(wave, speech.wave, rtol=0, atol=1 / 32768)


@pytest.mark.parametrize("format", ["ogg", "mp3"])
def test_speech_is_heard_in_a_lossy_file(tmp_path: Path, format: str) -> None:
    speech = speech_of()
    speech.save(tmp_path / f"speech.{format}")
    wave, rate = read_audio(tmp_path / f"speech.{format}")
    assert rate == 24_000
    # an mp3 is whole frames of 576 samples at this rate, and what was before them
    assert 0 <= len(wave) - len(speech.wave) <= 3 * 576
    shifts = range(len(wave) - len(speech.wave) + 1)
    heard = min(np.abs(wave[s : s + len(speech.wave)] - speech.wave).max() for s in shifts)
    assert heard < 0.05  # a tenth of its peak


def test_a_format_may_be_named(tmp_path: Path) -> None:
    """It wins over the suffix, and a file object needs it."""
    speech, memory = speech_of(), io.BytesIO()
    speech.save(memory, format="flac")
    assert memory.getvalue().startswith(b"fLaC")
    speech.save(tmp_path / "speech.wav", format="flac")
    assert (tmp_path / "speech.wav").read_bytes() == memory.getvalue()


def test_duration_and_speed() -> None:
    speech = speech_of(0.5)
    assert speech.duration_s == 0.5
    assert speech.timing.x_realtime == 2.0  # half a second in a quarter
    assert Timing(0, 0, 0, 0, 0, 0, frames=0, audio_s=1.0).x_realtime == 0.0


def test_a_request_defaults_to_what_the_checkpoint_says() -> None:
    request = SpeechRequest("Hello.")
    given = {f.name: getattr(request, f.name) for f in fields(SpeechRequest)}
    assert given == {
        "text": "Hello.",
        "voice": None,
        "language": "Auto",
        "instruct": None,
        "sampling": Sampling(),
        "seed": None,
        "max_frames": None,
        "text_first": None,
        "priority": "normal",
        "guard": None,
    }
    assert all(getattr(Sampling(), f.name) is None for f in fields(Sampling))


def test_data_is_frozen() -> None:
    for value, name in (
        (Voice(vector_of()), "name"),
        (SpeechRequest("a"), "text"),
        (Sampling(), "top_k"),
        (speech_of(), "seed"),
        (speech_of().timing, "frames"),
    ):
        with pytest.raises(FrozenInstanceError):
            setattr(value, name, 1)
