"""The sending half of a `/api/v1/speak` socket: whole messages, one at a time, never for ever."""

import asyncio
import base64
import contextlib
from typing import Any

import numpy as np
from starlette.websockets import WebSocket, WebSocketDisconnect, WebSocketState

from qwen3_tts.audio.files import pcm16
from qwen3_tts.server.faults import Fault, Gone
from qwen3_tts.types import Wave

# close codes, RFC 6455 7.4.1
NORMAL, GOING_AWAY, POLICY, INTERNAL, TRY_LATER = 1000, 1001, 1008, 1011, 1013
LONGEST_REASON = 123  # bytes of a close frame that are left for it


class Wire:
    """Sends to one socket. Every method raises `Gone` when there is nobody to send to."""

    def __init__(self, socket: WebSocket, patience_s: float):
        self.socket, self.patience_s = socket, patience_s
        self._lock = asyncio.Lock()
        self.gone: Gone | None = None

    async def say(self, kind: str, **fields: Any) -> None:
        """A JSON message; fields that are None are left out."""
        known = {key: value for key, value in fields.items() if value is not None}
        await self._send("json", {"type": kind, **known})

    async def fault(self, fault: Fault, request_id: str | None = None) -> None:
        retry_ms = None if fault.retry_after_s is None else round(1000 * fault.retry_after_s)
        await self.say(
            "error",
            code=str(fault.code),
            message=fault.message,
            recoverable=fault.recoverable,
            param=fault.param,
            requestId=request_id,
            retryAfterMs=retry_ms,
        )

    async def sound(self, pcm: bytes) -> None:
        """A binary frame of whole samples."""
        await self._send("bytes", pcm)

    async def close(self, code: int = NORMAL, reason: str = "") -> None:
        """Close, if still open. Never raises."""
        if self.socket.application_state is not WebSocketState.CONNECTED or self.gone:
            return
        with contextlib.suppress(Exception):
            async with asyncio.timeout(self.patience_s):
                brief = reason.encode()[:LONGEST_REASON].decode(errors="ignore")
                await self.socket.close(code, brief)

    async def _send(self, form: str, content: Any) -> None:
        if self.gone:
            raise self.gone
        send = self.socket.send_json if form == "json" else self.socket.send_bytes
        try:
            async with self._lock, asyncio.timeout(self.patience_s):
                await send(content)
        except TimeoutError:
            self.gone = Gone("slow_reader")
            raise self.gone from None
        except (WebSocketDisconnect, RuntimeError, OSError):  # RuntimeError: closed by our side
            self.gone = self.gone or Gone("closed")
            raise self.gone from None


def as_pcm(wave: Wave, encoding: str) -> bytes:
    """Little-endian mono samples: `pcm16` clipped at full scale, `pcm32f` as they are."""
    return pcm16(wave) if encoding == "pcm16" else wave.astype("<f4").tobytes()


def chunk_fields(
    wave: Wave, encoding: str, *, number: int, start_s: float, is_final: bool
) -> dict[str, Any]:
    """Fields of an `audioChunk`; times are those of its first sample in the speech."""
    return {
        "data": base64.b64encode(as_pcm(wave, encoding)).decode("ascii"),
        "sequenceNumber": number,
        "isFinal": is_final,
        "timestampMs": round(1000 * start_s, 3),
        "timestamp": round(start_s, 6),
    }


NO_SOUND: Wave = np.zeros(0, dtype=np.float32)
