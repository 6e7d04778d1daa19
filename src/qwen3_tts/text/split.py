"""Text into segments that are spoken one by one, in ten languages, of any length.

A segment is some whole sentences of one paragraph, as many as stay within a limit; a sentence
longer than the limit is cut at a clause, then between words, and inside a word only where there is
nothing else. Lengths are those of `spoken_length`: letters, with CJK characters and digits counted
3 times.
"""

import re
from collections.abc import Iterable, Iterator
from math import inf
from typing import Literal, NamedTuple

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.text.abbreviations import abbreviations
from qwen3_tts.text.cutting import FIRST_LETTER, cut, cut_early
from qwen3_tts.text.sentences import (
    AHEAD,
    BACK,
    CLOSERS,
    OPENERS,
    STOPS,
    WIDE_STOPS,
    Border,
    Sentences,
)
from qwen3_tts.text.spoken_languages import known_language
from qwen3_tts.text.spoken_length import WIDE_COUNTS, spoken_length
from qwen3_tts.text.window import Window

LIMIT = 280  # about 19 seconds of speech
FIRST_LIMIT = 120  # about 8 seconds
LEAST_LIMIT = 40
LEADING_SIGNS = 16  # characters without a letter that are kept before a segment's first word

Join = Literal["clause", "sentence", "paragraph", "none"]
_ENDS_WITH_STOP = re.compile(rf"[{STOPS}{WIDE_STOPS}][{CLOSERS}“‘«‹]{{0,4}}\Z")


class Segment(NamedTuple):
    """`text` is the characters from `start` to `end` of the whole text.

    `join` is what ends with it: a paragraph, a sentence, a clause of a longer sentence, or none of
    these (a sentence cut between two words, or a text that ends without a stop).
    """

    text: str
    start: int
    end: int
    join: Join


def split(
    text: str,
    language: str | None = None,
    *,
    limit: int = LIMIT,
    first_limit: int = FIRST_LIMIT,
    group: bool = True,
) -> list[Segment]:
    """The segments of `text`, in order. Text without a letter or digit has none.

    `language` (a name or a code) says which abbreviations to know; None knows those of all.
    No segment is longer than `limit`, unless it is one tag (`[...]` or `<...>`), which is never
    cut. The first is kept within `first_limit` if a sentence or clause ends there, for an early
    sound. `group=False` makes every sentence a segment. What lies between segments is blank, or
    signs without a letter. The time is linear in the text, whatever it holds.

    Raises `InvalidRequest` for a `limit` below 40 or a `first_limit` below 1.
    """
    return list(iter_segments((text,), language, limit=limit, first_limit=first_limit, group=group))


def iter_segments(
    chunks: Iterable[str],
    language: str | None = None,
    *,
    limit: int = LIMIT,
    first_limit: int = FIRST_LIMIT,
    group: bool = True,
) -> Iterator[Segment]:
    """The segments of all `chunks` joined, whatever the chunks are, in constant memory.

    Each is given as soon as the text after it can no longer change it. See `split`.
    """
    if limit < LEAST_LIMIT or first_limit < 1:
        raise InvalidRequest(
            f"segments need a limit of at least {LEAST_LIMIT} and a first_limit of at least 1, "
            f"got {limit} and {first_limit}"
        )
    return _Splitter(Window(chunks), language, limit, min(first_limit, limit), group).segments()


class _Splitter:
    def __init__(
        self, window: Window, language: str | None, limit: int, first_limit: int, group: bool
    ) -> None:
        self.window = window
        self.sentences = Sentences(window, abbreviations(known_language(language)))
        self.limit = limit
        self.wanted = first_limit  # of the segment being made
        self.group = group

    def segments(self) -> Iterator[Segment]:
        start = self._next_start(0)
        while start is not None:
            end, join = self._end_of_segment(start)
            text = self.window.slice(start, end).rstrip()
            self.wanted = self.limit
            self._forget(end)
            yield Segment(text, start, start + len(text), join)
            start = self._next_start(end)

    def _next_start(self, position: int) -> int | None:
        """Where the next sentence with a letter in it begins, its leading signs included."""
        reach = max(self.wanted, LEAST_LIMIT)
        while position < self.window.end or not self.window.spent(position):
            border = self.sentences.peek(position + reach)
            end = position + reach if border is None else border[0]
            text = self.window.slice(position, end)
            first = FIRST_LETTER.search(text)
            if first is not None:
                return position + _leading(text, first.start())
            if border is None:
                position = end - LEADING_SIGNS
            else:
                self.sentences.pop()
                position = end
            self._forget(position)
        return None

    def _end_of_segment(self, start: int) -> tuple[int, Join]:
        border = self.sentences.peek(start + self.wanted)
        if not self._fits(start, border, self.wanted):
            if self.wanted < self.limit:
                early = cut_early(self._text_ahead(start, border, self.wanted), self.wanted)
                if early is not None:
                    return start + early.length, early.join
                border = border or self.sentences.peek(start + self.limit)
            if not self._fits(start, border, self.limit):
                return self._cut(start, border)
        assert border is not None
        return self._whole_sentences(start, border)

    def _fits(self, start: int, border: Border | None, length: int) -> bool:
        """Whether a sentence is no longer than `length`; its text is counted only if it may be."""
        if border is None:
            return False
        end = border[0]
        return WIDE_COUNTS * (end - start) <= length or self._length(start, end) <= length

    def _cut(self, start: int, border: Border | None) -> tuple[int, Join]:
        border = border or self.sentences.peek(start + 2 * self.limit)
        text = self._text_ahead(start, border, self.limit)
        found = cut(text, self.limit, inf if border is None else self._length(start, border[0]))
        return start + found.length, found.join

    def _whole_sentences(self, start: int, border: Border) -> tuple[int, Join]:
        """The sentence up to `border`, with those after it that fit."""
        window, sentences = self.window, self.sentences
        sentences.pop()
        end, kind = border
        counted, left = start, self.wanted  # after `counted` so much more fits
        while kind == "sentence":
            following = sentences.peek(end + max(left - (end - counted), 0) + BACK)
            if following is None:
                break
            words = window.slice(end, following[0]).strip()
            if words:
                if WIDE_COUNTS * (following[0] - counted) > left:
                    text = window.slice(start, following[0]).rstrip()
                    counted, left = start + len(text), self.wanted - spoken_length(text)
                    if left < 0:
                        break
                if not self.group and FIRST_LETTER.search(words):
                    break
            sentences.pop()
            end, kind = following
        if kind != "end":
            return end, kind
        text = window.slice(start, end).rstrip()
        return end, "sentence" if _ENDS_WITH_STOP.search(text) else "none"

    def _text_ahead(self, start: int, border: Border | None, length: int) -> str:
        """What `cut` needs to see of the sentence that begins at `start`."""
        end = min(start + length + AHEAD, self.window.end)
        return self.window.slice(start, end if border is None else min(end, border[0]))

    def _length(self, start: int, end: int) -> int:
        return spoken_length(self.window.slice(start, end).rstrip())

    def _forget(self, position: int) -> None:
        if self.window.drop(min(position, self.sentences.judged - BACK)):
            self.sentences.look_again()


def _leading(text: str, first: int) -> int:
    """How much of `text` to leave out before its `first` letter: blanks, and signs if many."""
    if text[:first].isspace() or not first:
        return first
    blanks = len(text) - len(text.lstrip())
    if first - blanks <= LEADING_SIGNS:
        return blanks
    near = text[first - LEADING_SIGNS : first]
    return first - min(len(near) - len(near.rstrip(OPENERS)), 4)
