"""Which text units each frame speaks, on examples small enough to work out by hand."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_tts.train.alignment import character_times, frame_units, unit_characters

# "Hi, you" spoken for 0.64 s: silence, "Hi", a pause that the comma takes, "you", silence
TEXT = "Hi, you"
WORDS = [(0, 3, 0.08, 0.25), (4, 7, 0.33, 0.55)]


def test_time_is_shared_by_letters_and_pauses_go_to_punctuation() -> None:
    bounds = character_times(TEXT, WORDS, 0.64)
    # begin of H, i, comma, blank, y, o, u, and the end
    np.testing.assert_allclose(bounds, [0, 0.165, 0.25, 0.33, 0.33, 1.21 / 3, 1.43 / 3, 0.64])


def test_a_pause_without_punctuation_goes_to_the_blank() -> None:
    bounds = character_times("a b", [(0, 1, 0.0, 0.1), (2, 3, 0.3, 0.4)], 0.4)
    np.testing.assert_allclose(bounds, [0, 0.1, 0.3, 0.4])


def test_frames_find_the_units_that_sound_in_them() -> None:
    characters = unit_characters(TEXT, [2, 1, 2, 2])  # "Hi" "," " y" "ou"
    assert characters == [(0, 2), (2, 3), (3, 5), (5, 7)]
    bounds = character_times(TEXT, WORDS, 0.64)
    units = frame_units(characters, bounds, 8, 0.55, tolerance_s=0.0)
    expected = [
        (0, 0),  # silence before the first word belongs to its first unit
        (0, 0),
        (0, 0),
        (0, 1),  # 0.24 to 0.32: the end of "Hi", then the pause
        (1, 2),
        (2, 3),
        (3, 3),
        (3, 4),  # silence at the end: the last unit, or the end of the text
        (4, 4),  # the step that ends the speech
    ]
    assert [tuple(pair) for pair in units.tolist()] == expected


def test_tolerance_lets_neighbours_in() -> None:
    characters = unit_characters(TEXT, [2, 1, 2, 2])
    bounds = character_times(TEXT, WORDS, 0.64)
    units = frame_units(characters, bounds, 8, 0.55, tolerance_s=0.02)
    assert units[3].tolist() == [0, 2]  # 0.22 to 0.34: still "Hi", already " y"


def test_bytes_of_one_character_count_as_that_character() -> None:
    assert unit_characters("né", [1, 1, 1]) == [(0, 1), (1, 2), (1, 2)]


@given(
    lengths=st.lists(st.integers(1, 6), min_size=1, max_size=6),
    gaps=st.lists(st.floats(0, 0.5), min_size=7, max_size=7),
    rate=st.floats(0.02, 0.2),
)
def test_units_are_in_order_and_leave_no_frame_out(
    lengths: list[int], gaps: list[float], rate: float
) -> None:
    text = " ".join("a" * n for n in lengths)
    words, at, now = [], 0, gaps[0]
    for length, gap in zip(lengths, gaps[1:], strict=False):
        words.append((at, at + length, now, now + length * rate))
        at, now = at + length + 1, now + length * rate + gap
    frames = int(np.ceil(now / 0.08)) + 1
    bounds = character_times(text, words, frames * 0.08)
    assert bounds[0] == 0
    assert bounds[-1] == pytest.approx(frames * 0.08)
    assert (np.diff(bounds) >= 0).all()
    units = frame_units(unit_characters(text, [1] * len(text)), bounds, frames, words[-1][3])
    assert (units[:, 1] >= units[:, 0]).all()
    assert (np.diff(units[:, 0]) >= 0).all()
    assert units[0, 0] == 0
    assert units[-1].tolist() == [len(text), len(text)]
