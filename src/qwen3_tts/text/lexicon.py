"""A user's own pronunciations: words to the spelling that a voice says rightly.

A file holds one entry a line, `word<TAB>spelling`, with an optional third column, the language in
which alone it holds. Lines that begin with `#` and empty lines are skipped. UTF-8.

    # how we say things
    SQL     sequel
    nginx   engine x
    Paris   Pariss      en
    重庆    崇庆

Whole words only: `cat` is not found in `category`. Languages that write no spaces (Chinese,
Japanese) match anywhere. An entry in lower case fits any case; one with a capital letter fits as it
is written. The longest entry wins, and what an entry gave is not looked at again.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.text.spoken_languages import known_language
from qwen3_tts.text.symbols import visible

LONGEST_WORD, LONGEST_SPELLING = 60, 400  # characters
MOST_ENTRIES = 100_000
MOST_PRONUNCIATIONS = 1000  # of one request
_LARGEST_FILE = 32 << 20  # bytes
_UNSPACED = re.compile(
    r"[\u0e00-\u0eff\u2e80-\u9fff\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff]"
)


@dataclass(frozen=True)
class Entry:
    word: str
    spelling: str
    language: str | None = None


@dataclass(frozen=True)
class Lexicon:
    """Entries, of which a later one replaces an earlier one of the same word.

    Raises `InvalidRequest` for too many.
    """

    entries: tuple[Entry, ...] = ()
    _index: "_Index" = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if len(self.entries) > MOST_ENTRIES:
            raise InvalidRequest(
                f"a lexicon has at most {MOST_ENTRIES} entries, this one {len(self.entries)}"
            )
        object.__setattr__(self, "_index", _Index(self.entries))

    @classmethod
    def load(cls, path: str | Path) -> "Lexicon":
        """Read a file. Raises `InvalidRequest` naming the line that is wrong."""
        name = f"lexicon `{path}`"
        try:
            with open(path, "rb") as file:
                content = file.read(_LARGEST_FILE + 1)
        except OSError as error:
            raise InvalidRequest(f"{name} cannot be read: {error.strerror}") from None
        if len(content) > _LARGEST_FILE:
            raise InvalidRequest(f"{name} is larger than {_LARGEST_FILE >> 20} MiB")
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise InvalidRequest(f"{name} is not UTF-8 text (offset {error.start})") from None
        return cls.parse(text, name)

    @classmethod
    def parse(cls, text: str, name: str = "lexicon") -> "Lexicon":
        """The text of such a file; `name` is for messages."""
        entries = []
        for number, line in enumerate(text.splitlines(), 1):
            if line.strip() and not line.lstrip().startswith("#"):
                entries.append(_entry(line, f"{name}, line {number}"))
        return cls(tuple(entries))

    @classmethod
    def of(cls, pronunciations: Mapping[str, str]) -> "Lexicon":
        """The pronunciations of one request."""
        if len(pronunciations) > MOST_PRONUNCIATIONS:
            raise InvalidRequest(
                f"a request has at most {MOST_PRONUNCIATIONS} pronunciations, "
                f"this one {len(pronunciations)}"
            )
        return cls(
            tuple(
                _checked(word, spelling, None, "pronunciations")
                for word, spelling in pronunciations.items()
            )
        )

    def apply(self, text: str, language: str | None = None) -> str:
        """The text with its words respelled. A `language` of None fits entries of any language."""
        return "".join([part for part, _ in self.parts(text, language)])

    def parts(self, text: str, language: str | None = None) -> Iterable[tuple[str, bool]]:
        """The text in order, in pieces; True marks those that an entry gave."""
        return self._index.parts(text, known_language(language))


def _entry(line: str, where: str) -> Entry:
    columns = [column.strip() for column in line.split("\t") if column.strip()]
    if len(columns) not in (2, 3):
        raise InvalidRequest(
            f"{where}: expected `word<TAB>spelling` or `word<TAB>spelling<TAB>language`, "
            f"found {len(columns)} columns"
        )
    language = known_language(columns[2]) if len(columns) == 3 else None
    if len(columns) == 3 and language is None:
        raise InvalidRequest(f"{where}: {columns[2][:40]!r} is no language, such as en or english")
    return _checked(columns[0], columns[1], language, where)


def _checked(word: object, spelling: object, language: str | None, where: str) -> Entry:
    if not isinstance(word, str) or not isinstance(spelling, str):
        raise InvalidRequest(f"{where}: words and spellings are strings")
    word, spelling = visible(word).strip(), visible(spelling).strip()
    for what, value, most in (
        ("word", word, LONGEST_WORD),
        ("spelling", spelling, LONGEST_SPELLING),
    ):
        if not 1 <= len(value) <= most:
            raise InvalidRequest(
                f"{where}: a {what} has 1 to {most} characters, {value[:20]!r} has {len(value)}"
            )
    return Entry(word, spelling, language)


class _Index:
    """Entries by how they begin: a look-up per word, however many entries there are."""

    def __init__(self, entries: Iterable[Entry]) -> None:
        self._exact: dict[str, list[Entry]] = {}
        self._folded: dict[str, list[Entry]] = {}
        lengths: dict[str, set[int]] = {}
        for entry in reversed(tuple(entries)):  # so that later ones are found first
            folds = entry.word == entry.word.lower()
            table = self._folded if folds else self._exact
            table.setdefault(entry.word, []).append(entry)
            first = entry.word[0]
            for start in {first, first.upper()} if folds else {first}:
                lengths.setdefault(start, set()).add(len(entry.word))
        self._lengths = {first: sorted(found, reverse=True) for first, found in lengths.items()}
        spaced = "".join([re.escape(char) for char in lengths if _spaced(char)])
        unspaced = "".join([re.escape(char) for char in lengths if not _spaced(char)])
        patterns = []
        if spaced:
            patterns.append(rf"(?<!\w)[{spaced}]|(?<=[\u2e80-\u9fff])[{spaced}]")
        if unspaced:
            patterns.append(f"[{unspaced}]")
        self._start = re.compile("|".join(patterns)) if patterns else None

    def parts(self, text: str, language: str | None) -> list[tuple[str, bool]]:
        if self._start is None:
            return [(text, False)]
        parts = []
        done = at = 0
        while match := self._start.search(text, at):
            at = match.start()
            entry, length = self._find(text, at, language)
            if entry is None:
                at += 1
                continue
            if at > done:
                parts.append((text[done:at], False))
            parts.append((entry.spelling, True))
            done = at = at + length
        if done < len(text):
            parts.append((text[done:], False))
        return parts

    def _find(self, text: str, at: int, language: str | None) -> tuple[Entry | None, int]:
        for length in self._lengths[text[at]]:
            word = text[at : at + length]
            found = self._exact.get(word, []) + self._folded.get(word.lower(), [])
            for entry in found:
                fits = entry.language in (None, language) or language is None
                if fits and _ends(text, at + length):
                    return entry, length
        return None, 0


def _spaced(char: str) -> bool:
    return not _UNSPACED.match(char)


def _ends(text: str, end: int) -> bool:
    """Whether a word may end here."""
    if end >= len(text) or not _spaced(text[end - 1]):
        return True
    after = text[end]
    return not (after.isalnum() or after == "_") or not _spaced(after)
