"""A request under way, seen from both sides of the thread border.

The engine's thread writes into a `Channel`; the caller reads from a `Stream` that wraps it. The
engine never holds a `Stream`, so one that is dropped is collected, and that cancels its request.
"""

import asyncio
import contextlib
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol, Self

import numpy as np

from qwen3_tts.errors import Cancelled, InvalidText, StreamFailed
from qwen3_tts.prompt.incremental import IncrementalTokenizer
from qwen3_tts.types import AudioChunk, Codes, Speech, Timing, Wave

POLL_S = 0.5  # how often a waiting caller makes sure that the engine is still alive


class Health(Protocol):
    """What a waiting caller asks of the engine's thread."""

    def complaint(self) -> str | None:
        """Why no more sound will come, or None while the thread is alive and moving."""
        ...

    def wake(self) -> None:
        """Have the thread look at cancelled and fed channels soon."""
        ...


@dataclass(frozen=True)
class Outcome:
    """How a request ended; the sound itself has left in chunks."""

    codes: Codes  # [T, K]
    seed: int
    finish_reason: str
    timing: Timing
    retries: int = 0


class TextFeed:
    """Text on its way from a caller to the engine's thread, as ids that no longer change."""

    def __init__(self, tokenizer: IncrementalTokenizer):
        self.tokenizer = tokenizer
        self.lock = threading.Lock()
        self.ids: list[int] = []
        self.text = ""  # what came since the last `take`
        self.ended = self.has_words = False

    def feed(self, text: str) -> None:
        """Raises `InvalidText` for text after the end, and for lone surrogates."""
        with self.lock:
            if self.ended:
                raise InvalidText("text was fed after end(); open a new stream for it")
            self.ids += self.tokenizer.feed(text)
            self.text += text
            self.has_words |= not text.isspace() and text != ""

    def end(self) -> None:
        with self.lock:
            if not self.ended:
                self.ids += self.tokenizer.end()
                self.ended = True

    def take(self) -> tuple[list[int], str, bool]:
        """New ids, the new text, and whether that was all."""
        with self.lock:
            taken = self.ids, self.text, self.ended
            self.ids, self.text = [], ""
        return taken


class Channel:
    """Chunks on their way from the engine's thread to one caller. Every method is thread-safe."""

    def __init__(self, health: Health, feed: TextFeed | None = None):
        self.health, self.feed = health, feed
        self.changed = threading.Condition()
        self.chunks: deque[AudioChunk] = deque()
        self.outcome: Outcome | None = None
        self.error: BaseException | None = None
        self.cancelled = False
        self.listeners: list[Callable[[], None]] = []

    # the engine's side

    def put(self, chunk: AudioChunk) -> None:
        with self.changed:
            if not self.ended:  # nobody waits for the sound of a cancelled stream
                self.chunks.append(chunk)
            self._notify()

    def finish(self, outcome: Outcome) -> None:
        with self.changed:
            if not self.ended:
                self.outcome = outcome
            self._notify()

    def fail(self, error: BaseException) -> None:
        with self.changed:
            if not self.ended:
                self.error = error
            self._notify()

    # the caller's side

    @property
    def ended(self) -> bool:
        return self.outcome is not None or self.error is not None

    def cancel(self) -> None:
        """Give the request up: nothing more is decoded, its row is free at the next step."""
        with self.changed:
            if self.cancelled or self.ended:
                return
            self.cancelled = True
            self.error = Cancelled("the stream was cancelled")
            self.chunks.clear()
            self._notify()
        self.health.wake()

    def take(self) -> AudioChunk | None:
        """The next chunk if one is there, None at the end. Raises what ended the request."""
        with self.changed:
            if self.chunks:
                return self.chunks.popleft()
            if self.error is not None:
                raise self.error
            return None

    @property
    def ready(self) -> bool:
        """Whether `take` has something to say."""
        return bool(self.chunks) or self.ended

    def wait(self) -> None:
        """Block until `ready`, or until the engine can no longer deliver."""
        with self.changed:
            while not self.ready:
                if not self.changed.wait(POLL_S):
                    self.check_health()

    def check_health(self) -> None:
        complaint = None if self.ended else self.health.complaint()
        if complaint:
            self.fail(StreamFailed(complaint))

    def _notify(self) -> None:
        self.changed.notify_all()
        for listener in self.listeners:
            listener()


class Stream:
    """Sound of one request, chunk by chunk, for `for` and `async for`.

    Closing, leaving the `with` block or dropping it cancels what is not yet made. `outcome` fields
    (`codes`, `finish_reason`, `timing`) are there once the last chunk has been taken.
    """

    def __init__(self, channel: Channel, sample_rate: int, owner: object = None):
        self.channel, self.sample_rate = channel, sample_rate
        self.owner = owner  # the engine lives as long as its streams

    def __iter__(self) -> Iterator[AudioChunk]:
        return self

    def __next__(self) -> AudioChunk:
        self.channel.wait()
        chunk = self.channel.take()
        if chunk is None:
            raise StopIteration
        return chunk

    def __aiter__(self) -> AsyncIterator[AudioChunk]:
        return self

    async def __anext__(self) -> AudioChunk:
        await self._wait()
        chunk = self.channel.take()
        if chunk is None:
            raise StopAsyncIteration
        return chunk

    async def _wait(self) -> None:
        """As `Channel.wait`, without blocking the event loop."""
        loop, event = asyncio.get_running_loop(), asyncio.Event()

        def listener() -> None:
            with contextlib.suppress(RuntimeError):  # the event loop is gone, nobody waits
                loop.call_soon_threadsafe(event.set)

        channel = self.channel
        with channel.changed:
            channel.listeners.append(listener)
        try:
            while not channel.ready:
                try:
                    async with asyncio.timeout(POLL_S):
                        await event.wait()
                except TimeoutError:
                    channel.check_health()
                event.clear()
        finally:
            with channel.changed:
                channel.listeners.remove(listener)

    def result(self) -> Speech:
        """Wait for the end and return everything that was not yet taken as one `Speech`."""
        waves = [chunk.wave for chunk in self]
        wave: Wave = np.concatenate(waves) if waves else np.zeros(0, dtype=np.float32)
        end = self.outcome
        return Speech(
            wave, self.sample_rate, end.codes, end.seed, end.finish_reason, end.timing, end.retries
        )

    @property
    def outcome(self) -> Outcome:
        """How the request ended. Raises `StreamFailed` while it has not."""
        if self.channel.outcome is None:
            raise StreamFailed("the stream has not ended: take its chunks first")
        return self.channel.outcome

    @property
    def codes(self) -> Codes:
        return self.outcome.codes

    @property
    def seed(self) -> int:
        """The seed that was used; ask when the stream has ended, since a guard may change it."""
        return self.outcome.seed

    @property
    def finish_reason(self) -> str:
        return self.outcome.finish_reason

    @property
    def timing(self) -> Timing:
        return self.outcome.timing

    def cancel(self) -> None:
        """Stop making sound. Chunks not yet taken are dropped; a further `next` raises
        `Cancelled`."""
        self.channel.cancel()

    close = cancel

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.cancel()

    def __del__(self) -> None:
        channel = self.__dict__.get("channel")
        if channel is not None:
            channel.cancel()


class TextStream(Stream):
    """A stream whose text arrives while its sound leaves: `feed` pieces, then `end`.

    Leaving a `with` block by itself ends the text but cancels nothing, so the sound may be taken
    afterwards; leaving it by an exception cancels.
    """

    def feed(self, text: str) -> None:
        """Add text. Any split of a text gives the same speech.

        Text after the model has ended the speech, or after `max_frames`, is not spoken, just as the
        rest of a whole text would not be. Raises `InvalidText` after `end` and for what is no text,
        and what ended the stream: `Cancelled`, or `StreamFailed` also for a guard or a time-out.
        """
        if not isinstance(text, str):
            raise InvalidText(f"text must be a string, got {type(text).__name__}")
        if self.channel.error is not None:
            raise self.channel.error
        outcome = self.channel.outcome
        if outcome is not None and outcome.finish_reason not in ("stop", "length"):
            reason = outcome.finish_reason
            raise StreamFailed(f"the stream has ended ({reason}); this text is not spoken")
        self._feed.feed(text)
        self.channel.health.wake()

    def end(self) -> None:
        """No more text comes. Without it the stream waits, and gives up after a while.

        If all that came was white space, the stream ends with `InvalidText`.
        """
        if not self._feed.has_words:
            self.channel.fail(InvalidText("no text was fed, or only white space"))
        self._feed.end()
        self.channel.health.wake()

    @property
    def _feed(self) -> TextFeed:
        assert self.channel.feed is not None
        return self.channel.feed

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if kind is None:
            self.end()
        else:
            self.cancel()
