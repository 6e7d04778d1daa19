"""Fewer kernels, the same arithmetic: equal to the modules' but for the order of sums."""

from copy import deepcopy

import pytest
import torch
from torch import Tensor

from qwen3_tts.config import CheckpointConfig
from qwen3_tts.engine.cuda_graphs import GraphRunner
from qwen3_tts.engine.options import DrawOptions
from qwen3_tts.engine.packed import PackedRunner
from qwen3_tts.engine.runner import EagerRunner
from qwen3_tts.engine.sampling import HeadOptions
from qwen3_tts.model.cache import FrameCache, KVCache
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.weights.published import tiny_config
from qwen3_tts.weights.random import random_speech_model
from tests.engine.recorded_graphs import RecordedGraphs, Recording

Pair = tuple[EagerRunner, PackedRunner]
# Hidden states are about 1. In float32 three layers differ by 1e-6 or so; in bfloat16, where the
# modules round between product and residual and this does not, by a few of its steps of 2^-8.
CLOSE = {torch.float32: 2e-5, torch.bfloat16: 0.15}


def runners(config: CheckpointConfig, dtype: torch.dtype = torch.float32) -> Pair:
    model = random_speech_model(config, 8, dtype).requires_grad_(False)
    return EagerRunner(model), PackedRunner(deepcopy(model))


@pytest.fixture(params=["narrow", "wide", "alone", "four to one"])
def pair(request: pytest.FixtureRequest) -> Pair:
    kind = request.param
    heads = {"alone": (2, 2), "four to one": (8, 2)}.get(kind, (4, 2))
    return runners(tiny_config("base", wide=kind == "wide", heads=heads))


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(sum(shape)))


@torch.inference_mode()
def test_prompts_and_frames_of_the_talker(pair: Pair) -> None:
    """Rows at different positions; pieces of several positions and of one."""
    config = pair[0].config.talker_config
    caches = [KVCache.new(config, 3, 24, pair[0].like) for _ in pair]
    for cache in caches:
        cache.pos += torch.tensor([0, 3, 5])
        cache.keys[:, :, :, :5] = random(3, 3, cache.keys.shape[2], 5, cache.keys.shape[4])
    for size in (7, 1, 2, 1):
        x = random(3, size, config.hidden_size)
        ours, theirs = (r.talk(x, c, 20) for r, c in zip(pair[::-1], caches[::-1], strict=True))
        torch.testing.assert_close(ours, theirs, rtol=0, atol=CLOSE[torch.float32])
        for cache in caches:
            cache.pos += size
    torch.testing.assert_close(caches[0].keys, caches[1].keys, rtol=0, atol=CLOSE[torch.float32])


def drawing(config: CheckpointConfig, rows: int) -> HeadOptions:
    size = config.talker_config.code_predictor_config.vocab_size
    options = HeadOptions.new(rows, size, torch.device("cpu"))
    given = [DrawOptions(0.9, 50, 1.0, greedy=row == 1) for row in range(rows)]
    for row, one in enumerate(given):
        options.set(row, one, size)
    options.bound(given, size)
    return options


@torch.inference_mode()
def test_codes_of_a_frame(pair: Pair) -> None:
    config = pair[0].config.talker_config
    options = drawing(pair[0].config, 3)
    noise = random(3, 15, 2048).abs() + 0.05
    hidden, first = random(3, config.hidden_size), torch.tensor([5, 70, 2047])
    codes = []
    for runner in pair:
        cache = FrameCache.new(config.code_predictor_config, 3, runner.like)
        codes.append(runner.fill_frame(hidden, first, noise, options, cache))
    assert torch.equal(*codes)


@torch.inference_mode()
def test_inputs_with_and_without_codes(pair: Pair) -> None:
    codes = torch.randint(0, 2048, (2, 16, 5), generator=torch.Generator().manual_seed(1))
    codes[0, :, 2], codes[1, 4:, 3] = -1, -1
    codes[1, 0, 0] = 3071
    text = torch.tensor([[1, 2, 3, 4, 5], [9, 8, 7, 6, 5]])
    ours, theirs = (runner.embed(text, codes) for runner in pair)
    torch.testing.assert_close(ours, theirs, rtol=0, atol=CLOSE[torch.float32])


@torch.inference_mode()
def test_bfloat16_keeps_float32_where_it_counts() -> None:
    """Nearer to float32 than the modules are, or as near."""
    config = tiny_config("base")
    exact = runners(config)[0]
    pair = runners(config, torch.bfloat16)
    for ours, true in zip(pair[0].model.parameters(), exact.model.parameters(), strict=True):
        true.copy_(ours)  # the same numbers
    x = random(2, 6, 64).bfloat16()
    made = []
    for runner, given in ((exact, x.float()), (pair[0], x), (pair[1], x)):
        cache = KVCache.new(config.talker_config, 2, 8, runner.like)
        made.append(runner.talk(given, cache, 6).float())
    errors = [(one - made[0]).square().mean().sqrt() for one in made[1:]]
    assert 0 < errors[1] < 1.1 * errors[0]
    torch.testing.assert_close(made[2], made[1], rtol=0, atol=CLOSE[torch.bfloat16])


def test_the_modules_keep_their_weights_and_no_memory_is_taken() -> None:
    model = random_speech_model(tiny_config("base"), 8)
    before = deepcopy(model.state_dict())
    PackedRunner(model)
    assert all(torch.equal(before[name], weight) for name, weight in model.state_dict().items())
    attn = model.talker.transformer.blocks[0].attn
    storages = {p.weight.untyped_storage().data_ptr() for p in (attn.q_proj, attn.v_proj)}
    assert len(storages) == 1


@torch.inference_mode()
def test_within_graphs(pair: Pair) -> None:
    """What is packed can be recorded: a piece of a prompt, twice, in different rows."""
    graphs = GraphRunner(pair[1], RecordedGraphs())
    cache = KVCache.new(pair[0].config.talker_config, 2, 32, pair[0].like)
    for row in range(2):
        x = random(1, 5 + row, pair[0].config.talker_config.hidden_size)
        alone = KVCache.new(pair[0].config.talker_config, 1, 32, pair[0].like)
        ours = graphs.talk(x, cache.rows(row, row + 1), 5 + row)
        theirs = pair[0].talk(x, alone, 5 + row)
        torch.testing.assert_close(ours, theirs, rtol=0, atol=CLOSE[torch.float32])


def kernels(runner: EagerRunner, model: SpeechModel) -> int:
    """Operations that a talker step asks a device for; views are none."""
    cache = KVCache.new(model.config.talker_config, 1, 8, runner.like)
    x = random(1, 1, model.config.talker_config.hidden_size)
    with Recording() as recording:
        runner.talk(x, cache, 8)
    return sum(any(kept is not None for kept in call[3]) for call in recording.calls)


@torch.inference_mode()
def test_fewer_operations() -> None:
    pair = runners(tiny_config("base"))
    ours, theirs = kernels(pair[1], pair[1].model), kernels(pair[0], pair[0].model)
    assert ours < theirs / 2
