"""The sound of `/api/v1/speak`, sample by sample: every encoding, rate, speed and transport."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_tts.audio.files import pcm16
from qwen3_tts.audio.rates import Resampler
from qwen3_tts.audio.speed import TimeStretch
from qwen3_tts.backends.fake import FakeSynthesizer, expected_wave
from qwen3_tts.engine.stream import Stream
from qwen3_tts.errors import StreamFailed
from qwen3_tts.types import Wave
from tests.server.speak_client import Client, Heard, Served, serving, talk

TEXT = "Every sample counts"
SAMPLE_BYTES = {"pcm16": 2, "pcm32f": 4}
MAX_FRAME = 2**20  # what a client of the `websockets` library takes by default


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with serving(tmp_path_factory.mktemp("voices"), max_text_chars=200) as served:
        yield served


def wanted(text: str, rate: int = 24_000, speed: float = 1.0) -> Wave:
    """What the shaping stages make of the whole wave at once."""
    stretch, resampler = TimeStretch(24_000, speed), Resampler(24_000, rate)
    wave = stretch.push(expected_wave(text, seed=1, voice="bob"))
    wave = np.concatenate([wave, stretch.finish()])
    return np.concatenate([resampler.push(wave), resampler.finish()])


def as_bytes(wave: Wave, encoding: str) -> bytes:
    return pcm16(wave) if encoding == "pcm16" else wave.astype("<f4").tobytes()


def spoken(served: Served, text: str, **start: Any) -> Heard:
    async def play(client: Client) -> Heard:
        assert (await client.start(seed=1, voice="bob", **start))["type"] == "started"
        return await client.speech(text)

    heard = talk(served, play)
    assert heard.end["type"] == "complete"
    return heard


@pytest.mark.parametrize("encoding", ["pcm16", "pcm32f"])
def test_at_the_models_own_rate_it_is_the_models_sound(served: Served, encoding: str) -> None:
    heard = spoken(served, TEXT, encoding=encoding)
    assert heard.pcm == as_bytes(expected_wave(TEXT, seed=1, voice="bob"), encoding)
    assert len(heard.frames) > 1, "it comes in pieces"


@pytest.mark.parametrize("rate", [8_000, 11_025, 16_000, 22_050, 44_100, 48_000])
def test_other_rates_are_the_resamplers(served: Served, rate: int) -> None:
    heard = spoken(served, TEXT, sampleRate=rate, encoding="pcm32f")
    wave = wanted(TEXT, rate)
    assert heard.pcm == as_bytes(wave, "pcm32f")
    assert heard.end["audioLengthMs"] == round(1000 * len(wave) / rate)


@pytest.mark.parametrize("speed", [0.25, 0.9, 1, 1.5, 4])
def test_other_speeds_are_the_stretchers(served: Served, speed: float) -> None:
    heard = spoken(served, TEXT, speed=speed, encoding="pcm32f")
    assert heard.pcm == as_bytes(wanted(TEXT, speed=speed), "pcm32f")
    # exact to a sample, so to the millisecond it is told in
    assert heard.end["audioLengthMs"] == pytest.approx(len(TEXT) * 80 / speed, abs=1)


def test_speed_and_rate_together(served: Served) -> None:
    heard = spoken(served, TEXT, speed=1.25, sampleRate=16_000)
    assert heard.pcm == as_bytes(wanted(TEXT, 16_000, 1.25), "pcm16")


@settings(max_examples=15)
@given(
    rate=st.integers(8_000, 48_000),
    speed=st.sampled_from([1.0, 0.3, 0.77, 2.9]),
    encoding=st.sampled_from(["pcm16", "pcm32f"]),
    length=st.integers(1, 12),
)
def test_every_frame_is_whole_samples(
    served: Served, rate: int, speed: float, encoding: str, length: int
) -> None:
    text = "abcdefghijkl"[:length]
    heard = spoken(served, text, sampleRate=rate, speed=speed, encoding=encoding)
    for frame in heard.frames:
        assert frame, "no frame is empty"
        assert len(frame) % SAMPLE_BYTES[encoding] == 0
        assert len(frame) <= rate * SAMPLE_BYTES[encoding], "none is longer than a second"
    assert heard.pcm == as_bytes(wanted(text, rate, speed), encoding)


def test_full_scale_is_clipped_in_pcm16_and_kept_in_pcm32f() -> None:
    from qwen3_tts.server.websocket.wire import as_pcm

    loud = np.array([-2, -1, 0, 1, 2], dtype=np.float32)
    assert np.frombuffer(as_pcm(loud, "pcm16"), "<i2").tolist() == [-32768, -32768, 0, 32767, 32767]
    assert np.frombuffer(as_pcm(loud, "pcm32f"), "<f4").tolist() == loud.tolist()


# as JSON


@pytest.mark.parametrize(("encoding", "rate"), [("pcm16", 24_000), ("pcm32f", 22_050)])
def test_as_json_it_is_the_same_sound(served: Served, encoding: str, rate: int) -> None:
    heard = spoken(served, TEXT, transport="json", encoding=encoding, sampleRate=rate)
    assert heard.frames == []
    *chunks, end = heard.messages
    assert {chunk["type"] for chunk in chunks} == {"audioChunk"}
    pcm = [base64.b64decode(chunk["data"], validate=True) for chunk in chunks]
    assert b"".join(pcm) == as_bytes(wanted(TEXT, rate), encoding)
    assert [chunk["sequenceNumber"] for chunk in chunks] == list(range(1, len(chunks) + 1))
    assert [chunk["isFinal"] for chunk in chunks] == [False] * (len(chunks) - 1) + [True]
    assert end["totalChunks"] == len(chunks) - 1, "the final one has no sound"
    before = 0
    for chunk, data in zip(chunks, pcm, strict=True):
        assert set(chunk) == {
            "type", "data", "sequenceNumber", "isFinal", "timestampMs", "timestamp",
        }  # fmt: skip
        start_s = before / rate  # of its first sample in the speech; told to the microsecond
        assert chunk["timestamp"] == pytest.approx(start_s, abs=1e-6)
        assert chunk["timestampMs"] == pytest.approx(1000 * start_s, abs=1e-3)
        before += len(data) // SAMPLE_BYTES[encoding]


def test_each_json_chunk_says_whose_it_is(served: Served) -> None:
    async def play(client: Client) -> None:
        await client.start(transport="json")
        for name in ("one", "two"):
            await client.speak(TEXT, requestId=name)
        for name in ("one", "two"):
            heard = await client.hear("complete")
            assert {message["requestId"] for message in heard.messages} == {name}
            assert heard.messages[0]["sequenceNumber"] == 1, "each speech counts anew"

    talk(served, play)


# a speech that comes in one piece, because streaming it failed


class Stuttering(FakeSynthesizer):
    """Fails every stream before its first sound; makes whole speeches all the same."""

    def stream(self, text: str, **options: Any) -> Stream:
        return super().stream("[fail:0]" if options.get("seed") == 1 else text, **options)

    def synthesize(self, text: str, **options: Any) -> Any:
        return FakeSynthesizer.stream(self, text, **options).result()


def test_a_speech_made_whole_is_sent_in_messages_that_clients_take(tmp_path: Path) -> None:
    text = "a" * 100  # 8 s, 1.5 MB at 48 kHz in float32
    fake = Stuttering()
    with pytest.raises(StreamFailed):
        fake.stream(text, seed=1).result()
    with serving(tmp_path, fake) as served:
        for transport in ("binary", "json"):
            heard = spoken(served, text, sampleRate=48_000, encoding="pcm32f", transport=transport)
            chunks = [message.get("data", "") for message in heard.messages]
            pcm = heard.pcm or b"".join(base64.b64decode(chunk) for chunk in chunks)
            assert pcm == as_bytes(wanted(text, 48_000), "pcm32f")
            assert max(map(len, heard.frames), default=0) < MAX_FRAME
            assert max(map(len, chunks)) < MAX_FRAME
