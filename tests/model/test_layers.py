"""Norms, rotary embedding and attention against their formulas, in float32 and bfloat16."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from qwen3_tts.model.layers import Attention, RMSNorm, SwiGLU, rotary_table, rotate
from qwen3_tts.weights.published import published_config, tiny_config
from qwen3_tts.weights.random import random_speech_model

# bfloat16 has 8 significant bits: one rounding is off by at most this, relatively.
ROUNDING = 2.0**-8


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def interleaved_mrope(streams: Tensor, head_dim: int, theta: float, section: list[int]) -> Tensor:
    """Multimodal rotary table [2, S, E] of three position streams [3, S], as the config asks for.

    Frequencies 1, 4, 7, ... take the second stream and 2, 5, 8, ... the third, as many as their
    section says; all others take the first.
    """
    inverse = 1.0 / (theta ** (torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim))
    angles = streams.float()[:, :, None] * inverse  # [3, S, E/2]
    mixed = angles[0].clone()
    for stream in (1, 2):
        for n in range(section[stream]):
            mixed[:, 3 * n + stream] = angles[stream, :, 3 * n + stream]
    both = torch.cat([mixed, mixed], dim=-1)
    return torch.stack([both.cos(), both.sin()])


def test_three_equal_position_streams_are_plain_rotary() -> None:
    """Why the package has no M-RoPE: with equal streams the difference is 0.0, to the last bit."""
    talker = published_config("base", "1.7B").talker_config
    assert talker.rope_scaling is not None
    section = talker.rope_scaling["mrope_section"]
    positions = torch.cat([torch.arange(300), torch.tensor([4095, 8191, 32767])])
    ours = rotary_table(positions[None], talker.head_dim, talker.rope_theta)[:, 0, 0]
    equal = positions.expand(3, -1)
    assert torch.equal(interleaved_mrope(equal, talker.head_dim, talker.rope_theta, section), ours)
    shifted = equal + torch.tensor([0, 0, 1])[:, None]  # the streams do matter where they differ
    assert not torch.equal(
        interleaved_mrope(shifted, talker.head_dim, talker.rope_theta, section), ours
    )


def test_rotary_table_is_float32_and_close_to_float64() -> None:
    positions = torch.tensor([[0, 1, 2, 71, 1000, 8000], [5, 6, 7, 8, 9, 10]])
    table = rotary_table(positions, 64, 10_000.0)
    assert table.dtype == torch.float32
    assert table.shape == (2, 2, 1, 6, 64)
    angle = positions[..., None].double() * 10_000.0 ** (-torch.arange(32).double() / 32)
    exact = torch.stack([angle.cos(), angle.sin()]).repeat(1, 1, 1, 2)[:, :, None]
    # A float32 angle is off by up to three roundings of 2^-24 each, relatively (power, quotient,
    # product); at position 8000 that is 8000 * 3 * 2^-24 = 1.4e-3 radians, and less before it.
    error = (table.double() - exact).abs()
    assert (error <= (positions[None, :, None, :, None] + 1) * 3 * 2.0**-24).all()


def test_rotate_turns_each_pair_by_its_angle() -> None:
    """Component i and i + E/2 are one complex number, multiplied by e^(i * angle)."""
    x, positions = random(2, 3, 5, 16), torch.tensor([[0, 1, 2, 3, 4], [7, 8, 9, 40, 41]])
    table = rotary_table(positions, 16, 10_000.0)
    pair = torch.complex(x[..., :8].double(), x[..., 8:].double())
    turned = pair * torch.complex(table[0, ..., :8].double(), table[1, ..., :8].double())
    expected = torch.cat([turned.real, turned.imag], dim=-1)
    # two products and a sum of numbers below 5: some 3 roundings of 2^-24 of 5
    torch.testing.assert_close(rotate(x, table).double(), expected, rtol=0, atol=1e-6)


def test_rotation_of_bfloat16_is_computed_in_float32() -> None:
    x = random(1, 2, 50, 32).bfloat16()
    table = rotary_table(torch.arange(50)[None], 32, 1e6)
    rotated = rotate(x, table)
    assert rotated.dtype == torch.bfloat16
    # One rounding, of the result: a rotation in bfloat16 would round table and products as well.
    assert torch.equal(rotated, rotate(x.float(), table).bfloat16())


@pytest.mark.parametrize("scale", [1e-3, 1.0, 300.0])  # 1e-3: mean square and epsilon are equal
def test_rms_norm_is_its_formula(scale: float) -> None:
    norm = RMSNorm(64, 1e-6)
    nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(1))
    x = scale * random(3, 5, 64)
    y = x.double()
    expected = norm.weight.double() * y / (y.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    # mean, rsqrt and two products: under 8 roundings of 2^-24 of values below 5
    torch.testing.assert_close(norm(x).double(), expected, rtol=1e-6, atol=1e-6)


def test_rms_norm_of_bfloat16_has_float32_statistics() -> None:
    x = random(40, 1024).bfloat16()
    y = x.double()
    exact = y / (y.square().mean(-1, keepdim=True) + 1e-6).sqrt()
    norm = RMSNorm(1024, 1e-6).bfloat16()
    error = (norm(x).double() - exact).abs() / exact.abs().clamp(min=1e-9)
    # A weight of one changes nothing, so all that is left is one rounding of the result (and
    # float32's, 1% of it at most). Statistics in bfloat16 would add roundings of the same size.
    assert error.max() <= 1.01 * ROUNDING


def test_rms_norm_rounds_before_the_weight_as_the_official_one() -> None:
    norm = RMSNorm(64, 1e-6).bfloat16()
    nn.init.normal_(norm.weight, generator=torch.Generator().manual_seed(1))
    x = random(20, 64).bfloat16()
    y = x.float()
    y = y * torch.rsqrt(y.square().mean(-1, keepdim=True) + 1e-6)
    assert torch.equal(norm(x), norm.weight * y.bfloat16())


def test_swiglu_is_its_formula() -> None:
    mlp = SwiGLU(8, 24)
    x = random(5, 8)
    gate, up = x @ mlp.gate_proj.weight.T, x @ mlp.up_proj.weight.T
    expected = (gate * torch.sigmoid(gate) * up) @ mlp.down_proj.weight.T
    torch.testing.assert_close(mlp(x), expected, rtol=1e-5, atol=1e-6)  # sums of up to 24 terms


@pytest.mark.parametrize("heads", [(4, 2), (4, 4), (6, 1)])
def test_query_heads_share_key_heads_in_order(heads: tuple[int, int]) -> None:
    """Query head h reads key head h // (H / G): the same as key heads repeated H / G times."""
    config = tiny_config("base", heads=heads).talker_config
    grouped = random_speech_model(tiny_config("base", heads=heads), 3).talker.transformer
    attention = grouped.blocks[0].attn
    plain = Attention(replace(config, num_key_value_heads=heads[0]), 0)
    with torch.no_grad():
        for part in ("q_proj", "o_proj", "q_norm", "k_norm"):
            getattr(plain, part).weight.copy_(getattr(attention, part).weight)
        for part in ("k_proj", "v_proj"):
            weight = getattr(attention, part).weight.unflatten(0, (heads[1], config.head_dim))
            repeated = weight.repeat_interleave(heads[0] // heads[1], dim=0)
            getattr(plain, part).weight.copy_(repeated.flatten(0, 1))
        x, table = random(2, 9, 64), rotary_table(torch.arange(9)[None], config.head_dim, 1e6)
        # the same products; sums of 128 terms of order 1 in another order
        torch.testing.assert_close(
            attention(x, table, None), plain(x, table, None), rtol=1e-4, atol=1e-4
        )


def test_attention_weights_of_bfloat16_sum_up_in_float32() -> None:
    """With equal scores attention is a running mean; a bfloat16 sum would stop growing at 256."""
    config = replace(tiny_config("base").talker_config, num_key_value_heads=1, hidden_size=32)
    attention = Attention(replace(config, num_attention_heads=1), 0).bfloat16()
    with torch.no_grad():
        attention.q_proj.weight.zero_()
        attention.v_proj.weight.copy_(torch.eye(32))
        attention.o_proj.weight.copy_(torch.eye(32))
        S = 1500
        x = (random(1, S, 32) > 0.5).bfloat16()  # zeros and ones: exact in any type
        y = attention(x, rotary_table(torch.arange(S)[None], 32, 1e6), None)
    mean = x.double().cumsum(1) / torch.arange(1, S + 1)[None, :, None]
    # The weights of a block of keys may be rounded to bfloat16 (they share one error, ROUNDING),
    # the output and its projection are rounded once each.
    assert ((y.double() - mean).abs() <= 3.03 * ROUNDING * mean + 1e-9).all()
