"""Where sentences and paragraphs end, in ten languages.

One pass over the text finds the places where a sentence might end (a stop, a line's end), and each
is judged by the word before it and the word after it. No judgement looks further than `BACK`
characters back and `AHEAD` characters on, so the time is linear and the memory constant.
"""

import re
from collections import deque
from collections.abc import Iterator
from typing import Literal

from qwen3_tts.text.abbreviations import Abbreviations
from qwen3_tts.text.spoken_length import CJK, HAN, WIDE_COUNTS, spoken_length
from qwen3_tts.text.window import Window

AHEAD = 240  # characters; more than any pattern below can match
BACK = 64
SHORT_LINE = 40  # spoken length: shorter lines are titles, items or verse, longer ones are wrapped

CLOSERS = "\"'”’»›)\\]}」』】）〉》〕］｝＂＇"
OPENERS = "\"'“‘«‹„‚¿¡(\\[{<「『【（《〈〔［｛＂＇"
DASHES = "\\-–—―"
EMOJI = "\u2600-\u27bf\u2b00-\u2bff\U0001f000-\U0001faff\ufe0f\u200d"
STOPS = ".!?…⋯‥।؟۔"
WIDE_STOPS = "。！？｡．"
TAG = r"\[[^\[\]\n]{1,80}\]|<[^\s<>][^<>\n]{0,100}>"

_BULLETS = "*•·▪◦●○■□‣⁃#"
_CURRENCY = "$€£¥₩₽₹§№@&+~"
_BREAKS = "\n\r\x0b\x0c\x85\u2028\u2029"
_EVENT = re.compile(
    rf"""
    (?: (?P<stops>[{STOPS}{WIDE_STOPS}]{{1,8}})
        (?P<close>(?:[ \u00a0\u202f]?[»›](?![^\W_]))?[{CLOSERS}]{{0,4}}
          (?:[“‘«‹](?=\s|\Z))?(?:\[\d{{1,3}}\]){{0,3}}(?:[ ]?[{EMOJI}]{{1,8}})?)
      | (?P<line>[{_BREAKS}]\s{{0,64}}) )
    (?= (?P<space>\s{{0,64}}) (?P<sign>(?:[{_BULLETS}{DASHES}]\s?)?)
        (?P<open>(?:[«‹»›][ \u00a0\u202f]?|[{OPENERS}{_CURRENCY}][\u00a0\u202f]?){{0,4}})
        (?P<word>[^\W_]{{0,24}}) )
  | {TAG}
    """,
    re.VERBOSE,
)
_IS_TAG = re.compile(TAG)
_IS_CJK = re.compile(f"[{CJK}]")
_SMALL_FIRST = re.compile(rf"[\s{OPENERS}{DASHES}{_BULLETS}]{{0,64}}(?P<word>[^\W_])")
_ITEM = re.compile(r"(?:[^\W_]|\d{1,3}|[IVXLCDM]{1,8})\Z")
_CJK_ITEMS = "一二三四五六七八九十가나다라마바"
_ROMAN = re.compile(r"[IVXLCDM]{1,8}\Z")
_DATE_PART = re.compile(r"\d{1,4}(?:\.\d{1,2})?\Z")
_INITIALS = re.compile(r"[^\W\d_](?:\.[^\W\d_])*\Z")
_NUMBER_AGAIN = re.compile(r"\s{1,64}\d{1,24}\.")
_AFTER_CJK = re.compile(rf"[^{CJK}]{{1,32}}\Z")
# What goes on after quoted speech: a Chinese word of saying, a Japanese particle, a Korean ending.
_SAYING = re.compile(
    rf"\s{{0,2}}(?:[{HAN}]{{0,6}}[说說道问問答喊叫]+(?![{HAN}]{{0,2}}[：:])|と(?!ても|ころ|にかく|きに)|って|なんて|など"
    r"|(?:이?라)?고(?![가-힣]{2})|이?라(?:고|며|면서|는|던)|하(?:고|며|면서)\b)"
)
_UNFINISHED = ",;，、；-–—"  # a line's last sign, with which it goes on

BorderKind = Literal["sentence", "paragraph", "end"]


# The position after a sentence's last sign, before the blanks that follow, and what ends there.
Border = tuple[int, BorderKind]


class Sentences:
    """The borders of a text, in order."""

    def __init__(self, window: Window, rules: Abbreviations) -> None:
        self.judged = 0  # what may be a border before this position has been judged
        self._window = window
        self._rules = rules
        self._ready: deque[Border] = deque()
        self._held: re.Match[str] | None = None  # lies further on than was asked
        self._events: Iterator[re.Match[str]] | None = None
        self._finished = False
        self._begin = 0  # where the sentence began
        self._line = 0  # where the line began
        self._small = False  # the sentence began with a small letter

    def peek(self, until: int) -> Border | None:
        """The next border; None if no stop or line's end before `until` is one."""
        if not self._ready:
            self._judge(until)
        return self._ready[0] if self._ready else None

    def pop(self) -> None:
        """Take the border that `peek` gave."""
        self._ready.popleft()

    def look_again(self) -> None:
        """The window's text has changed: look anew at what has not been judged."""
        self._held = None
        position = max(self.judged - self._window.base, 0)
        self._events = _EVENT.finditer(self._window.text, position)

    def _judge(self, until: int) -> None:
        window, ready = self._window, self._ready
        if self._events is None:
            window.reach(until + AHEAD)
            first = _SMALL_FIRST.match(window.text)
            self._small = first is not None and first["word"].islower()
            self.look_again()
        elif window.reach(until + AHEAD):
            self.look_again()
        assert self._events is not None
        base = window.base
        event = self._held or next(self._events, None)
        while event is not None:
            start, end = event.span()
            if base + start >= until:
                break
            self.judged = base + end
            stops, close, line, space, sign, opening, word = event.groups()
            if stops is not None:
                if self._stop_ends(start, end, stops, close, space, sign, opening, word):
                    ready.append((base + end, "sentence"))
                    self._begin, self._small = base + end, word[:1].islower()
            elif line is not None:
                kind = self._line_ends(start, line, sign, opening, word)
                self._line = base + end
                if kind is not None:
                    ready.append((base + start, kind))
                    self._begin, self._small = base + end, word[:1].islower()
            event = next(self._events, None)
        self._held = event
        if event is None and window.ended and until >= window.end and not self._finished:
            self._finished = True
            ready.append((window.end, "end"))
        self.judged = max(self.judged, min(until, window.end))

    def _line_ends(
        self, start: int, blank: str, sign: str, opening: str, next_word: str
    ) -> BorderKind | None:
        """What ends with a line: nothing if the text is only wrapped there."""
        if len(blank) > 1:
            breaks = blank.replace("\r\n", "\n")
            if breaks.count("\n") > 1 or "\r\r" in breaks or breaks[0] in "\x0c\u2029":
                return "paragraph"
        if sign:
            return "sentence"
        text, line_start = self._window.text, self._line - self._window.base
        length = start - line_start
        if length > SHORT_LINE or next_word[:1].islower() or not (next_word or opening):
            return None
        last = text[start - 1] if start else ""
        if last.isspace():
            last = text[max(line_start, 0) : start].rstrip()[-1:]
        if last and last in _UNFINISHED:
            return None
        if WIDE_COUNTS * length < SHORT_LINE:
            return "sentence"
        line = text[max(line_start, 0) : start].rstrip()
        return "sentence" if spoken_length(line) < SHORT_LINE else None

    def _stop_ends(
        self,
        start: int,
        end: int,
        stops: str,
        close: str,
        space: str,
        sign: str,
        opening: str,
        next_word: str,
    ) -> bool:
        """Whether a sentence ends with these stops."""
        text = self._window.text
        if not space:
            return end == len(text) or _unspaced_stop_ends(text, start, end, stops, close)
        if opening and opening[0] in "[<" and _IS_TAG.match(text, end + len(space)):
            return True
        if not next_word:  # the end, a blank line, or more signs
            return end + len(space) == len(text) or "\n" in space
        if close and close != " " and _SAYING.match(text, end):
            return False
        small = next_word[0].islower()
        if stops == "." and self._abbreviates(start, end, close, next_word, small):
            return False
        if not small or opening[:1] in ("¿", "¡"):
            return True
        if sign or close.strip():
            return False  # "— Да! — сказал он", "“Stop!” he said"
        if stops[-1] in "!?" or stops[-1] in WIDE_STOPS:
            return True
        return self._small and stops == "."  # a text without capitals

    def _abbreviates(self, start: int, end: int, close: str, next_word: str, small: bool) -> bool:
        """Whether one full stop belongs to the word before it and not to the sentence."""
        if close and close.lstrip()[:1] in ('"', "”", "»", "’", "“"):
            return False
        rules, begin = self._rules, self._begin - self._window.base
        before = self._window.text[max(start - 32, begin, 0) : start]
        tokens = before.rsplit(None, 1)
        if not tokens:
            return True  # a stop by itself, as in ". . ."
        written = tokens[-1]
        if small and len(written) == 1 and written.isalpha() and written.isascii():
            return True
        if len(written) > 1 and not written.isalnum():
            written = written.lstrip("\"'“‘«‹„¿¡([{")
            elided = written.replace("’", "'").rpartition("'")[2]
            if elided.lower() in rules.listed:
                written = elided  # "l'art. 5"
        if not written.isascii() and (tail := _AFTER_CJK.search(written)):
            written = tail[0]
        if not written:
            return True
        word = written.lower()
        opens = not small and next_word.lower() in rules.openers
        if len(word) > 1 and word.isalpha() and not written.isupper():
            if word.endswith(rules.suffixes):
                return not opens
            if word not in rules.listed:
                return False
        if len(tokens) == 1 and _ITEM.match(written):  # "1. First", "a. Then", "IV. The end"
            return not _IS_CJK.match(written) or written in _CJK_ITEMS
        if word[0].isdigit() and _DATE_PART.match(word):
            return self._is_ordinal(word, tokens, next_word, opens, end)
        if len(word) == 1 or _INITIALS.match(word):
            if not word[0].isalpha() or (not word.isascii() and _IS_CJK.match(word)):
                return False
            if not opens and (next_word.isascii() or not _IS_CJK.match(next_word)):
                return True
            return word in rules.before or _compact(before).endswith(rules.dotted)
        if word in rules.before or _compact(before).endswith(rules.dotted):
            return True
        if word in rules.numbered:
            return next_word[0].isdigit() or (_ROMAN.match(next_word) is not None and not opens)
        if word in ("etc", "ecc", "usw"):
            return small
        if rules.ordinals and _ROMAN.match(written):
            return not opens
        return word in rules.within and not opens and not _IS_CJK.match(next_word)

    def _is_ordinal(
        self, word: str, tokens: list[str], next_word: str, opens: bool, end: int
    ) -> bool:
        """A number with a stop: "am 3. Mai", "2024. 5. 3.", or a sentence's last word."""
        earlier = tokens[0] if len(tokens) > 1 else ""
        within_date = earlier[-1:] == "." and earlier[-2:-1].isdigit()
        if within_date or self._rules.ordinals:
            return next_word[0].isdigit() or (not opens and (within_date or len(word) < 4))
        return next_word[0].isdigit() and _NUMBER_AGAIN.match(self._window.text, end) is not None


def _unspaced_stop_ends(text: str, start: int, end: int, stops: str, close: str) -> bool:
    """A stop with no blank after it ends a sentence only in Chinese, Japanese or Korean."""
    after = text[end]
    if stops[-1] not in WIDE_STOPS:
        after_cjk = start > 0 and _IS_CJK.match(text, start - 1) is not None
        if close or not (_IS_CJK.match(after) or after in "「『“"):
            return False
        if stops == "." or after in "「『“":
            return after_cjk
        return bool(stops.strip(".…⋯‥"))  # an ellipsis goes on
    if after in _GOES_ON or (stops == "．" and after.isdigit()):
        return False
    return not (close.strip() and _SAYING.match(text, end))


def _compact(before: str) -> str:
    """Letters with stops between them as one abbreviation: "z. B" ends with "z.b"."""
    near = before[-12:].lower()
    if not near.isascii():
        near = near.replace("\u00a0", "").replace("\u202f", "")
    return near.replace(" ", "")


_GOES_ON = STOPS + WIDE_STOPS + "，、,；;：:）)]」』”’》"
