"""Number words by themselves: against each other, and against how numbers are built."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_tts.text import numbers_chinese as chinese
from qwen3_tts.text import numbers_english as english

UNITS = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
SMALL = {english.cardinal(str(number)): number for number in range(100)}


def english_value(words: str) -> int:
    """The number that English words name: their own grammar, read back."""
    total = group = 0
    for word in words.split(" "):
        if word in UNITS:
            total, group = total + group * UNITS[word], 0
        elif word == "hundred":
            group *= 100
        else:
            group += SMALL[word]
    return total + group


def chinese_value(words: str) -> int:
    total = section = digit = 0
    for char in words.replace("两", "二"):
        if char in "十百千":
            section += (digit or 1) * {"十": 10, "百": 100, "千": 1000}[char]
            digit = 0
        elif char == "万":
            total += (section + digit) * 10**4
            section = digit = 0
        elif char == "亿":
            total = (total + section + digit) * 10**8
            section = digit = 0
        else:
            digit = chinese.DIGITS.index(char)
    return total + section + digit


def test_small_english_numbers_are_all_different() -> None:
    assert len(SMALL) == 100
    assert english.cardinal("13") == "thirteen"
    assert english.cardinal("40") == "forty"
    assert english.cardinal("99") == "ninety-nine"


@given(number=st.integers(0, 10**15 - 1))
def test_english_cardinals_read_back(number: int) -> None:
    assert english_value(english.cardinal(str(number))) == number


@given(number=st.integers(1, 10**16 - 1))
def test_chinese_cardinals_read_back(number: int) -> None:
    assert chinese_value(chinese.cardinal(str(number))) == number


@given(digits=st.text("0123456789", min_size=17, max_size=200))
def test_long_numbers_are_read_digit_by_digit(digits: str) -> None:
    assert english.cardinal(digits) == " ".join([english.cardinal(digit) for digit in digits])
    assert chinese.cardinal(digits) == "".join([chinese.cardinal(digit) for digit in digits])


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        ("1", "first"),
        ("2", "second"),
        ("3", "third"),
        ("12", "twelfth"),
        ("20", "twentieth"),
        ("21", "twenty-first"),
        ("100", "one hundredth"),
        ("1005", "one thousand fifth"),
    ],
)
def test_english_ordinals(digits: str, words: str) -> None:
    assert english.ordinal(digits) == words


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        ("1984", "nineteen eighty-four"),
        ("1900", "nineteen hundred"),
        ("1905", "nineteen oh five"),
        ("2000", "two thousand"),
        ("2007", "two thousand seven"),
        ("2010", "twenty ten"),
        ("2024", "twenty twenty-four"),
        ("1066", "ten sixty-six"),
    ],
)
def test_english_years(digits: str, words: str) -> None:
    assert english.year(digits) == words


@pytest.mark.parametrize(
    ("numerator", "denominator", "words"),
    [
        ("1", "2", "one half"),
        ("3", "2", "three halves"),
        ("3", "4", "three quarters"),
        ("1", "3", "one third"),
        ("5", "8", "five eighths"),
        ("1", "100", "one hundredth"),
        ("7", "1000", "seven thousandths"),
        ("3", "37", "three over thirty-seven"),
    ],
)
def test_english_fractions(numerator: str, denominator: str, words: str) -> None:
    assert english.fraction(numerator, denominator) == words


def test_roman_numerals() -> None:
    ones = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
    for number in range(1, 40):
        assert english.roman("X" * (number // 10) + ones[number % 10]) == number
    for letters in ("", "IIII", "VX", "IIX", "XXXX", "XIIV"):
        assert english.roman(letters) is None


@pytest.mark.parametrize(
    ("digits", "words"),
    [
        ("0", "零"),
        ("10", "十"),
        ("15", "十五"),
        ("110", "一百一十"),
        ("200", "两百"),
        ("1010", "一千零一十"),
        ("20000", "两万"),
        ("22000", "两万两千"),
        ("100010", "十万零一十"),
        ("10100", "一万零一百"),
        ("200000000", "两亿"),
        ("100000001", "一亿零一"),
        ("1200000000000", "一万两千亿"),
    ],
)
def test_chinese_cardinals(digits: str, words: str) -> None:
    assert chinese.cardinal(digits) == words


def test_digits_of_telephones() -> None:
    assert chinese.spell("110", phone=True) == "幺幺零"
    assert chinese.spell("110") == "一一零"
    assert english.spell("007") == "zero zero seven"
