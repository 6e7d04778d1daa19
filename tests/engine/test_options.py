"""Sampling options: the checkpoint's values fill in what is not given; every value is checked."""

from dataclasses import fields, replace
from typing import Any

import pytest

from qwen3_tts.config import GenerationConfig
from qwen3_tts.engine.options import (
    DrawOptions,
    EngineOptions,
    SamplingOptions,
    complete_sampling,
)
from qwen3_tts.errors import InvalidRequest, InvalidSampling
from qwen3_tts.types import Sampling

DEFAULTS = GenerationConfig(
    do_sample=True,
    repetition_penalty=1.1,
    temperature=0.8,
    top_p=0.95,
    top_k=40,
    subtalker_dosample=False,
    subtalker_temperature=0.7,
    subtalker_top_p=0.85,
    subtalker_top_k=30,
)
COMPLETE = SamplingOptions(
    talker=DrawOptions(0.8, 40, 0.95, greedy=False),
    predictor=DrawOptions(0.7, 30, 0.85, greedy=True),
    repetition_penalty=1.1,
)


def test_the_checkpoint_fills_in_what_is_not_given() -> None:
    assert complete_sampling(Sampling(), DEFAULTS) == COMPLETE


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({"temperature": 0.5}, replace(COMPLETE, talker=DrawOptions(0.5, 40, 0.95, False))),
        ({"top_k": 0}, replace(COMPLETE, talker=DrawOptions(0.8, 0, 0.95, False))),
        ({"top_p": 0}, replace(COMPLETE, talker=DrawOptions(0.8, 40, 0.0, False))),
        ({"greedy": True}, replace(COMPLETE, talker=DrawOptions(0.8, 40, 0.95, True))),
        ({"repetition_penalty": 1}, replace(COMPLETE, repetition_penalty=1.0)),
        (
            {"predictor_temperature": 100},
            replace(COMPLETE, predictor=DrawOptions(100.0, 30, 0.85, True)),
        ),
        ({"predictor_top_k": 1}, replace(COMPLETE, predictor=DrawOptions(0.7, 1, 0.85, True))),
        ({"predictor_top_p": 1.0}, replace(COMPLETE, predictor=DrawOptions(0.7, 30, 1.0, True))),
        (
            {"predictor_greedy": False},
            replace(COMPLETE, predictor=DrawOptions(0.7, 30, 0.85, False)),
        ),
    ],
)
def test_a_given_value_changes_its_own_field_alone(
    given: dict[str, Any], expected: SamplingOptions
) -> None:
    assert complete_sampling(Sampling(**given), DEFAULTS) == expected


NUMBERS = ["temperature", "predictor_temperature", "repetition_penalty"]
SHARES = ["top_p", "predictor_top_p"]
COUNTS = ["top_k", "predictor_top_k"]
FLAGS = ["greedy", "predictor_greedy"]
BAD_ANYWHERE = ["0.9", [1], True, float("nan"), float("inf"), -1]


def test_every_field_is_checked_below() -> None:
    names = [*NUMBERS, *SHARES, *COUNTS, *FLAGS]
    assert sorted(names) == sorted(f.name for f in fields(Sampling))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, value) for name in NUMBERS for value in [*BAD_ANYWHERE, 0, 0.0, 100.001, 1e30]],
        *[(name, value) for name in SHARES for value in [*BAD_ANYWHERE, 1.0001, -1e-9, 50]],
        *[(name, value) for name in COUNTS for value in [*BAD_ANYWHERE, 1.5, 50.0]],
        *[(name, value) for name in FLAGS for value in [0, 1, "yes", 0.5]],
    ],
)
def test_a_bad_value_is_refused_in_one_line(name: str, value: Any) -> None:
    with pytest.raises(InvalidSampling) as caught:
        complete_sampling(Sampling(**{name: value}), DEFAULTS)
    message = str(caught.value)
    shown = repr(value) if not isinstance(value, float) else f"{value:g}"
    assert message.startswith(f"{name} is {shown}")
    assert "allowed" in message or "must be" in message
    assert "\n" not in message


def test_a_temperature_of_zero_is_told_of_greedy() -> None:
    with pytest.raises(InvalidSampling, match="greedy=True"):
        complete_sampling(Sampling(temperature=0), DEFAULTS)


def test_a_checkpoint_with_a_bad_default_is_refused() -> None:
    with pytest.raises(InvalidSampling, match="top_p is 3"):
        complete_sampling(Sampling(), replace(DEFAULTS, top_p=3))


@pytest.mark.parametrize("name", ["max_rows", "max_positions"])
@pytest.mark.parametrize("value", [0, -1, 1.5, "8", True])
def test_engine_options_are_checked(name: str, value: Any) -> None:
    with pytest.raises(InvalidRequest, match=f"{name} is {value!r}"):
        EngineOptions(**{name: value})


@pytest.mark.parametrize("amount", [None, 0.5, 1, 2**30, 4e9])
def test_gpu_memory_is_a_share_or_bytes(amount: float | None) -> None:
    assert EngineOptions(gpu_memory=amount).gpu_memory == amount


@pytest.mark.parametrize("amount", [0, -1, 1.5, 8, 80, True, "4GB", float("nan"), float("inf")])
def test_other_amounts_of_gpu_memory(amount: Any) -> None:
    with pytest.raises(InvalidRequest, match="a share above 0 and up to 1, or bytes from 1048576"):
        EngineOptions(gpu_memory=amount)
