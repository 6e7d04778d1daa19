"""What goes wrong in one request ends that one; what goes wrong in all ends none by a hang."""

import asyncio
import gc
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import pytest
import torch

from qwen3_tts.engine.engine import Engine
from qwen3_tts.engine.loop import is_out_of_memory
from qwen3_tts.engine.stream import Stream
from qwen3_tts.errors import OutOfMemory, SpeechError, StreamFailed
from qwen3_tts.model.cache import KVCache
from qwen3_tts.types import SpeechRequest, Voice
from tests.engine.by_hand import ByHand, assert_same, end_of, heard, within
from tests.engine.kinds import Expected, all_kinds, request

OpenByHand = Callable[..., ByHand]
MakeEngine = Callable[..., Engine]
OUT_OF_MEMORY = [
    MemoryError(),
    torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB"),
    RuntimeError("[enforce fail at alloc_cpu.cpp:116] DefaultCPUAllocator: can't allocate memory"),
]
HELLO = request("Hello.", voice="ryan", max_frames=6)


class Died(BaseException):
    """Not an `Exception`: nothing that guards a request catches it."""


@pytest.fixture
def asked(voices: dict[str, Voice]) -> list[SpeechRequest]:
    """Three that speak to their last frame, the second one in context."""
    kinds = all_kinds(voices)
    return [replace(kinds[i], max_frames=6) for i in (0, 9, 4)]


@contextmanager
def failing(
    owner: Any, name: str, error: BaseException, when: Callable[..., bool]
) -> Iterator[None]:
    """While this lasts, a call for which `when` is true raises instead."""
    real = getattr(owner, name)

    def fail(*args: Any, **given: Any) -> Any:
        if when(*args, **given):
            raise error
        return real(*args, **given)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(owner, name, fail)
        yield


def nth(count: int) -> Callable[..., bool]:
    """True for one call, counted from 0."""
    calls = iter(range(10**6))
    return lambda *_, **__: next(calls) == count


def assert_fails(stream: Stream, cause: BaseException) -> None:
    assert stream.channel.ended, "waiting for its end would be for ever"
    with pytest.raises(StreamFailed) as failed:
        list(stream)
    assert failed.value.__cause__ is cause
    lacked = is_out_of_memory(failed.value.__cause__)
    assert failed.value.code == ("out_of_memory" if lacked else "stream_failed")


def assert_speaks(hand: ByHand, expected: Expected, rows: int = 3) -> None:
    """The engine is as good as new: nothing is left, and every row can be used."""
    hand.turn()
    assert hand.empty
    hand.loop.scheduler.admission_limit = rows
    again = [hand.start(replace(HELLO, seed=seed)) for seed in range(rows)]
    hand.finish(*again)
    for seed, stream in enumerate(again):
        assert_same(heard(stream), expected(replace(HELLO, seed=seed)))


# one request


@pytest.mark.parametrize("place", ["start", "read", "feed"])
def test_a_request_that_cannot_begin(
    place: str, asked: list[SpeechRequest], by_hand: OpenByHand, expected: Expected
) -> None:
    hand, boom = by_hand(max_rows=3), ValueError("boom")
    with failing(hand.slots, place, boom, lambda slot, *_: slot == 1):
        streams = [hand.start(one, (1, 2)) for one in asked]
        hand.finish(*streams)
    for i in (0, 2):
        assert_same(heard(streams[i]), expected(asked[i]))
    assert_fails(streams[1], boom)
    assert_speaks(hand, expected)


@pytest.mark.parametrize("frames", [1, 2, 4])
@pytest.mark.parametrize("place", ["frame", "sound", "planner", "channel"])
def test_a_request_that_fails_in_mid_speech(
    place: str, frames: int, asked: list[SpeechRequest], by_hand: OpenByHand, expected: Expected
) -> None:
    """Where its codes are judged, its sound is judged, its chunk is planned, or is handed out."""
    hand, boom = by_hand(max_rows=3), ValueError("boom")
    streams = [hand.start(one, (1,)) for one in asked]
    hand.turn(frames)
    row = hand.loop.rows[1]
    owner, name = {
        "frame": (row.guard, "frame"),
        "sound": (row.guard, "sound"),
        "planner": (row.planner, "take"),
        "channel": (row.channel, "put"),
    }[place]
    with failing(owner, name, boom, lambda *_: True):
        hand.finish(*streams)
    for i in (0, 2):
        assert_same(heard(streams[i]), expected(asked[i]))
    assert_fails(streams[1], boom)
    assert_speaks(hand, expected)


def test_a_request_whose_sound_cannot_be_decoded(
    asked: list[SpeechRequest], by_hand: OpenByHand, expected: Expected
) -> None:
    """The decoder takes rows with equal chunks together; only one of them is to blame."""
    hand, boom = by_hand(max_rows=3), ValueError("boom")
    streams = [hand.start(one, (2,)) for one in asked]
    with failing(hand.slots, "decode", boom, lambda slots, _: 1 in slots):
        hand.finish(*streams)
    for i in (0, 2):
        assert_same(heard(streams[i]), expected(asked[i]))
    assert_fails(streams[1], boom)
    assert_speaks(hand, expected)


def test_a_reference_that_cannot_be_decoded(
    by_hand: OpenByHand, voices: dict[str, Voice], expected: Expected
) -> None:
    """Half of it was: the next request in that voice begins at its start."""
    hand, boom = by_hand(max_rows=3), ValueError("boom")
    asked = replace(HELLO, voice=voices["long"])
    streams = [hand.start(HELLO), hand.start(asked)]
    with failing(hand.engine.codec.model.decoder, "forward", boom, nth(1)):
        hand.turn(3)
    hand.finish(*streams)
    assert_same(heard(streams[0]), expected(HELLO))
    assert_fails(streams[1], boom)
    assert_same(hand.speak(asked), expected(asked))
    assert_speaks(hand, expected)


def test_a_step_that_fails_ends_those_in_it(
    asked: list[SpeechRequest], by_hand: OpenByHand, expected: Expected
) -> None:
    """Nobody knows whose fault it was. One that waits for text was not in it and goes on."""
    hand, boom = by_hand(max_rows=4), ValueError("boom")
    waiting = hand.open(replace(HELLO, text=""))
    streams = [hand.start(one) for one in asked]
    hand.turn(3)
    with failing(hand.slots, "step", boom, lambda _: True):
        hand.turn()
    for stream in streams:
        assert_fails(stream, boom)
    waiting.feed(HELLO.text)
    waiting.end()
    hand.finish(waiting)
    assert_same(heard(waiting), expected(replace(HELLO, text_first=False)))
    assert_speaks(hand, expected)


# out of memory


@pytest.mark.parametrize("error", OUT_OF_MEMORY, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("frames", [0, 1, 3])
def test_out_of_memory_drops_the_newest(
    frames: int,
    error: Exception,
    asked: list[SpeechRequest],
    by_hand: OpenByHand,
    expected: Expected,
) -> None:
    hand = by_hand(max_rows=3)
    streams = [hand.start(one, (2,)) for one in asked]
    hand.turn(frames)
    with failing(hand.slots, "step", error, lambda _: True):
        hand.turn()
    assert hand.loop.scheduler.admission_limit == 2
    assert [row.channel for row in hand.loop.rows] == [s.channel for s in streams[:2]]
    late = hand.start(HELLO)
    hand.turn()
    assert len(hand.loop.rows) == 2  # it waits, though a slot is free
    hand.finish(*streams, late)
    for i in (0, 1):
        assert_same(heard(streams[i]), expected(asked[i]))
    assert_fails(streams[2], error)
    assert_same(heard(late), expected(HELLO))
    assert_speaks(hand, expected)


@pytest.mark.parametrize("place", ["logits", "predictor", "talker", "cache", "state"])
def test_a_step_cut_short_leaves_no_trace(
    place: str, asked: list[SpeechRequest], by_hand: OpenByHand, expected: Expected
) -> None:
    """Memory runs out at any point of the step; made again, it draws the very same codes."""
    hand = by_hand(max_rows=3)
    model, streams = hand.engine.model, [hand.start(one) for one in asked]
    hand.turn(2)
    owner, name, when = {
        "logits": (model.talker.codec_head, "forward", nth(0)),
        "predictor": (model.code_predictor, "step", nth(1)),
        "talker": (model.talker, "forward", nth(0)),
        "cache": (KVCache, "span", nth(0)),
        "state": (torch, "where", lambda mask, *_: mask.shape[1:] == (1,)),  # the last allocation
    }[place]
    with failing(owner, name, MemoryError(), when):
        hand.turn()
    assert len(hand.loop.rows) == 2
    hand.finish(*streams)
    for i in (0, 1):
        assert_same(heard(streams[i]), expected(asked[i]))
    assert isinstance(end_of(streams[2]), OutOfMemory)


def test_out_of_memory_in_the_decoder_drops_the_newest(
    asked: list[SpeechRequest], by_hand: OpenByHand, expected: Expected
) -> None:
    hand, error = by_hand(max_rows=4), torch.OutOfMemoryError("CUDA out of memory")
    asked = [*asked, HELLO]
    streams = [hand.start(one) for one in asked]
    with failing(hand.slots, "decode", error, lambda slots, _: len(slots) > 2):
        hand.finish(*streams)
    for i in (0, 1, 2):
        assert_same(heard(streams[i]), expected(asked[i]))
    assert_fails(streams[3], error)
    assert hand.loop.scheduler.admission_limit == 3


@pytest.mark.parametrize("gap", [False, True])
@pytest.mark.parametrize("error", [MemoryError(), ValueError("boom")], ids=["memory", "other"])
def test_a_decode_cut_short_is_made_good(
    error: Exception,
    gap: bool,
    asked: list[SpeechRequest],
    by_hand: OpenByHand,
    expected: Expected,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """All but its last layer have moved on when it fails: its rows are decoded from the start, the
    reference of an in-context voice included, and what has left is not heard again. Rows may be
    neighbours, which are decoded in place, or not."""
    monkeypatch.setattr("qwen3_tts.engine.row.WHOLE_PIECE", 2)
    hand = by_hand(max_rows=4)
    streams = [hand.start(asked[i]) for i in ((0, 2, 1, 0) if gap else (0, 1, 2))]
    hand.turn(5)
    assert [row.decoded for row in hand.loop.rows] == [4] * len(streams)
    if gap:
        streams.pop(1).cancel()
    with failing(hand.engine.codec.model.decoder.wave_out, "forward", error, nth(0)):
        hand.turn()
    assert hand.loop.scheduler.admission_limit == (len(streams) - 1 if error.args == () else 4)
    hand.finish(*streams)
    rest = [(asked[i], stream) for i, stream in zip((0, 1, 0 if gap else 2), streams, strict=True)]
    if isinstance(error, MemoryError):
        assert_fails(rest.pop()[1], error)
    for one, stream in rest:
        assert_same(heard(stream), expected(one))
    hand.loop.scheduler.admission_limit = 3
    assert_speaks(hand, expected)


@pytest.mark.parametrize("allocation", [0, 1, 2])
def test_no_memory_for_a_newcomer(
    allocation: int,
    asked: list[SpeechRequest],
    by_hand: OpenByHand,
    expected: Expected,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The cache cannot grow by a row: keys, values or positions. Those there are go on in it."""
    hand = by_hand(max_rows=3)
    first = hand.start(asked[0])
    hand.turn(2)
    newcomer = hand.start(asked[1])
    real, count = torch.Tensor.new_zeros, nth(allocation)

    def new_zeros(self: torch.Tensor, *args: Any, **given: Any) -> torch.Tensor:
        if self.dim() in (1, 5) and count():
            raise MemoryError
        return real(self, *args, **given)

    with monkeypatch.context() as patch:
        patch.setattr(torch.Tensor, "new_zeros", new_zeros)
        hand.turn()
    hand.finish(first, newcomer)
    assert_same(heard(first), expected(asked[0]))
    assert isinstance(end_of(newcomer), StreamFailed)
    assert_speaks(hand, expected)


def test_no_memory_for_anyone(by_hand: OpenByHand, expected: Expected) -> None:
    """A second slot that never had memory is free again."""
    hand = by_hand(max_rows=3)
    first, second = hand.start(HELLO), hand.start(replace(HELLO, seed=8))
    with failing(KVCache, "reserve", MemoryError(), lambda *args: args[1] > 1):
        hand.turn()
    hand.finish(first, second)
    assert_same(heard(first), expected(HELLO))
    assert isinstance(end_of(second), StreamFailed)
    assert_speaks(hand, expected)


def test_out_of_memory_is_not_kept_by_its_error(by_hand: OpenByHand) -> None:
    """What the failed step held is free, though the caller still holds the error."""
    hand = by_hand()
    stream, held = hand.start(HELLO), []

    def step(_: Any) -> None:
        tensor = torch.zeros(8)
        held.append(weakref.ref(tensor))
        raise MemoryError

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hand.slots, "step", step)
        hand.turn()
    error = end_of(stream)
    gc.collect()
    assert isinstance(error, StreamFailed)
    assert held[0]() is None


def test_rows_come_back_after_a_while(by_hand: OpenByHand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("qwen3_tts.engine.scheduler.RECOVER_S", 0.05)
    hand = by_hand(max_rows=3)
    streams = [hand.start(HELLO) for _ in range(3)]
    with failing(hand.slots, "step", MemoryError(), lambda _: True):
        hand.turn()
    assert hand.loop.scheduler.admission_limit == 2
    threading.Event().wait(0.06)
    hand.turn()
    assert hand.loop.scheduler.admission_limit == 3
    hand.finish(*streams)


# the whole loop


@pytest.mark.parametrize("place", ["step", "start", "decode", "free"])
def test_a_dead_engine_fails_everyone(place: str, make_engine: MakeEngine) -> None:
    """Those with a row, those in the queue, waiting in a thread or an event loop, and newcomers."""
    engine = make_engine(max_rows=2, bias=0)
    with failing(engine.loop.slots, place, Died("hard"), nth(1)):
        streams = [engine.stream(replace(HELLO, seed=seed)) for seed in range(3)]
        streams.append(engine.open_stream(request("")))

        async def listen(stream: Stream) -> object:
            try:
                return [chunk async for chunk in stream]
            except SpeechError as error:
                return error

        ends = [within(lambda: asyncio.run(listen(streams[0])))]
        ends += [within(lambda s=stream: end_of(s)) for stream in streams[1:]]
    failed = [end for end in ends if isinstance(end, StreamFailed)]
    assert len(failed) >= 3  # where it died when the first row was freed, one had been spoken
    assert all("died of Died: hard" in str(error) for error in failed)
    with pytest.raises(StreamFailed, match="hard"):
        engine.stream(HELLO)
    with pytest.raises(StreamFailed, match="hard"):
        engine.loop.call(lambda: None)
    within(engine.close)


@pytest.fixture
def stuck(make_engine: MakeEngine) -> Iterator[tuple[Engine, threading.Event]]:
    """An engine whose third step does not return before the event is set."""
    engine, go_on = make_engine(max_rows=2, stall_s=0.3), threading.Event()
    stuck_at = nth(2)

    def wait(_: Any) -> bool:
        if stuck_at():
            go_on.wait(60)
        return False

    with failing(engine.loop.slots, "step", Died(), wait):
        yield engine, go_on
        go_on.set()
        within(engine.close)


def test_a_stalled_engine_fails_everyone(
    stuck: tuple[Engine, threading.Event], expected: Expected
) -> None:
    """When it moves again it drops what has failed, and speaks."""
    engine, go_on = stuck
    streams = [engine.stream(replace(HELLO, seed=seed)) for seed in range(3)]
    for stream in streams:
        with pytest.raises(StreamFailed, match="not moved"):
            within(lambda s=stream: list(s))
    with pytest.raises(StreamFailed, match="not moved"):
        within(lambda: engine.loop.call(lambda: None))
    go_on.set()
    again = within(engine.stream(HELLO).result)
    assert again.codes.tolist() == expected(HELLO).codes.tolist()
    within(engine.close)
    assert (engine.loop.rows, engine.loop.waiting) == ([], {})


@pytest.mark.parametrize("drain", [True, False])
def test_closing_a_stalled_engine_returns(
    drain: bool, stuck: tuple[Engine, threading.Event]
) -> None:
    engine, _ = stuck
    stream = engine.stream(HELLO)
    assert isinstance(within(lambda: end_of(stream)), StreamFailed)
    within(lambda: engine.close(drain))


def test_an_engine_that_slept_is_not_stalled(make_engine: MakeEngine) -> None:
    """Silence counts from the moment there was something to do."""
    engine = make_engine(stall_s=0.2)
    for _ in range(2):
        threading.Event().wait(0.4)
        assert engine.loop.complaint() is None
        assert len(within(engine.stream(HELLO).result).codes) > 0


def test_a_waiting_caller_of_a_dead_call_hears_of_it(make_engine: MakeEngine) -> None:
    engine = make_engine()

    def die() -> None:
        raise Died("in a call")

    with pytest.raises(StreamFailed, match="in a call"):
        within(lambda: engine.loop.call(die))
