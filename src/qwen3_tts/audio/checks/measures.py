"""What can be measured of a recording without knowing what was said: noise, bandwidth, clipping.

Dims: N samples, T windows, B frequencies.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.audio.files import Wave, resample

SNR_MOST_DB = 60.0  # more cannot be told from silence

_WINDOW_S = 0.032
_MAX_RATE = 48_000  # above it there is nothing to measure, only memory to spend
_SHORTEST_S = 0.5  # of a recording that can be measured

_NOISE_SHARE = 0.1  # a frequency's noise: what it has in the quietest tenth of all windows,
_NOISE_BIAS = 1.9  # times this. White noise needs 2.6; less, as speech leaks into every window
_SMOOTHED = 5  # windows averaged before that, 40 ms
_NOISE_HZ = (100.0, 7_000.0)

_BANDWIDTH_DB = 60.0  # under the strongest frequency: consonants have more, an empty band less
_BANDWIDTH_HZ = 200.0  # averaged over this many

_CLIP_NEAR = 0.002  # of the peak: samples this close to it are at the limit
_CLIP_S = 0.00012  # in a row at the limit; a peak that is none of clipping is gone sooner


def snr_db(wave: Wave, rate: int, speech: NDArray[np.bool_], block_s: float) -> float | None:
    """Speech over steady noise, in dB, from 100 to 7,000 Hz; None below half a second.

    The noise of each frequency is what is there in the quietest tenth of all windows: speech leaves
    every frequency free now and then, noise never does. So it needs no pause, follows no noise that
    comes and goes, and takes what a noise gate left for all the noise there is. White noise added
    to speech is found within 4 dB from 3 to 20 dB, and speech without it reads 20 to 60: what is
    over 25 dB says only that it is clean.
    `speech` [F] says which blocks of `block_s` seconds are speech.
    """
    if len(wave) < _SHORTEST_S * rate:
        return None
    power, hz, centre_s = _power(wave, rate, hop=0.25)
    power = power[:, (hz >= _NOISE_HZ[0]) & (hz <= min(_NOISE_HZ[1], 0.45 * rate))]  # [T, B]
    sums = np.cumsum(np.pad(power, ((1, 0), (0, 0))), axis=0)
    smooth = (sums[_SMOOTHED:] - sums[:-_SMOOTHED]) / _SMOOTHED
    noise = _NOISE_BIAS * float(np.quantile(smooth, _NOISE_SHARE, axis=0).sum())
    spoken = speech[np.minimum((centre_s / block_s).astype(int), len(speech) - 1)]
    if not spoken.any():
        return None
    clean = float(power[spoken].sum(axis=1).mean()) - noise
    least = 10 ** (-SNR_MOST_DB / 10)
    if clean <= least * noise:
        return -SNR_MOST_DB
    return float(min(SNR_MOST_DB, 10 * np.log10(clean / max(noise, least * clean))))


def bandwidth_hz(wave: Wave, rate: int) -> float | None:
    """The highest frequency with any sound in the loud windows; None below half a second."""
    if len(wave) < _SHORTEST_S * rate:
        return None
    power, hz, _ = _power(wave, rate, hop=0.5)
    loud = np.percentile(power, 95, axis=0)  # [B]
    width = max(1, round(_BANDWIDTH_HZ / hz[1]))
    level = np.convolve(loud, np.ones(width) / width, "same")
    if not level.any():
        return None
    return float(hz[np.flatnonzero(level > level.max() * 10 ** (-_BANDWIDTH_DB / 10))[-1]])


def clipping(wave: Wave, rate: int) -> tuple[float, int]:
    """The share of samples in flat tops, in 0..1, and the number of these tops.

    A flat top is a row of samples of one sign within 0.2 % of the peak, whatever the peak: clipping
    stays when the volume is turned down. Not found: soft limiting, and clipping before a filter,
    a resampler or a lossy codec that left the peak under full scale.
    """
    near = np.abs(wave) >= (1 - _CLIP_NEAR) * np.abs(wave).max()
    sign = np.where(near, np.sign(wave), 0).astype(np.int8)
    edges = np.flatnonzero(np.diff(sign, prepend=2, append=2))
    lengths, signs = np.diff(edges), sign[edges[:-1]]
    flat = (signs != 0) & (lengths >= max(3, round(_CLIP_S * rate)))
    return float(lengths[flat].sum() / len(wave)), int(flat.sum())


def _power(wave: Wave, rate: int, hop: float) -> tuple[Any, Any, Any]:
    """Power [T, B], frequencies [B] in Hz and middles of the windows [T] in seconds.

    `hop` is in windows.
    """
    if rate > _MAX_RATE:
        wave, rate = resample(wave, rate, _MAX_RATE), _MAX_RATE
    size = 1 << round(np.log2(_WINDOW_S * rate))
    step = round(hop * size)
    windows = np.lib.stride_tricks.sliding_window_view(wave, size)[::step]
    power = np.abs(np.fft.rfft(windows * np.hanning(size))) ** 2
    return power, np.fft.rfftfreq(size, 1 / rate), (np.arange(len(power)) * step + size / 2) / rate
