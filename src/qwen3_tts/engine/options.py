"""Options of an engine, and the sampling options of one request made complete and checked."""

import operator
from dataclasses import dataclass
from numbers import Real
from typing import SupportsIndex

from qwen3_tts.config import GenerationConfig
from qwen3_tts.engine.chunks import DEFAULT_PLAN, check_plan
from qwen3_tts.engine.guard import POLICIES
from qwen3_tts.errors import InvalidRequest, InvalidSampling
from qwen3_tts.types import Sampling


@dataclass(frozen=True)
class EngineOptions:
    """How an engine shares its device. Raises `InvalidRequest` for values that make no sense.

    A position is one prompt token or one frame; the published models keep 112 KiB for each in
    bfloat16 and 224 KiB in float32 (28 layers, 8 heads of 128, keys and values). Memory is taken
    as it is needed, for as many rows as are in use at the length of the longest.
    """

    max_rows: int = 8  # requests that share a step
    max_queue: int = 64  # requests that may wait
    max_positions: int = 16384  # rows in use times positions of the longest
    open_frames: int = 1500  # frames of a stream whose text is fed, if it does not say: 2 minutes
    chunk_plan: tuple[int, ...] = DEFAULT_PLAN  # frames of the first chunks of a stream
    read_positions: int = 64  # prompt positions read between two frames of others
    guard: str = "retry"  # what to do with speech that runs away; see `SpeechRequest`
    voice_cache_bytes: int = 256 * 2**20  # decoder states of in-context references
    # keys and values of prompt starts that came twice; None: 128 MiB, but 0 where torch computes on
    # a CPU, where a position's last bits depend on what is read with it
    prefix_cache_bytes: int | None = None
    text_timeout_s: float = 30.0  # patience with a text stream that is not fed
    warm_up: bool = True  # do what is slow at first use while there is nothing else to do
    # CPU threads of the engine's own thread; None: as torch is set, but one for a model so narrow
    # that sharing its matrices costs more than it saves
    threads: int | None = None
    graphs: bool | None = None  # record the loop's work and replay it; None: on CUDA
    # what torch may take of a CUDA device in this process: a share up to 1, or bytes; None: all
    gpu_memory: float | None = None
    stall_s: float = 60.0  # after this long without a sign of life the engine counts as dead

    def __post_init__(self) -> None:
        check_plan(self.chunk_plan)
        for name in ("max_rows", "max_positions", "open_frames", "read_positions"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InvalidRequest(f"{name} is {value!r}, allowed: 1 or more")
        if self.threads is not None and (isinstance(self.threads, bool) or self.threads < 1):
            raise InvalidRequest(f"threads is {self.threads!r}, allowed: None, or 1 or more")
        bounds = ["voice_cache_bytes", "text_timeout_s", "stall_s"]
        if self.prefix_cache_bytes is not None:
            bounds.append("prefix_cache_bytes")
        if self.gpu_memory is not None and not is_memory(self.gpu_memory):
            raise InvalidRequest(
                f"gpu_memory is {self.gpu_memory!r}, allowed: None, a share above 0 and up to 1, "
                f"or bytes from {LEAST_BYTES}"
            )
        for name in ("max_queue", *bounds):
            if not getattr(self, name) >= 0:
                raise InvalidRequest(f"{name} is {getattr(self, name)!r}, allowed: 0 or more")
        if self.guard not in POLICIES:
            raise InvalidRequest(f"guard {self.guard!r} is unknown; have: {', '.join(POLICIES)}")


LEAST_BYTES = 2**20  # what is less is a share, or a mistake in the unit


def is_memory(amount: object) -> bool:
    """Whether this is a share of a device's memory, or a number of bytes."""
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        return False
    return 0 < amount <= 1 or LEAST_BYTES <= amount < 2**60


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
    if not isinstance(sampling, Sampling):
        raise InvalidSampling(f"sampling must be a Sampling, got {type(sampling).__name__}")
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


def whole_number(value: object) -> int | None:
    """An integer of any kind, numpy's too, as an int; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, SupportsIndex):
        return None
    try:
        return operator.index(value)
    except TypeError:  # an array, say
        return None


def _number(name: str, given: float | None, default: float) -> float:
    value: object = default if given is None else given
    if isinstance(value, bool) or not isinstance(value, Real):
        raise InvalidSampling(f"{name} is {value!r}, it must be a number")
    try:
        return float(value)
    except OverflowError:
        raise InvalidSampling(
            f"{name} is a number of hundreds of digits, allowed: up to 100"
        ) from None


def _positive(name: str, given: float | None, default: float) -> float:
    """From 1e-6, below which float32 scores overflow, to 100, above which all draws are alike."""
    value = _number(name, given, default)
    if not 1e-6 <= value <= 100:
        hint = " (for the most likely code use greedy=True)" if value == 0 else ""
        raise InvalidSampling(f"{name} is {value:g}, allowed: 1e-6 to 100{hint}")
    return value


def _top_p(name: str, given: float | None, default: float) -> float:
    value = _number(name, given, default)
    if not 0 <= value <= 1:
        raise InvalidSampling(f"{name} is {value:g}, allowed: 0 to 1")
    return value


def _top_k(name: str, given: int | None, default: int) -> int:
    value = default if given is None else given
    whole = whole_number(value)
    if whole is None or whole < 0:
        raise InvalidSampling(f"{name} is {value!r}, allowed: 0 (keep all) or a positive integer")
    return whole


def _flag(name: str, given: bool | None, default: bool) -> bool:
    value = default if given is None else given
    if not isinstance(value, bool):
        raise InvalidSampling(f"{name} is {value!r}, allowed: True or False")
    return value
