"""A voice that was kept speaks as one that is cloned again, and nothing is encoded for it."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
import torch

from qwen3_tts.audio.files import write_audio
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.compat.prompts import item_of
from qwen3_tts.types import SpeechRequest, Take, Voice
from qwen3_tts.voices.convert import from_official_prompt
from qwen3_tts.voices.library import VoiceLibrary
from qwen3_tts.voices.mixing import METHODS, mix

Recording = tuple[np.ndarray, int]
TEXT = "A short word."


@pytest.fixture(scope="module")
def wav(recording: Recording) -> bytes:
    """The recording as a library keeps it."""
    content = BytesIO()
    write_audio(content, *recording, format="wav")
    return content.getvalue()


@pytest.fixture(scope="module")
def other_wav(recording: Recording) -> bytes:
    """Another sound of other length."""
    content = BytesIO()
    write_audio(content, recording[0][::-2] * 0.7, 24_000, format="wav")
    return content.getvalue()


def codes(base: Qwen3Synthesizer, voice: Voice) -> np.ndarray:
    return base.synthesize("Hello there.", voice=voice, seed=11, max_frames=12).codes


@contextmanager
def counted(base: Qwen3Synthesizer) -> Iterator[list[str]]:
    """The names of the encoders that were called, each call once."""
    calls: list[str] = []
    model = base.engine.model
    assert model.speaker_encoder is not None
    encoders = {"speaker": model.speaker_encoder, "codec": base.codec.model.encoder}
    hooks = [
        each.register_forward_hook(lambda *_, name=name: calls.append(name))
        for name, each in encoders.items()
    ]
    try:
        yield calls
    finally:
        for hook in hooks:
            hook.remove()


@pytest.mark.parametrize("mode", ["icl", "x_vector"])
def test_saved_loaded_and_cloned_again(
    base: Qwen3Synthesizer, wav: bytes, tmp_path: Path, mode: str
) -> None:
    library = VoiceLibrary(tmp_path / "voices")
    with counted(base) as calls:
        first = base.clone_voice(wav, TEXT, mode=mode)
    assert sorted(calls) == (["codec", "speaker"] if mode == "icl" else ["speaker"])
    entry = library.add(replace(first, name="tone"), name="tone", recording=wav)
    first.save(tmp_path / "file")
    again = base.clone_voice(library.recording_path(entry), TEXT, mode=mode)
    expected = codes(base, again)
    with counted(base) as calls:
        other = VoiceLibrary(tmp_path / "voices")  # as after a restart
        loaded = other.load(other.find("tone"))
        assert loaded is not None
        for voice in (loaded, Voice.load(tmp_path / "file"), first):
            assert np.array_equal(codes(base, voice), expected)
        for seed in range(3):
            base.synthesize("Once more.", voice=loaded, seed=seed, max_frames=3)
        list(base.stream("And streamed.", voice=loaded, seed=1, max_frames=3))
        base.synthesize_batch([SpeechRequest("One.", voice=loaded, seed=1, max_frames=2)] * 2)
    assert calls == []


def test_a_take_is_the_clone_of_its_own_recording(
    base: Qwen3Synthesizer, wav: bytes, other_wav: bytes, tmp_path: Path
) -> None:
    neutral, happy = base.clone_voice(wav, TEXT), base.clone_voice(other_wav, "Glad.")
    voice = neutral.with_take("happy", Take(happy.codes, happy.text, happy.vector))
    voice.save(tmp_path / "v")
    loaded = Voice.load(tmp_path / "v")
    with counted(base) as calls:
        assert np.array_equal(codes(base, loaded), codes(base, neutral))
        assert np.array_equal(codes(base, loaded.take("happy")), codes(base, happy))
    assert calls == []
    assert not np.array_equal(codes(base, happy), codes(base, neutral))


def test_a_take_without_a_vector_is_anchored_to_the_voice(
    base: Qwen3Synthesizer, wav: bytes, other_wav: bytes
) -> None:
    neutral, happy = base.clone_voice(wav, TEXT), base.clone_voice(other_wav, "Glad.")
    voice = neutral.with_take("happy", Take(happy.codes, happy.text))
    anchored = replace(happy, vector=neutral.vector)
    assert np.array_equal(codes(base, voice.take("happy")), codes(base, anchored))


def test_a_prompt_of_the_official_package(
    base: Qwen3Synthesizer, wav: bytes, tmp_path: Path
) -> None:
    for mode in ("icl", "x_vector"):
        voice = base.clone_voice(wav, TEXT, mode=mode)
        torch.save([item_of(voice, voice.text, torch.device("cpu"))], tmp_path / "v.pt")
        (found,) = from_official_prompt(tmp_path / "v.pt")
        with counted(base) as calls:
            assert np.array_equal(codes(base, found), codes(base, voice))
        assert calls == []


@pytest.mark.parametrize("method", METHODS)
def test_a_mix_speaks(
    base: Qwen3Synthesizer, wav: bytes, other_wav: bytes, tmp_path: Path, method: str
) -> None:
    """Whatever the order, also after its file; and it is neither of the two."""
    one, other = base.clone_voice(wav, TEXT), base.clone_voice(other_wav)
    both = mix([(one, 2), (other, 1)], method=method)
    turned = mix([(other, 1), (one, 2)], method=method)
    both.save(tmp_path / "v")
    with counted(base) as calls:
        expected = codes(base, both)
        assert np.array_equal(codes(base, turned), expected)
        assert np.array_equal(codes(base, Voice.load(tmp_path / "v")), expected)
    assert calls == []
    for part in (one, other):
        assert not np.array_equal(both.vector, part.vector)
