"""The four kinds of clients that are out there, each as it behaves."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from websockets.exceptions import ConnectionClosed

from qwen3_tts.audio.files import pcm16
from qwen3_tts.backends.fake import expected_wave
from tests.server.speak_client import Client, Served, serving, talk

TEXT = "Hello there."


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("voices")) as served:
        yield served


# A: start, speak, stop


def test_a_client_that_follows_the_protocol(served: Served) -> None:
    async def play(client: Client) -> Any:
        assert client.ready["capabilities"]["streaming"] is True
        started = await client.start(
            sampleRate=24_000, encoding="pcm16", voice="ann", language="English", contractId="c"
        )
        assert started["type"] == "started"
        heard = await client.speech(TEXT, priority="normal")
        assert heard.kinds == ["complete"]
        assert heard.pcm == pcm16(expected_wave(TEXT, seed=heard.end["seed"]))
        again = await client.speech(TEXT)
        assert again.kinds == ["complete"], "and nothing came after the first `complete`"
        await client.send("stop", reason="done")
        return await client.closed()

    assert talk(served, play) == (1000, [{"type": "stopped", "reason": "done"}])


# B: the same messages with other keys in them


def test_a_client_that_reads_the_other_keys(served: Served) -> None:
    async def play(client: Client) -> None:
        ready = client.ready
        assert (ready["sampleRate"], ready["encoding"], ready["voice"]) == (24_000, "pcm16", "ann")
        await client.start(transport="json", seed=1)
        heard = await client.speech(TEXT, priority="low")
        *chunks, end = heard.messages
        offsets_s = [chunk["timestamp"] for chunk in chunks]
        assert offsets_s == sorted(offsets_s)
        assert offsets_s[-1] == pytest.approx(len(TEXT) * 0.08, abs=1e-6)
        assert chunks[-1]["isFinal"] is True
        assert (end["textLength"], end["totalChunks"]) == (len(TEXT), len(chunks) - 1)
        assert end["durationMs"] >= 0

    talk(served, play)


# C: a page's hook: no `start`, no waiting, `audio_end` is the end


class Hook:
    """What the hook does with each message, and what it then shows."""

    def __init__(self, client: Client):
        self.client, self.shown, self.samples, self.errors = client, "IDLE", 0, []

    async def speak(self, text: str) -> None:
        self.samples, self.shown = 0, "SPEAKING"
        await self.client.send("speak", text=text)

    async def cancel(self) -> None:
        self.samples, self.shown = 0, "IDLE"  # its queue is cleared; it does not wait
        await self.client.send("cancel")

    async def read(self) -> None:
        message = await self.client.receive()
        if isinstance(message, bytes):
            assert len(message) % 2 == 0, "an Int16Array of it would throw"
            self.samples += len(np.frombuffer(message, "<i2"))
        elif message["type"] == "audio_end":
            assert (message["sample_rate"], message["channels"]) == (24_000, 1)
            assert message["format"] == "pcm_s16le"
            self.shown = "IDLE"
        elif message["type"] == "error":
            self.errors.append((message["code"], message["recoverable"]))
            self.shown = "IDLE"

    async def until_idle(self) -> None:
        while self.shown == "SPEAKING":
            await self.read()


def test_the_hook_speaks_at_once_and_again(served: Served) -> None:
    async def play(client: Client) -> None:
        hook = Hook(client)
        for text in (TEXT, "again"):
            await hook.speak(text)  # the first before `ready` was read
            await hook.until_idle()
            assert (hook.samples, hook.errors) == (len(text) * 1920, [])

    talk(served, play, ready=False)


def test_the_hook_cancels_and_speaks_on(served: Served) -> None:
    async def play(client: Client) -> None:
        hook = Hook(client)
        await hook.speak("[hang]" + TEXT)
        await hook.read()  # ready
        await hook.cancel()
        while not hook.errors:
            await hook.read()
        assert hook.errors == [("CANCELLED", True)]
        assert hook.samples == 0
        await hook.speak(TEXT)
        await hook.until_idle()
        assert hook.samples == len(TEXT) * 1920

    talk(served, play, ready=False)


def test_the_hook_stops_and_leaves_without_reading_on(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.speak("[hang]" + TEXT)
        await client.send("stop")
        await client.socket.close(1000)

    talk(served, play, ready=False)
    served.until_free()


def test_audio_end_follows_complete_and_speaks_of_what_was_sent(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.speak(TEXT)
        heard = await client.hear("audio_end")
        assert heard.kinds == ["complete", "audio_end"]
        assert heard.end == {
            "type": "audio_end", "sample_rate": 24_000, "format": "pcm_s16le", "channels": 1,
        }  # fmt: skip

    talk(served, play)


@pytest.mark.parametrize("start", [{}, {"voice": "bob"}, {"voice": "nobody"}])
def test_who_ever_sent_start_sees_no_audio_end(served: Served, start: dict[str, Any]) -> None:
    async def play(client: Client) -> None:
        await client.speak(TEXT)
        assert (await client.hear("audio_end")).kinds == ["complete", "audio_end"]
        await client.start(**start)
        for _ in range(2):
            assert (await client.speech(TEXT)).kinds == ["complete"]
        await client.silence()

    talk(served, play)


# D: snake case


def test_a_client_in_snake_case(served: Served) -> None:
    async def play(client: Client) -> Any:
        started = await client.start(
            sample_rate=16_000, encoding="pcm16", auth_token="unused", contract_id="c"
        )
        assert (started["type"], started["sampleRate"]) == ("started", 16_000)
        await client.send(
            "synthesize", text=TEXT, voice="bob", language="English", stream=True, request_id="r"
        )
        heard = await client.hear("complete")
        assert heard.end["requestId"] == "r"
        assert len(heard.pcm) == len(TEXT) * 1920 * 2 * 16_000 // 24_000
        await client.send("cancel", request_id="r")  # nothing runs
        await client.send("stop")
        return await client.closed()

    assert talk(served, play) == (1000, [{"type": "stopped", "reason": "client"}])
    assert served.fake.requests[-1].voice == "bob"


def test_nothing_can_be_said_after_the_end(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.send("stop")
        await client.closed()
        with pytest.raises(ConnectionClosed):
            await client.speak(TEXT)

    talk(served, play)
