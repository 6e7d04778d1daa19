"""From a recording to a voice: what each mode keeps, and in which forms a recording may come."""

import io
from pathlib import Path

import numpy as np
import pytest
import torch

from qwen3_tts.audio.files import resample, write_audio
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.model.mel import log_mel
from qwen3_tts.types import Voice

Recording = tuple[np.ndarray, int]


def same_voice(a: Voice, b: Voice) -> None:
    assert np.array_equal(a.vector, b.vector)
    assert (a.codes is None) == (b.codes is None)
    assert a.codes is None or np.array_equal(a.codes, b.codes)
    assert (a.text, a.language, a.name) == (b.text, b.language, b.name)


def test_in_context_keeps_vector_codes_and_text(
    base: Qwen3Synthesizer, recording: Recording
) -> None:
    voice = base.clone_voice(recording, text="What it says.", language="English", name="tone")
    assert voice.mode == "icl"
    assert (voice.text, voice.language, voice.name) == ("What it says.", "English", "tone")
    assert voice.vector.shape == (64,)
    assert voice.vector.dtype == np.float32
    assert voice.codes is not None
    assert voice.codes.shape == (7, 16)  # 12,000 samples: 6.25 frames of 1,920
    assert np.array_equal(voice.codes, base.codec.encode(recording))
    encoder = base.engine.model.speaker_encoder
    assert encoder is not None
    with torch.inference_mode():
        vector = encoder(log_mel(torch.from_numpy(recording[0])[None]))[0]
    assert np.array_equal(voice.vector, vector.numpy())


def test_the_vector_alone(base: Qwen3Synthesizer, recording: Recording) -> None:
    voice = base.clone_voice(recording, text="What it says.", mode="x_vector")
    assert voice.mode == "x_vector"
    assert voice.codes is None
    assert voice.text is None
    same_voice(voice, base.clone_voice(recording))
    assert np.array_equal(voice.vector, base.clone_voice(recording, text="Other.").vector)


@pytest.mark.parametrize(
    ("text", "mode"), [("Words.", "icl"), (None, "x_vector"), ("", "x_vector"), (" \n", "x_vector")]
)
def test_auto_is_in_context_where_there_is_a_text(
    base: Qwen3Synthesizer, recording: Recording, text: str | None, mode: str
) -> None:
    same_voice(
        base.clone_voice(recording, text=text), base.clone_voice(recording, text=text, mode=mode)
    )


def test_every_form_of_a_recording_is_the_same_voice(
    base: Qwen3Synthesizer, recording: Recording, tmp_path: Path
) -> None:
    wave, rate = recording
    path = tmp_path / "tone.wav"
    write_audio(path, wave, rate, subtype="FLOAT")  # nothing is rounded
    content = path.read_bytes()
    expected = base.clone_voice(recording, text="Words.")
    for form in (path, str(path), content, io.BytesIO(content), (torch.from_numpy(wave), rate)):
        same_voice(base.clone_voice(form, text="Words."), expected)
    stereo = np.stack([wave, wave], axis=1)
    same_voice(base.clone_voice((stereo, rate), text="Words."), expected)


def test_other_rates_are_resampled_first(base: Qwen3Synthesizer, recording: Recording) -> None:
    slow = resample(recording[0], 24_000, 16_000)
    expected = base.clone_voice((resample(slow, 16_000, 24_000), 24_000), text="Words.")
    same_voice(base.clone_voice((slow, 16_000), text="Words."), expected)


def test_one_frame_is_enough(base: Qwen3Synthesizer, recording: Recording) -> None:
    voice = base.clone_voice((recording[0][:1920], 24_000), text="A")
    assert voice.codes is not None
    assert voice.codes.shape == (1, 16)
    assert base.synthesize("Hi.", voice=voice, seed=1, max_frames=2).codes.shape == (2, 16)


def test_quiet_recordings_are_cloned(base: Qwen3Synthesizer, recording: Recording) -> None:
    """-59 dB is quiet, not silent."""
    wave = recording[0] * (1.1e-3 / np.abs(recording[0]).max())
    assert np.isfinite(base.clone_voice((wave, 24_000)).vector).all()


def test_a_voice_has_the_width_of_its_model(
    model: pytest.FixtureRequest, recording: Recording
) -> None:
    wide: Qwen3Synthesizer = model("base", True)  # type: ignore[operator]
    assert wide.clone_voice(recording).vector.shape == (80,)
