"""Time grows with the text, no faster: hostile texts of one and of four lengths compared.

Processor time, measured again where it looks bad, so that a busy machine does not matter. Four
times the text may take up to nine times as long (caches and memory); what grows with the square
takes sixteen.
"""

import re
import time
from collections.abc import Callable
from contextlib import suppress

import pytest

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.text.front import prepare
from qwen3_tts.text.lexicon import Lexicon

SHORT = 2_500  # characters
TOO_SHORT_TO_TELL_S = 0.004

UNITS = [
    *"< > & [ ( * _ ` ~ # \\ | - = ' \" . , : / $ % + ^ @ 1 I V a A 中 ， 。 😀 é".split(),
    *"<a </ <!-- <![CDATA[ <!DOCTYPE[ &# &a; [[]] [a]( ![]( [pause: **a `a _a ~~ ```".split(),
    *"1, 1. 1: 1- 1/ -1 1s 1a a1 A-1 $1 1% 1%- (1 +1 1e Dr. a.b. a@ a.a a@a. http:// www.".split(),
    *"1、 1年 中1 中a a中 ¥1 第1 ，a 1中 'a a' 'A' \u0301 \u200d \ud800 ½ ① Ａ ² x^ :) (◍".split(),
    *"<a> </a> <p> <h1> <prosody> <sub> <script> <table> <li> <br/>".split(),
    "1 ",
    "a ",
    "1 1/",
    "<a \"",
    "<a '\"",
    "<a b='",
    "<a b=\"c\">",
    "\n",
    "a\n",
    "- a\n",
    "1. a\n",
    "> ",
    "# a\n",
    "|a|\n",
    "|-|\n",
    "    ",
    "\t",
    "Jan ",
    "Jan 1 ",
    "St. ",
    "1 km ",
    "<break time='0s'/>",
    "+1 1 ",
    "(555) ",
]  # fmt: skip


def seconds(work: Callable[[], object]) -> float:
    began = time.process_time()
    with suppress(InvalidRequest):
        work()
    return time.process_time() - began


def grows_linearly(work: Callable[[int], Callable[[], object]]) -> bool:
    """`work(length)` gives what is to be done at a length."""
    for _ in range(4):
        longer = seconds(work(4 * SHORT))
        if longer < TOO_SHORT_TO_TELL_S or longer < 9 * seconds(work(SHORT)):
            return True
    return False


def test_the_measure_tells_what_grows_with_the_square() -> None:
    slow = re.compile("a+b")  # from each `a` to the end
    assert not grows_linearly(lambda length: lambda: slow.search("a" * length))
    assert grows_linearly(lambda length: lambda: re.findall("a", "a" * length * 20))


@pytest.mark.parametrize("unit", UNITS, ids=ascii)
def test_a_repeated_text(unit: str) -> None:
    def work(length: int) -> Callable[[], object]:
        text = unit * (length // len(unit))
        return lambda: prepare(text)

    assert grows_linearly(work)


@pytest.mark.parametrize(
    "unit", [unit for unit in UNITS if re.search("[0-9aA(.]", unit)], ids=ascii
)
def test_a_repeated_text_after_chinese(unit: str) -> None:
    def work(length: int) -> Callable[[], object]:
        text = "中" + unit * (length // len(unit))
        return lambda: prepare(text)

    assert grows_linearly(work)


@pytest.mark.parametrize("text", ["a", "一", "ab ", "一二"])
def test_a_hostile_lexicon(text: str) -> None:
    lexicon = Lexicon.of({text[0] * length + "!": "x" for length in range(1, 20)})
    assert grows_linearly(lambda length: lambda: lexicon.apply(text * length))


@pytest.mark.parametrize("markup", ["html", "ssml", "plain"])
def test_every_markup(markup: str) -> None:
    for unit in ("<a b=c>1 ", "</p>", "&#49;", "<p>1</p>", "[pause:0s]", "<!--"):
        text = unit * SHORT
        assert grows_linearly(
            lambda length, text=text: lambda: prepare(text[:length], markup=markup)  # type: ignore[misc]
        ), unit
