"""Keep sound under a ceiling without a click, while it is being made.

The limiter looks 5 ms ahead. Where the wave would pass the ceiling, also between two samples, it
asks for a gain; the least gain asked for anywhere near is smoothed by a window that is as long as
the look ahead, so the gain is down when the peak comes. It stays down for 30 ms, longer than a
period of any voice, so it does not follow the wave itself. The gain at a sample depends on the
samples around it alone, never on how they were cut into pieces; and it is exactly 1 where nothing
near passes the ceiling. Dims: N samples.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.audio.files import Wave, checked_rate, finite
from qwen3_tts.errors import InvalidRequest

CEILING_DB = -1.0
CEILINGS_DB = (-40.0, 0.0)

_SMOOTH_S = 0.0025  # twice: two boxes in a row are a triangle of 5 ms
_HOLD_S = 0.03
_SPARE = 10 ** (-0.1 / 20)  # a gain that moves makes new peaks between samples: 0.1 dB for them
_PHASES = 8  # places looked at per sample; BS.1770 looks at 4 for a true peak
_TAPS = 12  # samples to either side that a place between two is computed from


class Limiter:
    """Limit a mono wave to `ceiling_db` of full scale, -40..0, peaks between samples included.

    All pieces together are as long as what went in, and the same however it was cut. The output is
    behind by 6 ms. Where nothing near passes the ceiling the samples are given back bit for bit.
    Samples never pass it; what lies between them does not in speech up to 6 dB over the ceiling,
    and by 0.3 dB at most in speech 18 dB over it (measured 16 times oversampled).
    Raises `InvalidRequest` for another ceiling, `InvalidAudio` for a rate outside 1,000..768,000.
    """

    def __init__(self, rate: int, ceiling_db: float = CEILING_DB):
        low, high = CEILINGS_DB
        if not (isinstance(ceiling_db, int | float) and low <= ceiling_db <= high):
            raise InvalidRequest(f"ceiling `{ceiling_db}` dB is not in {low:g}..{high:g}")
        rate = checked_rate(rate)
        self._ceiling = 10 ** (ceiling_db / 20)
        self._doublings = max(1, round(math.log2(_SMOOTH_S * rate)))  # a box is a power of two long
        self._ahead = 2 * (1 << self._doublings) - 2
        self._hold = round(_HOLD_S * rate)
        self._past = self._hold + self._ahead + _TAPS  # samples before one that decide its gain
        self._future = self._ahead + _TAPS
        self._held = np.zeros(self._past, np.float32)  # silence before the first sample
        self._ended = False

    @property
    def latency(self) -> int:
        """Samples that the output is behind the input."""
        return self._future

    def push(self, wave: Wave) -> Wave:
        """Give the next samples [N] of any number; returns those that are ready, maybe none."""
        assert not self._ended
        return self._limited(finite(wave))

    def end(self) -> Wave:
        """The samples still inside. After it nothing may be pushed; again, it gives none."""
        if self._ended:
            return np.zeros(0, np.float32)
        self._ended = True
        return self._limited(np.zeros(self._future, np.float32))  # silence after the last sample

    def _limited(self, wave: Wave) -> Wave:
        self._held = np.concatenate([self._held, wave])
        count = len(self._held) - self._past - self._future
        if count <= 0:
            return np.zeros(0, np.float32)
        ready = self._held[self._past : self._past + count]
        gain = self._gain(self._held.astype(np.float64))
        self._held = self._held[count:]
        if gain is None:
            return ready.copy()  # the past is kept, and what is given out may be changed
        ceiling = np.float32(self._ceiling)
        out: Wave = np.clip((ready * gain).astype(np.float32), -ceiling, ceiling)
        return out

    def _gain(self, held: NDArray[np.float64]) -> Any:
        """The gain of every sample but the past and the future ones; None: 1 for all."""
        if np.abs(held).max() * _MOST <= self._ceiling:
            return None
        peaks = _true_peaks(held)
        if not (peaks > self._ceiling).any():
            return None
        over = peaks > self._ceiling
        asked = np.where(over, _SPARE * self._ceiling / np.maximum(peaks, 1e-9), 1.0)
        least = _least(asked, self._hold + self._ahead + 1)
        return _box(_box(least, self._doublings), self._doublings)


def _true_peaks(held: NDArray[np.float64]) -> NDArray[np.float64]:
    """The largest magnitude from each sample to the next; shorter by the taps at either end.

    Sums are built up tap by tap: every place sees the same operations in the same order.
    """
    count = len(held) - 2 * _TAPS
    peaks = np.abs(held[_TAPS : _TAPS + count])
    for weights in _WEIGHTS:
        place = np.zeros(count)
        for tap, weight in enumerate(weights):
            place += weight * held[1 + tap : 1 + tap + count]
        np.maximum(peaks, np.abs(place), out=peaks)
    return peaks


def _weights() -> NDArray[np.float64]:
    """A windowed sinc for each place between two samples; each sums to 1."""
    offsets = np.arange(2 * _TAPS) - (_TAPS - 1)
    rows = []
    for phase in range(1, _PHASES):
        away = offsets - phase / _PHASES
        row = np.sinc(away) * np.cos(np.pi / 2 * away / _TAPS) ** 2
        rows.append(row / row.sum())
    return np.array(rows)


_WEIGHTS = _weights()
_MOST = float(np.abs(_WEIGHTS).sum(axis=1).max())  # no peak is higher than this times a sample


def _least(values: NDArray[np.float64], width: int) -> NDArray[np.float64]:
    """The least of every `width` values in a row; shorter by `width` - 1."""
    length = 1
    while 2 * length <= width:
        values = np.minimum(values[length:], values[:-length])
        length *= 2
    rest = width - length
    return np.minimum(values[rest:], values[: len(values) - rest])


def _box(values: NDArray[np.float64], doublings: int) -> NDArray[np.float64]:
    """The mean of every 2^doublings values in a row; exact where all are equal."""
    for step in range(doublings):
        values = (values[2**step :] + values[: len(values) - 2**step]) / 2
    return values
