"""Whole generations against the slow reference (reference.py), and batches against single rows."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import torch

from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.engine import slots
from qwen3_tts.engine.engine import Engine
from qwen3_tts.types import Sampling, Speech, SpeechRequest, Voice
from qwen3_tts.weights.published import LANGUAGES, SPEAKERS
from tests.engine import reference
from tests.engine.ending import END_OF_SPEECH, likely_to_end
from tests.engine.reference import Draw, Reference

GREEDY = Sampling(greedy=True, predictor_greedy=True)
FRAMES = 6


@pytest.fixture(scope="session")
def reference_of() -> Callable[[Path], Reference]:
    return cache(Reference)


def generate(synthesizer: Qwen3Synthesizer, *requests: SpeechRequest) -> list[Speech]:
    return synthesizer.engine.run([replace(r, guard="off") for r in requests])


def codes_of(row: Speech) -> list[list[int]]:
    return row.codes.tolist()


def expected(
    slow: Reference, synthesizer: Qwen3Synthesizer, request: SpeechRequest
) -> list[list[int]]:
    """What the reference says of a request whose sampling and language are spelled out."""
    tokenizer, s = synthesizer.engine.planner.tokenizer, request.sampling
    speaker = reference.Voice()
    if isinstance(request.voice, Voice):
        given = request.voice
        speaker = reference.Voice(
            vector=torch.from_numpy(given.vector),
            ref_ids=tokenizer.encode(given.text) if given.text else (),
            ref_codes=None if given.codes is None else given.codes.tolist(),
        )
    elif request.voice:
        speaker = reference.Voice(preset_id=SPEAKERS[request.voice])
    assert request.seed is not None
    assert request.max_frames is not None
    assert request.text_first is not None

    def draw(prefix: str) -> Draw:
        given = {n: getattr(s, prefix + n) for n in ("temperature", "top_k", "top_p", "greedy")}
        return Draw(**{name: value for name, value in given.items() if value is not None})

    prompt = slow.prompt(
        tokenizer.encode(request.text),
        role=tokenizer.role_ids(),
        voice=speaker,
        language=LANGUAGES.get(request.language),
        instruct=tokenizer.instruction(request.instruct) if request.instruct else (),
        text_first=request.text_first,
    )
    return slow.generate(
        prompt,
        seed=request.seed,
        max_frames=request.max_frames,
        talker=draw(""),
        predictor=draw("predictor_"),
        penalty=s.repetition_penalty if s.repetition_penalty is not None else 1.05,
    )


def request(text: str, **given: Any) -> SpeechRequest:
    return SpeechRequest(text, **{"seed": 3, "max_frames": FRAMES, "text_first": True, **given})


MIXED = Sampling(temperature=1.3, top_k=0, top_p=0.8, repetition_penalty=1.4, predictor_top_k=7)
HALF_GREEDY = Sampling(greedy=True, predictor_temperature=0.6, predictor_top_p=0.9)
CASES = {
    "preset": ("custom_voice", request("Hello there.", voice="ryan", language="english")),
    "preset-trailing": (
        "custom_voice",
        request("Hi.", voice="eric", language="german", text_first=False),
    ),
    "preset-instruct": (
        "custom_voice",
        request("Hello.", voice="serena", language="chinese", instruct="Be calm.", sampling=MIXED),
    ),
    "no-speaker": ("custom_voice", request("Hello.", voice="", sampling=HALF_GREEDY)),
    "design": ("voice_design", request("Hello.", instruct="An old man.", sampling=GREEDY)),
    "design-trailing": ("voice_design", request("Hi you.", instruct="A child.", text_first=False)),
}


@pytest.mark.parametrize("case", CASES)
def test_generation_is_the_reference(
    case: str,
    preset: Qwen3Synthesizer,
    design: Qwen3Synthesizer,
    checkpoint: Any,
    reference_of: Any,
) -> None:
    """Layout, embeddings, both transformers and every draw: the same codes, frame by frame."""
    kind, asked = CASES[case]
    synthesizer = {"custom_voice": preset, "voice_design": design}[kind]
    slow = reference_of(checkpoint(kind, wide=True))
    (row,) = generate(synthesizer, asked)
    assert codes_of(row) == expected(slow, synthesizer, asked)
    assert row.finish_reason == "length"


@pytest.mark.parametrize("text_first", [True, False])
@pytest.mark.parametrize("mode", ["x_vector", "icl", "icl-long-text"])
def test_cloned_generation_is_the_reference(
    mode: str,
    text_first: bool,
    base: Qwen3Synthesizer,
    icl_voice: Voice,
    x_voice: Voice,
    checkpoint: Any,
    reference_of: Any,
) -> None:
    """In context, 8 code positions: 5 text ids leave some of them padded, 17 go on beyond them."""
    voice = x_voice if mode == "x_vector" else icl_voice
    if mode == "icl":
        voice = replace(voice, text="a")
    asked = request("Yes", voice=voice, language="french", text_first=text_first)
    slow = reference_of(checkpoint("base"))
    (row,) = generate(base, asked)
    assert codes_of(row) == expected(slow, base, asked)


@pytest.fixture(scope="module")
def ending(preset: Qwen3Synthesizer) -> Qwen3Synthesizer:
    """A model whose rows end by themselves, after a few frames."""
    return likely_to_end(preset)


def test_end_of_speech_is_the_reference(
    ending: Qwen3Synthesizer, checkpoint: Any, reference_of: Any
) -> None:
    slow = deepcopy(reference_of(checkpoint("custom_voice", wide=True)))
    slow.weights["talker.codec_head.bias"] = ending.engine.model.talker.codec_head.bias
    lengths = []
    for seed in range(8):
        asked = request("Hello.", voice="ryan", seed=seed, max_frames=20)
        (row,) = generate(ending, asked)
        assert codes_of(row) == expected(slow, ending, asked)
        assert row.finish_reason == ("length" if len(row.codes) == 20 else "stop")
        lengths.append(len(row.codes))
    assert min(lengths) >= 2
    assert len({length for length in lengths if length < 20}) >= 3  # rows do end, at many lengths


@pytest.mark.parametrize("sampling", [Sampling(), GREEDY], ids=["sampled", "greedy"])
def test_speech_has_two_frames_at_least(preset: Qwen3Synthesizer, sampling: Sampling) -> None:
    """However likely the end is, the official minimum of two frames holds."""
    certain = likely_to_end(preset, 1e4)
    (row,) = generate(certain, request("Hello.", voice="ryan", sampling=sampling))
    assert len(row.codes) == 2
    assert row.finish_reason == "stop"
    assert END_OF_SPEECH not in row.codes


@pytest.mark.parametrize("frames", [1, 2, 5])
def test_max_frames_ends_a_row(preset: Qwen3Synthesizer, frames: int) -> None:
    (row,) = generate(preset, request("Hello.", voice="ryan", max_frames=frames))
    (longer,) = generate(preset, request("Hello.", voice="ryan", max_frames=6))
    assert len(row.codes) == frames
    assert row.finish_reason == "length"
    assert codes_of(row) == codes_of(longer)[:frames]


BATCH = [
    request("One.", voice="ryan", language="english", seed=1, max_frames=4),
    request("A text of another length.", voice="eric", seed=2, text_first=False),
    request("Two.", voice="", seed=3, instruct="Speak up.", sampling=MIXED),
    request("Three, and then four.", voice="dylan", seed=1, max_frames=1, sampling=GREEDY),
    request("Five.", voice="serena", language="de", seed=5, text_first=False, sampling=HALF_GREEDY),
    request("One.", voice="ryan", language="english", seed=7, max_frames=9),
]


def test_a_row_in_a_batch_is_the_row_alone(ending: Qwen3Synthesizer) -> None:
    """Presets, languages, text orders, lengths, options, seeds and ends all differ in one batch."""
    together = generate(ending, *BATCH)
    for asked, row in zip(BATCH, together, strict=True):
        (alone,) = generate(ending, asked)
        assert codes_of(row) == codes_of(alone)
        assert row.finish_reason == alone.finish_reason


def test_cloned_rows_in_a_batch_are_each_row_alone(
    base: Qwen3Synthesizer, icl_voice: Voice, x_voice: Voice
) -> None:
    other = replace(x_voice, vector=-x_voice.vector)
    batch = [
        request("One.", voice=icl_voice, seed=1),
        request("Two, and more.", voice=x_voice, seed=2, text_first=False),
        request("Three.", voice=other, seed=2, text_first=False),
        request("Four, at some length.", voice=icl_voice, seed=4, text_first=False),
    ]
    for asked, row in zip(batch, generate(base, *batch), strict=True):
        assert codes_of(row) == codes_of(generate(base, asked)[0])


def test_memory_that_grows_changes_nothing(
    preset: Qwen3Synthesizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    roomy = generate(preset, BATCH[0], BATCH[5])
    monkeypatch.setattr(slots, "FIRST_POSITIONS", 1)
    monkeypatch.setattr(slots, "FIRST_TRAILING", 1)
    e = preset.engine
    tight = Qwen3Synthesizer(Engine(e.model, e.codec, e.planner, e.options), preset.cloner)
    for row, other in zip(roomy, generate(tight, BATCH[0], BATCH[5]), strict=True):
        assert codes_of(row) == codes_of(other)
