"""A recording that comes with a request: spoken like, and not kept."""

import base64
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qwen3_tts.audio.containers import encode_whole
from qwen3_tts.backends.fake import FakeSynthesizer, expected_wave
from tests.server.speech_server import Served, served

WAVE = (0.3 * np.sin(np.arange(48_000) / 20)).astype(np.float32)
WAV = encode_whole(WAVE, 24_000, "wav")
RECORDING = base64.b64encode(WAV).decode()


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    folder: Path = tmp_path_factory.mktemp("voices")
    with served(folder, FakeSynthesizer("base")) as running:
        yield running


def pcm(server: Served, **fields: Any) -> bytes:
    answer = server.speak(response_format="pcm", voice="alloy", **fields)
    assert answer.status_code == 200, answer.text
    return answer.content


@pytest.mark.parametrize("head", ["", "data:audio/wav;base64,"])
def test_speech_is_that_of_the_voice_cloned_directly(server: Served, head: str) -> None:
    voice = FakeSynthesizer("base").clone_voice(WAV, "What it says.")
    expected = expected_wave("Hello there, all of you.", seed=1, voice=voice)
    heard = np.frombuffer(pcm(server, ref_audio=head + RECORDING, ref_text="What it says."), "<i2")
    # a step of 16 bits for the rounding of the sound, another for that of the recording
    assert np.abs(heard / 32768 - expected).max() < 2 / 32768


def test_equal_recordings_are_encoded_once(server: Served) -> None:
    before = server.fake.encoder_calls
    texts = ["Once.", "Once.", "Twice."]
    heard = [pcm(server, ref_audio=RECORDING, ref_text=text) for text in texts]
    assert server.fake.encoder_calls == before + 2
    assert heard[0] == heard[1]


def test_the_sound_of_the_speaker_alone(server: Served) -> None:
    pcm(server, ref_audio=RECORDING, ref_text="Left out.", x_vector_only_mode=True)
    voice = server.fake.requests[-1].voice
    assert not isinstance(voice, str | None)
    assert (voice.mode, voice.text) == ("x_vector", None)


@pytest.mark.parametrize(
    ("fields", "param"),
    [
        ({"ref_audio": "not base64!"}, "ref_audio"),
        ({"ref_audio": "data:text/html;base64,AAAA"}, "ref_audio"),
        ({"ref_audio": base64.b64encode(b"no sound at all").decode()}, None),
        ({"ref_audio": "https://example.com/a.wav"}, None),
        ({"ref_text": "Nothing to say it."}, "ref_text"),
        ({"x_vector_only_mode": True}, "x_vector_only_mode"),
    ],
)
def test_what_is_no_recording(server: Served, fields: dict[str, Any], param: str | None) -> None:
    answer = server.speak(**fields)
    assert answer.status_code == 400, answer.text
    if param is not None:
        assert answer.json()["error"]["param"] == param
    assert server.idle()


def test_a_model_with_presets_cannot(tmp_path: Path) -> None:
    with served(tmp_path) as running:
        answer = running.speak(ref_audio=RECORDING)
    assert answer.status_code == 400
    assert "clone" in answer.json()["error"]["message"]


def test_no_voice_is_cloned_for_a_model_that_is_not_served(server: Served) -> None:
    before = server.fake.encoder_calls
    answer = server.speak(model="whisper-1", ref_audio=RECORDING, ref_text="Never heard.")
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "model_not_found")
    assert server.fake.encoder_calls == before
