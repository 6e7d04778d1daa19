"""Log-mel spectrogram: what the speaker encoder hears of a recording.

The numbers are those the encoder was trained with (24 kHz, Slaney mel scale and area norm), so
they are constants here and not configuration. B rows, N samples, T frames, M mel bins.
"""

import math
from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

SAMPLE_RATE = 24_000
FFT_SIZE = 1_024
HOP = 256
NUM_MELS = 128
PAD = (FFT_SIZE - HOP) // 2  # 384 on both sides: T = N // 256, without centring

LINEAR_HZ = 200.0 / 3.0  # below the break one mel is this many Hz
BREAK_HZ = 1_000.0
BREAK_MEL = BREAK_HZ / LINEAR_HZ
LOG_STEP = math.log(6.4) / 27.0  # above it, 27 mels multiply the frequency by 6.4


def log_mel(wave: Tensor) -> Tensor:
    """Turn 24 kHz waves float32 [B, N] in -1..1 into natural-log mels float32 [B, N // 256, 128].

    N must exceed 384, the samples mirrored at either end. Values are at least log(1e-5).
    """
    assert wave.dtype == torch.float32, wave.dtype
    assert wave.ndim == 2, wave.shape
    assert wave.shape[1] > PAD, wave.shape
    basis, window = _constants(wave.device)
    padded = F.pad(wave, (PAD, PAD), mode="reflect")
    spectrum = torch.stft(
        padded, FFT_SIZE, HOP, window=window, center=False, return_complex=True
    )  # [B, W, T]
    magnitude = torch.sqrt(torch.view_as_real(spectrum).square().sum(-1) + 1e-9)
    mel = torch.matmul(basis, magnitude)  # [B, M, T]
    return torch.log(mel.clamp(min=1e-5)).transpose(1, 2)  # [B, T, M]


@lru_cache(maxsize=8)
def _constants(device: torch.device) -> tuple[Tensor, Tensor]:
    """Mel basis [M, W] and periodic Hann window [1024] on `device`."""
    with torch.inference_mode(False):  # cached tensors must also serve a later training pass
        window = torch.hann_window(FFT_SIZE, dtype=torch.float32, device="cpu")
        return mel_basis().to(device), window.to(device)


def mel_basis() -> Tensor:
    """Slaney triangles over FFT bins, float32 [128, 513]; computed in float64, then rounded.

    Each triangle rises from its left neighbour's centre and falls to its right neighbour's, with
    height 2 / (width in Hz), so that every band passes equal energy of white noise.
    """
    nyquist_mel = BREAK_MEL + math.log(SAMPLE_RATE / 2 / BREAK_HZ) / LOG_STEP
    mels = torch.linspace(0.0, nyquist_mel, NUM_MELS + 2, dtype=torch.float64, device="cpu")
    above = BREAK_HZ * torch.exp(LOG_STEP * (mels - BREAK_MEL))
    edges = torch.where(mels < BREAK_MEL, LINEAR_HZ * mels, above)  # Hz, [M + 2]
    num_bins = FFT_SIZE // 2 + 1
    bins = torch.linspace(0.0, SAMPLE_RATE / 2, num_bins, dtype=torch.float64, device="cpu")
    left, centre, right = (edges[i : i + NUM_MELS, None] for i in range(3))
    rising = (bins - left) / (centre - left)
    falling = (right - bins) / (right - centre)
    triangles = torch.minimum(rising, falling).clamp(min=0.0).float()
    # Rounded before the scaling too, as the basis of the original front end: equal to the last bit.
    return (triangles.double() * (2.0 / (right - left))).float()  # [M, W]
