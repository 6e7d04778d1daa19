"""What can go wrong, as every door tells it: a code, a message, whether trying again makes sense.

An engine's errors (`qwen3_tts.errors`) become faults in one place, `fault_of`; each door renders a
fault in its own words: an `error` message on a WebSocket, an error object over HTTP.
"""

import logging
from dataclasses import dataclass
from enum import StrEnum

from qwen3_tts.errors import (
    Cancelled,
    InvalidRequest,
    InvalidText,
    OutOfMemory,
    Overloaded,
    StreamError,
    UnknownLanguage,
    UnknownVoice,
)

logger = logging.getLogger(__name__)

HIDDEN = "something went wrong inside the server; its log has the details under this request's id"


class FaultCode(StrEnum):
    MODEL_LOADING = "MODEL_LOADING"
    SYNTHESIS_ERROR = "SYNTHESIS_ERROR"
    INVALID_TEXT = "INVALID_TEXT"
    INVALID_MESSAGE = "INVALID_MESSAGE"
    VOICE_NOT_FOUND = "VOICE_NOT_FOUND"
    UNAUTHORIZED = "UNAUTHORIZED"
    RATE_LIMITED = "RATE_LIMITED"
    TIMEOUT = "TIMEOUT"
    CANCELLED = "CANCELLED"
    GPU_OUT_OF_MEMORY = "GPU_OUT_OF_MEMORY"
    # beyond the WebSocket contract, met over HTTP alone
    FORBIDDEN = "FORBIDDEN"
    NOT_FOUND = "NOT_FOUND"
    MODEL_NOT_FOUND = "model_not_found"  # as OpenAI spells it
    CONFLICT = "CONFLICT"
    TOO_LARGE = "TOO_LARGE"
    STORAGE_FULL = "STORAGE_FULL"


# code -> (HTTP status, whether the same session or caller may try again)
MEANING: dict[FaultCode, tuple[int, bool]] = {
    FaultCode.MODEL_LOADING: (503, True),
    FaultCode.SYNTHESIS_ERROR: (500, True),
    FaultCode.INVALID_TEXT: (400, True),
    FaultCode.INVALID_MESSAGE: (400, True),
    FaultCode.VOICE_NOT_FOUND: (404, False),
    FaultCode.UNAUTHORIZED: (401, False),
    FaultCode.RATE_LIMITED: (429, True),
    FaultCode.TIMEOUT: (408, True),
    FaultCode.CANCELLED: (499, True),
    FaultCode.GPU_OUT_OF_MEMORY: (503, True),
    FaultCode.FORBIDDEN: (403, False),
    FaultCode.NOT_FOUND: (404, False),
    FaultCode.MODEL_NOT_FOUND: (404, False),
    FaultCode.CONFLICT: (409, False),
    FaultCode.TOO_LARGE: (413, False),
    FaultCode.STORAGE_FULL: (507, False),
}


@dataclass
class Fault(Exception):
    """An error that is told to the caller: `message` is safe to show and says what is allowed.

    `param` names the field that was wrong, `retry_after_s` when to come back.
    """

    code: FaultCode
    message: str
    param: str | None = None
    retry_after_s: float | None = None
    recoverable: bool | None = None  # None: as the code usually is

    def __post_init__(self) -> None:
        super().__init__(self.message)
        if self.recoverable is None:
            self.recoverable = MEANING[self.code][1]

    @property
    def status(self) -> int:
        """HTTP status."""
        return MEANING[self.code][0]


class Gone(Exception):
    """The client has left, or reads so slowly that it was left."""

    def __init__(self, reason: str):
        super().__init__(reason)
        self.reason = reason  # "closed" | "slow_reader"


def fault_of(error: BaseException) -> Fault:
    """The fault that tells this error. What nobody foresaw is logged and told without details."""
    if isinstance(error, Fault):
        return error
    code = _code_of(error)
    if code is None:
        logger.error("unforeseen error", exc_info=error)
        return Fault(FaultCode.SYNTHESIS_ERROR, HIDDEN, recoverable=True)
    if code in (FaultCode.SYNTHESIS_ERROR, FaultCode.GPU_OUT_OF_MEMORY):
        logger.error("speech failed: %s", error)
        return Fault(code, _plain(code), retry_after_s=_retry(error))
    return Fault(code, str(error), retry_after_s=_retry(error), param=_param(error))


def outcome_of(fault: Fault) -> str:
    """How a request that ended so counts: the caller's mistake, the caller's wish, or ours."""
    if fault.code is FaultCode.CANCELLED:
        return "cancelled"
    return "refused" if fault.status < 500 else "error"


def _code_of(error: BaseException) -> FaultCode | None:
    for kind, code in (
        (OutOfMemory, FaultCode.GPU_OUT_OF_MEMORY),
        (MemoryError, FaultCode.GPU_OUT_OF_MEMORY),
        (InvalidText, FaultCode.INVALID_TEXT),
        (UnknownVoice, FaultCode.VOICE_NOT_FOUND),
        (InvalidRequest, FaultCode.INVALID_MESSAGE),
        (Overloaded, FaultCode.RATE_LIMITED),
        (Cancelled, FaultCode.CANCELLED),
        (StreamError, FaultCode.SYNTHESIS_ERROR),
        (TimeoutError, FaultCode.TIMEOUT),
    ):
        if isinstance(error, kind):
            return code
    return None


def _plain(code: FaultCode) -> str:
    if code is FaultCode.GPU_OUT_OF_MEMORY:
        return "the device ran out of memory; try again in a moment, or with a shorter text"
    return "the speech could not be finished; it may work when tried again"


def _retry(error: BaseException) -> float | None:
    return error.retry_after_s if isinstance(error, Overloaded) else None


def _param(error: BaseException) -> str | None:
    for kind, name in (
        (InvalidText, "input"),
        (UnknownVoice, "voice"),
        (UnknownLanguage, "language"),
    ):
        if isinstance(error, kind):
            return name
    return None
