"""A text as people write it, made ready to be spoken."""

import re
from collections.abc import Iterable, Mapping
from functools import cached_property
from itertools import groupby
from operator import itemgetter
from typing import Literal, get_args

from qwen3_tts.errors import InvalidRequest, InvalidText
from qwen3_tts.prompt.languages import AUTO
from qwen3_tts.text.detect import detect
from qwen3_tts.text.lexicon import Lexicon
from qwen3_tts.text.links import has_link, speak_links
from qwen3_tts.text.markup import Markup, read_markup
from qwen3_tts.text.normalise import (
    NATIVE_LANGUAGES,
    OWN,
    Rules,
    has_letters,
    main_language,
    normalise,
)
from qwen3_tts.text.notes import Notes
from qwen3_tts.text.passages import Passage, merged_breaks
from qwen3_tts.text.pieces import Piece, Prepared, Say
from qwen3_tts.text.policy import Policy
from qwen3_tts.text.say_as import say_as
from qwen3_tts.text.spacing import tidy
from qwen3_tts.text.spoken_languages import known_language
from qwen3_tts.text.symbols import clean, visible
from qwen3_tts.text.wetext_rules import wetext_rules

Processing = Literal["auto", "plain"]
GrammarName = Literal["own", "wetext"]
_BLANK_LINES = re.compile(r"(?:\r\n?|\n){2,}")
SURE = 0.5  # a detected language of less confidence is not taken to be other than English
LONGEST_TEXT = 5_000_000  # characters; a long novel is one million
_DEFAULT = Policy()


def prepare(
    text: str,
    *,
    processing: Processing = "auto",
    markup: Markup = "auto",
    language: str | None = None,
    lexicon: Lexicon | None = None,
    pronunciations: Mapping[str, str] | None = None,
    policy: Policy = _DEFAULT,
    grammar: GrammarName = "own",
) -> Prepared:
    """The pieces of a text in order, and notes on what was left out.

    "auto" reads markup, tags and `[pause:500ms]`, respells what `pronunciations` (first) and the
    `lexicon` name, and puts numbers, dates, money and units into words. "plain" is one piece, the
    text as it is. A text with nothing to say gives no `Say`. Takes time linear in the text.
    `grammar` says whose rules read English and Chinese numbers: ours, or those of the extra `text`.

    Raises `InvalidText` for one that is too long, `InvalidRequest` for a choice that does not exist
    and for pauses, nesting, or pronunciations beyond their limits, and `MissingPackage`.
    """
    _check_choice("processing", processing, get_args(Processing))
    _check_choice("markup", markup, get_args(Markup))
    _check_choice("grammar", grammar, get_args(GrammarName))
    if len(text) > LONGEST_TEXT:
        raise InvalidText(
            f"the text has {len(text)} characters, allowed are up to {LONGEST_TEXT}; split it"
        )
    lexicons = [Lexicon.of(pronunciations)] if pronunciations else []
    lexicons += [lexicon] if lexicon else []
    if processing == "plain":
        return Prepared((Say(text, verbatim=True),) if text.strip() else ())
    notes = Notes()
    text = _BLANK_LINES.sub("\n\n", text.removeprefix("\ufeff"))
    items = read_markup(text, markup, policy, notes).items
    rules = wetext_rules(notes) if grammar == "wetext" else OWN
    speaker = _Speaker(text, _given(language), policy, lexicons, notes, rules)
    pieces: list[Piece] = []
    for item in items:
        if not isinstance(item, Passage):
            pieces.append(item)
        elif said := speaker.say(item):
            pieces.append(said)
    return Prepared(tuple(merged_breaks(pieces)), notes.all())


def _check_choice(name: str, given: str, allowed: Iterable[str]) -> None:
    if given not in allowed:
        raise InvalidRequest(f"{name} is {given!r}; allowed are {', '.join(allowed)}")


def _given(language: str | None) -> str | None:
    """The language as the rules know it; one they do not know stays, and has no rules."""
    if language is None or language.strip().lower() in ("", AUTO):
        return None
    return known_language(language) or language.strip().lower()


class _Speaker:
    """Words of the passages of one text."""

    def __init__(
        self,
        text: str,
        language: str | None,
        policy: Policy,
        lexicons: list[Lexicon],
        notes: Notes,
        rules: Rules,
    ) -> None:
        self._given, self._policy, self._lexicons = language, policy, lexicons
        self._notes, self._rules = notes, rules
        self._text = text
        self._around = main_language(text)  # for passages with no letters, such as `1.`

    def _language_of(self, text: str) -> str | None:
        """The language of a passage: as given, or by its script; None for Latin letters."""
        if self._given or text.isascii():
            return self._given or (None if has_letters(text) else self._around)
        return main_language(text) or (None if has_letters(text) else self._around)

    @cached_property
    def _other(self) -> str | None:
        """The language of a text of Latin letters that is surely not English.

        Asked for only where it matters, as the first answer of a process takes half a second.
        """
        if self._given:
            return None
        found = detect(self._text)
        sure = found.script == "latin" and found.confidence >= SURE
        return found.language if sure and found.language != "english" else None

    def say(self, passage: Passage) -> Say | None:
        """The words of one passage, or None where it has none."""
        manner = passage.manner
        language = manner.language or self._language_of(passage.text)
        said: list[str] = []
        for (how, format), parts in groupby(passage.parts, key=itemgetter(1, 2)):
            text = "".join([part.text for part in parts])
            if how == "fixed":
                said.append(visible(text))
            elif how and (words := say_as(visible(text), how, format, language)):
                said.append(words)
            else:
                said.append(self._prose(text, language))
        words = tidy("".join(said))
        if not any(char.isalnum() for char in words):
            return None
        fixed = all(part.how == "fixed" for part in passage.parts)
        return Say(words, manner.language, manner.rate, manner.volume_db, verbatim=fixed)

    def _prose(self, text: str, language: str | None) -> str:
        if language is None and (self._lexicons or has_link(text)):
            language = self._other
        own = None if text.isascii() else main_language(text)
        named = own or _latin_language(text, language)
        text = speak_links(text, named, self._policy, self._notes)
        text = clean(text, named, self._policy, self._notes)
        parts = [(text, False)]
        for lexicon in self._lexicons:
            parts = [
                found
                for part, done in parts
                for found in ([(part, True)] if done else lexicon.parts(part, named))
            ]
        return "".join([part if done else self._in_words(part, language) for part, done in parts])

    def _in_words(self, text: str, language: str | None) -> str:
        said = normalise(text, language, self._rules)
        if language is None and said != text and self._other:
            return normalise(text, self._other, self._rules)
        return said


def _latin_language(text: str, language: str | None) -> str:
    """Whose words name what stands in a text of Latin letters, or of none."""
    if language is None or (language in NATIVE_LANGUAGES and has_letters(text)):
        return "english"
    return language
