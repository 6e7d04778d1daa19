"""A server with a fake engine, and a client of its `/api/v1/speak` for tests."""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

from qwen3_tts.backends.fake import FakeSynthesizer
from qwen3_tts.server.app import create_app
from qwen3_tts.server.settings import load_settings
from qwen3_tts.server.state import ServerState
from tests.server.live import Live, live

T = TypeVar("T")
LIMIT_S = 10.0  # for anything that is waited for: far more than it takes
SOCKETS = "websockets-sansio"  # what the server runs with
Message = dict[str, Any]


@dataclass(frozen=True)
class Served:
    at: Live
    fake: FakeSynthesizer
    state: ServerState

    @property
    def url(self) -> str:
        return f"{self.at.ws}/api/v1/speak"

    def until(self, condition: Callable[[], bool], what: str, limit_s: float = LIMIT_S) -> None:
        """Waits in this thread until `condition` holds."""
        end_s = time.monotonic() + limit_s
        while not condition():
            assert time.monotonic() < end_s, f"not within {limit_s} s: {what}"
            time.sleep(0.005)

    def until_free(self) -> None:
        """Nothing is held any more: no row, no place in a queue, no session, no stream."""
        limits, fake = self.state.limits, self.fake
        self.until(
            lambda: (
                (fake.active, fake.queued, limits.active_sessions, limits.active_streams)
                == (0, 0, 0, 0)
            ),
            "everything is given back",
        )

    def until_free_of_streams(self) -> None:
        """Nothing is being spoken any more; sessions may be open."""
        self.until(
            lambda: (self.fake.active, self.state.limits.active_streams) == (0, 0),
            "all streams are given back",
        )


@contextmanager
def serving(
    folder: Path,
    fake: FakeSynthesizer | None = None,
    *,
    loads: bool = False,
    options: dict[str, Any] | None = None,
    **settings: Any,
) -> Iterator[Served]:
    """`settings` are the server's, `options` uvicorn's. With `loads` the server opens its engine
    itself, and the test sees to it that this is the fake."""
    fake = fake or FakeSynthesizer()
    known = load_settings(engine="fake", voices_dir=folder, **settings)
    app = create_app(known, synthesizer=None if loads else fake)
    with live(app, ws=SOCKETS, **(options or {})) as at:
        yield Served(at, fake, app.state.server)


@dataclass
class Heard:
    """One speech: the frames of its sound, and the JSON messages, the last of which ended it."""

    frames: list[bytes] = field(default_factory=list)
    messages: list[Message] = field(default_factory=list)

    @property
    def pcm(self) -> bytes:
        return b"".join(self.frames)

    @property
    def end(self) -> Message:
        return self.messages[-1]

    @property
    def kinds(self) -> list[str]:
        return [message["type"] for message in self.messages]


class Client:
    """One socket. Messages are read in their order, text as objects and sound as bytes."""

    def __init__(self, socket: ClientConnection):
        self.socket = socket
        self.ready: Message = {}

    async def send(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def speak(self, text: str, **fields: Any) -> None:
        await self.send("speak", text=text, **fields)

    async def receive(self) -> Message | bytes:
        async with asyncio.timeout(LIMIT_S):
            message = await self.socket.recv()
        return message if isinstance(message, bytes) else json.loads(message)

    async def hear(self, *ends: str) -> Heard:
        """All that comes until a message of one of these types."""
        heard = Heard()
        while True:
            message = await self.receive()
            if isinstance(message, bytes):
                heard.frames.append(message)
                continue
            heard.messages.append(message)
            if message["type"] in ends:
                return heard

    async def answer(self) -> Message:
        """The next message, which is no sound."""
        message = await self.receive()
        assert isinstance(message, dict), f"{len(message)} bytes of sound"
        return message

    async def speech(self, text: str, **fields: Any) -> Heard:
        """Speaks a text and hears it to its end."""
        await self.speak(text, **fields)
        return await self.hear("complete", "error")

    async def start(self, **fields: Any) -> Message:
        await self.send("start", **fields)
        return await self.answer()

    async def silence(self) -> None:
        """Nothing is on its way: the answer to a ping is the next message."""
        await self.send("ping")
        assert await self.answer() == {"type": "pong"}

    async def closed(self) -> tuple[int, list[Message | bytes]]:
        """The close code, and what came before."""
        before: list[Message | bytes] = []
        try:
            while True:
                before.append(await self.receive())
        except ConnectionClosed:
            code = self.socket.close_code
        assert code not in (None, 1006), "the connection was dropped"
        return code, before


def talk(
    served: Served, play: Callable[[Client], Awaitable[T]], *, ready: bool = True, **options: Any
) -> T:
    """Connects, reads `ready`, and does what `play` says. `options` are those of `connect`."""

    async def run() -> T:
        known = {"uri": served.url, "close_timeout": 2, **options}
        async with connect(**known) as socket:
            client = Client(socket)
            if ready:
                client.ready = (await client.hear("ready")).end
            return await play(client)

    return asyncio.run(run())
