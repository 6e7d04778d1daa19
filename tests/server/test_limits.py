"""Limits: what is taken is given back, no one is let in beyond them, and nothing grows."""

import contextlib
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_tts.server.access.auth import ANONYMOUS, Principal
from qwen3_tts.server.access.limits import MOST_BUCKETS, Limits
from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.server.settings import ServerSettings

ANN, BOB = Principal("key:aaaaaaaa", True), Principal("key:bbbbbbbb", True)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def limits(clock: Clock | None = None, **given: int) -> Limits:
    return Limits(ServerSettings(**given), clock or Clock())  # type: ignore[arg-type]


def refused(enter: object) -> Fault:
    with pytest.raises(Fault) as caught:
        enter()  # type: ignore[operator]
    fault = caught.value
    assert fault.code is FaultCode.RATE_LIMITED
    assert fault.retry_after_s is not None
    assert 1 <= fault.retry_after_s <= 60
    return fault


@pytest.mark.parametrize("kind", ["stream", "session"])
def test_exactly_as_many_as_allowed_and_no_more(kind: str) -> None:
    it = limits(**{f"max_{kind}s": 3, f"max_{kind}s_per_principal": 2})
    take = getattr(it, kind)
    held = [take(ANN), take(ANN)]
    for place in held:
        place.__enter__()
    assert "a key may have" in refused(take(ANN).__enter__).message
    with take(BOB):
        assert "of this server" in refused(take(Principal("key:c", True)).__enter__).message
        assert getattr(it, f"active_{kind}s") == 3
    for place in held:
        place.__exit__(None, None, None)
        place.__exit__(None, None, None)  # leaving twice frees one place
    assert getattr(it, f"active_{kind}s") == 0
    with take(ANN), take(ANN), take(BOB):
        pass


def test_a_place_is_taken_on_entering_only() -> None:
    it = limits(max_streams=1)
    it.stream(ANN)
    it.stream(ANN)
    with it.stream(ANN):
        assert it.active_streams == 1


def test_an_error_inside_gives_the_place_back() -> None:
    it = limits()
    with pytest.raises(KeyError), it.stream(ANN):
        raise KeyError
    assert it.active_streams == 0


def test_those_without_a_key_share_the_whole_server() -> None:
    it = limits(max_streams=4, max_streams_per_principal=1)
    with it.stream(ANONYMOUS), it.stream(ANONYMOUS), it.stream(ANONYMOUS), it.stream(ANONYMOUS):
        refused(it.stream(ANONYMOUS).__enter__)


def test_nothing_remains_of_ten_thousand_principals() -> None:
    clock = Clock()
    it = limits(clock, requests_per_minute=10)
    for index in range(10_000 + MOST_BUCKETS):
        principal = Principal(f"jwt:{index}", True)
        with it.stream(principal), it.session(principal):
            it.request(principal)
    assert not it._streams.each
    assert not it._sessions.each
    assert (it.active_streams, it.active_sessions) == (0, 0)
    assert len(it._rates.buckets) == MOST_BUCKETS


def test_refused_principals_leave_nothing_behind() -> None:
    it = limits(max_streams=1)
    with it.stream(ANN):
        for index in range(1000):
            refused(it.stream(Principal(f"jwt:{index}", True)).__enter__)
        assert dict(it._streams.each) == {ANN.id: 1}


def test_a_burst_then_the_rate() -> None:
    clock = Clock()
    it = limits(clock, requests_per_minute=60, burst=3)
    for _ in range(3):
        it.request(ANN)
    assert refused(lambda: it.request(ANN)).retry_after_s == pytest.approx(1.0)
    it.request(BOB)  # has a bucket of its own
    clock.now_s += 1.0
    it.request(ANN)
    refused(lambda: it.request(ANN))
    clock.now_s -= 500  # a clock that goes back gives nothing, and takes nothing
    refused(lambda: it.request(ANN))
    clock.now_s += 1.0
    it.request(ANN)
    clock.now_s += 1e9
    for _ in range(3):
        it.request(ANN)
    refused(lambda: it.request(ANN))


def test_no_rate_means_no_limit_and_no_memory() -> None:
    it = limits()
    for _ in range(1000):
        it.request(ANN)
    assert not it._rates.buckets


@given(st.lists(st.floats(0, 30), max_size=60), st.integers(1, 120), st.integers(1, 10))
def test_the_rate_holds_over_any_times(gaps: list[float], per_minute: int, burst: int) -> None:
    """No more pass than the burst and what the time since the start allows."""
    clock = Clock()
    it = limits(clock, requests_per_minute=per_minute, burst=burst)
    passed, began_s = 0, clock.now_s
    for gap_s in gaps:
        clock.now_s += gap_s
        with contextlib.suppress(Fault):
            it.request(ANN)
            passed += 1
    allowed = burst + (clock.now_s - began_s) * per_minute / 60
    assert passed <= allowed + 1e-6  # float sums of the gaps


def full(it: Limits) -> float:
    wait_s = refused(it.stream(ANN).__enter__).retry_after_s
    assert wait_s is not None
    return wait_s


def test_longer_streams_mean_a_longer_wait() -> None:
    waits = []
    for lasts_s in (0.01, 8.0, 10_000.0):
        clock = Clock()
        it = limits(clock, max_streams=2)
        for _ in range(50):
            with it.stream(BOB):
                clock.now_s += lasts_s
        with it.stream(BOB), it.stream(BOB):
            waits.append(full(it))
    assert waits[0] == 1.0
    assert waits[1] == pytest.approx(8.0 / 2, rel=0.01)  # 2 of 8 s: one ends every 4 s
    assert waits[2] == 60.0


def test_who_is_refused_later_is_told_to_come_later() -> None:
    it = limits(max_streams=4)
    with it.stream(BOB), it.stream(BOB), it.stream(BOB):
        with it.stream(BOB):
            waits = [full(it) for _ in range(8)]
            assert waits == sorted(waits)
            assert waits[3] > waits[0]
            assert waits[4:] == waits[4:5] * 4  # bounded: many will not come back
        with it.stream(BOB):
            assert full(it) <= waits[-1]


def test_draining_refuses_what_is_new_and_keeps_what_runs() -> None:
    it = limits()
    with it.stream(ANN), it.session(ANN):
        it.draining = True
        for take in (it.stream, it.session):
            fault = refused(take(ANN).__enter__)
            assert "shutting down" in fault.message
            assert fault.recoverable is False
        assert (it.active_streams, it.active_sessions) == (1, 1)
    assert (it.active_streams, it.active_sessions) == (0, 0)


def test_threads_never_pass_the_limit_together() -> None:
    it = Limits(ServerSettings(max_streams=3))
    most, bad = [0], []

    def work() -> None:
        for _ in range(300):
            try:
                with it.stream(ANONYMOUS):
                    most[0] = max(most[0], it.active_streams)
                    if it.active_streams > 3:
                        bad.append(it.active_streams)
            except Fault:
                pass

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not bad
    assert most[0] >= 1
    assert it.active_streams == 0
