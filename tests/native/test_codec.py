"""The decoder's kernels: against torch in float32, and against themselves, where bits must agree.

What is rounded: weights and the inputs of products, to bfloat16, each by up to 2^-9 of itself,
some -56 dB on average. Both together leave an error 53 dB below what a layer gives. In a random
codec nothing averages out: after forty layers it is ten times log10(40) = 16 dB more, 37 dB. What
must not depend on company, chunks or threads is equal to the last bit.
"""

from copy import deepcopy
from dataclasses import replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from qwen3_tts.errors import UnsupportedRequest
from qwen3_tts.model.codec.causal import CausalConv1d, CausalConvTranspose1d
from qwen3_tts.model.codec.decoder import CodecDecoder
from qwen3_tts.model.codec.state import DecoderState
from qwen3_tts.native.codec import NativeDecoder
from qwen3_tts.native.library import Pool, kernels, why_not
from qwen3_tts.weights.published import tiny_codec_config
from qwen3_tts.weights.random import random_codec, random_weights_

pytestmark = pytest.mark.skipif(kernels() is None, reason=f"no kernels: {why_not()}")

FRAME = 1920


@pytest.fixture(scope="module")
def torch_decoder() -> CodecDecoder:
    return random_codec(tiny_codec_config(), 5).requires_grad_(False).decoder


@pytest.fixture(scope="module")
def decoder(torch_decoder: CodecDecoder) -> NativeDecoder:
    return NativeDecoder(torch_decoder, Pool(3), threads=2)


def frames(count: int, rows: int = 1, seed: int = 0) -> Tensor:
    """Codes [B, K, T]."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(0, 2048, (rows, 16, count), generator=generator)


def decode(
    decoder: CodecDecoder | NativeDecoder, codes: Tensor, sizes: list[int] | None = None
) -> Tensor:
    """The wave of `codes`, decoded in pieces of these sizes."""
    state = decoder.new_state(len(codes))
    pieces = [decoder(piece, state) for piece in codes.split(sizes or [codes.shape[2]], dim=2)]
    assert state.pos.tolist() == [codes.shape[2]] * len(codes)
    return torch.cat(pieces, dim=1)


def decibels(signal: Tensor, expected: Tensor) -> float:
    """How far the difference lies below what is expected."""
    error = signal.double() - expected.double()
    return float(10 * torch.log10(expected.double().square().sum() / error.square().sum()))


def test_every_layer_is_close_to_float32(
    decoder: NativeDecoder, torch_decoder: CodecDecoder
) -> None:
    """The tails are the last inputs of every causal layer: an error is found where it is made.

    100 frames are more than a window of 72.
    """
    codes = frames(100)
    state, expected = decoder.new_state(1), torch_decoder.new_state(1)
    decoder(codes, state)
    torch_decoder(codes, expected)
    # first upsampling, latents, wave stages; the last input of an upsampling is but eight numbers
    floors = [50.0] + [46.0] * 2 + [31.0] * 17
    for slot, (tail, other) in enumerate(zip(state.tails[1:], expected.tails[1:], strict=True)):
        steps = other[0].T  # [context, C]
        assert decibels(tail[0, :, : steps.shape[1]], steps) > floors[slot], slot
        assert not tail[0, :, steps.shape[1] :].any(), slot  # padding stays 0
    for mine, theirs in ((state.keys, expected.keys), (state.values, expected.values)):
        ring = torch.arange(100 - 71, 100) % 71
        assert decibels(mine[:, :, :, ring, :12], theirs) > 50


def rounded(x: Tensor) -> Tensor:
    return x.bfloat16().float()


def round_products(decoder: CodecDecoder) -> CodecDecoder:
    """The torch decoder with weights and inputs of the wave stages' products rounded."""
    decoder = deepcopy(decoder)
    kinds = (CausalConv1d, CausalConvTranspose1d, nn.Conv1d)
    for module in (decoder.wave_in, *decoder.wave_stages.modules()):
        if isinstance(module, kinds):
            module.weight.copy_(rounded(module.weight))
            module.register_forward_pre_hook(lambda _, inputs: (rounded(inputs[0]), *inputs[1:]))
    return decoder


def wave_of_latents(decoder: CodecDecoder, latents: Tensor) -> Tensor:
    """Latents [B, C, T] through the wave stages."""
    state, x = decoder.new_state(len(latents)), latents
    x = decoder.wave_in(x, state)
    for stage in decoder.wave_stages:
        x = stage(x, state)
    return decoder.wave_out(decoder.wave_act(x), state).squeeze(1).clamp(-1, 1)


def test_wave_stages_are_torch_s_with_rounded_products(
    decoder: NativeDecoder, torch_decoder: CodecDecoder
) -> None:
    """Only sums differ, by 1e-7: now and then one falls on the other side of a rounding."""
    codes, state = frames(5), decoder.new_state(1)
    pieces, latents = [], []
    for frame in codes.split(1, dim=2):
        pieces.append(decoder(frame, state))
        latents.append(state.tails[3][:, -4:].float().transpose(1, 2).clone())  # of this frame
    expected = wave_of_latents(round_products(torch_decoder), torch.cat(latents, dim=2)[:, :48])
    assert decibels(torch.cat(pieces, dim=1), expected) > 55


def test_stages_of_published_size() -> None:
    """192 and 96 channels: whole panels and tiles, and pieces that go by the cache's size."""
    config = replace(
        tiny_codec_config().decoder_config, decoder_dim=384, upsample_rates=(4, 3), latent_dim=80
    )
    torch_decoder = random_weights_(CodecDecoder(config), 3).requires_grad_(False)
    torch_decoder.wave_out.weight *= 1e-3
    codes, native = frames(12), NativeDecoder(torch_decoder, Pool(2))
    wave = decode(native, codes)
    assert wave.shape == (1, 12 * 4 * 12)
    expected = decode(torch_decoder, codes)
    assert 0.02 < expected.abs().max() < 1
    assert decibels(wave, expected) > 36
    assert torch.equal(decode(native, codes, [1, 2, 9]), wave)


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(1, 20), min_size=2, max_size=4), st.integers(1, 3))
def test_any_split_is_the_whole(decoder: NativeDecoder, sizes: list[int], rows: int) -> None:
    codes = frames(sum(sizes), rows)
    assert torch.equal(decode(decoder, codes, sizes), decode(decoder, codes))


def test_chunks_beyond_the_window_are_the_whole(decoder: NativeDecoder) -> None:
    codes = frames(90)
    assert torch.equal(decode(decoder, codes, [1, 8, 71, 10]), decode(decoder, codes))


@pytest.mark.parametrize("window", [1, 2, 5])
def test_a_window_shorter_than_a_chunk(window: int) -> None:
    config = replace(tiny_codec_config().decoder_config, sliding_window=window)
    torch_decoder = random_weights_(CodecDecoder(config), 2).requires_grad_(False)
    torch_decoder.wave_out.weight *= 1e-3
    native, codes = NativeDecoder(torch_decoder, Pool(1)), frames(13)
    wave = decode(native, codes)
    assert torch.equal(decode(native, codes, [1, 3, 9]), wave)
    assert decibels(wave, decode(torch_decoder, codes)) > 30


@pytest.mark.parametrize("threads", [1, 3])
def test_threads_do_not_change_a_sample(decoder: NativeDecoder, threads: int) -> None:
    codes = frames(6, rows=2)
    expected, decoder.threads = decode(decoder, codes), threads
    try:
        assert torch.equal(decode(decoder, codes, [1, 5]), expected)
    finally:
        decoder.threads = 2


def test_rows_are_each_row_alone(decoder: NativeDecoder) -> None:
    codes = frames(3, rows=20)  # more rows than frames of a piece
    wave = decode(decoder, codes)
    for row in (0, 7, 19):
        assert torch.equal(wave[row], decode(decoder, codes[row, None])[0])


def test_rows_out_of_step_are_each_row_alone(decoder: NativeDecoder) -> None:
    """Rows are advanced in groups, copied out and back, and one is cleared for a second stream."""
    codes, state = frames(12, rows=3), decoder.new_state(3)
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
    advance([0, 1], [5, 2], 4)
    state.clear(torch.tensor([1]))
    assert state.pos.tolist() == [9, 0, 5]
    first_stream, heard[1] = heard[1], []
    advance([2, 1], [5, 0], 3)
    for row, count in {0: 9, 1: 3, 2: 8}.items():
        alone = decode(decoder, codes[row, None, :, :count])[0]
        assert torch.equal(torch.cat(heard[row]), alone), row
    assert torch.equal(torch.cat(first_stream), decode(decoder, codes[1, None, :, :6])[0])


def tensors(state: DecoderState) -> list[Tensor]:
    return [*state.tails, state.keys, state.values, state.pos]


def test_rows_in_place_are_rows_copied_out_and_back(decoder: NativeDecoder) -> None:
    whole, copied = decoder.new_state(4), decoder.new_state(4)
    for state in (whole, copied):
        decoder(frames(3, rows=4), state)
    codes, index = frames(2, rows=2, seed=4), torch.tensor([1, 2])
    part = copied.rows(index)
    expected = decoder(codes, part)
    copied.put(index, part)
    assert torch.equal(decoder(codes, whole.span(1, 3)), expected)
    assert whole.pos.tolist() == [3, 5, 5, 3]
    pairs = zip(tensors(whole), tensors(copied), strict=True)
    assert all(torch.equal(one, other) for one, other in pairs)


def test_a_row_goes_on_from_a_primed_state(decoder: NativeDecoder) -> None:
    """A state kept from a reference serves two rows and stays what it was."""
    reference, codes = frames(80, seed=7), frames(4, rows=3, seed=8)
    kept, state = decoder.new_state(1), decoder.new_state(3)
    decoder(reference, kept)
    before = [tensor.clone() for tensor in tensors(kept)]
    for slot in (0, 2):
        state.put(torch.tensor([slot]), kept)
    wave = decoder(codes, state)
    assert all(torch.equal(old, new) for old, new in zip(before, tensors(kept), strict=True))
    assert torch.equal(wave[1], decode(decoder, codes[1, None])[0])
    for slot in (0, 2):
        whole = decode(decoder, torch.cat([reference, codes[slot, None]], dim=2))[0]
        assert torch.equal(wave[slot], whole[80 * FRAME :])


@pytest.mark.parametrize("t", [0, 1, 9])
def test_a_frame_never_changes_samples_before_it(decoder: NativeDecoder, t: int) -> None:
    codes = frames(10)
    changed = codes.clone()
    changed[0, :, t] = (changed[0, :, t] + 1) % 2048
    before, after = decode(decoder, codes)[0], decode(decoder, changed)[0]
    assert torch.equal(before[: t * FRAME], after[: t * FRAME])
    assert (before[t * FRAME :][:240] - after[t * FRAME :][:240]).abs().max() > 1e-4


def test_attention_ends_at_the_window() -> None:
    """A frame is seen by itself and the W - 1 after it: in one layer's keys and no further."""
    config = replace(tiny_codec_config().decoder_config, sliding_window=5, num_hidden_layers=2)
    torch_decoder = random_weights_(CodecDecoder(config), 2).requires_grad_(False)
    native = NativeDecoder(torch_decoder, Pool(1))
    codes = frames(20)
    changed = codes.clone()
    changed[0, :, 4] = (changed[0, :, 4] + 1) % 2048
    keys = []
    for grid in (codes, changed):
        state, second = native.new_state(1), []
        for frame in grid.split(1, dim=2):
            at = int(state.pos) % 4
            native(frame, state)
            second.append(state.keys[1, 0, :, at].clone())  # what the first layer made of it
        keys.append(second)
    moved = [t for t in range(20) if not torch.equal(keys[0][t], keys[1][t])]
    assert moved == list(range(4, 6 + 5))  # three frames by the first convolution, then a window


def test_a_loud_wave_is_clamped(torch_decoder: CodecDecoder) -> None:
    loud = deepcopy(torch_decoder)
    loud.wave_out.weight *= 20
    wave = decode(NativeDecoder(loud, Pool(1)), frames(4))
    assert wave.max() == 1.0
    assert wave.min() == -1.0


def test_weights_are_copied(torch_decoder: CodecDecoder) -> None:
    model = deepcopy(torch_decoder)
    native, codes = NativeDecoder(model, Pool(1)), frames(2)
    wave = decode(native, codes)
    for parameter in model.parameters():
        parameter.fill_(0)
    assert torch.equal(decode(native, codes), wave)


def test_no_frames_are_no_sound(decoder: NativeDecoder) -> None:
    state = decoder.new_state(2)
    assert decoder(frames(0, rows=2), state).shape == (2, 0)
    assert state.pos.tolist() == [0, 0]


@pytest.mark.parametrize("code", [-1, 2048])
def test_a_code_out_of_range_changes_nothing(decoder: NativeDecoder, code: int) -> None:
    state, codes = decoder.new_state(1), frames(3)
    decoder(codes, state)
    before = [tensor.clone() for tensor in tensors(state)]
    codes[0, 15, 2] = code
    with pytest.raises(IndexError, match=r"0\.\.2047"):
        decoder(codes, state)
    assert all(torch.equal(old, new) for old, new in zip(before, tensors(state), strict=True))


@pytest.mark.parametrize("shape", [(2, 16, 1), (1, 15, 1)])
def test_codes_of_another_shape_are_refused(
    decoder: NativeDecoder, shape: tuple[int, int, int]
) -> None:
    with pytest.raises(ValueError, match="this state takes"):
        decoder(torch.zeros(shape, dtype=torch.long), decoder.new_state(1))


def with_rates(latent: tuple[int, ...], wave: tuple[int, ...]) -> CodecDecoder:
    small = replace(tiny_codec_config().decoder_config, decoder_dim=512)
    return CodecDecoder(replace(small, upsampling_ratios=latent, upsample_rates=wave))


@pytest.mark.parametrize(("latent", "wave"), [((), (2, 2)), ((2,), (2,)), ((2,), (2,) * 9)])
def test_other_numbers_of_stages_are_refused(
    latent: tuple[int, ...], wave: tuple[int, ...]
) -> None:
    with pytest.raises(UnsupportedRequest, match="stages"):
        NativeDecoder(with_rates(latent, wave), Pool(1))
