"""The page at `/speak`: files of a fixed list, read once, served with strict headers.

Nothing on it comes from elsewhere: no inline script or style, no other host, no build step.
"""

import hashlib
from dataclasses import dataclass
from functools import cache
from importlib import resources

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from qwen3_tts.server.faults import Fault, FaultCode

TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
}
PAGE = "index.html"
FILES = (
    "api.js",
    "app.js",
    "cards.css",
    "clip.js",
    "controls.css",
    "deck.js",
    "dom.js",
    "enrol.js",
    "history.js",
    "icon.svg",
    "player.js",
    "recorder-worklet.js",
    "recorder.js",
    "scope.js",
    "speech.js",
    "status.js",
    "style.css",
    "theme.js",
    "voices.js",
    "wire.js",
)
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",  # the page's own host, its WebSocket included
        "img-src 'self' data:",
        "media-src blob:",  # a recording, heard before it is sent
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "microphone=(self), camera=(), geolocation=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",  # kept, and asked for again by its tag
}

router = APIRouter(include_in_schema=False)


@dataclass(frozen=True)
class PageFile:
    """A file of the page: its bytes, its type and a tag of its content."""

    content: bytes
    media_type: str
    tag: str


@cache
def read(name: str) -> PageFile:
    """The file of this name, one of `FILES` or the page itself."""
    content = resources.files("qwen3_tts.server.page").joinpath("static", name).read_bytes()
    tag = f'"{hashlib.sha256(content).hexdigest()[:32]}"'
    return PageFile(content, TYPES[name.rsplit(".", 1)[1]], tag)


@router.api_route("/", methods=["GET", "HEAD"])
def root() -> Response:
    return RedirectResponse("/speak", headers=HEADERS)


@router.api_route("/speak", methods=["GET", "HEAD"])
def page(request: Request) -> Response:
    return _answer(request, PAGE)


@router.api_route("/static/{name:path}", methods=["GET", "HEAD"])
def static(request: Request, name: str) -> Response:
    if name not in FILES:
        raise Fault(FaultCode.NOT_FOUND, "there is no such file on this server")
    return _answer(request, name)


def _answer(request: Request, name: str) -> Response:
    file = read(name)
    headers = {**HEADERS, "ETag": file.tag}
    known = request.headers.get("if-none-match", "")
    if known == "*" or file.tag in (tag.strip().removeprefix("W/") for tag in known.split(",")):
        return Response(status_code=304, headers=headers)
    return Response(file.content, media_type=file.media_type, headers=headers)
