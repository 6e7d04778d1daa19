"""Every format, streamed and as events: all of the sound, in one container, as it is made."""

import base64
from collections.abc import Iterator

import numpy as np
import pytest

from qwen3_tts.audio.containers import FORMATS
from qwen3_tts.backends.fake import FakeSynthesizer
from tests.audio.test_containers import decoded, delay_and_length
from tests.server.speech_server import (
    PROVENANCE,
    RATE,
    TEXT,
    Served,
    events_of,
    file_of,
    served,
    wait_until,
)

FRAME = 1_920
COMMENTED = ("mp3", "opus", "flac", "wav")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("voices")) as running:
        yield running


@pytest.fixture(scope="module")
def paced(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    fake = FakeSynthesizer(frame_s=0.01, chunk_plan=(1,))
    with served(tmp_path_factory.mktemp("voices"), fake) as running:
        yield running


@pytest.fixture(scope="module")
def unmarked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    with served(tmp_path_factory.mktemp("voices"), provenance=False) as running:
        yield running


@pytest.mark.parametrize("format", FORMATS)
def test_a_stream_is_one_file_with_every_sample(server: Served, format: str) -> None:
    """Byte by byte what one encoder makes of the whole, and as long as the engine's sound."""
    answer = server.speak(response_format=format)
    assert answer.headers["content-type"] == FORMATS[format]
    assert answer.content == file_of(format)
    wave, _ = decoded(format, answer.content)
    assert len(wave) == delay_and_length(format, FRAME * len(TEXT))[1]


@pytest.mark.parametrize("format", FORMATS)
def test_events_carry_the_same_file(server: Served, format: str) -> None:
    answer = server.speak(response_format=format, stream_format="sse", model="tts-1")
    assert answer.headers["content-type"].startswith("text/event-stream")
    *deltas, done = events_of(answer.content)
    assert {delta["type"] for delta in deltas} == {"speech.audio.delta"}
    # each decoded alone
    assert b"".join(base64.b64decode(delta["audio"]) for delta in deltas) == file_of(format)
    assert done["type"] == "speech.audio.done"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("kind", ["audio", "sse"])
def test_sound_leaves_before_all_is_made(paced: Served, format: str, kind: str) -> None:
    """No "fake streaming": bytes of sound are here while most frames are still to come."""
    before = paced.fake.finished
    text = "A long text. " * 10  # 1.3 s
    with paced.stream(text, response_format=format, stream_format=kind) as answer:
        parts = answer.iter_raw()
        got = next(parts)
        while len(got) < 2_000:  # more than any header
            got += next(parts)
        assert paced.fake.finished == before
        assert paced.fake.active == 1
    wait_until(paced.idle)


@pytest.mark.parametrize("speed", [0.25, 0.8, 1.7, 4.0])
@pytest.mark.parametrize("kind", ["stream", "whole"])
def test_speed(server: Served, speed: float, kind: str) -> None:
    whole = kind == "whole"
    answer = server.speak(speed=speed, response_format="wav", stream=not whole)
    assert answer.content == file_of("wav", speed=speed, whole=whole)
    wave, _ = decoded("wav", answer.content)
    assert len(wave) == round(FRAME * len(TEXT) / speed)


@pytest.mark.parametrize("format", ["mp3", "opus", "wav"])
def test_speed_in_other_formats(server: Served, format: str) -> None:
    answer = server.speak(speed=1.5, response_format=format)
    assert answer.content == file_of(format, speed=1.5)


@pytest.mark.parametrize("rate", [8_000, 16_000, 22_050, 44_100, 48_000])
@pytest.mark.parametrize("format", ["pcm", "wav", "flac"])
def test_sample_rate(server: Served, rate: int, format: str) -> None:
    answer = server.speak(sample_rate=rate, response_format=format)
    assert answer.headers["x-audio-sample-rate"] == str(rate)
    assert answer.content == file_of(format, sample_rate=rate)
    wave, told = decoded(format, answer.content)
    assert len(wave) == pytest.approx(FRAME * len(TEXT) * rate / RATE, abs=1)  # of rounding
    if format != "pcm":  # which tells none
        assert told == rate


@pytest.mark.parametrize("format", COMMENTED)
def test_a_machines_voice_says_so(server: Served, format: str) -> None:
    answer = server.speak(response_format=format, stream=format != "wav")
    assert PROVENANCE.encode() in answer.content
    assert answer.headers["x-provenance"] == PROVENANCE


@pytest.mark.parametrize("format", FORMATS)
def test_the_mark_can_be_left_out_and_changes_no_sample(unmarked: Served, format: str) -> None:
    answer = unmarked.speak(response_format=format)
    assert "x-provenance" not in answer.headers
    assert b"AI-generated" not in answer.content
    assert answer.content == file_of(format, provenance=False)
    assert np.array_equal(decoded(format, answer.content)[0], decoded(format, file_of(format))[0])
