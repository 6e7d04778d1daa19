"""An engine whose turns a test makes itself, so that everything happens at a chosen moment.

Where threads are what is tested, `within` keeps a hang from becoming the test's own.
"""

import threading
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch

from qwen3_tts.engine.chunks import ChunkPlanner
from qwen3_tts.engine.engine import Engine
from qwen3_tts.engine.plan import Job
from qwen3_tts.engine.stream import Stream, TextStream
from qwen3_tts.types import AudioChunk, Codes, Speech, SpeechRequest, Wave

T = TypeVar("T")
FRAME = 1920
# The codec of these tests counts in float64. In float32 its waves (peak 0.85) are 1.5e-4 off, and
# chunks of one frame 2e-4 from whole decodes; 29 more bits make that 4e-13, and 3e-13 was measured.
CLOSE = 1e-11
MOST_TURNS = 1000  # a test that needs more has met a request that does not end
PATIENCE_S = 60.0  # a deadline against hangs; what it bounds takes well below a second


class Sizes(ChunkPlanner):
    """Chunks of these sizes, whatever the clock says; the last size goes on."""

    def __init__(self, sizes: Sequence[int]):
        super().__init__((64,))
        self.sizes = deque(sizes)

    def take(self, ready: int, now_s: float, ended: bool = False) -> int:
        size = self.sizes[0]
        if not ready or (ready < size and not ended):
            return 0
        if len(self.sizes) > 1:
            self.sizes.popleft()
        self._under_way.append((min(ready, size), now_s))
        return min(ready, size)


class ByHand:
    """Turns of an engine's loop; its thread is never started."""

    def __init__(self, engine: Engine):
        self.engine, self.loop, self.slots = engine, engine.loop, engine.loop.slots
        self.loop.thread = threading.Thread()  # over already: nothing starts one, nothing waits
        self.loop.thread.start()
        self.loop.thread.join()

    def start(self, request: SpeechRequest, sizes: Sequence[int] = ()) -> Stream:
        """Queue a request whose chunks have these sizes; without any it leaves as a whole."""
        return self.start_job(self.engine.planner.plan(request), sizes)

    def start_job(self, job: Job, sizes: Sequence[int] = ()) -> Stream:
        channel = self.loop.submit(job, Sizes(sizes) if sizes else None)
        return Stream(channel, self.engine.codec.sample_rate, self.engine)

    def open(self, request: SpeechRequest) -> TextStream:
        return self.engine.open_stream(request)

    def turn(self, count: int = 1) -> None:
        with torch.inference_mode():
            for _ in range(count):
                self.loop._turn()

    def finish(self, *streams: Stream) -> None:
        """Turns until these streams have ended."""
        for _ in range(MOST_TURNS):
            if all(stream.channel.ended for stream in streams):
                return
            self.turn()
        raise AssertionError(f"no end after {MOST_TURNS} turns")

    def speak(self, request: SpeechRequest) -> Speech:
        stream = self.start(request)
        self.finish(stream)
        return stream.result()

    @property
    def empty(self) -> bool:
        """Whether nothing is left of any request."""
        scheduler = self.loop.scheduler
        left = (self.loop.rows, self.loop.waiting, scheduler.active, scheduler.queued)
        return not any((*left, scheduler.positions, *self.slots.positions))


def ready_chunks(stream: Stream) -> list[AudioChunk]:
    """The chunks that are there, without waiting."""
    chunks: list[AudioChunk] = []
    while stream.channel.ready:
        chunk = stream.channel.take()
        if chunk is None:
            break
        chunks.append(chunk)
    return chunks


def joined(chunks: Iterable[AudioChunk]) -> Wave:
    return np.concatenate([np.zeros(0, np.float32), *(chunk.wave for chunk in chunks)])


def heard(stream: Stream) -> Speech:
    """All of a stream that has ended, its chunks checked to be pieces of one whole."""
    chunks = ready_chunks(stream)
    samples = 0
    for index, chunk in enumerate(chunks):
        assert (chunk.index, chunk.start_s) == (index, samples / stream.sample_rate)
        assert chunk.is_final == (index == len(chunks) - 1)
        samples += len(chunk.wave)
    end = stream.outcome
    return Speech(
        joined(chunks),
        stream.sample_rate,
        end.codes,
        end.seed,
        end.finish_reason,
        end.timing,
        end.retries,
    )


def assert_same(speech: Speech, expected: Speech) -> None:
    """The same speech: codes and end exactly, samples as far as rounding lets them be."""
    assert speech.codes.tolist() == expected.codes.tolist()
    assert speech.wave.shape == expected.wave.shape == (FRAME * len(expected.codes),)
    np.testing.assert_allclose(speech.wave, expected.wave, rtol=0, atol=CLOSE)
    told = (speech.seed, speech.finish_reason, speech.retries)
    assert told == (expected.seed, expected.finish_reason, expected.retries)


def starts_with(codes: Codes, start: Codes) -> bool:
    return codes[: len(start)].tolist() == start.tolist()


def within(function: Callable[[], T], seconds: float = PATIENCE_S) -> T:
    """The result of a function that must not hang, run on a thread of its own."""
    done: list[tuple[T | None, BaseException | None]] = []

    def run() -> None:
        try:
            done.append((function(), None))
        except BaseException as error:
            done.append((None, error))

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(seconds)
    assert done, f"still running after {seconds:g} s"
    result, error = done[0]
    if error is not None:
        raise error
    return result  # type: ignore[return-value]


def end_of(stream: Stream) -> Any:
    """How a stream ends for its caller: its speech, or the error it raises."""
    try:
        return stream.result()
    except Exception as error:
        return error
