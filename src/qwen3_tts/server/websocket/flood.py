"""How much one WebSocket client may send before it is let go."""

from collections import deque
from dataclasses import dataclass

from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.server.websocket.messages import ClientMessage, Speak
from qwen3_tts.server.websocket.wire import POLICY

MAX_EARLY, MAX_EARLY_CHARS = 8, 65_536  # messages kept until the model is ready


@dataclass
class Final(Fault):
    """A fault after which the session is closed, with this code."""

    close_code: int = POLICY

    @classmethod
    def of(cls, fault: Fault, close_code: int) -> "Final":
        again_s = fault.retry_after_s
        return cls(fault.code, fault.message, fault.param, again_s, False, close_code)


class Flood:
    """Counts messages and mistakes of one session."""

    def __init__(self, per_s: float, burst: int, max_mistakes: int):
        self.per_s, self.burst, self.max_mistakes = per_s, burst, max_mistakes
        self._left, self._then_s, self._mistakes = float(burst), 0.0, 0

    def message(self, now_s: float) -> None:
        """One more. Raises `Final` when they are too many."""
        self._left = min(self.burst, self._left + (now_s - self._then_s) * self.per_s) - 1
        self._then_s = now_s
        if self._left < 0:
            message = f"more than {self.per_s:g} messages a second, {self.burst} at once"
            raise Final(FaultCode.RATE_LIMITED, message, recoverable=False)

    def mistake(self) -> None:
        """One that made no sense. Raises likewise."""
        self._mistakes += 1
        if self._mistakes > self.max_mistakes:
            message = f"more than {self.max_mistakes} messages made no sense"
            raise Final(FaultCode.INVALID_MESSAGE, message, recoverable=False)


class EarlyMessages:
    """What came before the session was ready, in its order, so much and no more."""

    def __init__(self) -> None:
        self._kept: deque[ClientMessage] = deque()

    def keep(self, message: ClientMessage, *, is_known: bool) -> None:
        """Raises `Fault` where there is no room; for a client that nobody knows, a final one."""
        kept = (*self._kept, message)
        size = sum(len(m.text) for m in kept if isinstance(m, Speak))
        if len(kept) > MAX_EARLY or size > MAX_EARLY_CHARS:
            raise Fault(
                FaultCode.RATE_LIMITED if is_known else FaultCode.UNAUTHORIZED,
                f"only {MAX_EARLY} messages and {MAX_EARLY_CHARS} characters may come before "
                "the session is ready",
                retry_after_s=1.0 if is_known else None,
            )
        self._kept.append(message)

    def next(self) -> ClientMessage | None:
        return self._kept.popleft() if self._kept else None
