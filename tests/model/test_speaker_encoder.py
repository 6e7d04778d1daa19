"""The speaker encoder against section 8.2 of the specification, written out with loops."""

import math
from copy import deepcopy

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from qwen3_tts.model.speaker_encoder import (
    AttentivePooling,
    ResidualChunks,
    SpeakerEncoder,
    SqueezeExcite,
)
from qwen3_tts.weights.published import tiny_config
from qwen3_tts.weights.random import random_speech_model

CLOSE = {"rtol": 1e-5, "atol": 1e-5}  # float32 sums of up to 400 terms of order 1


@pytest.fixture(scope="module")
def encoder() -> SpeakerEncoder:
    model = random_speech_model(tiny_config("base"), 6).requires_grad_(False)
    assert model.speaker_encoder is not None
    return model.speaker_encoder


def mel(frames: int, rows: int = 1) -> Tensor:
    """Log-mel like numbers, [B, T, M]."""
    return torch.randn(rows, frames, 128, generator=torch.Generator().manual_seed(frames)) - 5.0


def same(x: Tensor, conv: torch.nn.Conv1d, dilation: int = 1) -> Tensor:
    """Convolution of [B, C, T] that keeps T, borders reflected, one tap at a time."""
    side = (conv.kernel_size[0] - 1) * dilation // 2
    T = x.shape[2]
    y = conv.bias[:, None].expand(len(x), -1, T).clone()
    for tap in range(conv.kernel_size[0]):
        index = torch.arange(T) + tap * dilation - side
        index = index.abs()  # -1 is 1, and T is T - 2
        index = torch.where(index >= T, 2 * (T - 1) - index, index)
        y += conv.weight[:, :, tap] @ x[:, :, index]
    return y


def chunks(x: Tensor, block: ResidualChunks, dilation: int) -> Tensor:
    parts = x.split(x.shape[1] // 8, dim=1)
    out = [parts[0]]
    before = torch.zeros_like(parts[0])
    for i in range(1, 8):
        before = same(parts[i] + before, block.convs[i - 1], dilation).clamp(min=0)
        out.append(before)
    return torch.cat(out, dim=1)


def excite(x: Tensor, gate: SqueezeExcite) -> Tensor:
    mean = x.sum(2) / x.shape[2]  # [B, C]
    inner = (mean @ gate.conv1.weight[:, :, 0].T + gate.conv1.bias).clamp(min=0)
    scale = torch.sigmoid(inner @ gate.conv2.weight[:, :, 0].T + gate.conv2.bias)
    return x * scale[:, :, None]


def pooled(x: Tensor, pool: AttentivePooling) -> Tensor:
    mean = x.mean(2, keepdim=True)
    deviation = x.var(2, correction=0, keepdim=True).clamp(min=1e-12).sqrt()
    context = torch.cat([x, mean.expand_as(x), deviation.expand_as(x)], dim=1)
    inner = torch.tanh(same(context, pool.conv1).clamp(min=0))
    weight = F.softmax(same(inner, pool.conv2), dim=2)
    mean = (weight * x).sum(2)
    deviation = (weight * (x - mean[:, :, None]) ** 2).sum(2).clamp(min=1e-12).sqrt()
    return torch.cat([mean, deviation], dim=1)


def reference(x: Tensor, encoder: SpeakerEncoder) -> Tensor:
    """Log-mel [B, T, M] -> vectors [B, D]."""
    x = same(x.transpose(1, 2), encoder.conv_in).clamp(min=0)
    outputs = []
    for block, dilation in zip(encoder.blocks, (2, 3, 4), strict=True):
        y = same(x, block.conv_in).clamp(min=0)
        y = chunks(y, block.chunks, dilation)
        y = same(y, block.conv_out).clamp(min=0)
        x = x + excite(y, block.gate)
        outputs.append(x)
    x = same(torch.cat(outputs, dim=1), encoder.merge).clamp(min=0)
    return pooled(x, encoder.pool) @ encoder.project.weight[:, :, 0].T + encoder.project.bias


@pytest.mark.parametrize("frames", [5, 6, 23, 60])
def test_encoder_is_the_specification(encoder: SpeakerEncoder, frames: int) -> None:
    x = mel(frames, rows=2)
    expected = reference(x.double(), deepcopy(encoder).double())
    torch.testing.assert_close(encoder(x).double(), expected, **CLOSE)


def test_chunks_add_the_output_before(encoder: SpeakerEncoder) -> None:
    block = encoder.blocks[1].chunks
    x = torch.randn(2, 32, 20, generator=torch.Generator().manual_seed(1))
    y = block(x)
    assert torch.equal(y[:, :4], x[:, :4])  # the first passes through
    torch.testing.assert_close(y, chunks(x, block, 3), **CLOSE)
    changed = x.clone()
    changed[:, 8:12] += 1.0  # the third chunk moves itself and all after it
    moved = (block(changed) - y).abs().amax((0, 2)).view(8, 4).amax(1) > 1e-4
    assert moved.tolist() == [False, False, *[True] * 6]


def test_four_frames_are_too_few(encoder: SpeakerEncoder) -> None:
    """Five is the minimum: a border of four is mirrored around the first frame."""
    with pytest.raises(RuntimeError, match=r"[Pp]adding size"):
        encoder(mel(4))


def test_rows_are_independent(encoder: SpeakerEncoder) -> None:
    x = mel(20, rows=3)
    together = encoder(x)
    for row in range(3):
        torch.testing.assert_close(together[row, None], encoder(x[row, None]), **CLOSE)


def test_a_constant_has_the_smallest_deviation(encoder: SpeakerEncoder) -> None:
    x = torch.linspace(-3, 3, 96)[None, :, None].expand(1, 96, 10)
    mean, deviation = encoder.pool(x).chunk(2, dim=1)
    torch.testing.assert_close(mean[..., 0], x[..., 0], rtol=0, atol=1e-6)
    # sqrt(1e-12); ten weights that sum to one but for rounding leave a variance of 1e-13 at most
    smallest = torch.full((1, 96), math.sqrt(1e-12))
    torch.testing.assert_close(deviation[..., 0], smallest, rtol=1e-6, atol=0)
