"""Listening, and ending in order; the server runs in a thread and is told of signals by hand."""

import asyncio
import contextlib
import json
import logging
import re
import signal
import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import websockets
import websockets.sync.client

from qwen3_tts.backends.fake import FakeSynthesizer
from qwen3_tts.errors import InvalidRequest
from qwen3_tts.server import serve
from qwen3_tts.server.app import create_app
from qwen3_tts.server.serve import Server, config_of, listen, run_server, url_of
from qwen3_tts.server.settings import ServerSettings, load_settings

WS = "/api/v1/speak"
SLOW = "[slow:0.02] twenty frames."


class Running:
    """A server in a thread, and the fake behind it."""

    def __init__(self, tmp_path: Path, **given: Any):
        self.settings = load_settings(**{"engine": "fake", "port": 0, "drain_grace_s": 0, **given})
        self.settings = self.settings.model_copy(update={"voices_dir": tmp_path})
        self.fake = FakeSynthesizer()
        self.app = create_app(self.settings, synthesizer=self.fake)
        self.sockets = listen(self.settings)
        self.url = url_of(self.sockets[0])
        up = threading.Event()
        self.server = Server(config_of(self.app, self.settings), self.app, up.set)
        self.thread = threading.Thread(target=self.server.run, args=(self.sockets,), daemon=True)
        self.thread.start()
        assert up.wait(15)
        until(lambda: self.get("/ready").status_code == 200)

    def get(self, path: str) -> httpx.Response:
        return httpx.get(self.url + path, trust_env=False)

    def speak(self, text: str) -> httpx.Response:
        body = {"input": text, "response_format": "pcm"}
        return httpx.post(f"{self.url}/v1/audio/speech", json=body, trust_env=False)

    def signal(self, which: signal.Signals = signal.SIGTERM) -> None:
        self.server.handle_exit(which, None)

    def ended(self, within_s: float = 10) -> bool:
        self.thread.join(within_s)
        return not self.thread.is_alive()


def until(is_so: Any, within_s: float = 10) -> None:
    end_s = time.monotonic() + within_s
    while not is_so():
        assert time.monotonic() < end_s, "it did not come about"
        time.sleep(0.02)


@contextlib.contextmanager
def running(tmp_path: Path, **given: Any) -> Iterator[Running]:
    server = Running(tmp_path, **given)
    try:
        yield server
    finally:
        server.server.should_exit = True
        assert server.ended(15)


def test_all_addresses_of_a_host_get_one_port() -> None:
    sockets = listen(load_settings(host="localhost", port=0))
    try:
        ports = {one.getsockname()[1] for one in sockets}
        assert len(ports) == 1
        assert all(one.getsockname()[0] in ("127.0.0.1", "::1") for one in sockets)
    finally:
        for one in sockets:
            one.close()


def test_what_cannot_be_listened_on_is_told_in_one_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(InvalidRequest) as caught:
            run_server(load_settings(engine="fake", port=port))
        assert str(caught.value) == (
            f"cannot listen on 127.0.0.1, port {port}: address already in use; "
            "is a server running there already?"
        )
    with pytest.raises(InvalidRequest, match=r"`host` is 'no-such-host.invalid'"):
        listen(load_settings(host="no-such-host.invalid", insecure=True))
    with pytest.raises(InvalidRequest, match=r"cannot listen on 192\.0\.2\.1, port 0"):
        listen(load_settings(host="192.0.2.1", port=0))  # an address nobody has


def test_an_open_host_without_keys_is_refused() -> None:
    with pytest.raises(InvalidRequest, match="no key is set"):
        run_server(load_settings(engine="fake", host="0.0.0.0", port=0))


@pytest.mark.parametrize(
    ("bound", "url"),
    [
        (("127.0.0.1", 80), "http://127.0.0.1:80"),
        (("0.0.0.0", 8000), "http://127.0.0.1:8000"),
        (("::", 8000, 0, 0), "http://[::1]:8000"),
        (("10.1.2.3", 1), "http://10.1.2.3:1"),
    ],
)
def test_the_address_is_one_that_can_be_opened(bound: Any, url: str) -> None:
    class Bound:
        def getsockname(self) -> Any:
            return bound

    assert url_of(Bound()) == url  # type: ignore[arg-type]


def test_as_many_files_as_connections_may_be_open(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """(soft limit, hard limit) -> the soft one afterwards, and whether it is too low"""
    import resource

    many, unlimited = 1280, resource.RLIM_INFINITY
    for before, after, warns in [
        ((256, 4096), many, False),
        ((256, unlimited), many, False),
        ((4096, 8192), 4096, False),
        ((unlimited, unlimited), unlimited, False),
        ((256, 512), 512, True),
    ]:
        limits = [before]
        monkeypatch.setattr(resource, "getrlimit", lambda kind, held=limits: held[-1])
        monkeypatch.setattr(resource, "setrlimit", lambda kind, new, held=limits: held.append(new))
        caplog.clear()
        with caplog.at_level(logging.WARNING, "qwen3_tts"):
            serve.allow_files(many)
        assert limits[-1] == (after, before[1])
        assert bool(caplog.records) == warns


def test_within_the_grace_requests_are_still_served(tmp_path: Path) -> None:
    """A balancer needs a moment to see that the server is unready."""
    with running(tmp_path, drain_grace_s=1.0) as server:
        server.signal()
        until(lambda: server.get("/ready").status_code == 503)
        assert server.speak("Late.").status_code == 200
        until(lambda: server.app.state.server.limits.draining)
        assert server.ended()


def test_a_person_at_a_terminal_waits_for_no_grace(tmp_path: Path) -> None:
    with running(tmp_path, drain_grace_s=60) as server:
        server.signal(signal.SIGINT)
        assert server.ended(5)


def test_while_it_drains_what_was_begun_is_finished_and_nothing_else_begins(tmp_path: Path) -> None:
    async def run(server: Running) -> None:
        socket_url = server.url.replace("http", "ws") + "/api/v1/speak"
        async with (
            websockets.connect(socket_url) as idle,
            websockets.connect(socket_url) as busy,
        ):
            for client in (idle, busy):
                assert json.loads(await client.recv())["type"] == "ready"
            await busy.send(json.dumps({"type": "speak", "text": SLOW}))
            first = await busy.recv()
            server.signal()
            told = json.loads(await idle.recv())
            assert (told["type"], told["reason"]) == ("stopped", "shutdown")
            with pytest.raises(websockets.ConnectionClosed):
                await idle.recv()
            assert idle.close_code == 1001
            refused = await asyncio.to_thread(server.speak, "Too late.")
            assert refused.status_code == 429
            assert "shutting down" in refused.text
            sound, last = len(first), {}
            async for message in busy:
                if isinstance(message, bytes):
                    sound += len(message)
                else:
                    last = json.loads(message)
                    if last["type"] == "audio_end":
                        break
            assert sound == 2 * 1920 * len(SLOW)
            stopped = json.loads(await busy.recv())
            assert (last["type"], stopped["type"]) == ("audio_end", "stopped")

    with running(tmp_path) as server:
        asyncio.run(run(server))
        assert server.ended()
        assert server.server.exit_code == 0


def test_what_does_not_end_is_ended(tmp_path: Path) -> None:
    with running(tmp_path, drain_timeout_s=0.5) as server:
        hanging = threading.Thread(target=lambda: _cut_off(server), daemon=True)
        hanging.start()
        until(lambda: server.fake.active == 1)
        began_s = time.monotonic()
        server.signal()
        assert server.ended()
        assert time.monotonic() - began_s > 0.5
        hanging.join(5)
        assert not hanging.is_alive()
        assert server.fake.active == 0


def _cut_off(server: Running) -> None:
    with contextlib.suppress(httpx.HTTPError):  # cut off in the middle
        assert server.speak("A word. [hang]").status_code >= 400


def test_a_dead_engine_ends_the_server(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    forced: list[tuple[float, int]] = []
    monkeypatch.setattr(serve, "_end_by_force", lambda *what: forced.append(what))
    with running(tmp_path) as server:
        server.fake.break_down("it burnt")
        assert server.get("/health").status_code == 503
        assert server.ended()
        assert server.server.exit_code == serve.ENGINE_DIED == 3
        assert forced == [(serve.DEAD_AFTER_S, 3)]
    assert "the engine is dead: it burnt" in caplog.text


DOCUMENT = Path(__file__).parents[2] / "docs" / "server.md"


def test_the_document_has_every_setting_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.*?) \| (.+) \|$", DOCUMENT.read_text(), re.MULTILINE)
    told = {name: default for name, default, about in rows}
    assert len(told) == len(rows)
    assert told.pop("voices_dir") == "`~/.local/share/qwen3-tts/voices`"
    fields = dict(ServerSettings.model_fields)
    del fields["voices_dir"]
    assert told == {
        name: _shown(field.get_default(call_default_factory=True)) for name, field in fields.items()
    }


def _shown(value: Any) -> str:
    if value in (None, (), {}):
        return "none"
    return f"`{value}`" if isinstance(value, str) else f"`{json.dumps(value)}`"


def test_the_document_has_every_metric_and_no_other(tmp_path: Path) -> None:
    with running(tmp_path) as server:
        served = re.findall(r"^# TYPE (tts_\w+) ", server.get("/metrics").text, re.MULTILINE)
    told = re.findall(r"`(tts_\w+)`", DOCUMENT.read_text())
    assert set(told) == {name for name in served if not name.endswith("_created")}


@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the kernel is not Linux")
def test_the_connection_of_a_reader_who_takes_nothing_is_dropped(tmp_path: Path) -> None:
    """Its speech ends soon enough; the bytes that were still to be sent must not keep it open."""
    body = json.dumps({"input": "a" * 4000, "response_format": "pcm"}).encode()
    head = (
        "POST /v1/audio/speech HTTP/1.1\r\nHost: localhost\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    with running(tmp_path, slow_reader_s=0.5) as server, socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
        client.connect(server.sockets[0].getsockname()[:2])
        client.sendall(head.encode() + body)
        connections = server.server.server_state.connections
        until(lambda: len(connections) == 1 and server.fake.started > 1)  # the first is the probe
        until(lambda: not connections)
        assert server.fake.active == 0


@pytest.mark.parametrize("head", [b"", b"GET /health HTTP/1.1\r\n", b"POST /v1/a HTTP/1.1\r\nA: "])
def test_a_line_on_which_no_request_begins_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, head: bytes
) -> None:
    monkeypatch.setattr("qwen3_tts.server.access.http_lines.HEAD_S", 0.4)
    with running(tmp_path) as server:
        with socket.create_connection(server.sockets[0].getsockname()[:2], timeout=8) as client:
            client.sendall(head)
            began_s = time.monotonic()
            for _ in range(2):  # drops of a head do not buy more time
                time.sleep(0.1)
                client.sendall(b"x" if head else b"")
            assert client.recv(100) == b""
            assert time.monotonic() - began_s < 4
        with websockets.sync.client.connect(server.url.replace("http", "ws") + WS) as live:
            live.recv()
            time.sleep(0.6)  # longer than a head may take
            live.send(json.dumps({"type": "ping"}))
            assert json.loads(live.recv())["type"] == "pong"


def test_a_head_without_end_is_refused(tmp_path: Path) -> None:
    with running(tmp_path) as server, socket.socket() as client:
        client.settimeout(8)
        client.connect(server.sockets[0].getsockname()[:2])
        client.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n")
        with contextlib.suppress(ConnectionError):
            for _ in range(40):
                client.sendall(b"X-Long: " + b"a" * 1000 + b"\r\n")
            assert client.recv(100).startswith(b"HTTP/1.1 4")
