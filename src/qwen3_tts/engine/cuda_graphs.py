"""The loop's work as graphs: a whole frame in one replay, and a prompt's piece in one.

A frame of the 0.6B model is some thousands of small kernels, which a host launches more slowly than
a GPU runs them. Recorded per number of rows and length of attention, both rounded up, they are one
launch. Rows that only fill up a batch are computed along as `step` does with any that do not move.

Dims: B rows, S positions, D talker width, V vocabulary of a head.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from qwen3_tts.engine.graphs import Graphs, Replay, Shelf, bucket, place_of
from qwen3_tts.engine.runner import Runner
from qwen3_tts.engine.sampling import HeadOptions
from qwen3_tts.engine.step import LoopState, step
from qwen3_tts.engine.team import Team
from qwen3_tts.model.cache import FrameCache, KVCache, RowSpan

ROWS = (1, 2, 4, 8, 16, 32, 64, 128)
LENGTHS = tuple(256 << i for i in range(8))  # positions attended to
PIECES = tuple(8 << i for i in range(8))  # prompt positions read at once
USUAL_K = 50  # the published top_k; whoever keeps more pays for a sort of the vocabulary
MOST_GRAPHS = 64


class GraphRunner:
    """A `Runner` that records what `inner` does. One thread uses it."""

    def __init__(self, inner: Runner, graphs: Graphs):
        self.inner, self.graphs = inner, graphs
        self.config, self.like, self.cache_like = inner.config, inner.like, inner.cache_like
        self.team = Team(2)  # sound is made beside the loop, by a thread and a queue of its own
        self.frames, self.pieces = Shelf(graphs, MOST_GRAPHS), Shelf(graphs, MOST_GRAPHS)
        self.row = torch.zeros(1, dtype=torch.long, device=self.like.device)
        self.pos = torch.zeros_like(self.row)
        self.inputs: dict[int, Tensor] = {}  # of prompts' pieces, [1, S, D] by S

    def text_entries(self, ids: Sequence[int]) -> Sequence[int]:
        return self.inner.text_entries(ids)

    def embed(self, text: Tensor, codes: Tensor) -> Tensor:
        return self.inner.embed(text, codes)

    def logits(self, hidden: Tensor) -> Tensor:
        return self.inner.logits(hidden)

    def fill_frame(
        self, hidden: Tensor, first: Tensor, noise: Tensor, options: HeadOptions, cache: FrameCache
    ) -> Tensor:
        return self.inner.fill_frame(hidden, first, noise, options, cache)

    def rest(self) -> None:
        self.inner.rest()

    def batch(self, rows: int, most: int) -> int:
        """Rows of the batch that a step of so many makes, no more than there are."""
        return min(bucket(rows, ROWS) or most, most)

    def step(
        self, state: LoopState, talker_noise: Tensor, noise: Tensor, rows: int, limit: int
    ) -> Tensor:
        """`engine.step.step` of the first `rows`, from whole state and noise; codes [rows, K].

        `rows` is what `batch` said, and the cache has room for one position more in each of them.
        """
        options = state.options
        talker, predictor = (
            widened(head, size)
            for head, size in zip((options.talker, options.predictor), options.sizes, strict=True)
        )
        limit = rounded_length(limit, state.cache)
        key = (rows, limit, variant(talker), variant(predictor))

        def make() -> Replay:
            whole = replace(options, talker=talker, predictor=predictor)
            head = replace(state, options=whole).head(rows)
            drawn = talker_noise[:rows], noise[:rows]
            with unmoved(head.active):
                return self.graphs.capture(lambda: step(self.inner, head, *drawn, limit))

        place = place_of((*tensors_of(state), talker_noise, noise))
        return self.frames.take(place, key, make)().clone()

    def talk(self, x: Tensor, cache: KVCache, longest: int) -> Tensor:
        """As any runner's; a piece of one row's prompt is a replay.

        The piece is filled up with positions of zeros. What they leave in the cache lies beyond the
        row's end: nothing attends to it before it is overwritten by what comes there.
        """
        B, S, D = x.shape
        size = bucket(S, PIECES) or S
        end = longest - S + size
        if B != 1 or size > PIECES[-1] or end > cache.capacity:
            return self.inner.talk(x, cache, longest)
        whole = whole_cache(cache)
        given = self.inputs.setdefault(size, x.new_zeros(1, size, D))
        given[:, :S], given[:, S:] = x, 0
        self.row.fill_(cache.keys.storage_offset() // cache.keys.stride(1))
        self.pos.copy_(cache.pos)
        limit = rounded_length(end, cache)
        chosen = ChosenRow(whole.keys, whole.values, self.pos, self.row)
        replay = self.pieces.take(
            place_of((whole.keys, whole.values)),
            (size, limit),
            lambda: self.graphs.capture(lambda: self.inner.talk(given, chosen, limit)),
        )
        return replay()[:, :S].clone()


def rounded_length(limit: int, cache: KVCache) -> int:
    return min(bucket(limit, LENGTHS) or cache.capacity, cache.capacity)


def widened(options: HeadOptions, vocab_size: int) -> HeadOptions:
    """The same rows by a path that few other batches need another one for."""
    usual = min(USUAL_K, vocab_size)
    widest = usual if options.widest_k <= usual else vocab_size
    return replace(options, widest_k=widest, any_greedy=True, any_drawn=True)


def variant(options: HeadOptions) -> tuple[int, bool]:
    return options.widest_k, options.use_top_p


@contextmanager
def unmoved(active: Tensor) -> Iterator[None]:
    """While this lasts a step changes nothing: no row is active."""
    kept = active.clone()
    active.fill_(False)
    try:
        yield
    finally:
        active.copy_(kept)


def tensors_of(state: LoopState) -> Iterator[Tensor]:
    """All that a step reads or writes, but weights and noise."""
    cache, frames, options = state.cache, state.frame_cache, state.options
    yield from (cache.keys, cache.values, cache.pos, frames.keys, frames.values, state.hidden)
    yield from (state.seen, state.frame, state.trailing, state.last, state.active)
    yield from (state.suppressed, options.repetition_penalty)
    for head in (options.talker, options.predictor):
        yield from (head.temperature, head.top_k, head.tail, head.greedy)


def whole_cache(part: KVCache) -> KVCache:
    """The memory that `KVCache.rows` gave a part of; positions are the part's own."""

    def whole(rows: Tensor) -> Tensor:
        shape = list(rows.shape)
        shape[1] = rows.stride(0) // rows.stride(1)
        return rows.as_strided(shape, rows.stride(), 0)

    return KVCache(whole(part.keys), whole(part.values), part.pos)


@dataclass
class ChosenRow(KVCache):
    """One row of a cache, which a tensor names: `row` [1], at its position `pos` [1]."""

    row: Tensor

    def span(self, steps: int, limit: int) -> "ChosenSpan":
        index = torch.arange(steps, device=self.pos.device)
        return ChosenSpan(self, self.pos[:, None] + index, limit, self.row)


class ChosenSpan(RowSpan):
    def __init__(self, cache: KVCache, positions: Tensor, limit: int, row: Tensor):
        super().__init__(cache, positions, limit)
        self.row, self.index = row, (row[:, None, None], *self.index[1:])

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        all_keys, all_values = super().extend(layer, keys, values)
        return all_keys.index_select(0, self.row), all_values.index_select(0, self.row)
