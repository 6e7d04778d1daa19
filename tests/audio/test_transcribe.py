"""faster-whisper behind the `Transcriber` door, imitated: it is not installed for tests."""

import sys
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest

from qwen3_tts.audio.transcribe import FasterWhisper
from qwen3_tts.errors import MissingPackage

WAVE = np.zeros(24_000, np.float32)


def test_the_model_is_loaded_once_and_told_the_language(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, dict[str, Any]]] = []
    heard: list[tuple[int, str | None]] = []

    class WhisperModel:
        def __init__(self, name: str, **options: Any):
            made.append((name, options))

        def transcribe(self, wave: np.ndarray, language: str | None) -> Any:
            heard.append((len(wave), language))
            return iter([SimpleNamespace(text=" What"), SimpleNamespace(text=" it says. ")]), None

    package = ModuleType("faster_whisper")
    package.WhisperModel = WhisperModel  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "faster_whisper", package)
    transcribe = FasterWhisper("tiny", device="cpu")
    assert made == []
    assert transcribe(WAVE, 24_000, "german") == "What it says."
    transcribe(WAVE, 24_000, None)
    transcribe(WAVE, 24_000, "klingon")
    assert made == [("tiny", {"device": "cpu"})]
    assert heard == [(16_000, "de"), (16_000, None), (16_000, None)]  # at 16 kHz


def test_without_the_package_the_error_says_how_to_add_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "faster_whisper", None)
    with pytest.raises(MissingPackage, match=r"pip install 'qwen3-tts\[transcribe\]'"):
        FasterWhisper()(WAVE, 24_000, None)
