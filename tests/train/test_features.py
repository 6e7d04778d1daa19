"""Features: the pitch is the pitch, silence has none, and little leans on what comes later."""

import math

import pytest
import torch
from torch import Tensor

from qwen3_tts.train.features import (
    BANDS,
    HOP,
    PITCH_SCALE,
    SUBFRAMES,
    VOICED,
    VOICING_SCALE,
    WIDTH,
    frame_features,
    log_mel,
    mel_bands,
    pitch_track,
)
from qwen3_tts.train.recipe.corpus import FRAME, SAMPLE_RATE

BANDS_REACH = 192  # samples of 8 ms
PITCH_REACH = 288  # 12 ms


def tone(hz: float, frames: int) -> Tensor:
    """A voice-like sound: twelve harmonics, the higher the softer."""
    time_s = torch.arange(frames * FRAME) / SAMPLE_RATE
    parts = [torch.sin(2 * math.pi * k * hz * time_s + k) / k for k in range(1, 13)]
    return 0.1 * torch.stack(parts).sum(0)


def noise(frames: int, seed: int = 1) -> Tensor:
    return 0.1 * torch.randn(frames * FRAME, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("hz", [75, 150, 320])
def test_pitch_of_a_tone(hz: float) -> None:
    log_pitch, voicing = pitch_track(tone(hz, 5))
    inner = slice(2, -2)  # windows at the ends are part silence
    found = 100 * log_pitch[inner].exp()
    # 3 %: lags are whole samples, and short ones are preferred a little
    assert ((found / hz - 1).abs() < 0.03).all(), found
    assert (voicing[inner] == 1).all()


def test_silence_and_noise_are_unvoiced() -> None:
    log_pitch, voicing = pitch_track(torch.zeros(3 * FRAME))
    assert not log_pitch.any()
    assert not voicing.any()
    # the best of 340 lags of noise is no period, though a chance likeness is left
    assert pitch_track(noise(10))[1].mean() < 0.3


def test_pitch_runs_straight_through_what_is_unvoiced() -> None:
    wave = torch.cat([tone(100, 4), torch.zeros(4 * FRAME), tone(200, 4)])
    log_pitch, voicing = pitch_track(wave)
    known = (voicing > (VOICED - 0.3) / 0.5).nonzero()[:, 0]  # as strength becomes voicing
    last, first = int(known[known < 30].max()), int(known[known > 30].min())
    assert (last, first) == pytest.approx((19, 40), abs=1)
    steps = log_pitch[last : first + 1].diff()
    assert torch.allclose(steps, steps.mean().expand_as(steps), atol=1e-6)  # float32 of logs
    assert log_pitch[first] - log_pitch[last] == pytest.approx(math.log(2), abs=0.03)


def test_layout() -> None:
    wave = tone(150, 4) + noise(4)
    features = frame_features(wave)
    assert features.shape == (4, WIDTH)
    mel, (log_pitch, voicing) = log_mel(wave), pitch_track(wave)
    assert mel.shape == (4 * SUBFRAMES, BANDS)
    parts = features.split([SUBFRAMES * BANDS, SUBFRAMES, SUBFRAMES], dim=1)
    assert torch.equal(parts[0].reshape(-1, BANDS), mel)
    assert torch.equal(parts[1].flatten(), PITCH_SCALE * log_pitch)
    assert torch.equal(parts[2].flatten(), VOICING_SCALE * voicing)


@pytest.mark.parametrize("kept", [1, 3])
def test_a_frame_knows_little_of_the_next(kept: int) -> None:
    """Bands end 8 ms after their frame, pitch and voicing 12 ms, where all around is voiced."""
    wave = tone(150, 6)
    border = kept * FRAME
    one, two = wave.clone(), wave.clone()
    one[border + BANDS_REACH :] = noise(6)[border + BANDS_REACH :]
    two[border + PITCH_REACH :] = tone(190, 6)[border + PITCH_REACH :]
    rows = kept * SUBFRAMES
    assert torch.equal(log_mel(one)[:rows], log_mel(wave)[:rows])
    assert not torch.equal(log_mel(one)[rows], log_mel(wave)[rows])
    for changed, same in zip(pitch_track(two), pitch_track(wave), strict=True):
        assert torch.equal(changed[:rows], same[:rows])
    assert torch.equal(frame_features(two)[: kept - 1], frame_features(wave)[: kept - 1])


def test_a_band_hears_its_own_pitch() -> None:
    bands = mel_bands(1024, BANDS, 50.0, 8000.0)
    assert torch.allclose(bands.sum(1), torch.ones(BANDS))
    centres = bands @ torch.linspace(0, SAMPLE_RATE / 2, 513)
    for band in (20, 40, 60):
        time_s = torch.arange(2 * FRAME) / SAMPLE_RATE
        pure = torch.sin(2 * math.pi * centres[band] * time_s)
        assert (log_mel(pure)[2:-2].argmax(1) == band).all()


def test_sub_frames_divide_a_frame() -> None:
    assert HOP * SUBFRAMES == FRAME
