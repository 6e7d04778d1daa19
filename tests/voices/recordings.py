"""Recordings and voices for tests of the library."""

import io
from pathlib import Path

import numpy as np

from qwen3_tts.audio.files import write_audio
from qwen3_tts.types import Voice

VOICE = Voice(
    np.arange(4, dtype=np.float32),
    np.arange(32).reshape(2, 16),
    "What the recording says.",
    "german",
    "mine",
)


def wav(level: float = 0.5) -> bytes:
    target = io.BytesIO()
    wave = np.tile(np.repeat([level, -level], 4), 100).astype(np.float32)  # 1 kHz
    write_audio(target, wave, 8000, format="wav")
    return target.getvalue()


def same(one: Voice | None, other: Voice) -> bool:
    if one is None or one.codes is None or other.codes is None:
        return False
    return (
        np.array_equal(one.vector, other.vector)
        and np.array_equal(one.codes, other.codes)
        and (one.text, one.language, one.name) == (other.text, other.language, other.name)
    )


def hidden(folder: Path) -> list[str]:
    """What a writer has left behind, other than its lock."""
    return [path.name for path in folder.glob(".*") if path.name != ".lock"]
