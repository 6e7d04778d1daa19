"""Memory of earlier positions: what is kept, what may be seen, and that growing changes nothing."""

import torch

from qwen3_tts.model.cache import FrameCache, KVCache
from qwen3_tts.weights.published import tiny_config

CONFIG = tiny_config("base").talker_config
LIKE = torch.zeros(1)


def new_cache(rows: int, capacity: int) -> KVCache:
    return KVCache.new(CONFIG, rows, capacity, LIKE)


def test_a_new_cache_is_empty_and_like_the_weights() -> None:
    cache = KVCache.new(CONFIG, 3, 10, torch.zeros(1, dtype=torch.bfloat16))
    assert cache.keys.shape == cache.values.shape == (3, 3, 2, 10, 32)  # [L, B, G, S, E]
    assert cache.keys.dtype == cache.values.dtype == torch.bfloat16
    assert not cache.keys.any()
    assert not cache.values.any()
    assert cache.pos.tolist() == [0, 0, 0]
    assert cache.keys.data_ptr() != cache.values.data_ptr()


def test_reserve_doubles_and_keeps_what_is_there() -> None:
    cache = new_cache(2, 8)
    cache.keys.normal_()
    cache.values.normal_()
    keys, values = cache.keys.clone(), cache.values.clone()
    cache.reserve(2, 8)
    assert cache.capacity == 8
    cache.reserve(2, 9)
    assert cache.capacity == 16
    cache.reserve(2, 100)
    assert cache.capacity == cache.values.shape[3] == 100
    assert torch.equal(cache.keys[..., :8, :], keys)
    assert torch.equal(cache.values[..., :8, :], values)
    assert not cache.keys[..., 8:, :].any()
    assert not cache.values[..., 8:, :].any()


def test_a_query_sees_its_own_position_and_those_before_it() -> None:
    cache = new_cache(3, 12)
    cache.pos = torch.tensor([0, 4, 7])
    span = cache.span(2, limit=9)
    assert span.positions.tolist() == [[0, 1], [4, 5], [7, 8]]
    expected = [[[s <= p + i for s in range(9)] for i in range(2)] for p in (0, 4, 7)]
    assert span.mask.shape == (3, 1, 2, 9)
    assert span.mask[:, 0].tolist() == expected


def test_extend_writes_each_row_at_its_own_place() -> None:
    cache = new_cache(2, 6)
    cache.pos = torch.tensor([1, 3])
    keys, values = torch.randn(2, 2, 2, 32), torch.randn(2, 2, 2, 32)  # [B, G, 2, E]
    seen_keys, seen_values = cache.span(2, limit=5).extend(1, keys, values)
    assert seen_keys.shape == (2, 2, 5, 32)
    expected = torch.zeros(2, 2, 6, 32)
    expected[0, :, 1:3], expected[1, :, 3:5] = keys[0], keys[1]
    assert torch.equal(cache.keys[1], expected)
    assert torch.equal(seen_keys, expected[:, :, :5])
    expected[0, :, 1:3], expected[1, :, 3:5] = values[0], values[1]
    assert torch.equal(seen_values, expected[:, :, :5])
    assert not cache.keys[[0, 2]].any()  # the other layers
    assert cache.pos.tolist() == [1, 3]  # the caller moves on, once all layers have written


def test_frame_spans_walk_through_one_frame() -> None:
    cache = FrameCache.new(CONFIG.code_predictor_config, 2, LIKE)
    assert cache.keys.shape == (2, 2, 2, 16, 16)  # [L, B, G, K, E]
    start = cache.span(0, 2)
    assert start.positions.tolist() == [[0, 1]]
    assert start.mask is not None
    assert start.mask[0, 0].tolist() == [[True, False], [True, True]]
    first = torch.randn(2, 2, 2, 16)
    assert torch.equal(start.extend(0, first, first)[0], first)
    step = cache.span(2, 1)
    assert step.positions.tolist() == [[2]]
    assert step.mask is None  # it sees all it is given: positions 0..2
    second = torch.randn(2, 2, 1, 16)
    keys, values = step.extend(0, second, -second)
    assert torch.equal(keys, torch.cat([first, second], dim=2))
    assert torch.equal(values, torch.cat([first, -second], dim=2))
