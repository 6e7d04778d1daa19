"""Requests of every kind for batches, and what each of them must become."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from qwen3_tts.types import Sampling, Speech, SpeechRequest, Voice
from tests.engine.by_hand import FRAME

GREEDY = Sampling(greedy=True, predictor_greedy=True)
HALF_GREEDY = Sampling(greedy=True, predictor_temperature=0.6, predictor_top_p=0.9)
ODD = Sampling(temperature=1.3, top_k=0, top_p=0.8, repetition_penalty=1.4, predictor_top_k=7)
LONGEST = 12  # frames


def make_voices(width: int, groups: int) -> dict[str, Voice]:
    random = np.random.default_rng(11)

    def vector() -> Any:
        return random.normal(0, 1, width).astype(np.float32)

    def codes(frames: int) -> Any:
        return random.integers(0, 2048, (frames, groups))

    return {
        "x": Voice(vector(), name="x"),
        "short": Voice(vector(), codes(7), "A short word.", name="short"),
        "long": Voice(vector(), codes(20), "ab", name="long"),  # longer than its text and others'
    }


def request(text: str, **given: Any) -> SpeechRequest:
    return SpeechRequest(text, **{"seed": 3, "max_frames": 6, **given})


def all_kinds(voices: dict[str, Voice]) -> list[SpeechRequest]:
    """One request of each kind: presets, dialects, clones, instructions, both text orders."""
    return [
        request("One.", voice="ryan", language="english", seed=1),
        request("A text of another length.", voice="eric", seed=2, text_first=False),
        request("Two.", voice="", instruct="Speak up.", sampling=ODD),
        request("Drei, und dann vier.", voice="dylan", language="de", sampling=GREEDY),
        request("Five.", voice=voices["x"], seed=5),
        request("Six, and so on.", voice=voices["x"], text_first=True, sampling=HALF_GREEDY),
        request("Seven.", voice=voices["short"], language="french", seed=7),
        request("Eight is a text that goes on.", voice=voices["short"], seed=8, sampling=ODD),
        request("9", voice=voices["long"], seed=9),
        request("Ten.", voice=voices["long"], seed=10, text_first=True),
        request("Elf.", voice="serena", instruct="Softly.", seed=11, text_first=False),
    ]


class Expected:
    """Speech of requests made alone. A shorter one is the start of the longest of its kind."""

    def __init__(self, speak: Callable[[SpeechRequest], Speech]):
        self.speak = speak
        self.made: dict[SpeechRequest, Speech] = {}

    def __call__(self, request: SpeechRequest) -> Speech:
        frames = request.max_frames
        assert frames is not None
        asked = replace(request, max_frames=max(frames, LONGEST), priority="normal")
        if asked not in self.made:
            self.made[asked] = self.speak(asked)
        whole = self.made[asked]
        if frames > len(whole.codes):
            return whole
        codes, wave = whole.codes[:frames], whole.wave[: frames * FRAME]
        return replace(whole, codes=codes, wave=wave, finish_reason="length")
