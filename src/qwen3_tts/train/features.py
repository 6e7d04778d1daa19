"""What a frame of speech sounds like, as numbers that codebooks can be made from.

An 80 ms frame is five sub-frames of 16 ms; each gives 64 log-mel bands, a pitch and a voicing.
Windows are centred on their sub-frame: the bands reach 8 ms beyond the frame, pitch and voicing
12 ms, so a causal encoder can all but know them and a causal decoder can act on them in time. Only
the pitch of an unvoiced sub-frame leans on the next voiced one, however far that is.

Dims: N samples at 24 kHz, T frames, U sub-frames of a frame, M mel bands.
"""

import math
from functools import cache

import torch
from torch import Tensor

from qwen3_tts.train.recipe.corpus import FRAME, SAMPLE_RATE

SUBFRAMES = 5
HOP = FRAME // SUBFRAMES
WINDOW = 768  # 32 ms: harmonics of a low voice half resolved, consonants still apart
BANDS = 64
FLOOR = 1e-3  # of a mel band; speech at the corpus level peaks near 30
PITCH_RANGE = (60.0, 400.0)  # Hz
PITCH_WINDOW = 960  # 40 ms: two periods of the lowest pitch and a half
VOICED = 0.5  # normalised autocorrelation from which a sub-frame counts as voiced

# A unit of log pitch is an octave and more, a unit of log mel 8.7 dB: these bring the three to
# scales at which equal distances are about equally audible.
PITCH_SCALE = 8.0
VOICING_SCALE = 3.0

WIDTH = SUBFRAMES * (BANDS + 2)


def frame_features(wave: Tensor) -> Tensor:
    """Whole frames of wave [N] -> features [T, WIDTH], log mel first, then pitch, then voicing."""
    frames = len(wave) // FRAME
    mel = log_mel(wave)  # [T * U, M]
    pitch, voicing = pitch_track(wave)
    parts = (mel, pitch[:, None] * PITCH_SCALE, voicing[:, None] * VOICING_SCALE)
    return torch.cat([part.reshape(frames, -1) for part in parts], dim=1)


def log_mel(wave: Tensor) -> Tensor:
    """Wave [N] -> log of mel magnitudes [N / HOP, M]."""
    windows = _windows(wave, WINDOW) * torch.hann_window(WINDOW, dtype=wave.dtype)
    spectrum = torch.fft.rfft(windows, n=1024).abs()
    mel: Tensor = spectrum @ mel_bands(1024, BANDS, 50.0, 8000.0).T
    return mel.clamp(min=FLOOR).log()


@cache
def mel_bands(fft_size: int, bands: int, low: float, high: float) -> Tensor:
    """Triangles of unit sum, evenly spaced in mel (2595 log10(1 + f / 700)), [M, W]."""
    mel_low, mel_high = (2595 * math.log10(1 + hz / 700) for hz in (low, high))
    edges = 700 * (10 ** (torch.linspace(mel_low, mel_high, bands + 2) / 2595) - 1)
    hz = torch.linspace(0, SAMPLE_RATE / 2, fft_size // 2 + 1)
    left, centre, right = (edges[i : i + bands, None] for i in range(3))
    triangles = torch.minimum((hz - left) / (centre - left), (right - hz) / (right - centre))
    triangles = triangles.clamp(min=0)
    return triangles / triangles.sum(1, keepdim=True).clamp(min=1e-3)


def pitch_track(wave: Tensor) -> tuple[Tensor, Tensor]:
    """Wave [N] -> natural log of pitch over 100 Hz and voicing 0..1, each [N / HOP].

    The pitch is the largest peak of the normalised autocorrelation; where speech is unvoiced, it
    runs on in a straight line between the voiced neighbours.
    """
    windows = _windows(wave, PITCH_WINDOW)
    windows = windows - windows.mean(-1, keepdim=True)
    low, high = (round(SAMPLE_RATE / hz) for hz in reversed(PITCH_RANGE))
    spectrum = torch.fft.rfft(windows, n=2048)
    correlation = torch.fft.irfft(spectrum.abs().square(), n=2048)[:, : high + 1]
    energy = windows.square().cumsum(-1)
    lags = torch.arange(high + 1)
    head = energy[:, PITCH_WINDOW - 1 - lags]  # energy of the part without the last `lag`
    tail = energy[:, -1:] - torch.cat([energy.new_zeros(len(energy), 1), energy[:, :high]], 1)
    loud = energy[:, -1] > 1e-4 * PITCH_WINDOW / 10
    normal = correlation / (head * tail).clamp(min=1e-10).sqrt()
    # A slight preference for short lags keeps multiples of the period from winning by a hair.
    best = (normal * (1 - 0.1 * lags / high))[:, low:].argmax(-1) + low
    strength = normal.gather(1, best[:, None])[:, 0].clamp(0, 1) * loud
    log_pitch = torch.log(SAMPLE_RATE / best / 100.0)
    voiced = strength > VOICED
    return _bridge(log_pitch, voiced), ((strength - 0.3) / 0.5).clamp(0, 1)


def _bridge(values: Tensor, known: Tensor) -> Tensor:
    """Straight lines between the known values, level at both ends; zeros if none is known."""
    places = known.nonzero()[:, 0]
    if len(places) == 0:
        return torch.zeros_like(values)
    at = torch.arange(len(values))
    after = torch.searchsorted(places, at).clamp(max=len(places) - 1)
    before = (after - (places[after] > at).long()).clamp(min=0)
    left, right = places[before], places[after]
    share = ((at - left) / (right - left).clamp(min=1)).clamp(0, 1)
    return torch.lerp(values[left], values[right], share)


def _windows(wave: Tensor, width: int) -> Tensor:
    """Windows centred on the middles of the sub-frames, [N / HOP, width]."""
    border = (width - HOP) // 2
    count = len(wave) // HOP
    padded = torch.nn.functional.pad(wave, (border, border + math.ceil(width / HOP) * HOP))
    return padded.unfold(0, width, HOP)[:count]
