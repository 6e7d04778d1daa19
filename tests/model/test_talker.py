"""The talker: steps over a cache are one causal pass, whatever the batch around a row."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from qwen3_tts.model.cache import KVCache
from qwen3_tts.model.talker import Talker
from qwen3_tts.weights.published import tiny_config
from qwen3_tts.weights.random import random_speech_model

CONFIG = tiny_config("base").talker_config
LENGTH = 12
# Three layers on hidden values of order 1 to 10; other shapes sum up to 128 terms in other orders.
CLOSE = {"rtol": 1e-4, "atol": 1e-4}


@pytest.fixture(scope="module")
def talker() -> Talker:
    return random_speech_model(tiny_config("base"), 11).requires_grad_(False).talker


def inputs(rows: int, length: int = LENGTH) -> Tensor:
    return torch.randn(rows, length, 64, generator=torch.Generator().manual_seed(rows))


def run(
    talker: Talker, x: Tensor, cuts: list[int], *, capacity: int = LENGTH, extra: int = 0
) -> Tensor:
    """All hidden states, the cache filled piece by piece; `extra` widens every limit."""
    cache = KVCache.new(CONFIG, len(x), capacity, x)
    outputs, start = [], 0
    for end in [*cuts, x.shape[1]]:
        cache.reserve(len(x), end)
        limit = min(end + extra, cache.capacity)
        outputs.append(talker(x[:, start:end], cache.span(end - start, limit)))
        cache.pos += end - start
        start = end
    return torch.cat(outputs, dim=1)


@settings(max_examples=20)
@given(st.sets(st.integers(1, LENGTH - 1)))
def test_any_split_over_the_cache_is_one_causal_pass(talker: Talker, cuts: set[int]) -> None:
    x = inputs(2)
    torch.testing.assert_close(run(talker, x, sorted(cuts)), talker(x, None), **CLOSE)


def test_growing_the_cache_changes_nothing(talker: Talker) -> None:
    x, cuts = inputs(2), list(range(3, LENGTH))
    small = run(talker, x, cuts, capacity=3)  # grows at 4 and at 7
    assert torch.equal(small, run(talker, x, cuts, capacity=64))


def test_a_limit_beyond_the_last_position_changes_nothing(talker: Talker) -> None:
    x, cuts = inputs(2), [5, 6, 7]
    exact = run(talker, x, cuts, capacity=64)
    torch.testing.assert_close(run(talker, x, cuts, capacity=64, extra=30), exact, **CLOSE)


def test_earlier_outputs_do_not_depend_on_later_inputs(talker: Talker) -> None:
    x = inputs(1)
    changed = x.clone()
    changed[:, 7] += 1.0
    before, after = talker(x, None), talker(changed, None)
    assert torch.equal(before[:, :7], after[:, :7])  # equal sums: to the last bit
    assert ((before[:, 7:] - after[:, 7:]).abs().amax(-1) > 1e-3).all()


def test_rows_padded_on_the_right_are_the_rows_alone(talker: Talker) -> None:
    """Prompts of other lengths in one batch, then steps that overwrite the padded positions."""
    lengths, steps = [4, 9, 6], 3
    x = inputs(3, 9)
    later = torch.randn(3, steps, 64, generator=torch.Generator().manual_seed(1))
    cache = KVCache.new(CONFIG, 3, 20, x)
    prompts = talker(x, cache.span(9, 9))
    cache.pos += torch.tensor(lengths)
    outputs = []
    for t in range(steps):
        outputs.append(talker(later[:, t : t + 1], cache.span(1, 10 + t)))
        cache.pos += 1
    stepped = torch.cat(outputs, dim=1)
    for row, length in enumerate(lengths):
        alone = talker(torch.cat([x[row, :length], later[row]])[None], None)[0]
        torch.testing.assert_close(prompts[row, :length], alone[:length], **CLOSE)
        torch.testing.assert_close(stepped[row], alone[length:], **CLOSE)


def test_text_is_projected_by_two_plain_layers(talker: Talker) -> None:
    ids = torch.tensor([[3, 200, 256]])
    w, table = talker.text_projection, talker.text_embedding.weight
    inner = table[ids] @ w.fc1.weight.T + w.fc1.bias
    expected = (inner * inner.sigmoid()) @ w.fc2.weight.T + w.fc2.bias
    torch.testing.assert_close(talker.embed_text(ids), expected, **CLOSE)


def test_scores_are_float32_for_bfloat16_weights() -> None:
    model = random_speech_model(tiny_config("base"), 11, torch.bfloat16)
    logits = model.talker.logits(torch.ones(2, 64, dtype=torch.bfloat16))
    assert logits.dtype == torch.float32
    assert logits.shape == (2, 3072)
