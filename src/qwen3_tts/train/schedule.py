"""How far a run is, and what follows from that: learning rate, corruption, curriculum, guidance."""

import math
from dataclasses import dataclass

from qwen3_tts.train.corrupt import Corruption
from qwen3_tts.train.loss import Weights
from qwen3_tts.train.options import TalkerOptions


@dataclass(frozen=True)
class Moment:
    """Everything that changes over a run; `progress` goes from 0 to 1."""

    progress: float
    lr: float
    share: float  # of the corpus, shortest first
    corruption: Corruption
    weights: Weights


def progress_of(options: TalkerOptions, step: int, elapsed_s: float) -> float:
    """By the clock where minutes are given, else by steps."""
    done = elapsed_s / (60 * options.minutes) if options.minutes else step / options.steps
    return min(done, 1.0)


def moment(options: TalkerOptions, step: int, progress: float) -> Moment:
    cosine = (1 + math.cos(math.pi * progress)) / 2
    warm = min(1.0, (step + 1) / options.warmup) if options.warmup else 1.0
    grown = min(1.0, progress / options.curriculum) if options.curriculum else 1.0
    mistakes = options.corrupt_from + (1 - options.corrupt_from) * min(1.0, 2 * progress)
    return Moment(
        progress=progress,
        lr=warm * (options.final_lr + (options.lr - options.final_lr) * cosine),
        share=options.shortest + (1 - options.shortest) * grown,
        corruption=Corruption(options.near, options.far, options.cut).scaled(mistakes),
        weights=Weights(
            soft=options.soft,
            predictor=options.predictor_weight,
            late_group=options.late_group,
            guide=options.guide_weight * (1 - 0.75 * progress),
            predictor_share=options.predictor_share,
        ),
    )
