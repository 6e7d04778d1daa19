"""The official `openai` client, and what other clients of that API send, against a real server."""

import asyncio
import json
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from openai import AsyncOpenAI, OpenAI

from qwen3_tts.audio.containers import FORMATS
from qwen3_tts.backends.fake import FakeSynthesizer
from tests.server.speech_server import TEXT, Served, events_of, file_of, served, wait_until

KEY = "a-key-of-more-than-16-characters"
SEED = {"seed": 1}


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    fake = FakeSynthesizer(chunk_plan=(1, 2, 4))
    folder = tmp_path_factory.mktemp("voices")
    with served(folder, fake, key=KEY, first_audio_timeout_s=0.3) as running:
        yield running


@pytest.fixture
def client(server: Served) -> Iterator[OpenAI]:
    with client_of(server) as made:
        yield made


def client_of(server: Served, key: str = KEY, max_retries: int = 0) -> OpenAI:
    return OpenAI(base_url=f"{server.live.http}/v1", api_key=key, max_retries=max_retries)


def spoken(client: OpenAI, text: str = TEXT, **fields: Any) -> Any:
    asked = {"model": "tts-1", "voice": "ann", "extra_body": SEED, **fields}
    return client.audio.speech.create(input=text, **asked)


@pytest.mark.parametrize("format", FORMATS)
def test_create(client: OpenAI, format: str) -> None:
    answer = spoken(client, response_format=format)
    assert answer.content == file_of(format)
    assert answer.response.headers["content-type"] == FORMATS[format]


def test_create_without_a_format_is_mp3(client: OpenAI) -> None:
    assert spoken(client).content == file_of("mp3")


@pytest.mark.parametrize("format", FORMATS)
def test_streaming(client: OpenAI, format: str, tmp_path: Path) -> None:
    create = client.audio.speech.with_streaming_response.create
    with create(
        model="tts-1", voice="ann", input=TEXT, response_format=format, extra_body=SEED
    ) as answer:
        answer.stream_to_file(tmp_path / "speech")
    assert (tmp_path / "speech").read_bytes() == file_of(format)


@pytest.mark.parametrize("format", FORMATS)
def test_the_asynchronous_client(server: Served, format: str) -> None:
    async def main() -> tuple[bytes, bytes]:
        async with AsyncOpenAI(base_url=f"{server.live.http}/v1", api_key=KEY) as client:
            asked: Any = {"model": "tts-1", "voice": "ann", "input": TEXT, "extra_body": SEED}
            whole = await client.audio.speech.create(**asked, response_format=format)
            create = client.audio.speech.with_streaming_response.create
            async with create(**asked, response_format=format) as answer:
                parts = [part async for part in answer.iter_bytes()]
            return whole.content, b"".join(parts)

    assert asyncio.run(main()) == (file_of(format), file_of(format))


def test_events(client: OpenAI) -> None:
    answer = spoken(client, stream_format="sse", response_format="opus")
    *deltas, done = events_of(answer.content)
    assert deltas
    assert done["usage"]["output_tokens"] == len(TEXT)


def test_every_field_the_client_knows(client: OpenAI, server: Served) -> None:
    answer = spoken(
        client, voice={"id": "bob"}, instructions="Softly.", speed=2.0, response_format="wav",
        extra_body={**SEED, "language": "German"},
    )  # fmt: skip
    assert answer.content == file_of("wav", voice="bob", speed=2.0)
    request = server.fake.requests[-1]
    assert (request.instruct, request.language) == ("Softly.", "German")


def test_models(client: OpenAI) -> None:
    names = [model.id for model in client.models.list()]
    assert names[:3] == ["fake", "tts-1", "tts-1-hd"]
    assert client.models.retrieve("tts-1-de").id == "tts-1-de"
    with pytest.raises(openai.NotFoundError) as told:
        client.models.retrieve("gpt-9")
    assert told.value.code == "model_not_found"


@pytest.mark.parametrize(
    ("text", "fields", "kind", "code", "param"),
    [
        ("", {}, openai.BadRequestError, "INVALID_TEXT", "input"),
        ("x" * 4097, {}, openai.BadRequestError, "INVALID_TEXT", "input"),
        (TEXT, {"speed": 5}, openai.BadRequestError, "INVALID_MESSAGE", "speed"),
        (TEXT, {"response_format": "ogg"}, openai.BadRequestError, None, "response_format"),
        (TEXT, {"extra_body": {"references": [1]}}, openai.BadRequestError, None, "references"),
        (TEXT, {"voice": "nobody"}, openai.NotFoundError, "VOICE_NOT_FOUND", "voice"),
        (TEXT, {"model": "gpt-9"}, openai.NotFoundError, "model_not_found", "model"),
        ("[fail:0] word", {}, openai.InternalServerError, "SYNTHESIS_ERROR", None),
        ("[hang]", {}, openai.APIStatusError, "TIMEOUT", None),
    ],
)
def test_errors_are_the_clients_own(
    client: OpenAI, text: str, fields: Any, kind: type[openai.APIStatusError], code: Any, param: Any
) -> None:
    with pytest.raises(kind) as told:
        spoken(client, text, **fields)
    assert told.value.code == code or code is None
    assert told.value.param == param
    assert told.value.request_id
    assert told.value.message


def test_a_wrong_key_is_an_authentication_error(server: Served) -> None:
    with client_of(server, key="wrong") as client, pytest.raises(openai.AuthenticationError):
        spoken(client)


def test_a_speech_that_breaks_off_is_an_error_and_not_a_short_file(client: OpenAI) -> None:
    """The engine's trouble reaches the client's caller, whichever way the sound is taken."""
    with pytest.raises(openai.APIError):
        spoken(client, "[fail:9] some words")
    create = client.audio.speech.with_streaming_response.create
    answer: Any
    with (
        create(model="tts-1", voice="ann", input="[fail:9] some words") as answer,
        pytest.raises(Exception, match="incomplete chunked read"),
    ):
        b"".join(answer.iter_bytes())


def test_the_client_comes_back_when_it_was_told_to(tmp_path: Path) -> None:
    """429 with Retry-After: 1. The place becomes free meanwhile, and the retry finds it."""
    with served(tmp_path, max_streams=1) as server, client_of(server, max_retries=3) as client:
        for _ in range(9):
            server.speak()  # streams are short here, so the server will say: in a second
        with server.stream("[endless] [slow:0.01]") as busy:
            parts = busy.iter_raw()
            next(parts)
            answers: list[bytes] = []
            caller = threading.Thread(target=lambda: answers.append(spoken(client).content))
            caller.start()
            labels = {"route": "speech", "model": "fake", "outcome": "refused"}
            refused = lambda: server.counted(  # noqa: E731
                "tts_requests_total", code="RATE_LIMITED", **labels
            )
            wait_until(lambda: refused() == 1)
        caller.join(10)
        assert answers == [file_of("mp3")]
        assert refused() == 1  # no hammering


def test_livekit(server: Served) -> None:
    """Its default: mp3 in events; it reads lines, and stops at nothing but the end."""
    body = {
        "input": TEXT,
        "model": "gpt-4o-mini-tts",
        "voice": "ash",
        "response_format": "mp3",
        "stream_format": "sse",
        "speed": 1.0,
        **SEED,
    }
    assert server.client.get("/v1/").status_code == 200  # how it warms up
    answer = server.client.post("/v1/audio/speech", json=body)
    assert answer.headers["content-type"].partition(";")[0] == "text/event-stream"
    lines = [line for line in answer.text.split("\n") if line.startswith("data: ")]
    types = [json.loads(line[6:])["type"] for line in lines]
    assert types == ["speech.audio.delta"] * (len(types) - 1) + ["speech.audio.done"]


def test_open_webui(server: Served) -> None:
    """It sends no format and expects mp3, and asks for voices and models without its key."""
    with httpx.Client(base_url=server.live.http) as nobody:
        voices = nobody.get("/v1/audio/voices").json()["voices"]
        models = nobody.get("/v1/audio/models").json()["models"]
    voice, model = voices[1]["id"], models[0]["id"]
    assert all(item["name"] for item in (*voices, *models))
    body = {"model": model, "input": TEXT, "voice": voice, **SEED}
    answer = server.client.post("/v1/audio/speech", json=body)
    assert answer.headers["content-type"] == "audio/mpeg"
    assert answer.content == file_of("mp3", voice=voice)


def test_pipecat(server: Served) -> None:
    """Raw samples at 24 kHz in any of OpenAI's voices."""
    body = {"input": TEXT, "model": "gpt-4o-mini-tts", "voice": "marin", "response_format": "pcm"}
    answer = server.client.post("/v1/audio/speech", json=body | SEED)
    assert answer.content == file_of("pcm", voice=answer.headers["x-voice-id"])


def test_kokoro_clients(server: Served) -> None:
    body = {"input": TEXT, "voice": "bob", "stream": True, "lang_code": "en", "model": "tts-1"}
    answer = server.client.post("/v1/audio/speech", json=body | SEED)
    assert answer.content == file_of("mp3", voice="bob")
