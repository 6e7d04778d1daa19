"""`GET /api/v1/speak`: a WebSocket that takes text and gives sound as it is made.

docs/websocket.md is the protocol; `session.py` serves it.
"""

import logging

from fastapi import APIRouter
from starlette.websockets import WebSocket

from qwen3_tts.server.access.auth import (
    ANONYMOUS,
    accepted_subprotocol,
    host_allowed,
    origin_allowed,
    token_of,
)
from qwen3_tts.server.faults import HIDDEN, Fault, FaultCode, Gone
from qwen3_tts.server.state import state_of
from qwen3_tts.server.websocket.session import SpeakSession
from qwen3_tts.server.websocket.wire import INTERNAL, Wire

logger = logging.getLogger(__name__)
router = APIRouter()


@router.websocket("/api/v1/speak")
async def speak(socket: WebSocket) -> None:
    state, headers = state_of(socket), socket.headers
    offered = headers.get("sec-websocket-protocol", "").split(",")
    await socket.accept(accepted_subprotocol(offered))
    wire = Wire(socket, state.settings.slow_reader_s)
    session = SpeakSession(socket, wire, state)
    try:
        host = headers.get("host")
        allowed = origin_allowed(headers.get("origin"), host, state.settings)
        if not (allowed and host_allowed(host, state.settings)):
            raise Fault(FaultCode.UNAUTHORIZED, "pages of this origin may not connect")
        with session.place:
            if (token := token_of(headers)) or not state.auth.required:
                await session.identify(token)
            else:
                session.take_place(ANONYMOUS)
            await session.run()
    except Gone:
        pass
    except Fault as fault:
        await session.refuse(fault)
    except Exception:  # a border: a bug must not leave a client waiting
        logger.exception("a session failed")
        await session.refuse(Fault(FaultCode.SYNTHESIS_ERROR, HIDDEN, recoverable=False), INTERNAL)
    finally:
        await wire.close()
