"""Who speaks next: a bounded queue, the rows of the batch, and the positions they may hold.

No torch, no clock: jobs are names, rows are numbers, times are arguments, readings of one
monotonic clock in seconds. One thread calls it.
"""

import math
from bisect import insort
from collections.abc import Hashable
from dataclasses import dataclass, field

from qwen3_tts.errors import InvalidRequest, Overloaded

LEVELS = {"high": 0, "normal": 1, "low": 2}
# A job goes before every job of the next higher priority that came this much later. A sentence
# takes a row for about that long, so `low` yields to two sentences of `high`, not to a crowd.
SECONDS_PER_LEVEL = 10.0
# After the device ran out of memory, one row comes back each time this long has passed. Finding
# out that it was one too many costs a request, so every further time doubles the wait, and it is
# forgotten only when all rows have been back for the longest wait.
RECOVER_S = 30.0
LONGEST_RECOVER_S = 960.0
# What a row is thought to take before any has finished: a sentence at realtime.
FIRST_SERVICE_S = 5.0
SHORTEST_RETRY_S, LONGEST_RETRY_S = 1.0, 60.0


@dataclass(frozen=True, order=True)
class Waiting:
    """A queued job. Order of the queue: by `due_s`, then by arrival.

    `due_s` is the time of arrival plus `SECONDS_PER_LEVEL` for each level below "high": waiting
    counts as much as priority does, and since all jobs age alike the order never changes.
    """

    due_s: float
    arrival: int
    job_id: Hashable = field(compare=False)
    positions: int = field(compare=False)


@dataclass(frozen=True)
class Active:
    """A job that holds a row."""

    slot: int
    positions: int
    since_s: float


class Scheduler:
    """`max_rows` jobs at once, in a cache of `max_positions`: rows in use times the longest.

    `max_queue` more may wait, besides those for which a row is already free. Jobs start in the
    order of the queue: while the first does not fit, none overtakes it, so that large jobs are
    not put off by a stream of small ones.
    """

    def __init__(
        self,
        max_rows: int,
        max_queue: int,
        *,
        max_positions: int,
        seconds_per_level: float = SECONDS_PER_LEVEL,
    ):
        if max_rows < 1 or max_queue < 0 or max_positions < 1 or not seconds_per_level > 0:
            raise InvalidRequest(
                f"scheduler of {max_rows} rows, {max_queue} waiting, {max_positions} positions, "
                f"{seconds_per_level:g} s per level; allowed: at least 1, 0, 1, and above 0"
            )
        self.max_rows, self.max_queue, self.max_positions = max_rows, max_queue, max_positions
        self.seconds_per_level = seconds_per_level
        self.admission_limit = max_rows  # rows in use at once; lowered when memory runs out
        self.service_s = FIRST_SERVICE_S  # mean time a finished job held its row
        self._queue: list[Waiting] = []
        self._active: dict[Hashable, Active] = {}
        self._free = list(range(max_rows))  # slots, lowest first
        self._arrivals = 0
        self._now_s = -math.inf  # never steps back, so that earlier arrivals stay earlier
        self._recover_s = 0.0
        self._limit_since_s = -math.inf  # the last change of the limit

    @property
    def queued(self) -> int:
        return len(self._queue)

    @property
    def active(self) -> int:
        return len(self._active)

    def submit(self, job_id: Hashable, priority: str, now_s: float, positions: int) -> int:
        """Queue a job that will hold `positions`. Returns how many go before it.

        Raises `InvalidRequest` for an unknown priority or a job that no empty batch could hold,
        and `Overloaded` when the queue is full.
        """
        assert job_id not in self, f"job {job_id!r} is already here"
        assert positions >= 1, positions
        if priority not in LEVELS:
            raise InvalidRequest(f"priority {priority!r} is unknown; have: {', '.join(LEVELS)}")
        if positions > self.max_positions:
            raise InvalidRequest(
                f"the request needs {positions} positions, the cache has "
                f"{self.max_positions}: shorten the text or lower max_frames"
            )
        self._tick(now_s)
        rows_left = max(0, self.admission_limit - self.active)
        if self.queued >= self.max_queue + rows_left:
            retry_s = self.retry_after_s()
            raise Overloaded(
                f"{self.active} requests are being spoken and {self.queued} wait, which is all "
                f"the queue holds; try again in {retry_s:.0f} s",
                retry_s,
            )
        due_s = self._now_s + LEVELS[priority] * self.seconds_per_level
        job = Waiting(due_s, self._arrivals, job_id, positions)
        self._arrivals += 1
        insort(self._queue, job)
        return self._queue.index(job)

    def admit(self, now_s: float) -> list[tuple[Hashable, int]]:
        """Start waiting jobs as rows and positions allow: pairs of a job and its slot."""
        self._tick(now_s)
        started: list[tuple[Hashable, int]] = []
        while self._queue and self.active < self.admission_limit:
            job = self._queue[0]
            if not self._fits(job):
                break
            del self._queue[0]
            slot = self._free.pop(0)
            self._active[job.job_id] = Active(slot, job.positions, self._now_s)
            started.append((job.job_id, slot))
        return started

    @property
    def startable(self) -> bool:
        """Whether `admit` would start a job now."""
        rows_left = self.active < self.admission_limit
        return bool(self._queue) and rows_left and self._fits(self._queue[0])

    @property
    def positions(self) -> int:
        """Held by the active jobs: the cache is a rectangle, of rows up to the highest in use, each
        as long as the longest."""
        return self._rectangle(*self._active.values())

    def _fits(self, job: Waiting) -> bool:
        newcomer = Active(self._free[0], job.positions, self._now_s)
        return self._rectangle(newcomer, *self._active.values()) <= self.max_positions

    @staticmethod
    def _rectangle(*jobs: Active) -> int:
        rows = max((job.slot + 1 for job in jobs), default=0)
        return rows * max((job.positions for job in jobs), default=0)

    def release(self, job_id: Hashable, now_s: float) -> int:
        """An active job has finished. Returns the slot it held, which is free now."""
        self._tick(now_s)
        job = self._leave(job_id)
        self.service_s += (self._now_s - job.since_s - self.service_s) / 8
        return job.slot

    def cancel(self, job_id: Hashable) -> int | None:
        """Take a job out, wherever it is. Returns the slot it held, if it was active.

        A job that has ended already, or never came, is no error: callers cancel when they like.
        """
        if job_id in self._active:
            return self._leave(job_id).slot
        self._queue = [job for job in self._queue if job.job_id != job_id]
        return None

    def lower_limit(self, now_s: float) -> int:
        """The device ran out of memory: allow one row less than there are. Returns the limit.

        Call it before the failed job is released. Rows that run are left alone.
        """
        self._tick(now_s)
        self.admission_limit = max(1, min(self.admission_limit, self.active or self.max_rows) - 1)
        self._limit_since_s = self._now_s
        self._recover_s = min(max(RECOVER_S, 2 * self._recover_s), LONGEST_RECOVER_S)
        return self.admission_limit

    def retry_after_s(self) -> float:
        """When half of the jobs that wait now will have started, going by recent service times.

        A single place is free sooner, but whoever is refused comes back together with others.
        """
        starts = max(1.0, self.queued / 2)
        wait_s = self.service_s * starts / self.admission_limit
        return min(max(wait_s, SHORTEST_RETRY_S), LONGEST_RETRY_S)

    def __contains__(self, job_id: Hashable) -> bool:
        return job_id in self._active or any(job.job_id == job_id for job in self._queue)

    def _leave(self, job_id: Hashable) -> Active:
        assert job_id in self._active, f"job {job_id!r} holds no row"
        job = self._active.pop(job_id)
        insort(self._free, job.slot)
        return job

    def _tick(self, now_s: float) -> None:
        """Move the clock, and give back rows that a lack of memory took away."""
        self._now_s = max(self._now_s, now_s)
        while self.admission_limit < self.max_rows:
            if self._now_s - self._limit_since_s < self._recover_s:
                return
            self.admission_limit += 1
            self._limit_since_s += self._recover_s
        if self._now_s - self._limit_since_s >= LONGEST_RECOVER_S:
            self._recover_s = 0.0
