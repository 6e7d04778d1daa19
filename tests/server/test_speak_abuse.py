"""Clients that send too much, read too little or vanish: they go, and nobody else notices."""

import asyncio
import json
import random
import socket
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.asyncio.client import connect

from qwen3_tts.audio.files import pcm16
from qwen3_tts.backends.fake import FakeSynthesizer, expected_wave
from qwen3_tts.server.websocket.session import MAX_MISTAKES, MESSAGE_BURST
from tests.server.speak_client import Client, Served, serving, talk

TEXT = "Hello there."
SOUND = pcm16(expected_wave(TEXT, seed=1))
MAX_BYTES = 4096


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    options = {"ws_max_size": MAX_BYTES}  # as the server's own start sets it
    folder = tmp_path_factory.mktemp("voices")
    with serving(folder, max_message_bytes=MAX_BYTES, options=options) as served:
        yield served


@pytest.fixture
def served(server: Served) -> Iterator[Served]:
    yield server
    server.until_free()


# too much


def test_a_flood_of_messages(served: Served) -> None:
    async def play(client: Client) -> Any:
        for _ in range(2 * MESSAGE_BURST):
            await client.send("cancel")
        return await client.closed()

    code, before = talk(served, play, compression=None)
    assert code == 1008
    (error,) = before
    assert (error["code"], error["recoverable"]) == ("RATE_LIMITED", False)


def test_a_burst_of_messages_is_no_flood(served: Served) -> None:
    async def play(client: Client) -> None:
        for _ in range(MESSAGE_BURST - 20):
            await client.send("cancel")
        await client.silence()

    talk(served, play, compression=None)


@pytest.mark.parametrize("raw", ["no json", b"\0\1\2\3", '{"type":"start","speed":9}'])
def test_mistakes_are_answered_until_they_are_too_many(served: Served, raw: str | bytes) -> None:
    async def play(client: Client) -> Any:
        for _ in range(MAX_MISTAKES):
            await client.socket.send(raw)
            error = await client.answer()
            assert (error["code"], error["recoverable"]) == ("INVALID_MESSAGE", True)
        await client.silence()
        await client.socket.send(raw)
        return await client.closed()

    code, (error,) = talk(served, play)
    assert code == 1008
    assert (error["code"], error["recoverable"]) == ("INVALID_MESSAGE", False)


def test_a_message_of_the_greatest_size(served: Served) -> None:
    async def play(client: Client) -> Any:
        empty = len(json.dumps({"type": "ping", "pad": ""}))
        await client.send("ping", pad="a" * (MAX_BYTES - empty))
        assert await client.answer() == {"type": "pong"}
        await client.send("ping", pad="a" * (MAX_BYTES - empty + 1))
        return await client.closed()

    assert talk(served, play) == (1009, [])


def test_a_message_that_grows_when_it_is_unpacked(served: Served) -> None:
    """A megabyte of one letter is a kilobyte on the wire."""

    async def play(client: Client) -> Any:
        assert client.socket.protocol.extensions, "compression was agreed on"
        await client.send("ping", pad="a" * 2**20)
        return await client.closed()

    assert talk(served, play) == (1009, [])


def test_a_message_in_endless_parts(served: Served) -> None:
    async def parts() -> Any:
        while True:
            yield "a" * 1000

    async def play(client: Client) -> Any:
        try:
            await client.socket.send(parts())
        except Exception:  # the connection is closed under it
            return client.socket.close_code
        return None

    # 1006 where what was still on its way reset the connection before the code could be read
    assert talk(served, play, compression=None) in (1009, 1006)


def test_without_the_library_s_limit_ours_holds(tmp_path: Path) -> None:
    async def play(client: Client) -> None:
        await client.send("ping", pad="é" * (MAX_BYTES // 2))
        error = await client.answer()
        assert error["code"] == "INVALID_MESSAGE"
        assert str(MAX_BYTES) in error["message"]
        await client.silence()

    with serving(tmp_path, max_message_bytes=MAX_BYTES) as served:
        talk(served, play)


def test_nested_json(served: Served) -> None:
    async def play(client: Client) -> None:
        for opening in ("[", '{"a":'):
            await client.socket.send(opening * (MAX_BYTES // len(opening)))
            assert (await client.answer())["code"] == "INVALID_MESSAGE"

    talk(served, play)


def test_text_that_is_no_utf_8(served: Served) -> None:
    async def play(client: Client) -> Any:
        await client.socket.send(b'{"type": "\xff"}', text=True)
        return await client.closed()

    assert talk(served, play)[0] == 1007


# too little


def narrow_socket(port: int) -> socket.socket:
    """Connected, with room for little that was not read."""
    narrow = socket.socket()
    narrow.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    narrow.connect(("127.0.0.1", port))
    narrow.setblocking(False)
    return narrow


def test_who_does_not_read_is_cut_off_alone(tmp_path: Path) -> None:
    patience_s, gap_s = 0.4, 0.02

    async def other(served: Served) -> list[float]:
        """Speaks from before the cut until after it; the gaps between its frames."""
        text = f"[slow:{gap_s}]" + "a" * 60
        gaps: list[float] = []
        async with connect(served.url) as socket_:
            client = Client(socket_)
            await client.hear("ready")
            await client.start(seed=1)
            await client.speak(text)
            pcm, then_s = b"", None
            while isinstance(frame := await client.receive(), bytes):
                now_s = time.monotonic()
                gaps += [now_s - then_s] if then_s else []
                pcm, then_s = pcm + frame, now_s
            assert frame["type"] == "complete"
            assert pcm == pcm16(expected_wave(text, seed=1))
        return gaps

    async def run(served: Served) -> list[float]:
        narrow = narrow_socket(served.at.port)
        slow = await connect(served.url, sock=narrow, max_queue=1, compression=None)
        await slow.send('{"type": "start", "sampleRate": 48000, "encoding": "pcm32f"}')
        await slow.send('{"type": "speak", "text": "[endless] and so on"}')  # 11.5 MB
        speaking = asyncio.create_task(other(served))
        while served.state.limits.active_sessions < 2:
            await asyncio.sleep(0.005)
        while served.state.limits.active_sessions == 2:
            await asyncio.sleep(0.005)
        assert not speaking.done(), "the other one was speaking when it was cut"
        gaps = await speaking
        slow.transport.abort()
        return gaps

    with serving(tmp_path, slow_reader_s=patience_s, options={"ws_per_message_deflate": False}) as (
        served
    ):
        gaps = asyncio.run(run(served))
        served.until_free()
        metrics = served.state.metrics.render()[0].decode()
    assert 'tts_stream_aborted_total{reason="slow_reader"} 1.0' in metrics
    # a chunk is up to 12 frames; half a patience more would be a wait for the slow one
    assert max(gaps) < 12 * gap_s + patience_s / 2


def test_a_connection_whose_other_half_is_gone(tmp_path: Path) -> None:
    """Nobody answers pings: no packet says that the client is no more."""
    options = {"ws_ping_interval": 0.1, "ws_ping_timeout": 0.2}
    with serving(tmp_path, options=options) as served:
        silent = socket.create_connection(("127.0.0.1", served.at.port))
        request = (
            "GET /api/v1/speak HTTP/1.1",
            f"Host: 127.0.0.1:{served.at.port}",
            "Connection: Upgrade",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==",
        )
        silent.sendall("\r\n".join([*request, "", ""]).encode())
        served.until(lambda: served.state.limits.active_sessions == 1, "a session")
        served.until_free()
        silent.close()


# gone


def test_clients_that_vanish_at_any_moment_leave_nothing_behind(tmp_path: Path) -> None:
    rng = random.Random(5)
    texts = (TEXT, "[slow:0.003]" + TEXT, "[hang]" + TEXT, "[endless]a", "[fail:2]" + TEXT)

    async def vanish(served: Served, moment_s: float, number: int) -> None:
        async with connect(served.url) as client:
            if number % 3:
                await client.send(json.dumps({"type": "start", "transport": "json"}))
            for _ in range(number % 4):
                more = {"continue": True} if number % 5 == 0 else {}
                text = rng.choice(texts)
                await client.send(json.dumps({"type": "speak", "text": text, **more}))
            if number % 7 == 0:
                await client.send('{"type": "cancel"}')
            await asyncio.sleep(moment_s)
            client.transport.abort()

    async def run(served: Served) -> None:
        for start in range(0, 100, 10):
            each = [vanish(served, rng.uniform(0, 0.04), start + n) for n in range(10)]
            await asyncio.gather(*each)

    fake = FakeSynthesizer(max_rows=4)
    with serving(tmp_path, fake) as served:
        asyncio.run(run(served))
        served.until_free()
        assert (fake.active, served.state.limits.active_sessions) == (0, 0)

        async def play(client: Client) -> None:
            assert (await client.speech(TEXT, seed=1)).pcm == SOUND

        talk(served, play)
