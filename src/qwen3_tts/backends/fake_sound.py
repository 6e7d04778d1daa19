"""What a fake engine says: tones that tell exactly who spoke what, and faults on demand.

Every frame is a tone of whole cycles, so frames join without a click and a frame needs nothing of
those before it. Seed and voice set the loudness and shift the pitch, the character chooses the
pitch, so any two speeches that differ in one of them differ in their samples.
"""

import hashlib
import re
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.types import Codes, Voice, Wave

RATE, FRAME, GROUPS = 24_000, 1_920, 16
TONES = 251  # a prime below 256, so that characters of other scripts do not fall together
LOWEST = 8  # cycles in a frame: 100 Hz
VOICES = ("ann", "bob", "carl", "dora")

COMMAND = re.compile(r"\[(?:(fail|oom):(\d{1,6})|(slow):(\d{1,4}(?:\.\d{1,4})?)|(hang|endless))\]")


@dataclass(frozen=True)
class Timbre:
    """What seed and voice make of a tone."""

    shift: int
    level: float
    code: int

    @staticmethod
    def of(seed: int, voice: str | Voice | None) -> "Timbre":
        """A preset counts by its name in lower case, a cloned voice by its vector."""
        who = voice.vector.tobytes() if isinstance(voice, Voice) else (voice or "").lower().encode()
        digest = hashlib.sha256(f"{seed} ".encode() + who).digest()
        loud = int.from_bytes(digest[2:4], "big") / 65535
        code = int.from_bytes(digest[4:6], "big") % 2048
        return Timbre(int.from_bytes(digest[:2], "big"), 0.1 + 0.8 * loud, code)


@dataclass(frozen=True)
class Commands:
    """Faults that a text asks for; frames count from its start."""

    fail_at: int | None = None
    oom_at: int | None = None
    slow_s: float | None = None  # per frame
    hang: bool = False
    endless: bool = False

    @staticmethod
    def of(text: str) -> "Commands":
        if "[" not in text:
            return Commands()
        found: dict[str, str] = {}
        for fault, frames, slow, seconds, flag in COMMAND.findall(text):
            found[fault or slow or flag] = frames or seconds
        return Commands(
            fail_at=int(found["fail"]) if "fail" in found else None,
            oom_at=int(found["oom"]) if "oom" in found else None,
            slow_s=float(found["slow"]) if "slow" in found else None,
            hang="hang" in found,
            endless="endless" in found,
        )


def expected_wave(
    text: str,
    *,
    seed: int,
    voice: str | Voice | None = VOICES[0],
    frames_per_char: int = 1,
    frames: int | None = None,
) -> Wave:
    """The samples a fake makes of this text, bit by bit; None or "" is no speaker.

    `frames` cuts the speech, or lets it begin again, as "[endless]" does.
    """
    wanted = len(text) * frames_per_char if frames is None else frames
    timbre = Timbre.of(seed, voice)
    return sound_of(tones(text, timbre, frames_per_char, 0, wanted), timbre)


def tones(text: str, timbre: Timbre, per_char: int, start: int, stop: int) -> NDArray[np.intp]:
    """The tone of each frame from `start` to `stop`; a text that is over begins again."""
    chars = (text[i // per_char % len(text)] for i in range(start, stop))
    return np.array([(timbre.shift + ord(char)) % TONES for char in chars], dtype=np.intp)


def sound_of(chosen: NDArray[np.intp], timbre: Timbre) -> Wave:
    wave: Wave = (_bank()[chosen] * np.float32(timbre.level)).reshape(-1)
    return wave


def codes_of(chosen: NDArray[np.intp], timbre: Timbre) -> Codes:
    """Codes [T, K]: the tone, then what belongs to seed and voice."""
    codes = np.full((len(chosen), GROUPS), timbre.code, dtype=np.int64)
    codes[:, 0] = chosen
    return codes


@cache
def _bank() -> Wave:
    """One frame of every tone, [TONES, FRAME]; 1.9 MB."""
    cycles = LOWEST + np.arange(TONES)[:, None]
    return np.sin(2 * np.pi * cycles * np.arange(FRAME) / FRAME).astype(np.float32)
