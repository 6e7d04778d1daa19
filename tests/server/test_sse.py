"""Speech as events: their exact form, life signs while nothing comes, and how failures are told."""

import asyncio
import base64
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from qwen3_tts.backends.fake import FakeSynthesizer
from qwen3_tts.server.openai import answer as speech_answer
from qwen3_tts.server.openai import sse
from qwen3_tts.server.openai.outlet import with_pauses
from qwen3_tts.server.speaking.job import Summary
from tests.server.speech_server import TEXT, events_of, file_of, served, wait_until

SUMMARY = Summary(
    audio_s=1.25,
    characters=9,
    frames=16,
    input_tokens=4,
    finish_reason="stop",
    seed=2**63 - 1,
    first_audio_s=0.1,
    total_s=0.2,
)


def test_the_last_event_tells_usage_and_how_it_ended() -> None:
    (event,) = events_of(sse.done(SUMMARY, "ann"))
    assert event == {
        "type": "speech.audio.done",
        "usage": {"input_tokens": 4, "output_tokens": 16, "total_tokens": 20},
        "finish_reason": "stop",
        "seed": 2**63 - 1,
        "voice": "ann",
        "audio_ms": 1250,
    }


@pytest.mark.parametrize("size", [1, 2, 3, 23_999, 24_000, 24_001, 100_000])
def test_long_pieces_become_several_events(size: int) -> None:
    content = bytes(n % 251 for n in range(size))
    events = events_of(sse.deltas(content))
    assert b"".join(base64.b64decode(event["audio"]) for event in events) == content
    assert len(events) == -(-size // 24_000)


def test_nothing_is_no_event() -> None:
    assert sse.deltas(b"") == b""


def test_lines_are_those_of_the_simplest_parsers(tmp_path: Path) -> None:
    """LiveKit: a line counts only if it begins with `data: `; all it does then is json.loads."""
    audio, usage = b"", None
    with served(tmp_path) as server, server.stream(stream_format="sse") as answer:
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-accel-buffering"] == "no"
        for line in answer.iter_lines():
            if not line.startswith("data: "):
                assert line == ""
                continue
            event = json.loads(line[6:])
            if event["type"] == "speech.audio.delta":
                audio += base64.b64decode(event["audio"])
            elif event["type"] == "speech.audio.done":
                usage = event["usage"]
    assert audio == file_of("mp3")
    assert usage == {"input_tokens": 5, "output_tokens": len(TEXT), "total_tokens": 5 + len(TEXT)}


def test_speech_that_ran_away_ends_and_says_so(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        answer = server.speak("[endless]", stream_format="sse")
    assert events_of(answer.content)[-1]["finish_reason"] == "guard:budget"


def test_life_signs_come_while_nothing_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech_answer, "PING_S", 0.05)
    with served(tmp_path, FakeSynthesizer(first_audio_s=0.3)) as server:
        answer = server.speak(stream_format="sse")
        assert answer.content.startswith(sse.PING * 2)
        *deltas, _ = events_of(answer.content)
        assert b"".join(base64.b64decode(d["audio"]) for d in deltas) == file_of("mp3")
        # no such thing fits between the bytes of a file
        assert server.speak().content == file_of("mp3")


@pytest.mark.parametrize("http", ["h11", "httptools"])
def test_a_failure_is_told_and_then_the_connection_is_cut(tmp_path: Path, http: str) -> None:
    fake = FakeSynthesizer(chunk_plan=(1,))
    with served(tmp_path, fake, uvicorn={"http": http}) as server:
        got = server.heard("[fail:6] some words", stream_format="sse")
        *_, last = events_of(got)
        assert last["type"] == "speech.audio.error"
        assert last["error"]["code"] == "SYNTHESIS_ERROR"
        assert set(last["error"]) == {"message", "type", "param", "code"}
        wait_until(server.idle)


def test_a_failure_after_a_life_sign_is_told_likewise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(speech_answer, "PING_S", 0.05)
    with served(tmp_path, first_audio_timeout_s=0.2) as server:
        got = server.heard("[hang]", stream_format="sse")
        assert got.startswith(sse.PING)
        (error,) = events_of(got)
        assert error["error"]["code"] == "TIMEOUT"
        wait_until(server.idle)


def test_a_failure_before_any_byte_has_a_status(tmp_path: Path) -> None:
    with served(tmp_path) as server:
        answer = server.speak("[fail:0] words", stream_format="sse")
    assert answer.status_code == 500
    assert answer.json()["error"]["code"] == "SYNTHESIS_ERROR"


def test_pauses_are_told_and_no_item_is_lost() -> None:
    async def items() -> AsyncIterator[int]:
        for number in range(4):
            await asyncio.sleep(0.05 * (number == 2))
            yield number

    async def main() -> list[Any]:
        return [item async for item in with_pauses(items(), 0.02)]

    got = asyncio.run(main())
    assert [item for item in got if item is not None] == [0, 1, 2, 3]
    assert got[:2] == [0, 1]
    assert got[2] is None


def test_an_error_of_the_items_comes_through() -> None:
    async def items() -> AsyncIterator[int]:
        yield 1
        raise KeyError("broken")

    async def main() -> None:
        async for _ in with_pauses(items(), 1.0):
            pass

    with pytest.raises(KeyError, match="broken"):
        asyncio.run(main())
