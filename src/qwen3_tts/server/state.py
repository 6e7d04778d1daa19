"""What all routes share, and how a route gets at it."""

from dataclasses import dataclass
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from qwen3_tts.server.access.auth import ANONYMOUS, Authenticator, Principal, token_of
from qwen3_tts.server.access.limits import Limits
from qwen3_tts.server.observe.metrics import Metrics
from qwen3_tts.server.settings import ServerSettings
from qwen3_tts.server.speaking.model_host import ModelHost
from qwen3_tts.server.speaking.speaker import Speaker
from qwen3_tts.server.voices.shelf import VoiceShelf


@dataclass
class ServerState:
    settings: ServerSettings
    model: ModelHost
    shelf: VoiceShelf
    auth: Authenticator
    limits: Limits
    metrics: Metrics
    speaker: Speaker


def state_of(connection: HTTPConnection) -> ServerState:
    state: ServerState = connection.app.state.server
    return state


async def caller(connection: HTTPConnection) -> Principal:
    """Who asks. Raises `Fault` UNAUTHORIZED or RATE_LIMITED."""
    state = state_of(connection)
    principal = await state.auth.identify_async(token_of(connection.headers))
    connection.scope["principal"] = principal.id  # for the access log
    state.limits.request(principal)
    return principal


async def public_caller(connection: HTTPConnection) -> Principal:
    """Who asks, for what the settings let anyone see (`public_metadata`)."""
    state = state_of(connection)
    if state.settings.public_metadata and token_of(connection.headers) is None:
        state.limits.request(ANONYMOUS)
        return ANONYMOUS
    return await caller(connection)


State = Annotated[ServerState, Depends(state_of)]
Caller = Annotated[Principal, Depends(caller)]
PublicCaller = Annotated[Principal, Depends(public_caller)]
