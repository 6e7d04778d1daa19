"""Blends of speaker vectors: what they are, and what cannot be blended."""

import hashlib
import itertools
import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_tts.errors import InvalidRequest, InvalidVoice
from qwen3_tts.types import Take, Voice
from qwen3_tts.voices.mixing import METHODS, mix, parse_recipe
from tests.refusal import refused

WEIGHTS = st.floats(1e-3, 1e3)


def voice(seed: int, width: int = 24, **about: Any) -> Voice:
    """A vector of its own length and direction."""
    draw = np.random.default_rng(seed)
    vector = draw.uniform(1, 12) * draw.normal(size=width)
    return Voice(vector.astype(np.float32), name=about.pop("name", f"v{seed}"), **about)


def slerp(one: Voice, other: Voice, share: float) -> np.ndarray:
    """The formula of two, as it is in textbooks, lengths between those of the two."""
    a, b = one.vector.astype(np.float64), other.vector.astype(np.float64)
    long_a, long_b = np.linalg.norm(a), np.linalg.norm(b)
    angle = math.acos(np.clip(a @ b / (long_a * long_b), -1, 1))
    on_sphere = math.sin((1 - share) * angle) * a / long_a + math.sin(share * angle) * b / long_b
    return on_sphere / math.sin(angle) * ((1 - share) * long_a + share * long_b)


@given(st.permutations(range(5)), st.lists(WEIGHTS, min_size=5, max_size=5), WEIGHTS)
def test_neither_order_nor_scale_matters(
    order: list[int], weights: list[float], scale: float
) -> None:
    """Of the order, to the bit; of the scale, to float32."""
    parts = [(voice(i), weights[i]) for i in range(5)]
    for method in METHODS:
        expected = mix(parts, method=method)
        shuffled = mix([parts[i] for i in order], method=method)
        assert np.array_equal(shuffled.vector, expected.vector)
        assert shuffled.provenance == expected.provenance
        scaled = mix([(each, weight * scale) for each, weight in parts], method=method)
        np.testing.assert_allclose(scaled.vector, expected.vector, rtol=1e-5, atol=1e-5)


def test_linear_is_the_weighted_mean() -> None:
    parts = [(voice(i), i + 1.0) for i in range(4)]
    expected = sum(w * each.vector.astype(np.float64) for each, w in parts) / 10
    np.testing.assert_allclose(mix(parts).vector, expected, rtol=1e-6, atol=1e-6)  # float32


@pytest.mark.parametrize("share", [1e-4, 0.1, 0.5, 0.75, 0.999])
def test_slerp_of_two_is_the_formula(share: float) -> None:
    near = Voice(voice(1).vector + np.float32(0.01) * voice(2).vector)
    far = Voice(np.float32(0.01) * voice(2).vector - voice(1).vector)
    for other in (voice(2), near, far):
        found = mix([(voice(1), 1 - share), (other, share)], method="slerp")
        expected = slerp(voice(1), other, share)
        np.testing.assert_allclose(found.vector, expected, rtol=0, atol=1e-5)  # float32 of 10


def test_slerp_keeps_the_length() -> None:
    """Equal vectors in all directions of a corner: as long as each, where linear is shorter."""
    corner = [(Voice(7 * np.eye(9, dtype=np.float32)[i]), 1) for i in range(9)]
    assert np.linalg.norm(mix(corner, method="slerp").vector) == pytest.approx(7, abs=1e-5)
    assert np.linalg.norm(mix(corner).vector) == pytest.approx(7 / 3, abs=1e-5)
    np.testing.assert_allclose(mix(corner, method="slerp").vector, np.full(9, 7 / 3), atol=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_a_voice_with_itself_is_itself(method: str) -> None:
    found = mix([(voice(1), 1), (voice(1), 5)], method=method)
    np.testing.assert_allclose(found.vector, voice(1).vector, rtol=1e-6)


@pytest.mark.parametrize("method", METHODS)
def test_a_part_of_little_weight_changes_little(method: str) -> None:
    found = mix([(voice(1), 1e6), (voice(2), 1e-6)], method=method)
    np.testing.assert_allclose(found.vector, voice(1).vector, rtol=1e-5, atol=1e-5)


def test_the_recipe_is_kept() -> None:
    about = {"language": "german", "model": "m", "consent": "yes"}
    codes = np.zeros((2, 16), dtype=np.int64)
    anna = voice(1, name="anna", codes=codes, text="Words.", gain_db=3.0, **about)
    anna = anna.with_take("happy", Take(vector=anna.vector))
    ben = voice(2, name="ben", **{**about, "model": None})
    found = mix([(anna, 3), (ben, 1)], method="slerp", name="both")
    assert (found.name, found.language, found.model) == ("both", "german", "m")
    assert (found.mode, found.text, found.gain_db, found.styles) == (
        "x_vector",
        None,
        None,
        ["neutral"],
    )
    assert found.consent in ("anna: yes; ben: yes", "ben: yes; anna: yes")
    assert found.provenance is not None
    parts = sorted(found.provenance["parts"], key=lambda part: part["name"])
    digests = [hashlib.sha256(each.vector.tobytes()).hexdigest() for each in (anna, ben)]
    assert parts == [
        {"name": "anna", "weight": 0.75, "vector_sha256": digests[0]},
        {"name": "ben", "weight": 0.25, "vector_sha256": digests[1]},
    ]
    assert (found.provenance["made"], found.provenance["method"]) == ("mix", "slerp")


def test_what_is_not_common_to_all_is_not_said() -> None:
    parts = [(voice(1, language="german", consent="yes"), 1), (voice(2, language="french"), 1)]
    assert (mix(parts).language, mix(parts).consent) == (None, None)


@pytest.mark.parametrize("weight", [0, -1, math.nan, math.inf, 1e7, "1", None, True])
def test_weights_that_are_none(weight: Any) -> None:
    for pair in itertools.permutations([(voice(1), 1), (voice(1), weight)]):
        with refused(InvalidRequest, "weight", "1e-6 to 1e6"):
            mix(pair)


def test_too_few_and_too_many() -> None:
    for count in (0, 1, 17):
        with refused(InvalidRequest, "2 to 16", str(count)):
            mix([(voice(i), 1) for i in range(count)])
    with refused(InvalidRequest, "'spherical'", "linear, slerp"):
        mix([(voice(1), 1), (voice(2), 1)], method="spherical")


def test_voices_that_do_not_go_together() -> None:
    for told in ("'v1' has 24 numbers", "'v2' has 80 numbers"):
        with refused(InvalidVoice, "different model sizes", told):
            mix([(voice(1), 1), (voice(2, 80), 1)])
    for told in ("'v1' is of a", "'v2' is of b"):
        with refused(InvalidVoice, "different models", told):
            mix([(voice(1, model="a"), 1), (voice(2, model="b"), 1)])


def test_a_voice_without_a_vector() -> None:
    in_context = Voice(np.zeros(24, np.float32), np.zeros((2, 16), np.int64), "Words.", name="bea")
    with refused(InvalidVoice, "'bea'", "no speaker vector", "in context"):
        mix([(voice(1), 1), (in_context, 1)])


@pytest.mark.parametrize("method", METHODS)
def test_voices_that_point_away_from_each_other(method: str) -> None:
    opposite = Voice(-voice(1).vector, name="anti")
    with refused(InvalidVoice, "'anti'", "away from each other"):
        mix([(voice(1), 1), (opposite, 1)], method=method)


@pytest.mark.parametrize(
    ("recipe", "parts"),
    [
        ("anna(2)+ben(1)", [("anna", 2.0), ("ben", 1.0)]),
        (" anna + ben ( 0.5 ) ", [("anna", 1.0), ("ben", 0.5)]),
        ("Dr. A (old)(3)+渡辺", [("Dr. A (old)", 3.0), ("渡辺", 1.0)]),
        ("anna", [("anna", 1.0)]),
    ],
)
def test_recipes(recipe: str, parts: list[tuple[str, float]]) -> None:
    assert parse_recipe(recipe) == parts


@pytest.mark.parametrize(
    "recipe", ["", "+", "a+", "(2)", "a(", "a(x)", "a(nan)", "a)", "a(2)b", "a+" * 17, "a" * 5000]
)
def test_recipes_that_are_none(recipe: str) -> None:
    if recipe == "a)":  # a name may end so
        assert parse_recipe(recipe) == [("a)", 1.0)]
        return
    with refused(InvalidRequest, "recipe"):
        parse_recipe(recipe)


@given(st.text(alphabet="ab()+ .1e", max_size=60))
def test_any_recipe_is_read_or_refused(recipe: str) -> None:
    try:
        parts = parse_recipe(recipe)
    except InvalidRequest:
        return
    assert all(name.strip() == name != "" for name, _ in parts)
