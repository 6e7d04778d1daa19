"""The decoder: whole-utterance formulas, chunks of any size, rows out of step, and causality."""

import itertools
from collections.abc import Mapping
from copy import deepcopy
from dataclasses import asdict, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from qwen3_tts.model.codec.causal import CausalConvTranspose1d
from qwen3_tts.model.codec.decoder import CodecDecoder
from qwen3_tts.model.codec.state import DecoderState
from qwen3_tts.model.codec.transformer import WindowTransformer
from qwen3_tts.weights.names import CODEC, to_official
from qwen3_tts.weights.published import tiny_codec_config
from qwen3_tts.weights.random import random_codec, random_weights_
from tests.model.codec import decoder_reference as reference

FRAME = 1920
# Float32 leaves the wave of this random codec, which peaks near 0.5, about 1e-6 from float64; two
# float32 results are at most a few times that apart.
CLOSE32 = {"rtol": 0, "atol": 1e-5}
# The same with every step in float64.
CLOSE64 = {"rtol": 0, "atol": 1e-12}


@pytest.fixture(scope="module")
def decoder() -> CodecDecoder:
    return random_codec(tiny_codec_config(), 5).requires_grad_(False).decoder


@pytest.fixture(scope="module")
def exact(decoder: CodecDecoder) -> CodecDecoder:
    return deepcopy(decoder).double()


def frames(count: int, rows: int = 1, seed: int = 0) -> Tensor:
    """Codes [B, K, T]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2048, (rows, 16, count), generator=generator)


def decode(decoder: CodecDecoder, codes: Tensor, sizes: list[int] | None = None) -> Tensor:
    """The wave of `codes`, decoded in pieces of these sizes.

    Norms and rotations turn their input to float32; with float64 weights this is float64 here, so
    that nothing but the order of sums is left to differ.
    """
    state = decoder.new_state(len(codes))
    with pytest.MonkeyPatch.context() as patch:
        if decoder.wave_out.weight.dtype == torch.float64:
            patch.setattr(Tensor, "float", Tensor.double)
        pieces = [decoder(piece, state) for piece in codes.split(sizes or [codes.shape[2]], dim=2)]
    assert state.pos.tolist() == [codes.shape[2]] * len(codes)
    return torch.cat(pieces, dim=1)


def official_weights(decoder: CodecDecoder) -> Mapping[str, Tensor]:
    named = decoder.state_dict().items()
    return {to_official(f"decoder.{name}", CODEC): tensor for name, tensor in named}


@pytest.mark.parametrize("count", [1, 3, 90])  # 90 frames are more than a window of 72
def test_decoder_is_the_specification(exact: CodecDecoder, count: int) -> None:
    codes = frames(count)
    wave = decode(exact, codes)
    assert wave.shape == (1, count * FRAME)
    expected = reference.decode(codes[0], official_weights(exact), asdict(exact.config))
    assert expected.abs().max() > 0.05  # it is a wave, and below it is not clamped
    assert expected.abs().max() < 1.0
    # two orders of some forty sums, on values up to 500: 1e-16 grows to 1e-12 at most
    torch.testing.assert_close(wave[0], expected, **CLOSE64)


def test_a_loud_wave_is_clamped(exact: CodecDecoder) -> None:
    loud = deepcopy(exact)
    loud.wave_out.weight *= 20
    wave, codes = decode(loud, frames(4))[0], frames(4)[0]
    assert wave.max() == 1.0
    assert wave.min() == -1.0
    expected = reference.decode(codes, official_weights(loud), asdict(loud.config))
    torch.testing.assert_close(wave, expected, rtol=0, atol=20 * CLOSE64["atol"])


@pytest.mark.parametrize("size", range(1, 9))
def test_chunks_of_one_size_are_the_whole(exact: CodecDecoder, size: int) -> None:
    codes = frames(17)
    sizes = [size] * (17 // size) + [17 % size] * (17 % size > 0)
    torch.testing.assert_close(decode(exact, codes, sizes), decode(exact, codes), **CLOSE64)


@settings(max_examples=10)
@given(st.lists(st.integers(1, 12), min_size=2, max_size=4))
def test_any_split_is_the_whole(exact: CodecDecoder, sizes: list[int]) -> None:
    codes = frames(sum(sizes))
    torch.testing.assert_close(decode(exact, codes, sizes), decode(exact, codes), **CLOSE64)


def test_chunks_beyond_the_window_are_the_whole(decoder: CodecDecoder, exact: CodecDecoder) -> None:
    codes, sizes = frames(90), [1, 8, 71, 10]
    torch.testing.assert_close(decode(exact, codes, sizes), decode(exact, codes), **CLOSE64)
    torch.testing.assert_close(decode(decoder, codes, sizes), decode(decoder, codes), **CLOSE32)


def test_float32_is_close_to_float64(decoder: CodecDecoder, exact: CodecDecoder) -> None:
    codes = frames(30)
    torch.testing.assert_close(decode(decoder, codes).double(), decode(exact, codes), **CLOSE32)


@pytest.mark.parametrize("t", [0, 1, 5, 9])
def test_a_frame_never_changes_samples_before_it(decoder: CodecDecoder, t: int) -> None:
    codes = frames(10)
    changed = codes.clone()
    changed[0, :, t] = (changed[0, :, t] + 1) % 2048
    before, after = decode(decoder, codes)[0], decode(decoder, changed)[0]
    assert torch.equal(before[: t * FRAME], after[: t * FRAME])  # to the last bit
    # a new frame acts at once: in its own first ten milliseconds
    assert (before[t * FRAME :][:240] - after[t * FRAME :][:240]).abs().max() > 1e-4


def test_every_codebook_is_heard(decoder: CodecDecoder) -> None:
    codes = frames(3)
    wave = decode(decoder, codes)
    for k in range(16):
        changed = codes.clone()
        changed[0, k, 1] = (changed[0, k, 1] + 1) % 2048
        assert (decode(decoder, changed) - wave).abs().max() > 1e-4, k


def test_rows_out_of_step_are_each_row_alone(decoder: CodecDecoder) -> None:
    """Rows are advanced in groups of any size, moved, and one is cleared for a second stream."""
    codes = frames(12, rows=3)
    state = decoder.new_state(3)
    heard: list[list[Tensor]] = [[], [], []]

    def advance(rows: list[int], start: list[int], count: int) -> None:
        index = torch.tensor(rows)
        part = state.rows(index)
        piece = torch.stack([codes[r, :, s : s + count] for r, s in zip(rows, start, strict=True)])
        wave = decoder(piece, part)
        state.put(index, part)
        for r, samples in zip(rows, wave, strict=True):
            heard[r].append(samples)

    advance([0, 1, 2], [0, 0, 0], 2)
    advance([2, 0], [2, 2], 3)
    advance([1], [2], 5)
    advance([0, 1], [5, 7], 4)
    assert state.pos.tolist() == [9, 11, 5]
    state.clear(torch.tensor([1]))
    assert state.pos.tolist() == [9, 0, 5]
    first_stream, heard[1] = heard[1], []
    advance([2, 1], [5, 0], 3)
    ended = {0: 9, 1: 3, 2: 8}
    for row, count in ended.items():
        alone = decode(decoder, codes[row, None, :, :count])[0]
        torch.testing.assert_close(torch.cat(heard[row]), alone, **CLOSE32)
    alone = decode(decoder, codes[1, None, :, :11])[0]
    torch.testing.assert_close(torch.cat(first_stream), alone, **CLOSE32)


def test_rows_in_place_are_rows_copied_out_and_back(decoder: CodecDecoder) -> None:
    """Neighbours decoded as views move on just as copies do, and no other row changes."""
    whole, copied = decoder.new_state(4), decoder.new_state(4)
    for state in (whole, copied):
        decoder(frames(3, rows=4), state)
    codes, index = frames(2, rows=2, seed=4), torch.tensor([1, 2])
    part = copied.rows(index)
    expected = decoder(codes, part)
    copied.put(index, part)
    assert torch.equal(decoder(codes, whole.span(1, 3)), expected)
    assert whole.pos.tolist() == [3, 5, 5, 3]
    for one, other in zip(
        (*whole.tails, whole.keys, whole.values),
        (*copied.tails, copied.keys, copied.values),
        strict=True,
    ):
        assert torch.equal(one, other)


def test_a_kept_row_is_a_copy(decoder: CodecDecoder) -> None:
    """A primed voice serves any number of streams: decoding from a copy leaves it as it was."""
    state = decoder.new_state(2)
    decoder(frames(4, rows=2), state)
    kept = state.rows(torch.tensor([1]))
    tensors = [*kept.tails, kept.keys, kept.values, kept.pos]
    before = [tensor.clone() for tensor in tensors]
    once = decoder(frames(3, seed=8), kept.rows(torch.tensor([0])))
    decoder(frames(5, rows=2, seed=3), state)
    again = decoder(frames(3, seed=8), kept.rows(torch.tensor([0])))
    assert torch.equal(once, again)
    assert all(torch.equal(old, new) for old, new in zip(before, tensors, strict=True))


def test_state_is_what_the_specification_lists(decoder: CodecDecoder) -> None:
    """Inputs remembered per layer (section 7.4): kernel 3; 2 x 7; 7; four stages of an upsampling
    with one and units of 6, 18, 54; and 7."""
    state: DecoderState = decoder.new_state(1)
    expected = [2, 6, 6, 6, *itertools.chain(*[[1, 6, 18, 54]] * 4), 6]
    by_module = {m.slot: m for m in decoder.causal_layers}
    assert sorted(by_module) == list(range(len(expected)))
    assert sorted(tail.shape[2] for tail in state.tails) == sorted(expected)
    assert state.keys.shape == state.values.shape == (2, 1, 4, 71, 12)
    assert not any(tail.any() for tail in state.tails)


@pytest.mark.parametrize("layers", [1, 2])
def test_attention_ends_at_the_window(layers: int) -> None:
    """A frame is seen by itself and the W - 1 frames after it, once per layer, and no further."""
    W = 5
    config = replace(tiny_codec_config().decoder_config, sliding_window=W, num_hidden_layers=layers)
    whole = random_weights_(CodecDecoder(config), 2).requires_grad_(False)
    transformer: WindowTransformer = whole.transformer
    x = torch.randn(1, 30, 48, generator=torch.Generator().manual_seed(1))
    changed = x.clone()
    changed[:, 7] += 1.0
    before = transformer(x, whole.new_state(1))[0]
    after = transformer(changed, whole.new_state(1))[0]
    moved = [t for t in range(30) if not torch.equal(before[t], after[t])]
    assert moved == list(range(7, 7 + layers * (W - 1) + 1))


@pytest.mark.parametrize(("kernel", "stride"), [(4, 2), (16, 8), (6, 3), (5, 5)])
def test_transposed_convolution_is_its_two_taps(kernel: int, stride: int) -> None:
    """y[stride * t + r] = bias + W[:, :, r] x[t] + W[:, :, r + stride] x[t - 1], in chunks too."""
    conv = CausalConvTranspose1d(6, 4, kernel, stride).double().requires_grad_(False)
    conv.slot = 0
    x = torch.randn(1, 6, 11, generator=torch.Generator().manual_seed(2)).double()
    state = DecoderState([torch.zeros(1, 6, conv.context).double()], *[torch.zeros(1)] * 3)
    chunks = [conv(piece, state) for piece in x.split([1, 4, 6], dim=2)]
    weights = {"up.weight": conv.weight, "up.bias": conv.bias}
    expected = reference.upsample(x[0], weights, "up", stride)
    torch.testing.assert_close(torch.cat(chunks, dim=2)[0], expected, rtol=0, atol=1e-14)
