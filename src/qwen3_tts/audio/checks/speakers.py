"""Is there more than one person in a recording: do its parts fall into two kinds of voice.

Whoever asks hands in the speaker encoder. Encoders differ in how alike two parts of one voice are,
so nothing is compared with a fixed number: two groups of parts have to lie clearly further from
each other than each is wide. That is conservative: people who speak at once, who are alike, or of
whom one says less than three seconds are not told apart. Dims: W parts, D vector.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from qwen3_tts.audio.checks.findings import Finding
from qwen3_tts.audio.files import Wave, checked_rate, finite
from qwen3_tts.audio.levels import levels
from qwen3_tts.errors import InvalidAudio

Embed = Callable[[Wave, int], Any]  # a wave [N] and its rate -> a speaker vector [D]

PART_S = 1.5
MOST_PARTS = 40  # a minute of speech; the rest is not looked at

_FEWEST, _FEWEST_EACH = 5, 2  # parts
_FARTHER = 2.5  # times as far between the groups as within them
_DISTANCE = 0.1  # between the groups at least: one minus the cosine


def check_speakers(wave: Wave, rate: int, embed: Embed) -> list[Finding]:
    """`several_speakers` where a mono recording [N] clearly has two voices one after the other.

    The speech is cut into parts of 1.5 s, pauses left out, and `embed` is called for each. Under
    7.5 s of speech nothing can be told. `value` is the cosine between the two groups.
    Raises `InvalidAudio` as `check_recording` does.
    """
    wave, rate = finite(wave), checked_rate(rate)
    if not len(wave):
        raise InvalidAudio("the recording holds no samples")
    parts = _parts(wave, rate)
    if len(parts) < _FEWEST:
        return []
    vectors = np.stack([np.asarray(embed(part, rate), np.float64).ravel() for part in parts])
    vectors /= np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-12)  # [W, D]
    cosine = _between_groups(vectors @ vectors.T)
    if cosine is None:
        return []
    return [
        Finding(
            "several_speakers",
            "warning",
            "the recording seems to have more than one speaker",
            "use a part in which one person speaks alone; a mixed voice is nobody's",
            cosine,
        )
    ]


def _parts(wave: Wave, rate: int) -> list[Wave]:
    """The speech in pieces of equal length, joined across its pauses."""
    spans = levels(wave, rate).spans(speech=True)
    spoken = [wave[round(start * rate) : round(end * rate)] for start, end in spans]
    speech = np.concatenate([np.zeros(0, np.float32), *spoken])
    size = round(PART_S * rate)
    count = min(MOST_PARTS, len(speech) // size)
    return [speech[index * size : (index + 1) * size] for index in range(count)]


def _between_groups(likeness: Any) -> float | None:
    """The likeness between two clearly separate groups of [W, W], or None.

    Medians, as the part in which one speaker follows the other belongs to neither.
    """
    a, b = np.unravel_index(int(np.argmin(likeness)), likeness.shape)
    first = likeness[a] >= likeness[b]  # [W]
    for _ in range(10):
        if min(first.sum(), (~first).sum()) < _FEWEST_EACH:
            return None
        to_first, to_second = likeness[:, first].mean(axis=1), likeness[:, ~first].mean(axis=1)
        first = to_first >= to_second
    if min(first.sum(), (~first).sum()) < _FEWEST_EACH:
        return None
    off_diagonal = ~np.eye(len(likeness), dtype=bool)
    same = (first[:, None] == first[None, :]) & off_diagonal
    within = float(np.median(likeness[same]))
    between = float(np.median(likeness[~same & off_diagonal]))
    clear = 1 - between >= max(_DISTANCE, _FARTHER * (1 - within))
    return between if clear else None
