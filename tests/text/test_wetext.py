"""The grammars of the optional package `wetext`, kept within bounds."""

import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_tts.errors import MissingPackage
from qwen3_tts.text import wetext_rules
from qwen3_tts.text.front import prepare
from qwen3_tts.text.notes import Notes


def test_without_the_package_the_error_says_how_to_add_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wetext", None)
    with pytest.raises(MissingPackage, match=r"pip install 'qwen3-tts\[text\]'"):
        prepare("5 km", grammar="wetext")
    assert prepare("5 km").text == "five kilometers"  # our own rules need nothing


class Grammar:
    """Fails on what is not said to it."""

    def __init__(self, said: dict[str, str]) -> None:
        self.said, self.seen = said, list[str]()

    def normalize(self, text: str) -> str:
        self.seen.append(text)
        assert text in self.said
        return self.said[text]


def reader(grammar: Grammar, notes: Notes, budget: int = 1000) -> wetext_rules._Reader:
    left = wetext_rules._Budget(budget)
    return wetext_rules._Reader(grammar, lambda text: text.replace("9", "nine"), left, notes)


def test_only_what_has_numbers_is_handed_over_and_without_what_breaks() -> None:
    grammar, notes = Grammar({"I have 2 of": "I have two of", "1": "one"}), Notes()
    assert reader(grammar, notes)('Hello\n "I have 2 of" [1]') == 'Hello\n "I have two of" [one]'
    assert grammar.seen == ["I have 2 of", "1"]
    assert notes.all() == ()


def test_where_the_grammar_fails_our_own_rules_read() -> None:
    notes = Notes()
    assert reader(Grammar({}), notes)("9 lives") == "nine lives"
    assert notes.all() == ("read by our own rules, as wetext failed",)


def test_long_sentences_and_long_texts_are_not_handed_over() -> None:
    grammar, notes = Grammar({"9 a": "x"}), Notes()
    long = "9" + " b" * wetext_rules.LONGEST_SENTENCE
    assert reader(grammar, notes)(long).startswith("nine b")
    assert reader(grammar, notes, budget=3)("9 a") == "x"
    assert reader(grammar, notes, budget=2)("9 a") == "nine a"
    assert grammar.seen == ["9 a"]
    assert notes.all() == ("read by our own rules, as wetext would take too long (2 times)",)


@pytest.mark.parametrize(
    ("text", "language", "said"),
    [
        ("I have 3 cats and 12 dogs.", "english", "I have three cats and twelve dogs."),
        ("It was 25°C.", "english", "It was twenty five degrees Celsius."),
        ("“3” [1]  \\ #1", "english", "“three” one one"),
        ("我有3个苹果。", "chinese", "我有三个苹果。"),
        ("气温25°C，湿度50%", None, "气温二十五摄氏度，湿度百分之五十"),
    ],
)
def test_with_the_package(text: str, language: str | None, said: str) -> None:
    pytest.importorskip("wetext")
    assert prepare(text, language=language, grammar="wetext").text == said


@settings(max_examples=60)
@given(text=st.text("12 .,:/-$%\"'\\ab“”[]{}#*\n\t中年个°", max_size=20))
def test_any_text_is_read_with_the_package(text: str) -> None:
    pytest.importorskip("wetext")
    prepare(text, grammar="wetext")
