"""Who does the arithmetic of the loop: `EagerRunner` by torch's modules, on any device.

A runner owns weights and nothing of a request. `step` calls it, and never knows which it is.

Dims: B rows, S positions, D talker width, K code groups, V code vocabulary.
"""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor

from qwen3_tts.config import CheckpointConfig
from qwen3_tts.engine.sampling import HeadOptions, draw
from qwen3_tts.engine.team import Team
from qwen3_tts.model.cache import FrameCache, KVCache
from qwen3_tts.model.speech_model import SpeechModel


class Runner(Protocol):
    config: CheckpointConfig
    like: Tensor  # device and type of hidden states and of the code predictor's memory
    cache_like: Tensor  # device and type of the talker's memory
    team: Team  # one thread, where torch has threads of its own

    def text_entries(self, ids: Sequence[int]) -> Sequence[int]:
        """Text ids -> what `embed` takes for them."""
        ...

    def embed(self, text: Tensor, codes: Tensor) -> Tensor:
        """Talker inputs: text entries [B, S] and codes [B, K, S], -1 for none -> [B, S, D]."""
        ...

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden [B, D] -> float32 scores [B, V] of the next frame's first code."""
        ...

    def fill_frame(
        self, hidden: Tensor, first: Tensor, noise: Tensor, options: HeadOptions, cache: FrameCache
    ) -> Tensor:
        """Codes of groups 1..K-1 drawn one after the other: first [B] -> codes [B, K]."""
        ...

    def talk(self, x: Tensor, cache: KVCache, longest: int) -> Tensor:
        """The next S positions of every row, x [B, S, D] -> hidden [B, S, D].

        No row reaches a position at or beyond `longest`. `cache.pos` stays as it is.
        """
        ...

    def rest(self) -> None:
        """No request is under way: what was kept for one may go."""
        ...


class EagerRunner:
    """The model's own modules, one after the other."""

    def __init__(self, model: SpeechModel):
        self.model, self.config = model, model.config
        self.team = Team()
        self.like = self.cache_like = model.talker.codec_embedding.weight

    def text_entries(self, ids: Sequence[int]) -> Sequence[int]:
        return ids

    def embed(self, text: Tensor, codes: Tensor) -> Tensor:
        return self.model.embed(text, codes)

    def logits(self, hidden: Tensor) -> Tensor:
        return self.model.talker.logits(hidden)

    def fill_frame(
        self, hidden: Tensor, first: Tensor, noise: Tensor, options: HeadOptions, cache: FrameCache
    ) -> Tensor:
        predictor = self.model.code_predictor
        first_vector = self.model.talker.codec_embedding(first)
        logits = predictor.start(hidden, first_vector, cache)
        codes = [first, draw(logits, options, noise[:, 0])]
        for group in range(1, noise.shape[1]):
            logits = predictor.step(group, codes[-1], cache)
            codes.append(draw(logits, options, noise[:, group]))
        return torch.stack(codes, dim=1)

    def talk(self, x: Tensor, cache: KVCache, longest: int) -> Tensor:
        hidden: Tensor = self.model.talker(x, cache.span(x.shape[1], longest))
        return hidden

    def rest(self) -> None:
        pass
