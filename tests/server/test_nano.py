"""Real speech through the whole server: what ten callers hear at once is what each asked for."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import httpx
import numpy as np
import pytest
from websockets.asyncio.client import connect

import qwen3_tts
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.server.app import create_app
from qwen3_tts.server.settings import load_settings
from tests.server.live import Live, live
from tests.server.speak_client import Client, Heard

TEXTS = [
    f"Good morning, this is number {word}." for word in ("one", "two", "three", "four", "five")
]
CALLERS = 10
VOICES = ("rms", "slt", "awb")
# A batch multiplies matrices of another shape, so float32 rounds otherwise in its last bits, which
# the decoder carries on; a wrong neighbour, seed or voice would differ by far more than this.
CLOSE = 8 / 32768


@pytest.fixture(scope="module")
def nano() -> Qwen3Synthesizer:
    return qwen3_tts.load("nano")


@pytest.fixture(scope="module")
def alone(nano: Qwen3Synthesizer) -> list[np.ndarray]:
    """What each caller should hear, made one after the other."""
    return [nano.synthesize(text_of(i), **options_of(i)).wave for i in range(CALLERS)]


@pytest.fixture(scope="module")
def server(nano: Qwen3Synthesizer, tmp_path_factory: pytest.TempPathFactory) -> Live:
    settings = load_settings(voices_dir=tmp_path_factory.mktemp("voices"))
    with live(create_app(settings, synthesizer=nano), ws="websockets-sansio") as running:
        yield running


def text_of(caller: int) -> str:
    return TEXTS[caller % len(TEXTS)]


def options_of(caller: int) -> dict[str, object]:
    return {"voice": VOICES[caller % len(VOICES)], "seed": 100 + caller}


def assert_heard(pcm: bytes, expected: np.ndarray) -> None:
    wave = np.frombuffer(pcm, "<i2") / 32768
    assert len(wave) == len(expected)
    assert np.abs(wave - expected).max() <= CLOSE


def test_ten_websocket_sessions_at_once(server: Live, alone: list[np.ndarray]) -> None:
    async def call(caller: int) -> Heard:
        async with connect(f"{server.ws}/api/v1/speak") as socket:
            return await Client(socket).speech(text_of(caller), **options_of(caller))

    async def all_calls() -> list[Heard]:
        return await asyncio.gather(*(call(caller) for caller in range(CALLERS)))

    for heard, expected in zip(asyncio.run(all_calls()), alone, strict=True):
        assert heard.kinds == ["ready", "complete"]
        assert_heard(heard.pcm, expected)


def test_ten_requests_at_once(server: Live, alone: list[np.ndarray]) -> None:
    def call(caller: int) -> bytes:
        body = {"input": text_of(caller), "response_format": "pcm", **options_of(caller)}
        answer = httpx.post(f"{server.http}/v1/audio/speech", json=body, timeout=60)
        assert answer.status_code == 200, answer.text
        return answer.content

    with ThreadPoolExecutor(CALLERS) as callers:
        for pcm, expected in zip(callers.map(call, range(CALLERS)), alone, strict=True):
            assert_heard(pcm, expected)


def test_the_model_is_told_as_it_is(server: Live) -> None:
    voices = httpx.get(f"{server.http}/api/v1/voices").json()["voices"]
    assert {voice["id"] for voice in voices} == set(VOICES)
    assert [voice["id"] for voice in voices if voice["isDefault"]] == ["rms"]
    models = httpx.get(f"{server.http}/v1/models").json()["data"]
    assert "nano" in {model["id"] for model in models}
