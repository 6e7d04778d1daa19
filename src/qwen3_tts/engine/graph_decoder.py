"""The codec's decoder as graphs, per number of rows and of frames, on a queue of its own.

Which rows are decoded lies in a tensor, so one graph serves any of them: it takes their state out
of that of the whole batch, decodes, and puts it back.

Dims: B rows, K codebooks, T frames.
"""

import threading
from collections.abc import Iterator, Sequence

import torch
from torch import Tensor

from qwen3_tts.engine.cuda_graphs import ROWS
from qwen3_tts.engine.decoding import Decoder
from qwen3_tts.engine.graphs import Graphs, Replay, Shelf, bucket, place_of
from qwen3_tts.model.codec.state import DecoderState

MOST_FRAMES = 16  # of a row; larger chunks are seldom and keep the GPU busy without graphs
MOST_GRAPHS = 96
EAGER_USES = 1  # of a size before it is recorded: the last chunks of streams are of any size


class GraphDecoder:
    """A `Decoder`. Any thread may call it, one at a time; sound is on the host when it returns."""

    def __init__(self, decoder: Decoder, graphs: Graphs):
        self.decoder, self.graphs = decoder, graphs
        self.samples_per_frame = decoder.samples_per_frame
        self.shelf = Shelf(graphs, MOST_GRAPHS)
        self.uses: dict[tuple[int, int], int] = {}
        self.inputs: dict[tuple[int, int], tuple[Tensor, Tensor]] = {}  # row numbers and codes
        self.lock = threading.Lock()

    def __call__(self, codes: Tensor, state: DecoderState) -> Tensor:
        """State of the caller's own, such as a voice's: nothing is recorded."""
        with self.lock, self.graphs.lane():
            return self.decoder(codes, state).cpu()

    def new_state(self, rows: int) -> DecoderState:
        return self.decoder.new_state(rows)

    def decode_rows(self, codes: Tensor, state: DecoderState, rows: Sequence[int]) -> Tensor:
        """The next frames of some rows of a batch: codes [B, K, T] -> wave [B, T * 1920], on the
        host; moves these rows on. The batch's last row is no one's: it fills up."""
        count, frames = codes.shape[0], codes.shape[2]
        size = bucket(count, ROWS) or count
        with self.lock, self.graphs.lane():
            index = torch.tensor(rows, device=codes.device)
            uses = self.uses[size, frames] = self.uses.get((size, frames), 0) + 1
            if frames > MOST_FRAMES or size > ROWS[-1] or uses <= EAGER_USES:
                return self._decode(state, index, codes).cpu()
            wave = self._replay(state, index, codes, size)
            return wave[:count].to("cpu", copy=True)

    def _replay(self, state: DecoderState, index: Tensor, codes: Tensor, size: int) -> Tensor:
        (count, K, T), spare = codes.shape, state.pos.shape[0] - 1
        key = (size, T)
        if key not in self.inputs:
            self.inputs[key] = index.new_zeros(size), codes.new_zeros(size, K, T)
        rows, given = self.inputs[key]

        def make() -> Replay:
            rows.fill_(spare)  # recording moves no stream on
            return self.graphs.capture(lambda: self._decode(state, rows, given))

        replay = self.shelf.take(place_of(tensors_of(state)), key, make)
        rows.fill_(spare)
        rows[:count], given[:count] = index, codes
        return replay()

    def _decode(self, state: DecoderState, rows: Tensor, codes: Tensor) -> Tensor:
        part = state.rows(rows)
        wave = self.decoder(codes, part)
        state.put(rows, part)
        return wave


def tensors_of(state: DecoderState) -> Iterator[Tensor]:
    yield from (*state.tails, state.keys, state.values, state.pos)
