"""Speech that fails, clients that leave, readers that stall: each ends alone, and is told apart."""

import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from qwen3_tts.backends.fake import FakeSynthesizer
from qwen3_tts.server.app import create_app
from qwen3_tts.server.settings import load_settings
from tests.server.live import live
from tests.server.speech_server import SPEECH, TEXT, Served, file_of, served, wait_until

Answer = httpx.Response


@pytest.fixture(scope="module", params=["h11", "httptools"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Served]:
    """With a single row, a frame to each chunk, and either of uvicorn's protocols."""
    fake = FakeSynthesizer(max_rows=1, chunk_plan=(1,))
    folder, http = tmp_path_factory.mktemp("voices"), {"http": request.param}
    with served(folder, fake, uvicorn=http, first_audio_timeout_s=0.8) as running:
        yield running


def code_of(answer: Answer) -> str:
    return str(answer.json()["error"]["code"])


@pytest.mark.parametrize(
    ("text", "status", "code", "stream"),
    [
        ("[fail:0] words", 500, "SYNTHESIS_ERROR", True),
        ("[fail:0] words", 500, "SYNTHESIS_ERROR", False),
        ("[oom:0] words", 503, "GPU_OUT_OF_MEMORY", True),
        ("[hang] words", 408, "TIMEOUT", True),
    ],
)
def test_a_failure_before_any_byte_has_its_status(
    server: Served, text: str, status: int, code: str, stream: bool
) -> None:
    answer = server.speak(text, stream=stream)
    assert (answer.status_code, code_of(answer)) == (status, code)
    wait_until(server.idle)


def test_a_whole_answer_fails_with_a_status_however_late(server: Served) -> None:
    answer = server.speak("[fail:9] some words", stream=False)
    assert (answer.status_code, code_of(answer)) == (500, "SYNTHESIS_ERROR")


@pytest.mark.parametrize("format", ["mp3", "wav", "pcm"])
def test_a_failure_after_the_first_byte_cuts_the_connection(server: Served, format: str) -> None:
    """A clean end would pass for a short file."""
    labels = {"route": "speech", "model": "fake", "outcome": "error", "code": "SYNTHESIS_ERROR"}
    before = server.counted("tts_requests_total", **labels)
    text = "[fail:9] some words"
    got = server.heard(text, response_format=format)
    assert got
    assert file_of(format, text).startswith(got)
    wait_until(server.idle)
    assert server.counted("tts_requests_total", **labels) == before + 1
    assert server.speak(response_format="pcm").content == file_of("pcm")  # life goes on


def test_nothing_inside_is_told(server: Served, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("a secret of the server")

    monkeypatch.setattr(server.fake, "stream", broken)
    answer = server.speak()
    assert (answer.status_code, code_of(answer)) == (500, "SYNTHESIS_ERROR")
    assert "secret" not in answer.text


def test_a_model_that_is_not_there_yet_is_503(tmp_path: Path) -> None:
    wake = threading.Event()
    fake = FakeSynthesizer()

    def slow_voices(*_: Any, **__: Any) -> Any:
        wake.wait(10)
        raise RuntimeError("no model after all")

    fake.synthesize = slow_voices  # type: ignore[method-assign]  # what a model does to be ready
    settings = load_settings(engine="fake", voices_dir=tmp_path, load_timeout_s=0.2)
    with live(create_app(settings, synthesizer=fake)) as server:
        answer = httpx.post(server.http + SPEECH, json={"input": TEXT})
        wake.set()
    assert (answer.status_code, code_of(answer)) == (503, "MODEL_LOADING")
    assert int(answer.headers["retry-after"]) >= 1


def test_a_full_server_says_when_to_come_back(tmp_path: Path) -> None:
    with served(tmp_path, max_streams=1) as server:
        with server.stream("[endless] [slow:0.01]") as answer:
            parts = answer.iter_raw()
            next(parts)
            began_s = time.monotonic()
            refused = server.speak()
            assert time.monotonic() - began_s < 0.5
            assert (refused.status_code, code_of(refused)) == (429, "RATE_LIMITED")
            assert refused.json()["error"]["type"] == "rate_limit_error"
            assert int(refused.headers["retry-after"]) >= 1
        wait_until(server.idle)
        assert server.speak().status_code == 200


def test_a_full_engine_is_429_too(tmp_path: Path) -> None:
    fake = FakeSynthesizer(max_rows=1, max_queue=0)
    with served(tmp_path, fake) as server, server.stream("[endless] [slow:0.01]") as answer:
        parts = answer.iter_raw()
        next(parts)
        refused = server.speak()
        assert (refused.status_code, code_of(refused)) == (429, "RATE_LIMITED")
        assert int(refused.headers["retry-after"]) >= 1


def request_of(server: Served, text: str, **fields: Any) -> bytes:
    """The same request as bytes, for clients that behave as no library does."""
    request = server.client.build_request("POST", SPEECH, json={"input": text, **fields})
    head = "".join(f"{name}: {value}\r\n" for name, value in request.headers.items())
    return f"POST {SPEECH} HTTP/1.1\r\n{head}\r\n".encode() + request.content


def connected(server: Served, receive_buffer: int | None = None) -> socket.socket:
    client = socket.socket()
    if receive_buffer is not None:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    client.settimeout(10)
    client.connect(("127.0.0.1", server.live.port))
    return client


def speaks(server: Served) -> bool:
    return server.fake.active == 1


def waits(server: Served) -> bool:
    return server.fake.queued == 1


@pytest.mark.parametrize(
    ("text", "fields", "busy", "under_way"),
    [
        ("[endless] [slow:0.01]", {}, False, speaks),
        ("[endless] [slow:0.01]", {"stream_format": "sse"}, False, speaks),
        ("[endless] [slow:0.01]", {"stream": False}, False, speaks),
        ("[hang]", {}, False, speaks),
        ("[hang]", {"stream_format": "sse"}, False, speaks),
        ("Hello.", {}, True, waits),
        ("Hello.", {"stream": False}, True, waits),
    ],
    ids=["audio", "events", "whole", "mute", "mute-events", "queued", "queued-whole"],
)
def test_who_leaves_frees_the_row_at_once(
    server: Served,
    text: str,
    fields: dict[str, Any],
    busy: bool,
    under_way: Callable[[Served], bool],
) -> None:
    fake, reason = server.fake, {"reason": "closed"}
    cancelled, aborted = fake.cancelled, server.counted("tts_stream_aborted_total", **reason)
    other = fake.stream("[hang]") if busy else None
    with connected(server) as client:
        client.sendall(request_of(server, text, **fields))
        wait_until(lambda: under_way(server))
    took_s = wait_until(lambda: fake.cancelled == cancelled + 1)
    wait_until(lambda: server.state.limits.active_streams == 0)
    assert took_s < 0.3  # a frame's time, and some more for a busy machine
    assert server.counted("tts_stream_aborted_total", **reason) == aborted + 1
    if other is not None:
        other.cancel()
    wait_until(server.idle)
    assert server.speak(response_format="pcm").content == file_of("pcm")


def test_who_leaves_before_its_model_is_loaded_waits_for_nothing(tmp_path: Path) -> None:
    wake = threading.Event()
    fake = FakeSynthesizer()
    speak = fake.synthesize

    def slow(*given: Any, **options: Any) -> Any:
        wake.wait(10)
        return speak(*given, **options)

    fake.synthesize = slow  # type: ignore[method-assign]
    with served(tmp_path, fake, ready=False) as server:
        with connected(server) as client:
            client.sendall(request_of(server, TEXT))
            wait_until(lambda: server.state.limits.active_streams == 1)
        wait_until(lambda: server.state.limits.active_streams == 0)
        wake.set()


@pytest.mark.parametrize("fields", [{}, {"stream_format": "sse"}], ids=["audio", "events"])
def test_a_reader_that_stalls_is_cut_off_alone(tmp_path: Path, fields: dict[str, Any]) -> None:
    with served(tmp_path, FakeSynthesizer(max_rows=2), slow_reader_s=0.4) as server:
        long = {"response_format": "wav", "sample_rate": 48_000, **fields}  # 6 MB
        with connected(server, receive_buffer=4_096) as stalled:
            stalled.sendall(request_of(server, "[endless]", **long))
            stalled.recv(100)
            wait_until(lambda: server.state.limits.active_streams == 1)
            other = server.speak(response_format="pcm")
            assert other.content == file_of("pcm")
            wait_until(server.idle)
            assert server.counted("tts_stream_aborted_total", reason="slow_reader") == 1
            got = b""
            while part := stalled.recv(65_536):
                got += part
            assert not got.endswith(b"0\r\n\r\n")  # a stream's clean end


def test_a_slow_reader_that_goes_on_reading_gets_all(tmp_path: Path) -> None:
    """For longer than the patience with a stalled one, which begins anew with what is taken."""
    frames, how = 1_200, {"response_format": "wav", "sample_rate": 48_000}
    want = file_of("wav", "[endless]", sample_rate=48_000, whole=True, frames=frames)  # 9 MB
    with served(tmp_path, slow_reader_s=0.3) as server, connected(server, 65_536) as client:
        client.sendall(
            request_of(server, "[endless]", seed=1, stream=False, max_new_tokens=frames + 1, **how)
        )
        head, _, body = client.recv(65_536).partition(b"\r\n\r\n")
        began_s, got = time.monotonic(), bytearray(body)
        while len(got) < len(want):
            part = client.recv(16_384)
            assert part, f"cut off after {len(got)} of {len(want)} bytes"
            got += part
            time.sleep(0.003)
        assert got == want  # with a socket's buffers flushed, even of an answer that was given up
        assert f"content-length: {len(want)}".encode() in head
        assert time.monotonic() - began_s > 3 * 0.3
        wait_until(server.idle)
        assert server.counted("tts_stream_aborted_total", reason="slow_reader") == 0


def test_streamed_sound_that_ran_away_is_cut_off(server: Served) -> None:
    """A clean end would pass for the whole speech; whole answers and events have words for it."""
    assert server.heard("[endless]", response_format="pcm")
