"""Speech to check: three sentences of the checkpoint that ships with the package."""

from dataclasses import dataclass

import numpy as np
import pytest

import qwen3_tts
from qwen3_tts.types import SpeechRequest, Wave

SENTENCES = (
    "The quick brown fox jumps over the lazy dog, and then it walks slowly home through the dark "
    "forest.",
    "She had your dark suit in greasy wash water all year. Don't ask me to carry an oily rag like "
    "that.",
    "We finally reached the top of the mountain before sunset, tired but very happy about the "
    "view.",
)


@dataclass(frozen=True, eq=False)
class Spoken:
    wave: Wave  # [N]
    rate: int
    text: str


@pytest.fixture(scope="session")
def speeches() -> list[Spoken]:
    """All three by one voice, then the first by another; about 6 s each.

    The small model's sound is off its middle by 0.4 %, which is taken out.
    """
    requests = [SpeechRequest(text, voice="rms", seed=3) for text in SENTENCES]
    requests.append(SpeechRequest(SENTENCES[0], voice="slt", seed=3))
    with qwen3_tts.load("nano") as tts:
        made = tts.synthesize_batch(requests)
    return [
        Spoken(speech.wave - speech.wave.mean(), speech.sample_rate, request.text)
        for speech, request in zip(made, requests, strict=True)
    ]


@pytest.fixture(scope="session")
def spoken(speeches: list[Spoken]) -> list[Spoken]:
    """One voice, clean."""
    return speeches[:3]


@pytest.fixture(scope="session")
def clean(speeches: list[Spoken]) -> Spoken:
    return speeches[1]


@pytest.fixture(scope="session")
def other_voice(speeches: list[Spoken]) -> Wave:
    """Somebody else, at the same rate."""
    return speeches[3].wave


@pytest.fixture
def rng() -> np.random.Generator:
    return np.random.default_rng(8)
