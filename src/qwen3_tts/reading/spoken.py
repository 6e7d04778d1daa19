"""One segment as the model made it, and whether that can be what its text says.

It holds 16-bit samples, as files do: half the memory, and what comes back from the cache is bit for
bit what was put there. Codes are int64 [T, K], a wave float32 [N].
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.audio.files import pcm16
from qwen3_tts.reading.matching import speech_level_db
from qwen3_tts.types import Codes, Wave

# Nobody says more letters than this in a second: a quick reader reaches 20. Of ideographs, kana
# and syllable blocks, which count two letters each, quick readers reach 10.
MOST_LETTERS_PER_S = 30.0
WIDE_LETTERS = 2
FIRST_WIDE = 0x2E80  # CJK, kana and hangul lie above


@dataclass(frozen=True, eq=False)
class Spoken:
    """`attempts` counts how often it was spoken until this one was chosen."""

    pcm: NDArray[np.int16]  # [N]
    sample_rate: int
    codes: Codes  # [T, K]
    seed: int
    finish_reason: str
    attempts: int = 1
    cached: bool = False  # read back, not made now

    @staticmethod
    def of(
        wave: Wave,
        sample_rate: int,
        codes: Codes,
        *,
        seed: int,
        finish_reason: str,
        attempts: int = 1,
        cached: bool = False,
    ) -> "Spoken":
        pcm = np.frombuffer(pcm16(wave), "<i2").astype(np.int16, copy=False)
        return Spoken(pcm, sample_rate, codes, seed, finish_reason, attempts, cached)

    @property
    def wave(self) -> Wave:
        return self.pcm.astype(np.float32) / np.float32(32768)

    @property
    def seconds(self) -> float:
        return len(self.pcm) / self.sample_rate

    def fault(self, text: str) -> str | None:
        """What is wrong with it as a reading of `text`; None where nothing can be told.

        A guard or "length" that ended it, "silent" without a sound, "short" where the text cannot
        have been said in that time.
        """
        if self.finish_reason != "stop":
            return self.finish_reason
        if speech_level_db(self.wave, self.sample_rate) is None:
            return "silent"
        return "short" if self.seconds * MOST_LETTERS_PER_S < letters(text) else None


# From a whole reading with a long silence behind it to one that broke off anywhere.
BY_WORTH = ("guard:silence", "length", "guard:budget", "short", "guard:loop", "silent")


def worth(fault: str | None) -> int:
    """How far behind speech with this fault is when the best is chosen; 0 is best."""
    if fault is None:
        return 0
    return 1 + (BY_WORTH.index(fault) if fault in BY_WORTH else len(BY_WORTH))


def letters(text: str) -> int:
    """Letters of a text, for how long saying them takes at least; digits and signs count none."""
    return sum(WIDE_LETTERS if ord(char) >= FIRST_WIDE else 1 for char in text if char.isalpha())
