"""Decoder states of reference recordings: speech in an in-context voice continues its reference.

Decoding a reference and going on from there equals decoding reference and speech together and
cutting the reference off. The state is kept per reference, least recently used first to go.
"""

import hashlib
from collections import OrderedDict
from collections.abc import Iterator

from qwen3_tts.engine.codec import Codec
from qwen3_tts.engine.slots import Slots
from qwen3_tts.model.codec.state import DecoderState
from qwen3_tts.types import Codes

PIECE = 8  # reference frames decoded at a time: others wait no longer than for a usual chunk


class Primer:
    def __init__(self, codec: Codec, max_bytes: int):
        self.codec, self.max_bytes = codec, max_bytes
        self.states: OrderedDict[bytes, DecoderState] = OrderedDict()
        self.hits = self.misses = 0

    def prime(self, reference: Codes, slots: Slots, slot: int) -> Iterator[None] | None:
        """Set a slot's decoder to the end of `reference` [R, K].

        None where the state was kept; else an iterator that does the work piece by piece.
        """
        key = hashlib.sha256(reference.tobytes()).digest()
        state = self.states.get(key)
        if state is None:
            self.misses += 1
            return self._decode(key, reference, slots, slot)
        self.hits += 1
        self.states.move_to_end(key)
        slots.prime(slot, state)
        return None

    def clear(self) -> None:
        self.states.clear()

    def _decode(self, key: bytes, reference: Codes, slots: Slots, slot: int) -> Iterator[None]:
        codes = self.codec.check_codes(reference)
        state = self.codec.decoder.new_state(1)
        for start in range(0, len(codes), PIECE):
            if start:
                yield
            self.codec.decoder(codes[start : start + PIECE].T[None], state)
        slots.prime(slot, state)
        self.states[key] = state
        while len(self.states) > 1 and sum(map(num_bytes, self.states.values())) > self.max_bytes:
            self.states.popitem(last=False)


def num_bytes(state: DecoderState) -> int:
    tensors = (*state.tails, state.keys, state.values)
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)
