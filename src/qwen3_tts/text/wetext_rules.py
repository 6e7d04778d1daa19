"""The grammars of `wetext` (extra `text`) as rules for English and Chinese, for who wants them.

They know rarer units than our own rules and are slower by a factor of a hundred: about 5,000
characters a second, more than linear in a sentence. They also stop with an error at input such as
two blanks in a row, `[1]` or `#1`. So a text is handed over sentence by sentence, without what
breaks them, up to a budget; the rest is read by our own rules.
"""

import re
from collections.abc import Callable
from importlib import import_module
from typing import Protocol

from qwen3_tts.errors import MissingPackage
from qwen3_tts.text.chinese import normalise_chinese
from qwen3_tts.text.english import normalise_english
from qwen3_tts.text.normalise import Rules
from qwen3_tts.text.notes import Notes

LONGEST_SENTENCE = 250  # characters
BUDGET = 20_000  # characters of one text, about four seconds
_SENTENCE = re.compile(r"[^\n。！？]*+(?:[\n。！？]|\Z)")
_BREAKING = re.compile(r"""(["“”\\{}\[\]<>|#*^~_`]+|[\s]{2,}|[^\S ]+)""")
_WORK = re.compile(r"[0-9$£€¥%°&=+]")
_FAULTS = (AssertionError, RuntimeError, ValueError, KeyError, IndexError, TypeError)


def wetext_rules(notes: Notes) -> Rules:
    """Rules for one text. Raises `MissingPackage` where the extra is not installed."""
    try:
        wetext = import_module("wetext")
    except ImportError:
        raise MissingPackage(
            "the wetext rules need an optional package; add it with "
            "`pip install 'qwen3-tts[text]'`, or use our own rules"
        ) from None
    left = _Budget(BUDGET)
    return Rules(
        _Reader(wetext.Normalizer(lang="en", operator="tn"), normalise_english, left, notes),
        _Reader(wetext.Normalizer(lang="zh", operator="tn"), normalise_chinese, left, notes),
    )


class Grammar(Protocol):
    """What of `wetext` is used here."""

    def normalize(self, text: str) -> str: ...


class _Budget:
    def __init__(self, characters: int) -> None:
        self._left = characters

    def take(self, text: str) -> bool:
        self._left -= len(text)
        return self._left >= 0


class _Reader:
    def __init__(
        self, grammar: "Grammar", own: Callable[[str], str], left: _Budget, notes: Notes
    ) -> None:
        self._grammar, self._own, self._left, self._notes = grammar, own, left, notes

    def __call__(self, text: str) -> str:
        return "".join([self._sentence(match[0]) for match in _SENTENCE.finditer(text)])

    def _sentence(self, text: str) -> str:
        if not _WORK.search(text):
            return self._own(text)
        if len(text) > LONGEST_SENTENCE or not self._left.take(text):
            self._notes.add("read by our own rules, as wetext would take too long")
            return self._own(text)
        return "".join([self._part(part) for part in _BREAKING.split(text)])

    def _part(self, text: str) -> str:
        if not text.strip() or _BREAKING.fullmatch(text):
            return self._own(text)
        words = text.strip(" ")
        at = text.index(words)
        try:
            said = self._grammar.normalize(words)
        except _FAULTS:
            self._notes.add("read by our own rules, as wetext failed")
            said = words
        return text[:at] + self._own(said) + text[at + len(words) :]
