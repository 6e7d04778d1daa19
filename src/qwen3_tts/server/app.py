"""The application: settings in, everything put together, routes out."""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable
from typing import Any

from fastapi import FastAPI
from fastapi.middleware.cors import CORSMiddleware
from fastapi.routing import iter_route_contexts

from qwen3_tts.backends.base import Synthesizer
from qwen3_tts.server.access.auth import Authenticator
from qwen3_tts.server.access.limits import Limits
from qwen3_tts.server.access.request_guard import RequestGuard
from qwen3_tts.server.http_errors import ERROR_RESPONSES, install_error_handlers
from qwen3_tts.server.observe.health import router as health
from qwen3_tts.server.observe.logs import RequestIdMiddleware
from qwen3_tts.server.observe.metrics import Metrics
from qwen3_tts.server.openai.routes import router as speech
from qwen3_tts.server.page.routes import router as page
from qwen3_tts.server.settings import ServerSettings
from qwen3_tts.server.speaking.model_host import ModelHost
from qwen3_tts.server.speaking.opening import open_engine
from qwen3_tts.server.speaking.speaker import Speaker
from qwen3_tts.server.state import ServerState, caller, public_caller
from qwen3_tts.server.voices.routes import router as voices
from qwen3_tts.server.voices.shelf import VoiceShelf
from qwen3_tts.server.websocket.routes import router as speak
from qwen3_tts.version import __version__
from qwen3_tts.voices.library import VoiceLibrary

logger = logging.getLogger(__name__)

HOUSEKEEPING_S = 1.0
DESCRIPTION = """\
Speech synthesis: OpenAI's speech API, voices, and a WebSocket.

Where keys are set, send one as `Authorization: Bearer <key>` or as `X-API-Key`. Every answer has an
`X-Request-ID`, under which the server's log tells of it; a request may bring its own. Errors are
those of OpenAI's API: `{"error": {"message", "type", "param", "code"}}`.

The WebSocket at `/api/v1/speak` takes text and gives sound as it is made; a description like this
one has no words for it, docs/websocket.md has.
"""
TAGS = [
    {"name": "speech", "description": "Text in, sound out while it is made."},
    {"name": "models", "description": "What is served, by the names that clients look for."},
    {"name": "voices", "description": "Who can speak; with a base checkpoint, new voices too."},
    {"name": "operations", "description": "For balancers, supervisors and dashboards."},
]
SECURITY_SCHEMES = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "an API key, or a JSON Web Token where the server is set up for them",
    },
    "apiKey": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
}
EITHER: list[dict[str, list[str]]] = [{"bearer": []}, {"apiKey": []}]
ROUTERS = (speech, voices, speak, health, page)


def create_app(settings: ServerSettings, *, synthesizer: Synthesizer | None = None) -> FastAPI:
    """The server as an ASGI application. With `synthesizer` no model is loaded but this one."""
    load = (lambda: synthesizer) if synthesizer is not None else _loader(settings)
    state = build_state(settings, load)
    docs = settings.docs
    app = Application(
        title="qwen3-tts",
        version=__version__,
        summary="Speech synthesis that streams",
        description=DESCRIPTION,
        license_info={"name": "Apache 2.0", "identifier": "Apache-2.0"},
        openapi_tags=TAGS,
        responses=ERROR_RESPONSES,
        lifespan=_lifespan,
        openapi_url="/openapi.json" if docs else None,
        docs_url=None,  # its page fetches scripts from elsewhere
        redoc_url=None,
    )
    app.state.server = state
    for router in ROUTERS:
        app.include_router(router)
    install_error_handlers(app)
    # the last one added is the outermost
    app.add_middleware(RequestGuard, settings=settings)
    if settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(settings.cors_origins),
            allow_credentials=settings.cors_credentials,
            allow_methods=["GET", "POST", "DELETE"],
            allow_headers=["Authorization", "Content-Type", "X-API-Key", "X-Request-ID"],
            expose_headers=["X-Request-ID", "X-Audio-Sample-Rate", "X-Seed", "Retry-After"],
        )
    app.add_middleware(RequestIdMiddleware)
    return app


class Application(FastAPI):
    """Describes itself as it is: which routes need a key, and no answer that none of them gives."""

    def openapi(self) -> dict[str, Any]:
        if self.openapi_schema is None:
            self._complete(super().openapi())
        assert self.openapi_schema is not None
        return self.openapi_schema

    def _complete(self, document: dict[str, Any]) -> None:
        settings: ServerSettings = self.state.server.settings
        for route in iter_route_contexts(self.routes):
            operations = document["paths"].get(route.path_format, {})
            for operation in (operations.get(method.lower()) for method in route.methods or ()):
                if operation is None:
                    continue
                operation["responses"].pop("422", None)  # the framework's; ours is 400
                asked = {part.call for part in route.dependant.dependencies}
                if settings.needs_key and asked & {caller, public_caller}:
                    freely = public_caller in asked and settings.public_metadata
                    operation["security"] = [*EITHER, {}] if freely else EITHER
        if settings.needs_key:
            document["components"]["securitySchemes"] = SECURITY_SCHEMES
        for name in ("HTTPValidationError", "ValidationError"):
            document["components"]["schemas"].pop(name, None)


def build_state(settings: ServerSettings, load: Callable[[], Synthesizer]) -> ServerState:
    model_id = settings.model if settings.engine != "fake" else "fake"
    model = ModelHost(
        load,
        model_id=model_id,
        load_timeout_s=settings.load_timeout_s,
        idle_unload_s=settings.idle_unload_s,
    )
    metrics, limits = Metrics([model.name]), Limits(settings)
    shelf = VoiceShelf(VoiceLibrary(settings.voices_dir), model, settings, metrics)
    speaker = Speaker(model, shelf, limits, metrics, settings)
    metrics.watch("tts_active_sessions", lambda: limits.active_sessions)
    metrics.watch("tts_active_streams", lambda: limits.active_streams)
    metrics.watch("tts_queue_depth", lambda: model.synthesizer.queued if model.synthesizer else 0)
    metrics.watch_model(lambda: str(model.state))
    return ServerState(settings, model, shelf, Authenticator(settings), limits, metrics, speaker)


def _loader(settings: ServerSettings) -> Callable[[], Synthesizer]:
    return lambda: open_engine(settings)


@contextlib.asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    state: ServerState = app.state.server
    if state.settings.load == "eager":
        state.model.start()
    keeper = asyncio.create_task(_keep_house(state))
    try:
        yield
    finally:
        keeper.cancel()
        state.limits.draining = True
        await asyncio.to_thread(state.model.close)


async def _keep_house(state: ServerState) -> None:
    """Retry a load that failed, unload what nobody uses."""
    while True:
        await asyncio.sleep(HOUSEKEEPING_S)
        try:
            state.model.unload_if_idle()
            if state.settings.load == "eager":
                state.model.retry_if_failed()
        except Exception:  # a border: the house is kept as long as the server runs
            logger.exception("housekeeping failed")
