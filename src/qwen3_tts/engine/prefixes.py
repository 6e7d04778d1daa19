"""Keys and values of prompt starts that come again: a voice's, an instruction's, a whole greeting.

A key is the hash of all positions up to a point (text ids, codes, speaker vector), so nothing here
knows a layout. Kept is what a second prompt shares with an earlier one: what is read once costs a
few hashes, and neither copies nor memory. Segments follow each other from position 0 and end at
multiples of `SEGMENT` or where the shared part ends; the least recently used are the first to go.

Dims: L layers, G key/value heads, n positions of a segment, E head dim, D talker width.
"""

import hashlib
from array import array
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from qwen3_tts.engine.faults import is_out_of_memory
from qwen3_tts.engine.slots import Slots
from qwen3_tts.prompt.layout import Prompt

PREFIX_BYTES = 128 * 2**20  # unless told: 1,170 positions of a published model in bfloat16
SEGMENT = 8  # positions: what a prompt that leaves a kept one half-way may read once more
MOST_SEEN = 32_768  # positions of earlier prompts remembered by their hash: about 5 MB


@dataclass(frozen=True)
class Segment:
    """Some positions of a prompt. `hidden` is there where a whole prompt once ended with them."""

    start: int
    memory: Tensor  # [2, L, G, n, E], keys and values
    hidden: Tensor | None  # [D], talker output at the last position

    @property
    def num_bytes(self) -> int:
        return self.memory.nbytes + (0 if self.hidden is None else self.hidden.nbytes)


@dataclass
class Reading:
    """A prompt on its way into a slot. It may still grow."""

    prompt: Prompt
    vector: bytes  # the speaker's, at `prompt.speaker_at`
    digests: list[bytes] = field(default_factory=list)  # of its first 1, 2, ... positions
    chain: list[bytes] = field(default_factory=list)  # keys of the segments that are its start
    kept: int = 0  # positions in them
    noted: int = 0  # positions that count as seen
    begun: bool = False

    def digest(self) -> None:
        """Hash the positions that are new."""
        prompt, last = self.prompt, self.digests[-1] if self.digests else b""
        for at in range(len(self.digests), len(prompt)):
            codes = prompt.codes[at]
            vector = self.vector if at == prompt.speaker_at else b""
            numbers = array("q", (prompt.text_ids[at], len(vector), len(codes), *codes))
            last = hashlib.sha256(last + numbers.tobytes() + vector).digest()
            self.digests.append(last)


class Prefixes:
    """`hits` counts prompts of which something was kept, `misses` the others."""

    def __init__(self, slots: Slots, max_bytes: int):
        self.slots, self.max_bytes = slots, max_bytes
        # by the digest of all positions up to a segment's end; least recently used first
        self.segments: OrderedDict[bytes, Segment] = OrderedDict()
        self.seen: OrderedDict[bytes, None] = OrderedDict()
        self.readings: dict[int, Reading] = {}  # by slot
        self.bytes = self.hits = self.misses = 0

    def begin(self, slot: int, prompt: Prompt, vector: NDArray[np.float32] | None) -> None:
        """A slot is about to read a prompt from its start."""
        if self.max_bytes:
            self.readings[slot] = Reading(prompt, b"" if vector is None else vector.tobytes())

    def end(self, slot: int) -> None:
        self.readings.pop(slot, None)

    def clear(self) -> None:
        self.segments.clear()
        self.bytes = 0

    def skip(self, slot: int, complete: bool) -> None:
        """Copy what is kept of a prompt's next positions into its slot.

        Of a prompt that is `complete` the last position stays to be read if its output is not kept.
        """
        reading = self.readings.get(slot)
        if reading is None:
            return
        reading.digest()
        at = start = self.slots.positions[slot]
        size = len(reading.digests)
        while end := self._reach(reading, at):
            key = reading.digests[end - 1]
            segment = self.segments[key]
            if segment.start <= reading.kept:
                reading.chain.append(key)
                reading.kept = end
            wanted = end - 1 if end == size and complete and segment.hidden is None else end
            if wanted > at:
                part = segment.memory[..., at - segment.start : wanted - segment.start, :]
                self.slots.resume(slot, part, segment.hidden if wanted == size else None)
            at = wanted
            if at < end:
                break
        self._use(reading)
        if not reading.begun:
            reading.begun = True
            self.hits += at > start
            self.misses += at == start

    def keep(self, slot: int) -> None:
        """After a read: keep what an earlier prompt began with too, remember the rest as seen."""
        reading = self.readings.get(slot)
        if reading is None:
            return
        end, digests = self.slots.positions[slot], reading.digests
        new = range(reading.noted, end)
        shared = next((at + 1 for at in reversed(new) if digests[at] in self.seen), 0)
        for at in new:
            self.seen[digests[at]] = None
            self.seen.move_to_end(digests[at])
        while len(self.seen) > MOST_SEEN:
            self.seen.popitem(last=False)
        reading.noted = end
        if shared:
            try:
                self._store(slot, reading, shared)
            except Exception as error:  # no reason for the request to end
                if not is_out_of_memory(error):
                    raise
                self.clear()

    def _reach(self, reading: Reading, at: int) -> int:
        """The furthest end of a segment that has position `at`; 0 where there is none."""
        digests = reading.digests
        for end in range(min(at + SEGMENT, len(digests)), at, -1):
            segment = self.segments.get(digests[end - 1])
            if segment is not None and segment.start <= at:
                return end
        return 0

    def _store(self, slot: int, reading: Reading, shared: int) -> None:
        """Keep the first positions of a slot, from where its kept segments end."""
        if any(key not in self.segments for key in reading.chain):
            reading.chain, reading.kept = [], 0
        cache = self.slots.state.cache
        position_bytes = 2 * cache.keys[:, 0, :, 0].numel() * cache.keys.element_size()
        hidden = self.slots.state.hidden[slot]
        shared = min(shared, (self.max_bytes - hidden.nbytes) // position_bytes)
        if shared <= reading.kept:
            return
        self._use(reading)
        self._make_room((shared - reading.kept) * position_bytes + hidden.nbytes)
        for end in ends(reading.kept, shared):
            last = hidden.clone() if end == self.slots.positions[slot] else None
            memory = self.slots.memory(slot, reading.kept, end)
            self._put(reading.digests[end - 1], Segment(reading.kept, memory, last))
            reading.chain.append(reading.digests[end - 1])
            reading.kept = end
        self._use(reading)

    def _put(self, key: bytes, segment: Segment) -> None:
        if key in self.segments:
            self.bytes -= self.segments[key].num_bytes
        self.segments[key] = segment
        self.bytes += segment.num_bytes

    def _make_room(self, num_bytes: int) -> None:
        while self.segments and self.bytes + num_bytes > self.max_bytes:
            _, segment = self.segments.popitem(last=False)
            self.bytes -= segment.num_bytes

    def _use(self, reading: Reading) -> None:
        """A prompt's segments are in use, the first of them last: without it none is found."""
        for key in reversed(reading.chain):
            if key in self.segments:
                self.segments.move_to_end(key)


def ends(start: int, end: int) -> Sequence[int]:
    """Where the segments of positions start..end end."""
    return [*range(start - start % SEGMENT + SEGMENT, end, SEGMENT), end]
