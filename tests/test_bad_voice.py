"""Recordings and voices that cannot be used, through the public face."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file
from safetensors.torch import save_file as torch_save_file

from qwen3_tts import SpeechRequest, Voice
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.errors import InvalidAudio, InvalidRequest, InvalidVoice, UnsupportedRequest
from tests.refusal import refused


def noise(samples: int, peak: float = 0.3) -> np.ndarray:
    wave = np.random.default_rng(1).uniform(-peak, peak, samples)
    return wave.astype(np.float32)


@pytest.mark.parametrize("kind", ["custom_voice", "voice_design"])
def test_cloning_on_other_kinds(model: Callable[..., Qwen3Synthesizer], kind: str) -> None:
    with refused(UnsupportedRequest, kind, "cannot clone", "base checkpoint"):
        model(kind, True).clone_voice((noise(9000), 24_000))


@pytest.mark.parametrize("kind", ["custom_voice", "voice_design"])
def test_a_cloned_voice_on_other_kinds(
    model: Callable[..., Qwen3Synthesizer], kind: str, x_voice: Voice
) -> None:
    with refused(UnsupportedRequest, kind, "cloned voice", "base checkpoint"):
        model(kind, True).synthesize("Hello.", voice=x_voice)


@pytest.mark.parametrize(
    ("samples", "rate", "lasts"),
    [(1, 24_000, "0 ms"), (960, 24_000, "40 ms"), (100, 16_000, "6 ms"), (1919, 24_000, "")],
)
def test_a_recording_shorter_than_a_frame(
    base: Qwen3Synthesizer, samples: int, rate: int, lasts: str
) -> None:
    with refused(InvalidAudio, f"lasts {lasts}", "80 ms", "is needed"):
        base.clone_voice((noise(samples), rate))


@pytest.mark.parametrize("peak", [0.0, 9.9e-4])
def test_a_silent_recording(base: Qwen3Synthesizer, peak: float) -> None:
    with refused(InvalidAudio, "silent", "-60 dB"):
        base.clone_voice((noise(9000, peak), 24_000))


def test_a_corrupt_recording(base: Qwen3Synthesizer, tmp_path: Path) -> None:
    path = tmp_path / "broken.wav"
    path.write_bytes(b"RIFF\x10\x00\x00\x00WAVEfmt nothing that is audio")
    with refused(InvalidAudio, str(path)):
        base.clone_voice(path)
    with refused(InvalidAudio, str(tmp_path / "none.wav")):
        base.clone_voice(tmp_path / "none.wav")
    with refused(InvalidAudio, "9000 NaN", "of 9000"):
        base.clone_voice((noise(9000) * np.float32("nan"), 24_000))
    with refused(InvalidAudio, "no sample rate", "(array, sample_rate)"):
        base.clone_voice(noise(9000))


@pytest.mark.parametrize("text", [None, "", " \n"])
def test_in_context_without_a_transcript(base: Qwen3Synthesizer, text: str | None) -> None:
    with refused(InvalidVoice, "transcript", "text=...", "x_vector"):
        base.clone_voice((noise(9000), 24_000), text=text, mode="icl")


def test_a_clone_mode_that_is_none(base: Qwen3Synthesizer) -> None:
    with refused(InvalidRequest, "'fast'", "auto, icl, x_vector"):
        base.clone_voice((noise(9000), 24_000), mode="fast")


def test_a_transcript_of_another_type(base: Qwen3Synthesizer) -> None:
    with refused(InvalidVoice, "transcript", "string", "got list"):
        base.clone_voice((noise(9000), 24_000), text=["Hello."])  # type: ignore[arg-type]


def test_a_voice_of_another_width(base: Qwen3Synthesizer, x_voice: Voice) -> None:
    wide = replace(x_voice, vector=np.zeros(80, dtype=np.float32))
    with refused(InvalidVoice, "'tone'", "another model size", "80", "64"):
        base.synthesize("Hello.", voice=wide)


@pytest.mark.parametrize(
    ("codes", "parts"),
    [
        (np.zeros((5, 12), dtype=np.int64), ("12 codes a frame", "16")),
        (np.full((5, 16), 2048), ("outside 0..2047",)),
        (np.full((5, 16), -1), ("outside 0..2047",)),
    ],
)
def test_a_voice_with_other_codes(
    base: Qwen3Synthesizer, icl_voice: Voice, codes: np.ndarray, parts: tuple[str, ...]
) -> None:
    with refused(InvalidVoice, "'tone'", *parts):
        base.synthesize("Hello.", voice=replace(icl_voice, codes=codes))


def test_a_voice_that_does_not_hold_together() -> None:
    vector, codes = np.zeros(64, dtype=np.float32), np.zeros((5, 16), dtype=np.int64)
    with refused(InvalidVoice, "one dimension", "(2, 32)"):
        Voice(vector.reshape(2, 32))
    with refused(InvalidVoice, "[frames, codebooks]", "(80,)"):
        Voice(vector, codes.ravel(), "Words.")
    for text in (None, "", "  "):
        with refused(InvalidVoice, "text", "missing"):
            Voice(vector, codes, text)


def test_a_missing_voice_file(tmp_path: Path) -> None:
    with refused(InvalidVoice, str(tmp_path / "anna")):
        Voice.load(tmp_path / "anna")


@pytest.mark.parametrize("content", [b"", b"hello", b"\xff" * 64])
def test_a_file_that_is_no_voice(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "v").write_bytes(content)
    with refused(InvalidVoice, str(tmp_path / "v"), "not a voice file"):
        Voice.load(tmp_path / "v")


def test_weights_are_no_voice(checkpoint: Callable[..., Path], tmp_path: Path) -> None:
    path = checkpoint("base") / "model.safetensors"
    with refused(InvalidVoice, str(path), "not a voice"):
        Voice.load(path)


def test_a_voice_cut_short(tmp_path: Path, icl_voice: Voice) -> None:
    icl_voice.save(tmp_path / "v")
    content = (tmp_path / "v").read_bytes()
    (tmp_path / "v").write_bytes(content[:-8])
    with refused(InvalidVoice, str(tmp_path / "v"), "not a voice file"):
        Voice.load(tmp_path / "v")


def test_a_voice_of_another_version(tmp_path: Path) -> None:
    metadata = {"format": "qwen3-tts-voice", "version": "2", "voice": "{}"}
    save_file({"vector": np.zeros(4, dtype=np.float32)}, tmp_path / "v", metadata)
    with refused(InvalidVoice, str(tmp_path / "v"), "version 2", "reads version 1"):
        Voice.load(tmp_path / "v")


def test_a_voice_without_a_vector(tmp_path: Path) -> None:
    metadata = {"format": "qwen3-tts-voice", "version": "1", "voice": "{}"}
    save_file({"codes": np.zeros((2, 16), dtype=np.int64)}, tmp_path / "v", metadata)
    with refused(InvalidVoice, str(tmp_path / "v"), "not a voice"):
        Voice.load(tmp_path / "v")


def test_a_voice_file_that_cannot_be_written(tmp_path: Path, x_voice: Voice) -> None:
    for target in (tmp_path / "no" / "folder" / "v", tmp_path):
        with refused(InvalidVoice, "cannot write", str(target)):
            x_voice.save(target)


def test_speech_that_cannot_be_written(preset: Qwen3Synthesizer, tmp_path: Path) -> None:
    speech = preset.synthesize("Hello.", max_frames=2)
    with refused(InvalidRequest, "`xyz`", "wav, flac, mp3, ogg"):
        speech.save(tmp_path / "speech.xyz")
    with refused(InvalidRequest, str(tmp_path / "none"), "does not exist"):
        speech.save(tmp_path / "none" / "speech.wav")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_vector_with_nan(base: Qwen3Synthesizer, x_voice: Voice, bad: float) -> None:
    vector = x_voice.vector.copy()
    vector[3] = bad
    with refused(InvalidVoice, "NaN or infinit"):
        base.synthesize("Hello.", voice=replace(x_voice, vector=vector), max_frames=1)


def test_codes_that_are_no_integers_fail_before_speech(
    base: Qwen3Synthesizer, icl_voice: Voice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base.engine.loop, "submit", pytest.fail)
    with refused(InvalidVoice, "float64"):
        voice = replace(icl_voice, codes=np.full((5, 16), 1.5))
        base.synthesize("Hello.", voice=voice, max_frames=1)


@pytest.mark.parametrize("vector", [[0.5] * 64, None, "vector"])
def test_a_vector_that_is_no_array(vector: Any) -> None:
    with refused(InvalidVoice, "vector"):
        Voice(vector)


@pytest.mark.parametrize("text", [5, ["Words."]])
def test_a_reference_text_that_is_no_string(text: Any) -> None:
    with refused(InvalidVoice, "text", type(text).__name__):
        Voice(np.zeros(64, dtype=np.float32), np.zeros((5, 16), dtype=np.int64), text)


@pytest.mark.parametrize(
    "kind",
    [
        "float64",
        pytest.param("reversed"),
        pytest.param("big-endian"),
        pytest.param("read-only"),
    ],
)
def test_any_array_of_the_same_numbers_is_the_same_voice(
    base: Qwen3Synthesizer, x_voice: Voice, kind: str
) -> None:
    read_only = x_voice.vector.copy()
    read_only.setflags(write=False)
    vectors = {
        "float64": x_voice.vector.astype(np.float64),
        "reversed": x_voice.vector[::-1].copy()[::-1],
        "big-endian": x_voice.vector.astype(">f4"),
        "read-only": read_only,
    }
    asked = SpeechRequest("Hello.", voice=x_voice, seed=1, max_frames=2)
    (expected,) = base.synthesize_batch([asked])
    torch.set_warn_always(True)  # torch complains of a read-only array once, else
    try:
        other = replace(asked, voice=replace(x_voice, vector=vectors[kind]))
        (speech,) = base.synthesize_batch([other])
    finally:
        torch.set_warn_always(False)
    assert np.array_equal(speech.codes, expected.codes)


def test_bfloat16_weights_are_no_voice(tmp_path: Path) -> None:
    torch_save_file({"a": torch.zeros(3, dtype=torch.bfloat16)}, tmp_path / "v")
    with refused(InvalidVoice, str(tmp_path / "v"), "not a voice"):
        Voice.load(tmp_path / "v")


@pytest.mark.parametrize("about", ["[]", "5", "null", '"x"', '{"text": 5}', '{"text": ["a"]}'])
def test_a_voice_file_with_other_metadata(tmp_path: Path, about: str) -> None:
    metadata = {"format": "qwen3-tts-voice", "version": "1", "voice": about}
    tensors = {"vector": np.zeros(4, dtype=np.float32), "codes": np.zeros((2, 16), dtype=np.int64)}
    save_file(tensors, tmp_path / "v", metadata)
    with refused(InvalidVoice, str(tmp_path / "v")):
        Voice.load(tmp_path / "v")
