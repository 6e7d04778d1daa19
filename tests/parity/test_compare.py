"""The comparison itself: it fails where it should."""

from pathlib import Path

import cases
import compare
import numpy as np
import pytest
import signals
from safetensors.numpy import save_file


def verdict(name: str, theirs: np.ndarray, ours: np.ndarray) -> str:
    return compare.row_of(name, list(theirs.shape), theirs, ours).verdict


def test_a_difference_up_to_the_bound_passes_and_beyond_fails() -> None:
    kind, bound = cases.BOUNDS["wave"]
    assert kind == cases.ABSOLUTE
    theirs = np.zeros((3, 5), np.float64)
    assert verdict("speech/x/wave.0", theirs, theirs + 0.9 * bound) == "pass"
    assert verdict("speech/x/wave.0", theirs, theirs - 1.1 * bound) == "FAIL"


def test_a_relative_bound_is_of_the_largest_value() -> None:
    kind, bound = cases.BOUNDS["vector"]
    assert kind == cases.RELATIVE
    theirs = np.array([0.01, -200.0])
    assert verdict("codec/x/vector", theirs, theirs + 150 * bound) == "pass"
    assert verdict("codec/x/vector", theirs, theirs + 250 * bound) == "FAIL"


def test_one_other_code_fails() -> None:
    theirs = np.arange(32).reshape(2, 16)
    other = theirs.copy()
    other[1, 15] += 1
    assert verdict("speech/x/codes.0", theirs, theirs) == "pass"
    assert verdict("speech/x/codes.0", theirs, other) == "FAIL"


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_numbers_that_are_none_fail(bad: float) -> None:
    theirs = np.zeros(4)
    assert verdict("speech/x/wave.0", theirs, np.array([0, 0, bad, 0])) == "FAIL"


def test_another_shape_fails() -> None:
    assert verdict("speech/x/wave.0", np.zeros(4), np.zeros(5)) == "FAIL"
    assert verdict("speech/x/wave.0", np.zeros((2, 3)), np.zeros((3, 2))) == "FAIL"


def test_a_shortened_array_is_compared_at_its_places() -> None:
    ours = signals.noise(1, (40, 100))
    size, kept = ours.size, signals.places(ours.size, cases.kept("speech/x/wave.0"))
    theirs = ours.reshape(-1)[kept]
    moved = ours.copy()
    moved.reshape(-1)[kept[len(kept) // 2]] += 1e-3
    assert len(theirs) < size
    row = compare.row_of("speech/x/wave.0", [40, 100], theirs, ours)
    assert (row.verdict, row.max_abs) == ("pass", 0)
    assert compare.row_of("speech/x/wave.0", [40, 100], theirs, moved).verdict == "FAIL"


def test_places_hold_both_ends_and_stay_within() -> None:
    chosen = signals.places(10_000, 160)
    assert {0, 1, 9_998, 9_999} <= set(chosen.tolist())
    assert len(set(chosen.tolist())) == len(chosen) <= 160
    assert signals.places(100, 160).tolist() == list(range(100))


def test_noise_has_the_moments_it_claims() -> None:
    """A hundred thousand draws: the mean is known to 0.01, the variance likewise."""
    values = signals.noise(7, (100_000,))
    assert abs(values.mean()) < 0.01
    assert abs(values.var() - 1) < 0.01


def test_a_digest_sees_a_changed_weight_and_a_changed_name(tmp_path: Path) -> None:
    values = np.arange(6, dtype=np.float32)
    other = values.copy()
    other[3] = np.nextafter(other[3], np.float32(9))
    digests = []
    for i, tensors in enumerate([{"a": values}, {"a": values}, {"a": other}, {"b": values}]):
        (tmp_path / str(i)).mkdir()
        save_file(tensors, tmp_path / str(i) / "model.safetensors")
        digests.append(signals.digest(tmp_path / str(i)))
    assert digests[0] == digests[1]
    assert len(set(digests)) == 3
