"""The scheduler against a naive model of it, with integers for jobs, rows and positions."""

import math
from collections.abc import Hashable
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from qwen3_tts.engine.scheduler import (
    LEVELS,
    LONGEST_RECOVER_S,
    RECOVER_S,
    SECONDS_PER_LEVEL,
    Scheduler,
)
from qwen3_tts.errors import InvalidRequest, Overloaded

ROWS, QUEUE, BUDGET = 3, 4, 100
PRIORITIES = st.sampled_from(sorted(LEVELS))


def scheduler(rows: int = ROWS, queue: int = QUEUE, budget: int = BUDGET) -> Scheduler:
    return Scheduler(rows, queue, max_positions=budget)


class Model(RuleBasedStateMachine):
    """Any calls in any order. What goes first is found by comparing waits, one by one."""

    def __init__(self) -> None:
        super().__init__()
        self.scheduler = scheduler()
        self.now, self.jobs = 0.0, 0
        self.waiting: dict[Hashable, tuple[float, str, int]] = {}  # since, priority, positions
        self.active: dict[Hashable, tuple[int, int]] = {}  # slot, positions

    def rank(self, job: Hashable) -> tuple[float, int]:
        """Level less the levels that waiting has earned; then arrival (jobs are numbered)."""
        since, priority, _ = self.waiting[job]
        return LEVELS[priority] - (self.now - since) / SECONDS_PER_LEVEL, job

    @rule(seconds=st.integers(0, 40))  # whole seconds: ranks are compared exactly
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @rule(priority=PRIORITIES, positions=st.integers(1, BUDGET + 20))
    def submit(self, priority: str, positions: int) -> None:
        job, self.jobs = self.jobs, self.jobs + 1
        place, refused = -1, None
        try:
            place = self.scheduler.submit(job, priority, self.now, positions)
        except (InvalidRequest, Overloaded) as error:
            refused = error
        full = len(self.waiting) >= QUEUE + max(0, self.limit() - len(self.active))
        assert isinstance(refused, InvalidRequest) == (positions > BUDGET)
        assert isinstance(refused, Overloaded) == (positions <= BUDGET and full)
        if refused is None:
            self.waiting[job] = self.now, priority, positions
            ahead = [other for other in self.waiting if self.rank(other) < self.rank(job)]
            assert place == len(ahead)

    @rule()
    def admit(self) -> None:
        for job, slot in self.scheduler.admit(self.now):
            assert job == min(self.waiting, key=self.rank)
            taken = {slot for slot, _ in self.active.values()}
            assert slot == min(set(range(ROWS)) - taken), "lowest free slot first"
            self.active[job] = slot, self.waiting.pop(job)[2]
        if self.waiting and len(self.active) < self.limit():
            first = min(self.waiting, key=self.rank)
            slot = min(set(range(ROWS)) - {slot for slot, _ in self.active.values()})
            wanted = self.held((slot, self.waiting[first][2]))
            assert wanted > BUDGET, "a row is free and the job fits"

    @precondition(lambda self: self.active)
    @rule(data=st.data())
    def release(self, data: st.DataObject) -> None:
        job = data.draw(st.sampled_from(sorted(self.active)))
        assert self.scheduler.release(job, self.now) == self.active.pop(job)[0]

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data: st.DataObject) -> None:
        """Queued, active, finished or refused: any job there ever was."""
        job = data.draw(st.integers(0, self.jobs - 1))
        slot, _ = self.active.pop(job, (None, 0))
        assert self.scheduler.cancel(job) == slot
        self.waiting.pop(job, None)

    @rule()
    def lower_limit(self) -> None:
        limit = self.scheduler.lower_limit(self.now)
        assert limit == self.limit()
        assert limit <= max(1, len(self.active) - 1) or not self.active

    def limit(self) -> int:
        return self.scheduler.admission_limit

    def held(self, *more: tuple[int, int]) -> int:
        """Rows up to the highest in use, each as long as the longest."""
        jobs = [*self.active.values(), *more]
        rows = max((slot + 1 for slot, _ in jobs), default=0)
        return rows * max((positions for _, positions in jobs), default=0)

    @invariant()
    def books_agree(self) -> None:
        assert self.scheduler.queued == len(self.waiting)
        assert self.scheduler.active == len(self.active) <= ROWS
        assert self.scheduler.positions == self.held() <= BUDGET
        slots = [slot for slot, _ in self.active.values()]
        assert len(slots) == len(set(slots))
        assert set(slots) <= set(range(ROWS))
        assert 1 <= self.limit() <= ROWS
        for job in range(self.jobs):
            assert (job in self.scheduler) == (job in self.waiting or job in self.active)

    def teardown(self) -> None:
        """When everything leaves, nothing is held."""
        for job in range(self.jobs):
            self.scheduler.cancel(job)
        assert self.scheduler.queued == self.scheduler.active == self.scheduler.positions == 0


TestModel = Model.TestCase
TestModel.settings = settings(max_examples=60, stateful_step_count=40)


def test_order_by_priority_and_within_it_by_arrival() -> None:
    jobs = scheduler(rows=1, queue=9)
    places = [
        jobs.submit(name, priority, 0.0, 1)
        for name, priority in [("l1", "low"), ("n1", "normal"), ("h1", "high"), ("n2", "normal")]
    ]
    assert places == [0, 0, 0, 2]
    assert drain(jobs) == ["h1", "n1", "n2", "l1"]


def drain(jobs: Scheduler) -> list[Hashable]:
    """All jobs of a scheduler of one row, in the order in which they speak."""
    order = []
    while started := jobs.admit(0.0):
        ((job, slot),) = started
        assert slot == 0
        assert jobs.release(job, 0.0) == 0
        order.append(job)
    return order


@pytest.mark.parametrize("levels", [1, 2])
def test_waiting_makes_up_for_priority(levels: int) -> None:
    lower = ["high", "normal", "low"][levels]
    wait_s = levels * SECONDS_PER_LEVEL
    for later_s, first in [(wait_s - 1, "high job"), (wait_s, "waiter"), (wait_s + 1, "waiter")]:
        jobs = scheduler(rows=1)
        jobs.submit("waiter", lower, 100.0, 1)
        jobs.submit("high job", "high", 100.0 + later_s, 1)
        assert drain(jobs)[0] == first


@given(st.integers(0, 1000), st.integers(1, 4), st.sampled_from(["normal", "low"]))
def test_no_job_starves_in_a_crowd_of_higher_priority(seed: int, rows: int, priority: str) -> None:
    """A new job of high priority arrives each second, and each row frees within 3 seconds.

    Once it has aged, only those that came before it was ripe are in front, so a job waits no
    longer than its levels and then until so many jobs have had a row.
    """
    random, jobs, ends = Random(seed), scheduler(rows, 100, 1000), {}
    ripe_s = LEVELS[priority] * SECONDS_PER_LEVEL
    for now in range(200):
        for job in [job for job, end in ends.items() if end <= now]:
            jobs.release(job, now)
            del ends[job]
        if now == 5:
            jobs.submit("patient", priority, now, 400)  # large as well: nothing overtakes it
        jobs.submit(now, "high", now, random.randint(1, 400))
        for job, _ in jobs.admit(now):
            if job == "patient":
                return
            ends[job] = now + random.randint(1, 3)
        # in front: at most one a second until it was ripe, each 3 s on a row even when alone
        assert now <= 5 + 3 * (5 + ripe_s + 2), "waited too long"
    pytest.fail("never started")


def test_a_job_too_large_for_the_rest_is_not_overtaken() -> None:
    jobs = scheduler()
    jobs.submit("half", "normal", 0, 50)
    assert jobs.admit(0) == [("half", 0)]
    jobs.submit("large", "normal", 0, 51)
    jobs.submit("small", "normal", 0, 1)
    assert jobs.admit(1) == []
    jobs.release("half", 2)
    assert jobs.admit(2) == [("large", 0)]  # a second row would be as long
    jobs.release("large", 3)
    assert jobs.admit(3) == [("small", 0)]


def test_what_can_never_be_done_is_refused_at_once() -> None:
    jobs = scheduler()
    with pytest.raises(InvalidRequest, match="101 positions, the cache has 100"):
        jobs.submit("giant", "high", 0, BUDGET + 1)
    with pytest.raises(InvalidRequest, match="'urgent' is unknown; have: high, normal, low"):
        jobs.submit("job", "urgent", 0, 1)
    for rows, queue, budget, level_s in [(0, 1, 1, 1), (1, -1, 1, 1), (1, 1, 0, 1), (1, 1, 1, 0)]:
        with pytest.raises(InvalidRequest, match="scheduler of"):
            Scheduler(rows, queue, max_positions=budget, seconds_per_level=level_s)
    assert jobs.queued == 0


def test_a_full_queue_says_when_to_come_back() -> None:
    jobs = scheduler(rows=2, queue=3)
    for job in range(5):  # two rows are free, three may wait
        jobs.submit(job, "normal", 0, 1)
    with pytest.raises(Overloaded, match="0 requests are being spoken and 5 wait"):
        jobs.submit("one more", "high", 0, 1)
    assert len(jobs.admit(0)) == 2
    with pytest.raises(Overloaded, match="2 requests are being spoken and 3 wait"):
        jobs.submit("one more", "high", 0, 1)
    jobs.cancel(4)
    assert jobs.submit("one more", "high", 0, 1) == 0
    assert [jobs.cancel(job) for job in (2, 3, "one more")] == [None] * 3


@pytest.mark.parametrize(("service_s", "expected_s"), [(0.1, 1.0), (8.0, 8.0), (999.0, 60.0)])
def test_when_to_come_back_follows_service_times(service_s: float, expected_s: float) -> None:
    """Half of 4 waiting jobs, over 2 rows: the time of one job, within bounds."""
    jobs, now = scheduler(rows=2, queue=4), 0.0
    for job in range(100):  # long enough for the running mean to settle
        jobs.submit(job, "normal", now, 1)
        jobs.admit(now)
        now += service_s
        jobs.release(job, now)
    for job in range(100, 106):
        jobs.submit(job, "normal", now, 1)
    jobs.admit(now)
    with pytest.raises(Overloaded) as refused:
        jobs.submit("one more", "normal", now, 1)
    assert refused.value.retry_after_s == pytest.approx(expected_s, rel=1e-3)


def test_out_of_memory_takes_rows_away_and_time_gives_them_back() -> None:
    jobs = scheduler(rows=4, queue=9)
    for job in range(8):
        jobs.submit(job, "normal", 0, 1)
    assert len(jobs.admit(0)) == 4
    assert jobs.lower_limit(0) == 3  # four were too many
    assert jobs.release(3, 0) == 3
    assert jobs.admit(RECOVER_S - 1) == []
    assert jobs.admit(RECOVER_S) == [(4, 3)]
    assert jobs.lower_limit(RECOVER_S) == 3  # again: the wait doubles
    jobs.cancel(4)
    assert jobs.admit(3 * RECOVER_S - 1) == []
    assert jobs.admit(3 * RECOVER_S) == [(5, 3)]


def test_fewer_rows_than_were_in_use_are_allowed() -> None:
    jobs = scheduler(rows=8, queue=9)
    for job in range(3):
        jobs.submit(job, "normal", 0, 1)
    jobs.admit(0)
    assert jobs.lower_limit(0) == 2, "three were too many, whatever the limit was"


def test_the_wait_for_a_row_has_a_limit() -> None:
    jobs = scheduler(rows=2)
    for _ in range(20):
        jobs.lower_limit(0)
    jobs.admit(LONGEST_RECOVER_S - 1)
    assert jobs.admission_limit == 1
    jobs.admit(LONGEST_RECOVER_S)
    assert jobs.admission_limit == 2


def test_rows_come_back_one_by_one() -> None:
    jobs = scheduler(rows=4)
    assert [jobs.lower_limit(0) for _ in range(5)] == [3, 2, 1, 1, 1]
    waits = [RECOVER_S * 2**4] * 3  # lowered five times
    for back, limit in enumerate([1, 2, 3, 4]):
        jobs.admit(sum(waits[:back]))
        assert jobs.admission_limit == limit
    calm = sum(waits) + LONGEST_RECOVER_S
    jobs.admit(calm)
    assert jobs.lower_limit(calm) == 3
    jobs.admit(calm + RECOVER_S)
    assert jobs.admission_limit == 4, "after a long calm the wait is short again"


def test_a_clock_that_steps_back_does_not_change_the_order() -> None:
    jobs = scheduler(rows=1)
    jobs.submit("first", "normal", 100.0, 1)
    jobs.submit("second", "normal", 50.0, 1)
    assert drain(jobs) == ["first", "second"]
    assert math.isfinite(jobs.service_s)
    assert jobs.service_s >= 0
