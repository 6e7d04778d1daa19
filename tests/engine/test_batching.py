"""Requests of all kinds join and leave one batch at any frame, and each is what it is alone."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_tts.engine import slots
from qwen3_tts.engine.stream import Stream
from qwen3_tts.errors import Cancelled
from qwen3_tts.types import Sampling, SpeechRequest, Voice
from tests.engine.by_hand import ByHand, assert_same, heard, ready_chunks, starts_with
from tests.engine.kinds import GREEDY, Expected, all_kinds

OpenByHand = Callable[..., ByHand]


@pytest.fixture
def kinds(voices: dict[str, Voice]) -> list[SpeechRequest]:
    return all_kinds(voices)


@pytest.mark.parametrize("sampling", [None, GREEDY], ids=["sampled", "greedy"])
@pytest.mark.parametrize("rows", [1, 2, 5, 8])
def test_every_kind_in_one_batch(
    rows: int,
    sampling: Sampling | None,
    kinds: list[SpeechRequest],
    by_hand: OpenByHand,
    expected: Expected,
) -> None:
    """More requests than rows: they also take over the slots of those that have left."""
    asked = [replace(kind, sampling=sampling or kind.sampling) for kind in kinds]
    hand = by_hand(max_rows=rows)
    streams = [hand.start(one) for one in asked]
    hand.turn(2)
    assert len(hand.loop.rows) == rows
    hand.finish(*streams)
    for one, stream in zip(asked, streams, strict=True):
        assert_same(heard(stream), expected(one))
    assert {stream.finish_reason for stream in streams} == {"stop", "length"}
    hand.turn()
    assert hand.empty


@pytest.mark.parametrize("gap", [1, 2, 5])
def test_joining_at_any_frame(
    gap: int, kinds: list[SpeechRequest], by_hand: OpenByHand, expected: Expected
) -> None:
    asked = [replace(kind, max_frames=12) for kind in kinds]
    hand = by_hand(max_rows=8)
    streams = []
    for one in asked:
        streams.append(hand.start(one))
        hand.turn(gap)
    hand.finish(*streams)
    for one, stream in zip(asked, streams, strict=True):
        assert_same(heard(stream), expected(one))


@pytest.mark.parametrize("leaving", range(7))
def test_leaving_at_any_frame(
    leaving: int, kinds: list[SpeechRequest], by_hand: OpenByHand, expected: Expected
) -> None:
    """The first row is given up after so many turns; its slot goes to the request that waits."""
    asked = [replace(kind, max_frames=8) for kind in kinds]
    first = next(one for one in asked if len(expected(one).codes) == 8)
    others = [one for one in asked if one is not first][:5]
    hand = by_hand(max_rows=4)
    gone, *streams = (hand.start(one, (1,)) for one in (first, *others))
    hand.turn(leaving)
    gone.cancel()
    hand.finish(*streams)
    for one, stream in zip(others, streams, strict=True):
        assert_same(heard(stream), expected(one))
    with pytest.raises(Cancelled):
        next(gone)


def test_seeds_are_drawn_per_request(by_hand: OpenByHand, kinds: list[SpeechRequest]) -> None:
    """Rows alike but for their seeds differ; rows alike in everything do not."""
    one = replace(kinds[0], max_frames=4)
    asked = [replace(one, seed=seed) for seed in (1, 2, 1, 3)]
    hand = by_hand(max_rows=4)
    streams = [hand.start(each) for each in asked]
    hand.finish(*streams)
    codes = [stream.codes.tobytes() for stream in streams]
    assert codes[0] == codes[2]
    assert len(set(codes)) == 3


@dataclass(frozen=True)
class Visit:
    """A request of a random batch: when it comes, what it is, and when it gives up."""

    wait: int  # turns after the visit before it
    kind: int
    frames: int
    sizes: tuple[int, ...]  # of its chunks; none: it leaves as a whole
    patience: int | None  # turns until it is cancelled
    priority: str


VISITS = st.lists(
    st.builds(
        Visit,
        wait=st.integers(0, 6),
        kind=st.integers(0, 10),
        frames=st.integers(1, 12),
        sizes=st.lists(st.integers(1, 7), max_size=4).map(tuple),
        patience=st.none() | st.integers(0, 12),
        priority=st.sampled_from(["high", "normal", "low"]),
    ),
    min_size=2,
    max_size=9,
)


def visit_all(hand: ByHand, asked: list[SpeechRequest], visits: list[Visit]) -> list[Stream]:
    """Make turns and let each request come and go at its own."""
    streams: list[Stream] = []
    leaving: list[tuple[int, Stream]] = []
    now = 0

    def turn() -> None:
        nonlocal now
        for at, stream in leaving:
            if at == now:
                stream.cancel()
        hand.turn()
        now += 1

    for one, visit in zip(asked, visits, strict=True):
        for _ in range(visit.wait):
            turn()
        streams.append(hand.start(one, visit.sizes))
        if visit.patience is not None:
            leaving.append((now + visit.patience, streams[-1]))
    while not all(stream.channel.ended for stream in streams):
        assert now < 1000
        turn()
    hand.turn()  # those that left in the last turn
    return streams


@settings(max_examples=30)
@given(visits=VISITS, rows=st.sampled_from([1, 2, 3, 5, 8]), piece=st.sampled_from([1, 7, 64]))
def test_any_batch_and_any_chunks_give_the_same_speech(
    visits: list[Visit],
    rows: int,
    piece: int,
    voices: dict[str, Voice],
    build_engine: Callable[..., object],
    expected: Expected,
) -> None:
    kinds = all_kinds(voices)
    asked = [
        replace(kinds[v.kind], max_frames=v.frames, priority=v.priority, seed=v.frames % 3)
        for v in visits
    ]
    hand = ByHand(build_engine(max_rows=rows, read_positions=piece))  # type: ignore[arg-type]
    for one, visit, stream in zip(asked, visits, visit_all(hand, asked, visits), strict=True):
        if stream.channel.cancelled:
            assert ready_chunks_or_none(stream) is None
            continue
        speech = heard(stream)
        assert_same(speech, expected(one))
        assert chunk_sizes_fit(stream, visit, len(speech.codes))
    assert hand.empty


def ready_chunks_or_none(stream: Stream) -> object:
    try:
        return ready_chunks(stream)
    except Cancelled:
        return None


def chunk_sizes_fit(stream: Stream, visit: Visit, frames: int) -> bool:
    """As many chunks as the plan needs for these frames; an empty last one may follow."""
    if not visit.sizes:
        return len(stream.timing.chunk_s) == 1
    sizes, needed = list(visit.sizes), 0
    while frames > 0:
        frames -= sizes.pop(0) if len(sizes) > 1 else sizes[0]
        needed += 1
    return len(stream.timing.chunk_s) in (needed, needed + 1)


def test_memory_grows_and_shrinks_under_running_rows(
    by_hand: OpenByHand,
    kinds: list[SpeechRequest],
    expected: Expected,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Cache and text memory begin tiny, grow while rows run, and are given back when all left."""
    monkeypatch.setattr(slots, "FIRST_POSITIONS", 4)
    monkeypatch.setattr(slots, "KEEP_POSITIONS", 16)
    monkeypatch.setattr(slots, "FIRST_TRAILING", 1)
    hand = by_hand(max_rows=3, read_positions=5)
    for _ in range(2):
        asked = [replace(kind, max_frames=9) for kind in kinds]
        streams = [hand.start(one) for one in asked]
        hand.turn(3)
        assert hand.slots.state.cache.capacity > 16
        hand.finish(*streams)
        for one, stream in zip(asked, streams, strict=True):
            assert_same(heard(stream), expected(one))
        assert hand.slots.state.cache.capacity == 4


def test_a_row_may_leave_before_it_has_memory(
    by_hand: OpenByHand,
    kinds: list[SpeechRequest],
    expected: Expected,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Memory goes back to one row while another row has a slot but has read nothing yet."""
    monkeypatch.setattr(slots, "FIRST_POSITIONS", 4)
    monkeypatch.setattr(slots, "KEEP_POSITIONS", 16)
    hand = by_hand(max_rows=3)
    first = hand.start(replace(kinds[0], max_frames=2))
    hand.turn()
    gone, kept = hand.start(kinds[1]), hand.start(kinds[2])
    with monkeypatch.context() as patch:  # as when others keep the loop from reading
        patch.setattr(hand.loop, "_read", lambda: None)
        hand.finish(first)
    assert len(hand.loop.rows) == 2
    gone.cancel()
    hand.finish(kept)
    assert_same(heard(kept), expected(kinds[2]))
    hand.turn()
    assert hand.empty


def test_neighbours_widen_the_choice_for_themselves_only(
    by_hand: OpenByHand, kinds: list[SpeechRequest], expected: Expected
) -> None:
    """Options of a row that came late and left early, between frames of a row that stays."""
    narrow = replace(kinds[0], max_frames=12, sampling=Sampling(top_k=3, predictor_top_k=2))
    wide = replace(kinds[1], max_frames=2, sampling=Sampling(top_k=0, top_p=0.5, predictor_top_k=0))
    hand = by_hand(max_rows=2)
    stays = hand.start(narrow)
    visits = []
    for _ in range(3):
        hand.turn(2)
        visits.append(hand.start(wide))
    hand.finish(stays, *visits)
    assert_same(heard(stays), expected(narrow))
    for visit in visits:
        assert_same(heard(visit), expected(wide))


def test_requests_differ(kinds: list[SpeechRequest], expected: Expected) -> None:
    """The comparisons above would mean little if all kinds spoke alike."""
    starts = [expected(kind).codes for kind in kinds]
    for i, codes in enumerate(starts):
        assert not any(starts_with(other, codes[:2]) for other in starts[:i])
    assert all(np.abs(expected(kind).wave).max() > 100 * 1e-4 for kind in kinds)
