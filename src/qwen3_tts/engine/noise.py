"""Random numbers of a batch: every row draws from a generator of its own.

Order and sizes of the draws are those of the official package for a single request (first code of
a frame, then its other codes, one exponential vector each), so equal seeds give equal codes, and a
neighbour in the batch never changes them.
"""

from collections.abc import Sequence

import torch

from qwen3_tts.config import TalkerConfig
from qwen3_tts.engine.options import SamplingOptions


class FrameNoise:
    """Exponential noise for one frame: `talker` [B, V], `predictor` [B, K-1, V']."""

    def __init__(
        self,
        config: TalkerConfig,
        rows: Sequence[SamplingOptions],
        seeds: Sequence[int],
        device: torch.device,
    ):
        B, predictor = len(rows), config.code_predictor_config
        shape = (B, config.num_code_groups - 1, predictor.vocab_size)
        self.talker = torch.ones(B, config.vocab_size, device=device)
        self.predictor = torch.ones(shape, device=device)
        self.rows = [(not row.talker.greedy, not row.predictor.greedy) for row in rows]
        self.generators = [torch.Generator(device).manual_seed(seed) for seed in seeds]

    def refill(self, active: Sequence[bool]) -> None:
        """New numbers for the active rows; greedy heads draw none, as in the official package."""
        for row, generator in enumerate(self.generators):
            talker, predictor = self.rows[row]
            if active[row] and talker:
                self.talker[row].exponential_(generator=generator)
            if active[row] and predictor:
                for group in self.predictor[row]:
                    group.exponential_(generator=generator)
