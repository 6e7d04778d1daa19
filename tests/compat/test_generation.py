"""Generation keywords: where they go, where their defaults come from, and whose seed it is."""

from typing import Any

import pytest
import torch

from qwen3_tts.compat import CompatError, CompatTypeError, Qwen3TTSModel
from qwen3_tts.types import Sampling, Speech, SpeechRequest
from tests.compat.conftest import Speaks, same


def test_every_generation_keyword_reaches_the_engine(
    custom: Qwen3TTSModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[SpeechRequest] = []
    monkeypatch.setattr(custom.model, "synthesize_batch", lambda rows: asked.extend(rows) or [])
    custom.generate_custom_voice(
        "hello",
        "ryan",
        do_sample=True,
        top_k=7,
        top_p=0.8,
        temperature=1.3,
        repetition_penalty=1.4,
        subtalker_dosample=True,
        subtalker_top_k=9,
        subtalker_top_p=0.7,
        subtalker_temperature=0.6,
        max_new_tokens=9,
        eos_token_id=2150,
        seed=3,
    )
    sampling = Sampling(
        temperature=1.3,
        top_k=7,
        top_p=0.8,
        repetition_penalty=1.4,
        greedy=False,
        predictor_temperature=0.6,
        predictor_top_k=9,
        predictor_top_p=0.7,
        predictor_greedy=False,
    )
    (row,) = asked
    assert (row.sampling, row.max_frames, row.seed) == (sampling, 8, 3)


def test_values_come_from_the_call_then_the_defaults_then_the_official_ones(
    custom: Qwen3TTSModel, speeches: Speaks
) -> None:
    def greedy(**keywords: Any) -> list[Speech]:
        return speeches(custom, "generate_custom_voice", "hello", "ryan", seed=3, **keywords)

    drawn = greedy(do_sample=None)
    custom.generate_defaults |= {"do_sample": False, "subtalker_dosample": False}
    from_defaults = greedy()
    native = custom.model.synthesize(
        "hello",
        voice="ryan",
        max_frames=6,
        sampling=Sampling(greedy=True, predictor_greedy=True),
    )
    assert same(from_defaults, [native])
    assert same(greedy(do_sample=True, subtalker_dosample=True), drawn)
    custom.generate_defaults.clear()
    assert same(greedy(max_new_tokens=7), drawn)


def test_without_any_length_the_limit_is_the_official_fallback(
    custom: Qwen3TTSModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[Any] = []
    monkeypatch.setattr(custom.model, "synthesize_batch", lambda rows: asked.extend(rows) or [])
    custom.generate_custom_voice("hello", "ryan")
    custom.generate_defaults.clear()
    custom.generate_custom_voice("hello", "ryan")
    assert [row.max_frames for row in asked] == [6, 2047]


def test_unused_options_of_greedy_heads_are_not_checked(
    custom: Qwen3TTSModel, speeches: Speaks
) -> None:
    off = {"do_sample": False, "subtalker_dosample": False}
    zero = {"temperature": 0, "subtalker_temperature": 0.0}
    plain = speeches(custom, "generate_custom_voice", "hello", "ryan", **off)
    assert same(speeches(custom, "generate_custom_voice", "hello", "ryan", **off, **zero), plain)
    with pytest.raises(ValueError, match="temperature is 0"):
        custom.generate_custom_voice("hello", "ryan", temperature=0)


def test_unknown_keywords_are_refused(custom: Qwen3TTSModel) -> None:
    with pytest.raises(
        TypeError, match=r"'num_beams', 'max_tokens'.*allowed:.*max_new_tokens"
    ) as e:
        custom.generate_custom_voice("a", "ryan", num_beams=2, top_k=5, max_tokens=3)
    assert isinstance(e.value, CompatTypeError)


@pytest.mark.parametrize(
    ("keywords", "told"),
    [
        ({"max_new_tokens": 1}, "max_new_tokens is 1, allowed: 2 or more"),
        ({"max_new_tokens": 0}, "max_new_tokens is 0"),
        ({"max_new_tokens": 2.5}, r"max_new_tokens is 2\.5"),
        ({"max_new_tokens": True}, "max_new_tokens is True"),
        ({"eos_token_id": 7}, "eos_token_id is 7, allowed: 2150"),
        ({"top_p": 1.5}, "top_p"),
        ({"subtalker_top_k": -1}, "predictor_top_k"),
        ({"seed": -1}, "seed is -1"),
        ({"text": " "}, "text is only white space"),
    ],
)
def test_bad_values_are_value_errors(
    custom: Qwen3TTSModel, keywords: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        custom.generate_custom_voice(**{"text": "a", "speaker": "ryan"} | keywords)
    assert isinstance(caught.value, CompatError)


def test_an_error_of_the_engine_keeps_its_code(custom: Qwen3TTSModel) -> None:
    with pytest.raises(CompatError) as caught:
        custom.generate_custom_voice("", "ryan")
    assert caught.value.code == "invalid_text"
    assert CompatError.code == "invalid_request"


def test_manual_seed_is_the_seed_of_the_next_single_text(
    custom: Qwen3TTSModel, speeches: Speaks
) -> None:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(11)
        first = speeches(custom, "generate_custom_voice", "hello", "ryan")
        second = speeches(custom, "generate_custom_voice", "hello", "ryan")
    assert same(first, speeches(custom, "generate_custom_voice", "hello", "ryan", seed=11))
    assert not same(first, second)


def test_a_batch_repeats_after_manual_seed(custom: Qwen3TTSModel, speeches: Speaks) -> None:
    runs = []
    with torch.random.fork_rng(devices=[]):
        for _ in range(2):
            torch.manual_seed(11)
            runs.append(speeches(custom, "generate_custom_voice", ["hello", "hello"], "ryan"))
    assert same(*runs)
    assert not same(runs[0][:1], runs[0][1:])


@pytest.mark.parametrize(
    "keywords", [{"seed": 3}, {"do_sample": False, "subtalker_dosample": False}]
)
def test_the_global_generator_is_left_alone_where_it_has_no_part(
    custom: Qwen3TTSModel, keywords: dict[str, Any]
) -> None:
    before = torch.get_rng_state()
    custom.generate_custom_voice("hello", "ryan", max_new_tokens=3, **keywords)
    assert torch.equal(torch.get_rng_state(), before)
