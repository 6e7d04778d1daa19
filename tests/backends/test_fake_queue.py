"""The fake engine under load: queue, cancelling, closing, from any thread or task."""

import asyncio
import gc
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest

from qwen3_tts.backends.fake import FakeSynthesizer, expected_wave
from qwen3_tts.engine.stream import Stream
from qwen3_tts.errors import Cancelled, Overloaded, SpeechError, StreamFailed
from qwen3_tts.types import SpeechRequest
from tests.backends.test_fake import FRAME, SOON_S, fake, taken


def eventually(true: Callable[[], bool]) -> None:
    end_s = time.monotonic() + SOON_S
    while not true():
        assert time.monotonic() < end_s
        time.sleep(0.001)


def test_the_queue_is_bounded_and_in_order() -> None:
    with fake(max_rows=2, max_queue=2) as engine:
        streams = [engine.stream("[hang]") for _ in range(4)]
        assert (engine.active, engine.queued) == (2, 2)
        with pytest.raises(Overloaded) as refused:
            engine.stream("Hi")
        assert refused.value.retry_after_s >= 1
        streams[3].cancel()
        first = engine.stream("Hi", priority="high")
        streams[0].cancel()
        assert len(first.result().wave) == 2 * FRAME
        assert (engine.active, engine.queued, engine.cancelled) == (2, 0, 2)


def test_a_batch_may_be_larger_than_the_queue() -> None:
    requests = [SpeechRequest(f"Text {i}.", seed=i) for i in range(9)]
    with fake(max_rows=2, max_queue=1) as engine:
        waves = [speech.wave for speech in engine.synthesize_batch(requests)]
    wanted = [expected_wave(request.text, seed=request.seed or 0) for request in requests]
    assert all(map(np.array_equal, waves, wanted))


@pytest.mark.parametrize("text", ["[hang]", "slow [slow:9]"])
@pytest.mark.parametrize("rows", [1, 2])
def test_cancelling_wakes_whoever_waits_in_a_thread(text: str, rows: int) -> None:
    with fake(max_rows=rows) as engine:
        engine.stream("[hang]").cancel()  # a row that was used before
        holder = engine.stream("[hang]")
        stream = engine.stream(text)
        assert (engine.active, engine.queued) == (rows, 2 - rows)
        outcome: list[BaseException] = []
        waiter = threading.Thread(target=lambda: outcome.append(raised(stream)))
        waiter.start()
        began_s = time.monotonic()
        stream.cancel()
        assert (engine.active, engine.queued) == (1, 0)
        waiter.join(SOON_S)
        assert isinstance(outcome[0], Cancelled)
        assert time.monotonic() - began_s < SOON_S
        holder.cancel()
        assert engine.active == 0


def raised(stream: Stream) -> BaseException:
    with pytest.raises(SpeechError) as caught:
        next(stream)
    return caught.value


def test_cancelling_wakes_whoever_waits_in_a_task() -> None:
    async def run(engine: FakeSynthesizer) -> None:
        streams = [engine.stream("[hang]") for _ in range(20)]
        tasks = [asyncio.create_task(taken(stream)) for stream in streams]
        await asyncio.sleep(0.01)
        for stream in streams[:10]:
            stream.cancel()
        others = asyncio.to_thread(lambda: [stream.cancel() for stream in streams[10:]])
        results = await asyncio.gather(*tasks, others, return_exceptions=True)
        assert all(isinstance(result, Cancelled) for result in results[:-1])
        assert (engine.active, engine.queued, engine.cancelled) == (0, 0, 20)

    with fake(max_rows=4) as engine:
        asyncio.run(run(engine))


def test_a_dropped_stream_is_cancelled() -> None:
    with fake() as engine:
        stream = engine.stream("[hang]")
        assert engine.active == 1
        del stream
        gc.collect()
        assert (engine.active, engine.cancelled) == (0, 1)


def test_cancelling_never_waits_for_the_lock() -> None:
    """A garbage collector may cancel a stream in a thread that holds the lock just then."""
    engine = FakeSynthesizer()
    stream = engine.stream("[hang]")

    def cancel_inside() -> None:
        with engine._loop.held():
            stream.cancel()

    thread = threading.Thread(target=cancel_inside, daemon=True)
    thread.start()
    thread.join(SOON_S)
    assert not thread.is_alive()
    assert (engine.active, engine.cancelled) == (0, 1)
    engine.close()


def test_closing_drains_or_drops() -> None:
    engine = FakeSynthesizer(first_audio_s=0.05)
    stream = engine.stream("Hi")
    engine.close()
    assert stream.result().finish_reason == "stop"
    assert engine.complaint() == "the engine was closed"
    with pytest.raises(StreamFailed):
        engine.stream("Hi")
    engine = FakeSynthesizer()
    stream = engine.stream("[hang]")
    engine.close(drain=False)
    with pytest.raises(StreamFailed):
        next(stream)
    FakeSynthesizer().close()


def test_a_dropped_engine_ends_its_thread() -> None:
    engine = FakeSynthesizer()
    engine.synthesize("Hi")
    thread = engine._loop._thread
    assert thread is not None
    assert thread.is_alive()
    del engine
    gc.collect()
    thread.join(SOON_S)
    assert not thread.is_alive()


# many at once


def test_many_threads() -> None:
    """Each hears itself, whatever others start, cancel and drop meanwhile; no row is lost."""
    wrong: list[object] = []

    def work(engine: FakeSynthesizer, number: int) -> None:
        for turn in range(15):
            seed, text = number * 100 + turn, f"Thread {number}, turn {turn}."
            try:
                stream = engine.stream(text, seed=seed)
                if turn % 3 == 1:
                    next(stream)
                    stream.cancel()
                elif turn % 3 == 2:
                    del stream
                elif not np.array_equal(stream.result().wave, expected_wave(text, seed=seed)):
                    wrong.append(text)
            except SpeechError as error:
                wrong.append(error)

    with fake(max_rows=3, frame_s=0.0001) as engine:
        threads = [threading.Thread(target=work, args=(engine, i)) for i in range(12)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(30)
        assert not wrong
        eventually(lambda: engine.active + engine.queued == 0)
        assert engine.finished + engine.cancelled == 12 * 15
        assert engine.finished >= 12 * 5


def test_many_tasks_need_one_thread() -> None:
    text = "One of very many sessions."

    async def run(engine: FakeSynthesizer) -> list[list[np.ndarray]]:
        streams = [engine.stream(text, seed=i) for i in range(50)]
        jobs = asyncio.gather(*map(taken, streams))
        await asyncio.sleep(0.02)
        assert len(set(threading.enumerate()) - before) == 1
        return await jobs

    before = set(threading.enumerate())
    with fake(max_rows=50, frame_s=0.002) as engine:
        spoken = asyncio.run(run(engine))
        assert (engine.active, engine.finished) == (0, 50)
    for seed, waves in enumerate(spoken):
        assert np.array_equal(np.concatenate(waves), expected_wave(text, seed=seed))
