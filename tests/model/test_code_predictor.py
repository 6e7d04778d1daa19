"""The code predictor: fifteen steps over a frame are its teacher-forced pass over known codes."""

import pytest
import torch
from torch import Tensor

from qwen3_tts.model.cache import FrameCache
from qwen3_tts.model.code_predictor import CodePredictor
from qwen3_tts.weights.published import tiny_config
from qwen3_tts.weights.random import random_speech_model

# Two layers on values of order 1 to 10; other shapes sum up to 128 terms in other orders.
CLOSE = {"rtol": 1e-4, "atol": 1e-4}
WIDTH = {False: 64, True: 80}


@pytest.fixture(scope="module", params=[False, True], ids=["narrow", "wide"])
def wide(request: pytest.FixtureRequest) -> bool:
    """Whether the talker is wider than the predictor, which then projects its inputs."""
    return bool(request.param)


@pytest.fixture(scope="module")
def predictor(wide: bool) -> CodePredictor:
    config = tiny_config("base", wide=wide)
    return random_speech_model(config, 4).requires_grad_(False).code_predictor


def known(wide: bool, rows: int) -> tuple[Tensor, Tensor, Tensor]:
    """Talker hidden, embedding of code 0, and codes of groups 1..14."""
    generator = torch.Generator().manual_seed(2)
    hidden = torch.randn(rows, WIDTH[wide], generator=generator)
    first = torch.randn(rows, WIDTH[wide], generator=generator)
    return hidden, first, torch.randint(0, 2048, (rows, 14), generator=generator)


def new_cache(wide: bool, rows: int, fill: float = 0.0) -> FrameCache:
    config = tiny_config("base", wide=wide).talker_config.code_predictor_config
    cache = FrameCache.new(config, rows, torch.zeros(1))
    cache.keys.fill_(fill)
    cache.values.fill_(fill)
    return cache


def stepped(
    predictor: CodePredictor, known: tuple[Tensor, Tensor, Tensor], cache: FrameCache
) -> Tensor:
    hidden, first, codes = known
    logits = [predictor.start(hidden, first, cache)]
    logits += [predictor.step(group, codes[:, group - 1], cache) for group in range(1, 15)]
    return torch.stack(logits, dim=1)


def test_steps_are_the_teacher_forced_pass(predictor: CodePredictor, wide: bool) -> None:
    given = known(wide, 3)
    forced = predictor(*given)
    assert forced.shape == (3, 15, 2048)
    assert forced.dtype == torch.float32
    torch.testing.assert_close(stepped(predictor, given, new_cache(wide, 3)), forced, **CLOSE)


def test_an_earlier_frame_leaves_no_trace(predictor: CodePredictor, wide: bool) -> None:
    """Whatever the cache holds from before, even NaN, is never read."""
    given = known(wide, 2)
    fresh = stepped(predictor, given, new_cache(wide, 2))
    assert torch.equal(stepped(predictor, given, new_cache(wide, 2, torch.nan)), fresh)


def test_rows_are_independent(predictor: CodePredictor, wide: bool) -> None:
    given = known(wide, 3)
    together = stepped(predictor, given, new_cache(wide, 3))
    for row in range(3):
        one = (given[0][row, None], given[1][row, None], given[2][row, None])
        alone = stepped(predictor, one, new_cache(wide, 1))
        torch.testing.assert_close(together[row, None], alone, **CLOSE)


def test_a_code_moves_the_scores_of_later_groups_only(predictor: CodePredictor, wide: bool) -> None:
    hidden, first, codes = known(wide, 1)
    before = predictor(hidden, first, codes)[0]
    for group in (1, 8, 14):
        changed = codes.clone()
        changed[0, group - 1] = (changed[0, group - 1] + 1) % 2048
        after = predictor(hidden, first, changed)[0]
        assert torch.equal(before[:group], after[:group])  # scores of groups 1..group
        assert ((before[group:] - after[group:]).abs().amax(-1) > 1e-3).all()


def test_each_group_has_its_own_table_and_head(predictor: CodePredictor, wide: bool) -> None:
    """The same code in two groups is two vectors, and two heads read the same hidden apart."""
    tables = torch.stack([table.weight for table in predictor.codec_embedding])
    heads = torch.stack([head.weight for head in predictor.lm_head])
    assert tables.shape == (15, 2048, WIDTH[wide])
    assert heads.shape[:2] == (15, 2048)
    assert not torch.equal(tables[0], tables[1])
    hidden, first, _ = known(wide, 1)
    x = predictor.input_proj(torch.stack([hidden, first], dim=1))
    last = predictor.transformer(x, None)[:, 1]
    start = predictor.start(hidden, first, new_cache(wide, 1))
    torch.testing.assert_close(start, last @ heads[0].T, **CLOSE)
