"""Where a WebSocket session is, and where it may go from there."""

import asyncio
from enum import StrEnum


class SessionState(StrEnum):
    DISCONNECTED = "disconnected"
    CONNECTING = "connecting"  # accepted; the model may be loading
    READY = "ready"  # told so; waits for `start` or `speak`
    STARTED = "started"  # options are settled
    SPEAKING = "speaking"
    STOPPED = "stopped"  # nothing more is said


S = SessionState
TRANSITIONS: dict[SessionState, frozenset[SessionState]] = {
    S.DISCONNECTED: frozenset({S.CONNECTING}),
    S.CONNECTING: frozenset({S.READY, S.STOPPED}),
    S.READY: frozenset({S.STARTED, S.STOPPED}),
    S.STARTED: frozenset({S.STARTED, S.SPEAKING, S.READY, S.STOPPED}),
    S.SPEAKING: frozenset({S.SPEAKING, S.READY, S.STOPPED}),
    S.STOPPED: frozenset(),
}


class IllegalTransition(Exception):
    """A bug of ours: a session went where the table does not lead."""


class SessionClock:
    """The state of one session. After speech it is READY again, and its options stay settled."""

    def __init__(self) -> None:
        self.state = SessionState.DISCONNECTED

    def to(self, state: SessionState) -> None:
        """Raises `IllegalTransition`."""
        if state not in TRANSITIONS[self.state]:
            raise IllegalTransition(f"{self.state} -> {state}")
        self.state = state

    @property
    def is_over(self) -> bool:
        return self.state is SessionState.STOPPED


async def wait_for_either(*tasks: asyncio.Task[None]) -> None:
    """Until one of the tasks is over; the others are cancelled. Raises what it raised."""
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
    for task in done:
        if not task.cancelled() and (error := task.exception()):
            raise error
