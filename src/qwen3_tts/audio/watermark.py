"""The hook for a watermark: a function of yours that marks a whole wave, off unless it is given.

    def watermark(wave: Wave, sample_rate: int) -> Wave: ...    # [N] -> [N], float32

It is called once for each speech, on all of it, before it is encoded: the same wave and so the same
mark whichever way the speech leaves. A mark needs more sound than one chunk has, so an encoder with
a watermark holds everything back until the end. Without one no sample is touched or copied.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from qwen3_tts.audio.files import Wave, finite
from qwen3_tts.errors import InvalidAudio

if TYPE_CHECKING:
    from qwen3_tts.audio.containers import Encoder

Watermark = Callable[[Wave, int], Wave]


def watermarked(wave: Wave, sample_rate: int, watermark: Watermark | None) -> Wave:
    """The wave [N] with its mark; the wave itself where there is no watermark.

    Raises `InvalidAudio` where what comes back is no wave of the same length.
    """
    if watermark is None:
        return wave
    marked = finite(watermark(wave, sample_rate))
    if len(marked) != len(wave):
        raise InvalidAudio(
            f"the watermark made {len(marked)} samples of {len(wave)}; it must keep their number"
        )
    return marked


class WatermarkEncoder:
    """An encoder that holds the wave back, and marks and encodes it at the end."""

    def __init__(self, encoder: "Encoder", sample_rate: int, watermark: Watermark):
        self.media_type = encoder.media_type
        self._encoder = encoder
        self._rate = sample_rate
        self._watermark = watermark
        self._waves: list[Wave] = []
        self._finished = False

    def encode(self, wave: Wave) -> bytes:
        assert not self._finished
        self._waves.append(finite(wave))
        return b""

    def finish(self) -> bytes:
        if self._finished:
            return b""
        self._finished = True
        wave = np.concatenate([np.zeros(0, np.float32), *self._waves])
        self._waves.clear()
        marked = watermarked(wave, self._rate, self._watermark) if len(wave) else wave
        return self._encoder.encode(marked) + self._encoder.finish()
