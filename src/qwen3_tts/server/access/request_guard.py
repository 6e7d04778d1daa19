"""What is checked of every HTTP request before a route sees it, and added to every answer."""

import asyncio
import time

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qwen3_tts.server.access.auth import host_allowed
from qwen3_tts.server.faults import Fault, FaultCode, fault_of
from qwen3_tts.server.http_errors import error_response
from qwen3_tts.server.settings import ServerSettings

UPLOADS = ("/api/v1/voices", "/v1/audio/voices", "/v1/voices")  # which count their bytes themselves
CODING = "content-encoding"
UNREAD = (408, 413)  # leave a part of the body on the wire, which no next request may follow
PAUSE_S = 10.0  # between two pieces of a body
BODY_S = 60.0  # for all of it: a megabyte at 140 kbit/s


class RequestGuard:
    """Bounds bodies as they arrive, whatever their length claims to be, and how long they take.

    It is also where an error that nobody foresaw becomes an answer.
    """

    def __init__(self, app: ASGIApp, settings: ServerSettings):
        self.app, self.settings = app, settings

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        answer = _Answer(send)
        if (fault := self._refusal(scope, Headers(scope=scope))) is not None:
            await error_response(fault)(scope, receive, answer.send)
            return
        limit = self._limit(scope)
        body = receive if limit is None else _Body(receive, limit).receive
        try:
            await self.app(scope, body, answer.send)
        except Exception as error:  # a border: whatever it was, the caller gets a fault
            if answer.started:  # too late to tell: the connection is cut
                raise
            await error_response(fault_of(error))(scope, receive, answer.send)

    def _refusal(self, scope: Scope, headers: Headers) -> Fault | None:
        hosts = headers.getlist("host")  # of two, who knows which one another layer reads
        if len(hosts) > 1 or not host_allowed(headers.get("host"), self.settings):
            return Fault(
                FaultCode.FORBIDDEN,
                "this server answers on this machine alone, under its own name; to serve others "
                "set a key",
            )
        if any(coding.strip().lower() != "identity" for coding in headers.getlist(CODING)):
            return Fault(FaultCode.INVALID_MESSAGE, "compressed bodies are not taken")
        limit, length = self._limit(scope), headers.get("content-length", "")
        # only digits that can be a size: longer ones are too large, and slow to read
        if limit is not None and length.isdecimal() and (len(length) > 20 or int(length) > limit):
            return _too_large(limit)
        return None

    def _limit(self, scope: Scope) -> int | None:
        if scope["path"].rstrip("/") in UPLOADS:
            return None
        return self.settings.max_body_bytes


class _Body:
    """A request's body, counted and timed until its end; then only the client's leaving is left."""

    def __init__(self, receive: Receive, limit: int):
        self._receive, self._limit = receive, limit
        self._seen, self._more = 0, True
        self._end_s = time.monotonic() + BODY_S

    async def receive(self) -> Message:
        if not self._more:
            return await self._receive()
        patience_s = min(PAUSE_S, self._end_s - time.monotonic())
        try:
            async with asyncio.timeout(patience_s):
                message = await self._receive()
        except TimeoutError:
            raise Fault(FaultCode.TIMEOUT, "the body came too slowly and was given up") from None
        self._seen += len(message.get("body", b""))
        self._more = message.get("more_body", False)
        if self._seen > self._limit:
            raise _too_large(self._limit)
        return message


class _Answer:
    """Passes messages on, with headers that every answer has."""

    def __init__(self, send: Send):
        self._send, self.started = send, False

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.started = True
            headers = MutableHeaders(scope=message)
            headers.setdefault("X-Content-Type-Options", "nosniff")
            headers.setdefault("Cache-Control", "no-store")
            if message["status"] in UNREAD:
                headers["Connection"] = "close"
        await self._send(message)


def _too_large(limit: int) -> Fault:
    return Fault(FaultCode.TOO_LARGE, f"the body has more than the {limit} bytes allowed")
