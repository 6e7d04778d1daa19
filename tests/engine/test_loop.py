"""The loop's order of things: who gets a row, what is read when, how it sleeps, how it ends."""

import gc
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import pytest

from qwen3_tts.engine import loop as loop_module
from qwen3_tts.engine import priming, warm_up
from qwen3_tts.engine import sound as sound_module
from qwen3_tts.engine.codec import Codec
from qwen3_tts.engine.engine import Engine
from qwen3_tts.engine.row import Row
from qwen3_tts.engine.stream import Channel, Stream
from qwen3_tts.errors import InvalidRequest, InvalidText, Overloaded, StreamFailed
from qwen3_tts.types import Voice
from tests.engine.by_hand import ByHand, Sizes, assert_same, end_of, heard, within
from tests.engine.kinds import Expected, request

OpenByHand = Callable[..., ByHand]
MakeEngine = Callable[..., Engine]
SHORT = request("Two.", voice="ryan", max_frames=2)
ENDLESS = request("On and on.", voice="ryan", max_frames=5000, guard="off")


# who gets a row


def test_a_full_queue_says_when_to_come_back(by_hand: OpenByHand, expected: Expected) -> None:
    hand = by_hand(max_rows=2, max_queue=3)
    streams = [hand.start(SHORT) for _ in range(5)]  # 2 rows are free, 3 wait
    with pytest.raises(Overloaded) as refused:
        hand.start(SHORT)
    assert 1 <= refused.value.retry_after_s <= 60
    hand.turn()
    with pytest.raises(Overloaded):  # 2 speak, 3 wait
        hand.start(SHORT)
    hand.finish(streams[0])
    hand.turn()
    later = hand.start(SHORT)
    hand.finish(*streams, later)
    for stream in (*streams, later):
        assert_same(heard(stream), expected(SHORT))


def test_priorities_go_first(by_hand: OpenByHand) -> None:
    hand = by_hand(max_rows=1)
    order = ["low", "normal", "high", "normal", "high"]
    streams = [hand.start(replace(SHORT, priority=priority)) for priority in order]
    ends: list[int] = []
    while len(ends) < len(streams):
        hand.turn()
        ends += [i for i, s in enumerate(streams) if s.channel.ended and i not in ends]
    assert ends == [2, 4, 1, 3, 0]


def test_what_never_fits_is_refused_at_once(by_hand: OpenByHand) -> None:
    hand = by_hand(max_positions=100)
    with pytest.raises(InvalidRequest, match="needs"):
        hand.start(replace(SHORT, max_frames=100, guard="off"))
    with pytest.raises(InvalidRequest, match="needs"):
        hand.open(replace(SHORT, text="", max_frames=100))
    with pytest.raises(InvalidRequest, match="priority"):
        hand.start(replace(SHORT, priority="urgent"))
    with pytest.raises(InvalidText):
        hand.start(replace(SHORT, text=" "))
    assert hand.empty


def test_positions_bound_the_batch(by_hand: OpenByHand) -> None:
    """Rows are free, but the second request has to wait for the positions of the first."""
    hand = by_hand(max_rows=4, max_positions=100, bias=0)
    first, second = (hand.start(replace(SHORT, max_frames=60)) for _ in range(2))
    hand.turn(5)
    assert [row.channel for row in hand.loop.rows] == [first.channel]
    hand.finish(first, second)


def test_a_batch_larger_than_the_queue_is_spoken(
    make_engine: MakeEngine, expected: Expected
) -> None:
    engine = make_engine(max_rows=2, max_queue=1)
    asked = [replace(SHORT, seed=seed) for seed in range(8)]
    for one, speech in zip(asked, within(lambda: engine.run(asked)), strict=True):
        assert_same(speech, expected(one))


def test_a_batch_goes_on_where_others_hold_rows(
    make_engine: MakeEngine, expected: Expected
) -> None:
    """It hands in as many as there is room for, though rows and queue are not all its own."""
    engine = make_engine(max_rows=2, max_queue=1)
    others = [engine.open_stream(request("")), engine.open_stream(request(""))]
    asked = [replace(SHORT, seed=seed) for seed in range(4)]
    threading.Timer(0.2, others[0].cancel).start()
    for one, speech in zip(asked, within(lambda: engine.run(asked)), strict=True):
        assert_same(speech, expected(one))


def test_a_row_is_free_before_its_caller_hears_of_the_end(
    by_hand: OpenByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a caller who comes back at once finds room, even where nobody may wait."""
    hand = by_hand(max_rows=1, max_queue=0)
    streams = [hand.start(SHORT)]
    ends: list[str] = []
    for name in ("finish", "fail"):
        end = getattr(Channel, name)

        def come_back(self: Channel, what: Any, name: str = name, end: Any = end) -> None:
            end(self, what)
            ends.append(name)
            if len(streams) < 3:
                streams.append(hand.start(SHORT))

        monkeypatch.setattr(Channel, name, come_back)
    hand.finish(streams[0])
    monkeypatch.setattr(hand.slots, "read", lambda *_: 1 / 0)
    hand.finish(streams[1])
    assert ends == ["finish", "fail"]


# what is read when


class Reading:
    """Prompt positions and reference frames read, frames made, in each turn."""

    def __init__(self, hand: ByHand, monkeypatch: pytest.MonkeyPatch):
        self.hand, self.positions, self.references, self.frames = hand, 0, 0, 0
        read, step = hand.slots.read, hand.slots.step
        decode, decoder = hand.slots.decode, hand.engine.codec.model.decoder

        def reading(slot: int, text_ids: list[int], *rest: Any) -> None:
            self.positions += len(text_ids)
            read(slot, text_ids, *rest)

        def stepping(rows: list[int]) -> Any:
            self.frames += len(rows)
            return step(rows)

        def sending(slots: list[int], codes: Any) -> Any:
            self.references -= codes.shape[-1]  # counted below, but speech
            return decode(slots, codes)

        def decoding(codes: Any, state: Any) -> Any:
            self.references += codes.shape[-1]
            return forward(codes, state)

        forward = decoder.forward
        monkeypatch.setattr(hand.slots, "decode", sending)
        monkeypatch.setattr(hand.slots, "read", reading)
        monkeypatch.setattr(hand.slots, "step", stepping)
        monkeypatch.setattr(decoder, "forward", decoding)

    def turn(self) -> tuple[int, int, int]:
        before = self.positions, self.references, self.frames
        self.hand.turn()
        after = self.positions, self.references, self.frames
        return after[0] - before[0], after[1] - before[1], after[2] - before[2]


def test_newcomers_delay_a_speaker_by_one_piece_a_turn(
    by_hand: OpenByHand,
    voices: dict[str, Voice],
    monkeypatch: pytest.MonkeyPatch,
    expected: Expected,
) -> None:
    """Where reading takes longer than a turn may: 10 positions or one piece of a reference."""
    monkeypatch.setattr(loop_module.Loop, "_reading_s", lambda _: 0.0)
    hand = by_hand(max_rows=4, read_positions=10, bias=0, prefix_cache_bytes=0)
    hand.turn()
    speaker = hand.start(replace(SHORT, max_frames=40), (1,))
    hand.turn(2)
    reading = Reading(hand, monkeypatch)
    asked = [replace(SHORT, voice=voices["long"], text="A" * 40, seed=s) for s in range(3)]
    newcomers = [hand.start(one) for one in asked]
    for _ in range(20):
        positions, references, frames = reading.turn()
        assert positions <= 10
        assert positions == 0 or references == 0
        assert references <= priming.PIECE
        assert frames >= 1  # the speaker's, in every turn
        if all(stream.channel.ended for stream in newcomers):
            break
    assert reading.positions == 3 * 29  # role, tags, speaker, begin of text, 21 of the reference
    assert reading.references == 3 * 20  # none was done when the next one began
    hand.finish(speaker, *newcomers)
    alone = by_hand(max_rows=1, bias=0)
    for one, stream in zip(asked, newcomers, strict=True):
        assert_same(heard(stream), alone.speak(one))


def test_prompts_are_read_at_once_where_nobody_speaks(
    by_hand: OpenByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    hand = by_hand(read_positions=1)
    reading = Reading(hand, monkeypatch)
    kept = [hand.start(replace(SHORT, text="A long text. " * 20)), hand.start(SHORT)]
    positions, _, frames = reading.turn()
    assert positions > 260
    assert frames == 2
    assert [row.channel for row in hand.loop.rows] == [stream.channel for stream in kept]


def test_the_first_listener_does_not_wait_for_the_prompts_of_others(
    by_hand: OpenByHand, monkeypatch: pytest.MonkeyPatch, expected: Expected
) -> None:
    """Three streams that start together: each turn reads one prompt or piece, and from the first
    on makes a frame for every row that is ready; sound leaves after one frame and its decode."""
    monkeypatch.setattr(loop_module.Loop, "_reading_s", lambda _: 0.0)
    hand = by_hand(max_rows=4, read_positions=1000, prefix_cache_bytes=0)
    reading = Reading(hand, monkeypatch)
    asked = [replace(SHORT, seed=seed, max_frames=9) for seed in range(3)]
    streams = [hand.start(one, (1,)) for one in asked]
    length = len(hand.engine.planner.plan(asked[0]).prompt)
    for ready in (1, 2, 3):
        assert reading.turn() == (length, 0, ready)
        assert [stream.channel.ready for stream in streams] == [i < ready for i in range(3)]
    hand.finish(*streams)
    for one, stream in zip(asked, streams, strict=True):
        assert_same(heard(stream), expected(one))


def test_newcomers_are_read_together_where_that_takes_little_time(
    by_hand: OpenByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Any number of pieces, of any number of prompts, as long as they stay in the turn's time."""
    hand = by_hand(max_rows=4, read_positions=3, bias=0, prefix_cache_bytes=0)
    loop = hand.loop
    streams = [hand.start(replace(ENDLESS, max_frames=50), (1,))]
    hand.turn()
    streams += [hand.start(replace(SHORT, voice="ryan", seed=seed), (1,)) for seed in range(3)]
    pieces, read = list[int](), hand.slots.read

    def reading(slot: int, *rest: Any) -> None:
        pieces.append(slot)
        read(slot, *rest)

    monkeypatch.setattr(hand.slots, "read", reading)
    clock = SimpleNamespace(perf_counter=lambda: 1.0 * len(pieces), monotonic=time.monotonic)
    with monkeypatch.context() as patch:  # every piece takes a second
        patch.setattr(loop, "_reading_s", lambda: 4.5)
        patch.setattr(loop_module, "time", clock)
        hand.turn()
    assert pieces == [1, 1, 1, 1]
    monkeypatch.setattr(loop, "_reading_s", lambda: 1e9)
    hand.turn()
    assert set(pieces) == {1, 2, 3}
    assert not any(row.unread for row in loop.rows)
    hand.finish(*streams)


@pytest.mark.parametrize("step_s", [0.001, 0.03, 0.07, 0.5])
def test_reading_takes_no_more_than_a_step_or_the_rest_of_a_frame(
    step_s: float, by_hand: OpenByHand
) -> None:
    loop = by_hand().loop
    assert loop._reading_s() == pytest.approx(0.08)
    loop.pace.observe(step_s)
    assert loop._reading_s() == pytest.approx(max(0.08 - step_s, step_s))


def test_a_listener_goes_before_those_without_one(
    by_hand: OpenByHand, monkeypatch: pytest.MonkeyPatch
) -> None:
    """And a newcomer comes between two prompts that are read where nobody listens."""
    hand = by_hand(max_rows=4)
    whole = [hand.start(replace(SHORT, seed=seed, max_frames=9)) for seed in range(2)]
    late: list[Stream] = []
    read = hand.slots.read

    def reading(slot: int, *rest: Any) -> None:
        if not late:
            late.append(hand.start(SHORT, (1,)))
        read(slot, *rest)

    monkeypatch.setattr(hand.slots, "read", reading)
    hand.turn()
    assert [row.unread == 0 for row in hand.loop.rows] == [True, False]
    hand.turn()
    assert [row.unread == 0 for row in hand.loop.rows] == [True, False, True]
    assert late[0].channel.ready
    hand.finish(*whole, *late)


@pytest.mark.parametrize("frames", [1, 2, 3])
def test_speech_may_be_over_before_its_reference_is_decoded(
    frames: int, by_hand: OpenByHand, voices: dict[str, Voice], expected: Expected
) -> None:
    hand = by_hand()
    asked = replace(SHORT, voice=voices["long"], max_frames=frames, seed=6)
    streams = [hand.start(asked), hand.start(asked, (1,))]
    hand.finish(*streams)
    for stream in streams:
        assert_same(heard(stream), expected(asked))


def test_a_reference_is_decoded_once(by_hand: OpenByHand, voices: dict[str, Voice]) -> None:
    hand = by_hand()
    asked = replace(SHORT, voice=voices["long"], max_frames=5)
    first, again = hand.speak(asked), hand.speak(asked)
    assert_same(again, first)
    primer = hand.loop.primer
    assert (primer.misses, primer.hits) == (1, 1)


def test_the_cache_of_references_is_bounded(by_hand: OpenByHand, voices: dict[str, Voice]) -> None:
    hand = by_hand(voice_cache_bytes=1)
    asked = [replace(SHORT, voice=voices[name]) for name in ("long", "short", "long")]
    speeches = [hand.speak(one) for one in asked]
    assert len(hand.loop.primer.states) == 1
    assert hand.loop.primer.misses == 3
    assert_same(speeches[2], speeches[0])


def test_a_reference_is_decoded_while_the_text_is_awaited(
    by_hand: OpenByHand, voices: dict[str, Voice]
) -> None:
    """The loop does not sleep before it is ready for the first word."""
    hand = by_hand()
    stream = hand.open(replace(SHORT, text="", voice=voices["long"]))
    turns = 0
    while hand.loop._movable():
        hand.turn()
        turns += 1
        assert turns < 10
    (row,) = hand.loop.rows
    assert row.priming is None
    stream.cancel()


# what is decoded when


class Decodes:
    """The slots and frames of every decode, turn by turn."""

    def __init__(self, hand: ByHand, monkeypatch: pytest.MonkeyPatch):
        self.hand, self.made = hand, list[tuple[list[int], int]]()
        decode = hand.slots.decode

        def decoding(slots: list[int], codes: Any) -> Any:
            self.made.append((slots, codes.shape[-1]))
            return decode(slots, codes)

        monkeypatch.setattr(hand.slots, "decode", decoding)

    def turn(self) -> list[tuple[list[int], int]]:
        self.made = []
        self.hand.turn()
        return self.made


def test_rows_that_are_due_together_take_turns(
    by_hand: OpenByHand, monkeypatch: pytest.MonkeyPatch, expected: Expected
) -> None:
    """Those that run dry first go first; a turn decodes a bounded number of frames."""
    monkeypatch.setattr(sound_module, "TURN_FRAMES", 6)
    hand = by_hand(max_rows=3)
    asked = [replace(SHORT, seed=seed, max_frames=9) for seed in range(3)]
    streams = [hand.start(one) for one in asked]
    hand.turn()
    for row in hand.loop.rows:  # listeners from now on: rows are in step
        row.planner = Sizes((4,))
    decodes = Decodes(hand, monkeypatch)
    dry_s = {0: 30.0, 1: 10.0, 2: 20.0}
    monkeypatch.setattr(Row, "spare_s", lambda row, _: dry_s[row.slot])
    made = [decodes.turn() for _ in range(4)]
    assert made[:2] == [[], []]
    assert made[2:] == [[([1, 2], 4)], [([0], 4)]]  # the first leaves room for one more, not two
    hand.finish(*streams)
    for one, stream in zip(asked, streams, strict=True):
        assert_same(heard(stream), expected(one))


@pytest.mark.parametrize(
    ("count", "most", "sizes"),
    [(1, 64, [1]), (7, 64, [4, 2, 1]), (32, 64, [32]), (9, 5, [4, 4, 1]), (3, 0, [1, 1, 1])],
)
def test_rows_are_decoded_in_groups_of_few_sizes(count: int, most: int, sizes: list[int]) -> None:
    rows: Any = list(range(count))
    groups = list(sound_module.groups_of(rows, most))
    assert [len(group) for group in groups] == sizes
    assert [row for group in groups for row in group] == rows


def test_one_decode_is_of_a_bounded_size(
    by_hand: OpenByHand, monkeypatch: pytest.MonkeyPatch, expected: Expected
) -> None:
    """Where nobody listens all are decoded in one turn, but not in one call."""
    monkeypatch.setattr(sound_module, "CALL_FRAMES", 5)
    monkeypatch.setattr(sound_module, "TURN_FRAMES", 1)
    hand = by_hand(max_rows=3)
    asked = [replace(SHORT, seed=seed, max_frames=2) for seed in range(3)]
    streams = [hand.start(one) for one in asked]
    decodes = Decodes(hand, monkeypatch)
    assert decodes.turn() == []
    assert decodes.turn() == [([0, 1], 2), ([2], 2)]
    for one, stream in zip(asked, streams, strict=True):
        assert_same(heard(stream), expected(one))


# sleep


@pytest.fixture
def turns(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """One entry for each turn of any engine's loop."""
    made: list[int] = []
    turn = loop_module.Loop._turn

    def counting(self: loop_module.Loop) -> None:
        made.append(1)
        turn(self)

    monkeypatch.setattr(loop_module.Loop, "_turn", counting)
    return made


def test_an_idle_engine_makes_no_turns(make_engine: MakeEngine, turns: list[int]) -> None:
    engine = make_engine()
    within(engine.stream(SHORT).result)
    asleep = threading.Event()
    asleep.wait(0.2)
    made = len(turns)
    asleep.wait(0.6)
    assert len(turns) == made


def test_a_starved_stream_is_looked_at_now_and_then(
    make_engine: MakeEngine, turns: list[int]
) -> None:
    engine = make_engine()
    with engine.open_stream(request("", voice="ryan")) as stream:
        threading.Event().wait(0.2)
        made = len(turns)
        threading.Event().wait(0.6)
        assert len(turns) - made <= 4  # one in 0.25 s
        stream.feed("Hello.")
    assert len(within(stream.result).codes) > 0


# how it ends


def test_closing_finishes_what_was_begun(make_engine: MakeEngine, expected: Expected) -> None:
    """Rows and queue; who comes later is refused."""
    engine = make_engine(max_rows=2)
    asked = [replace(SHORT, seed=seed) for seed in range(5)]
    streams = [engine.stream(one) for one in asked]
    within(engine.close)
    thread = engine.loop.thread
    assert thread is not None
    assert not thread.is_alive()
    for one, stream in zip(asked, streams, strict=True):
        assert stream.result().codes.tolist() == expected(one).codes.tolist()
    with pytest.raises(StreamFailed, match="closed"):
        engine.stream(SHORT)
    with pytest.raises(StreamFailed, match="closed"):
        engine.loop.call(lambda: None)
    within(engine.close)


def test_closing_without_draining_drops_all(make_engine: MakeEngine) -> None:
    engine = make_engine(max_rows=2, bias=0)
    streams = [engine.stream(ENDLESS) for _ in range(3)]
    streams.append(engine.open_stream(request("")))
    next(streams[0])
    within(lambda: engine.close(drain=False))
    for stream in streams:
        with pytest.raises(StreamFailed, match="closed"):
            list(stream)
    scheduler = engine.loop.scheduler
    assert (scheduler.active, scheduler.queued, engine.loop.rows) == (0, 0, [])


def test_closing_drops_a_request_on_its_way_to_a_row(by_hand: OpenByHand) -> None:
    """It has left the queue and is not among the rows yet."""
    hand = by_hand()
    stream = hand.start(ENDLESS)

    class Rows(list[Row]):
        def append(self, row: Row) -> None:
            hand.loop.close(drain=False)
            super().append(row)

    hand.loop.rows = Rows()
    hand.turn(2)
    with pytest.raises(StreamFailed, match="closed"):
        stream.result()
    assert hand.empty


def test_an_engine_warms_up_while_it_has_nothing_to_do(
    make_engine: MakeEngine, turns: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every size of chunk and the tokenizer of text streams, once; then it sleeps."""
    made: list[str] = []
    monkeypatch.setattr(Codec, "decode", lambda _, codes: made.append(f"{len(codes)} frames"))
    monkeypatch.setattr(warm_up, "IncrementalTokenizer", lambda _: made.append("tokenizer"))
    engine = make_engine(warm_up=True, chunk_plan=(1, 2, 2, 5))
    within(lambda: wait_for(lambda: engine.loop.chores is None))
    assert made == ["1 frames", "2 frames", "5 frames", "tokenizer"]
    threading.Event().wait(0.1)
    before = len(turns)
    threading.Event().wait(0.6)
    assert len(turns) == before


def test_requests_go_before_warming_up(make_engine: MakeEngine, expected: Expected) -> None:
    """One that comes in the middle of it is spoken before it goes on; closing does not wait."""
    engine = make_engine()
    begun, go_on, done = threading.Event(), threading.Event(), list[str]()

    def chores() -> Iterator[None]:
        begun.set()
        go_on.wait(60)
        yield
        done.append("second")
        yield
        raise ValueError("in the third")

    engine.loop.do_when_idle(chores())
    begun.wait(60)
    stream = engine.stream(SHORT)
    stream.channel.listeners.append(lambda: done.append("heard"))
    go_on.set()
    assert within(stream.result).codes.tolist() == expected(SHORT).codes.tolist()
    within(lambda: wait_for(lambda: engine.loop.chores is None))
    assert done.index("heard") < done.index("second")
    assert within(engine.stream(SHORT).result).codes.tolist() == expected(SHORT).codes.tolist()
    engine.loop.do_when_idle(iter(lambda: None, 0))  # without end
    within(engine.close)


def wait_for(condition: Callable[[], bool]) -> None:
    while not condition():
        threading.Event().wait(0.005)


def test_an_engine_never_used_can_be_closed(make_engine: MakeEngine) -> None:
    engine = make_engine()
    within(engine.close)
    assert engine.loop.thread is None


def engine_threads() -> set[threading.Thread]:
    return {t for t in threading.enumerate() if t.name == "qwen3-tts engine"}


def test_dropping_an_engine_ends_its_thread(build_engine: MakeEngine, expected: Expected) -> None:
    """Its streams keep it alive: the engine goes with the last of them."""
    before = engine_threads()
    engine = build_engine()
    alive = weakref.ref(engine)
    streams = [engine.stream(SHORT), engine.stream(replace(ENDLESS))]
    (thread,) = engine_threads() - before
    del engine
    gc.collect()
    assert within(streams[0].result).codes.tolist() == expected(SHORT).codes.tolist()
    streams.clear()
    gc.collect()
    assert alive() is None
    thread.join(60)
    assert not thread.is_alive()


def test_a_failed_stream_does_not_keep_its_engine(build_engine: MakeEngine) -> None:
    """Not even while the error is being looked at."""
    engine = build_engine()
    alive = weakref.ref(engine)
    stream = engine.stream(SHORT)
    stream.cancel()
    error = end_of(stream)
    del engine, stream
    gc.collect()
    assert isinstance(error, Exception)
    error.__traceback__ = None
    gc.collect()
    assert alive() is None


# calls


def test_calls_run_on_the_engine_thread_between_frames(make_engine: MakeEngine) -> None:
    engine = make_engine(bias=0)
    stream: Stream = engine.stream(replace(ENDLESS))
    next(stream)
    assert within(lambda: engine.loop.call(threading.current_thread)) is engine.loop.thread

    def fail() -> None:
        raise TimeoutError("mine")

    with pytest.raises(TimeoutError, match="mine"):
        within(lambda: engine.loop.call(fail))
    assert isinstance(next(stream).index, int)
