"""`/api/v1/speak`: every message of the protocol, its fields, and every error a text can meet."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from qwen3_tts.audio.files import pcm16
from qwen3_tts.backends.fake import FakeSynthesizer, expected_wave
from tests.server.speak_client import Client, Served, serving, talk

TEXT = "Hello there."


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("voices"), max_text_chars=40) as served:
        yield served


# what the server says


def test_ready_says_what_can_be_done(served: Served) -> None:
    async def play(client: Client) -> Any:
        return client.ready

    ready = talk(served, play)
    assert re.fullmatch(r"[\w-]{1,64}", ready.pop("sessionId"))
    assert ready == {
        "type": "ready",
        "voiceLoaded": True,
        "capabilities": {
            "streaming": True,
            "languages": ["Chinese", "English", "German"],
            "cloning": False,
            "instructions": True,
            "presets": True,
            "maxTextChars": 40,
        },
        "sampleRate": 24_000,
        "encoding": "pcm16",
        "voice": "ann",
        "model": "fake",
        "protocolVersion": "2.0",
    }


def test_a_session_id_is_the_one_in_the_log(served: Served) -> None:
    async def play(client: Client) -> Any:
        return client.ready["sessionId"], client.socket.response.headers["x-request-id"]

    session_id, request_id = talk(served, play)
    assert session_id == request_id


def test_started_repeats_what_holds(served: Served) -> None:
    async def play(client: Client) -> None:
        plain = {"type": "started", "sampleRate": 24_000, "encoding": "pcm16", "voice": "ann"}
        assert await client.start() == plain
        other = {"sampleRate": 16_000, "encoding": "pcm32f", "voice": "dora"}
        assert await client.start(**other) == {"type": "started", **other}
        # what is left out stays, and a voice is found whatever its case
        again = await client.start(sampleRate=8_000, voice="BOB", contractId="c-1", unknown=[1])
        assert again == {"type": "started", **other, "sampleRate": 8_000, "voice": "bob"}

    talk(served, play)


def test_complete_tells_how_it_went(served: Served) -> None:
    async def play(client: Client) -> Any:
        await client.start(seed=7)
        return await client.speech(TEXT, requestId="a.b:c-1_D")

    heard = talk(served, play)
    end = heard.end
    assert heard.kinds == ["complete"]
    assert heard.pcm == pcm16(expected_wave(TEXT, seed=7))
    assert 0 <= end.pop("firstAudioMs") <= end.pop("durationMs") < 5000
    assert end == {
        "type": "complete",
        "charactersProcessed": len(TEXT),
        "textLength": len(TEXT),
        "audioLengthMs": len(TEXT) * 80,
        "totalChunks": len(heard.frames),
        "requestId": "a.b:c-1_D",
        "finishReason": "stop",
        "seed": 7,
    }


def test_without_a_seed_each_speech_has_its_own_and_tells_it(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.start()
        first, second = await client.speech(TEXT), await client.speech(TEXT)
        assert first.end["seed"] != second.end["seed"]
        assert "requestId" not in first.end, "only what the client gave"
        for heard in (first, second):
            assert heard.pcm == pcm16(expected_wave(TEXT, seed=heard.end["seed"]))

    talk(served, play)


def test_ping_is_answered_at_any_time(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.silence()
        await client.start(seed=1)
        await client.speak("[slow:0.005]" + TEXT)
        await client.send("ping")
        heard = await client.hear("complete")
        assert heard.kinds == ["pong", "complete"]

    talk(served, play)


@pytest.mark.parametrize("reason", [None, "done", "r" * 256, "é" * 256])
def test_stop_ends_the_session(served: Served, reason: str | None) -> None:
    async def play(client: Client) -> Any:
        await client.send("stop", **({"reason": reason} if reason else {}))
        return await client.closed(), client.socket.close_reason

    (code, before), told = talk(served, play)
    assert before == [{"type": "stopped", "reason": reason or "client"}]
    assert code == 1000
    assert told == (reason or "client").encode()[:123].decode(errors="ignore")
    served.until_free()


def test_stop_cuts_what_is_spoken(served: Served) -> None:
    async def play(client: Client) -> Any:
        await client.speak("[hang]" + TEXT)
        await client.speak(TEXT)
        await client.send("stop")
        return await client.closed()

    assert talk(served, play) == (1000, [{"type": "stopped", "reason": "client"}])
    served.until_free()


# what a speak may carry, and what it inherits


def test_a_speak_overrides_the_session_for_itself_alone(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.start(voice="bob", language="German", instructions="calm", seed=3)
        own = {"voice": "dora", "language": "chinese", "instructions": "loud", "seed": 4}
        assert (await client.speech(TEXT, **own)).pcm == pcm16(
            expected_wave(TEXT, seed=4, voice="dora")
        )
        assert (await client.speech(TEXT)).pcm == pcm16(expected_wave(TEXT, seed=3, voice="bob"))

    talk(served, play)
    first, second = list(served.fake.requests)[-2:]
    assert (first.voice, first.language, first.instruct) == ("dora", "chinese", "loud")
    assert (second.voice, second.language, second.instruct) == ("bob", "German", "calm")


@pytest.mark.parametrize("priority", ["low", "normal", "high"])
def test_nobody_without_a_key_is_more_urgent_than_others(served: Served, priority: str) -> None:
    async def play(client: Client) -> None:
        assert (await client.speech(TEXT, priority=priority)).end["type"] == "complete"

    talk(served, play)
    wanted = "normal" if priority == "high" else priority
    assert served.fake.requests[-1].priority == wanted


def test_a_start_while_speaking_counts_from_the_next_text_on(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.start(seed=1)
        await client.speak("[slow:0.005]" + TEXT, requestId="old")
        await client.send("start", encoding="pcm32f", voice="bob")
        heard = await client.hear("complete")
        assert heard.kinds == ["started", "complete"]
        assert heard.pcm == pcm16(expected_wave("[slow:0.005]" + TEXT, seed=1))
        wave = expected_wave(TEXT, seed=1, voice="bob")
        assert (await client.speech(TEXT)).pcm == wave.astype("<f4").tobytes()

    talk(served, play)


# what can be wrong


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "is empty"),
        (" \n\t", "is empty"),
        ("?!… 🎉", "no letter and no digit"),
        ("a" * 41, "41 characters, allowed are up to 40"),
        ("e\u0301" * 41, "41 characters"),
        ("a" * 60_000, "60000 characters"),
        ("a\0b", "NUL"),
        ("a\ud800b", "surrogate"),
    ],
)
def test_a_text_that_cannot_be_spoken(served: Served, text: str, says: str) -> None:
    async def play(client: Client) -> None:
        heard = await client.speech(text, requestId="x")
        assert (heard.frames, heard.kinds) == ([], ["error"])
        assert heard.end["code"] == "INVALID_TEXT"
        assert heard.end["recoverable"] is True
        assert says in heard.end["message"]
        assert heard.end["requestId"] == "x"
        assert (await client.speech(TEXT)).end["type"] == "complete", "the session goes on"

    talk(served, play)


@pytest.mark.parametrize("text", ["a" * 40, "e\u0301" * 40, "שלום", "1", "م"])
def test_texts_up_to_the_limit(served: Served, text: str) -> None:
    async def play(client: Client) -> Any:
        return await client.speech(text)

    end = talk(served, play).end
    composed = text.replace("e\u0301", "é")
    assert (end["type"], end["charactersProcessed"]) == ("complete", len(composed))


def test_an_unknown_voice_keeps_the_one_before(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.start(voice="bob", seed=1)
        error = await client.start(voice="nobody", sampleRate=8_000)
        assert (error["type"], error["code"]) == ("error", "VOICE_NOT_FOUND")
        assert error["recoverable"] is False
        assert all(name in error["message"] for name in ("nobody", "ann", "bob", "dora"))
        wanted = pcm16(expected_wave(TEXT, seed=1, voice="bob"))
        assert (await client.speech(TEXT)).pcm == wanted, "neither voice nor rate has changed"
        heard = await client.speech(TEXT, voice="nobody", requestId="v")
        assert (heard.end["code"], heard.end["requestId"]) == ("VOICE_NOT_FOUND", "v")
        assert (await client.speech(TEXT)).pcm == wanted

    talk(served, play)


def test_a_server_may_fall_back_to_its_voice_and_says_so(tmp_path: Path) -> None:
    async def play(client: Client) -> Any:
        assert (await client.start(voice="nobody", seed=1))["voice"] == "ann"
        return await client.speech(TEXT)

    with serving(tmp_path, voice_fallback=True) as served:
        assert talk(served, play).pcm == pcm16(expected_wave(TEXT, seed=1, voice="ann"))


def test_a_base_model_without_voices_says_so_when_it_should_speak(tmp_path: Path) -> None:
    async def play(client: Client) -> None:
        assert client.ready["voiceLoaded"] is False
        assert "voice" not in client.ready
        capabilities = client.ready["capabilities"]
        assert (capabilities["cloning"], capabilities["presets"]) == (True, False)
        assert "voice" not in await client.start()
        assert (await client.speech(TEXT)).end["code"] == "VOICE_NOT_FOUND"

    with serving(tmp_path, FakeSynthesizer("base")) as served:
        talk(served, play)


@pytest.mark.parametrize("where", ["start", "speak"])
def test_an_unknown_language_is_told_with_those_there_are(served: Served, where: str) -> None:
    async def play(client: Client) -> None:
        await client.start(language="Klingon" if where == "start" else "German")
        given = {"language": "Klingon"} if where == "speak" else {}
        error = (await client.speech(TEXT, **given)).end
        assert (error["code"], error["param"]) == ("INVALID_MESSAGE", "language")
        assert error["recoverable"] is True
        assert "Klingon" in error["message"]
        assert "german" in error["message"].lower()
        assert (await client.speech(TEXT, language="Auto")).end["type"] == "complete"

    talk(served, play)


@pytest.mark.parametrize(
    ("raw", "param"),
    [
        ("{", None),
        ("[]", None),
        ("7", None),
        ('{"type": "sing"}', "type"),
        ('{"text": "no type"}', "type"),
        ('{"type": "start", "sampleRate": 7999}', "sampleRate"),
        ('{"type": "speak"}', "text"),
        ('{"type": "speak", "text": 1}', "text"),
    ],
)
def test_a_message_without_sense_is_answered(served: Served, raw: str, param: str | None) -> None:
    async def play(client: Client) -> None:
        await client.socket.send(raw)
        error = await client.answer()
        assert (error["type"], error["code"]) == ("error", "INVALID_MESSAGE")
        assert error["recoverable"] is True
        assert error.get("param") == param
        assert (await client.speech(TEXT)).end["type"] == "complete"

    talk(served, play)
