"""Several texts of one session: their order, how many may wait, and cancelling them."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qwen3_tts.audio.containers import encode_whole
from qwen3_tts.audio.files import pcm16
from qwen3_tts.backends.fake import FakeSynthesizer, expected_wave
from qwen3_tts.server.voices.shelf import VoiceShelf
from qwen3_tts.server.websocket.session import MAX_WAITING
from qwen3_tts.voices.library import VoiceLibrary
from tests.server.speak_client import Client, Heard, Message, Served, serving, talk

TEXT = "Hello there."
STUCK = "[hang]stuck"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("voices")) as served:
        yield served


@pytest.fixture
def served(server: Served) -> Iterator[Served]:
    yield server
    server.until_free()


def sound(text: str, **who: Any) -> bytes:
    return pcm16(expected_wave(text, seed=1, **who))


async def occupied(client: Client, served: Served) -> None:
    """The session speaks something that never ends by itself."""
    await client.start(seed=1)
    await client.speak(STUCK, requestId="stuck")
    while not served.fake.active:
        await asyncio.sleep(0.005)


# the queue


def test_texts_are_spoken_one_after_the_other_in_their_order(served: Served) -> None:
    texts = [f"Text number {n}" for n in range(MAX_WAITING)]

    async def play(client: Client) -> None:
        await client.start(seed=1)
        for number, text in enumerate(texts):
            await client.speak(text, requestId=f"r{number}", voice=("ann", "bob")[number % 2])
        for number, text in enumerate(texts):
            heard = await client.hear("complete", "error")
            assert (heard.kinds, heard.end["requestId"]) == (["complete"], f"r{number}")
            assert heard.pcm == sound(text, voice=("ann", "bob")[number % 2])

    talk(served, play)


def test_one_more_than_can_wait_is_refused_and_the_others_are_spoken(served: Served) -> None:
    async def play(client: Client) -> None:
        await occupied(client, served)
        for number in range(MAX_WAITING + 1):
            await client.speak(TEXT, requestId=f"r{number}")
        refused = await client.answer()
        assert (refused["code"], refused["requestId"]) == ("RATE_LIMITED", f"r{MAX_WAITING}")
        assert refused["recoverable"] is True
        assert refused["retryAfterMs"] == 1000
        await client.send("cancel", requestId="stuck")
        assert (await client.answer())["code"] == "CANCELLED"
        for number in range(MAX_WAITING):
            heard = await client.hear("complete", "error")
            assert (heard.end["requestId"], heard.pcm) == (f"r{number}", sound(TEXT))

    talk(served, play)


def test_sessions_speak_beside_each_other_and_never_mix(served: Served) -> None:
    async def play(client: Client) -> Heard:
        n = int(client.socket.local_address[1]) % 1000
        return await client.speech(f"[slow:0.002]session {n}", seed=n, requestId=str(n))

    async def run() -> list[Heard]:
        return await asyncio.gather(*(asyncio.to_thread(talk, served, play) for _ in range(12)))

    for heard in asyncio.run(run()):
        n = int(heard.end["requestId"])
        assert heard.pcm == pcm16(expected_wave(f"[slow:0.002]session {n}", seed=n))


# cancelling


def test_cancelling_nothing_says_nothing(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.start()
        await client.send("cancel")
        await client.send("cancel", requestId="none-such")
        await client.silence()
        assert (await client.speech(TEXT)).end["type"] == "complete"
        await client.send("cancel")
        await client.silence()

    talk(served, play)


def test_cancelling_what_is_spoken(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.start(seed=1)
        await client.speak("[endless][slow:0.002]" + TEXT, requestId="a")
        assert isinstance(await client.receive(), bytes)
        await client.send("cancel")
        heard = await client.hear("error")
        assert heard.end == {
            "type": "error",
            "code": "CANCELLED",
            "message": "cancelled, as was asked",
            "recoverable": True,
            "requestId": "a",
        }
        await client.silence()  # nothing follows it
        served.until_free_of_streams()
        assert (await client.speech(TEXT)).pcm == sound(TEXT), "the session is as good as new"

    talk(served, play)


def test_cancelling_all_answers_each_in_its_order(served: Served) -> None:
    async def play(client: Client) -> None:
        await occupied(client, served)
        for name in "abc":
            await client.speak(TEXT, requestId=name)
        await client.send("cancel")
        await client.speak(TEXT, requestId="new")  # at once, as the hook does
        errors = [await client.answer() for _ in range(4)]
        assert [error["requestId"] for error in errors] == ["stuck", "a", "b", "c"]
        assert {error["code"] for error in errors} == {"CANCELLED"}
        heard = await client.hear("complete", "error")
        assert (heard.end["requestId"], heard.pcm) == ("new", sound(TEXT))

    started = served.fake.started
    talk(served, play)
    assert served.fake.started == started + 2, "what was cancelled while it waited never began"


def test_cancelling_one_by_its_id(served: Served) -> None:
    async def play(client: Client) -> None:
        await occupied(client, served)
        for name in "abc":
            await client.speak(name + TEXT, requestId=name)
        await client.send("cancel", requestId="b")
        error = await client.answer()
        assert (error["code"], error["requestId"]) == ("CANCELLED", "b"), "it need not wait"
        await client.send("cancel", requestId="stuck")
        assert (await client.answer())["requestId"] == "stuck"
        for name in "ac":
            heard = await client.hear("complete", "error")
            assert (heard.end["requestId"], heard.pcm) == (name, sound(name + TEXT))

    talk(served, play)


def test_those_cancelled_take_no_place_in_the_queue(served: Served) -> None:
    async def play(client: Client) -> None:
        await occupied(client, served)
        for _ in range(3):
            for _ in range(MAX_WAITING):
                await client.speak(STUCK)
            await client.send("cancel")
        await client.speak(TEXT, requestId="last")
        heard = await client.hear("complete")
        assert [message.get("code") for message in heard.messages[:-1]] == ["CANCELLED"] * (
            3 * MAX_WAITING + 1
        )
        assert heard.end["requestId"] == "last"

    talk(served, play)


def test_a_cancelled_text_is_free_within_a_chunk(served: Served) -> None:
    async def play(client: Client) -> float:
        await occupied(client, served)
        began_s = asyncio.get_running_loop().time()
        await client.send("cancel")
        await client.answer()
        return asyncio.get_running_loop().time() - began_s

    assert talk(served, play) < 0.12, "the time of a frame and a half"


@pytest.mark.parametrize("moment_s", [0.0, 0.001, 0.003, 0.01, 0.03])
def test_cancelling_at_any_moment_is_answered_once(served: Served, moment_s: float) -> None:
    """By CANCELLED, or by `complete` where the end was on its way; never by both."""

    async def play(client: Client) -> None:
        for number in range(10):
            await client.speak("[slow:0.001]" + TEXT, requestId=f"r{number}")
            await asyncio.sleep(moment_s)
            await client.send("cancel")
            heard = await client.hear("complete", "error")
            assert heard.end["requestId"] == f"r{number}"
            if heard.end["type"] == "error":
                assert heard.end["code"] == "CANCELLED"
            await client.silence()

    async def started(client: Client) -> None:
        await client.start()
        await play(client)

    talk(served, started)


def test_a_cancel_does_not_wait_for_a_voice_that_is_prepared(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    preparing = asyncio.Event()

    async def slow(self: Any, name: str | None) -> Any:
        if name == "slow":
            preparing.set()
            await asyncio.sleep(60)
        return await resolve(self, name)

    resolve = VoiceShelf.resolve
    monkeypatch.setattr(VoiceShelf, "resolve", slow)

    async def play(client: Client) -> None:
        await client.start(seed=1)
        await client.speak(TEXT, voice="slow", requestId="slow")
        while not preparing.is_set():
            await asyncio.sleep(0.005)
        await client.send("cancel")
        assert (await client.answer())["code"] == "CANCELLED"
        assert (await client.speech(TEXT)).pcm == sound(TEXT)

    with serving(tmp_path) as served:
        talk(served, play)
        served.until_free()


def test_a_cancel_while_the_engine_is_being_asked_leaves_no_row_taken(tmp_path: Path) -> None:
    class Thoughtful(FakeSynthesizer):
        def stream(self, text: str, **options: Any) -> Any:
            time.sleep(0.05 if "slowly" in text else 0)
            return super().stream(text, **options)

    async def play(client: Client) -> None:
        for _ in range(5):
            await client.speak("[hang]slowly")
            await asyncio.sleep(0.02)
            await client.send("cancel")
            assert (await client.answer())["code"] == "CANCELLED"

    fake = Thoughtful()
    with serving(tmp_path, fake) as served:
        talk(served, play)
        served.until_free()
        assert fake.active == 0


def test_start_does_not_wait_until_a_voice_is_prepared(tmp_path: Path) -> None:
    """The name is checked at once; what takes time happens beside the session."""
    fake = FakeSynthesizer("base", clone_s=1.0)
    recording = encode_whole(np.full(24_000, 0.2, np.float32), 24_000, "wav")
    VoiceLibrary(tmp_path).add(None, name="Anna", recording=recording, transcript="What it says.")

    async def play(client: Client) -> tuple[float, Message]:
        began_s = time.monotonic()
        started = await client.start(voice="anna")
        await client.silence()
        took_s = time.monotonic() - began_s
        assert (await client.speech("Now it has to be there.")).end["type"] == "complete"
        return took_s, started

    with serving(tmp_path, fake, default_voice="nobody") as server:
        took_s, started = talk(server, play)
    assert started["type"] == "started"
    assert took_s < 0.5
    assert fake.encoder_calls == 1
