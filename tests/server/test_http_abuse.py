"""What a hostile or broken client sends: every one of them is refused in a moment, in OpenAI's
words, and leaves nothing behind."""

import json
import re
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fastapi.routing import iter_route_contexts
from starlette.testclient import TestClient

from qwen3_tts.backends.fake import FakeSynthesizer
from qwen3_tts.errors import SpeechError
from qwen3_tts.server.access import request_guard
from qwen3_tts.server.app import create_app
from qwen3_tts.server.faults import Fault
from qwen3_tts.server.observe.logs import REQUEST_ID_HEADER
from qwen3_tts.server.observe.redaction import Redactor
from qwen3_tts.server.openai.schemas import parse_speech
from qwen3_tts.server.serve import Server, config_of
from qwen3_tts.server.settings import load_settings
from qwen3_tts.server.speaking.text import check_piece, check_text
from qwen3_tts.server.state import ServerState
from qwen3_tts.voices.names import clean_name, name_key

KEY = "a-key-of-the-tests"
SPEECH = "/v1/audio/speech"
PAUSE_S, BODY_S = 0.3, 0.8  # in place of 10 and 60
LIMIT_S = 5.0  # for anything that is waited for: far more than it takes

# on the wire


@dataclass(frozen=True)
class Wire:
    """A server that runs as `serve` runs it."""

    port: int
    fake: FakeSynthesizer
    state: ServerState

    def open(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=LIMIT_S)

    def ask(self, sent: bytes | list[bytes], pause_s: float = 0.0) -> bytes:
        """All that comes back until the server closes, or has ended its first answer."""
        with self.open() as line, suppress(ConnectionError):
            with suppress(ConnectionError):  # refused before all of it was sent
                for part in [sent] if isinstance(sent, bytes) else sent:
                    line.sendall(part)
                    time.sleep(pause_s)
            return read_answer(line)
        return b""

    def until_idle(self) -> None:
        end_s = time.monotonic() + LIMIT_S
        while self.fake.active or self.fake.queued or self.state.limits.active_streams:
            assert time.monotonic() < end_s, "something is still held"
            time.sleep(0.005)


def read_answer(line: socket.socket) -> bytes:
    """Head and body of one answer whose length is told, or what comes until the end."""
    got = b""
    while part := line.recv(65_536):
        got += part
        head, end, body = got.partition(b"\r\n\r\n")
        length = re.search(rb"(?i)content-length: (\d+)", head)
        if end and length and len(body) >= int(length[1]):
            break
    return got


def status_of(answer: bytes) -> int:
    """0 where the connection was closed without a word."""
    return int(answer[9:12]) if answer else 0


def error_of(answer: bytes) -> dict[str, Any]:
    error: dict[str, Any] = json.loads(answer.partition(b"\r\n\r\n")[2])["error"]
    assert set(error) == {"message", "type", "param", "code"}
    return error


@contextmanager
def wired(folder: Path, fake: FakeSynthesizer | None = None, **given: Any) -> Iterator[Wire]:
    settings = load_settings(engine="fake", voices_dir=folder, **given)
    fake = fake or FakeSynthesizer()
    app = create_app(settings, synthesizer=fake)
    server = Server(config_of(app, settings), app, lambda: None)
    with socket.create_server(("127.0.0.1", 0), backlog=256) as listener:
        thread = threading.Thread(target=server.run, args=([listener],), daemon=True)
        thread.start()
        end_s = time.monotonic() + LIMIT_S
        while not server.started:
            assert thread.is_alive()
            assert time.monotonic() < end_s
            time.sleep(0.005)
        try:
            yield Wire(listener.getsockname()[1], fake, app.state.server)
        finally:
            server.should_exit = True
            thread.join(LIMIT_S)
    assert not thread.is_alive()


@pytest.fixture(scope="module")
def wire(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wire]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(request_guard, "PAUSE_S", PAUSE_S)
        patch.setattr(request_guard, "BODY_S", BODY_S)
        with wired(tmp_path_factory.mktemp("voices"), max_body_bytes=100_000) as server:
            yield server


HOST = b"Host: localhost\r\n"
POST = b"POST /v1/audio/speech HTTP/1.1\r\n" + HOST + b"Content-Type: application/json\r\n"
BODY = b'{"input": "Hi.", "stream": false}'


def get(path: bytes, headers: bytes = HOST, method: bytes = b"GET") -> bytes:
    return method + b" " + path + b" HTTP/1.1\r\n" + headers + b"\r\n"


def post(length: bytes, body: bytes = BODY, headers: bytes = b"") -> bytes:
    return POST + headers + b"Content-Length: " + length + b"\r\n\r\n" + body


def test_an_honest_request_is_answered(wire: Wire) -> None:
    assert status_of(wire.ask(post(b"%d" % len(BODY)))) == 200


def test_a_body_that_does_not_come_is_cut(wire: Wire) -> None:
    began_s = time.monotonic()
    answer = wire.ask(post(b"1000"))
    assert (status_of(answer), error_of(answer)["code"]) == (408, "TIMEOUT")
    assert b"connection: close" in answer.lower()
    assert PAUSE_S <= time.monotonic() - began_s < LIMIT_S


def test_a_body_that_drips_is_cut(wire: Wire) -> None:
    """Each piece comes in time, all of them do not."""
    began_s = time.monotonic()
    answer = wire.ask([post(b"1000", b"")] + [b" "] * 20, pause_s=0.1)
    assert (status_of(answer), error_of(answer)["code"]) == (408, "TIMEOUT")
    assert BODY_S <= time.monotonic() - began_s < LIMIT_S


def test_a_client_that_leaves_in_the_middle_is_let_go(wire: Wire) -> None:
    with wire.open() as line:
        line.sendall(post(b"1000"))
        line.shutdown(socket.SHUT_WR)
        assert line.recv(1000) == b""


def test_a_body_longer_than_told_is_no_second_request(wire: Wire) -> None:
    answer = wire.ask(post(b"5"))
    assert status_of(answer) == 400


def chunked(pieces: int) -> list[bytes]:
    return [POST + b"Transfer-Encoding: chunked\r\n\r\n"] + [b"400\r\n" + b"a" * 1024 + b"\r\n"] * (
        pieces
    )


def test_a_body_without_an_end_is_cut(wire: Wire) -> None:
    answer = wire.ask(chunked(1000))
    assert (status_of(answer), error_of(answer)["code"]) == (413, "TOO_LARGE")
    assert b"connection: close" in answer.lower()


def test_an_upload_without_an_end_is_cut(tmp_path: Path) -> None:
    kind = b"multipart/form-data; boundary=b"
    begin = b'--b\r\nContent-Disposition: form-data; name="audio"; filename="a"\r\n\r\n'
    head = b"POST /v1/voices HTTP/1.1\r\n" + HOST + b"Content-Type: " + kind + b"\r\n"
    head += b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(begin) + begin + b"\r\n"
    with wired(tmp_path, FakeSynthesizer("base"), max_upload_bytes=50_000) as server:
        answer = server.ask([head, *chunked(200)[1:]])
        assert (status_of(answer), error_of(answer)["code"]) == (413, "TOO_LARGE")
        server.until_idle()


LENGTHS = {
    "more than allowed": (post(b"100001"), 413),
    "nine times nineteen": (post(b"9" * 19), 413),
    "no number that fits": (post(b"9" * 5000), 400),
    "negative": (post(b"-1"), 400),
    "two that differ": (post(b"5", headers=b"Content-Length: 33\r\n"), 400),
    "words": (post(b"many"), 400),
    "compressed": (post(b"33", headers=b"Content-Encoding: gzip\r\n"), 400),
    "compressed twice": (post(b"33", headers=b"Content-Encoding: identity, gzip\r\n"), 400),
    "another coding": (post(b"33", headers=b"Content-Encoding: br\r\n"), 400),
    "nested": (post(b"99000", b"[" * 99_000), 400),
    "no UTF-8": (post(b"3", b'"\xff"'), 400),
}
ODD = {
    "NUL in a header": (get(b"/health", HOST + b"X-A: a\0b\r\n"), 400),
    "NUL in a path": (get(b"/health\0"), 400),
    "NUL, encoded": (get(b"/v1/voices/a%00b"), 404),
    "no UTF-8 in a path": (get(b"/v1/voices/\xff"), 400),
    "no UTF-8, encoded": (get(b"/v1/voices/%ff%fe"), 404),
    "no UTF-8 in a header": (get(b"/health", HOST + b"Authorization: Bearer \xff\r\n"), 200),
    "not HTTP": (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400),
    "no version": (b"GET /health\r\n\r\n", (400, 403)),
    "a line feed in an id": (get(b"/health", HOST + b"X-Request-ID: a\rX-Evil: 1\r\n"), 400),
    "two hosts": (get(b"/health", HOST * 2), (400, 403)),
    "no host": (get(b"/health", b""), (400, 403)),
    "traversal": (get(b"/static/../settings.py"), 404),
    "traversal, encoded": (get(b"/static/%2e%2e/settings.py"), 404),
    "traversal in a voice": (get(b"/v1/voices/..%2f..%2fetc%2fpasswd"), 404),
    "long path": (get(b"/" + b"a" * 12_000), 404),
    "path beyond all bounds": (get(b"/" + b"a" * 200_000), (400, 0)),  # or is cut while it is sent
    "long query": (get(b"/health?" + b"a" * 12_000), 200),
    "proxy request": (get(b"http://evil.example/health"), (200, 404)),
    "tunnel": (get(b"evil.example:443", method=b"CONNECT"), (400, 404)),
    "trace": (get(b"/health", method=b"TRACE"), 405),
    "upgrade to nothing known": (
        get(b"/health", HOST + b"Connection: upgrade\r\nUpgrade: h2c\r\n"),
        200,
    ),
}


@pytest.mark.parametrize("name", [*LENGTHS, *ODD])
def test_an_odd_request_is_answered_at_once(wire: Wire, name: str) -> None:
    """An alternative is up to the HTTP parser that uvicorn has."""
    sent, expected = {**LENGTHS, **ODD}[name]
    answer = wire.ask(sent)
    assert status_of(answer) in (expected if isinstance(expected, tuple) else (expected,))
    assert b"Traceback" not in answer
    assert b"x-evil" not in answer.lower()
    wire.until_idle()


def test_requests_on_one_line_are_answered_in_their_order(wire: Wire) -> None:
    paths = (b"/health", b"/v1/models", b"/nothing", b"/ready")
    last = b"Connection: close\r\n"
    sent = b"".join(get(path) for path in paths) + get(b"/api/v1/status", HOST + last)
    with wire.open() as line:
        line.sendall(post(b"%d" % len(BODY)) + sent)
        got = b""
        while part := line.recv(65_536):
            got += part
    assert [int(code) for code in re.findall(rb"HTTP/1.1 (\d{3})", got)] == [
        200,
        200,
        200,
        404,
        200,
        200,
    ]


RANGES = (b"bytes=0-0", b"bytes=" + b"0-," * 2000 + b"0-", b"bytes=-1", b"bytes=9-1", b"lines=a")


@pytest.mark.parametrize("path", [b"/static/app.js", b"/speak", b"/api/v1/voices/ann/preview"])
def test_ranges_are_not_served(wire: Wire, path: bytes) -> None:
    whole = wire.ask(get(path)).partition(b"\r\n\r\n")[2]
    for ranges in RANGES:
        answer = wire.ask(get(path, HOST + b"Range: " + ranges + b"\r\n"))
        assert status_of(answer) == 200
        assert answer.partition(b"\r\n\r\n")[2] == whole


@pytest.mark.parametrize(
    "host", [b"evil.example", b"localhost.evil.example", b"127.0.0.1.evil.example", b"a@localhost"]
)
def test_another_name_for_this_machine_is_refused(wire: Wire, host: bytes) -> None:
    """A page elsewhere may point its own name at 127.0.0.1; here no key would stop it."""
    for method in (b"GET", b"OPTIONS", b"POST"):
        answer = wire.ask(get(b"/v1/models", b"Host: " + host + b"\r\n", method))
        assert status_of(answer) == 403
    for port in (b"", b":8000", b":%d" % wire.port):
        for name in (b"localhost", b"127.0.0.1", b"[::1]", b"LOCALHOST"):
            assert status_of(wire.ask(get(b"/v1/models", b"Host: " + name + port + b"\r\n"))) == 200


def test_with_a_key_any_name_will_do(tmp_path: Path) -> None:
    with wired(tmp_path, api_keys=KEY) as server:
        assert status_of(server.ask(get(b"/health", b"Host: tts.example\r\n"))) == 200


def test_every_path_takes_every_method_calmly(tmp_path: Path) -> None:
    """What a path has no method for is a 405 that tells the methods it has; HEAD has no body."""
    app = create_app(
        load_settings(engine="fake", voices_dir=tmp_path), synthesizer=FakeSynthesizer()
    )
    paths = {
        re.sub(r"\{.*\}", "ann", route.path or "/")
        for route in iter_route_contexts(app.routes)
        if getattr(route, "methods", None)
    }
    with TestClient(app, base_url="http://localhost") as client:
        for path in paths:
            for method in ("HEAD", "OPTIONS", "PUT", "PATCH", "TRACE"):
                answer = client.request(method, path, follow_redirects=False)
                assert answer.status_code in (200, 307, 404, 405), f"{method} {path}"
                if answer.status_code == 405:
                    assert answer.headers["allow"]
                    assert method not in answer.headers["allow"].split(", ")


def test_a_flood_of_clients_who_leave_holds_nothing(tmp_path: Path) -> None:
    """Of 60 at once some read to the end, some leave after the first bytes, some right away."""
    fake = FakeSynthesizer(frame_s=0.005, max_rows=4, max_queue=8)
    body = (
        b'{"input": "A text of some length, so that it takes a while.", "response_format": "pcm"}'
    )
    request = post(b"%d" % len(body), body, b"Connection: close\r\n")
    codes: list[int] = []
    with wired(tmp_path, fake, max_streams=20) as server:

        def client(number: int) -> None:
            with server.open() as line, suppress(ConnectionError):
                line.sendall(request)
                if number % 3 == 0:  # leaves as rudely as it can
                    line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                    return
                codes.append(status_of(line.recv(100)))
                while number % 3 == 1 and line.recv(65_536):
                    pass

        threads = [threading.Thread(target=client, args=(number,)) for number in range(60)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(LIMIT_S * 2)
        server.until_idle()
        assert set(codes) == {200, 429}
        assert status_of(server.ask(post(b"%d" % len(BODY)))) == 200


# what is told of a mistake


@pytest.fixture(scope="module")
def anyone(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    settings = load_settings(engine="fake", voices_dir=tmp_path_factory.mktemp("voices"))
    app = create_app(settings, synthesizer=FakeSynthesizer("base"))
    with TestClient(app, base_url="http://localhost") as client:
        yield client


MARK = "echo-of-what-was-given"
JSON = {"content-type": "application/json"}
MISTAKES: dict[str, tuple[int, str, str, dict[str, Any]]] = {
    "unknown path": (404, "GET", f"/{MARK}", {}),
    "unknown path below a known one": (404, "POST", f"{SPEECH}/{MARK}", {}),
    "wrong method": (405, "PUT", SPEECH, {"content": MARK}),
    "method nobody knows": (405, "BREW", "/health", {"content": MARK}),
    "wrong type in the query": (400, "GET", f"/v1/audio/voices?legacy={MARK}", {}),
    "name that is too long": (404, "GET", f"/v1/voices/{MARK * 20}", {}),
    "no body": (400, "POST", SPEECH, {"headers": JSON}),
    "no type": (400, "POST", SPEECH, {"content": f'{{"input": "{MARK}"}}'}),
    "not JSON": (400, "POST", SPEECH, {"content": f"{{{MARK}", "headers": JSON}),
    "a list": (400, "POST", SPEECH, {"json": [MARK]}),
    "a text": (400, "POST", SPEECH, {"json": MARK}),
    "no UTF-8": (400, "POST", SPEECH, {"content": b"\xff" + MARK.encode(), "headers": JSON}),
    "NaN": (400, "POST", SPEECH, {"content": '{"input": NaN}', "headers": JSON}),
    "wrong type": (400, "POST", SPEECH, {"json": {"input": {"text": MARK}}}),
    "no text": (400, "POST", SPEECH, {"json": {"text": MARK}}),
    "NUL": (400, "POST", SPEECH, {"json": {"input": f"{MARK}\0"}}),
    "text too long": (400, "POST", SPEECH, {"json": {"input": MARK * 1000}}),
    "nested": (400, "POST", SPEECH, {"content": "[" * 100_000, "headers": JSON}),
    "compressed": (400, "POST", SPEECH, {"content": MARK, "headers": {"content-encoding": "gzip"}}),
    "too large": (413, "POST", SPEECH, {"content": MARK * 60_000, "headers": JSON}),
    "no form": (400, "POST", "/api/v1/voices", {"json": {"name": MARK}}),
    "no name": (400, "POST", "/v1/audio/voices", {"files": {"audio": (MARK, b"no sound")}}),
    "no sound": (
        400,
        "POST",
        "/v1/voices",
        {"data": {"name": "Eve"}, "files": {"audio": (MARK, MARK.encode())}},
    ),
    "form of another shape": (
        400,
        "POST",
        "/v1/voices",
        {"content": MARK, "headers": {"content-type": "multipart/form-data; boundary=x"}},
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_a_mistake_is_told_in_openai_s_words_and_none_of_the_callers(
    anyone: TestClient, mistake: str
) -> None:
    status, method, path, request = MISTAKES[mistake]
    answer = anyone.request(method, path, **request)
    assert answer.status_code == status
    error = answer.json()["error"]
    assert set(error) == {"message", "type", "param", "code"}
    assert error["type"] == "invalid_request_error"
    assert MARK not in answer.text
    assert "Traceback" not in answer.text
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers[REQUEST_ID_HEADER]


def test_a_wrong_method_is_told_all_the_right_ones(anyone: TestClient) -> None:
    both = {"/api/v1/voices": "GET, POST", "/v1/voices/ann": "DELETE, GET", SPEECH: "POST"}
    for path, methods in {**both, "/health": "GET, HEAD", "/speak": "GET, HEAD"}.items():
        answer = anyone.put(path)
        assert (answer.status_code, answer.headers["allow"]) == (405, methods)


@pytest.mark.parametrize("given", ["a\r\nX-Evil: 1", "a\nb", "ü", "", "a" * 65, "../../x", "a b"])
def test_a_request_id_is_kept_only_where_it_is_harmless(anyone: TestClient, given: str) -> None:
    answer = anyone.get("/health", headers={REQUEST_ID_HEADER: given.encode("latin-1")})  # type: ignore[dict-item]
    assert re.fullmatch(r"req_[0-9a-f]{32}", answer.headers[REQUEST_ID_HEADER])
    assert "x-evil" not in answer.headers


# what texts may cost

LONG = 100_000
TEXTS = {
    "digits": "1",
    "blanks": " ",
    "controls": "\x01",
    "ideographs": "\u4f60",
    "emoji": "\U0001f600",
    "jamo": "\u1100\u1161\u11a8",
    "grows in normal form": "\ufb2c",
    "grows in compatibility form": "\ufdfa",
    "directions": "\u202e",
    "half tokens": "eyJa.",
    "half keys": "sk-",
    "names of secrets": "api_key: bearer ",
    "quotes": '"',
    "brackets": "[",
}
CPU_S = 0.1
LONGEST_VOICE = 256  # characters that a body, a path or a message may name a voice with


@pytest.mark.parametrize("text", TEXTS)
def test_a_hostile_text_costs_little(text: str) -> None:
    given = (TEXTS[text] * LONG)[:LONG]
    body = json.dumps({"input": given, "instructions": given, given: given, "strict": True})
    actions: dict[str, Callable[[], Any]] = {
        "check": lambda: check_text(given, LONG),
        "piece": lambda: check_piece(given),
        "body": lambda: parse_speech(body.encode()),
        "name": lambda: clean_name(given),
        "key": lambda: name_key(given[:LONGEST_VOICE]),
        "log": lambda: Redactor([KEY]).value("text", {given: given}),
    }
    for what, action in actions.items():
        began_s = time.process_time()
        with suppress(Fault, SpeechError):  # refused is fine: it is the time that counts
            action()
        assert time.process_time() - began_s < CPU_S, what


HEAP = 20_000  # marks on one letter, sorted in a time that grows with the square of their number


@pytest.mark.parametrize("checked", [lambda t: check_text(t, HEAP), clean_name], ids=["t", "n"])
def test_marks_heaped_on_a_letter_cost_little(checked: Callable[[str], Any]) -> None:
    began_s = time.process_time()
    with pytest.raises((Fault, SpeechError)):
        checked("a" + "\u0315\u0300" * (HEAP // 2 - 1))
    assert time.process_time() - began_s < CPU_S


def test_marks_heaped_in_a_path_cost_little(anyone: TestClient) -> None:
    began_s = time.process_time()
    answer = anyone.get("/v1/audio/voices/a" + "%CD%85%CC%80" * 5000)
    assert answer.status_code == 404
    assert time.process_time() - began_s < CPU_S
