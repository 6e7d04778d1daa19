"""Logs: one line an event whatever is in it, no secret and no user's text, streams untouched."""

import asyncio
import io
import json
import logging
import re
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocket, WebSocketDisconnect

from qwen3_tts.server.observe.logs import (
    RequestIdMiddleware,
    configure_logging,
    new_request_id,
    request_id_var,
)
from qwen3_tts.server.observe.redaction import Redactor, described_text
from qwen3_tts.server.settings import load_settings

KEY = "the-api-key-of-this-server"
JWT = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiJhbm4ifQ.c2lnbmF0dXJl"
Lines = Callable[[], list[dict[str, Any]]]
log = logging.getLogger("qwen3_tts.server.test")


class Log:
    def __init__(self, **given: Any) -> None:
        self.stream = io.StringIO()
        configure_logging(load_settings(api_keys=KEY, **given), self.stream)

    def text(self) -> str:
        return self.stream.getvalue()

    def lines(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.text().splitlines()]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root, names = logging.getLogger(), ("uvicorn", "uvicorn.error", "uvicorn.access")
    handlers, level = list(root.handlers), root.level
    before = [(logging.getLogger(name), logging.getLogger(name).propagate) for name in names]
    marker = request_id_var.set(None)
    yield
    request_id_var.reset(marker)
    root.handlers[:] = handlers
    root.setLevel(level)
    for logger, propagate in before:
        logger.propagate = propagate


# lines


def test_a_line_has_its_parts() -> None:
    it = Log()
    request_id_var.set("req-7")
    log.warning("%d of %s", 3, "four", extra={"ms": 1.5, "parts": [1, None, True], "time": "x"})
    (line,) = it.lines()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", line.pop("time"))
    assert line == {
        "level": "WARNING",
        "logger": "qwen3_tts.server.test",
        "message": "3 of four",
        "request_id": "req-7",
        "ms": 1.5,
        "parts": [1, None, True],
    }


def test_an_error_is_one_field() -> None:
    it = Log()
    try:
        raise RuntimeError(f"Bearer {KEY}\nsecond line")
    except RuntimeError:
        log.exception("it failed")
    (line,) = it.lines()
    assert "Traceback" in line["exception"]
    assert "second line" in line["exception"]
    assert KEY not in it.text()


class Unshowable:
    def __str__(self) -> str:
        raise RuntimeError("no")

    __repr__ = __str__


@pytest.mark.parametrize("log_format", ["json", "text"])
def test_no_record_is_lost_or_fails(log_format: str, capsys: pytest.CaptureFixture[str]) -> None:
    it = Log(log_format=log_format)
    logging.getLogger().handlers[:-1] = []  # those of pytest do fail
    circle: list[Any] = []
    circle.append(circle)
    log.info("%d", "no number")
    log.info("%s", Unshowable())
    log.info("hello", extra={"odd": Unshowable(), "circle": circle, "nan": float("nan")})
    log.info("hello", extra={"half": "\ud800", "raw": b"\xff", "keys": {1: {2: {3: {4: {5: 6}}}}}})
    log.info("x" * 1_000_000)
    assert capsys.readouterr().err == ""  # where logging complains of a formatter
    assert len(it.text().splitlines()) == 5
    assert len(it.text()) < 40_000
    if log_format == "json":
        assert it.lines()[2]["nan"] == "nan"


@given(st.text(), st.text())
def test_any_text_stays_one_line_of_json(message: str, value: str) -> None:
    it = Log()
    log.info(message.replace("%", ""), extra={"value": value})
    assert len(it.text().splitlines()) == 1
    assert it.text().strip().isprintable()
    assert it.text().isascii()
    it.lines()


@given(st.text(), st.text())
def test_any_text_stays_one_line_for_people(message: str, value: str) -> None:
    it = Log(log_format="text")
    log.info(message.replace("%", ""), extra={"value": value})
    assert it.text().count("\n") == 1
    assert it.text()[:-1].isprintable()


def test_lines_for_people() -> None:
    it = Log(log_format="text")
    request_id_var.set("req-7")
    log.info("naïve\x1b[31m\nINFO forged", extra={"path": "/v1", "said": "a b"})
    try:
        raise ValueError("one\ntwo")
    except ValueError:
        log.exception("bad")
    first, *rest = it.text().splitlines()
    assert "INFO qwen3_tts.server.test [req-7] naïve\\x1b[31m\\nINFO forged" in first
    assert 'path=/v1 said="a b"' in first
    assert all(line.startswith("  | ") for line in rest[1:])


def test_setting_up_twice_writes_once() -> None:
    old, new = Log(), Log()
    logging.getLogger("uvicorn.error").warning("trouble")
    logging.getLogger("uvicorn.error").info("a path with its query")
    logging.getLogger("uvicorn.access").info("not ours")
    assert old.text() == ""
    assert [line["message"] for line in new.lines()] == ["trouble"]


# what is hidden


@pytest.mark.parametrize(
    "message",
    [
        f"got {KEY}",
        f"x-api-key: {KEY[:-1]}",  # a key that is nearly right
        "Authorization: Bearer abc.def",
        "authorization=bearer abc.def",
        '{"Authorization": "Token abc.def"}',
        "{'xi-api-key': 'abc.def'}",
        "GET /speak?token=abc.def&x=1",
        "authToken: abc.def",
        "password = abc.def",
        f"the token {JWT} was refused",
        "qwen3-tts, token.YWJjLmRlZg",
        "sk-abcdefgh1234",
    ],
)
@pytest.mark.parametrize("log_format", ["json", "text"])
def test_secrets_are_hidden_in_messages_and_extras(message: str, log_format: str) -> None:
    it = Log(log_format=log_format)
    log.info(message)
    log.info("%s", message, extra={"note": message, "deep": [{"x": message}], message: 1})
    for hidden in (KEY, KEY[:-1], "abc.def", JWT, JWT[:30], "YWJj", "abcdefgh"):
        assert hidden not in it.text()
    assert it.text().count("[hidden]") >= 4


@pytest.mark.parametrize("name", ["authorization", "api_key", "x-api-key", "jwt_secret", "token"])
def test_extras_with_the_name_of_a_secret_are_hidden(name: str) -> None:
    it = Log()
    log.info("hello", extra={name: "letmein", "headers": {name: ["letmein"]}})
    assert "letmein" not in it.text()


def test_a_secret_at_the_cut_of_a_long_line_is_hidden_whole() -> None:
    for pad in range(8_150, 8_200, 7):
        shown = Redactor([KEY]).text("x" * pad + f" {KEY} {JWT}")
        assert KEY[:8] not in shown
        assert JWT[:8] not in shown


def test_ordinary_words_stay() -> None:
    it = Log()
    log.info("12 tokens in, 3 out; the voice `ann` spoke", extra={"tokens_in": 12, "voice": "ann"})
    (line,) = it.lines()
    assert line["message"] == "12 tokens in, 3 out; the voice `ann` spoke"
    assert (line["tokens_in"], line["voice"]) == (12, "ann")


@pytest.mark.parametrize("key", ["text", "input", "transcript", "instruct"])
def test_a_users_text_is_told_by_length_and_hash(key: str) -> None:
    said = "My number is 5550100."
    it = Log()
    for text in (said, said, said + "!"):
        log.info("speaking", extra={key: text, "job": {key: [text]}})
    assert said not in it.text()
    one, two, other = (line[key] for line in it.lines())
    assert one == two != other
    assert one.startswith("<21 characters, ")
    assert described_text(said) == one
    allowed = Log(log_text=True)
    log.info("speaking", extra={key: said})
    assert allowed.lines()[0][key] == said == described_text(said, log_text=True)


@pytest.mark.parametrize(
    "part", ["token", "token ", "bearer ", "eyJ", "eyJ-", "eyJ.", "sk-", "token.", "=", "password="]
)
def test_hostile_text_takes_no_time(part: str) -> None:
    text = part * (1_000_000 // len(part))
    began_s = time.perf_counter()
    Redactor([KEY]).text(text)
    assert time.perf_counter() - began_s < 1.0  # milliseconds; seconds where it is quadratic


# ids


@pytest.mark.parametrize("given", ["a", "A-b_9", "x" * 64])
def test_harmless_ids_are_kept(given: str) -> None:
    assert new_request_id(given) == given


@pytest.mark.parametrize(
    "given", [None, "", "x" * 65, "a b", "a\n", "a\r\nSet-Cookie: x=1", "é", "٣", "a;b", "\0", "."]
)
def test_other_ids_are_replaced(given: str | None) -> None:
    made = new_request_id(given)
    assert re.fullmatch(r"req_[0-9a-f]{32}", made)
    assert new_request_id(given) != made


# the middleware


async def hello(request: Request) -> PlainTextResponse:
    request.scope["principal"] = "key:12345678"
    log.info("inside")
    return PlainTextResponse(request.state.request_id, headers={"x-request-id": "not-this"})


async def broken(_: Request) -> PlainTextResponse:
    raise RuntimeError("broken on purpose")


async def streamed(_: Request) -> StreamingResponse:
    return StreamingResponse(iter([b"abc", b"", b"defg"]))


async def socket(connection: WebSocket) -> None:
    await connection.accept()
    log.info("inside")
    await connection.send_bytes(b"12345")
    await connection.send_text("é")
    await connection.close(1008)


async def refusing(connection: WebSocket) -> None:
    await connection.close(1008)


def client() -> TestClient:
    routes = [
        Route("/hello", hello),
        Route("/health", hello),
        Route("/broken", broken),
        Route("/streamed", streamed),
        WebSocketRoute("/socket", socket),
        WebSocketRoute("/refusing", refusing),
    ]
    app = Starlette(routes=routes)
    app.add_middleware(RequestIdMiddleware)
    return TestClient(app, raise_server_exceptions=False)


def accesses(it: Log) -> list[dict[str, Any]]:
    return [line for line in it.lines() if line["logger"].endswith(".access")]


def test_a_request_keeps_its_id_throughout() -> None:
    it = Log()
    answer = client().get("/hello?token=letmein", headers={"X-Request-ID": "mine-1"})
    assert answer.headers.get_list("x-request-id") == ["mine-1"]
    assert answer.text == "mine-1"
    inside, access = (line for line in it.lines() if line["logger"].startswith("qwen3_tts"))
    assert inside["request_id"] == access["request_id"] == "mine-1"
    assert access["message"] == "GET /hello 200"
    assert {**access, "ms": 0, "time": 0} == {
        "time": 0,
        "level": "INFO",
        "logger": "qwen3_tts.server.access",
        "message": "GET /hello 200",
        "request_id": "mine-1",
        "method": "GET",
        "path": "/hello",
        "status": 200,
        "ms": 0,
        "bytes": len("mine-1"),
        "principal": "key:12345678",
    }
    assert access["ms"] > 0
    assert "letmein" not in it.text()


@pytest.mark.parametrize("given", [b"a\tb", b"a b", b"\xff\xfe", b"x" * 5000, b"<script>"])
def test_a_harmful_id_is_never_repeated(given: bytes) -> None:
    it = Log()
    answer = client().get("/hello", headers=[(b"X-Request-ID", given)])
    assert re.fullmatch(r"req_[0-9a-f]{32}", answer.headers["x-request-id"])
    assert given.decode("latin-1") not in it.text()


def test_paths_cannot_forge_lines() -> None:
    it = Log(log_format="text")
    client().get("/a%0AINFO%20forged%1b[2J" + "x" * 1000)
    ours = [line for line in it.text().splitlines() if "access" in line]
    assert len(ours) == 1
    assert "\\nINFO forged\\x1b" in ours[0]
    assert len(ours[0]) < 1000


def test_an_unforeseen_error_is_logged_as_500() -> None:
    it = Log()
    assert client().get("/broken").status_code == 500
    (access,) = accesses(it)
    assert (access["status"], access["broken"]) == (500, "RuntimeError")


def test_bytes_of_a_stream_are_counted() -> None:
    it = Log()
    assert client().get("/streamed").content == b"abcdefg"
    assert accesses(it)[0]["bytes"] == 7


def test_quiet_paths_leave_no_line() -> None:
    it = Log()
    client().get("/health")
    assert accesses(it) == []


def test_sockets_are_named_and_counted() -> None:
    it = Log()
    with client().websocket_connect("/socket", headers={"X-Request-ID": "mine-2"}) as open_socket:
        assert open_socket.extra_headers is not None
        assert (b"x-request-id", b"mine-2") in open_socket.extra_headers
        assert open_socket.receive_bytes() == b"12345"
        assert open_socket.receive_text() == "é"
    (access,) = accesses(it)
    assert (access["method"], access["status"], access["bytes"]) == ("WEBSOCKET", 1008, 7)
    inside = next(line for line in it.lines() if line["message"] == "inside")
    assert inside["request_id"] == "mine-2"


def test_a_refused_socket_counts_as_403() -> None:
    it = Log()
    with pytest.raises(WebSocketDisconnect), client().websocket_connect("/refusing"):
        pass
    assert accesses(it)[0]["status"] == 403


def run(app: Any, send: Any) -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    scope = {"type": "http", "method": "GET", "path": "/x", "headers": []}
    asyncio.run(RequestIdMiddleware(app)(scope, receive, send))


def test_each_piece_leaves_before_the_next_is_made() -> None:
    """Equal to the order without the middleware: nothing is held back."""
    events: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200})
        for index in range(3):
            events.append(f"made {index}")
            await send({"type": "http.response.body", "body": b"x", "more_body": index < 2})

    async def send(message: dict[str, Any]) -> None:
        events.append("sent " + message["type"].rpartition(".")[2])

    run(app, send)
    pieces = [event for index in range(3) for event in (f"made {index}", "sent body")]
    assert events == ["sent start", *pieces]


def test_a_client_that_leaves_is_logged() -> None:
    it = Log()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": ()})
        raise asyncio.CancelledError

    async def send(message: dict[str, Any]) -> None:
        assert [name for name, _ in message["headers"]] == [b"x-request-id"]

    with pytest.raises(asyncio.CancelledError):
        run(app, send)
    (access,) = accesses(it)
    assert (access["status"], access["broken"]) == (200, "CancelledError")


def test_requests_at_once_keep_their_own_ids() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        for _ in range(5):
            await asyncio.sleep(0)
            assert request_id_var.get() == scope["state"]["request_id"] == scope["path"]

    async def one(name: str) -> None:
        scope = {"type": "http", "path": name, "headers": [(b"x-request-id", name.encode())]}
        await RequestIdMiddleware(app)(scope, None, None)  # type: ignore[arg-type]

    async def main() -> None:
        await asyncio.gather(*(one(f"id-{index}") for index in range(20)))

    asyncio.run(main())


def test_other_scopes_pass_through() -> None:
    seen = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope)

    asyncio.run(RequestIdMiddleware(app)({"type": "lifespan"}, None, None))  # type: ignore[arg-type]
    assert seen == [{"type": "lifespan"}]
