"""What is checked of every HTTP request before a route sees it, and added to every answer."""

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qwen3_tts.server.auth import host_allowed
from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.server.http_errors import error_response
from qwen3_tts.server.settings import ServerSettings

UPLOADS = ("/api/v1/voices", "/v1/audio/voices", "/v1/voices")  # which count their bytes themselves


class RequestGuard:
    """Bounds bodies as they arrive, whatever their length claims to be."""

    def __init__(self, app: ASGIApp, settings: ServerSettings):
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        if (fault := self._refusal(scope, headers)) is not None:
            await error_response(fault)(scope, receive, send)
            return
        limit = self._limit(scope)
        seen = 0

        async def counted() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if limit is not None and seen > limit:
                raise _too_large(limit)
            return message

        async def marked(message: Message) -> None:
            if message["type"] == "http.response.start":
                added = MutableHeaders(scope=message)
                added.setdefault("X-Content-Type-Options", "nosniff")
                added.setdefault("Cache-Control", "no-store")
            await send(message)

        await self.app(scope, counted, marked)

    def _refusal(self, scope: Scope, headers: Headers) -> Fault | None:
        if not host_allowed(headers.get("host"), self.settings):
            return Fault(
                FaultCode.FORBIDDEN,
                "this server answers on this machine alone, under its own name; to serve others "
                "set a key",
            )
        if headers.get("content-encoding", "identity") != "identity":
            return Fault(FaultCode.INVALID_MESSAGE, "compressed bodies are not taken")
        limit, length = self._limit(scope), headers.get("content-length", "")
        if limit is not None and length.isdecimal() and int(length) > limit:
            return _too_large(limit)
        return None

    def _limit(self, scope: Scope) -> int | None:
        if scope["path"].rstrip("/") in UPLOADS:
            return None
        return self.settings.max_body_bytes


def _too_large(limit: int) -> Fault:
    return Fault(FaultCode.TOO_LARGE, f"the body has more than the {limit} bytes allowed")
