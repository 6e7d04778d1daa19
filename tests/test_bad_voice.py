"""Recordings and voices that cannot be used, through the public face."""

import contextlib
import json
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.numpy import save_file
from safetensors.torch import save_file as torch_save_file

from qwen3_tts import SpeechRequest, Voice
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.errors import InvalidAudio, InvalidRequest, InvalidVoice, UnsupportedRequest
from qwen3_tts.types import Take
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
    for version in ("3", "", "x" * 1000):
        metadata = {"format": "qwen3-tts-voice", "version": version, "voice": "{}"}
        save_file({"vector": np.zeros(4, dtype=np.float32)}, tmp_path / "v", metadata)
        told = f"version {version:.20}"
        with refused(InvalidVoice, str(tmp_path / "v"), told, "reads versions 1 and 2"):
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


OTHER_METADATA = [
    *("[]", "5", "null", '"x"', "{", '{"text": 5}', '{"text": ["a"]}', "1" * 5000),
    *('{"text": "a", "name": 3}', '{"text": "a", "language": 1}', '{"text": "a", "model": {}}'),
    *('{"text": "a", "consent": []}', '{"text": "a", "gain_db": "1"}'),
    *('{"text": "a", "gain_db": NaN}', '{"text": "a", "gain_db": true}'),
    *('{"text": "a", "checks": [1]}', '{"text": "a", "provenance": {"a": NaN}}'),
    *('{"text": "a", "takes": {}, "checks": 1}', '{"text": "a", "takes": 7}'),
    *('{"text": "a", "takes": [3]}', '{"text": "a", "takes": [{"style": "happy"}]}'),
    '{"text": "a", "takes": [' + ", ".join(['{"style": "a"}'] * 2) + "]}",
    "[" * 100_000,
    '{"text": "a", "checks": ' + '{"a":' * 50_000 + "1" + "}" * 50_001,
    '{"text": "a", "provenance": {"a": "' + "x" * (1 << 20) + '"}}',
]


@pytest.mark.parametrize("version", ["1", "2"])
@pytest.mark.parametrize("about", OTHER_METADATA, ids=lambda about: about[:40])
def test_a_voice_file_with_other_metadata(tmp_path: Path, about: str, version: str) -> None:
    metadata = {"format": "qwen3-tts-voice", "version": version, "voice": about}
    tensors = {"vector": np.zeros(4, dtype=np.float32), "codes": np.zeros((2, 16), dtype=np.int64)}
    save_file(tensors, tmp_path / "v", metadata)
    with refused(InvalidVoice, str(tmp_path / "v")):
        Voice.load(tmp_path / "v")


TAKE = {"vector": np.zeros(4, dtype=np.float32), "take.0.vector": np.ones(4, dtype=np.float32)}


@pytest.mark.parametrize(
    ("take", "tensors", "parts"),
    [
        ({"style": "neutral"}, {}, ("'neutral'", "own reference")),
        ({"style": ""}, {}, ("style ''", "1 to 32")),
        ({"style": "a\x1b[0m"}, {}, ("can be seen",)),
        ({"style": "x" * 33}, {}, ("1 to 32",)),
        ({}, {}, ("style is a string",)),
        ({"style": "a"}, {"take.0.vector": np.ones(5, dtype=np.float32)}, ("5 numbers", "4")),
        ({"style": "a"}, {"take.0.vector": np.ones((2, 2), dtype=np.float32)}, ("one dimension",)),
        ({"style": "a"}, {"take.0.codes": np.ones((2, 3), dtype=np.int64)}, ("text", "missing")),
        ({"style": "a", "text": "b"}, {"take.0.codes": np.ones(3)}, ("integers",)),
        ({"style": "a", "gain_db": []}, {}, ("gain_db",)),
    ],
)
def test_a_voice_file_with_a_broken_take(
    tmp_path: Path, take: dict[str, Any], tensors: dict[str, np.ndarray], parts: tuple[str, ...]
) -> None:
    metadata = {"format": "qwen3-tts-voice", "version": "2", "voice": json.dumps({"takes": [take]})}
    save_file({**TAKE, **tensors}, tmp_path / "v", metadata)
    with refused(InvalidVoice, str(tmp_path / "v"), *parts):
        Voice.load(tmp_path / "v")


def test_more_takes_than_there_may_be(tmp_path: Path, x_voice: Voice) -> None:
    takes = {f"style {i}": Take(vector=x_voice.vector) for i in range(65)}
    with refused(InvalidVoice, "up to 64"):
        replace(x_voice, takes=takes)
    about = {"takes": [{"style": f"style {i}"} for i in range(65)]}
    metadata = {"format": "qwen3-tts-voice", "version": "2", "voice": json.dumps(about)}
    tensors = {f"take.{i}.vector": x_voice.vector for i in range(65)}
    save_file({"vector": x_voice.vector, **tensors}, tmp_path / "v", metadata)
    with refused(InvalidVoice, str(tmp_path / "v"), "up to 64"):
        Voice.load(tmp_path / "v")


def test_a_file_too_large_for_a_voice(tmp_path: Path) -> None:
    """It is not even opened; and nothing is written that would be refused."""
    with (tmp_path / "v").open("wb") as file:
        file.truncate(1 << 34)
    with refused(InvalidVoice, str(tmp_path / "v"), "not a voice file", str(1 << 34)):
        Voice.load(tmp_path / "v")
    with refused(InvalidVoice, "cannot write", str(tmp_path / "w"), "allowed"):
        Voice(np.zeros(1 << 23, dtype=np.float32)).save(tmp_path / "w")
    with refused(InvalidVoice, "cannot write", str(tmp_path / "w"), "allowed"):
        Voice(np.zeros(4, dtype=np.float32), consent="x" * (1 << 20)).save(tmp_path / "w")
    assert not (tmp_path / "w").exists()


def test_what_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # opening it would wait for a writer
    for name in (tmp_path, tmp_path / "pipe", "/dev/zero"):
        with refused(InvalidVoice, str(name), "nor any file"):
            Voice.load(name)
    with refused(InvalidVoice, "not a voice file"):
        Voice.load("a\0b")


@given(st.data())
def test_a_damaged_voice_file(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    """Whatever byte is wrong: a voice or a refusal, never another error."""
    path = tmp_path_factory.getbasetemp() / "damaged"
    Voice(np.ones(4, dtype=np.float32), takes={"a": Take(vector=np.ones(4, np.float32))}).save(path)
    content = bytearray(path.read_bytes())
    for _ in range(data.draw(st.integers(1, 4))):
        content[data.draw(st.integers(0, len(content) - 1))] = data.draw(st.integers(0, 255))
    path.write_bytes(content)
    with contextlib.suppress(InvalidVoice):
        Voice.load(path)


@pytest.mark.parametrize(
    ("model", "width", "made_for"),
    [
        (None, 80, ""),
        (None, 1024, " (a 0.6B model)"),
        (None, 2048, " (a 1.7B model)"),
        ("qwen3-tts-12hz-1b7", 2048, " (qwen3-tts-12hz-1b7)"),
    ],
)
def test_which_model_a_voice_was_made_for(model: str | None, width: int, made_for: str) -> None:
    voice = Voice(np.zeros(width, dtype=np.float32), name="anna", model=model)
    voice.check_width(width)
    told = f"'anna' was made for another model size{made_for}: its vector has {width} numbers"
    with refused(InvalidVoice, told, "this checkpoint's 64", "clone"):
        voice.check_width(64)


@pytest.mark.parametrize("take", [{}, {"text": "Words."}, {"codes": np.zeros((1, 16), np.int64)}])
def test_a_take_that_does_not_hold_together(take: dict[str, Any]) -> None:
    with refused(InvalidVoice, "neither" if "codes" not in take else "missing"):
        Take(**take)


def test_takes_of_another_type(x_voice: Voice) -> None:
    for takes in ([], {"a": x_voice}, {3: Take(vector=x_voice.vector)}):
        with refused(InvalidVoice):
            replace(x_voice, takes=takes)
