"""How far two readings of a sentence are apart: mel-cepstra, aligned in time.

Dims: N samples at 24 kHz, T mel frames of 10.7 ms, M mel bands, C cepstra.
"""

import math

import numpy as np
import torch
from numpy.typing import NDArray

from qwen3_tts.audio.files import Wave
from qwen3_tts.model.mel import FFT_SIZE, NUM_MELS, PAD, SAMPLE_RATE, log_mel, mel_basis

CEPSTRA = 13  # 1..13: the 0th is loudness, which is not compared
RANGE = math.log(10) * 60 / 20  # natural log of the 60 dB that count below the loudest band
LEVEL = 0.08  # root mean square that both readings are brought to
DB = 10 / math.log(10)

Array = NDArray[np.float64]


def mel_cepstral_distance(left: Wave, right: Wave) -> float:
    """Mel-cepstral distance in dB, averaged along the best alignment in time; 0 for equal waves.

    (10 / ln 10) * sqrt(2 * sum over d = 1..13 of (c_d - c'_d)^2): R. Kubichek, "Mel-cepstral
    distance measure for objective speech quality assessment", IEEE PacRim 1993. Cepstra here come
    from a mel filter bank, so numbers compare among themselves, not with those from STRAIGHT or
    SPTK. Loudness is not compared.
    """
    return _along_best_path(_pairwise_db(cepstra(left), cepstra(right)))


def mel(wave: Wave) -> Array:
    """Log-mel magnitudes [T, M] of a wave at 24 kHz, brought to `LEVEL`, floored at `RANGE`."""
    power = float(np.mean(np.square(wave, dtype=np.float64))) if len(wave) else 0.0
    even = wave * (LEVEL / math.sqrt(power)) if power > 0 else wave
    long_enough = np.pad(even, (0, max(0, 2 * PAD - len(even)))).astype(np.float32)
    with torch.inference_mode():
        values = log_mel(torch.from_numpy(long_enough)[None])[0].double().numpy()
    floored: Array = np.maximum(values, values.max() - RANGE)
    return floored


def cepstra(wave: Wave) -> Array:
    """Mel-cepstra 1..13, [T, C]."""
    return cepstra_of(mel(wave))


def cepstra_of(log_magnitudes: Array) -> Array:
    """Cosine coefficients c_1..c_13 [T, C]: log magnitude is c_0 + sum c_d cos(pi d (m + 1/2) / M).

    In this scale half the sum of squares is the mean square over the bands (Parseval), which is
    what makes the distance above a root mean square in dB.
    """
    bands = log_magnitudes.shape[1]
    angles = np.pi * np.outer(np.arange(1, CEPSTRA + 1), np.arange(bands) + 0.5) / bands
    coefficients: Array = log_magnitudes @ (np.cos(angles).T * (2 / bands))
    return coefficients


def _pairwise_db(left: Array, right: Array) -> Array:
    """Distance of every frame of one to every frame of the other, [T, T']."""
    squares = np.square(left).sum(1)[:, None] + np.square(right).sum(1) - 2 * left @ right.T
    distances: Array = DB * np.sqrt(2 * squares.clip(min=0))
    return distances


def _along_best_path(costs: Array) -> float:
    """Mean cost on the cheapest path from corner to corner by steps (1, 1), (1, 0), (0, 1)."""
    rows, columns = costs.shape
    best = np.full((rows + 1, columns + 1), np.inf)
    best[0, 0] = 0
    for diagonal in range(2, rows + columns + 1):  # cells of one diagonal do not need each other
        i = np.arange(max(1, diagonal - columns), min(rows, diagonal - 1) + 1)
        j = diagonal - i
        before = np.minimum(best[i - 1, j - 1], np.minimum(best[i - 1, j], best[i, j - 1]))
        best[i, j] = costs[i - 1, j - 1] + before
    i, j, steps = rows, columns, 0
    while i and j:
        steps += 1
        moves = ((i - 1, j - 1), (i - 1, j), (i, j - 1))
        i, j = min(moves, key=lambda cell: best[cell])
    return float(best[rows, columns] / steps)


def bands_of(hz: NDArray[np.float64]) -> Array:
    """Where a frequency lies among the bands of `mel`, 0..M."""
    centres = mel_basis().argmax(dim=1).numpy() * (SAMPLE_RATE / FFT_SIZE)
    return np.interp(hz, centres, np.arange(NUM_MELS))
