"""Logs that machines can read, one line an event, each with the id of the request it belongs to.

`RequestIdMiddleware` gives requests their ids and writes the access log.
"""

import json
import logging
import re
import sys
import time
import traceback
import uuid
from collections.abc import Iterator, MutableMapping
from contextvars import ContextVar
from typing import Any, TextIO

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from qwen3_tts.server.observe.redaction import Redactor, described_text
from qwen3_tts.server.settings import ServerSettings

__all__ = ["RequestIdMiddleware", "configure_logging", "described_text", "new_request_id"]

access = logging.getLogger("qwen3_tts.server.access")

REQUEST_ID_HEADER = "X-Request-ID"
LONGEST_TRACE = 16_384  # characters, the last ones
# asked every few seconds
QUIET_PATHS = ("/health", "/health/live", "/health/ready", "/ready", "/live", "/metrics")
OWN_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {
    "message",
    "asctime",
    "taskName",
    "color_message",  # uvicorn's, the same once more
}

request_id_var: ContextVar[str | None] = ContextVar("request_id", default=None)


def new_request_id(given: str | None) -> str:
    """The caller's id where it is harmless in headers and logs, else a new one."""
    if given is not None and re.fullmatch(r"[A-Za-z0-9_-]{1,64}", given):
        return given
    return f"req_{uuid.uuid4().hex}"


def configure_logging(settings: ServerSettings, stream: TextIO | None = None) -> logging.Handler:
    """Send all logs of this process to `stream` (standard error), as the settings say.

    Replaces what an earlier call set up, and uvicorn's own lines: start it with log_config=None.
    """
    secrets = [key.get_secret_value() for key in settings.all_keys()]
    if settings.jwt_secret is not None:
        secrets.append(settings.jwt_secret.get_secret_value())
    redactor = Redactor(secrets, settings.log_text)
    handler = _ServerHandler(stream or sys.stderr)
    handler.setFormatter((JsonLines if settings.log_format == "json" else TextLines)(redactor))
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _ServerHandler)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.INFO)
    for name in ("uvicorn", "uvicorn.error", "uvicorn.access"):
        logging.getLogger(name).handlers.clear()
        logging.getLogger(name).propagate = name != "uvicorn.access"  # ours tells more
        logging.getLogger(name).setLevel(logging.WARNING)  # it has paths with their queries
    return handler


class _ServerHandler(logging.StreamHandler[TextIO]):
    """Our handler, told apart from those of others."""


class _Lines(logging.Formatter):
    """What both formats share: the parts of a record, redacted, none of which can fail."""

    def __init__(self, redactor: Redactor):
        super().__init__()
        self.redactor = redactor

    def time(self, record: logging.LogRecord) -> str:
        """UTC, as 2026-11-21T18:39:50.123Z."""
        whole = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(record.created))
        return f"{whole}.{int(record.created * 1000) % 1000:03d}Z"

    def message(self, record: logging.LogRecord) -> str:
        try:
            text = record.getMessage()
        except Exception:  # a border: whatever a value's __str__ raises, the line must come
            text = f"{record.msg!s} (its values could not be filled in)"
        return self.redactor.text(text)

    def extras(self, record: logging.LogRecord) -> Iterator[tuple[str, Any]]:
        for name, value in vars(record).items():
            if name in OWN_FIELDS or name == "request_id":
                continue
            try:
                shown = self.redactor.value(name, value)
            except Exception:  # a border, as above
                shown = f"({type(value).__name__} that cannot be shown)"
            yield self.redactor.text(name), shown

    def trace(self, record: logging.LogRecord) -> str:
        parts = [record.exc_text or ""]
        if record.exc_info and record.exc_info[0] is not None:
            parts = traceback.format_exception(*record.exc_info)
        if record.stack_info:
            parts.append(record.stack_info)
        return self._shortened("".join(parts))

    def request_id(self, record: logging.LogRecord) -> str | None:
        given = getattr(record, "request_id", None) or request_id_var.get()
        return None if given is None else self.redactor.text(str(given))

    def _shortened(self, trace: str) -> str:
        lines = (self.redactor.text(line) for line in trace.splitlines())
        return "\n".join(lines)[-LONGEST_TRACE:]


class JsonLines(_Lines):
    """{"time", "level", "logger", "message", "request_id", extras, "exception"}."""

    def format(self, record: logging.LogRecord) -> str:
        own: dict[str, Any] = {
            "time": self.time(record),
            "level": record.levelname,
            "logger": record.name,
            "message": self.message(record),
            "request_id": self.request_id(record),
        }
        if trace := self.trace(record):
            own["exception"] = trace
        extras = {name: value for name, value in self.extras(record) if name not in own}
        return json.dumps(own | extras)  # ASCII alone: no line feed or terminal code gets through


class TextLines(_Lines):
    """For people: `time LEVEL logger [request] message key=value`, a traceback below it."""

    def format(self, record: logging.LogRecord) -> str:
        where = self.request_id(record) or "-"
        head = f"{self.time(record)} {record.levelname} {record.name} [{_escaped(where)}]"
        extras = (f" {_escaped(name)}={_shown(value)}" for name, value in self.extras(record))
        line = f"{head} {_escaped(self.message(record))}{''.join(extras)}"
        trace = self.trace(record)
        return "\n".join([line, *(f"  | {_escaped(part)}" for part in trace.splitlines())])


def _shown(value: Any) -> str:
    """A plain word as it is, all else as JSON."""
    plain = isinstance(value, str) and re.fullmatch(r"[\w./:@+-]+", value, re.ASCII)
    return value if plain else json.dumps(value)


def _escaped(text: str) -> str:
    """Letters of any script as they are; line ends, terminal and bidi codes spelled out."""
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


class RequestIdMiddleware:
    """Gives each request and WebSocket its id, and logs a line when it is over.

    Pure ASGI: passes every message on at once, so streams stay streams. The id is in
    `request_id_var`, in `request.state.request_id` and in the answer's X-Request-ID. The access
    line names `scope["principal"]` where a route has set it.
    """

    def __init__(self, app: ASGIApp):
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        request_id = new_request_id(Headers(scope=scope).get(REQUEST_ID_HEADER))
        scope.setdefault("state", {})["request_id"] = request_id
        # Never reset: each request runs in a task of its own, and what catches its errors further
        # out should log them under this id too.
        request_id_var.set(request_id)
        answer = _Answer(send, request_id)
        began_s = time.perf_counter()
        try:
            await self.app(scope, receive, answer.send)
        except BaseException as error:
            answer.broken = type(error).__name__
            raise
        finally:
            _log_access(scope, answer, time.perf_counter() - began_s)


class _Answer:
    """Passes messages on and notes what became of the request."""

    def __init__(self, send: Send, request_id: str):
        self._send, self._request_id = send, request_id
        self.status: int | None = None
        self.bytes = 0
        self.broken: str | None = None  # the error that ended it

    async def send(self, message: Message) -> None:
        kind = message["type"]
        if kind in ("http.response.start", "websocket.http.response.start"):
            self.status = message["status"]
            self._name(message)
        elif kind == "websocket.accept":
            self.status = 101
            self._name(message)
        elif kind == "websocket.close":
            # refused before it was accepted, a WebSocket is answered with 403
            self.status = message.get("code", 1000) if self.status == 101 else 403
        self.bytes += len(message.get("body") or message.get("bytes") or b"")
        self.bytes += len((message.get("text") or "").encode("utf-8", "replace"))
        await self._send(message)

    def _name(self, message: MutableMapping[str, Any]) -> None:
        message.setdefault("headers", [])
        headers = MutableHeaders(raw=list(message["headers"]))
        headers[REQUEST_ID_HEADER] = self._request_id
        message["headers"] = headers.raw


def _log_access(scope: Scope, answer: _Answer, lasted_s: float) -> None:
    path = scope.get("path", "")
    principal = scope.get("principal")
    status = answer.status
    if status is None and answer.broken not in (None, "CancelledError"):
        status = 500  # what the layers around us answer with
    extra = {
        "method": scope.get("method", "WEBSOCKET"),
        "path": path[:256],  # never the query, which may hold a token
        "status": status,
        "ms": round(lasted_s * 1000, 1),
        "bytes": answer.bytes,
        "principal": getattr(principal, "id", principal) or "anonymous",
    }
    if answer.broken:
        extra["broken"] = answer.broken
    level = logging.DEBUG if path in QUIET_PATHS else logging.INFO
    access.log(level, "%s %s %s", extra["method"], extra["path"], status, extra=extra)
