"""How loud speech is, and the one gain that each segment gets so that none of them stands out.

A wave is float32 [N] in -1..1; levels are in dB relative to a full-scale square wave (dBFS).
"""

import math

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.types import Wave

WINDOW_S = 0.02
FLOOR_DB = -50.0  # below a quiet room as recorded; never speech
GATE_DB = 10.0  # under the mean: pauses and dying sounds say nothing about loudness (BS.1770)
MEMORY_S = 60.0  # of speech that the usual level is an average of
STEP_DB = 0.5  # by which the aim may move from one segment to the next: less than is heard
PEAK = 0.98  # no gain lifts a sample above this

# A sample is quiet when its window lies this far under the speech around it.
QUIET_UNDER_DB = 30.0
QUIET_DB = (-60.0, -40.0)  # and never outside of this


def window_powers(wave: Wave, window: int) -> NDArray[np.float64]:
    """Mean squares of whole windows, [N // window]; the rest is left out."""
    whole = wave[: len(wave) // window * window].reshape(-1, window)
    squares: NDArray[np.float64] = np.einsum("wn,wn->w", whole, whole, dtype=np.float64)
    return squares / window


def speech_level_db(wave: Wave, rate: int) -> float | None:
    """The level of the speech in a wave, pauses left out; None where there is none."""
    powers = window_powers(wave, max(1, round(WINDOW_S * rate)))
    powers = powers[powers > 10 ** (FLOOR_DB / 10)]
    if not len(powers):
        return None
    loud = powers[powers > powers.mean() * 10 ** (-GATE_DB / 10)]
    return 10 * math.log10(float(loud.mean()))


class Loudness:
    """One fixed gain per segment, toward the level of the speech so far; `most_db` either way.

    The aim begins at the first segment's own level and follows the average of what the model makes
    by at most `STEP_DB` a segment. So neighbours differ by no more than that, as long as the
    gains they need are within `most_db`, and a single odd segment moves nothing. 0 turns it off.
    """

    def __init__(self, most_db: float):
        self.most_db = most_db
        self.aim_db: float | None = None
        self._usual_db = 0.0
        self._heard_s = 0.0

    def gain_db(self, wave: Wave, rate: int, more_db: float = 0.0) -> float:
        """The gain of the next segment, whose wave is given whole; `more_db` is wanted on top."""
        level_db = speech_level_db(wave, rate)
        if level_db is None:
            return 0.0
        matched_db = 0.0
        if self.most_db and self.aim_db is not None:
            matched_db = max(-self.most_db, min(self.most_db, self.aim_db - level_db))
        self._hear(level_db, len(wave) / rate)
        headroom_db = 20 * math.log10(PEAK / float(np.abs(wave).max()))
        return min(matched_db + more_db, max(0.0, headroom_db))

    def hear(self, wave: Wave, rate: int) -> None:
        """Count a segment that left as it was."""
        level_db = speech_level_db(wave, rate)
        if level_db is not None:
            self._hear(level_db, len(wave) / rate)

    @property
    def quiet_db(self) -> float:
        """Below this a window of the sound that follows is silence."""
        lowest, highest = QUIET_DB
        if self.aim_db is None:
            return FLOOR_DB
        return max(lowest, min(highest, self.aim_db - QUIET_UNDER_DB))

    def _hear(self, level_db: float, seconds: float) -> None:
        self._heard_s = min(self._heard_s + seconds, MEMORY_S)
        self._usual_db += (level_db - self._usual_db) * min(1.0, seconds / self._heard_s)
        if self.aim_db is None:
            self.aim_db = level_db
        self.aim_db += max(-STEP_DB, min(STEP_DB, self._usual_db - self.aim_db))
