"""A frame as a graph is the frame without: for every kind of request, whatever the batch holds.

The graphs are `RecordedGraphs`, which keep to what a GPU's can do; tests marked `gpu` use those.
"""

import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch

from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.config import GenerationConfig
from qwen3_tts.engine import slots as slots_file
from qwen3_tts.engine.codec import Codec
from qwen3_tts.engine.cuda_graphs import GraphRunner, whole_cache
from qwen3_tts.engine.engine import Engine
from qwen3_tts.engine.graph_decoder import GraphDecoder
from qwen3_tts.engine.graphs import CudaGraphs, Graphs, Shelf, bucket
from qwen3_tts.engine.options import EngineOptions, complete_sampling
from qwen3_tts.engine.packed import PackedRunner
from qwen3_tts.engine.runner import EagerRunner
from qwen3_tts.engine.step import LoopState, step
from qwen3_tts.engine.warm_up import warm_graphs
from qwen3_tts.model.cache import KVCache
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.types import Sampling, Voice
from tests.engine.by_hand import ByHand, assert_same, heard, within
from tests.engine.conftest import AnyVoicePlanner, with_bias
from tests.engine.ending import END_OF_SPEECH
from tests.engine.kinds import Expected, all_kinds, request
from tests.engine.recorded_graphs import RecordedGraphs

Open = Callable[..., Engine]
TOP_P = Sampling(top_p=0.8, predictor_top_k=7)
ALL = Sampling(top_k=0)


def runner_of(engine: Engine) -> GraphRunner:
    assert isinstance(engine.loop.slots.runner, GraphRunner)
    return engine.loop.slots.runner


def recorded(engine: Engine) -> RecordedGraphs:
    graphs = runner_of(engine).graphs
    assert isinstance(graphs, RecordedGraphs)
    return graphs


@pytest.fixture
def open_graphs(preset: Qwen3Synthesizer, parts: tuple[SpeechModel, Codec]) -> Iterator[Open]:
    """`open_graphs(**options)`: an engine like `make_engine`'s, but for the graphs."""
    planner, made = preset.engine.planner, list[Engine]()
    model, codec = with_bias(parts[0], END_OF_SPEECH, 6.0), parts[1]

    def make(**options: Any) -> Engine:
        given = EngineOptions(**{"warm_up": False, **options})
        plan = AnyVoicePlanner(model.config, planner.generation, planner.tokenizer, given)
        runner = GraphRunner(EagerRunner(model), RecordedGraphs())
        decoding = Codec(codec.model, decoder=GraphDecoder(codec.decoder, RecordedGraphs()))
        made.append(Engine(model, decoding, plan, given, runner))
        return made[-1]

    yield make
    for engine in made:
        engine.close(drain=False)


@pytest.mark.parametrize("rows", [1, 3, 8])
def test_every_kind_is_what_it_is_without_graphs(
    open_graphs: Open, expected: Expected, voices: dict[str, Voice], rows: int
) -> None:
    """More requests than rows, so slots are taken over; every way of sampling among them."""
    asked = all_kinds(voices)
    engine = open_graphs(max_rows=rows)
    hand = ByHand(engine)
    streams = [hand.start(one, (1, 2)) for one in asked]
    hand.finish(*streams)
    for one, stream in zip(asked, streams, strict=True):
        assert_same(heard(stream), expected(one))
    assert recorded(engine).replays > recorded(engine).captures
    assert hand.empty


def test_the_engine_s_own_threads(open_graphs: Open, expected: Expected) -> None:
    """Sound is decoded beside the frames, by a thread of its own."""
    asked = [request("A few.", voice="ryan", seed=seed, max_frames=12) for seed in range(3)]
    engine = open_graphs(max_rows=4, warm_up=True, chunk_plan=(1, 2))
    streams = [engine.stream(one) for one in asked]
    for one, stream in zip(asked, streams, strict=True):
        assert_same(within(stream.result), expected(one))
    assert engine.loop.sound.thread is not None


def test_rows_and_lengths_are_rounded_up(open_graphs: Open) -> None:
    engine = open_graphs(max_rows=6)
    hand, runner = ByHand(engine), runner_of(engine)
    streams = [hand.start(request("On and on.", voice="ryan", seed=s)) for s in range(3)]
    hand.finish(*streams)
    assert {key[:2] for key in runner.frames.kept} <= {(4, 256), (2, 256), (1, 256)}  # type: ignore[index]
    assert (4, 256) in {key[:2] for key in runner.frames.kept}  # type: ignore[index]
    assert [runner.batch(n, 6) for n in (1, 2, 3, 4, 5, 6)] == [1, 2, 4, 4, 6, 6]
    assert [runner.batch(n, 300) for n in (5, 128, 129)] == [8, 128, 300]


def test_few_ways_of_sampling_need_a_graph_of_their_own(open_graphs: Open) -> None:
    engine = open_graphs(max_rows=1)
    hand, runner = ByHand(engine), runner_of(engine)
    for sampling in (Sampling(top_k=3), Sampling(greedy=True), Sampling(predictor_greedy=True)):
        hand.speak(request("One.", voice="ryan", sampling=sampling))
    assert len(runner.frames.kept) == 1
    hand.speak(request("One.", voice="ryan", sampling=TOP_P))
    assert len(runner.frames.kept) == 2
    hand.speak(request("One.", voice="ryan", sampling=ALL))
    assert len(runner.frames.kept) == 3


def test_nothing_is_recorded_twice(open_graphs: Open) -> None:
    engine = open_graphs(max_rows=2)
    hand = ByHand(engine)
    asked = request("Again.", voice="ryan")
    hand.speak(asked)
    captures = recorded(engine).captures
    hand.speak(asked)
    assert recorded(engine).captures == captures


@pytest.mark.parametrize("what", ["positions", "text"])
def test_memory_that_moves_is_recorded_anew(
    what: str,
    open_graphs: Open,
    expected: Expected,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One row grows while its neighbour speaks; a graph of the old memory would not see it."""
    monkeypatch.setattr(slots_file, "GRAPH_POSITIONS", 24 if what == "positions" else 512)
    monkeypatch.setattr(slots_file, "FIRST_POSITIONS", 24)
    monkeypatch.setattr(slots_file, "GRAPH_TRAILING", 4)
    engine = open_graphs(max_rows=2)
    hand = ByHand(engine)
    short = request("Hi.", voice="ryan", max_frames=12, text_first=True)
    long = request("A text of a good many letters", voice="eric", max_frames=12, text_first=False)
    first = hand.start(short)
    hand.turn(4)
    before = recorded(engine).captures
    second = hand.start(long)
    hand.finish(first, second)
    assert recorded(engine).captures > before
    assert_same(heard(first), expected(short))
    assert_same(heard(second), expected(long))


# a step by itself


@pytest.fixture
def started(by_hand: Callable[..., ByHand]) -> Iterator[Callable[[], LoopState]]:
    """State of four rows in the midst of speech, at different positions."""
    streams = []

    def make() -> LoopState:
        hand = by_hand(max_rows=4, bias=0.0)
        for seed, text in enumerate(["One.", "Two and more.", "3", "Four."]):
            streams.append(hand.start(request(text, voice="ryan", seed=seed, max_frames=40)))
            hand.turn(2)
        return hand.slots.state

    yield make  # a stream that is dropped would free its row
    streams.clear()


@pytest.mark.parametrize("active", [[True] * 4, [True, False, False, True], [False] * 4])
def test_rows_that_do_not_move_are_left_alone(
    started: Callable[[], LoopState], parts: tuple[SpeechModel, Codec], active: list[bool]
) -> None:
    ours, theirs = started(), started()
    runner = EagerRunner(parts[0])
    graphs = GraphRunner(runner, RecordedGraphs())
    noise = torch.rand(4, 3072) + 0.1, torch.rand(4, 3, 2048) + 0.1
    moved = torch.tensor(active)
    before = (
        replace(ours, hidden=ours.hidden.clone(), seen=ours.seen.clone()),
        ours.cache.pos.clone(),
    )
    with torch.inference_mode():
        for state in (ours, theirs):
            state.active[:] = moved
        for frame in range(3):
            limit = int(ours.cache.pos.max()) + 1
            made = graphs.step(ours, *noise, 4, limit)
            assert torch.equal(made, step(runner, theirs, *noise, limit))
            assert torch.equal(ours.active, moved)
            assert torch.equal(ours.cache.pos, before[1] + (frame + 1) * moved)
    assert torch.equal(ours.hidden[~moved], before[0].hidden[~moved])
    assert torch.equal(ours.seen[~moved], before[0].seen[~moved])
    assert torch.equal(ours.seen, theirs.seen)
    # attention over 256 positions sums in another order than over those in use
    torch.testing.assert_close(ours.hidden, theirs.hidden, rtol=1e-4, atol=1e-4)


def test_codes_are_not_the_memory_of_the_graph(
    started: Callable[[], LoopState], parts: tuple[SpeechModel, Codec]
) -> None:
    state = started()
    graphs = GraphRunner(EagerRunner(parts[0]), RecordedGraphs())
    noise = torch.rand(4, 3072) + 0.1, torch.rand(4, 3, 2048) + 0.1
    with torch.inference_mode():
        first = graphs.step(state, *noise, 4, 100)
        kept = first.clone()
        graphs.step(state, *noise, 4, 100)
    assert torch.equal(first, kept)


class Failing(RecordedGraphs):
    """Runs out of memory at the first recording."""

    def capture(self, function: Any) -> Any:
        if not self.captures:
            self.captures += 1
            function()
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().capture(function)


def test_a_recording_that_fails_leaves_no_trace(
    started: Callable[[], LoopState], parts: tuple[SpeechModel, Codec]
) -> None:
    ours, theirs = started(), started()
    runner = EagerRunner(parts[0])
    graphs = GraphRunner(runner, Failing())
    noise = torch.rand(4, 3072) + 0.1, torch.rand(4, 3, 2048) + 0.1
    with torch.inference_mode():
        with pytest.raises(torch.OutOfMemoryError):
            graphs.step(ours, *noise, 4, 100)
        made = graphs.step(ours, *noise, 4, 100)
        assert torch.equal(made, step(runner, theirs, *noise, 100))
    assert torch.equal(ours.cache.pos, theirs.cache.pos)


# pieces of prompts


@pytest.mark.parametrize("sizes", [(1, 7, 8, 3), (9, 16, 17), (64,), (3, 40)])
def test_a_prompt_in_pieces(parts: tuple[SpeechModel, Codec], sizes: tuple[int, ...]) -> None:
    """Pieces are filled up; what that leaves behind the row's end is never attended to."""
    config, runner = parts[0].config.talker_config, EagerRunner(parts[0])
    graphs = GraphRunner(runner, RecordedGraphs())
    ours, theirs = (KVCache.new(config, 3, 80, runner.like) for _ in range(2))
    for cache in (ours, theirs):
        cache.keys.fill_(9.0)  # of a request that was there before
        cache.values.fill_(-9.0)
    other = ours.keys[:, [0, 2]].clone()
    random = torch.Generator().manual_seed(2)
    end = 0
    with torch.inference_mode():
        for size in sizes:
            x = torch.randn(1, size, config.hidden_size, generator=random)
            end += size
            rows = ours.rows(1, 2), theirs.rows(1, 2)
            hidden, wanted = graphs.talk(x, rows[0], end), runner.talk(x, rows[1], end)
            for row in rows:
                row.pos += size
            torch.testing.assert_close(hidden, wanted, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(ours.keys[:, 1, :, :end], theirs.keys[:, 1, :, :end])
    assert torch.equal(ours.keys[:, [0, 2]], other)
    assert len(graphs.pieces.kept) == len({bucket(size, (8, 16, 32, 64)) for size in sizes})


def test_one_graph_reads_every_row(parts: tuple[SpeechModel, Codec]) -> None:
    config, runner = parts[0].config.talker_config, EagerRunner(parts[0])
    graphs = GraphRunner(runner, RecordedGraphs())
    cache = KVCache.new(config, 4, 64, runner.like)
    with torch.inference_mode():
        for row in range(4):
            x = torch.full((1, 5, config.hidden_size), 1.0 + row)
            alone = KVCache.new(config, 1, 64, runner.like)
            hidden = graphs.talk(x, cache.rows(row, row + 1), 5)
            torch.testing.assert_close(hidden, runner.talk(x, alone, 5), rtol=1e-4, atol=1e-4)
    assert len(graphs.pieces.kept) == 1


def test_hidden_states_are_not_the_memory_of_the_graph(parts: tuple[SpeechModel, Codec]) -> None:
    config, runner = parts[0].config.talker_config, EagerRunner(parts[0])
    graphs = GraphRunner(runner, RecordedGraphs())
    cache = KVCache.new(config, 2, 16, runner.like)
    with torch.inference_mode():
        x = torch.ones(1, 5, config.hidden_size)
        first = graphs.talk(x, cache.rows(0, 1), 5)
        kept = first.clone()
        graphs.talk(2 * x, cache.rows(1, 2), 5)
    assert torch.equal(first, kept)


def test_a_row_at_the_end_of_its_memory_fills_up_a_batch(
    parts: tuple[SpeechModel, Codec], monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is computed along, so there has to be room for it, though it is not asked for."""
    monkeypatch.setattr(slots_file, "GRAPH_POSITIONS", 16)
    monkeypatch.setattr(slots_file, "FIRST_POSITIONS", 16)
    runner = GraphRunner(EagerRunner(parts[0]), RecordedGraphs())
    slots = slots_file.Slots(runner, parts[1].decoder, 4)
    sampling = complete_sampling(Sampling(), GenerationConfig())
    with torch.inference_mode():
        for row, size in enumerate((3, 4, 5, 16)):
            slots.start(row, sampling, row)
            slots.read(row, [5] * size, [()] * size)
            slots.feed(row, 0, [5])
        slots.step([0, 1, 2])
    assert slots.state.cache.pos.tolist() == [4, 5, 6, 16]
    assert slots.state.cache.capacity > 16


def test_a_piece_that_cannot_be_filled_up_goes_without_a_graph(
    parts: tuple[SpeechModel, Codec],
) -> None:
    """At the end of a row's memory, where its padding would lie in the next row's."""
    config, runner = parts[0].config.talker_config, EagerRunner(parts[0])
    graphs = GraphRunner(runner, RecordedGraphs())
    cache = KVCache.new(config, 2, 12, runner.like)
    with torch.inference_mode():
        x = torch.ones(1, 9, config.hidden_size)
        graphs.talk(x, cache.rows(0, 1), 9)
        assert not graphs.pieces.kept
        assert not cache.keys[:, 1].any()
        graphs.talk(x[:, :8], cache.rows(1, 2), 8)
    assert len(graphs.pieces.kept) == 1


def test_a_part_of_the_cache_tells_the_whole(parts: tuple[SpeechModel, Codec]) -> None:
    cache = KVCache.new(parts[0].config.talker_config, 5, 16, torch.zeros(0))
    whole = whole_cache(cache.rows(3, 4))
    assert whole.keys.shape == cache.keys.shape
    assert whole.values.data_ptr() == cache.values.data_ptr()


# shelf and warm-up


def test_a_shelf_keeps_the_graphs_that_are_used() -> None:
    shelf, made = Shelf(RecordedGraphs(), 2), list[str]()

    def take(key: str, where: int = 0) -> None:
        shelf.take(((where, torch.Size([1])),), key, lambda: made.append(key) or torch.empty)  # type: ignore[func-returns-value, return-value]

    for key in ("a", "b", "a", "c", "a", "b"):
        take(key)
    assert made == ["a", "b", "c", "b"]
    take("b", where=1)
    assert made == ["a", "b", "c", "b", "b"]
    assert list(shelf.kept) == ["b"]


def test_warming_up_records_and_changes_nothing(open_graphs: Open, expected: Expected) -> None:
    engine = open_graphs(max_rows=3)
    hand = ByHand(engine)
    asked = request("After that.", voice="ryan")
    hand.speak(asked)
    with torch.inference_mode():
        for _ in warm_graphs(hand.slots, (1, 2, 64)):
            pass
    captures = recorded(engine).captures
    assert_same(hand.speak(asked), expected(asked))
    assert recorded(engine).captures == captures
    assert {key[0] for key in runner_of(engine).frames.kept} == {1, 2, 3}  # type: ignore[index]
    decoder = engine.codec.decoder
    assert isinstance(decoder, GraphDecoder)
    wanted = {(rows, frames) for rows in (1, 2, 4) for frames in (1, 2)}
    assert set(decoder.shelf.kept) == wanted | {(1, 6)}  # what the request itself repeated


# sound


def test_sound_of_any_rows_by_one_graph(parts: tuple[SpeechModel, Codec]) -> None:
    """Rows out of step, apart and together; those that are not asked for stay as they were."""
    plain = parts[1].decoder
    ours = GraphDecoder(plain, RecordedGraphs())
    state, theirs = ours.new_state(5), plain.new_state(5)  # the last is spare
    random = torch.Generator().manual_seed(4)
    with torch.inference_mode():
        for rows in ([0], [2], [0, 1], [1, 3], [0, 2, 3], [1, 2, 3], [0, 1, 2, 3], [0, 1, 3]):
            codes = torch.randint(0, 2048, (len(rows), 4, 2), generator=random)
            kept = state.pos.clone()
            wave = ours.decode_rows(codes, state, rows)
            index = torch.tensor(rows)
            part = theirs.rows(index)
            wanted = plain(codes, part)
            theirs.put(index, part)
            torch.testing.assert_close(wave, wanted, rtol=0, atol=1e-11)
            kept[index] += 2
            assert torch.equal(state.pos[:4], kept[:4])
    assert set(ours.shelf.kept) == {(1, 2), (2, 2), (4, 2)}
    for tail, other in zip(state.tails, theirs.tails, strict=True):
        torch.testing.assert_close(tail[:4], other[:4], rtol=0, atol=1e-11)


def test_sizes_that_come_once_are_not_recorded(parts: tuple[SpeechModel, Codec]) -> None:
    graphs = RecordedGraphs()
    ours = GraphDecoder(parts[1].decoder, graphs)
    state = ours.new_state(2)
    with torch.inference_mode():
        for frames in (1, 2, 3, 17, 17):  # 17 is more than is recorded at all
            ours.decode_rows(torch.zeros(1, 4, frames, dtype=torch.long), state, [0])
    assert graphs.captures == 0
    assert graphs.lanes == 5
    assert int(state.pos[0]) == 40


# on a GPU


class Again:
    """No graphs: the same function on the same memory, with the same padding."""

    def capture(self, function: Any) -> Any:
        return function

    def lane(self) -> Any:
        return torch.no_grad()


def spoken(inner: EagerRunner, codec: Codec, planner: Any, graphs: Callable[[], Graphs]) -> Any:
    given = EngineOptions(warm_up=False, max_rows=5)
    model = inner.model
    plan = AnyVoicePlanner(model.config, planner.generation, planner.tokenizer, given)
    runner = GraphRunner(inner, graphs())
    decoding = Codec(codec.model, decoder=GraphDecoder(codec.decoder, graphs()))
    asked = [request("On a GPU.", voice="ryan", seed=seed, max_frames=12) for seed in range(5)]
    engine = Engine(model, decoding, plan, given, runner)
    try:
        return engine.run(asked)
    finally:
        engine.close()


@pytest.mark.parametrize("kind", [EagerRunner, PackedRunner])
def test_graphs_and_the_functions_themselves(
    preset: Qwen3Synthesizer,
    parts: tuple[SpeechModel, Codec],
    kind: Callable[[SpeechModel], EagerRunner],
) -> None:
    """With the same padding the arithmetic is the same: equal to the bit."""
    planner = preset.engine.planner
    inner, codec = kind(deepcopy(parts[0])), parts[1]
    ours = spoken(inner, codec, planner, RecordedGraphs)
    plain = spoken(inner, codec, planner, Again)
    for one, other in zip(ours, plain, strict=True):
        assert np.array_equal(one.codes, other.codes)
        assert np.array_equal(one.wave, other.wave)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
@pytest.mark.parametrize("kind", [EagerRunner, PackedRunner])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_graphs_of_a_gpu(
    preset: Qwen3Synthesizer,
    parts: tuple[SpeechModel, Codec],
    dtype: torch.dtype,
    kind: Callable[[SpeechModel], EagerRunner],
) -> None:
    """The same kernels on the same numbers: codes to the bit."""

    device, lock = torch.device("cuda"), threading.Lock()
    inner = kind(deepcopy(parts[0]).to(device, dtype))
    codec = Codec(deepcopy(parts[1].model).to(device))
    planner = preset.engine.planner
    ours = spoken(inner, codec, planner, lambda: CudaGraphs(device, lock))
    plain = spoken(inner, codec, planner, Again)
    for one, other in zip(ours, plain, strict=True):
        assert np.array_equal(one.codes, other.codes)
        np.testing.assert_allclose(one.wave, other.wave, rtol=0, atol=1e-9)
