"""What a batch of decoder streams must remember between chunks.

Every causal layer remembers the tail of its own input; the transformer remembers the keys and
values of its window. All of it is plain tensors changed in place, so a row can be copied out (a
voice primed once), put back, or cleared for a new stream.

Dims: B rows, C channels, L layers, H heads, W attention window, E head dim.
"""

from dataclasses import dataclass

from torch import Tensor


@dataclass
class DecoderState:
    tails: list[Tensor]  # per causal layer: its last inputs, [B, C, context]
    keys: Tensor  # [L, B, H, W-1, E], oldest first
    values: Tensor  # [L, B, H, W-1, E]
    pos: Tensor  # [B], frames decoded so far

    def rows(self, index: Tensor) -> "DecoderState":
        """A copy of rows `index`: to decode part of a batch, keep a voice, or move a stream."""
        tails = [tail[index] for tail in self.tails]
        return DecoderState(tails, self.keys[:, index], self.values[:, index], self.pos[index])

    def span(self, start: int, end: int) -> "DecoderState":
        """Rows start..end as views: decoding them moves these rows on, without a copy."""
        tails = [tail[start:end] for tail in self.tails]
        keys, values = self.keys[:, start:end], self.values[:, start:end]
        return DecoderState(tails, keys, values, self.pos[start:end])

    def put(self, index: Tensor, part: "DecoderState") -> None:
        """Write rows back, the inverse of `rows`."""
        for tail, new in zip(self.tails, part.tails, strict=True):
            tail[index] = new
        self.keys[:, index], self.values[:, index] = part.keys, part.values
        self.pos[index] = part.pos

    def clear(self, index: Tensor) -> None:
        """Make rows ready for a new stream."""
        for tail in self.tails:
            tail[index] = 0
        self.pos[index] = 0  # keys before position 0 are masked, so what they hold is never read
