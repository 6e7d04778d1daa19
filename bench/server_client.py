"""The clients of `server.py`: a server in a process of its own, and those who listen to it.

HTTP is spoken by hand over a plain connection, a new one for each request: the client shares the
machine with the server, and a library would cost more than the server does.
"""

import asyncio
import contextlib
import json
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import urlopen

import websockets

RATE, SAMPLE_BYTES = 24_000, 2
MIB = 2**20


class ServerProcess:
    """A server started by `server.py --child`; ask it what its engine does."""

    def __init__(self, options: dict[str, Any]):
        script = Path(__file__).with_name("server.py")
        command = [sys.executable, str(script), "--child", json.dumps(options)]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
        )
        self.url = self._line()
        self.host, self.port = urlsplit(self.url).hostname or "", urlsplit(self.url).port or 0

    def _line(self) -> str:
        assert self.process.stdout is not None
        line = self.process.stdout.readline().decode().strip()
        if not line:
            raise RuntimeError("the server ended; run the child by hand to see why")
        return line

    def engine(self) -> dict[str, Any]:
        """Counts of the fake engine and the server, asked outside of HTTP."""
        assert self.process.stdin is not None
        self.process.stdin.write(b"state\n")
        self.process.stdin.flush()
        counts: dict[str, Any] = json.loads(self._line())
        return counts

    def status(self) -> dict[str, Any]:
        """What the server itself counts."""
        with urlopen(f"{self.url}/api/v1/status") as answer:
            counts: dict[str, Any] = json.load(answer)
        return counts

    @property
    def resident_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
        return int(line.split()[1]) * 1024 / MIB

    @property
    def cpu_s(self) -> float:
        """Processor time used so far."""
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / 100

    def stop(self) -> None:
        """As a supervisor would; a server that does not end is killed, and that is told."""
        self.process.terminate()
        try:
            self.process.wait(20)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise RuntimeError("the server did not end within 20 s of SIGTERM") from None


@contextlib.contextmanager
def server(**options: Any) -> Iterator[ServerProcess]:
    process = ServerProcess(options)
    try:
        yield process
    finally:
        process.stop()


@dataclass(eq=False)
class Heard:
    """One speech as it came: when, and how much sound each time."""

    asked_s: float
    arrivals: list[float] = field(default_factory=list)
    lengths: list[float] = field(default_factory=list)  # seconds of sound
    error: str = ""

    def sound(self, samples: float) -> None:
        self.arrivals.append(time.perf_counter())
        self.lengths.append(samples / RATE)

    @property
    def first_s(self) -> float:
        return self.arrivals[0] - self.asked_s

    @property
    def audio_s(self) -> float:
        return sum(self.lengths)

    def silences(self, buffer_s: float) -> list[float]:
        """What a player that starts `buffer_s` after the first sound plays where sound is late."""
        dry_s, found = self.arrivals[0] + buffer_s, []
        for arrival_s, length_s in zip(self.arrivals, self.lengths, strict=True):
            if arrival_s > dry_s:
                found.append(arrival_s - dry_s)
            dry_s = max(dry_s, arrival_s) + length_s
        return found

    def lateness(self) -> list[float]:
        """Of each chunk, against a player without a buffer that never waits; below 0 is early."""
        due_s, found = self.arrivals[0], []
        for arrival_s, length_s in zip(self.arrivals, self.lengths, strict=True):
            found.append(arrival_s - due_s)
            due_s += length_s
        return found


async def http_speech(process: ServerProcess, text: str, leave_after_s: float = 0.0) -> Heard:
    """One POST /v1/audio/speech, format wav, on a connection of its own."""
    heard = Heard(time.perf_counter())
    try:
        reader, writer = await asyncio.open_connection(process.host, process.port)
        try:
            async with asyncio.timeout(leave_after_s or 60):
                await _exchange(heard, reader, writer, process, text)
        finally:
            if leave_after_s:
                writer.transport.abort()
            writer.close()
    except TimeoutError:
        heard.error = "left" if leave_after_s else "timeout"
    except (OSError, ValueError, asyncio.IncompleteReadError) as error:
        heard.error = type(error).__name__
    return heard


async def _exchange(
    heard: Heard,
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    process: ServerProcess,
    text: str,
) -> None:
    body = json.dumps({"input": text, "response_format": "wav"}).encode()
    head = (
        f"POST /v1/audio/speech HTTP/1.1\r\nHost: {process.host}:{process.port}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n"
        "Connection: close\r\n\r\n"
    )
    writer.write(head.encode() + body)
    answer = await reader.readuntil(b"\r\n\r\n")
    status = answer.split()[1].decode()
    if status != "200":
        heard.error = status
        return
    is_first = True
    while size := int(await reader.readline(), 16):
        content = (await reader.readexactly(size + 2))[:-2]
        if is_first:  # the header leaves with the first sound
            content, is_first = content[content.index(b"data") + 8 :], False
        if content:
            heard.sound(len(content) / SAMPLE_BYTES)
    # the chunk of no bytes was there: the answer is whole


class Session:
    """One open WebSocket that speaks one text after the other."""

    def __init__(self, process: ServerProcess):
        self.address = process.url.replace("http", "ws", 1) + "/api/v1/speak"

    async def __aenter__(self) -> "Session":
        self.socket = await websockets.connect(self.address, max_size=None, compression=None)
        await self.until("ready")
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.socket.close()

    async def until(self, kind: str, heard: Heard | None = None) -> None:
        """Take messages until one of this kind; sound goes to `heard`."""
        while True:
            message = await self.socket.recv()
            if isinstance(message, bytes):
                if heard is not None:
                    heard.sound(len(message) / SAMPLE_BYTES)
                continue
            told = json.loads(message)
            if told["type"] == "error" and heard is not None:
                heard.error = told["code"]
                return
            if told["type"] == kind:
                return

    async def speak(self, text: str) -> Heard:
        heard = Heard(time.perf_counter())
        try:
            await self.socket.send(json.dumps({"type": "speak", "text": text}))
            await self.until("audio_end", heard)
        except websockets.ConnectionClosed as error:
            heard.error = f"closed {error.rcvd.code if error.rcvd else ''}"
        return heard

    def drop(self) -> None:
        """Leave as a machine does whose network is gone, without a word."""
        self.socket.transport.abort()
