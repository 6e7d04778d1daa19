"""The speed and the sample rate a caller wants, made of the engine's sound as it comes."""

import numpy as np

from qwen3_tts.audio.rates import Resampler
from qwen3_tts.audio.speed import TimeStretch
from qwen3_tts.types import Wave


class Shape:
    """Speed, then rate: both streaming, both absent where nothing is to be done."""

    def __init__(self, from_rate: int, to_rate: int, speed: float):
        self._speed, self._rate = TimeStretch(from_rate, speed), Resampler(from_rate, to_rate)

    def push(self, wave: Wave) -> Wave:
        return self._rate.push(self._speed.push(wave))

    def finish(self) -> Wave:
        tail = self._rate.push(self._speed.finish())
        whole: Wave = np.concatenate([tail, self._rate.finish()])
        return whole
