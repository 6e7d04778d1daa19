"""Random numbers of a batch: every row draws from a generator of its own.

Order and sizes of the draws are those of the official package for a single request (first code of
a frame, then its other codes, one exponential vector each), so equal seeds give equal codes, and a
neighbour in the batch never changes them.
"""

from collections.abc import Iterable

import torch

from qwen3_tts.config import TalkerConfig
from qwen3_tts.engine.options import SamplingOptions


class FrameNoise:
    """Exponential noise for one frame: `talker` [B, V], `predictor` [B, K-1, V']."""

    def __init__(self, config: TalkerConfig, rows: int, device: torch.device):
        predictor = config.code_predictor_config
        shape = (rows, config.num_code_groups - 1, predictor.vocab_size)
        self.talker = torch.ones(rows, config.vocab_size, device=device)
        self.predictor = torch.ones(shape, device=device)
        self.generators = [torch.Generator(device) for _ in range(rows)]
        self.draws = [(False, False)] * rows  # does the talker draw, does the predictor
        self.fresh: set[int] = set()  # rows whose numbers are drawn and not yet used

    def start(self, row: int, sampling: SamplingOptions, seed: int) -> None:
        """Begin a request in `row`. Greedy heads draw nothing, as in the official package."""
        self.generators[row].manual_seed(seed)
        self.fresh.discard(row)
        self.draws[row] = (not sampling.talker.greedy, not sampling.predictor.greedy)

    def refill(self, rows: Iterable[int]) -> None:
        """Numbers for one frame of these rows, new where the last ones were used."""
        for row in set(rows) - self.fresh:
            generator, (talker, predictor) = self.generators[row], self.draws[row]
            if talker:
                self.talker[row].exponential_(generator=generator)
            if predictor:  # one call gives the numbers of one call per group
                self.predictor[row].exponential_(generator=generator)
        self.fresh.update(rows)

    def use(self, rows: Iterable[int]) -> None:
        """A frame was made with the numbers of these rows."""
        self.fresh.difference_update(rows)
