"""From frames to sound: which rows are due, in what groups, and beside the loop where that pays.

The kernels leave a core to the decoder while they read weights, so there chunks are decoded by a
thread of their own: a flight starts in one turn and lands in a later one. First chunks, and
everything where torch computes, are decoded within the turn.
"""

import time
from collections import deque
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from qwen3_tts.engine.faults import is_out_of_memory
from qwen3_tts.engine.row import Row
from qwen3_tts.types import Wave

if TYPE_CHECKING:
    from qwen3_tts.engine.loop import Loop

CALL_FRAMES = 64  # decoded at once, all rows together: bounds memory
TURN_FRAMES = 32  # decoded in a turn, where few rows speak
UNBOUNDED = 2**31


@dataclass(frozen=True)
class Flight:
    """A decode under way. Its rows stay in their slots until it has landed."""

    rows: Sequence[Row]
    count: int  # frames of each
    waves: "Future[list[Wave]]"


class Sound:
    """Belongs to a loop and its thread."""

    def __init__(self, loop: "Loop"):
        self.loop, self.slots = loop, loop.slots
        self.frames_left = UNBOUNDED  # that this turn may still decode
        self.flights: deque[Flight] = deque()
        self.team = loop.slots.team
        self.thread = ThreadPoolExecutor(1, "qwen3-tts codec") if self.team.shared else None
        loop.pace.beside = self.thread is not None

    @property
    def movable(self) -> bool:
        """Whether a turn has something to do here."""
        return self.frames_left <= 0 or bool(self.flights)  # 0: more may be due for decoding

    def turn(self, rows: Sequence[Row]) -> bool:
        """Take in what has landed and decode the rows that are due, equal numbers of frames
        together. Whether there was anything."""
        landed = self._take_in()
        due = self._due(rows)
        for (count, _), group in due.items():
            for part in groups_of(group, CALL_FRAMES // count):
                self._decode_group([row for row in part if not row.channel.ended], count)
                self.loop.beat_s = time.monotonic()
        return landed or bool(due)

    def wait(self) -> None:
        """There is nothing else to do: let the oldest flight land."""
        if self.flights:
            self._take_in(at_least=1)

    def land(self, row: Row) -> None:
        """Let a row's flight land, so that its slot can be used for something else."""
        while row.decoding:
            self._take_in(at_least=1)

    def close(self) -> None:
        if self.thread is not None:
            self.thread.shutdown(wait=True, cancel_futures=True)

    def _take_in(self, at_least: int = 0) -> bool:
        """Hand over the sound of flights that have landed, in their order."""
        landed = 0
        while self.flights and (landed < at_least or self.flights[0].waves.done()):
            flight = self.flights.popleft()
            landed += 1
            error: BaseException | None = flight.waves.exception()  # waits
            for row in flight.rows:
                row.decoding -= flight.count
            self.team.busy = bool(self.flights)
            if error is None:
                self._hand_over_all(flight.rows, flight.waves.result(), flight.count)
            elif isinstance(error, Exception):
                self._decode_failed(flight.rows, error)
            else:
                raise error
        return landed > 0

    def _due(self, rows: Sequence[Row]) -> dict[tuple[int, int], list[Row]]:
        """Rows to decode now by their number of frames, those whose listeners run dry first.

        Where somebody listens, a turn decodes no more than twice what a step makes: all keep up,
        and rows that are due together do not hold up the rest with all their sound.
        """
        now_s, due = time.perf_counter(), dict[tuple[int, int], list[Row]]()
        listened = any(row.planner is not None for row in rows)
        self.frames_left = max(TURN_FRAMES, 2 * len(rows)) if listened else UNBOUNDED
        for row in sorted(rows, key=lambda row: row.spare_s(now_s)):
            free = row.priming is None and not row.channel.ended and not row.decoding
            if free and self.frames_left > 0:
                self.loop.guarded(row, self._note_due, due)
        return due

    def _note_due(self, row: Row, due: dict[tuple[int, int], list[Row]]) -> None:
        if count := row.due():
            due.setdefault((count, row.slot if row.decode_alone else -1), []).append(row)
            self.frames_left -= count

    def _decode_group(self, rows: Sequence[Row], count: int) -> None:
        """Decode rows together, now or beside the loop."""
        if not rows:
            return
        ordered = sorted(rows, key=lambda row: row.slot)
        slots = [row.slot for row in ordered]
        try:
            codes = torch.stack([row.next_frames(count) for row in ordered])  # [m, K, T]
            if self._beside(ordered):
                self._start(ordered, count, slots, codes)
                return
            waves = self.slots.decode(slots, codes)
        except Exception as error:  # a border: the thread must go on for the others
            self._decode_failed(rows, error)
            return
        self._hand_over_all(ordered, waves, count)

    def _beside(self, rows: Sequence[Row]) -> bool:
        """Not for a first chunk, which all cores together make soonest, nor if nothing goes on."""
        if self.thread is None or any(row.planner and not row.chunk_index for row in rows):
            return False
        return any(row.can_step for row in self.loop.rows)

    def _start(
        self, rows: Sequence[Row], count: int, slots: Sequence[int], codes: torch.Tensor
    ) -> None:
        assert self.thread is not None

        def decode() -> list[Wave]:
            with torch.inference_mode():
                return self.slots.decode(slots, codes)

        for row in rows:
            row.decoding += count
        self.team.busy = True
        self.flights.append(Flight(rows, count, self.thread.submit(decode)))

    def _decode_failed(self, rows: Sequence[Row], error: Exception) -> None:
        """The newest of all ends where memory ran out, or else the only one; the others try again,
        each by itself where it may be the fault of any."""
        out_of_memory = is_out_of_memory(error)
        if out_of_memory or len(rows) == 1:
            self.loop.failed(self.loop.rows[-1:] if out_of_memory else rows, error)
        for row in rows:
            if not row.channel.ended:
                row.undue()
                row.decode_alone = not out_of_memory
                row.priming = self._restored(row)

    def _restored(self, row: Row) -> Iterator[None]:
        """Bring a row's decoder back to where it was before a decode that failed half-way."""
        self.slots.reset_sound(row.slot)
        yield from self.loop.primed(row) or ()
        for codes in row.decoded_frames():
            yield
            self.slots.decode([row.slot], codes[None])

    def _hand_over_all(self, rows: Sequence[Row], waves: Sequence[Wave], count: int) -> None:
        for row, wave in zip(rows, waves, strict=True):
            if not row.channel.ended:
                self.loop.guarded(row, self._hand_over, wave, count)

    def _hand_over(self, row: Row, wave: Wave, count: int) -> None:
        row.decode_alone = False
        row.keep(wave, count)
        if not row.finish_reason:
            self.loop.judge(row, row.guard.sound(wave, row.text_exhausted))


def groups_of(rows: list[Row], most: int) -> Iterator[list[Row]]:
    """Rows in groups of 1, 2, 4, 8 and so on, the largest first and none above `most`.

    A CPU compiles the decoder for every size of a group, which takes as long as many a chunk, and
    keeps the last few only.
    """
    while rows:
        size = 1 << max(1, min(len(rows), most)).bit_length() - 1
        yield rows[:size]
        rows = rows[size:]
