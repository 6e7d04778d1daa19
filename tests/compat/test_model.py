"""CustomVoice and VoiceDesign: equality with the native API, broadcasting, and what is refused."""

from typing import Any

import numpy as np
import pytest

from qwen3_tts.compat import Qwen3TTSModel
from qwen3_tts.errors import SpeechError, SpeechWarning
from tests.compat.conftest import Speaks, same


def test_custom_voice_is_the_native_call(custom: Qwen3TTSModel, speeches: Speaks) -> None:
    ours = speeches(
        custom,
        "generate_custom_voice",
        "hello there",
        "Ryan",
        "English",
        "calm",
        seed=3,
        max_new_tokens=6,
    )
    native = custom.model.synthesize(
        "hello there", voice="ryan", language="english", instruct="calm", seed=3, max_frames=5
    )
    assert same(ours, [native])
    assert native.codes.shape == (5, 16)
    assert ours[0].wave.dtype == np.float32
    assert ours[0].wave.shape == (5 * 1920,)


def test_voice_design_is_the_native_call(designer: Qwen3TTSModel, speeches: Speaks) -> None:
    ours = speeches(
        designer, "generate_voice_design", "hello there", "an old man", "German", seed=3
    )
    native = designer.model.synthesize(
        "hello there", instruct="an old man", language="German", seed=3, max_frames=6
    )
    assert same(ours, [native])
    plain = designer.model.synthesize("hello there", language="German", seed=3, max_frames=6)
    assert not same(ours, [plain])
    for nothing in ("", None):
        undescribed = speeches(
            designer, "generate_voice_design", "hello there", nothing, "German", seed=3
        )
        assert same(undescribed, [plain])


@pytest.mark.parametrize("flag", [True, False])
def test_non_streaming_mode_is_text_first(
    custom: Qwen3TTSModel, speeches: Speaks, flag: bool
) -> None:
    ours = speeches(
        custom, "generate_custom_voice", "hello", "ryan", non_streaming_mode=flag, seed=3
    )
    layouts = [
        custom.model.synthesize("hello", voice="ryan", seed=3, max_frames=6, text_first=text_first)
        for text_first in (flag, not flag)
    ]
    assert same(ours, layouts[:1])
    assert not same(ours, layouts[1:])


@pytest.mark.parametrize("speaker", [None, ""])
def test_no_speaker_is_no_speaker_slot(
    custom: Qwen3TTSModel, speeches: Speaks, speaker: str | None
) -> None:
    ours = speeches(custom, "generate_custom_voice", "hello", speaker, seed=3)
    assert same(ours, [custom.model.synthesize("hello", voice="", seed=3, max_frames=6)])
    first_preset = custom.model.synthesize("hello", seed=3, max_frames=6)
    assert not same(ours, [first_preset])


def test_a_dialect_comes_with_its_speaker(custom: Qwen3TTSModel, speeches: Speaks) -> None:
    ours = speeches(custom, "generate_custom_voice", "hello", "dylan", seed=3)
    native = custom.model.synthesize(
        "hello", voice="dylan", language="beijing_dialect", seed=3, max_frames=6
    )
    assert same(ours, [native])


def test_single_values_and_single_lists_hold_for_all_texts(
    custom: Qwen3TTSModel, speeches: Speaks
) -> None:
    texts = ["one", "two three", "four"]
    plain = speeches(custom, "generate_custom_voice", texts, "ryan", "English", "calm", seed=3)
    listed = speeches(
        custom, "generate_custom_voice", texts, ["ryan"], ["English"], ["calm"], seed=[3]
    )
    full = speeches(
        custom,
        "generate_custom_voice",
        texts,
        ["ryan"] * 3,
        ["English"] * 3,
        ["calm"] * 3,
        seed=[3, 3, 3],
    )
    assert same(plain, listed)
    assert same(plain, full)
    assert len({speech.codes.tobytes() for speech in plain}) == 3


def test_a_batch_is_its_single_calls(custom: Qwen3TTSModel, speeches: Speaks) -> None:
    columns: dict[str, list[Any]] = {
        "text": ["one", "two three four", "five"],
        "speaker": ["ryan", None, "dylan"],
        "language": ["English", "auto", "Chinese"],
        "instruct": ["calm", None, ""],
        "seed": [3, 4, 5],
    }
    batch = speeches(custom, "generate_custom_voice", **columns)
    rows = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    single = [speeches(custom, "generate_custom_voice", **row)[0] for row in rows]
    assert same(batch, single)


def test_waves_come_in_a_list_also_for_one_text(custom: Qwen3TTSModel) -> None:
    waves, rate = custom.generate_custom_voice("hello", "ryan", max_new_tokens=3)
    assert isinstance(waves, list)
    assert [wave.shape for wave in waves] == [(2 * 1920,)]
    assert rate == 24_000


@pytest.mark.parametrize(
    ("columns", "told"),
    [
        ({"text": ["a", "b"], "speaker": ["ryan"] * 3}, "text=2, language=1, speaker=3"),
        ({"text": ["a", "b", "c"], "speaker": "ryan", "language": ["auto"] * 2}, "language=2"),
        ({"text": "a", "speaker": "ryan", "instruct": ["calm", "loud"]}, "text=1, .*instruct=2"),
        ({"text": ["a", "b"], "speaker": "ryan", "seed": [1, 2, 3]}, "text=2, seed=3"),
    ],
)
def test_unequal_lists_are_refused(
    custom: Qwen3TTSModel, columns: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=f"Batch size mismatch: .*{told}"):
        custom.generate_custom_voice(**columns)


def test_an_empty_list_of_texts_is_refused(custom: Qwen3TTSModel) -> None:
    with pytest.raises(ValueError, match="empty list"):
        custom.generate_custom_voice([], "ryan")


def test_unknown_speakers_are_named(custom: Qwen3TTSModel) -> None:
    with pytest.raises(ValueError, match=r"Unsupported speakers: \['bob', 7\].*aiden") as caught:
        custom.generate_custom_voice(["a"] * 4, ["RYAN", "bob", None, 7])
    assert isinstance(caught.value, SpeechError)


@pytest.mark.parametrize("language", ["en", "beijing_dialect", "Klingon", " English"])
def test_languages_are_the_official_names_alone(custom: Qwen3TTSModel, language: str) -> None:
    with pytest.raises(ValueError, match="Unsupported languages") as caught:
        custom.generate_custom_voice("a", "ryan", language)
    assert repr(language) in str(caught.value)


def test_no_language_in_a_list_is_refused(custom: Qwen3TTSModel) -> None:
    with pytest.raises(ValueError, match=r"Unsupported languages: \[None\]"):
        custom.generate_custom_voice(["a", "b"], "ryan", ["English", None])


def test_supported_names(custom: Qwen3TTSModel, cloner: Qwen3TTSModel) -> None:
    languages = "chinese english french german italian japanese korean portuguese russian spanish"
    assert custom.get_supported_languages() == ["auto", *languages.split()]
    speakers = "aiden dylan eric ono_anna ryan serena sohee uncle_fu vivian"
    assert custom.get_supported_speakers() == speakers.split()
    assert cloner.get_supported_speakers() == []


@pytest.mark.parametrize(
    ("name", "method"),
    [
        ("designer", "generate_custom_voice"),
        ("cloner", "generate_custom_voice"),
        ("custom", "generate_voice_design"),
        ("cloner", "generate_voice_design"),
        ("custom", "generate_voice_clone"),
        ("designer", "generate_voice_clone"),
        ("custom", "create_voice_clone_prompt"),
        ("designer", "create_voice_clone_prompt"),
    ],
)
def test_a_method_of_another_kind_of_checkpoint_is_refused(
    request: pytest.FixtureRequest, name: str, method: str
) -> None:
    model: Qwen3TTSModel = request.getfixturevalue(name)
    second = () if method == "create_voice_clone_prompt" else ("ryan",)
    with pytest.raises(ValueError, match=f"{method} .*not support") as caught:
        getattr(model, method)("hello", *second)
    config = model.model.config
    for told in (config.tokenizer_type, config.tts_model_size, config.tts_model_type):
        assert told in str(caught.value)
    assert isinstance(caught.value, SpeechError)
    assert "\n" not in str(caught.value)


def test_instruct_on_the_small_checkpoint_is_ignored_aloud(small_custom: Qwen3TTSModel) -> None:
    def speak(instruct: Any) -> np.ndarray:
        return small_custom.generate_custom_voice("hello", "ryan", instruct=instruct, seed=3)[0][0]

    plain = speak([""])
    with pytest.warns(SpeechWarning, match=r"0\.6B") as warned:
        told = speak("calm")
    assert np.array_equal(told, plain)
    assert [warning.filename for warning in warned] == [__file__]
