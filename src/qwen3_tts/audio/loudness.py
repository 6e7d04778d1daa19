"""How loud speech is to the ear, and the one gain that brings a voice to a target.

Loudness is that of ITU-R BS.1770 in LUFS, measured by pyloudnorm, which is imported on first use. A
gain is measured once, over all the speech there is of a voice, and then stays: gains that follow
the sound piece by piece make a voice come and go.
"""

import math

import numpy as np

from qwen3_tts.audio.files import Wave, checked_rate, finite, optional_package, resample
from qwen3_tts.errors import InvalidAudio, InvalidRequest

TARGET_LUFS = -20.0
TARGETS = (-60.0, 0.0)
SHORTEST_S = 0.01  # that has a loudness
MOST_GAIN_DB = 30.0  # either way: what is softer than that is noise

_BLOCK_S = 0.4  # of BS.1770
_RATES = (16_000, 48_000)  # under 16,000 Hz the weighting filter is bent, over 48,000 it is idle
_LONGEST_S = 60.0


def loudness(wave: Wave, rate: int) -> float:
    """Integrated loudness of a mono wave [N] in LUFS; minus infinity for silence.

    BS.1770 takes the mean of blocks of 0.4 s, softer ones left out. A wave shorter than one block
    is one block. Of a wave over a minute the first minute counts. Raises `InvalidAudio` for less
    than 10 ms, NaN, infinity or a rate outside 1,000..768,000.
    """
    wave, rate = finite(wave), checked_rate(rate)
    if len(wave) < SHORTEST_S * rate:
        raise InvalidAudio(f"{len(wave)} samples at {rate} Hz have no loudness; 10 ms are needed")
    wave = wave[: round(_LONGEST_S * rate)]
    if (allowed := min(max(rate, _RATES[0]), _RATES[1])) != rate:
        wave, rate = resample(wave, rate, allowed), allowed
    pyloudnorm = optional_package("pyloudnorm")
    meter = pyloudnorm.Meter(rate, block_size=min(_BLOCK_S, len(wave) / rate))
    return float(meter.integrated_loudness(wave.astype(np.float64)))


def gain_db(wave: Wave, rate: int, target: float = TARGET_LUFS) -> float:
    """The gain in dB that brings a voice, heard as a mono wave [N], to `target` LUFS.

    Within 30 dB either way; 0 for silence. Raises `InvalidRequest` for a target outside -60..0,
    `InvalidAudio` as `loudness` does.
    """
    if not (isinstance(target, int | float) and TARGETS[0] <= target <= TARGETS[1]):
        allowed = f"{TARGETS[0]:g}..{TARGETS[1]:g}"
        raise InvalidRequest(f"loudness target `{target}` LUFS is not in {allowed}")
    measured = loudness(wave, rate)
    if not math.isfinite(measured):
        return 0.0
    return min(MOST_GAIN_DB, max(-MOST_GAIN_DB, target - measured))


def apply_gain(wave: Wave, db: float) -> Wave:
    """A wave [N] made louder by `db`; 0 gives back the wave itself.

    Nothing is clipped: a `Limiter` has to follow. Raises `InvalidRequest` for a gain over 60 dB
    either way.
    """
    most = 2 * MOST_GAIN_DB
    if not (isinstance(db, int | float) and abs(db) <= most):
        raise InvalidRequest(f"gain `{db}` dB is not in {-most:g}..{most:g}")
    return wave if db == 0 else finite(wave) * np.float32(10 ** (db / 20))
