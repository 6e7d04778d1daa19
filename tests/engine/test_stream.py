"""Sound that leaves in chunks: pieces of the same speech, to any kind of caller, until given up."""

import asyncio
import gc
import threading
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.engine.engine import Engine
from qwen3_tts.engine.loop import Loop
from qwen3_tts.engine.options import EngineOptions
from qwen3_tts.engine.stream import Stream
from qwen3_tts.errors import Cancelled, StreamFailed
from qwen3_tts.types import AudioChunk, SpeechRequest, Voice
from tests.engine.by_hand import (
    FRAME,
    PATIENCE_S,
    ByHand,
    assert_same,
    heard,
    joined,
    ready_chunks,
    within,
)
from tests.engine.kinds import Expected, all_kinds, request

OpenByHand = Callable[..., ByHand]
MakeEngine = Callable[..., Engine]
# Float32 leaves the wave of the 16-codebook random codec 4e-5 from float64
# (tests/model/codec/test_decoder.py), so two ways to decode it may be twice as far apart.
CLOSE = 1e-4
SPOKEN = request("Nine frames of speech.", voice="ryan", seed=4, max_frames=9)


@pytest.mark.parametrize("plan", [(1,), (2, 2, 5), (1, 2, 4, 8, 12), (4,), (64,)])
def test_chunks_are_the_speech(preset: Qwen3Synthesizer, plan: tuple[int, ...]) -> None:
    """The published layout of 16 codebooks in float32, with a plan of each shape, by the clock."""
    e = preset.engine
    given: dict[str, Any] = {"voice": "ryan", "seed": 5, "max_frames": 14}
    options = EngineOptions(chunk_plan=plan)
    with closing(Engine(e.model, e.codec, e.planner, options)) as engine:
        stream = within(lambda: engine.stream(SpeechRequest("Hello there.", **given)))
        chunks = within(lambda: list(stream))
    whole = preset.synthesize("Hello there.", **given)
    assert stream.codes.tolist() == whole.codes.tolist()
    np.testing.assert_allclose(joined(chunks), whole.wave, rtol=0, atol=CLOSE)
    assert all(isinstance(chunk, AudioChunk) for chunk in chunks)
    assert all(len(chunk.wave) <= plan[-1] * FRAME for chunk in chunks)
    assert {chunk.wave.dtype for chunk in chunks} == {np.dtype(np.float32)}
    assert (stream.seed, stream.finish_reason) == (5, "length")


@pytest.mark.parametrize("sizes", [(1,), (2, 3), (5,), (1, 2, 4, 8)])
def test_each_kind_is_the_same_in_any_chunks(
    sizes: tuple[int, ...], voices: dict[str, Voice], by_hand: OpenByHand, expected: Expected
) -> None:
    hand = by_hand(max_rows=4)
    asked = [replace(kind, max_frames=10) for kind in all_kinds(voices)]
    streams = [hand.start(one, sizes) for one in asked]
    hand.finish(*streams)
    for one, stream in zip(asked, streams, strict=True):
        assert_same(heard(stream), expected(one))


def test_a_wave_is_its_codes(by_hand: OpenByHand, voices: dict[str, Voice]) -> None:
    """Decoded again; in context, behind the reference. Bit for bit where the chunks are alike."""
    hand = by_hand()
    codec = hand.engine.codec
    for voice in ("ryan", voices["short"]):
        stream = hand.start(replace(SPOKEN, voice=voice), (9,))
        hand.finish(stream)
        before = voice.codes if isinstance(voice, Voice) else np.zeros((0, 4), dtype=np.int64)
        assert before is not None
        whole = codec.decode(np.concatenate([before, stream.codes]))[FRAME * len(before) :]
        np.testing.assert_allclose(heard(stream).wave, whole, rtol=0, atol=1e-11)


def test_timing_is_filled(make_engine: MakeEngine) -> None:
    stream = make_engine(chunk_plan=(1, 2)).stream(SPOKEN)
    chunks = within(lambda: list(stream))
    t = stream.timing
    moments = (t.queued_s, t.prefill_s, t.first_frame_s, t.first_audio_s, t.codes_s, t.total_s)
    assert 0 < t.queued_s < t.prefill_s < t.first_frame_s < t.first_audio_s < t.codes_s < t.total_s
    assert list(moments) == sorted(moments)
    assert t.frames == len(stream.codes) == 9
    assert t.audio_s == pytest.approx(9 * 0.08)
    assert len(t.chunk_s) == len(chunks) >= 5
    assert list(t.chunk_s) == sorted(t.chunk_s)
    assert (t.chunk_s[0], t.underrun_s >= 0) == (t.first_audio_s, True)


def test_a_whole_speech_leaves_in_one_chunk(by_hand: OpenByHand) -> None:
    hand = by_hand(bias=0)
    stream = hand.start(replace(SPOKEN, max_frames=20))
    hand.turn(19)
    assert ready_chunks(stream) == []
    hand.finish(stream)
    (chunk,) = ready_chunks(stream)
    assert (len(chunk.wave), chunk.is_final) == (20 * FRAME, True)


def test_what_was_taken_is_not_in_the_result(by_hand: OpenByHand, expected: Expected) -> None:
    hand = by_hand()
    stream = hand.start(SPOKEN, (2,))
    hand.finish(stream)
    first = next(stream)
    rest = stream.result()
    assert first.index == 0
    np.testing.assert_array_equal(len(first.wave) + len(rest.wave), len(expected(SPOKEN).wave))
    assert rest.codes.tolist() == expected(SPOKEN).codes.tolist()
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(stream)


def test_how_it_ended_is_known_at_the_end(by_hand: OpenByHand) -> None:
    hand = by_hand()
    stream = hand.start(SPOKEN, (1,))
    hand.turn(3)
    for name in ("seed", "codes", "timing", "finish_reason"):
        with pytest.raises(StreamFailed, match="has not ended"):
            getattr(stream, name)


# async


def test_async_chunks_are_the_sync_ones(make_engine: MakeEngine, expected: Expected) -> None:
    engine = make_engine(max_rows=3, chunk_plan=(1, 3))
    asked = [replace(SPOKEN, seed=seed) for seed in range(5)]

    async def listen(one: SpeechRequest) -> tuple[Stream, list[AudioChunk]]:
        stream = engine.stream(one)
        return stream, [chunk async for chunk in stream]

    async def all_of_them() -> list[tuple[Stream, list[AudioChunk]]]:
        return await asyncio.wait_for(asyncio.gather(*map(listen, asked)), PATIENCE_S)

    for one, (stream, chunks) in zip(asked, asyncio.run(all_of_them()), strict=True):
        assert stream.codes.tolist() == expected(one).codes.tolist()
        np.testing.assert_allclose(joined(chunks), expected(one).wave, rtol=0, atol=1e-11)


def test_waiting_does_not_hold_up_the_event_loop(by_hand: OpenByHand, expected: Expected) -> None:
    """The turns that make the sound are made by a task of the same event loop."""
    hand = by_hand()

    async def both() -> list[AudioChunk]:
        stream = hand.start(SPOKEN, (2,))

        async def turns() -> None:
            while not stream.channel.ended:
                hand.turn()
                await asyncio.sleep(0)

        work = asyncio.create_task(turns())
        chunks = [chunk async for chunk in stream]
        await work
        return chunks

    chunks = asyncio.run(asyncio.wait_for(both(), PATIENCE_S))
    np.testing.assert_allclose(joined(chunks), expected(SPOKEN).wave, rtol=0, atol=1e-11)


def test_an_event_loop_may_end_before_the_stream(by_hand: OpenByHand, expected: Expected) -> None:
    """What an event loop began, a plain loop goes on with."""
    hand = by_hand()
    stream = hand.start(SPOKEN, (3,))

    async def give_up() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(anext(stream), 0.01)

    asyncio.run(give_up())
    assert stream.channel.listeners == []
    hand.finish(stream)
    assert_same(heard(stream), expected(SPOKEN))


# giving up


def cancel(stream: Stream) -> None:
    stream.cancel()


def close(stream: Stream) -> None:
    stream.close()


def leave(stream: Stream) -> None:
    with stream:
        pass


WAYS: dict[str, Callable[[Stream], None]] = {"cancel": cancel, "close": close, "with": leave}


@pytest.fixture
def counted(monkeypatch: pytest.MonkeyPatch) -> Callable[[ByHand], list[int]]:
    """Slots of each call to the decoder from now on."""

    def count(hand: ByHand) -> list[int]:
        calls: list[int] = []
        decode = hand.slots.decode

        def counting(slots: list[int], codes: Any) -> Any:
            calls.extend(slots)
            return decode(slots, codes)

        monkeypatch.setattr(hand.slots, "decode", counting)
        return calls

    return count


@pytest.mark.parametrize("turns", [0, 1, 4])
@pytest.mark.parametrize("way", WAYS)
def test_a_stream_given_up_makes_no_more_sound(
    way: str, turns: int, by_hand: OpenByHand, counted: Callable[[ByHand], list[int]]
) -> None:
    """In the queue, after its first frame, in mid-speech: one step later its row is free."""
    hand = by_hand(max_rows=1)
    stream = hand.start(SPOKEN, (1,))
    hand.turn(turns)
    if turns == 4:
        assert len(next(stream).wave) == FRAME
    WAYS[way](stream)
    calls = counted(hand)
    hand.turn()
    assert hand.empty
    hand.turn(3)
    assert calls == []
    with pytest.raises(Cancelled):
        next(stream)


@pytest.mark.parametrize("turns", [0, 1, 4])
def test_a_dropped_stream_is_given_up(
    turns: int, by_hand: OpenByHand, counted: Callable[[ByHand], list[int]]
) -> None:
    hand = by_hand(max_rows=1)
    stream = hand.start(SPOKEN, (1,))
    hand.turn(turns)
    assert not hand.empty
    del stream
    gc.collect()
    calls = counted(hand)
    hand.turn()
    assert hand.empty
    assert calls == []


def test_breaking_out_of_a_loop_gives_up(by_hand: OpenByHand) -> None:
    hand = by_hand(max_rows=1)

    def listen() -> None:
        stream = hand.start(SPOKEN, (1,))
        hand.turn(4)
        for chunk in stream:
            assert chunk.index == 0
            break

    listen()
    hand.turn()
    assert hand.empty


def test_a_cancelled_task_gives_up(by_hand: OpenByHand) -> None:
    hand = by_hand(max_rows=1)

    async def main() -> None:
        async def listen() -> None:
            async for chunk in hand.start(SPOKEN, (1,)):
                assert chunk.index < 2

        task = asyncio.create_task(listen())
        await asyncio.sleep(0)
        hand.turn(2)
        await asyncio.sleep(0)
        task.cancel()  # just as a chunk has come
        await asyncio.wait({task}, timeout=10)
        assert task.cancelled()

    asyncio.run(main())
    gc.collect()
    hand.turn()
    assert hand.empty


def test_the_first_row_is_free_for_those_who_wait(by_hand: OpenByHand, expected: Expected) -> None:
    hand = by_hand(max_rows=1)
    gone, waiting = hand.start(SPOKEN, (1,)), hand.start(replace(SPOKEN, seed=9), (4,))
    hand.turn(3)
    gone.cancel()
    hand.turn()
    assert [row.channel for row in hand.loop.rows] == [waiting.channel]
    hand.finish(waiting)
    assert_same(heard(waiting), expected(replace(SPOKEN, seed=9)))


def test_giving_up_while_a_reference_is_decoded(
    by_hand: OpenByHand,
    voices: dict[str, Voice],
    expected: Expected,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The next request in that slot, of the same voice, decodes the reference from its start."""
    monkeypatch.setattr(Loop, "_reading_s", lambda _: 0.0)  # one piece a turn
    hand = by_hand(max_rows=1)
    asked = replace(SPOKEN, voice=voices["long"])
    gone = hand.start(asked, (1,))
    hand.turn(2)
    assert hand.loop.rows[0].priming is not None
    gone.cancel()
    kept = hand.start(asked, (1,))
    hand.finish(kept)
    assert_same(heard(kept), expected(asked))


def test_cancelling_wakes_who_waits(by_hand: OpenByHand) -> None:
    """No turns are made, so only the cancel of another thread can end the wait."""
    stream = by_hand().start(SPOKEN, (1,))
    threading.Timer(0.05, stream.cancel).start()
    with pytest.raises(Cancelled):
        within(lambda: next(stream))


def test_cancelling_in_the_middle_of_taking(by_hand: OpenByHand) -> None:
    """Another thread cancels after the check that a chunk is there, before it is taken."""
    hand = by_hand()
    stream = hand.start(SPOKEN, (1,))
    hand.turn(3)

    class Slow(deque[AudioChunk]):
        def __len__(self) -> int:
            count, thread = super().__len__(), threading.Thread(target=stream.cancel)
            if count and not stream.channel.cancelled:
                thread.start()
                thread.join(0.1)
            return count

    stream.channel.chunks = Slow(stream.channel.chunks)
    assert len(stream.channel.take().wave) == FRAME  # type: ignore[union-attr]


def test_cancelling_what_has_ended_changes_nothing(by_hand: OpenByHand, expected: Expected) -> None:
    hand = by_hand()
    stream = hand.start(SPOKEN, (2,))
    hand.finish(stream)
    stream.cancel()
    assert_same(heard(stream), expected(SPOKEN))


# many callers


def test_the_seed_says_what_was_spoken(make_engine: MakeEngine, expected: Expected) -> None:
    engine = make_engine()
    first = within(engine.stream(replace(SPOKEN, seed=None)).result)
    assert first.codes.tolist() == expected(replace(SPOKEN, seed=first.seed)).codes.tolist()


def test_sixteen_threads_share_four_rows(
    make_engine: MakeEngine, voices: dict[str, Voice], expected: Expected
) -> None:
    kinds = [replace(kind, max_frames=4) for kind in all_kinds(voices)]
    engine = make_engine(max_rows=4, max_queue=80, chunk_plan=(1, 2))

    def five(thread: int) -> list[tuple[SpeechRequest, Any]]:
        asked = [replace(kinds[(thread + i) % 11], seed=thread % 4) for i in range(5)]
        return [
            (one, engine.run([one])[0] if (thread + i) % 2 else engine.stream(one).result())
            for i, one in enumerate(asked)
        ]

    with ThreadPoolExecutor(16) as pool:
        made = within(lambda: list(pool.map(five, range(16))))
    assert sum(map(len, made)) == 80
    for one, speech in (pair for five_made in made for pair in five_made):
        assert_same(speech, expected(one))
