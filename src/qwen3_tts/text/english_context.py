"""What stands beside a span of English text."""

import re

_NEXT_WORD = re.compile(r"\s([A-Za-z]+)")
_ARTICLES = frozenset("a an the this that my your our his her its their every each another".split())
# words after a number that it does not count
FUNCTION_WORDS = frozenset(
    "was is were are has had have will would can could and or but the a an in on at to for of "
    "when where which who that this as by with from until after before since than then we i he she "
    "it they there if so not over under into per each".split()
)
_MEASURED = frozenset(  # after an amount: `a 5 km long road`
    "long high tall wide deep thick away ago later earlier old apart off more less left".split()
)


def word_before(text: str, at: int, *, lower: bool = True) -> str:
    """The word that ends before `at`, without marks around it; "" where there is none."""
    words = text[max(0, at - 20) : at].split()
    word = words[-1].strip("\"'“”‘’([,.;:#") if words else ""
    return word.lower() if lower else word


def word_after(text: str, at: int) -> str:
    """The word that begins behind one blank at `at`, or ""."""
    match = _NEXT_WORD.match(text, at)
    return match[1] if match else ""


def is_attribute(text: str, start: int, end: int) -> bool:
    """Whether an amount describes a noun: `a 60 W bulb`, which is a sixty watt bulb."""
    after = word_after(text, end)
    if not after.islower() or after in FUNCTION_WORDS or after in _MEASURED:
        return False
    return word_before(text, start) in _ARTICLES
