"""What was measured of one way to speak the sentences, in numbers."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from listening import spectra, teacher
from listening.speakers import Likeness
from listening.words import Errors, total, word_errors
from qwen3_tts.audio.files import Wave

IN_TIME = 1.5  # an end within so many times the teacher's duration counts
DRAWS = 2000  # of the bootstrap


@dataclass(frozen=True, eq=False)
class Take:
    """One sentence, spoken."""

    wave: Wave
    spent_s: float = 0.0  # to make it; 0 where nobody looked
    finish: str = ""  # the finish reason of generated speech
    retries: int = 0


@dataclass(frozen=True, eq=False)
class Condition:
    """All sentences, spoken one way, and what the recogniser made of them."""

    name: str
    takes: Sequence[Take]
    heard: Sequence[str]
    likeness: Likeness
    likeness_by: str  # what measured it

    @property
    def waves(self) -> list[Wave]:
        return [take.wave for take in self.takes]


def summary(condition: Condition, texts: Sequence[str], taught: Sequence[Wave]) -> dict[str, Any]:
    """All figures of a condition beside the teacher's waves of the same texts."""
    return {
        **words(texts, condition.heard),
        **spoken_like(condition.waves, taught),
        **endings(condition.takes, taught),
        "speaker": float(np.mean(condition.likeness.own)),
        "speaker_others": float(np.mean(condition.likeness.others)),
        "speaker_nearest": condition.likeness.nearest,
        "speaker_by": condition.likeness_by,
        "x_realtime": x_realtime(condition.takes),
    }


def words(texts: Sequence[str], heard: Sequence[str]) -> dict[str, Any]:
    """Word error with the interval that another choice of as many sentences would give."""
    errors = [word_errors(said, got) for said, got in zip(texts, heard, strict=True)]
    low, high = interval(errors)
    return {
        "word_error": total(errors).rate,
        "word_error_95": [low, high],
        "words": total(errors).words,
        "all_right": float(np.mean([part.wrong == 0 for part in errors])),
    }


def interval(errors: Sequence[Errors]) -> tuple[float, float]:
    """95 % interval of the total rate, by drawing sentences again and again."""
    counts = np.array([(part.wrong, part.words) for part in errors], dtype=np.float64)
    chosen = np.random.default_rng(0).integers(len(counts), size=(DRAWS, len(counts)))
    sums = counts[chosen].sum(axis=1)
    low, high = np.quantile(sums[:, 0] / np.maximum(sums[:, 1], 1), (0.025, 0.975))
    return float(low), float(high)


def spoken_like(waves: Sequence[Wave], taught: Sequence[Wave]) -> dict[str, Any]:
    """Distance to the teacher in sound and in length, without the quiet at both ends."""
    pairs = [
        (teacher.trimmed(ours, teacher.RATE), teacher.trimmed(theirs, teacher.RATE))
        for ours, theirs in zip(waves, taught, strict=True)
    ]
    ratios = np.array([len(ours) / len(theirs) for ours, theirs in pairs])
    return {
        "mel_cepstral_db": float(
            np.mean([spectra.mel_cepstral_distance(ours, theirs) for ours, theirs in pairs])
        ),
        "duration_ratio": float(ratios.mean()),
        "duration_ratio_range": [float(ratios.min()), float(ratios.max())],
    }


def endings(takes: Sequence[Take], taught: Sequence[Wave]) -> dict[str, Any]:
    """How generated speech ended; None for what was not generated."""
    reasons = Counter(take.finish for take in takes if take.finish)
    if not reasons:
        return {"ends": None, "finish": {}, "guards": None}
    in_time = [
        take.finish == "stop" and len(take.wave) <= IN_TIME * len(theirs)
        for take, theirs in zip(takes, taught, strict=True)
    ]
    guards = [take.finish.startswith("guard:") or take.retries > 0 for take in takes]
    return {"ends": float(np.mean(in_time)), "finish": dict(reasons), "guards": sum(guards)}


def x_realtime(takes: Sequence[Take]) -> float | None:
    """Seconds of speech for a second of work; None where nobody looked."""
    spent_s = sum(take.spent_s for take in takes)
    return sum(len(take.wave) for take in takes) / teacher.RATE / spent_s if spent_s else None


def rounded(value: Any) -> Any:
    """The same with floats of four decimals, for a line of JSON."""
    if isinstance(value, dict):
        return {key: rounded(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [rounded(inner) for inner in value]
    return round(value, 4) if isinstance(value, float) else value
