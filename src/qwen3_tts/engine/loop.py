"""The one thread that owns the device: it turns queued requests into chunks of sound.

A turn admits requests, reads a piece of a prompt, makes one frame for every row that can move, and
decodes the rows that are due. Prompts and references are read in pieces while others speak, so a
newcomer delays them by a bounded amount. What goes wrong in one request ends that request; what
goes wrong in a shared step ends those in it; either way the thread goes on.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Hashable, Iterable, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar

import torch

from qwen3_tts.engine.chunks import FRAME_S, ChunkPlanner, Pace
from qwen3_tts.engine.codec import Codec
from qwen3_tts.engine.device import choose_threads, use_threads
from qwen3_tts.engine.faults import as_stream_error, is_out_of_memory
from qwen3_tts.engine.guard import Verdict
from qwen3_tts.engine.native import NativeRunner
from qwen3_tts.engine.options import EngineOptions
from qwen3_tts.engine.plan import Job
from qwen3_tts.engine.prefixes import PREFIX_BYTES, Prefixes
from qwen3_tts.engine.priming import Primer
from qwen3_tts.engine.row import Row
from qwen3_tts.engine.runner import Runner
from qwen3_tts.engine.scheduler import Scheduler
from qwen3_tts.engine.slots import Slots
from qwen3_tts.engine.sound import Sound
from qwen3_tts.engine.stream import Channel, TextFeed
from qwen3_tts.errors import SpeechError, StreamFailed

logger = logging.getLogger(__name__)
T = TypeVar("T")

IDLE_POLL_S = 0.25  # how often a loop with nothing but starved streams looks at their patience
JOIN_S = 0.2  # how often whoever closes an engine makes sure that its thread still moves
DONE = object()
ALONE_POSITIONS = 1024  # prompt positions read at once while nobody speaks: bounds memory


class Loop:
    def __init__(self, runner: Runner, codec: Codec, options: EngineOptions):
        self.codec, self.options = codec, options
        self.slots = Slots(runner, codec.decoder, options.max_rows)
        self.eos = runner.config.talker_config.codec_eos_token_id
        width = runner.config.talker_config.hidden_size
        # Threads of torch that wait for work keep a core busy, which a pool needs.
        native = isinstance(runner, NativeRunner)
        self.threads = 1 if native else choose_threads(options.threads, width)
        self.primer = Primer(codec, options.voice_cache_bytes)
        kept_bytes = options.prefix_cache_bytes
        if kept_bytes is None:
            exact = native or self.slots.device.type != "cpu"
            kept_bytes = PREFIX_BYTES if exact else 0
        self.prefixes = Prefixes(self.slots, kept_bytes)
        self.scheduler = Scheduler(
            options.max_rows, options.max_queue, max_positions=options.max_positions
        )
        self.pace = Pace()
        self.rows: list[Row] = []  # in slots, oldest first
        self.step_end_s = 0.0
        self.sound = Sound(self)
        # shared with callers, under `changed`
        self.changed = threading.Condition()
        self.waiting: dict[Hashable, Row] = {}  # queued, by id
        self.calls: deque[tuple[Callable[[], Any], Future[Any]]] = deque()
        self.poked = self.closing = self.dropping = False
        self.idle = True
        self.death: str | None = None
        self.beat_s = time.monotonic()
        self.chores: Iterator[None] | None = None
        self.thread: threading.Thread | None = None

    # callers' side

    def submit(
        self, job: Job, planner: ChunkPlanner | None, feed: TextFeed | None = None
    ) -> Channel:
        """Queue a request. Raises `Overloaded`, `InvalidRequest` (too large) or `StreamFailed`."""
        channel = Channel(self, feed)
        row = Row(job, channel, planner, self.codec)
        with self.changed:
            self._start_thread()
            self.scheduler.submit(id(row), job.priority, time.monotonic(), job.positions)
            self.waiting[id(row)] = row
            self.changed.notify()
        return channel

    def call(self, function: Callable[[], T]) -> T:
        """Run a function on the engine's thread, between two frames, and return its result."""
        future: Future[T] = Future()
        with self.changed:
            self._start_thread()
            self.calls.append((function, future))
            self.changed.notify()
        while True:
            try:
                return future.result(timeout=1.0)
            except TimeoutError:
                if future.done():
                    raise
                if complaint := self.complaint():
                    raise StreamFailed(complaint) from None

    def do_when_idle(self, chores: Iterator[None]) -> None:
        """Have the engine's thread go through these while it has no request; not on `close`."""
        with self.changed:
            self._start_thread()
            self.chores = chores
            self.changed.notify()

    def complaint(self) -> str | None:
        if self.death:
            return self.death
        silent_s = 0.0 if self.idle else time.monotonic() - self.beat_s
        if silent_s > self.options.stall_s:
            return f"the engine has not moved for {silent_s:.0f} s"
        return None

    def wake(self) -> None:
        with self.changed:
            self.poked = True
            self.changed.notify()

    def close(self, drain: bool = True) -> None:
        """Take no more requests; finish those there are, or with `drain=False` drop them.

        A thread that has stalled is not waited for; it ends by itself if it ever moves again.
        """
        with self.changed:
            self.closing = True
            self.dropping |= not drain
            self.poked = True
            self.changed.notify()
        if self.thread is not None and self.thread is not threading.current_thread():
            self.thread.join(JOIN_S)
            while self.thread.is_alive() and not (self.death is None and self.complaint()):
                self.thread.join(JOIN_S)

    def _start_thread(self) -> None:
        if self.closing:
            raise StreamFailed("the engine is closed")
        if self.death:
            raise StreamFailed(self.death)
        if self.thread is None:
            self.thread = threading.Thread(target=self._run, name="qwen3-tts engine", daemon=True)
            self.thread.start()

    # the thread

    def _run(self) -> None:
        reason = "the engine was closed"
        try:
            use_threads(self.threads)
            with torch.inference_mode():
                while self._wait():
                    self._turn()
        except BaseException as error:  # a border: callers must hear of it, whatever it is
            logger.exception("the engine died")
            reason = f"the engine died of {type(error).__name__}: {error}"
        self.sound.close()
        with self.changed:
            self.death = reason
            for row in (*self.rows, *self.waiting.values()):
                row.channel.fail(StreamFailed(reason))
            for _, future in self.calls:
                future.set_exception(StreamFailed(reason))

    def _wait(self) -> bool:
        """Sleep until there is something to do; False when closed and done."""
        with self.changed:
            while not (self.poked or self.calls or self._movable()):
                if not self.rows and not self.waiting:
                    if self.closing:
                        return False
                    if self.chores is not None:
                        break
                self.idle = True
                self.changed.wait(IDLE_POLL_S if self.rows else None)
                if self.rows:
                    break  # look at the patience of starved streams
            self.idle = self.poked = False
            self.beat_s = time.monotonic()
        return True

    def _movable(self) -> bool:
        if self.scheduler.startable or self.sound.movable:
            return True
        return any(
            row.unread or row.can_step or row.finish_reason or row.priming or row.channel.ended
            for row in self.rows
        )

    def _turn(self) -> None:
        self._run_calls()
        self._drop()
        self._admit()
        self._read()
        stepped = self._step()
        if not (self._send() or stepped):
            self.sound.wait()
        if self.chores is not None and not self.rows:
            self._do_chore(self.chores)

    def _do_chore(self, chores: Iterator[None]) -> None:
        try:
            if next(chores, DONE) is DONE:
                self.chores = None
        except Exception:  # a border: a request may need it, and will say what is wrong
            logger.exception("warming up failed")
            self.chores = None

    def _run_calls(self) -> None:
        with self.changed:
            calls = list(self.calls)
            self.calls.clear()
        for function, future in calls:
            try:
                future.set_result(function())
            except Exception as error:  # a border: the caller gets it
                future.set_exception(error)

    def _admit(self) -> None:
        with self.changed:
            started = [
                (self.waiting.pop(job_id), slot)
                for job_id, slot in self.scheduler.admit(time.monotonic())
            ]
        for row, slot in started:
            row.slot, row.clock.started = slot, time.perf_counter()
            self.rows.append(row)
            self.guarded(row, self._begin)

    def _begin(self, row: Row) -> None:
        """Put a request at its start into its slot."""
        self.sound.land(row)
        row.begin()
        self.slots.start(row.slot, row.job.sampling, row.seed)
        voice = row.job.voice
        self.prefixes.begin(row.slot, row.job.prompt, None if voice is None else voice.vector)
        row.priming = self.primed(row)

    def primed(self, row: Row) -> Iterator[None] | None:
        """What is to be done before a row's sound can begin: the decoding of its reference."""
        voice = row.job.voice
        if voice is None or voice.codes is None:
            return None
        return self.primer.prime(voice.codes, self.slots, row.slot)

    def _drop(self) -> None:
        """Free the rows of requests that were cancelled, failed or waited too long for text."""
        with self.changed:
            waiting = list(self.waiting.values())
        if self.dropping:
            for row in (*self.rows, *waiting):
                row.channel.fail(StreamFailed("the engine was closed"))
        for row in list(self.rows):
            if row.waited_s() > self.options.text_timeout_s:
                row.finish("text_timeout")
            if row.channel.ended:
                self._release(row)
        with self.changed:
            for job_id, row in list(self.waiting.items()):
                if row.channel.ended:
                    self.scheduler.cancel(job_id)
                    del self.waiting[job_id]

    def _read(self) -> None:
        """Take in new text, then read prompts and references, piece by piece.

        While a row speaks to a listener, for a bounded time. Before that one prompt, so that the
        first to be ready speaks before the others are read. Where nobody listens, all at once: rows
        that begin together make the fewest steps; only a newcomer comes between.
        """
        for row in list(self.rows):
            if row.fed == 0 or not row.job.text.ended:
                self.guarded(row, self._feed)
        if any(row.speaks for row in self.rows):
            self._read_for(self._reading_s())
            return
        for row in sorted(self.rows, key=lambda row: (row.planner is None, not row.unread)):
            if self._guarded_piece(row, ALONE_POSITIONS):
                self.step_end_s = 0.0  # what no listener had to wait for is no slow turn
                self.beat_s = time.monotonic()
                if row.planner is not None or self._startable():
                    return

    def _reading_s(self) -> float:
        """What a turn may spend on reading: what a step leaves of a frame's time, or as long as a
        step, which makes a turn twice as long at most."""
        step_s = self.pace.step_s or 0.0
        return max(FRAME_S - step_s, step_s)

    def _read_for(self, seconds: float) -> None:
        """Read the oldest first, until the next piece would take too long; one at least."""
        start_s = time.perf_counter()
        for row in list(self.rows):
            piece_s = time.perf_counter()
            while self._guarded_piece(row, self.options.read_positions):
                now_s = time.perf_counter()
                if 2 * now_s - piece_s - start_s > seconds:
                    return
                piece_s = now_s

    def _guarded_piece(self, row: Row, positions: int) -> bool:
        """Read a piece of a row's prompt, or of its reference; False where nothing is left."""
        if row.channel.ended:
            return False
        if row.unread and not row.finish_reason:
            self.guarded(row, self._read_piece, positions)
        elif row.priming is not None:
            self.guarded(row, self._prime)
        else:
            return False
        return True

    def _startable(self) -> bool:
        with self.changed:
            return self.scheduler.startable

    def _feed(self, row: Row) -> None:
        row.take_text()
        if row.job.text.complete:
            at, ids = row.new_text()
            self.slots.feed(row.slot, at, ids)

    def _read_piece(self, row: Row, limit: int) -> None:
        self.prefixes.skip(row.slot, row.job.text.complete)
        row.read = self.slots.positions[row.slot]
        if row.unread:
            self.slots.read(row.slot, *row.piece(limit))
            self.prefixes.keep(row.slot)
        if not row.unread and row.job.text.complete and not row.clock.prefilled:
            row.clock.prefilled = time.perf_counter()

    def _prime(self, row: Row) -> None:
        if row.priming is not None and next(row.priming, DONE) is DONE:
            row.priming = None

    def _step(self) -> bool:
        """One frame for every row that can move; False where there is none."""
        moving = [row for row in self.rows if row.can_step and not row.channel.ended]
        if not moving:
            self.step_end_s = 0.0
            return False
        start = time.perf_counter()
        try:
            codes = self.slots.step([row.slot for row in moving])
            host = codes.tolist()
        except Exception as error:  # a border: the thread must go on for the others
            self._step_failed(moving, error)
            return True
        end = time.perf_counter()
        self.pace.observe(end - start, start - self.step_end_s if self.step_end_s else 0.0)
        self.step_end_s = end
        for row in moving:
            self.guarded(row, self._collect, codes[row.slot], host[row.slot])
        return True

    def _collect(self, row: Row, frame: torch.Tensor, codes: list[int]) -> None:
        """Keep a row's new frame, or end the row."""
        if codes[0] == self.eos:
            row.finish("stop")
            return
        row.add_frame(frame)
        self.judge(row, row.guard.frame(codes))

    def judge(self, row: Row, verdict: Verdict | None) -> None:
        """Act on what the guards say."""
        if verdict is None:
            return
        logger.info("request ended by %s: %s", verdict.finish_reason, verdict.action)
        if verdict.action == "error":
            raise verdict.error()
        if verdict.action == "retry":
            row.retry()
            self._begin(row)
            return
        self.sound.land(row)
        row.cut(verdict.keep_frames)
        row.finish(verdict.finish_reason)

    def _send(self) -> bool:
        """Decode the rows that are due, and end those that are done. Whether anything happened."""
        moved = self.sound.turn(self.rows)
        for row in list(self.rows):
            if row.finish_reason and not row.pending and not row.decoding and not row.channel.ended:
                self.guarded(row, self._finish)
                moved = True
        return moved

    def _finish(self, row: Row) -> None:
        self._release(row)  # first: a caller that hears of the end finds the row free
        row.close()

    # ends and faults

    def _release(self, row: Row) -> None:
        if row not in self.rows:
            return
        self.sound.land(row)
        self.slots.free(row.slot)
        self.prefixes.end(row.slot)
        with self.changed:
            self.scheduler.release(id(row), time.monotonic())
        self.rows.remove(row)  # last: whoever is here hears of it if the thread dies
        if not self.rows:
            self.step_end_s = 0.0  # the time until the next request is no slow turn

    def guarded(self, row: Row, action: Callable[..., None], *args: Any) -> None:
        """Do something for one request; what it raises ends that request alone."""
        try:
            action(row, *args)
        except Exception as error:  # a border: the thread must go on for the others
            self.failed([row], error)

    def failed(self, rows: Iterable[Row], error: Exception) -> None:
        if is_out_of_memory(error):
            self._free_memory()
        elif not isinstance(error, SpeechError):
            logger.error("a request failed", exc_info=error)
        for row in list(rows):
            self._release(row)
            row.channel.fail(as_stream_error(error))

    def _step_failed(self, moving: list[Row], error: Exception) -> None:
        """Out of memory: drop the newest row, which may be reading; the others repeat the step."""
        self.failed(self.rows[-1:] if is_out_of_memory(error) else moving, error)

    def _free_memory(self) -> None:
        with self.changed:
            limit = self.scheduler.lower_limit(time.monotonic())
        logger.warning("out of memory: at most %d requests at once for a while", limit)
        self.primer.clear()
        self.prefixes.clear()
        if torch.cuda.is_available():
            torch.cuda.empty_cache()
