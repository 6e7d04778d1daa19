"""Make a recording fit to be cloned: off-centre, silent ends and too much length are taken away.

Nothing else is changed: no gain, no filter, no noise taken out, all of which a clone would hear.
"""

from dataclasses import dataclass

import numpy as np

from qwen3_tts.audio.files import Wave, checked_rate, finite
from qwen3_tts.audio.levels import BLOCK_S, Levels, levels
from qwen3_tts.errors import InvalidAudio, InvalidRequest

LONGEST_S = 15.0

_BEFORE_S, _AFTER_S = 0.1, 0.25  # silence left at the ends: breath, and the last sound dying away
_WORTH_S = 0.1  # less silence than this beyond that is left alone
_DC = 0.002  # of full scale: less is in any microphone's recording, and inaudible
_FADE_S = 0.005  # at a cut, so that it makes no click
_EARLIEST = 0.4  # of what may stay: a pause before this is too early to cut at
_AS_LONG = 0.6  # of the longest pause: the last one that is as long as this is cut at
_QUIET_S = 0.05  # where there is no pause, cut in the softest moment this long


@dataclass(frozen=True, eq=False)
class Cleaned:
    """A recording fit to be cloned, and what was done to it.

    `wave` [N] is what was between `start_s` and `end_s` of the original. `cut` says whether speech
    was cut off: then the transcript no longer fits. `notes` are sentences for people.
    """

    wave: Wave
    rate: int
    start_s: float
    end_s: float
    notes: tuple[str, ...]
    cut: bool = False


def clean_recording(wave: Wave, rate: int, *, longest_s: float = LONGEST_S) -> Cleaned:
    """Take a DC offset and silent ends from a mono wave [N], and cut it to `longest_s` at a pause.

    The cut is in the last long pause of what may stay, or, where there is no pause, in the softest
    moment. A recording with nothing to be done gives its wave back bit for bit. Raises
    `InvalidAudio` for no samples, NaN, infinity or a rate outside 1,000..768,000, `InvalidRequest`
    for a `longest_s` under one second.
    """
    wave, rate = finite(wave), checked_rate(rate)
    if not len(wave):
        raise InvalidAudio("the recording holds no samples")
    if not (isinstance(longest_s, int | float) and longest_s >= 1):
        raise InvalidRequest(f"longest_s `{longest_s}` is not a number of seconds from 1 on")
    notes: list[str] = []
    offset = float(wave.mean(dtype=np.float64))
    if abs(offset) >= _DC:
        wave = wave - np.float32(offset)
        notes.append(f"an offset of {100 * offset:.1f} % of full scale was taken out")
    level = levels(wave, rate)
    start_s, end_s = _ends(level)
    if start_s or end_s < level.seconds:
        notes.append(f"silence was taken off: {start_s + level.seconds - end_s:.1f} s")
    cut = end_s - start_s > longest_s
    if cut:
        end_s, at_a_pause = _cut(level, start_s, longest_s)
        where = "at a pause" if at_a_pause else "where it is softest, as there was no pause"
        notes.append(f"the recording was cut after {end_s - start_s:.1f} s, {where}")
    start, end = round(start_s * rate), min(len(wave), round(end_s * rate))
    part = _faded(wave[start:end], rate, at_start=start > 0, at_end=end < len(wave))
    return Cleaned(part, rate, start_s, end_s, tuple(notes), cut)


def _ends(level: Levels) -> tuple[float, float]:
    """Where the speech begins and ends, with a little silence around it; all if there is none."""
    spans = level.spans(speech=True)
    if not spans:
        return 0.0, level.seconds
    start_s, end_s = spans[0][0] - _BEFORE_S, spans[-1][1] + _AFTER_S
    return (
        start_s if start_s > _WORTH_S else 0.0,
        end_s if level.seconds - end_s > _WORTH_S else level.seconds,
    )


def _cut(level: Levels, start_s: float, longest_s: float) -> tuple[float, bool]:
    """Where to end, at the latest `longest_s` after the start, and whether that is in a pause."""
    first_s, last_s = start_s + _EARLIEST * longest_s, start_s + longest_s
    pauses = [(b - a, a) for a, b in level.pauses() if first_s <= a <= last_s - _QUIET_S]
    if pauses:
        enough_s = _AS_LONG * max(pauses)[0]
        lasts_s, begins_s = [pause for pause in pauses if pause[0] >= enough_s][-1]
        return min(begins_s + min(lasts_s, _AFTER_S), last_s), True
    width = round(_QUIET_S / BLOCK_S)
    low, high = round((start_s + 0.7 * longest_s) / BLOCK_S), round(last_s / BLOCK_S)
    quiet = np.convolve(10 ** (level.db[low:high] / 10), np.ones(width), "valid")
    return (low + int(np.argmin(quiet)) + width / 2) * BLOCK_S, False


def _faded(wave: Wave, rate: int, *, at_start: bool, at_end: bool) -> Wave:
    count = min(len(wave) // 2, round(_FADE_S * rate))
    if not count or not (at_start or at_end):
        return wave
    wave = wave.copy()
    rise = np.linspace(0, 1, count, endpoint=False, dtype=np.float32)
    if at_start:
        wave[:count] *= rise
    if at_end:
        wave[-count:] *= rise[::-1]
    return wave
