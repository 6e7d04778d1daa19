"""When things go wrong below a session, take too long, or come to an end."""

import asyncio
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from qwen3_tts.audio.files import pcm16
from qwen3_tts.backends.fake import FakeSynthesizer, expected_wave
from qwen3_tts.server.speaking import speaker as speaking
from qwen3_tts.server.websocket.utterance import Utterance
from tests.server.speak_client import Client, Heard, Served, serving, talk

TEXT = "Hello there."
SOUND = pcm16(expected_wave(TEXT, seed=1))


async def still_speaks(client: Client) -> None:
    assert (await client.speech(TEXT)).pcm == SOUND, "the session is as good as new"


def failing(served: Served, text: str) -> Heard:
    """What came of this text, in a session that speaks well after it."""

    async def play(client: Client) -> Heard:
        await client.start(seed=1)
        heard = await client.speech(text, requestId="r")
        await still_speaks(client)
        return heard

    heard = talk(served, play)
    assert (heard.kinds, heard.end["requestId"]) == (["error"], "r")
    served.until_free()
    return heard


# the engine


@pytest.mark.parametrize("frames", [0, 1, 5])
def test_a_stream_that_fails(tmp_path: Path, frames: int) -> None:
    text = f"[fail:{frames}]" + TEXT
    with serving(tmp_path) as served:
        heard = failing(served, text)
    assert (heard.end["code"], heard.end["recoverable"]) == ("SYNTHESIS_ERROR", True)
    assert "frames" not in heard.end["message"], "no details of ours"
    # never skipped, never filled: what was sent is the beginning of the speech
    assert heard.pcm == pcm16(expected_wave(text, seed=1)[: frames * 1920])


@pytest.mark.parametrize(("frames", "tries"), [(0, 2), (3, 1)])
def test_a_device_without_memory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, frames: int, tries: int
) -> None:
    """It is tried once more where no sound has left, and never else."""
    monkeypatch.setattr(speaking, "OOM_PAUSE_S", 0.01)
    with serving(tmp_path) as served:
        served.until(lambda: served.state.model.synthesizer is not None, "ready")
        started = served.fake.started
        heard = failing(served, f"[oom:{frames}]" + TEXT)
        assert (heard.end["code"], heard.end["recoverable"]) == ("GPU_OUT_OF_MEMORY", True)
        assert served.fake.started - started == tries + 1  # and the one that spoke well


def test_memory_that_was_found_the_second_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speaking, "OOM_PAUSE_S", 0.01)

    class Tight(FakeSynthesizer):
        tries = 0

        def stream(self, text: str, **options: Any) -> Any:
            self.tries += text == TEXT
            return super().stream("[oom:0]" if self.tries == 1 else text, **options)

    with serving(tmp_path, Tight()) as served:

        async def play(client: Client) -> None:
            await client.start(seed=1)
            await still_speaks(client)

        talk(served, play)


def test_an_unforeseen_error_tells_no_secret(tmp_path: Path) -> None:
    class Buggy(FakeSynthesizer):
        def stream(self, text: str, **options: Any) -> Any:
            if "[bug]" in text:
                raise ZeroDivisionError("/srv/secret/path")
            return super().stream(text, **options)

    with serving(tmp_path, Buggy()) as served:
        error = failing(served, "[bug]" + TEXT).end
    assert (error["code"], error["recoverable"]) == ("SYNTHESIS_ERROR", True)
    assert "secret" not in error["message"]


def test_a_bug_of_the_session_ends_it_and_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def broken(*_: Any) -> None:
        raise ZeroDivisionError("/srv/secret/path")

    monkeypatch.setattr(Utterance, "deliver", broken)

    async def play(client: Client) -> Any:
        await client.speak(TEXT)
        return await client.closed()

    with serving(tmp_path) as served:
        code, (error,) = talk(served, play)
        served.until_free()
    assert code == 1011
    assert (error["code"], error["recoverable"]) == ("SYNTHESIS_ERROR", False)
    assert "secret" not in str(error)


def test_a_full_engine_asks_to_come_back(tmp_path: Path) -> None:
    async def other(client: Client) -> Any:
        return (await client.speech(TEXT)).end

    async def play(client: Client) -> None:
        await client.start(seed=1)
        await client.speak("[hang]" + TEXT)
        while not served.fake.active:
            await asyncio.sleep(0.005)
        error = await asyncio.to_thread(talk, served, other)
        assert (error["code"], error["recoverable"]) == ("RATE_LIMITED", True)
        assert error["retryAfterMs"] > 0
        await client.send("cancel")
        await client.answer()
        await still_speaks(client)

    with serving(tmp_path, FakeSynthesizer(max_rows=1, max_queue=0)) as served:
        talk(served, play)
    with serving(tmp_path, max_streams=1) as served:
        talk(served, play)


# time


def test_no_sound_in_time(tmp_path: Path) -> None:
    with serving(tmp_path, first_audio_timeout_s=0.2) as served:
        heard = failing(served, "[hang]" + TEXT)
    assert (heard.end["code"], heard.end["recoverable"]) == ("TIMEOUT", True)
    assert "0.2 s" in heard.end["message"]
    assert heard.end["retryAfterMs"] == 200


def test_a_speech_without_an_end(tmp_path: Path) -> None:
    with serving(tmp_path, request_timeout_s=0.3) as served:
        heard = failing(served, "[endless][slow:0.02]" + TEXT)
    assert heard.end["code"] == "TIMEOUT"
    assert heard.frames, "it had begun"


def test_a_runaway_is_told_by_its_finish_reason(tmp_path: Path) -> None:
    async def play(client: Client) -> Any:
        await client.start(seed=1, sampleRate=8_000)
        return (await client.speech("[endless]" + TEXT)).end

    with serving(tmp_path) as served:
        end = talk(served, play)
    assert (end["type"], end["finishReason"]) == ("complete", "guard:budget")


def test_a_silent_session_is_ended_and_a_speaking_one_is_not(tmp_path: Path) -> None:
    async def play(client: Client) -> Any:
        await client.start(seed=1)
        began_s = time.monotonic()
        await client.speech("[slow:0.02]" + TEXT)  # 0.46 s, in which the client says nothing
        assert time.monotonic() - began_s > 0.4
        return await client.closed()

    with serving(tmp_path, idle_timeout_s=0.3) as served:
        assert talk(served, play) == (1000, [{"type": "stopped", "reason": "idle"}])
        served.until_free()


def test_a_client_that_leaves_in_the_middle_is_counted(tmp_path: Path) -> None:
    async def play(client: Client) -> None:
        await client.start(seed=1)
        await client.speak("[endless][slow:0.01]" + TEXT)
        assert isinstance(await client.receive(), bytes)
        await client.socket.close()

    with serving(tmp_path) as served:
        talk(served, play)
        served.until_free()
        counted = served.state.metrics.render()[0].decode().splitlines()
    assert 'tts_stream_aborted_total{reason="closed"} 1.0' in counted
    labels = 'code="",model="fake",outcome="cancelled",route="speak"'
    assert f"tts_requests_total{{{labels}}} 1.0" in counted


# the end of the server


def test_when_the_server_ends_running_speech_is_finished(tmp_path: Path) -> None:
    text = "[slow:0.02]" + TEXT

    async def busy(client: Client) -> Any:
        await client.start(seed=1)
        await client.speak(text)
        await client.speak(TEXT, requestId="waits")
        first = await client.receive()
        assert isinstance(first, bytes)
        served.state.limits.draining = True
        heard = await client.hear("complete", "error")
        assert first + heard.pcm == pcm16(expected_wave(text, seed=1))
        refused = (await client.hear("error")).end
        assert (refused["code"], refused["requestId"]) == ("RATE_LIMITED", "waits")
        assert refused["recoverable"] is False
        return await client.closed()

    async def idle(client: Client) -> Any:
        return await client.closed()

    async def late(client: Client) -> Any:
        code, (error,) = await client.closed()
        return code, error["code"], error["recoverable"]

    with serving(tmp_path) as served:
        outcome: list[Any] = []
        other = threading.Thread(target=lambda: outcome.append(talk(served, idle)))
        other.start()
        served.until(lambda: bool(served.state.limits.active_sessions), "a session")
        stopped = (1001, [{"type": "stopped", "reason": "shutdown"}])
        assert talk(served, busy) == stopped
        other.join(10)
        assert outcome == [stopped]
        assert talk(served, late, ready=False) == (1013, "RATE_LIMITED", False)
        served.until_free()
