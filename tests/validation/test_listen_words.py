"""Counting words: normal form, edit distance, error rate."""

from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st
from listening.words import Errors, edit_distance, normal_words, total, word_errors

WORDS = st.lists(st.sampled_from("abc"), max_size=7)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("Don't stop -- she's HERE!", "don't stop she's here"),
        ("‘Quoted,’ he said: “Anne’s café.”", "quoted he said anne's cafe"),
        ("well-known, of course...", "well known of course"),
        ("salt & pepper, 5%", "salt and pepper five percent"),
        ("1203 of 40,000", "one thousand two hundred three of forty thousand"),
        ("21 or 13 or 70 or 0", "twenty one or thirteen or seventy or zero"),
        ("agent 007", "agent zero zero seven"),
        ("My neighbours' favourite colour: grey", "my neighbors favorite color gray"),
        ("Four hours, your tour", "four hours your tour"),
        ("...", ""),
    ],
)
def test_normal_words(text: str, words: str) -> None:
    assert normal_words(text) == words.split()


def by_definition(left: list[str], right: list[str]) -> int:
    """Levenshtein's recursion as it is written in books."""

    @cache
    def distance(i: int, j: int) -> int:
        if not i or not j:
            return i + j
        replaced = distance(i - 1, j - 1) + (left[i - 1] != right[j - 1])
        return min(replaced, distance(i - 1, j) + 1, distance(i, j - 1) + 1)

    return distance(len(left), len(right))


@given(WORDS, WORDS)
def test_edit_distance_is_levenshtein(left: list[str], right: list[str]) -> None:
    assert edit_distance(left, right) == by_definition(left, right)


def test_errors_are_of_the_words_that_were_meant() -> None:
    assert word_errors("One, two three!", "one TWO three") == Errors(0, 3)
    assert word_errors("one two three", "one too three four") == Errors(2, 3)
    assert word_errors("one two", "") == Errors(2, 2)
    assert word_errors("one", "a b c").rate == 3


def test_long_sentences_count_for_more() -> None:
    assert total([Errors(1, 1), Errors(0, 9)]) == Errors(1, 10)
    assert total([Errors(1, 1), Errors(0, 9)]).rate == 0.1


def test_silence_that_was_meant_and_heard_is_no_error() -> None:
    assert word_errors("...", "").rate == 0
    assert word_errors("...", "word").rate == 1
