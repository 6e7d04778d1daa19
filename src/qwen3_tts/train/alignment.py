"""When each text unit is spoken, and which units each frame speaks.

Word times come with the corpus; inside a word, time is shared evenly among its letters and digits.
Silence after a word belongs to the punctuation that ends it, else to the blank before the next.
No tensors here. U units of a text, T frames.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

FRAME_S = 0.08
TOLERANCE_S = 0.02  # times of the corpus are about this exact

Word = tuple[int, int, float, float]  # first and last character + 1, from and to in seconds


def unit_characters(text: str, unit_bytes: Sequence[int]) -> list[tuple[int, int]]:
    """First character and last + 1 of every unit, from the units' lengths in bytes.

    A unit that ends inside a character counts the whole character.
    """
    char_of = [i for i, char in enumerate(text) for _ in range(len(char.encode("utf-8")))]
    assert sum(unit_bytes) == len(char_of), (text, sum(unit_bytes), len(char_of))
    ends = np.cumsum(unit_bytes)
    return [(char_of[e - n], char_of[e - 1] + 1) for e, n in zip(ends, unit_bytes, strict=True)]


def character_times(text: str, words: Sequence[Word], duration_s: float) -> NDArray[np.float64]:
    """Bounds [len(text) + 1]: character i is spoken from bounds[i] to bounds[i + 1]."""
    bounds = np.zeros(len(text) + 1)
    at, now_s = 0, 0.0
    for index, (first, last, start_s, end_s) in enumerate(words):
        next_s = words[index + 1][2] if index + 1 < len(words) else duration_s
        start_s, end_s = max(start_s, now_s), max(end_s, now_s)
        if index > 0:
            bounds[at:first] = now_s  # the blank before the word begins where the last one ended
        spoken = [i for i in range(first, last) if text[i].isalnum()] or [*range(first, last)]
        share = (end_s - start_s) / len(spoken)
        now_s = start_s
        for i in range(first, last):
            bounds[i] = now_s if i > first or index == 0 else start_s
            if i in spoken:
                now_s += share
        at = last
        if last > spoken[-1] + 1:  # punctuation takes the silence that follows
            now_s = max(next_s, now_s)
    bounds[at:] = now_s
    bounds[0] = 0.0
    bounds[len(text)] = max(duration_s, now_s)
    return np.maximum.accumulate(bounds)


def frame_units(
    characters: Sequence[tuple[int, int]],
    bounds: NDArray[np.float64],
    num_frames: int,
    speech_end_s: float,
    tolerance_s: float = TOLERANCE_S,
) -> NDArray[np.int16]:
    """First and last unit that each frame speaks, [T + 1, 2]; unit U is the end of the text.

    Frames after the last word may also look at the end of the text, and the step after the last
    frame, which ends the speech, looks at nothing else.
    """
    num_units = len(characters)
    starts = np.array([bounds[first] for first, _ in characters])
    ends = np.array([bounds[last] for _, last in characters])
    frames = np.arange(num_frames) * FRAME_S
    low = np.searchsorted(ends, frames - tolerance_s, side="right")
    high = np.searchsorted(starts, frames + FRAME_S + tolerance_s, side="left") - 1
    low = np.clip(low, 0, num_units - 1)
    high = np.clip(high, low, num_units - 1)
    high[frames + tolerance_s >= speech_end_s] = num_units
    units = np.full((num_frames + 1, 2), num_units, np.int16)
    units[:-1, 0], units[:-1, 1] = low, high
    return units
