"""Tagged text (SSML, HTML, and Markdown made into tags) read into passages, pauses and breaks.

Read: speak, break, p, s, sub, say-as, prosody (rate, volume), `xml:lang`, `[pause:500ms]`, and of
HTML what ends a sentence, a paragraph or a section. All other tags are dropped, their text stays.
Tags need not be closed, nor in order. Raises `InvalidRequest` for nesting or pauses beyond the
limits.
"""

import re
from dataclasses import dataclass, replace

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.text.notes import Notes
from qwen3_tts.text.passages import Collector, Manner, Part
from qwen3_tts.text.pauses import DEFAULT_PAUSE_S, STRENGTHS, Silence, seconds
from qwen3_tts.text.policy import Policy
from qwen3_tts.text.spoken_languages import known_language
from qwen3_tts.text.tags import Dropped, PauseTag, Tag, scan

DEEPEST = 32  # elements within elements, of those that change how text is spoken
RATES = {"x-slow": 0.5, "slow": 0.75, "medium": 1.0, "default": 1.0, "fast": 1.25, "x-fast": 1.75}
VOLUMES_DB = {
    "silent": -120.0,
    "x-soft": -12.0,
    "soft": -6.0,
    "medium": 0.0,
    "default": 0.0,
    "loud": 6.0,
    "x-loud": 12.0,
}
SLOWEST, FASTEST = 0.25, 4.0
SOFTEST_DB, LOUDEST_DB = -120.0, 12.0

_MANNERS = frozenset(("speak", "prosody", "lang", "sub", "say-as", "table", "pre"))
_PARAGRAPHS = frozenset(
    "p div article section main header footer aside nav blockquote pre ul ol dl table hr "
    "figure figcaption form address details summary body html speak paragraph".split()
)
_SENTENCES = frozenset("s sentence br li tr dt dd option caption h4 h5 h6".split())
_SECTIONS = frozenset(("h1", "h2", "h3"))
_CELLS = frozenset(("td", "th"))
_SILENT = frozenset(  # of HTML: they only change how letters look
    "a abbr b bdi big cite code del em font i ins kbd label mark q samp small span strike strong "
    "sup time tt u var wbr thead tbody tfoot col colgroup center".split()
)
_PERCENT = re.compile(r"([+-]?)(\d{1,4}(?:\.\d{1,3})?)%", re.ASCII)
_NUMBER = re.compile(r"\d{1,3}(?:\.\d{1,3})?", re.ASCII)
_DECIBEL = re.compile(r"([+-]?\d{1,3}(?:\.\d{1,3})?)\s?db", re.ASCII | re.IGNORECASE)


@dataclass(frozen=True)
class _Frame:
    """An open element, and what holds within it."""

    name: str
    manner: Manner
    how: str = ""  # as in `Part`
    format: str = ""
    silent: bool = False


def read_tagged(text: str, policy: Policy, notes: Notes) -> Collector:
    """Passages, pauses and breaks of a tagged text."""
    reader = _Reader(policy, notes)
    for token in scan(text):
        match token:
            case str():
                reader.text(token)
            case Tag() if token.closes:
                reader.close(token.name)
            case Tag():
                reader.open(token)
            case PauseTag():
                reader.pause(token.length)
            case Dropped():
                notes.add(f"left out {token.what}")
    return reader.collector


class _Reader:
    def __init__(self, policy: Policy, notes: Notes) -> None:
        self.collector = Collector()
        self._policy, self._notes = policy, notes
        self._silence = Silence()
        self._frames = [_Frame("", Manner())]
        self._heading: tuple[str, int] | None = None
        self._in_row = False

    def text(self, text: str) -> None:
        frame = self._frames[-1]
        if not frame.silent:
            self.collector.say(Part(text, frame.how, frame.format), frame.manner)

    def open(self, tag: Tag) -> None:
        name = tag.name
        if name in _PARAGRAPHS:
            self.collector.part("paragraph")
        elif name in _SENTENCES:
            self.collector.part("sentence")
            self._in_row = False
        elif name in _SECTIONS:
            self._heading = (name, self.collector.mark())
        if name == "break":
            self._break(tag.attributes())
        elif name == "img":
            self._image(tag.attributes().get("alt", ""))
        elif name in _CELLS:
            self._cell()
        elif name in _MANNERS or (tag.attrs and name in ("p", "s") and "lang" in tag.attrs):
            if not tag.attrs.endswith("/"):
                self._push(tag)
        elif not (name in _PARAGRAPHS or name in _SENTENCES or name in _SECTIONS | _SILENT):
            self._notes.add(f"left out the tag <{name[:20]}>")

    def close(self, name: str) -> None:
        if self._heading and self._heading[0] == name:
            self.collector.section(self._heading[1])
            self._heading = None
        elif name in _PARAGRAPHS:
            self.collector.part("paragraph")
        elif name in _SENTENCES:
            self.collector.part("sentence")
        for depth in range(len(self._frames) - 1, 0, -1):  # at most DEEPEST
            if self._frames[depth].name == name:
                del self._frames[depth:]
                return

    def pause(self, length: str) -> None:
        """`[pause:LENGTH]`; a length that is none is left out, never spoken."""
        pause_s = seconds(length) if length else DEFAULT_PAUSE_S
        if pause_s is None:
            self._notes.add("left out a pause whose length is no time, such as 500ms or 1.5s")
        else:
            self._wait(pause_s)

    def _break(self, attributes: dict[str, str]) -> None:
        if "time" in attributes:
            return self.pause(attributes["time"] or "?")
        strength = attributes.get("strength", "medium").strip().lower()
        self._wait(STRENGTHS.get(strength, DEFAULT_PAUSE_S))

    def _wait(self, pause_s: float) -> None:
        if pause_s and not self._frames[-1].silent:
            self.collector.pause(self._silence.allow(pause_s))

    def _image(self, description: str) -> None:
        if self._policy.images == "read":
            self.text(description)
        elif description:
            self._notes.add("left out an image")

    def _cell(self) -> None:
        if self._in_row:
            self.text(", ")
        self._in_row = True

    def _push(self, tag: Tag) -> None:
        if len(self._frames) > DEEPEST:
            raise InvalidRequest(
                f"more than {DEEPEST} elements within each other (<{tag.name}>); close some"
            )
        above, attributes = self._frames[-1], tag.attributes()
        frame = replace(above, name=tag.name, manner=self._manner(above.manner, attributes))
        if tag.name == "sub":
            if "alias" in attributes and not above.silent:
                self.collector.say(Part(attributes["alias"], "fixed"), above.manner)
            frame = replace(frame, silent=above.silent or "alias" in attributes)
        elif tag.name == "say-as":
            how = attributes.get("interpret-as", "").strip().lower()
            frame = replace(frame, how=how, format=attributes.get("format", "").strip().lower())
        elif self._is_dropped(tag.name):
            self._notes.add(f"left out a <{tag.name}>")
            frame = replace(frame, silent=True)
        self._frames.append(frame)

    def _is_dropped(self, name: str) -> bool:
        return (name == "table" and self._policy.tables == "drop") or (
            name == "pre" and self._policy.code == "drop"
        )

    def _manner(self, above: Manner, attributes: dict[str, str]) -> Manner:
        manner = above
        if "rate" in attributes:
            factor = _rate(attributes["rate"])
            rate = self._within("rate", above.rate * factor, SLOWEST, FASTEST)
            manner = manner._replace(rate=rate)
        if "volume" in attributes:
            sum_db = above.volume_db + _volume_db(attributes["volume"])
            volume_db = self._within("volume", sum_db, SOFTEST_DB, LOUDEST_DB)
            manner = manner._replace(volume_db=volume_db)
        if language := known_language(attributes.get("lang")):
            manner = manner._replace(language=language)
        return manner

    def _within(self, what: str, value: float, least: float, most: float) -> float:
        if not least <= value <= most:
            self._notes.add(f"kept the {what} between {least:g} and {most:g}")
        return min(max(value, least), most)


def _rate(written: str) -> float:
    """A factor: a name, `120%` or `1.2`, and `+20%` or `-20%` against what holds around it."""
    written = written.strip().lower()
    if match := _PERCENT.fullmatch(written):
        change = float(match[2]) / 100
        return {"": change, "+": 1 + change, "-": max(1 - change, 0.0)}[match[1]]
    if _NUMBER.fullmatch(written):
        return float(written)
    return RATES.get(written, 1.0)


def _volume_db(written: str) -> float:
    """Decibels: a name or `+6dB`."""
    written = written.strip().lower()
    if match := _DECIBEL.fullmatch(written):
        return float(match[1])
    return VOLUMES_DB.get(written, 0.0)
