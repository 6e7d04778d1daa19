"""Where a recording is loud: its level block by block, its pauses, and the speech between them.

Blocks last 10 ms, and their levels are smoothed over three. A block is speech when it is well above
the quietest twentieth of the recording (its noise) and not far below the loudest twentieth; where
these two are nearly alike there is no telling them apart, and all counts as speech. Gaps
shorter than a pause belong to the speech around them, and sounds shorter than a syllable (a click)
are no speech. Dims: N samples, F blocks.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.audio.files import Wave

BLOCK_S = 0.01
PAUSE_S = 0.15  # shorter gaps are closures of plosives, not pauses
FLOOR_DB = -120.0  # of full scale: what silence counts as

_SHORTEST_S = 0.05  # of a sound that is speech; smoothing makes a click four blocks long
_RANGE_DB = 40.0  # speech spans about this from its loudest vowels to its quietest consonants
_ABOVE_NOISE_DB = 8.0  # or half way up to the speech, where that is less
_ALIKE_DB = 6.0


@dataclass(frozen=True, eq=False)
class Levels:
    """A recording as levels. Times are in seconds from its start."""

    db: NDArray[np.float64]  # [F] of full scale
    speech: NDArray[np.bool_]  # [F]
    noise_db: float  # the quietest twentieth
    speech_db: float  # the loudest twentieth
    seconds: float

    @property
    def speech_s(self) -> float:
        """Time spent speaking: without the pauses."""
        return min(self.seconds, int(self.speech.sum()) * BLOCK_S)

    def spans(self, speech: bool) -> list[tuple[float, float]]:
        """Start and end of every stretch of speech, or of everything else."""
        edges = np.flatnonzero(np.diff(np.concatenate([[False], self.speech == speech, [False]])))
        ends = np.minimum(edges * BLOCK_S, self.seconds)
        return [(float(a), float(b)) for a, b in zip(ends[::2], ends[1::2], strict=True)]

    def pauses(self) -> list[tuple[float, float]]:
        """Start and end of every pause between two stretches of speech."""
        return [(a, b) for a, b in self.spans(speech=False) if a > 0 and b < self.seconds]


def levels(wave: Wave, rate: int) -> Levels:
    """Measure a finite wave [N] of at least one sample; a DC offset plays no part."""
    size = max(1, round(BLOCK_S * rate))
    num_blocks = max(1, len(wave) // size)
    blocks = wave[: num_blocks * size].reshape(num_blocks, -1)
    offset = float(blocks.mean(dtype=np.float64))
    mean = blocks.mean(axis=1, dtype=np.float64)  # [F]
    power = np.einsum("fn,fn->f", blocks, blocks, dtype=np.float64) / blocks.shape[1]
    power = np.maximum(power - 2 * offset * mean + offset**2, 0)  # of what is off the middle
    padded = np.pad(power, 1, mode="edge")
    power = (padded[:-2] + padded[1:-1] + padded[2:]) / 3
    db = 10 * np.log10(power + 10 ** (FLOOR_DB / 10))
    noise_db, speech_db = (float(value) for value in np.percentile(db, (5, 95)))
    apart_db = speech_db - noise_db
    lowest = noise_db + min(_ABOVE_NOISE_DB, apart_db / 2) if apart_db >= _ALIKE_DB else FLOOR_DB
    loud = db > max(lowest, speech_db - _RANGE_DB, FLOOR_DB + 1)
    speech = ~_without_short(~_without_short(loud, _SHORTEST_S), PAUSE_S, inner=True)
    return Levels(db, speech, noise_db, speech_db, len(wave) / rate)


def _without_short(mask: Any, shortest_s: float, inner: bool = False) -> Any:
    """`mask` [F] without runs of True shorter than this; `inner` spares those at the ends."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], mask, [False]])))
    kept = mask.copy()
    for start, end in zip(edges[::2], edges[1::2], strict=True):
        at_an_end = start == 0 or end == len(mask)
        if (end - start) * BLOCK_S < shortest_s - 1e-9 and not (inner and at_an_end):
            kept[start:end] = False
    return kept
