"""Chunks decoded beside the loop, in a simulation of two cores that both share."""

from collections.abc import Callable
from random import Random

import pytest

from qwen3_tts.engine.chunks import BEHIND_CHUNK, BESIDE_CHUNK, ChunkPlanner, Pace
from tests.engine.test_chunks import Run

# As measured at 0.6B on two cores, roughly.
ALONE_S, BESIDE_S, BASE_S, SLOPE_S = 0.042, 0.050, 0.025, 0.024


def beside(
    frames: int, pace: Pace, step_s: Callable[[bool], float], decode_s: Callable[[int], float]
) -> Run:
    """One stream: a chunk lands at the end of the turn in which it is ready; the first is decoded
    within its turn, by both cores."""
    planner, now, made = ChunkPlanner(pace=pace), 0.0, 0
    flight: tuple[float, int] | None = None
    run, taken = Run(planner, []), 0
    while made < frames or taken < frames or flight:
        moved = made < frames
        if moved:
            length = step_s(flight is not None)
            now, made = now + length, made + 1
            pace.observe(length)
        if flight and (flight[0] <= now or not moved):
            now = max(now, flight[0])
            run.chunks.append((now, flight[1]))
            planner.handed_out(now)
            flight = None
        if flight:
            continue
        count = planner.take(made - taken, now, ended=made == frames)
        taken += count
        if count and (not run.chunks or made == frames):
            now += decode_s(count) / 2
            run.chunks.append((now, count))
            planner.handed_out(now)
        elif count:
            flight = (now + decode_s(count), count)
    return run


def usual(random: Random) -> tuple[Callable[[bool], float], Callable[[int], float]]:
    return (
        lambda busy: (BESIDE_S if busy else ALONE_S) * random.uniform(0.95, 1.1),
        lambda frames: (BASE_S + SLOPE_S * frames) * random.uniform(0.95, 1.1),
    )


@pytest.mark.parametrize("seed", range(8))
def test_streams_that_keep_up_have_no_gap(seed: int) -> None:
    pace, random = Pace(), Random(seed)
    pace.beside = True
    for turn in range(5):
        run = beside(250, pace, *usual(random))
        assert sum(frames for _, frames in run.chunks) == 250
        # nothing is known when the first of all begins: a small gap there is the price of an
        # early first sound
        assert sum(run.gaps()) <= (0.1 if turn == 0 else 0.0)
        assert min(run.sizes[1:-1]) >= BESIDE_CHUNK
        if turn:
            assert run.sizes[0] <= 6  # half a second of sound


def test_a_loop_that_falls_behind_decodes_more_at_once() -> None:
    """Single frames would make it later still."""
    pace = Pace()
    pace.beside = True
    run = beside(200, pace, lambda _: 0.1, lambda frames: 0.04 + 0.03 * frames)
    assert run.gaps()
    settled = run.sizes[len(run.sizes) // 2 : -1]
    assert settled
    assert min(settled) >= BEHIND_CHUNK
