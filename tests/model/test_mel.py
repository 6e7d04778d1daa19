"""The log-mel front end against the official numbers and a float64 calculation of its own.

tests/golden/mel.npz holds three waves (int16, to be divided by 32,768) and the mels that the
official package's `mel_spectrogram(y, 1024, 128, 24000, 256, 1024, 0, 12000)` gave for them, as
[T, 128]: a gliding voice-like tone, full-scale noise, and silence with a click (the clamp).
"""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from qwen3_tts.model import mel
from qwen3_tts.model.mel import log_mel, mel_basis

GOLDEN = Path(__file__).parents[1] / "golden" / "mel.npz"


def noise(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * 2 - 1


def mel_edges() -> np.ndarray:
    """Centres and outer edges of the 128 bands in Hz: 200/3 Hz per mel up to 15 mel = 1 kHz,
    then a factor 6.4 every 27 mels, 130 points evenly spaced in mel up to 12 kHz."""
    top = 15 + 27 * np.log(12.0) / np.log(6.4)
    return np.array(
        [m * 200 / 3 if m < 15 else 1000 * 6.4 ** ((m - 15) / 27) for m in np.linspace(0, top, 130)]
    )


def reference_log_mel(wave: np.ndarray) -> np.ndarray:
    """Float64 [N] -> [T, 128] by the definition: a table of cosines, no FFT, bands drawn by
    interpolation."""
    n = np.arange(1024)
    window = 0.5 - 0.5 * np.cos(2 * np.pi * n / 1024)
    waves = np.exp(-2j * np.pi * np.outer(np.arange(513), n) / 1024)
    padded = np.concatenate([wave[384:0:-1], wave, wave[-2:-386:-1]])
    frames = [padded[i : i + 1024] for i in range(0, len(padded) - 1023, 256)]
    magnitude = np.sqrt(np.abs(waves @ (window * frames).T) ** 2 + 1e-9)  # [513, T]
    edges, bins = mel_edges(), np.arange(513) * 24000 / 1024
    bands = [
        np.interp(bins, edges[i : i + 3], [0, 2 / (edges[i + 2] - edges[i]), 0]) for i in range(128)
    ]
    return np.log(np.maximum(bands @ magnitude, 1e-5)).T


@pytest.mark.parametrize("name", ["voice", "noise", "click"])
def test_golden(name: str) -> None:
    with np.load(GOLDEN) as golden:
        wave, expected = golden[f"{name}_pcm"].astype(np.float32) / 32768, golden[f"{name}_mel"]
    ours = log_mel(torch.from_numpy(wave)[None])[0].numpy()
    assert ours.shape == expected.shape
    # Bit-equal where the FFT is the same build; another one differs by float32 rounding, which in
    # these waves moves a mel by at most 2e-5 (measured against float64).
    np.testing.assert_allclose(ours, expected, rtol=0, atol=1e-4)


def test_golden_reaches_the_floor() -> None:
    with np.load(GOLDEN) as golden:
        assert golden["click_mel"].min() == np.float32(np.log(np.float32(1e-5)))
        assert golden["voice_mel"].max() > 0


@pytest.mark.parametrize("num_samples", [385, 1279, 1280, 3000])
@pytest.mark.parametrize("level", [0.3, 3e-5])  # the faint one is where the 1e-9 inside counts
def test_equals_the_definition_in_float64(num_samples: int, level: float) -> None:
    wave = level * noise(num_samples, seed=num_samples)
    ours = log_mel(wave[None])[0].double().numpy()
    # float32 rounding of spectrum, sum and logarithm
    np.testing.assert_allclose(ours, reference_log_mel(wave.double().numpy()), rtol=0, atol=1e-5)


def test_basis_equals_the_bands_drawn_by_interpolation() -> None:
    edges, bins = mel_edges(), np.arange(513) * 24000 / 1024
    for i, row in enumerate(mel_basis().double().numpy()):
        height = 2 / (edges[i + 2] - edges[i])
        drawn = np.interp(bins, edges[i : i + 3], [0, height, 0])
        # one rounding to float32 of the triangle, one of the product; edges near a bin cancel
        np.testing.assert_allclose(row, drawn, rtol=2e-7, atol=1e-12)


def test_bands_share_every_frequency() -> None:
    """Without the area norm, neighbouring triangles add up to one between the outer centres."""
    edges = torch.from_numpy(mel_edges())
    basis = mel_basis().double() * (edges[2:] - edges[:-2])[:, None] / 2
    bins = torch.arange(513, dtype=torch.float64) * 24000 / 1024
    inside = (bins >= edges[1]) & (bins <= edges[-2])
    torch.testing.assert_close(
        basis.sum(0)[inside],
        torch.ones(int(inside.sum()), dtype=torch.float64),
        rtol=0,
        atol=3e-7,  # two float32 roundings per triangle
    )
    assert int((basis > 0).sum(0).max()) == 2


def test_one_frame_per_hop() -> None:
    for num_samples in (385, 511, 512, 1279, 1280, 5000):
        assert log_mel(torch.zeros(1, num_samples)).shape == (1, num_samples // 256, 128)


def test_batch_equals_single() -> None:
    waves = noise(3, 2000)
    batch = log_mel(waves)
    for row in range(3):
        # matmul may sum in another order for another batch size
        torch.testing.assert_close(batch[row], log_mel(waves[row : row + 1])[0], rtol=0, atol=1e-6)


def test_a_hop_of_delay_moves_inner_frames_by_one() -> None:
    wave = noise(1, 4000)
    late = torch.cat([noise(1, 256, seed=1), wave], dim=1)
    # frames 2.. of 15 see none of the mirrored start, and the last two see the mirrored end
    torch.testing.assert_close(log_mel(wave)[:, 2:13], log_mel(late)[:, 3:14], rtol=0, atol=1e-6)


def test_silence_is_quieter_than_faint_noise() -> None:
    silence, faint = log_mel(torch.zeros(1, 2000)), log_mel(1e-2 * noise(1, 2000))
    assert float(silence.min()) >= np.float32(np.log(1e-5))
    assert float(silence.max()) < float(faint.min())


def test_short_wrong_or_flat_waves_are_our_bugs() -> None:
    for wave in (torch.zeros(1, 384), torch.zeros(1000), torch.zeros(1, 1000).double()):
        with pytest.raises(AssertionError):
            log_mel(wave)


def test_constants_made_in_inference_mode_still_train() -> None:
    mel._constants.cache_clear()
    wave = noise(1, 1280)
    with torch.inference_mode():
        expected = log_mel(wave)
    learned = wave.clone().requires_grad_()
    result = log_mel(learned)
    result.sum().backward()
    assert torch.equal(result.detach(), expected)
    assert learned.grad is not None
    assert bool(learned.grad.isfinite().all())


def test_default_dtype_and_device_do_not_leak_in() -> None:
    wave = noise(1, 1280)
    expected = log_mel(wave)
    mel._constants.cache_clear()
    torch.set_default_dtype(torch.float64)
    try:
        with torch.device("meta"):
            assert torch.equal(log_mel(wave), expected)
    finally:
        torch.set_default_dtype(torch.float32)
        mel._constants.cache_clear()
