"""Requests that cannot be done, through the public face: which error, and what it says."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qwen3_tts
from qwen3_tts import Sampling, SpeechRequest, SpeechWarning, Voice
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.errors import (
    InvalidSampling,
    InvalidText,
    UnknownLanguage,
    UnknownVoice,
    UnsupportedRequest,
)
from qwen3_tts.weights.published import LANGUAGES, SPEAKERS
from tests.refusal import refused

ALL_PRESETS = ", ".join(sorted(SPEAKERS))
ALL_LANGUAGES = "auto, " + ", ".join(sorted(LANGUAGES))


def speak(synthesizer: Qwen3Synthesizer, text: Any = "Hello.", **given: Any) -> qwen3_tts.Speech:
    return synthesizer.synthesize(text, **{"seed": 1, "max_frames": 2, **given})


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "text is empty"),
        (" ", "only white space"),
        ("\n\t \u3000\u00a0", "only white space"),
        (None, "got NoneType"),
        (b"Hello", "got bytes"),
        (["Hello"], "got list"),
    ],
)
def test_text_that_says_nothing(preset: Qwen3Synthesizer, text: Any, said: str) -> None:
    with refused(InvalidText, said):
        speak(preset, text)


@pytest.mark.parametrize("text", ["a\ud800b", "\udcff", "ab\udc00\ud800"])
def test_lone_surrogates(preset: Qwen3Synthesizer, text: str) -> None:
    lone = next(i for i, char in enumerate(text) if "\ud800" <= char <= "\udfff")
    code = f"U+{ord(text[lone]):04X}"
    with refused(InvalidText, "lone surrogate", code, f"character {lone}", "allowed"):
        speak(preset, text)
    with refused(InvalidText, "lone surrogate", code):
        speak(preset, instruct=text)


@pytest.mark.parametrize("voice", ["nobody", "ryan2", "ry an"])
def test_an_unknown_preset_lists_all(preset: Qwen3Synthesizer, voice: str) -> None:
    with refused(UnknownVoice, repr(voice), f"have: {ALL_PRESETS}"):
        speak(preset, voice=voice)


def test_a_voice_of_another_type(preset: Qwen3Synthesizer, base: Qwen3Synthesizer) -> None:
    for synthesizer in (preset, base):
        with refused(UnknownVoice, "a name or a Voice", "got int"):
            speak(synthesizer, voice=3)


@pytest.mark.parametrize("language", ["klingon", "", "english german"])
def test_an_unknown_language_lists_all(preset: Qwen3Synthesizer, language: str) -> None:
    with refused(UnknownLanguage, repr(language), ALL_LANGUAGES):
        speak(preset, language=language)


@pytest.mark.parametrize("voice", [None, ""])
def test_base_without_a_voice(base: Qwen3Synthesizer, voice: str | None) -> None:
    with refused(UnsupportedRequest, "base", "cloned voices only", "clone_voice"):
        speak(base, voice=voice)


def test_a_preset_name_on_base(base: Qwen3Synthesizer) -> None:
    with refused(UnsupportedRequest, "'ryan'", "preset", "base", "clone_voice"):
        speak(base, voice="ryan")


def test_a_preset_name_on_voice_design(design: Qwen3Synthesizer) -> None:
    with refused(UnsupportedRequest, "'ryan'", "voice_design", "no preset voices", "instruct"):
        speak(design, voice="ryan")


def test_an_instruction_on_base(base: Qwen3Synthesizer, x_voice: Voice) -> None:
    with refused(UnsupportedRequest, "base", "no instruct", "VoiceDesign", "CustomVoice"):
        speak(base, voice=x_voice, instruct="Softly.")


def test_an_instruction_of_another_type(design: Qwen3Synthesizer) -> None:
    with refused(InvalidText, "instruct", "got int"):
        speak(design, instruct=3)


def test_small_presets_ignore_an_instruction_and_say_so(
    model: Callable[..., Qwen3Synthesizer],
) -> None:
    """The 0.6B CustomVoice checkpoint: a warning, and the speech that it makes without."""
    small = model("custom_voice")
    plain = speak(small, voice="ryan")
    with pytest.warns(SpeechWarning, match=r"instruct is ignored: .* not trained"):
        instructed = speak(small, voice="ryan", instruct="Softly.")
    assert np.array_equal(instructed.codes, plain.codes)
    assert np.array_equal(instructed.wave, plain.wave)


def test_large_presets_follow_an_instruction(preset: Qwen3Synthesizer) -> None:
    assert not np.array_equal(
        speak(preset, instruct="Softly.").codes, speak(preset).codes
    )  # and no warning, which would be an error here


@pytest.mark.parametrize(
    "sampling",
    [
        {"temperature": 0},
        {"temperature": -0.5},
        {"temperature": 1e9},
        {"temperature": float("nan")},
        {"top_k": -1},
        {"top_k": 2.5},
        {"top_p": -0.1},
        {"top_p": 1.1},
        {"repetition_penalty": 0},
        {"repetition_penalty": float("inf")},
        {"predictor_temperature": "hot"},
        {"predictor_top_k": -50},
        {"predictor_top_p": 2},
        {"greedy": "yes"},
    ],
)
def test_sampling_out_of_range(preset: Qwen3Synthesizer, sampling: dict[str, Any]) -> None:
    ((name, _),) = sampling.items()
    with refused(InvalidSampling, f"{name} is "):
        speak(preset, sampling=Sampling(**sampling))


@pytest.mark.parametrize("max_frames", [0, -1, 2.0, True, "5"])
def test_max_frames_out_of_range(preset: Qwen3Synthesizer, max_frames: Any) -> None:
    with refused(InvalidSampling, f"max_frames is {max_frames!r}", "1 or more"):
        speak(preset, max_frames=max_frames)


@pytest.mark.parametrize("seed", [-1, 2**63, 1.0, True, "1"])
def test_a_seed_out_of_range(preset: Qwen3Synthesizer, seed: Any) -> None:
    with refused(InvalidSampling, f"seed is {seed!r}", "0 to 2**63 - 1"):
        speak(preset, seed=seed)


def test_the_largest_values_work(preset: Qwen3Synthesizer) -> None:
    widest = Sampling(temperature=100, top_k=10**9, top_p=1, repetition_penalty=100)
    speech = speak(preset, seed=2**63 - 1, sampling=widest, max_frames=3)
    assert speech.codes.max() < 2048


def test_one_bad_request_of_a_batch_is_named(preset: Qwen3Synthesizer) -> None:
    good = SpeechRequest("Hello.", max_frames=1)
    with refused(UnknownVoice, "'nobody'"):
        preset.synthesize_batch([good, replace(good, voice="nobody"), good])


@pytest.mark.parametrize("name", ["temperature", "predictor_temperature", "repetition_penalty"])
@pytest.mark.parametrize("value", [1e-45, 1e-39, pytest.param(10**400, id="huge")])
def test_sampling_beyond_float32(preset: Qwen3Synthesizer, name: str, value: float) -> None:
    """Scores divided by such a number are infinite, and every draw would be code 0."""
    with refused(InvalidSampling, f"{name} is ", "allowed"):
        speak(preset, sampling=Sampling(**{name: value}))


@pytest.mark.parametrize("sampling", [None, {"top_k": 3}])
def test_sampling_of_another_type(preset: Qwen3Synthesizer, sampling: Any) -> None:
    with refused(InvalidSampling, type(sampling).__name__):
        speak(preset, sampling=sampling)


def test_a_warning_points_at_the_line_that_asked(model: Callable[..., Qwen3Synthesizer]) -> None:
    """Python shows a warning once per line: one of ours would hide those of all later calls."""
    small = model("custom_voice")
    with pytest.warns(SpeechWarning) as alone:
        small.synthesize("Hello.", instruct="Softly.", max_frames=1)
    with pytest.warns(SpeechWarning) as batch:
        small.synthesize_batch([SpeechRequest("Hello.", instruct="Softly.", max_frames=1)])
    assert [Path(w.filename).name for w in (*alone, *batch)] == [Path(__file__).name] * 2
