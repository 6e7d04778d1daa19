"""The encoder: frame counts, causality, borders of the last convolution, and its formulas."""

from copy import deepcopy
from dataclasses import asdict

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn import functional as F

from qwen3_tts.model.codec.encoder import CodecEncoder, Downsample, EncoderAttention, StridedConv1d
from qwen3_tts.model.layers import rotary_table
from qwen3_tts.weights.names import CODEC, to_official
from qwen3_tts.weights.published import tiny_codec_config
from qwen3_tts.weights.random import random_codec
from tests.model.codec import encoder_reference as reference

FRAME = 1920


@pytest.fixture(scope="module")
def encoder() -> CodecEncoder:
    return random_codec(tiny_codec_config(), 5).requires_grad_(False).encoder


def sound(samples: int, rows: int = 1) -> Tensor:
    generator = torch.Generator().manual_seed(8)
    return 0.3 * torch.randn(rows, 20 * FRAME, generator=generator)[:, :samples]


@pytest.mark.parametrize("samples", [700, 1920, 3 * FRAME, 7 * FRAME + 1111])
def test_encoder_is_the_specification(encoder: CodecEncoder, samples: int) -> None:
    exact, wave = deepcopy(encoder).double(), sound(samples).double()
    named = exact.state_dict().items()
    weights = {to_official(f"encoder.{name}", CODEC): tensor for name, tensor in named}
    config = asdict(tiny_codec_config().encoder_config)
    with pytest.MonkeyPatch.context() as patch:  # rotation and distances are float32, else
        patch.setattr(Tensor, "float", Tensor.double)
        found, codes = exact.latent(wave)[0], exact(wave, 16)[0]
    expected = reference.latent(wave[0], weights, config)
    # two orders of some thirty sums of values of order 1, in float64
    torch.testing.assert_close(found, expected, rtol=1e-11, atol=1e-11)
    assert torch.equal(codes, reference.encode(wave[0], weights, config, 16))
    assert torch.equal(codes, encoder(wave.float(), 16)[0])  # float32 finds the same entries


@pytest.mark.parametrize("samples", [1, 2, 959, 960, 1919, 1920, 1921, 2880, 3840, 9601])
def test_a_begun_frame_counts(encoder: CodecEncoder, samples: int) -> None:
    codes = encoder(sound(samples), 16)
    assert codes.shape == (1, 16, -(-samples // FRAME))
    assert codes.dtype == torch.int64
    assert codes.min() >= 0
    assert codes.max() < 2048


@pytest.mark.parametrize("samples", [2 * FRAME, 5 * FRAME, 5 * FRAME + 700])
def test_full_frames_do_not_depend_on_what_follows(encoder: CodecEncoder, samples: int) -> None:
    wave, full = sound(9 * FRAME), samples // FRAME
    whole, part = encoder.latent(wave), encoder.latent(wave[:, :samples])
    # float32: lengths choose other ways to sum; some twenty layers on values of order 1
    torch.testing.assert_close(part[..., :full], whole[..., :full], rtol=1e-4, atol=1e-4)
    assert torch.equal(encoder(wave[:, :samples], 16)[..., :full], encoder(wave, 16)[..., :full])


def test_a_frame_depends_on_its_own_samples(encoder: CodecEncoder) -> None:
    """Nothing looks further ahead than the end of the frame, and its last sample is heard."""
    wave = sound(6 * FRAME)
    changed = wave.clone()
    changed[0, 4 * FRAME - 1] += 0.5  # the last sample of frame 3
    moved = (encoder.latent(wave) - encoder.latent(changed)).abs().amax(1)[0] > 1e-5
    assert moved.tolist()[:4] == [False, False, False, True]


def test_sixteen_codebooks_are_the_first_of_thirty_two(encoder: CodecEncoder) -> None:
    wave = sound(7000)
    assert torch.equal(encoder(wave, 16), encoder(wave, 32)[:, :16])


def test_rows_are_independent(encoder: CodecEncoder) -> None:
    wave = sound(5 * FRAME, rows=2)
    together = encoder(wave, 16)
    for row in range(2):
        assert torch.equal(together[row, None], encoder(wave[row, None], 16))


@given(st.integers(1, 9))
def test_downsampling_repeats_its_borders(length: int) -> None:
    """y[t] = sum over k of W[k] x[2t - 2 + k]; beyond either end x is its last value there."""
    down = Downsample(3, 2).double().requires_grad_(False)
    x = torch.randn(1, 3, length, generator=torch.Generator().manual_seed(length)).double()
    y = down(x)[0]
    assert y.shape == (3, (length + 1) // 2)
    for t in range(y.shape[1]):
        inputs = [x[0, :, min(max(2 * t - 2 + k, 0), length - 1)] for k in range(4)]
        expected = sum(down.weight[:, :, k] @ value for k, value in enumerate(inputs))
        torch.testing.assert_close(y[:, t], expected, rtol=0, atol=1e-14)


@pytest.mark.parametrize(("kernel", "stride"), [(7, 1), (3, 1), (8, 4), (10, 5), (1, 1)])
def test_strided_convolutions_pad_with_zeros(kernel: int, stride: int) -> None:
    conv = StridedConv1d(2, 3, kernel, stride).double().requires_grad_(False)
    for length in range(1, 23):
        x = torch.randn(1, 2, length, generator=torch.Generator().manual_seed(length)).double()
        y = conv(x)[0]
        assert y.shape == (3, -(-length // stride))
        padded = F.pad(x[0], (kernel, 40))
        for t in range(y.shape[1]):
            end = t * stride + stride + kernel  # in `padded`, just after the last input of y[t]
            taps = padded[:, end - kernel : end]
            expected = (conv.weight * taps).sum((1, 2)) + conv.bias
            torch.testing.assert_close(y[:, t], expected, rtol=0, atol=1e-14)


def test_attention_is_not_cut_at_the_published_window() -> None:
    """The config says 250; the official encoder attends to everything, so step 299 hears step 0."""
    config = tiny_codec_config().encoder_config
    assert config.sliding_window == 250
    attention = EncoderAttention(config).requires_grad_(False)
    x = torch.randn(1, 300, config.hidden_size, generator=torch.Generator().manual_seed(1))
    changed = x.clone()
    changed[:, 0] += 3.0
    rotary = rotary_table(torch.arange(300)[None], config.head_dim, config.rope_theta)
    moved = (attention(x, rotary) - attention(changed, rotary)).abs().amax(-1)[0]
    assert moved[299] > 0
    earlier = x.clone()
    earlier[:, 200] += 3.0
    assert torch.equal(attention(x, rotary)[:, :200], attention(earlier, rotary)[:, :200])
