"""Speech with one fault each, and sounds that are no speech. Waves are float32 [N] at 24 kHz."""

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.audio.files import resample

RATE = 24_000
Wave = NDArray[np.float32]


def at_peak(wave: Wave, level: float) -> Wave:
    return wave * np.float32(level / np.abs(wave).max())


def clipped(wave: Wave, over_db: float, level: float = 1.0) -> Wave:
    """Recorded `over_db` too loud, then turned down to `level`."""
    return np.clip(at_peak(wave, 10 ** (over_db / 20)), -1, 1) * np.float32(level)


def noisy(wave: Wave, snr_db: float, colour: float = 0.0) -> Wave:
    """With noise under it, white or falling by `colour` dB per octave."""
    noise = np.random.default_rng(2).standard_normal(len(wave))
    spectrum = np.fft.rfft(noise)
    hz = np.maximum(np.fft.rfftfreq(len(wave), 1 / RATE), 50)
    noise = np.fft.irfft(spectrum * hz ** (-colour / 6.02), len(wave))
    loud = np.abs(wave) > 0.02 * np.abs(wave).max()
    power = np.mean(wave[loud] ** 2) / 10 ** (snr_db / 10)
    return at_peak((wave + noise * np.sqrt(power / np.mean(noise**2))).astype(np.float32), 0.5)


def telephone(wave: Wave) -> Wave:
    return resample(resample(wave, RATE, 8_000), 8_000, RATE)


def gap(wave: Wave, seconds: float) -> Wave:
    """With a pause where it is softest near its middle."""
    half, reach = len(wave) // 2, RATE
    power = np.convolve(wave[half - reach : half + reach] ** 2, np.ones(480), "same")
    at = half - reach + int(power.argmin())
    silence = np.zeros(round(seconds * RATE), np.float32)
    return np.concatenate([wave[:at], silence, wave[at:]])


def chords(seconds: float, beats_per_minute: float = 90) -> Wave:
    """Struck chords with eight harmonics each, as of a piano."""
    wave = np.zeros(round(seconds * RATE))
    roots = (57, 53, 60, 55)
    length = round(2 * 60 / beats_per_minute * RATE)
    t = np.arange(length) / RATE
    for index, start in enumerate(range(0, len(wave), length)):
        root = roots[index % len(roots)]
        chord = np.zeros(length)
        for note in (root, root + 4, root + 7, root + 12):
            hz = 440 * 2 ** ((note - 69) / 12)
            for harmonic in range(1, 9):
                chord += np.sin(2 * np.pi * hz * harmonic * t) / harmonic * np.exp(-t)
        part = wave[start : start + length]
        part += chord[: len(part)]
    return at_peak(wave.astype(np.float32), 0.5)


def drums(seconds: float, beats_per_minute: float = 110) -> Wave:
    """A kick and a snare in turn, no tone in them."""
    rng = np.random.default_rng(3)
    wave = np.zeros(round(seconds * RATE))
    t = np.arange(RATE // 4) / RATE
    kick = np.sin(2 * np.pi * 60 * t) * np.exp(-20 * t)
    for index in range(int(seconds * beats_per_minute / 60)):
        start = round(index * 60 / beats_per_minute * RATE)
        hit = kick if index % 2 == 0 else 0.5 * rng.standard_normal(len(t)) * np.exp(-40 * t)
        part = wave[start : start + len(t)]
        part += hit[: len(part)]
    return at_peak(wave.astype(np.float32), 0.5)


def under(wave: Wave, music: Wave, snr_db: float) -> Wave:
    """`music` behind the voice."""
    music = music[: len(wave)] * np.float32(
        np.sqrt(np.mean(wave**2) / np.mean(music**2) / 10 ** (snr_db / 10))
    )
    return at_peak(wave[: len(music)] + music, 0.5)
