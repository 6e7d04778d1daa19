"""Whether the server lives, whether it should be sent requests, and what it counts."""

from typing import Any

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field
from starlette.responses import JSONResponse, Response

from qwen3_tts.server.http_errors import RETRY_AFTER
from qwen3_tts.server.speaking.model_host import ModelState
from qwen3_tts.server.state import Caller, PublicCaller, ServerState, State
from qwen3_tts.version import __version__

router = APIRouter(tags=["operations"])

NEARLY_FULL = 0.9  # of the places for streams: others should be asked first


class Health(BaseModel):
    status: str = Field(description="`ok`, or `dead`: only a new process helps then")
    version: str


class Readiness(BaseModel):
    ready: bool
    model: str = Field(description="unloaded, loading, ready, failed or closed")
    progress: float = Field(description="of a load, 0 to 1")
    reason: str | None = Field(description="why it is not ready")


class Status(BaseModel):
    model: str
    state: str = Field(description="unloaded, loading, ready, failed or closed")
    kind: str | None = Field(description="base, custom_voice or voice_design, once it is loaded")
    languages: list[str] | None
    activeStreams: int
    activeSessions: int
    version: str


Responses = dict[int | str, dict[str, Any]]
DEAD: Responses = {503: {"model": Health, "description": "The engine has died."}}
UNREADY: Responses = {503: {"model": Readiness, "description": "Not now.", "headers": RETRY_AFTER}}


@router.get("/health", summary="Whether the process works", response_model=Health, responses=DEAD)
@router.head("/health", include_in_schema=False)
@router.get("/health/live", include_in_schema=False)
@router.get("/live", include_in_schema=False)
async def health(state: State) -> Response:
    """503 when the engine has died: only a new process helps then."""
    complaint = state.model.complaint()
    content = Health(status="dead" if complaint else "ok", version=__version__)
    return JSONResponse(content.model_dump(), 503 if complaint else 200)


@router.get(
    "/ready",
    summary="Whether requests should be sent here",
    response_model=Readiness,
    responses=UNREADY,
)
@router.head("/ready", include_in_schema=False)
@router.get("/health/ready", include_in_schema=False)
async def ready(state: State, request: Request) -> Response:
    """200 when a probe has been spoken, the server is not ending and has room for more.

    A server that loads its model on first use is ready without it.
    """
    leaving = getattr(request.app.state, "leaving", False)  # set by `serve.Server` on a signal
    reason = "shutting down" if leaving else _not_ready(state)
    content = Readiness(
        ready=not reason,
        model=str(state.model.state),
        progress=round(state.model.progress, 3),
        reason=reason or None,
    )
    headers = {"Retry-After": "5"} if reason else None
    return JSONResponse(content.model_dump(), 503 if reason else 200, headers)


@router.get("/metrics", include_in_schema=False)
async def metrics(state: State, _: PublicCaller) -> Response:
    content, media_type = state.metrics.render()
    return Response(content, media_type=media_type)


@router.get("/api/v1/status", summary="What is served, and how busy it is")
async def status(state: State, _: Caller) -> Status:
    """The model, its languages once it is loaded, and how many streams and sessions there are."""
    model = state.model.synthesizer
    return Status(
        model=state.model.name,
        state=str(state.model.state),
        kind=model.kind if model else None,
        languages=model.languages if model else None,
        activeStreams=state.limits.active_streams,
        activeSessions=state.limits.active_sessions,
        version=__version__,
    )


def _not_ready(state: ServerState) -> str:
    if state.limits.draining:
        return "shutting down"
    if state.model.complaint():  # which may quote an error; the log has it
        return "the engine has died"
    on_demand = state.settings.load == "lazy" or state.settings.idle_unload_s > 0
    if state.model.state is not ModelState.READY and not (on_demand and state.model.can_begin):
        return f"the model is {state.model.state}"
    if state.limits.active_streams >= NEARLY_FULL * state.settings.max_streams:
        return "busy"
    return ""
