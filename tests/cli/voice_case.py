"""`voice` alone, over a folder of voices and tiny random checkpoints that are loaded once."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import qwen3_tts
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.cli import main as main_module
from qwen3_tts.cli import voice as voice_command
from qwen3_tts.cli.messages import PROGRAM, Parser
from qwen3_tts.types import Speech, SpeechRequest, Voice
from qwen3_tts.voices.library import VoiceLibrary
from tests.cli.conftest import Ran, Run
from tests.conftest import WriteCheckpoint

TEXT = "A short word."
FRAMES = 6  # of every speech: a random model does not end by itself
Command = Callable[..., Ran]
Model = tuple[object, ...]


@pytest.fixture
def voices(tmp_path: Path) -> VoiceLibrary:
    return VoiceLibrary(tmp_path / "voices")


@pytest.fixture
def command(cli: Run, voices: VoiceLibrary, monkeypatch: pytest.MonkeyPatch) -> Command:
    """`command("list")` runs `qwen3-tts voice list` on this folder of voices."""
    monkeypatch.setenv("QWEN3_TTS_VOICES_DIR", str(voices.folder))

    def only_this() -> Parser:
        parser = Parser(prog=PROGRAM)
        parser.set_defaults(run=None)
        voice_command.add_parser(parser.add_subparsers())
        return parser

    monkeypatch.setattr(main_module, "_parser", only_this)
    return lambda *words: cli("voice", *words)


@pytest.fixture(scope="session")
def opened() -> dict[Path, Qwen3Synthesizer]:
    """Checkpoints in memory, by folder."""
    return {}


class Lent:
    """A shared model that speaks briefly, and is not closed by who uses it."""

    def __init__(self, synthesizer: Qwen3Synthesizer):
        self.synthesizer, self.clone_voice = synthesizer, synthesizer.clone_voice

    def synthesize_batch(self, requests: list[SpeechRequest]) -> list[Speech]:
        brief = [replace(request, max_frames=FRAMES) for request in requests]
        return self.synthesizer.synthesize_batch(brief)

    def close(self) -> None:
        pass


@pytest.fixture
def loads(monkeypatch: pytest.MonkeyPatch, opened: dict[Path, Qwen3Synthesizer]) -> list[str]:
    """The kinds of checkpoints that a command has loaded; each is really loaded once."""
    loaded: list[str] = []
    real = qwen3_tts.load

    def load(folder: Path, **options: object) -> Lent:
        if folder not in opened:
            opened[folder] = real(folder, device="cpu", dtype="float32")
        loaded.append(opened[folder].kind)
        return Lent(opened[folder])

    monkeypatch.setattr(qwen3_tts, "load", load)
    return loaded


@pytest.fixture
def base_model(checkpoint: WriteCheckpoint) -> Model:
    return ("--model", checkpoint("base"), "--device", "cpu")


@pytest.fixture
def design_model(checkpoint: WriteCheckpoint) -> Model:
    return ("--model", checkpoint("voice_design", True), "--device", "cpu")


def failed(ran: Ran, *parts: str, code: int = 1) -> None:
    """One line on stderr that has these parts, and nothing else."""
    assert (ran.code, ran.out, ran.err.count("\n")) == (code, b"", 1), ran
    assert ran.err.startswith("qwen3-tts: ")
    for part in parts:
        assert part in ran.err


def kept(voices: VoiceLibrary, name: str) -> Voice:
    """As another process finds it."""
    voice = VoiceLibrary(voices.folder).load(voices.find(name))
    assert voice is not None
    return voice


def codes(base: Qwen3Synthesizer, voice: Voice) -> np.ndarray:
    return base.synthesize("Hello.", voice=voice, seed=3, max_frames=5).codes
