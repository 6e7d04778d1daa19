"""What `import qwen3_tts` offers: names, signatures, and one walk through all of it."""

import inspect
from dataclasses import fields
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qwen3_tts
from qwen3_tts import errors
from qwen3_tts.audio.files import read_audio
from qwen3_tts.backends.base import Synthesizer
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.engine.options import EngineOptions
from qwen3_tts.types import SpeakOptions, SpeechRequest
from qwen3_tts.weights import transfer
from qwen3_tts.weights.published import LANGUAGES, SPEAKERS


def test_every_name_is_there_and_they_are_few() -> None:
    assert all(hasattr(qwen3_tts, name) for name in qwen3_tts.__all__)
    assert len(qwen3_tts.__all__) == len(set(qwen3_tts.__all__)) <= 12
    public = {name for name in vars(qwen3_tts) if not name.startswith("_")}
    modules = {name for name in public if inspect.ismodule(getattr(qwen3_tts, name))}
    assert public - modules - set(qwen3_tts.__all__) <= {"Path", "TYPE_CHECKING"}


def test_the_version_is_the_package_metadata() -> None:
    assert qwen3_tts.__version__ == version("qwen3-tts")


def test_errors_have_codes_of_their_own() -> None:
    """Each class names a code for machines; no two share one."""
    classes = [c for c in vars(errors).values() if inspect.isclass(c)]
    codes = {c.__name__: c.code for c in classes if issubclass(c, errors.SpeechError)}
    assert len(set(codes.values())) == len(codes) >= 18
    assert all(code == code.lower() and code.replace("_", "").isalpha() for code in codes.values())


def signature(function: Any) -> list[tuple[str, Any, Any]]:
    parameters = inspect.signature(function).parameters.values()
    return [(p.name, p.kind, p.default) for p in parameters]


@pytest.mark.parametrize(
    "name", ["synthesize", "stream", "open_stream", "synthesize_batch", "clone_voice"]
)
def test_the_synthesizer_keeps_the_protocol(name: str) -> None:
    assert signature(getattr(Qwen3Synthesizer, name)) == signature(getattr(Synthesizer, name))


def test_synthesize_takes_what_a_request_has(preset: Qwen3Synthesizer) -> None:
    """Every field of a request is a keyword; any other name is refused, by name."""
    speech = preset.synthesize("Hi.", **dict.fromkeys(("voice", "instruct", "guard")))
    assert speech.finish_reason
    assert [f.name for f in fields(SpeechRequest)] == ["text", *SpeakOptions.__annotations__]
    with pytest.raises(TypeError, match="speed"):
        preset.synthesize("Hi.", speed=2)  # type: ignore[call-arg]


def test_what_a_checkpoint_offers(
    base: Qwen3Synthesizer, preset: Qwen3Synthesizer, design: Qwen3Synthesizer
) -> None:
    assert [s.kind for s in (base, preset, design)] == ["base", "custom_voice", "voice_design"]
    assert preset.voices == sorted(SPEAKERS)
    assert base.voices == design.voices == []
    for synthesizer in (base, preset, design):
        assert synthesizer.languages == sorted(LANGUAGES)
        assert "auto" not in synthesizer.languages
        assert synthesizer.sample_rate == 24_000


def test_load_speak_save(checkpoint: Any, tmp_path: Path) -> None:
    options = EngineOptions(max_rows=2)
    tts = qwen3_tts.load(
        str(checkpoint("custom_voice", wide=True)), device="cpu", dtype="float32", options=options
    )
    speech = tts.synthesize("Hello.", voice="ryan", language="English", seed=1, max_frames=6)
    speech.save(tmp_path / "hello.wav")
    wave, rate = read_audio(tmp_path / "hello.wav")
    assert rate == speech.sample_rate
    np.testing.assert_allclose(wave, speech.wave, rtol=0, atol=1 / 32768)  # 16 bits
    assert np.array_equal(tts.codec.decode(speech.codes), speech.wave)


def test_clone_save_load_speak(
    base: Qwen3Synthesizer, recording: tuple[np.ndarray, int], tmp_path: Path
) -> None:
    voice = base.clone_voice(recording, text="A word.", name="anna")
    voice.save(tmp_path / "anna.safetensors")
    loaded = qwen3_tts.Voice.load(tmp_path / "anna.safetensors")
    first = base.synthesize("Hello.", voice=voice, seed=4, max_frames=4)
    second = base.synthesize("Hello.", voice=loaded, seed=4, max_frames=4)
    assert np.array_equal(first.codes, second.codes)
    assert np.array_equal(first.wave, second.wave)


def test_a_checkpoint_without_a_network(checkpoint: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder needs no hub: nothing asks for the library that would reach it."""

    def refuse() -> None:
        raise AssertionError("the hub was asked for a folder")

    monkeypatch.setattr(transfer, "require_library", refuse)
    assert qwen3_tts.load(checkpoint("base"), device="cpu").kind == "base"
