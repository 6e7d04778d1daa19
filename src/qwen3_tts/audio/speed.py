"""Faster or slower speech at the same pitch, while it is being made.

WSOLA (Verhelst and Roelands, 1993): the output is laid down hop by hop; each hop is taken from near
where the input would be at that time, at the place that best continues what was played before, and
cross-faded into it. So whole pitch periods are left out or repeated, and consonants stay as sharp
as they were. What is played depends on the samples alone, never on how they were cut into pieces.
Dims: N samples, H of a hop, L places looked at.
"""

import math
from typing import Any

import numpy as np

from qwen3_tts.audio.files import Wave, checked_rate, one_dimensional
from qwen3_tts.errors import InvalidRequest

MIN_SPEED, MAX_SPEED = 0.25, 4.0

_HOP_S = 0.015  # longer than a pitch period of nearly every voice: 67 Hz
_REACH_S = 0.008  # to either side: together a pitch period of 62 Hz, so a place in phase is found
_TIES = 1e-3  # how much likeness a place at the edge of the reach must gain over the middle


class TimeStretch:
    """Play a wave `speed` times as fast, 0.25..4, keeping its pitch.

    N samples become round(N / speed); those at output time t are the input's around t * speed,
    within a hop (15 ms) and the reach (8 ms). Speed 1 returns what it is given. The output is
    behind by at most 35 ms: of input below speed 1, of its own time above, where it never runs
    ahead of round(N / speed) either. Raises `InvalidRequest` for another speed.
    """

    def __init__(self, sample_rate: int, speed: float):
        if not (isinstance(speed, int | float) and MIN_SPEED <= speed <= MAX_SPEED):
            raise InvalidRequest(f"speed `{speed}` is not in {MIN_SPEED:g}..{MAX_SPEED:g}")
        sample_rate = checked_rate(sample_rate)
        self._speed = speed
        self._hop = round(_HOP_S * sample_rate)
        self._reach = round(_REACH_S * sample_rate)
        self._fade = np.sin(np.pi / 2 * (np.arange(self._hop) + 0.5) / self._hop) ** 2  # [H]
        self._held = np.zeros(0, np.float32)  # input from sample `_start` on
        self._start = self._num_in = self._num_hops = 0
        self._next = 0  # the sample that would follow the last one played
        self._finished = False

    def push(self, wave: Wave) -> Wave:
        """Give the next samples [N] of any number; returns those that are ready, maybe none."""
        assert not self._finished
        wave = one_dimensional(wave).astype(np.float32, copy=False)
        if self._speed == 1:
            return wave
        self._num_in += len(wave)
        self._held = np.concatenate([self._held, wave])
        hops = []
        while self._needed() <= self._num_in:
            hops.append(self._play())
        return np.concatenate(hops) if hops else np.zeros(0, np.float32)

    def finish(self) -> Wave:
        """The samples still inside. After it nothing may be pushed; again, it gives none."""
        missing = round(self._num_in / self._speed) - self._num_hops * self._hop
        if self._finished or self._speed == 1:
            missing = 0
        self._finished = True
        assert missing >= 0, missing
        hops = [self._play() for _ in range(math.ceil(missing / self._hop))]
        return np.concatenate(hops)[:missing] if hops else np.zeros(0, np.float32)

    def _target(self) -> int:
        """Where the input is at the time of the next hop."""
        return round(self._num_hops * self._hop * self._speed)

    def _needed(self) -> int:
        """How much input the next hop looks at."""
        end = math.ceil((self._num_hops + 1) * self._hop * self._speed)  # never ahead of N / speed
        if self._num_hops == 0:
            return max(end, self._hop)
        return max(end, max(self._target() + self._reach, self._next) + self._hop)

    def _play(self) -> Wave:
        """The next hop [H]. At the end of the input it looks at no place that reaches beyond."""
        last = max(0, self._num_in - self._hop)
        target = min(self._target(), last)
        low, high = max(0, target - self._reach), min(target + self._reach, last)
        if self._num_hops == 0:
            low = high = 0
        expected = self._read(self._next, self._hop)  # [H]
        region = self._read(low, high - low + self._hop)  # [L + H - 1]
        scores = _likeness(region, expected)  # [L]
        away = np.abs(np.arange(low, high + 1) - target)
        best = int(np.argmax(scores - _TIES * away / self._reach))
        found = region[best : best + self._hop]
        self._next = low + best + self._hop
        self._num_hops += 1
        self._forget()
        return self._joined(expected, found, max(0.0, float(scores[best])))

    def _joined(self, old: Any, new: Any, likeness: float) -> Wave:
        """Cross-fade two hops [H] so that loudness stays: unlike sounds add up in power only."""
        fade, rest = self._fade, 1 - self._fade
        power = fade**2 + rest**2 + 2 * likeness * fade * rest
        return np.asarray((old * rest + new * fade) / np.sqrt(power), np.float32)

    def _read(self, start: int, length: int) -> np.ndarray[Any, np.dtype[np.float64]]:
        """Input from sample `start` on, with zeros after its end."""
        held = self._held[start - self._start :][:length].astype(np.float64)
        return np.pad(held, (0, length - len(held)))

    def _forget(self) -> None:
        start = max(self._start, min(self._next, self._target() - self._reach))
        self._held = self._held[start - self._start :]
        self._start = start


def _likeness(region: Any, expected: Any) -> Any:
    """Normalised correlation, in -1..1, of `expected` [H] with every place [L] in `region`."""
    products = np.correlate(region, expected, "valid")
    power = np.cumsum(np.concatenate([[0.0], region**2]))
    powers = power[len(expected) :] - power[: -len(expected)]
    scale = np.sqrt(np.maximum(powers, 0) * (expected @ expected))
    return products / np.maximum(scale, 1e-12)
