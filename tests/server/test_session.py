"""Where a session may go: the table, any walk on it, and that one task's end ends the others."""

import asyncio
import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_tts.server.websocket.states import (
    TRANSITIONS,
    IllegalTransition,
    SessionClock,
    SessionState,
    wait_for_either,
)

S = SessionState
LEGAL = {
    (S.DISCONNECTED, S.CONNECTING),
    (S.CONNECTING, S.READY),
    (S.READY, S.STARTED),
    (S.STARTED, S.STARTED),
    (S.STARTED, S.SPEAKING),
    (S.STARTED, S.READY),
    (S.SPEAKING, S.SPEAKING),
    (S.SPEAKING, S.READY),
    *((state, S.STOPPED) for state in (S.CONNECTING, S.READY, S.STARTED, S.SPEAKING)),
}


@pytest.mark.parametrize(("here", "there"), list(itertools.product(S, S)))
def test_exactly_these_steps_are_legal(here: S, there: S) -> None:
    clock = SessionClock()
    clock.state = here
    if (here, there) in LEGAL:
        clock.to(there)
        assert clock.state is there
        return
    with pytest.raises(IllegalTransition, match=f"{here} -> {there}"):
        clock.to(there)
    assert clock.state is here, "a refused step changes nothing"


@given(st.data())
def test_any_walk_on_the_table_goes_on_until_it_is_over(data: st.DataObject) -> None:
    clock = SessionClock()
    for _ in range(data.draw(st.integers(0, 30))):
        if not TRANSITIONS[clock.state]:
            break
        clock.to(data.draw(st.sampled_from(sorted(TRANSITIONS[clock.state]))))
        assert clock.is_over == (clock.state is S.STOPPED)


@given(st.lists(st.sampled_from(sorted(S))))
def test_any_other_walk_stops_at_its_first_wrong_step(walk: list[S]) -> None:
    clock = SessionClock()
    for there in walk:
        here = clock.state
        if (here, there) in LEGAL:
            clock.to(there)
        else:
            with pytest.raises(IllegalTransition):
                clock.to(there)


def test_every_state_can_be_reached_and_be_left_for_the_end() -> None:
    reached, new = set(), {S.DISCONNECTED}
    while new:
        reached |= new
        new = set().union(*(TRANSITIONS[state] for state in new)) - reached
    assert reached == set(S)
    assert [state for state in S if not TRANSITIONS[state]] == [S.STOPPED]


def test_when_one_task_ends_the_others_are_cancelled() -> None:
    ended = []

    async def forever() -> None:
        try:
            await asyncio.sleep(60)
        finally:
            ended.append("forever")

    async def soon() -> None:
        await asyncio.sleep(0)

    async def run() -> None:
        await wait_for_either(asyncio.create_task(forever()), asyncio.create_task(soon()))

    asyncio.run(run())
    assert ended == ["forever"]


def test_what_the_first_task_raised_is_raised() -> None:
    async def forever() -> None:
        await asyncio.sleep(60)

    async def broken() -> None:
        raise ValueError("as planned")

    async def run() -> None:
        await wait_for_either(asyncio.create_task(forever()), asyncio.create_task(broken()))

    with pytest.raises(ValueError, match="as planned"):
        asyncio.run(run())
