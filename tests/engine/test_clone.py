"""From a recording to a voice: what each mode keeps, and in which forms a recording may come."""

import io
import warnings
from pathlib import Path

import numpy as np
import pytest
import torch

from qwen3_tts.audio.files import resample, write_audio
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.errors import InvalidVoice, SpeechWarning
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


def test_what_was_found_is_in_the_voice_and_a_warning_each(
    base: Qwen3Synthesizer, recording: Recording
) -> None:
    with pytest.warns(SpeechWarning, match=r"only 0\.\d s of speech .*; record 3 to 15 s") as told:
        voice = base.clone_voice(recording, text="What it says.", language="en")
    assert voice.checks is not None
    assert (voice.checks["mode"], voice.checks["cleaned"]) == ("icl", [])
    assert voice.checks["quality"] == "poor"
    assert voice.checks["language"] == "english"
    assert all(each.filename == __file__ for each in told)
    assert voice.gain_db is not None
    assert voice.model == "qwen3-tts-12hz-0b6"
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        quiet = base.clone_voice(recording, text="What it says.", language="en", warn=False)
        unchecked = base.clone_voice(recording, text="What it says.", language="en", check=False)
    same_voice(quiet, voice)
    same_voice(unchecked, voice)  # nothing had to be cleaned
    assert quiet.checks == voice.checks
    assert (unchecked.checks, unchecked.gain_db) == (None, None)


def test_a_text_that_does_not_fit_is_not_used(base: Qwen3Synthesizer, recording: Recording) -> None:
    text = "Far more words than anybody could say in half a second of sound."
    with pytest.warns(SpeechWarning, match=r'cloned from the sound alone, .*mode="icl"'):
        voice = base.clone_voice(recording, text=text)
    assert (voice.mode, voice.text) == ("x_vector", None)
    assert voice.checks is not None
    assert "too many words" in voice.checks["reason"]
    assert base.clone_voice(recording, text=text, mode="icl").mode == "icl"
    assert base.clone_voice(recording, text=text, check=False).mode == "icl"


def test_silent_ends_are_not_encoded(base: Qwen3Synthesizer, recording: Recording) -> None:
    wave, rate = recording
    padded = np.concatenate([np.zeros(2 * rate, np.float32), wave, np.zeros(rate, np.float32)])
    voice = base.clone_voice((padded, rate), text="Words.", mode="icl")
    whole = base.clone_voice((padded, rate), text="Words.", mode="icl", check=False)
    assert voice.codes is not None
    assert whole.codes is not None
    assert len(voice.codes) <= 12  # 0.5 s, 0.1 s before and 0.25 s after it
    assert len(whole.codes) == 44


def test_a_transcriber_writes_down_what_nobody_did(
    base: Qwen3Synthesizer, recording: Recording
) -> None:
    voice = base.clone_voice(recording, transcribe=lambda wave, rate, language: "Two words.")
    same_voice(voice, base.clone_voice(recording, "Two words."))
    assert voice.mode == "icl"
    icl = base.clone_voice(recording, mode="icl", transcribe=lambda *given: "Two words.")
    same_voice(icl, voice)
    with pytest.raises(InvalidVoice, match="the transcriber heard no words"):
        base.clone_voice(recording, mode="icl", transcribe=lambda *given: "")
    with pytest.raises(InvalidVoice, match="needs the transcript"):
        base.clone_voice(recording, mode="icl", transcribe=lambda *given: "Two words.", check=False)


def test_the_text_to_be_spoken_is_no_transcript(
    base: Qwen3Synthesizer, recording: Recording
) -> None:
    voice = base.clone_voice(recording, "Two short words.", target="Two short words.")
    assert voice.checks is not None
    assert "transcript_swapped" in {each["code"] for each in voice.checks["findings"]}
    assert voice.mode == "x_vector"
