"""A server as a process of its own: signals, crashes, dying engines."""

import asyncio
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import soundfile

from qwen3_tts.audio.files import pcm16
from qwen3_tts.backends.fake import expected_wave

COMMAND = [sys.executable, "-m", "qwen3_tts", "serve", "--port", "0"]
CHILD = """
import sys, threading, time
from qwen3_tts.backends.fake import FakeSynthesizer
from qwen3_tts.server import app, serve
from qwen3_tts.server.settings import load_settings
fake = FakeSynthesizer({kind!r})
{more}
sys.exit(serve.run_server(
    load_settings(engine="fake", port=0), lambda url: print("at", url, flush=True), synthesizer=fake
))
"""


class Process:
    """A started server. Its first line on stdout ends with its address."""

    def __init__(self, command: list[str], folder: Path, env: dict[str, str]):
        self.began_s = time.monotonic()
        self.log = folder / f"log{len(list(folder.glob('log*')))}"
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=env
            )
        assert self.process.stdout is not None
        self.first_line = self.process.stdout.readline().decode()
        assert self.first_line, self.log.read_text()
        self.url = self.first_line.split()[-1]
        self.client = httpx.Client(base_url=self.url, trust_env=False, timeout=30)

    def wait_until_ready(self) -> float:
        """Seconds since the process was started."""
        while self.client.get("/ready").status_code != 200:
            time.sleep(0.02)
        return time.monotonic() - self.began_s

    def kill(self, which: signal.Signals = signal.SIGTERM) -> None:
        self.process.send_signal(which)

    def code(self, within_s: float = 15) -> int:
        return self.process.wait(within_s)

    def logged(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.log.read_text().splitlines()]


Start = Callable[..., Process]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """`start(*words, **settings)` is the command; `start(script=..., kind=...)` a fake of ours."""
    started: list[Process] = []

    def run(*words: str, script: str | None = None, kind: str = "custom_voice", **given: Any):
        env = {name: value for name, value in os.environ.items() if "TTS_" not in name}
        settings = {"voices_dir": tmp_path / "voices", "drain_grace_s": 0, **given}
        env |= {f"QWEN3_TTS_{name.upper()}": str(value) for name, value in settings.items()}
        command = [*COMMAND, "--engine", "fake", *words]
        if script is not None:
            command = [sys.executable, "-c", CHILD.format(kind=kind, more=script)]
        started.append(Process(command, tmp_path, env))
        return started[-1]

    yield run
    for one in started:
        one.process.kill()
        one.process.wait()
        one.client.close()
        for pipe in (one.process.stdin, one.process.stdout):
            assert pipe is not None
            pipe.close()


async def speech(url: str, text: str, seed: int) -> bytes:
    """The samples of one speech."""
    body = {"input": text, "voice": "ann", "seed": seed, "response_format": "pcm"}
    async with httpx.AsyncClient(trust_env=False, timeout=30) as client:
        answer = await client.post(f"{url}/v1/audio/speech", json=body)
        assert answer.status_code == 200
        return answer.content


def test_the_command_serves_and_says_where(start: Start) -> None:
    server = start("--log-format", "json", "--api-key", "a-key-of-the-tests-1")
    server.wait_until_ready()
    for path in ("/health", "/ready", "/openapi.json", "/speak"):
        assert server.client.get(path).status_code == 200, path
    headers = {"Authorization": "Bearer a-key-of-the-tests-1"}
    body = {"input": "Hello.", "response_format": "wav", "model": "fake"}
    assert server.client.post("/v1/audio/speech", json=body).status_code == 401
    assert server.client.post("/v1/audio/speech", json=body, headers=headers).status_code == 200
    server.kill(signal.SIGINT)
    assert server.code() == 0
    assert server.process.stdout is not None
    shown = server.process.stdout.read().decode()
    assert f"base URL {server.url}/v1, model 'fake'" in shown
    assert "is needed" in shown
    lines = server.logged()  # each of them is JSON
    assert {"qwen3_tts.server.serve", "qwen3_tts.server.access"} <= {
        line["logger"] for line in lines
    }
    assert "a-key-of-the-tests-1" not in server.log.read_text() + shown


def test_sigterm_loses_none_of_ten_streams(start: Start) -> None:
    """Two of them wait for a row when the signal comes."""
    server = start()
    server.wait_until_ready()
    texts = [f"[slow:0.03] Stream number {number} is not lost." for number in range(10)]

    async def all_of_them() -> list[bytes]:
        speeches = [
            asyncio.create_task(speech(server.url, text, seed)) for seed, text in enumerate(texts)
        ]
        async with httpx.AsyncClient(base_url=server.url, trust_env=False) as client:
            while (await client.get("/api/v1/status")).json()["activeStreams"] < len(texts):
                await asyncio.sleep(0.01)
        server.kill()
        return await asyncio.gather(*speeches)

    heard = asyncio.run(all_of_them())
    for seed, text in enumerate(texts):
        assert heard[seed] == pcm16(expected_wave(text, seed=seed, voice="ann")), text
    assert server.code() == 0
    assert any("SIGTERM: 10 streams" in line["message"] for line in server.logged())


def test_a_second_signal_ends_it_at_once(start: Start) -> None:
    server = start(drain_grace_s=60)
    server.wait_until_ready()
    server.kill()
    while server.client.get("/ready").status_code == 200:
        time.sleep(0.02)
    server.kill()
    assert server.code(2) == -signal.SIGTERM


def test_after_a_crash_it_serves_again_with_all_voices(start: Start) -> None:
    server = start(script="", kind="base")
    server.wait_until_ready()
    names = [f"Anna {number}" for number in range(3)]
    for number, name in enumerate(names):
        files = {"audio": ("a.wav", recording(200 + 50 * number), "audio/wav")}
        given = {"name": name, "transcript": "What she says.", "consent": "given"}
        made = server.client.post("/api/v1/voices", data=given, files=files)
        assert made.status_code == 201, made.text
    before = [spoken(server, name) for name in names]
    assert len(set(before)) == len(names)

    crash_while_speaking(server, names[0])
    assert server.code() == -signal.SIGKILL
    server = start(script="", kind="base")
    assert server.wait_until_ready() < 30
    listed = {voice["name"] for voice in server.client.get("/api/v1/voices").json()["voices"]}
    assert set(names) <= listed
    assert [spoken(server, name) for name in names] == before


def crash_while_speaking(server: Process, voice: str) -> None:
    body = {"input": "[slow:0.05] A speech that is cut off.", "voice": voice}
    with server.client.stream("POST", "/v1/audio/speech", json=body) as answer:
        parts = answer.iter_bytes()
        next(parts)
        server.kill(signal.SIGKILL)
        with pytest.raises(httpx.HTTPError):
            list(parts)


def recording(pitch: int) -> bytes:
    times = np.arange(2 * 24_000) / 24_000
    file = io.BytesIO()
    wave = 0.3 * np.sin(2 * np.pi * pitch * times) * np.hanning(len(times)) * pitch / 400
    soundfile.write(file, wave, 24_000, format="WAV")
    return file.getvalue()


def spoken(server: Process, name: str) -> bytes:
    body = {"input": "Hello.", "voice": name, "seed": 1, "response_format": "pcm"}
    answer = server.client.post("/v1/audio/speech", json=body)
    assert answer.status_code == 200, answer.text
    return answer.content


def test_a_signal_while_it_loads_ends_it(start: Start) -> None:
    """Though the load goes on for long, and cannot be interrupted."""
    server = start(script="app.open_engine = lambda settings: time.sleep(60); fake = None")
    told = server.client.get("/ready").json()
    assert (told["ready"], told["model"]) == (False, "loading")
    server.kill()
    assert server.code(5) == 0


def test_a_dead_engine_is_exit_code_3_even_where_it_cannot_be_closed(start: Start) -> None:
    server = start(
        script="serve.DEAD_AFTER_S = 2\n"
        "fake.close = lambda drain=True: time.sleep(60)\n"
        "dies = lambda: (sys.stdin.readline(), fake.break_down('it burnt'))\n"
        "threading.Thread(target=dies, daemon=True).start()"
    )
    server.wait_until_ready()
    body = {"input": "[hang]"}
    with server.client.stream("GET", "/health") as alive:
        assert alive.status_code == 200
    assert server.process.stdin is not None
    server.process.stdin.write(b"die\n")
    server.process.stdin.flush()
    with pytest.raises((httpx.HTTPError, AssertionError)):
        assert server.client.post("/v1/audio/speech", json=body).status_code == 200
    assert server.code() == 3
    assert any("the engine is dead: it burnt" in line["message"] for line in server.logged())
