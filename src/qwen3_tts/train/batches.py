"""Which utterances a step sees: drawn by speaker, sorted by length, cut to a budget of positions.

Draws come from one generator whose state, with the batches still to come, is all it takes to go
on where a run stopped.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.prompt.layout import Speaker, TokenIds
from qwen3_tts.train.data import Corpus, Item
from qwen3_tts.train.grid import Batch, collate, lay_out

CONTROL = 10  # positions before the text and around it, as an estimate for sorting
POOL = 16  # batches drawn, sorted and shuffled together


@dataclass(frozen=True)
class Draw:
    """One row of a batch: an utterance and how it is laid out."""

    item: int
    text_first: bool
    named_language: bool


class BatchMaker:
    """Turns draws into batches for one checkpoint."""

    def __init__(
        self,
        corpus: Corpus,
        items: Sequence[Item],
        ids: TokenIds,
        *,
        speakers: Mapping[str, int],
        languages: Mapping[str, int],
        end_of_speech: int,
    ):
        self.corpus, self.items, self.ids = corpus, items, ids
        self.speakers, self.languages = speakers, languages
        self.end_of_speech = end_of_speech

    def length(self, draw: Draw) -> int:
        item = self.items[draw.item]
        text = len(item.text) if draw.text_first else 0
        return item.utterance.frames + text + CONTROL

    def batch(self, draws: Sequence[Draw]) -> Batch:
        grids, units = [], []
        for draw in draws:
            item = self.items[draw.item]
            utterance = item.utterance
            language = self.languages[utterance.language] if draw.named_language else None
            grids.append(
                lay_out(
                    self.ids,
                    item.text,
                    self.corpus.frames(utterance),
                    speaker=Speaker(preset_id=self.speakers[utterance.speaker]),
                    language=language,
                    text_first=draw.text_first,
                )
            )
            units.append(item.units)
        pad, end = self.ids.tts_pad, self.end_of_speech
        return collate(grids, units, pad=pad, end_of_speech=end)


class Sampler:
    """An endless supply of batches of about `positions` positions."""

    def __init__(
        self,
        maker: BatchMaker,
        *,
        positions: int,
        seed: int,
        speaker_weights: Mapping[str, float] | None = None,
    ):
        self.maker, self.positions = maker, positions
        self.random = np.random.default_rng(seed)
        self.waiting: list[list[Draw]] = []
        frames = np.array([item.utterance.frames for item in maker.items])
        self.by_length = np.argsort(frames, kind="stable")
        given = speaker_weights or {}
        weight = [given.get(item.utterance.speaker, 1.0) for item in maker.items]
        self.weight = np.array(weight)[self.by_length]

    def next(self, share: float) -> Batch:
        """The next batch; `share` is how much of the corpus may be drawn, shortest first."""
        if not self.waiting:
            self.waiting = self._pool(share)
        return self.maker.batch(self.waiting.pop())

    def _pool(self, share: float) -> list[list[Draw]]:
        count = max(1, round(share * len(self.by_length)))
        total = np.cumsum(self.weight[:count])
        draws: list[Draw] = []
        budget = POOL * self.positions
        while budget > 0:
            place = int(np.searchsorted(total, self.random.random() * total[-1], side="right"))
            orders = self.random.integers(0, 2, size=2)
            draw = Draw(int(self.by_length[place]), bool(orders[0]), bool(orders[1]))
            draws.append(draw)
            budget -= self.maker.length(draw)
        batches = cut(draws, [self.maker.length(draw) for draw in draws], self.positions)
        return [batches[i] for i in self.random.permutation(len(batches))]

    def state(self) -> dict[str, Any]:
        waiting = [[(d.item, d.text_first, d.named_language) for d in b] for b in self.waiting]
        return {"random": self.random.bit_generator.state, "waiting": waiting}

    def restore(self, state: Mapping[str, Any]) -> None:
        self.random.bit_generator.state = state["random"]
        self.waiting = [[Draw(*draw) for draw in batch] for batch in state["waiting"]]


def cut(draws: Sequence[Draw], lengths: Sequence[int], positions: int) -> list[list[Draw]]:
    """Neighbours in length together, each batch at most `positions` with its padding."""
    order: NDArray[np.int64] = np.argsort(lengths, kind="stable")
    batches: list[list[Draw]] = [[]]
    for i in order:
        if batches[-1] and (len(batches[-1]) + 1) * lengths[i] > positions:
            batches.append([])
        batches[-1].append(draws[i])
    return batches
