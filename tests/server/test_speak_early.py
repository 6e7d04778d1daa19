"""A session while the model loads: what it is told, what it may say, and what becomes of that."""

import asyncio
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from qwen3_tts.audio.files import pcm16
from qwen3_tts.backends.fake import FakeSynthesizer, expected_wave
from qwen3_tts.server import app
from qwen3_tts.server.speaking import model_host
from qwen3_tts.server.websocket import session as speak_session
from qwen3_tts.server.websocket.flood import MAX_EARLY, MAX_EARLY_CHARS
from tests.server.speak_client import Client, Served, serving, talk

TEXT = "Hello there."
KEY = "a-key-for-this-test"


class Loading:
    """The engine's load, which goes on until it is told to end."""

    def __init__(self) -> None:
        self.done, self.error = threading.Event(), ""
        self.fake, self.loads = FakeSynthesizer(), 0

    def __call__(self, settings: Any) -> FakeSynthesizer:
        self.loads += 1
        assert self.done.wait(20)
        if self.error:
            raise RuntimeError(self.error)
        return self.fake


@pytest.fixture
def loading(monkeypatch: pytest.MonkeyPatch) -> Iterator[Loading]:
    loading = Loading()
    monkeypatch.setattr(app, "open_engine", loading)
    monkeypatch.setattr(speak_session, "LOADING_EVERY_S", 0.02)
    yield loading
    loading.done.set()


@contextmanager
def slow(folder: Path, loading: Loading, **settings: Any) -> Iterator[Served]:
    with serving(folder, loading.fake, loads=True, **settings) as served:
        try:
            yield served
        finally:
            loading.done.set()


@pytest.mark.parametrize("load", ["eager", "lazy"])
def test_it_is_told_how_far_it_is_and_then_speaks(
    tmp_path: Path, loading: Loading, load: str
) -> None:
    async def play(client: Client) -> None:
        first = [await client.answer() for _ in range(3)]
        assert {message["type"] for message in first} == {"loading"}
        progress = [message["progress"] for message in first]
        assert progress == sorted(progress)
        assert all(0 <= share < 1 for share in progress)
        assert all("etaMs" not in message for message in first), "nothing was measured yet"
        loading.done.set()
        assert (await client.hear("ready")).frames == []
        await client.start(seed=1)
        assert (await client.speech(TEXT)).pcm == pcm16(expected_wave(TEXT, seed=1))

    with slow(tmp_path, loading, load=load) as served:
        talk(served, play, ready=False)
        assert loading.loads == 1


def test_what_came_before_is_done_in_its_order(tmp_path: Path, loading: Loading) -> None:
    async def play(client: Client) -> None:
        await client.send("start", seed=1, voice="bob")
        await client.speak("[hang]gone", requestId="gone")
        await client.send("cancel")
        await client.send("start", voice="nobody")
        await client.speak(TEXT, requestId="one")
        await client.send("start", sampleRate=99)
        await client.speak(TEXT, voice="dora", requestId="two")
        loading.done.set()
        heard = await client.hear("ready")
        assert [m["code"] for m in heard.messages if m["type"] == "error"] == ["INVALID_MESSAGE"]
        await client.speak("late", requestId="late")
        told = [await client.answer() for _ in range(3)]
        assert [(m["type"], m.get("code")) for m in told] == [
            ("started", None),
            ("error", "CANCELLED"),
            ("error", "VOICE_NOT_FOUND"),
        ]
        for name, text, voice in (
            ("one", TEXT, "bob"), ("two", TEXT, "dora"), ("late", "late", "bob"),
        ):  # fmt: skip
            heard = await client.hear("complete", "error")
            assert heard.end["requestId"] == name
            assert heard.pcm == pcm16(expected_wave(text, seed=1, voice=voice))

    with slow(tmp_path, loading) as served:
        talk(served, play, ready=False)


def test_what_comes_while_it_becomes_ready_stays_in_order(tmp_path: Path, loading: Loading) -> None:
    """Settling a `start` takes a moment, in which no later message may overtake earlier ones."""

    async def play(client: Client) -> None:
        texts = [f"text {number}" for number in range(12)]
        for text in texts[:4]:
            await client.send("start", seed=1)
            await client.speak(text)
        loading.done.set()
        for text in texts[4:]:
            await client.speak(text)
        spoken = []
        while len(spoken) < len(texts):
            heard = await client.hear("complete", "error")
            if heard.end["type"] == "error":
                assert heard.end["code"] == "RATE_LIMITED"  # it came while eight were kept
                texts.pop()
                continue
            spoken.append(heard.pcm)
        wanted = [pcm16(expected_wave(f"text {n}", seed=1)) for n in range(12)]
        at = [wanted.index(pcm) for pcm in spoken]
        assert at == sorted(at)
        assert at[:4] == [0, 1, 2, 3]

    with slow(tmp_path, loading) as served:
        talk(served, play, ready=False)


def test_so_many_are_kept_and_what_was_refused_is_never_spoken(
    tmp_path: Path, loading: Loading
) -> None:
    async def play(client: Client) -> None:
        for number in range(MAX_EARLY + 2):
            await client.speak(f"{TEXT} {number}", requestId=f"r{number}", seed=1)
        for number in (MAX_EARLY, MAX_EARLY + 1):
            refused = (await client.hear("error")).end
            assert (refused["code"], refused["requestId"]) == ("RATE_LIMITED", f"r{number}")
            assert refused["recoverable"] is True
        loading.done.set()
        await client.hear("ready")
        await client.send("start")  # answered somewhere among the sound
        for number in range(MAX_EARLY):
            heard = await client.hear("complete", "error")
            assert heard.end["requestId"] == f"r{number}"
            assert heard.pcm == pcm16(expected_wave(f"{TEXT} {number}", seed=1))
        await client.hear("audio_end")
        await client.silence()

    with slow(tmp_path, loading) as served:
        talk(served, play, ready=False)


def test_so_much_text_is_kept(tmp_path: Path, loading: Loading) -> None:
    half = "a" * (MAX_EARLY_CHARS // 2)

    async def play(client: Client) -> None:
        await client.speak(half)
        await client.speak(half)
        await client.speak("b", requestId="more")
        assert (await client.hear("error")).end["requestId"] == "more"
        loading.done.set()
        heard = await client.hear("ready")
        for _ in range(2):
            heard = await client.hear("complete", "error")
            assert heard.end["code"] == "INVALID_TEXT"  # it was kept, and is too long to speak

    with slow(tmp_path, loading) as served:
        talk(served, play, ready=False)


def test_ping_and_stop_do_not_wait(tmp_path: Path, loading: Loading) -> None:
    async def play(client: Client) -> Any:
        await client.speak(TEXT)
        await client.send("ping")
        assert (await client.hear("pong")).end == {"type": "pong"}
        await client.send("stop")
        return (await client.hear("stopped")).end, await client.closed()

    with slow(tmp_path, loading) as served:
        end, (code, after) = talk(served, play, ready=False)
        assert (end, code, after) == ({"type": "stopped", "reason": "client"}, 1000, [])
        served.until_free()


def test_a_load_that_failed_is_told_and_tried_again(
    tmp_path: Path, loading: Loading, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(model_host, "FIRST_PAUSE_S", 0.1)
    loading.error = "no such file: /srv/secret"

    async def play(client: Client) -> None:
        await client.speak(TEXT, seed=1)
        loading.done.set()
        error = (await client.hear("error")).end
        assert (error["code"], error["recoverable"]) == ("MODEL_LOADING", True)
        assert "secret" not in error["message"]
        assert error["retryAfterMs"] == pytest.approx(1000, abs=1)
        loading.error = ""
        await client.hear("ready")
        assert (await client.hear("complete")).pcm == pcm16(expected_wave(TEXT, seed=1))

    with slow(tmp_path, loading) as served:
        talk(served, play, ready=False)
        assert loading.loads >= 2


def test_a_session_that_is_never_ready_ends_with_the_server(
    tmp_path: Path, loading: Loading
) -> None:
    async def play(client: Client) -> Any:
        await client.speak(TEXT)
        served.state.limits.draining = True
        return (await client.hear("stopped")).end["reason"], await client.closed()

    with slow(tmp_path, loading) as served:
        assert talk(served, play, ready=False) == ("shutdown", (1001, []))
        served.until_free()


def test_only_who_is_known_may_have_a_model_loaded(tmp_path: Path, loading: Loading) -> None:
    async def play(client: Client) -> None:
        await asyncio.sleep(0.2)
        assert loading.loads == 0
        await client.send("start", authToken=KEY, seed=1)
        assert (await client.answer())["type"] == "loading"
        loading.done.set()
        await client.hear("started")
        assert (await client.speech(TEXT)).pcm == pcm16(expected_wave(TEXT, seed=1))

    with slow(tmp_path, loading, load="lazy", api_keys=(KEY,)) as served:
        talk(served, play, ready=False)


def test_nobody_without_a_key_fills_the_memory_of_a_loading_server(
    tmp_path: Path, loading: Loading
) -> None:
    async def play(client: Client) -> Any:
        for _ in range(MAX_EARLY + 1):
            await client.speak(TEXT)
        return await client.closed()

    with slow(tmp_path, loading, load="lazy", api_keys=(KEY,)) as served:
        code, before = talk(served, play, ready=False)
        assert code == 1008
        assert [message["code"] for message in before] == ["UNAUTHORIZED"]
        served.until_free()
