"""How much may go on at once, in all and per principal, and when a refused caller should return.

Callers that show no key cannot be told apart, so the limits per principal do not count for them;
the request rate counts for all of them together.
"""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil

from qwen3_tts.server.access.auth import Principal
from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.server.settings import ServerSettings

SHORTEST_WAIT_S, LONGEST_WAIT_S = 1.0, 60.0
FIRST_GUESS_S = 5.0  # how long a stream lasts, before one has ended
NEWEST_WEIGHT = 0.2  # of the newest stream in the mean
SESSION_WAIT_S = 10.0  # sessions last as long as people like; no mean would tell
MOST_BUCKETS = 10_000  # principals whose request rates are remembered


class Limits:
    """Counts streams, sessions and requests; any thread may ask.

    Set `draining` and no new stream or session begins.
    """

    def __init__(self, settings: ServerSettings, clock: Callable[[], float] = time.monotonic):
        self.draining = False
        self._clock = clock
        self._lock = threading.RLock()  # a dropped context may be collected inside our own code
        self._streams = _Places(settings.max_streams, settings.max_streams_per_principal)
        self._sessions = _Places(settings.max_sessions, settings.max_sessions_per_principal)
        self._rates = _Rates(settings.requests_per_minute, settings.burst)
        self._mean_s = FIRST_GUESS_S
        self._turned_away = 0  # refused callers for whom no place became free since

    @property
    def active_streams(self) -> int:
        return self._streams.taken

    @property
    def active_sessions(self) -> int:
        return self._sessions.taken

    @contextmanager
    def stream(self, principal: Principal) -> Iterator[None]:
        """Holds a place for one stream; Fault RATE_LIMITED on entering where there is none."""
        began_s = self._take_stream(principal)
        try:
            yield
        finally:
            self._end_stream(principal, began_s)

    @contextmanager
    def session(self, principal: Principal) -> Iterator[None]:
        """The same for an open WebSocket."""
        with self._lock:
            self._refuse_when_draining()
            self._sessions.take(principal, "sessions", SESSION_WAIT_S, SESSION_WAIT_S)
        try:
            yield
        finally:
            with self._lock:
                self._sessions.leave(principal)

    def request(self, principal: Principal) -> None:
        """Counts one request; Fault RATE_LIMITED where the principal makes too many."""
        with self._lock:
            wait_s = self._rates.take(principal.id, self._clock())
        if wait_s > 0:
            raise _refusal("too many requests a minute", wait_s)

    def _take_stream(self, principal: Principal) -> float:
        with self._lock:
            self._refuse_when_draining()
            ahead = self._turned_away + 1
            any_s = self._mean_s * ahead / max(1, self._streams.taken)
            own_s = self._mean_s / max(1, self._streams.each[principal.id])
            try:
                self._streams.take(principal, "streams", any_s, own_s)
            except Fault:
                # no more than places: those who were told to wait are not all still there
                self._turned_away = min(ahead, self._streams.most)
                raise
            return self._clock()

    def _end_stream(self, principal: Principal, began_s: float) -> None:
        with self._lock:
            self._streams.leave(principal)
            self._turned_away = max(0, self._turned_away - 1)
            lasted_s = max(0.0, self._clock() - began_s)
            self._mean_s += NEWEST_WEIGHT * (lasted_s - self._mean_s)

    def _refuse_when_draining(self) -> None:
        if self.draining:
            raise Fault(
                FaultCode.RATE_LIMITED,
                "the server is shutting down; connect again",
                retry_after_s=SHORTEST_WAIT_S,
                recoverable=False,  # this session will not see the next server
            )


class _Places:
    """So many in all, so many for each principal that is known by a key."""

    def __init__(self, most: int, most_each: int):
        self.most, self.most_each = most, most_each
        self.taken = 0
        self.each: Counter[str] = Counter()

    def take(self, principal: Principal, what: str, any_s: float, own_s: float) -> None:
        """`any_s` until any place should become free, `own_s` until one of the principal's."""
        if principal.authenticated and self.each[principal.id] >= self.most_each:
            raise _refusal(f"all {self.most_each} {what} a key may have are in use", own_s)
        if self.taken >= self.most:
            raise _refusal(f"all {self.most} {what} of this server are in use", any_s)
        self.taken += 1
        self.each[principal.id] += 1

    def leave(self, principal: Principal) -> None:
        self.taken -= 1
        self.each[principal.id] -= 1
        if not self.each[principal.id]:
            del self.each[principal.id]


class _Rates:
    """A token bucket for each principal: `burst` at once, then `per_minute`. 0 is no limit."""

    def __init__(self, per_minute: int, burst: int):
        self.per_s = per_minute / 60
        self.burst = burst or per_minute
        self.buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # tokens, when

    def take(self, name: str, now_s: float) -> float:
        """Seconds until a request is allowed; 0 where this one is."""
        if not self.per_s:
            return 0.0
        tokens, then_s = self.buckets.pop(name, (float(self.burst), now_s))
        tokens = min(self.burst, tokens + max(0.0, now_s - then_s) * self.per_s)
        wait_s = 0.0 if tokens >= 1 else (1 - tokens) / self.per_s
        self.buckets[name] = (tokens if wait_s else tokens - 1, now_s)
        if len(self.buckets) > MOST_BUCKETS:
            self.buckets.popitem(last=False)  # the longest unused, so most likely full again
        return wait_s


def _refusal(why: str, wait_s: float) -> Fault:
    wait_s = min(LONGEST_WAIT_S, max(SHORTEST_WAIT_S, wait_s))
    return Fault(
        FaultCode.RATE_LIMITED, f"{why}; try again in {ceil(wait_s)} s", retry_after_s=wait_s
    )
