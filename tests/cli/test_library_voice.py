"""`say --voice` looks in the user's library, and `--style` picks a take."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import qwen3_tts
from qwen3_tts.types import Take, Voice
from qwen3_tts.voices.library import VoiceLibrary
from tests.cli.conftest import Run
from tests.conftest import WriteCheckpoint
from tests.fake_synthesizer import FakeSynthesizer

VECTOR = np.arange(64, dtype=np.float32)


@pytest.fixture
def library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> VoiceLibrary:
    folder = tmp_path / "voices"
    monkeypatch.setenv("QWEN3_TTS_VOICES_DIR", str(folder))
    library = VoiceLibrary(folder)
    codes = np.zeros((3, 16), dtype=np.int64)
    anna = Voice(VECTOR, takes={"happy": Take(codes, "Glad.")})
    library.add(anna, name="Anna", language="english")
    library.add(replace(anna, takes={}), name="Ryan")  # as a preset is called
    return library


@pytest.fixture
def speaker(monkeypatch: pytest.MonkeyPatch) -> FakeSynthesizer:
    """What is loaded once a request has passed the checks on the real checkpoint."""
    synthesizer = FakeSynthesizer()
    monkeypatch.setattr(FakeSynthesizer, "voices", ["ryan", "serena"])
    monkeypatch.setattr(qwen3_tts, "load", lambda *given, **options: synthesizer)
    return synthesizer


def test_a_voice_of_the_library(
    cli: Run, library: VoiceLibrary, speaker: FakeSynthesizer, checkpoint: WriteCheckpoint
) -> None:
    model = ("--model", checkpoint("base"))
    assert cli("say", "hello", "--voice", "anna", *model).code == 0
    request = speaker.requests[-1]
    assert isinstance(request.voice, Voice)
    assert (request.voice.name, request.voice.language) == ("Anna", "english")
    assert np.array_equal(request.voice.vector, VECTOR)
    assert cli("say", "hello", "--voice", "anna", "--style", "Happy", *model).code == 0
    assert speaker.requests[-1].style == "Happy"
    ran = cli("say", "hello", "--voice", "anna", "--style", "sad", *model)
    assert (ran.code, ran.err.count("\n")) == (1, 1)
    assert "has no style 'sad'; have: neutral, happy" in ran.err
    library.find("anna")


def test_a_preset_comes_first(
    cli: Run, library: VoiceLibrary, speaker: FakeSynthesizer, checkpoint: WriteCheckpoint
) -> None:
    model = ("--model", checkpoint("custom_voice"))
    assert cli("say", "hello", "--voice", "ryan", *model).code == 0
    assert speaker.requests[-1].voice == "ryan"
    ran = cli("say", "hello", "--voice", "anna", *model)
    assert (ran.code, len(speaker.requests)) == (1, 1)
    assert "cannot speak in a cloned voice; load a base checkpoint" in ran.err
    ran = cli("say", "hello", "--voice", "nobody", *model)
    assert (ran.code, "voice 'nobody' is unknown; have: " in ran.err) == (1, True)
    ran = cli("say", "hello", "--voice", "ryan", "--style", "happy", *model)
    assert (ran.code, "style 'happy' needs a cloned voice" in ran.err) == (1, True)


def test_a_style_needs_a_voice(cli: Run) -> None:
    ran = cli("say", "hello", "--style", "happy")
    assert (ran.code, "--style needs --voice NAME or --voice-file FILE" in ran.err) == (2, True)
