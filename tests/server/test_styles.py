"""A voice's takes by `style`, at the WebSocket and at the OpenAI route."""

from collections.abc import Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest

from qwen3_tts.backends.fake import VECTOR_SIZE, FakeSynthesizer
from qwen3_tts.types import Take, Voice
from qwen3_tts.voices.library import VoiceLibrary
from tests.server.speak_client import Client, Served, serving, talk

VOICE = Voice(
    np.ones(VECTOR_SIZE), takes={"happy": Take(np.zeros((2, 16), np.int64), "Glad to see you.")}
)


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("voices")
    library = VoiceLibrary(folder)
    library.add(VOICE, name="Anna")
    library.add(Voice(2 * VOICE.vector), name="Ben")
    with serving(folder, FakeSynthesizer("base")) as served:
        yield served


def styles(served: Served, count: int) -> list[str | None]:
    return [request.style for request in list(served.fake.requests)[-count:]]


def test_a_session_and_a_text_may_have_a_style(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.start(voice="anna", style="Happy")
        assert (await client.speech("Hi.")).end["type"] == "complete"
        assert (await client.speech("Hi.", style="neutral")).end["type"] == "complete"
        assert (await client.speech("Hi.", voice="ben")).end["type"] == "complete"
        await client.start(voice="ben")  # the style was of the voice before
        assert (await client.speech("Hi.")).end["type"] == "complete"

    talk(served, play)
    assert styles(served, 4) == ["Happy", "neutral", None, None]


def test_an_unknown_style_is_told_with_those_there_are(served: Served) -> None:
    async def play(client: Client) -> None:
        heard = await client.speech("Hi.", voice="anna", style="sad")
        assert heard.end["code"] == "VOICE_NOT_FOUND"
        assert "no style 'sad'; have: neutral, happy" in heard.end["message"]

    talk(served, play)


def test_the_openai_route(served: Served) -> None:
    def speak(**fields: str) -> httpx.Response:
        url = f"{served.at.http}/v1/audio/speech"
        return httpx.post(url, json={"input": "Hi.", "voice": "anna", **fields})

    assert speak(style="happy").status_code == 200
    assert styles(served, 1) == ["happy"]
    unknown = speak(style="sad")
    assert unknown.status_code == 404
    assert "have: neutral, happy" in unknown.json()["error"]["message"]
    assert speak(style="x" * 300).status_code == 400
