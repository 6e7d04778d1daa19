"""The loop body: what one call changes, and that it never waits for the device."""

import ast
from pathlib import Path

import pytest
import torch
from torch import Tensor

import qwen3_tts
from qwen3_tts.config import TalkerConfig
from qwen3_tts.engine.options import DrawOptions, SamplingOptions
from qwen3_tts.engine.runner import EagerRunner
from qwen3_tts.engine.sampling import RowOptions, suppressed_ids
from qwen3_tts.engine.step import LoopState, step
from qwen3_tts.model.cache import FrameCache, KVCache
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.weights.published import tiny_config
from qwen3_tts.weights.random import random_speech_model

SOURCE = Path(qwen3_tts.__file__).parent
GREEDY = DrawOptions(1.0, 0, 1.0, greedy=True)
PROMPT = 4  # positions before the first frame


@pytest.fixture(scope="module")
def model() -> SpeechModel:
    return random_speech_model(tiny_config("base"), 8).requires_grad_(False)


def greedy_options(rows: int, config: TalkerConfig) -> RowOptions:
    options = RowOptions.new(rows, config, torch.device("cpu"))
    for row in range(rows):
        options.set(row, SamplingOptions(GREEDY, GREEDY, 1.0))
    return options


def started(model: SpeechModel, trailing: list[list[int]]) -> LoopState:
    """State after a random prompt of four positions, greedy rows."""
    config, rows = model.config.talker_config, len(trailing)
    x = torch.randn(rows, PROMPT, 64, generator=torch.Generator().manual_seed(1))
    cache = KVCache.new(config, rows, 12, x)
    hidden = model.talker(x, cache.span(PROMPT, PROMPT))[:, -1]
    cache.pos += PROMPT
    return LoopState(
        cache=cache,
        frame_cache=FrameCache.new(config.code_predictor_config, rows, x),
        hidden=hidden,
        seen=torch.zeros(rows, config.vocab_size, dtype=torch.bool),
        frame=torch.zeros(rows, dtype=torch.long),
        trailing=torch.tensor(trailing),
        last=torch.tensor([len(ids) - 1 for ids in trailing]),
        active=torch.ones(rows, dtype=torch.bool),
        options=greedy_options(rows, config),
        suppressed=suppressed_ids(config, torch.device("cpu")),
    )


def advance(model: SpeechModel, state: LoopState, limit: int) -> Tensor:
    rows = len(state.frame)
    return step(
        EagerRunner(model), state, torch.ones(rows, 3072), torch.ones(rows, 15, 2048), limit
    )


def test_a_step_remembers_the_code_and_moves_on(model: SpeechModel) -> None:
    state = started(model, [[7, 9], [8, 9]])
    first = advance(model, state, PROMPT + 1)
    assert first.shape == (2, 16)
    assert first.dtype == torch.int64
    assert state.frame.tolist() == [1, 1]
    assert state.cache.pos.tolist() == [PROMPT + 1] * 2
    assert state.seen.nonzero().tolist() == [[0, int(first[0, 0])], [1, int(first[1, 0])]]
    second = advance(model, state, PROMPT + 2)
    drawn = {(row, int(codes[row, 0])) for codes in (first, second) for row in range(2)}
    assert {tuple(place) for place in state.seen.nonzero().tolist()} == drawn


def test_the_next_hidden_state_hears_frame_and_text(model: SpeechModel) -> None:
    """Text id k goes in with frame k, and the last id for ever after."""
    state = started(model, [[7, 9]])
    x = torch.randn(1, PROMPT, 64, generator=torch.Generator().manual_seed(1))
    for frame, text_id in enumerate([7, 9, 9, 9]):
        codes = advance(model, state, PROMPT + 1 + frame)
        added = model.talker.embed_text(torch.tensor([[text_id]])) + model.embed_codes(
            codes[..., None]
        )
        x = torch.cat([x, added], dim=1)
        expected = model.talker(x, None)[:, -1]
        # one causal pass sums in another order than steps do: float32, three layers
        torch.testing.assert_close(state.hidden, expected, rtol=1e-4, atol=1e-4)


def test_codes_are_the_best_of_each_head(model: SpeechModel) -> None:
    """Greedy, so each code is the argmax of the teacher-forced scores over the codes before it."""
    state = started(model, [[7], [8], [9]])
    hidden = state.hidden.clone()
    codes = advance(model, state, PROMPT + 1)
    scores = model.talker.logits(hidden)
    scores[:, 2048:] = -torch.inf  # the end of speech too: this is the first frame
    assert torch.equal(codes[:, 0], scores.argmax(-1))
    first = model.talker.codec_embedding(codes[:, 0])
    groups = model.code_predictor(hidden, first, codes[:, 1:15])
    assert torch.equal(codes[:, 1:], groups.argmax(-1))


def test_a_code_that_was_drawn_is_penalised(model: SpeechModel) -> None:
    """With a penalty above all scores no first code comes twice, whatever the others are."""
    state = started(model, [[7]])
    state.options.repetition_penalty.fill_(100.0)
    steady = state.hidden.clone()
    firsts = []
    for frame in range(6):
        state.hidden = steady.clone()  # the same scores each time
        firsts.append(int(advance(model, state, PROMPT + 1 + frame)[0, 0]))
    assert len(set(firsts)) == 6
    scores = model.talker.logits(steady)[0, :2048]
    assert firsts == scores.argsort(descending=True)[:6].tolist()


def test_a_row_that_does_not_move_is_left_as_it_was(model: SpeechModel) -> None:
    """It is computed along, so its neighbour must not notice and nothing of it may change."""
    state, alone = started(model, [[7, 9], [8, 9]]), started(model, [[7, 9], [8, 9]])
    state.active[1] = False
    hidden = state.hidden.clone()
    for frame in range(2):
        codes = advance(model, state, PROMPT + 1 + frame)
        assert torch.equal(codes[0], advance(model, alone, PROMPT + 1 + frame)[0])
    assert torch.equal(state.hidden[1], hidden[1])
    assert state.frame.tolist() == [2, 0]
    assert state.cache.pos.tolist() == [PROMPT + 2, PROMPT]
    assert not state.seen[1].any()
    state.active[:] = torch.tensor([False, True])  # now it moves, as if nothing had been
    fresh = started(model, [[7, 9], [8, 9]])
    assert torch.equal(advance(model, state, PROMPT + 3)[1], advance(model, fresh, PROMPT + 1)[1])


HOST_READS = {"item", "tolist", "cpu", "numpy"}
ENGINE = [SOURCE / "engine" / name for name in ("step.py", "runner.py")]
HOT = [*sorted((SOURCE / "model").rglob("*.py")), *ENGINE]


@pytest.mark.parametrize("path", [*HOT, SOURCE / "engine" / "sampling.py"], ids=lambda p: p.name)
def test_nothing_in_the_loop_waits_for_the_device(path: Path) -> None:
    """A host read in the loop body would stall a GPU once per call, and could not be captured."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    calls = [node.func for node in ast.walk(tree) if isinstance(node, ast.Call)]
    reads = [f"line {f.lineno}: {f.attr}" for f in calls if getattr(f, "attr", "") in HOST_READS]
    assert not reads
