"""Where to cut a sentence that is too long: at a clause, then at a word, last at a character."""

import re
import unicodedata
from dataclasses import dataclass
from typing import Literal

from qwen3_tts.text.sentences import AHEAD, CLOSERS, DASHES, OPENERS, TAG
from qwen3_tts.text.spoken_length import CJK, longest_prefix

EARLY = 20  # spoken length: what is cut off for an early sound is longer
_NO_BREAK = "\u00a0\u202f\u2007\u2060"
# Small kana, marks of length and voice, and the parts of a Hangul syllable: never after a cut.
_DEPENDENT = (
    "ぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮー々ヽヾゝゞ\u3099\u309a\uff70\uff9e\uff9f"
    "\u1160-\u11ff\ud7b0-\ud7ff"
)

_SIGN = re.compile(r"[;:!?；！？。：\-—―⸺–…,،、，)）］」』”»]")
_CLAUSE = re.compile(  # at a sign
    rf"(?:(?P<strong>[;:!?](?=[{CLOSERS}]{{0,4}}[\s{CJK}])|[；！？。]|：(?!\d)|--+(?=\s)"
    rf"|(?<=[^\W_])--+|[—―⸺]+|–+(?=\s)|…+)"
    rf"|[,،](?=[{CLOSERS}]{{0,4}}[\s{CJK}])|、|，(?!\d))[{CLOSERS}]{{0,4}}"
    rf"|[)）］」』”»](?=[\s{CJK}])(?!\s?\d)"
)
_DOTS = re.compile(rf"\.{{3,}}[{CLOSERS}]{{0,4}}")
# Blanks before a word: not after an opening sign or an abbreviation, not inside a number.
_BLANK = rf"[^\S{_NO_BREAK}]"
_BEFORE_WORD = rf"[{OPENERS}$€£¥#&@+]{{0,4}}"
_WORD = re.compile(
    rf"{_BLANK}(?:(?<![\s\d)«‹„¿¡([{{「『（$€£¥#.]\s){_BLANK}*(?={_BEFORE_WORD}[^\W_])"
    rf"|(?<![\s\d)«‹„¿¡([{{「『（$€£¥#.]\s){_BLANK}*(?=[{DASHES}]{{1,4}}{_BEFORE_WORD}[^\W_])"
    rf"|(?<=[\d)]\s){_BLANK}*(?={_BEFORE_WORD}[^\W\d_]))"
)
_PHRASE = re.compile(r"(?<=[ぁ-ん])(?=[\u4e00-\u9fff\u30a1-\u30fa「『（])")
_CHARACTER = re.compile(rf"(?<=[{CJK}])(?=[{CJK}])(?![{_DEPENDENT}])")
_INSIDE = re.compile(r"[-/_.=&?#+%,:;!]+(?=[^\W\d_])")
_SPACE = re.compile(r"\s(?=\S)")
_LETTERS_AND_DIGITS = re.compile(r"[^\W_]+")
_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_TAG = re.compile(TAG)
_IS_CJK = re.compile(f"[{CJK}]")
FIRST_LETTER = re.compile(r"[^\W_]")
_MODIFIERS = "\u200d\U0001f3fb\U0001f3fc\U0001f3fd\U0001f3fe\U0001f3ff"


@dataclass(frozen=True)
class Cut:
    """`length` characters belong to the part before the cut."""

    length: int
    join: Literal["clause", "none"]


def cut_early(text: str, limit: int) -> Cut | None:
    """The last clause of `text` that ends within `limit`, if there is one worth speaking alone."""
    places = _Places(text, limit)
    for ends in places.clauses():
        if ends and ends[-1] >= min(EARLY, limit // 2):
            return Cut(ends[-1], "clause")
    return None


def cut(text: str, limit: int, total: float) -> Cut:
    """Cut `text` so that the part before is at most `limit` long and reads well.

    `text` is longer than `limit` when spoken and goes on for `AHEAD` characters after it, if there
    are so many; `total` is the length of the whole sentence, infinite if its end is not known. A
    tag is never cut: one that is longer than `limit` stays whole.
    """
    places = _Places(text, limit)
    goal = top = places.top
    low = top // 3
    if total <= 2 * limit:  # two parts, about equal
        low = max(low, int(top * (total - limit) / limit))
        goal = max(low, int(top * total / (2 * limit)))
    clauses = places.clauses()
    for ends in clauses:
        if ends and ends[-1] >= low:
            return Cut(_nearest(ends, goal, low), "clause")
    early: list[int] = []
    for pattern in (_WORD, _PHRASE, _CHARACTER):
        ends = places.ends(pattern)
        if ends and ends[-1] >= low:
            return Cut(_nearest(ends, goal, low), "none")
        early = early or ends
    for ends in clauses:
        if ends:
            return Cut(ends[-1], "clause")
    ends = early or places.ends(_INSIDE) or places.ends(_SPACE)
    if ends:
        return Cut(ends[-1], "none")
    return Cut(places.character(), "none")


def _nearest(ends: list[int], goal: int, low: int) -> int:
    return min((end for end in ends if end >= low), key=lambda end: (abs(end - goal), end))


class _Places:
    """Where a text may be cut: after its first letter, within the limit, outside of tags."""

    def __init__(self, text: str, limit: int) -> None:
        self.text = text
        self.top = longest_prefix(text[:limit], limit)
        first = FIRST_LETTER.search(text)
        self.first = first.start() if first else 0
        self.tags = [match.span() for match in _TAG.finditer(text, 0, self.top + AHEAD)]
        self._in_tag = self._inside(self.tags)
        self._cjk = not text.isascii() and _IS_CJK.search(text, 0, self.top) is not None

    def clauses(self) -> tuple[list[int], list[int]]:
        """Where the clauses end: those with a strong sign, and those with a comma or a bracket."""
        strong = [match.end() for match in _DOTS.finditer(self.text, 0, self.top + 8)]
        weak: list[int] = []
        end = 0
        for sign in _SIGN.finditer(self.text, 0, self.top):
            match = _CLAUSE.match(self.text, sign.start()) if sign.start() >= end else None
            if match is not None:
                end = match.end()
                (weak if match["strong"] is None else strong).append(end)
        return self._fit(sorted(strong)), self._fit(weak)

    def ends(self, pattern: re.Pattern[str]) -> list[int]:
        """Where the part before a cut inside a clause would end, in order."""
        if pattern in (_PHRASE, _CHARACTER) and not self._cjk:
            return []
        matches = pattern.finditer(self.text, 0, self.top + 8)
        if pattern is _INSIDE:
            return self._fit([match.end() for match in matches])
        return self._fit([match.start() for match in matches])

    def _fit(self, ends: list[int]) -> list[int]:
        first, top, in_tag = self.first, self.top, self._in_tag
        return [end for end in ends if first < end <= top and not in_tag[end]]

    def character(self) -> int:
        """The last place that parts no tag, no character from its marks and, if that can be, no
        word, or at least no number.
        """
        for start, end in self.tags:
            if start < self.top < end:
                return start if start > self.first else end
        for pattern in (_LETTERS_AND_DIGITS, _NUMBER):
            inside = self._inside([match.span() for match in pattern.finditer(self.text)])
            place = self._step_back(inside)
            if not inside[place]:
                return place
        return self._step_back(bytearray(len(inside)))

    def _step_back(self, inside: bytearray) -> int:
        place = self.top
        while place > self.first + 1 and (
            inside[place] or self._in_tag[place] or self._clings(place)
        ):
            place -= 1
        return self.top if self._in_tag[place] or self._clings(place) else place

    def _inside(self, spans: list[tuple[int, int]]) -> bytearray:
        """1 for each place inside one of `spans`, its two ends left out."""
        inside = bytearray(len(self.text) + 1)
        for start, end in spans:
            inside[start + 1 : end] = b"\1" * (end - start - 1)
        return inside

    def _clings(self, place: int) -> bool:
        """Whether the character at `place` is a mark on the one before."""
        before, after = self.text[place - 1], self.text[place : place + 1]
        if not after:
            return False
        return unicodedata.category(after)[0] == "M" or after in _MODIFIERS or before == "\u200d"
