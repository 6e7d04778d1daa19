"""Options of an engine, and the sampling options of one request made complete and checked."""

import math
from dataclasses import dataclass

from qwen3_tts.config import GenerationConfig
from qwen3_tts.errors import InvalidSampling
from qwen3_tts.types import Sampling


@dataclass(frozen=True)
class EngineOptions:
    """`max_rows` requests share a batch; `decode_frames` are decoded at a time (bounds memory)."""

    max_rows: int = 8
    decode_frames: int = 64


@dataclass(frozen=True)
class DrawOptions:
    """How one head draws. `top_k=0` and `top_p=1` keep everything."""

    temperature: float
    top_k: int
    top_p: float
    greedy: bool


@dataclass(frozen=True)
class SamplingOptions:
    talker: DrawOptions
    predictor: DrawOptions
    repetition_penalty: float


def complete_sampling(sampling: Sampling, defaults: GenerationConfig) -> SamplingOptions:
    """Fill in the checkpoint's values and check the result. Raises `InvalidSampling`."""
    s, d = sampling, defaults
    return SamplingOptions(
        talker=DrawOptions(
            temperature=_positive("temperature", s.temperature, d.temperature),
            top_k=_top_k("top_k", s.top_k, d.top_k),
            top_p=_top_p("top_p", s.top_p, d.top_p),
            greedy=_flag("greedy", s.greedy, not d.do_sample),
        ),
        predictor=DrawOptions(
            temperature=_positive(
                "predictor_temperature", s.predictor_temperature, d.subtalker_temperature
            ),
            top_k=_top_k("predictor_top_k", s.predictor_top_k, d.subtalker_top_k),
            top_p=_top_p("predictor_top_p", s.predictor_top_p, d.subtalker_top_p),
            greedy=_flag("predictor_greedy", s.predictor_greedy, not d.subtalker_dosample),
        ),
        repetition_penalty=_positive(
            "repetition_penalty", s.repetition_penalty, d.repetition_penalty
        ),
    )


def _number(name: str, given: float | None, default: float) -> float:
    value = default if given is None else given
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise InvalidSampling(f"{name} is {value!r}, it must be a finite number")
    return float(value)


def _positive(name: str, given: float | None, default: float) -> float:
    """Above 0 and at most 100: beyond that every draw is uniform and certainly a slip."""
    value = _number(name, given, default)
    if not 0 < value <= 100:
        hint = " (for the most likely code use greedy=True)" if value == 0 else ""
        raise InvalidSampling(f"{name} is {value:g}, allowed: above 0, up to 100{hint}")
    return value


def _top_p(name: str, given: float | None, default: float) -> float:
    value = _number(name, given, default)
    if not 0 <= value <= 1:
        raise InvalidSampling(f"{name} is {value:g}, allowed: 0 to 1")
    return value


def _top_k(name: str, given: int | None, default: int) -> int:
    value = default if given is None else given
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise InvalidSampling(f"{name} is {value!r}, allowed: 0 (keep all) or a positive integer")
    return value


def _flag(name: str, given: bool | None, default: bool) -> bool:
    value = default if given is None else given
    if not isinstance(value, bool):
        raise InvalidSampling(f"{name} is {value!r}, allowed: True or False")
    return value
