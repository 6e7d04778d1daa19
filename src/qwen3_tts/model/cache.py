"""Keys and values of earlier positions, preallocated and passed in as arguments.

`KVCache` serves the talker: every row stands at a position of its own. `FrameCache` serves the
code predictor: all rows walk through the K positions of one frame in step, so its index is static.

Dims: L layers, B rows, G key/value heads, S positions, E head dim.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from qwen3_tts.config import CodePredictorConfig, TalkerConfig


@dataclass
class KVCache:
    """Talker memory. Unused positions hold zeros; `pos` [B] is each row's next position."""

    keys: Tensor  # [L, B, G, S, E]
    values: Tensor  # [L, B, G, S, E]
    pos: Tensor  # [B]

    @staticmethod
    def new(config: TalkerConfig, rows: int, capacity: int, like: Tensor) -> "KVCache":
        """Empty memory for `capacity` positions a row, on the device and in the dtype of `like`."""
        shape = (config.num_hidden_layers, rows, config.num_key_value_heads, capacity)
        keys = like.new_zeros(*shape, config.head_dim)
        pos = torch.zeros(rows, dtype=torch.long, device=like.device)
        return KVCache(keys, torch.zeros_like(keys), pos)

    @property
    def capacity(self) -> int:
        return self.keys.shape[3]

    def reserve(self, rows: int, capacity: int) -> None:
        """Make room for at least `rows` rows of `capacity` positions; positions double when they
        grow, so that a long row is copied few times."""
        have_rows, have = self.keys.shape[1], self.capacity
        if rows <= have_rows and capacity <= have:
            return
        capacity = have if capacity <= have else max(capacity, 2 * have)
        shape = list(self.keys.shape)
        shape[1], shape[3] = max(rows, have_rows), capacity
        keys, values = self.keys.new_zeros(shape), self.values.new_zeros(shape)
        pos = self.pos.new_zeros(shape[1])
        keys[:, :have_rows, :, :have], values[:, :have_rows, :, :have] = self.keys, self.values
        pos[:have_rows] = self.pos
        self.keys, self.values, self.pos = keys, values, pos  # all, or nothing if memory ran out

    def rows(self, start: int, end: int) -> "KVCache":
        """Rows start..end as views: what is written there is written here."""
        return KVCache(self.keys[:, start:end], self.values[:, start:end], self.pos[start:end])

    def span(self, steps: int, limit: int) -> "RowSpan":
        """The next `steps` positions of every row; no row attends at or beyond `limit`."""
        steps_index = torch.arange(steps, device=self.pos.device)
        return RowSpan(self, self.pos[:, None] + steps_index, limit)


class RowSpan:
    """Positions [B, S] in a `KVCache`; a query sees the keys at its own position and before."""

    def __init__(self, cache: KVCache, positions: Tensor, limit: int):
        self.cache, self.positions, self.limit = cache, positions, limit
        B, G, device = positions.shape[0], cache.keys.shape[2], positions.device
        seen = torch.arange(limit, device=device) <= positions[:, :, None]
        self.mask: Tensor | None = seen[:, None]
        rows = torch.arange(B, device=device)[:, None, None]
        groups = torch.arange(G, device=device)[None, :, None]
        self.index = (rows, groups, positions[:, None, :])  # broadcast to [B, G, S]

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        all_keys, all_values = self.cache.keys[layer], self.cache.values[layer]
        all_keys[self.index], all_values[self.index] = keys, values
        return all_keys[:, :, : self.limit], all_values[:, :, : self.limit]


@dataclass
class FrameCache:
    """Code predictor memory for one frame."""

    keys: Tensor  # [L, B, G, K, E]
    values: Tensor  # [L, B, G, K, E]

    @staticmethod
    def new(config: CodePredictorConfig, rows: int, like: Tensor) -> "FrameCache":
        shape = (config.num_hidden_layers, rows, config.num_key_value_heads, config.num_code_groups)
        keys = like.new_zeros(*shape, config.head_dim)
        return FrameCache(keys, torch.zeros_like(keys))

    def rows(self, count: int) -> "FrameCache":
        """The first rows, as views."""
        return FrameCache(self.keys[:, :count], self.values[:, :count])

    def span(self, start: int, steps: int) -> "FrameSpan":
        return FrameSpan(self, start, steps)


class FrameSpan:
    """Positions start..start+steps of a frame, the same in every row."""

    def __init__(self, cache: FrameCache, start: int, steps: int):
        self.cache, self.start, self.end = cache, start, start + steps
        index = torch.arange(self.end, device=cache.keys.device)
        self.positions = index[None, start:]
        # a single step sees everything before it: no mask
        self.mask = None if steps == 1 else (index <= index[start:, None])[None, None]

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        all_keys, all_values = self.cache.keys[layer], self.cache.values[layer]
        all_keys[:, :, self.start : self.end] = keys
        all_values[:, :, self.start : self.end] = values
        return all_keys[:, :, : self.end], all_values[:, :, : self.end]
