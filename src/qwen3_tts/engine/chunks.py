"""When to decode frames of a stream, and how many: early sound first, then no gap in it.

A stream starts with a small chunk and climbs a ladder of larger ones, which cost less per frame.
The planner keeps the clock of a player that starts at the first chunk and plays without a pause:
while the player has sound to spare, frames are collected; when it is about to run dry, whatever
is ready goes out. The first chunk is larger where the loop is too slow or too uneven for a small
one. Times are arguments, readings of one monotonic clock in seconds.
"""

import math
from collections import deque
from collections.abc import Sequence

from qwen3_tts.errors import InvalidRequest

FRAME_S = 0.08  # sound in one frame
DEFAULT_PLAN = (1, 2, 4, 8, 12)
MAX_CHUNK = 64  # frames; larger chunks save nothing and only add waiting

# Frames of a chunk, at least, that is decoded while others are made: single ones read all weights
# of the decoder for 80 ms of sound (0.6B on two cores: 50 ms a frame, 26 in chunks of 4).
BESIDE_CHUNK = 2
# And where the loop falls behind: hurry would make it later still.
BEHIND_CHUNK = 4

# Between two looks at a stream the loop may slow down, with no warning, to this time per frame.
SUDDEN_S = FRAME_S / 1.2
# How far ahead a head start looks: 10 s. Slower than realtime, sound runs dry in the end; a head
# start that does not last so long is not worth waiting for.
HORIZON = 125
# Chance of a gap accepted when step times scatter: about 0.1 %. `Z` belongs to a normal sum after
# HORIZON frames; LOG_RISK = ln(1 / 0.001) to a random walk that drifts away from the gap, whose
# deepest point x has the probability exp(-2 * drift * x / variance).
Z = 3.0
LOG_RISK = 6.9


class Pace:
    """Running estimates of how fast a loop makes frames, shared by the streams of that loop.

    They follow like the round-trip estimate of TCP (RFC 6298): means move by 1/8 towards a new
    value, scatter by 1/4. Scatter falls by 1/16 only, as a few even turns promise nothing, and
    the longest turn rises at once and falls by 1/32.
    """

    def __init__(self) -> None:
        self.step_s: float | None = None  # mean: one frame of all rows, nothing else
        self.turn_s = 0.0  # mean: from frame to frame, decoding and prompts of others included
        self.scatter_s = 0.0  # mean distance of turns from their mean
        self.longest_s = 0.0  # a turn, of late
        self.beside = False  # chunks are decoded while the next frames are made
        self.decode = LineFit()  # seconds of a chunk, from `take` to `handed_out`, by its frames

    def observe(self, step_s: float, other_s: float = 0.0) -> None:
        """Record a step of all rows, and the rest since the step before it (decoding, prompts).

        Call it after each step, before any `take`. Leave out waiting for work, and a prompt read
        while no stream was running.
        """
        turn_s = step_s + other_s
        if self.step_s is None:
            self.step_s, self.turn_s, self.scatter_s = step_s, turn_s, turn_s / 2
        else:
            away_s = abs(turn_s - self.turn_s)
            self.scatter_s += (away_s - self.scatter_s) / (4 if away_s > self.scatter_s else 16)
            self.step_s += (step_s - self.step_s) / 8
            self.turn_s += (turn_s - self.turn_s) / 8
        faded_s = self.longest_s - (self.longest_s - self.turn_s) / 32
        self.longest_s = max(turn_s, faded_s)

    @property
    def gain_s(self) -> float:
        """Seconds by which a frame plays longer than it takes to make and decode in a large chunk.

        Not above 0 where no chunk size keeps up with playback.
        """
        step_s, decode_s = self.step_s or 0.0, self.decode.slope
        return FRAME_S - (max(step_s, decode_s) if self.beside else step_s + decode_s)

    def decode_at_most(self, frames: int) -> float:
        """What a chunk takes, with an allowance for scatter.

        Beside the loop a chunk is handed out at the end of the turn in which it is ready: that
        wait scatters, by no more than a turn.
        """
        allowance_s = self.decode.allowance_s
        if self.beside:
            allowance_s = min(allowance_s, self.turn_s)
        return self.decode.at(frames) + allowance_s

    def least_chunk(self) -> int:
        """Frames a chunk needs so that making and decoding it takes no longer than playing it.

        1 where frames alone are too slow: no size helps there. Beside the loop 2: a chunk slows
        the frames that are made meanwhile, and one of a single frame most of all.
        """
        least = BESIDE_CHUNK if self.beside else 1
        if self.gain_s <= 0:
            return least
        return max(least, math.ceil(self.decode_at_most(0) / self.gain_s))

    def head_start_s(self) -> float:
        """Sound to hand out first so that, at this pace, `HORIZON` frames play without a gap.

        It covers the making of the next chunk, one turn as long as the longest, what playback
        gains on a loop that is too slow, and the scatter of turns. Where single frames lose time,
        it is one frame more, as the least chunk only breaks even.
        """
        least = self.least_chunk()
        next_s = (least - 1) * (self.step_s or 0.0) + self.longest_s + self.decode_at_most(least)
        next_s += FRAME_S if least > 1 else 0.0
        shortfall_s = max(0.0, -self.gain_s) * HORIZON
        deviation_s = 1.25 * self.scatter_s  # sqrt(pi / 2): mean distance to deviation, if normal
        swing_s = Z * deviation_s * math.sqrt(HORIZON)
        if self.turn_s < FRAME_S:
            settled_s = LOG_RISK * deviation_s**2 / (2 * (FRAME_S - self.turn_s))
            swing_s = min(swing_s, settled_s)
        return next_s + shortfall_s + swing_s


class LineFit:
    """A line through (frames, seconds), least squares over the last dozen points or so."""

    def __init__(self) -> None:
        self.slope = 0.0  # seconds per frame
        self.base = 0.0  # seconds per chunk
        self._weight = self._x = self._y = self._xx = self._xy = 0.0
        self._miss = 0.0  # mean distance of points from the line

    def add(self, frames: int, seconds: float) -> None:
        if self._weight:
            self._miss += (abs(seconds - self.at(frames)) - self._miss) / 4
        keep = 1 - 1 / 12
        self._weight = self._weight * keep + 1
        self._x = self._x * keep + frames
        self._y = self._y * keep + seconds
        self._xx = self._xx * keep + frames * frames
        self._xy = self._xy * keep + frames * seconds
        x, y = self._x / self._weight, self._y / self._weight
        spread = self._xx / self._weight - x * x
        rise = self._xy / self._weight - x * y
        if spread > 0.01:  # sizes all alike tell nothing; the slope of 0 at first invites others
            self.slope = max(0.0, rise / spread)
        self.base = max(0.0, y - self.slope * x)

    def at(self, frames: int) -> float:
        return self.base + self.slope * frames

    @property
    def allowance_s(self) -> float:
        """For scatter: twice the mean distance from the line, of late."""
        return 2 * self._miss


class ChunkPlanner:
    """Decides for one stream, and counts its gaps.

    After each new frame call `take`; decode what it says, then call `handed_out` when the sound
    has gone to the caller. Decoding may run beside the loop: several chunks may be under way, and
    they come out in order. Raises `InvalidRequest` for a plan that is no rising ladder of sizes.
    """

    def __init__(self, plan: Sequence[int] = DEFAULT_PLAN, pace: Pace | None = None):
        self.plan = check_plan(plan)
        self.pace = Pace() if pace is None else pace
        self.frames = 0  # handed out
        self.chunks = 0  # handed out
        self.underrun_s = 0.0  # silence in the player after its start, all gaps together
        self.longest_underrun_s = 0.0
        self._rung = 0  # the place of the next chunk's size in the plan
        self._under_way: deque[tuple[int, float]] = deque()  # frames, when taken
        self._dry_s = -math.inf  # when the player has played all it was given

    def take(self, ready: int, now_s: float, ended: bool = False) -> int:
        """Frames to decode now, of `ready` generated and not yet taken; 0 means wait.

        When the stream has ended, call until it returns 0: nothing stays behind.
        """
        assert ready >= 0, ready
        if ready == 0 or not (ended or self._due(ready, now_s)):
            return 0
        frames = min(ready, self.plan[-1])
        self._under_way.append((frames, now_s))
        return frames

    def give_back(self) -> None:
        """Record that the newest chunk under way could not be decoded: its frames wait again."""
        self._under_way.pop()

    def handed_out(self, now_s: float) -> int:
        """Record that the oldest chunk under way is with the caller. Returns its frames."""
        assert self._under_way, "handed_out without take"
        frames, taken_s = self._under_way.popleft()
        if self.chunks or not self.pace.beside:  # a first chunk waits for nobody, and tells little
            self.pace.decode.add(frames, max(0.0, now_s - taken_s))
        if self.chunks:
            gap_s = max(0.0, now_s - self._dry_s)
            self.underrun_s += gap_s
            self.longest_underrun_s = max(self.longest_underrun_s, gap_s)
        self._dry_s = max(self._dry_s, now_s) + frames * FRAME_S
        self.frames += frames
        self.chunks += 1
        if frames >= self.plan[self._rung]:
            self._rung = min(self._rung + 1, len(self.plan) - 1)
        return frames

    def buffer_s(self, now_s: float) -> float:
        """Sound that the player has left, chunks under way counted as if they were there."""
        coming = sum(frames for frames, _ in self._under_way)
        return max(0.0, self._dry_s - now_s) + coming * FRAME_S

    def _due(self, ready: int, now_s: float) -> bool:
        pace, left_s = self.pace, self.buffer_s(now_s)
        if self.chunks and pace.beside:
            behind = left_s <= 0 or pace.gain_s <= 0
            least = BEHIND_CHUNK if behind else BESIDE_CHUNK
            if ready < min(least, self.plan[-1]):
                return False
        if left_s <= pace.decode.at(ready):  # nothing plays yet, or a gap has become certain
            costly = 0 < pace.gain_s < pace.decode.base  # single frames would cause the next gap
            return (self.chunks > 0 and not costly) or ready >= self._first_chunk()
        if ready >= self.plan[self._rung]:
            return True
        next_turn_s = max(pace.longest_s + pace.scatter_s, SUDDEN_S)
        return left_s < next_turn_s + pace.decode_at_most(ready + 1)  # no time for one more frame

    def _first_chunk(self) -> int:
        """The plan's first size, or more where playback would soon run dry after it."""
        needed = math.ceil(self.pace.head_start_s() / FRAME_S)
        if needed > self.plan[-1]:  # no head start is enough; where none can be, delay nothing
            return self.plan[-1] if self.pace.gain_s > 0 else self.plan[0]
        return max(self.plan[0], needed)


def check_plan(plan: Sequence[int]) -> tuple[int, ...]:
    """The plan as a tuple. Raises `InvalidRequest` unless sizes are 1..64 and never fall."""
    sizes = tuple(plan)
    whole = all(isinstance(size, int) and not isinstance(size, bool) for size in sizes)
    if not sizes or not whole or min(sizes) < 1 or max(sizes) > MAX_CHUNK:
        raise InvalidRequest(
            f"chunk plan {sizes!r}: give at least one size, whole frames from 1 to {MAX_CHUNK}"
        )
    if list(sizes) != sorted(sizes):
        raise InvalidRequest(f"chunk plan {sizes!r} falls: later chunks cannot be smaller")
    return sizes
