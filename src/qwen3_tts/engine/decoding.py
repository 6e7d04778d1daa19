"""What the engine asks of a codec decoder, whoever does its arithmetic."""

from typing import Protocol

from torch import Tensor

from qwen3_tts.model.codec.state import DecoderState


class Decoder(Protocol):
    samples_per_frame: int

    def __call__(self, codes: Tensor, state: DecoderState) -> Tensor:
        """The next frames of every row: codes [B, K, T] -> wave [B, T * 1920]; moves `state` on."""
        ...

    def new_state(self, rows: int) -> DecoderState:
        """The start of a stream, for so many rows."""
        ...
