"""The rows of a running batch: tensors for `max_rows` requests, each row at a point of its own.

A row reads its prompt in pieces, then makes frames together with the others, and has its own place
in the codec's state. Only the engine's thread touches them.
"""

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from qwen3_tts.engine.cuda_graphs import GraphRunner
from qwen3_tts.engine.decoding import Decoder
from qwen3_tts.engine.graph_decoder import GraphDecoder
from qwen3_tts.engine.noise import FrameNoise
from qwen3_tts.engine.options import SamplingOptions
from qwen3_tts.engine.runner import Runner
from qwen3_tts.engine.sampling import RowOptions, suppressed_ids
from qwen3_tts.engine.step import LoopState, step
from qwen3_tts.model.cache import FrameCache, KVCache
from qwen3_tts.model.codec.state import DecoderState
from qwen3_tts.prompt.layout import Frame
from qwen3_tts.types import Wave

FIRST_POSITIONS = 512  # memory for 512 positions a row at first; it doubles when a row needs more
KEEP_POSITIONS = 2048  # more than that is given back when the last row is free
FIRST_TRAILING = 256
# With graphs, which are recorded anew where memory moves, there is more from the start: 112 MiB a
# row of a published model in bfloat16.
GRAPH_POSITIONS, GRAPH_TRAILING = 1024, 4096


class Slots:
    def __init__(self, runner: Runner, decoder: Decoder, max_rows: int):
        self.runner, self.decoder, self.max_rows = runner, decoder, max_rows
        self.config = runner.config.talker_config
        self.device, self.team = runner.like.device, runner.team
        self.graphs = runner if isinstance(runner, GraphRunner) else None
        self.clear()

    def clear(self) -> None:
        """Drop everything and start with empty rows and little memory."""
        config, R, device = self.config, self.max_rows, self.device
        self.used: set[int] = set()
        self.positions = [0] * R  # positions each row has filled, for the host to bound attention
        self.noise = FrameNoise(config, R, device)
        trailing = GRAPH_TRAILING if self.graphs else FIRST_TRAILING
        self.state = LoopState(
            cache=self._new_cache(),
            frame_cache=FrameCache.new(config.code_predictor_config, R, self.runner.like),
            hidden=self.runner.like.new_zeros(R, config.hidden_size),
            seen=torch.zeros(R, config.vocab_size, dtype=torch.bool, device=device),
            frame=torch.zeros(R, dtype=torch.long, device=device),
            trailing=torch.zeros(R, trailing, dtype=torch.long, device=device),
            last=torch.zeros(R, dtype=torch.long, device=device),
            active=torch.zeros(R, dtype=torch.bool, device=device),
            options=RowOptions.new(R, config, device),
            suppressed=suppressed_ids(config, device),
        )
        batched = isinstance(self.decoder, GraphDecoder)
        self.decoding = self.decoder.new_state(R + 1 if batched else R)

    def _new_cache(self) -> KVCache:
        rows, positions = (self.max_rows, GRAPH_POSITIONS) if self.graphs else (1, FIRST_POSITIONS)
        return KVCache.new(self.config, rows, positions, self.runner.cache_like)

    def start(self, slot: int, sampling: SamplingOptions, seed: int) -> None:
        """Make a row ready for a new request."""
        self.used.add(slot)
        state = self.state
        state.cache.reserve(slot + 1, FIRST_POSITIONS)
        state.cache.pos[slot] = 0
        state.frame[slot] = 0
        state.seen[slot] = False
        state.options.set(slot, sampling)
        self.noise.start(slot, sampling, seed)
        self.positions[slot] = 0
        self.reset_sound(slot)

    def read(
        self,
        slot: int,
        text_ids: Sequence[int],
        codes: Sequence[Frame],
        speaker: tuple[int, np.ndarray] | None = None,
    ) -> None:
        """Read the next prompt positions of a row. `speaker` is (position in piece, vector)."""
        device, S = self.device, len(text_ids)
        grid = torch.full((S, self.config.num_code_groups), -1)
        for s, frame in enumerate(codes):
            if frame:
                grid[s, : len(frame)] = torch.tensor(frame)
        text = torch.tensor(self.runner.text_entries(text_ids), device=device)[None]
        x = self.runner.embed(text, grid.T[None].to(device))  # [1, S, D]
        if speaker is not None:
            at, vector = speaker
            x[0, at] += torch.from_numpy(vector).to(device=device, dtype=x.dtype)
        end = self.positions[slot] + S
        self.state.cache.reserve(slot + 1, end)
        row = self.state.cache.rows(slot, slot + 1)
        hidden = self.runner.talk(x, row, end)
        row.pos += S
        self.positions[slot] = end
        self.state.hidden[slot] = hidden[0, -1]

    def resume(self, slot: int, memory: Tensor, hidden: Tensor | None) -> None:
        """Let a row have read its next positions: their keys and values [2, L, G, n, E], and what
        the talker made of the last [D]. Without that, more has to be read before a step."""
        start = self.positions[slot]
        end = start + memory.shape[3]
        self.state.cache.reserve(slot + 1, end)
        cache = self.state.cache
        cache.keys[:, slot, :, start:end], cache.values[:, slot, :, start:end] = memory
        cache.pos[slot] = end
        self.positions[slot] = end
        if hidden is not None:
            self.state.hidden[slot] = hidden

    def memory(self, slot: int, start: int, end: int) -> Tensor:
        """A copy of the keys and values of a row's positions start..end, [2, L, G, n, E]."""
        cache = self.state.cache
        parts = (cache.keys[:, slot, :, start:end], cache.values[:, slot, :, start:end])
        return torch.stack(parts)

    def feed(self, slot: int, at: int, ids: Sequence[int]) -> None:
        """Set a row's trailing text ids from index `at` on; the last one repeats for ever."""
        if not ids:
            return
        state, end = self.state, at + len(ids)
        if end > state.trailing.shape[1]:
            more = max(end, 2 * state.trailing.shape[1]) - state.trailing.shape[1]
            extra = state.trailing.new_zeros(self.max_rows, more)
            state.trailing = torch.cat([state.trailing, extra], dim=1)
        entries = self.runner.text_entries(ids)
        state.trailing[slot, at:end] = torch.tensor(entries, device=self.device)
        state.last[slot] = end - 1

    def step(self, rows: Sequence[int]) -> Tensor:
        """One frame for each of `rows`: codes [n, K] of the first n slots, n - 1 the last row.

        A step that raises left no trace: made again, it uses the same random numbers.
        """
        state, n = self.state, max(rows) + 1
        limit = max(self.positions[row] for row in rows) + 1
        batch = self.graphs.batch(n, self.max_rows) if self.graphs else n
        state.cache.reserve(batch, max(self.positions[:batch]) + 1)  # idle rows are computed along
        self.noise.refill(rows)
        active = torch.zeros(batch, dtype=torch.bool)
        active[list(rows)] = True
        state.active[:batch] = active.to(self.device)
        talker, predictor = self.noise.talker, self.noise.predictor
        if self.graphs:
            codes = self.graphs.step(state, talker, predictor, batch, limit)
        else:
            codes = step(self.runner, state.head(n), talker[:n], predictor[:n], limit)
        self.noise.use(rows)
        if self.graphs:
            self.noise.refill(rows)  # for the next frame, while the device makes this one
        for row in rows:
            self.positions[row] += 1
        return codes

    def decode(self, slots: Sequence[int], codes: Tensor) -> list[Wave]:
        """Decode the next frames of some rows together. codes [m, K, T] -> m waves [T * 1920].

        `slots` rise; neighbours are decoded where they lie, others are copied out and back. A
        decode that raises leaves these rows where nobody knows: `reset_sound` before the next.
        """
        first, end = slots[0], slots[-1] + 1
        if isinstance(self.decoder, GraphDecoder):
            waves = self.decoder.decode_rows(codes, self.decoding, slots)
        elif end - first == len(slots):
            waves = self.decoder(codes, self.decoding.span(first, end))
        else:
            index = torch.tensor(slots, device=self.device)
            part = self.decoding.rows(index)
            waves = self.decoder(codes, part)
            self.decoding.put(index, part)
        return list(waves.cpu().numpy())

    def reset_sound(self, slot: int) -> None:
        """Put a row's decoder at the start of a stream."""
        self.decoding.clear(torch.tensor([slot], device=self.device))

    def free(self, slot: int) -> None:
        """The row's request has ended."""
        self.positions[slot] = 0
        self.state.options.set(slot, None)
        self.used.discard(slot)
        if not self.used:
            self.runner.rest()
        if not self.used and self.state.cache.capacity > KEEP_POSITIONS:
            self.state.cache = self._new_cache()
        elif slot < len(self.state.cache.pos):
            self.state.cache.pos[slot] = 0

    def prime(self, slot: int, state: DecoderState) -> None:
        """Continue a row's sound from a decoder state of one row, such as a voice's reference."""
        self.decoding.put(torch.tensor([slot], device=self.device), state)
