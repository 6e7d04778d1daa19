"""The rows of a fake engine: queue, clock and threads as the real one has them, but no model.

One thread sleeps until the next chunk is due. All is guarded by one lock, which whoever cancels or
drops a stream must never wait for: a garbage collector may do that in any thread, in the middle of
anything. So it leaves a note, and whoever has the lock acts on it before going on.
"""

import contextlib
import heapq
import itertools
import math
import queue
import threading
import time
from collections import deque
from collections.abc import Iterator

from qwen3_tts.backends.fake_job import FakeJob
from qwen3_tts.engine.scheduler import Scheduler
from qwen3_tts.engine.stream import Channel
from qwen3_tts.errors import Cancelled, StreamFailed

CLOSED = "the engine was closed"
TURN = 64  # chunks made before others get the lock


class FakeLoop:
    """`max_rows` jobs at once, `max_queue` more wait, by the rules of the real scheduler."""

    def __init__(self, max_rows: int, max_queue: int):
        self.scheduler = Scheduler(max_rows, max_queue, max_positions=max_rows)
        self.started = self.finished = self.cancelled = self.failed = 0
        self.broken: str | None = None  # why nothing can be served any more, on demand
        self.death: str | None = None  # the same, for good
        self._lock = threading.Lock()
        self._jobs: set[FakeJob] = set()
        self._touched: deque[FakeJob] = deque()
        self._events: list[tuple[float, int, FakeJob]] = []
        self._numbers = itertools.count(1)
        # Events and conditions have locks that a collector could be in the middle of.
        self._alarm: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._sleeps_until_s = -math.inf
        self._closing = self._dropping = False
        self._thread: threading.Thread | None = None

    # callers' side

    def submit(self, job: FakeJob) -> Channel:
        """Raises `Overloaded`, `InvalidRequest` for an unknown priority, or `StreamFailed`."""
        with self.held():
            if self._closing or self.complaint():
                raise StreamFailed(self.complaint() or "the engine is closed")
            self.scheduler.submit(job, job.priority, time.monotonic(), 1)
            self._jobs.add(job)
            self._admit()
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="fake engine", daemon=True)
                self._thread.start()
        return job.channel

    def touch(self, job: FakeJob) -> None:
        """A job was cancelled or fed. Never waits."""
        self._touched.append(job)
        self._settle()

    def complaint(self) -> str | None:
        return self.broken or self.death

    def break_down(self, reason: str) -> None:
        with self.held():
            self.broken = reason
            self._fail_all(reason)

    def abandon(self) -> None:
        """Drop everything and end the thread, soon. Never waits."""
        self._closing = self._dropping = True
        self._alarm.put(None)

    def close(self, drain: bool) -> None:
        with self.held():
            self._closing = True
            self._dropping |= not drain
            thread = self._thread
            if thread is None:
                self.death = CLOSED
        self._alarm.put(None)
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    @contextlib.contextmanager
    def held(self) -> Iterator[None]:
        """The lock. All that was noted before has been done by then."""
        try:
            with self._lock:
                self._drain()
                yield
        finally:
            self._settle()

    # under the lock

    def _settle(self) -> None:
        """Act on notes, unless another holds the lock: then it will, before it goes on."""
        while self._touched and self._lock.acquire(blocking=False):
            try:
                self._drain()
            finally:
                self._lock.release()

    def _drain(self) -> None:
        while self._touched:
            job = self._touched.popleft()
            if job.channel.ended:
                self._leave(job)
            elif job in self._jobs and job.started_s is not None and not job.coming:
                self._look_ahead(job)

    def _admit(self) -> None:
        now_s = time.monotonic()
        for job, _ in self.scheduler.admit(now_s):
            assert isinstance(job, FakeJob)
            job.started_s = now_s
            self.started += 1
            self._look_ahead(job)

    def _look_ahead(self, job: FakeJob) -> None:
        due_s = job.look_ahead(time.monotonic())
        job.event = next(self._numbers)
        if due_s is None:
            return
        heapq.heappush(self._events, (due_s, job.event, job))
        if due_s < self._sleeps_until_s:
            self._sleeps_until_s = -math.inf
            self._alarm.put(None)

    def _act(self, job: FakeJob) -> None:
        now_s = time.monotonic()
        how = job.advance(now_s)
        if how is None:
            self._look_ahead(job)
            return
        if isinstance(how, str):
            job.channel.finish(job.outcome(how, now_s))
        else:
            job.channel.fail(how)
        self._leave(job)

    def _leave(self, job: FakeJob) -> None:
        """Count a job that has ended, and give its row to the next."""
        if job not in self._jobs:
            return
        self._jobs.remove(job)
        job.event = 0
        if job.channel.outcome is not None:
            self.finished += 1
            self.scheduler.release(job, time.monotonic())
        else:
            given_up = isinstance(job.channel.error, Cancelled)
            self.cancelled += given_up
            self.failed += not given_up
            self.scheduler.cancel(job)
        self._admit()
        if self._closing and not self._jobs:
            self._alarm.put(None)

    def _fail_all(self, reason: str) -> None:
        for job in self._jobs:
            job.channel.fail(StreamFailed(reason))
        for job in sorted(self._jobs, key=lambda job: job.started_s is not None):
            self._leave(job)  # those that wait first, so that none of them gets a row

    # the thread

    def _run(self) -> None:
        reason = "the fake engine died"
        try:
            while (wait_s := self._turn()) is not None:
                if wait_s > 0:
                    with contextlib.suppress(queue.Empty):
                        self._alarm.get(timeout=None if math.isinf(wait_s) else wait_s)
            reason = CLOSED
        finally:
            with self.held():
                self.death = reason
                self._fail_all(reason)

    def _turn(self) -> float | None:
        """Do what is due. Returns how long to sleep then, None when closed and done."""
        with self.held():
            self._sleeps_until_s = -math.inf
            if self._dropping:
                self._fail_all(CLOSED)
            if self._closing and not self._jobs:
                return None
            now_s = time.monotonic()
            for _ in range(TURN):
                if not self._events or self._events[0][0] > now_s:
                    break
                _, number, job = heapq.heappop(self._events)
                if number == job.event:
                    self._act(job)
            self._sleeps_until_s = self._events[0][0] if self._events else math.inf
            return max(0.0, self._sleeps_until_s - time.monotonic())
