"""Another sample rate for sound that is still being made: the pieces of `files.resample`'s wave.

soxr's filter looks ahead, so a piece comes out about 40 ms after it went in (75 ms where one of the
rates is 8,000 Hz), and what is still inside comes with `finish`.
"""

import math

import numpy as np

from qwen3_tts.audio.files import Wave, checked_rate, one_dimensional, optional_package


class Resampler:
    """Resample a wave piece by piece; all pieces together equal `files.resample` bit for bit.

    Equal rates return what they are given. Raises `InvalidAudio` for a rate outside 1,000..768,000.
    """

    def __init__(self, from_rate: int, to_rate: int):
        from_rate, to_rate = checked_rate(from_rate), checked_rate(to_rate)
        self._ratio = to_rate / from_rate
        self._num_in = self._num_out = 0
        self._stream = None
        if from_rate != to_rate:
            soxr = optional_package("soxr")
            self._stream = soxr.ResampleStream(from_rate, to_rate, 1, "float32", quality="HQ")

    def push(self, wave: Wave) -> Wave:
        """Give the next samples [N] of any number; returns those that are ready, maybe none."""
        wave = one_dimensional(wave).astype(np.float32, copy=False)
        if self._stream is None:
            return wave
        self._num_in += len(wave)
        out: Wave = self._stream.resample_chunk(wave)
        self._num_out += len(out)
        return out

    def finish(self) -> Wave:
        """The samples still inside. After it nothing may be pushed; again, it gives none."""
        if self._stream is None:
            return np.zeros(0, np.float32)
        tail: Wave = self._stream.resample_chunk(np.zeros(0, np.float32), last=True)
        self._stream = None
        # as many as files.resample gives, which fills up with zeros what the filter does not give
        missing = math.ceil(self._num_in * self._ratio) - self._num_out
        assert missing >= 0, missing
        return np.pad(tail[:missing], (0, max(0, missing - len(tail))))
