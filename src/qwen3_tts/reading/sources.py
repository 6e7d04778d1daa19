"""Where a long text comes from: a .txt, .md or .epub file, or a text at hand, read part by part.

Nothing is trusted and nothing is held: files of any size are read line by line, lines of any length
in pieces, and a part is some thousand characters at most.
"""

import io
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Literal, TextIO

from qwen3_tts.errors import InvalidRequest, InvalidText

Markup = Literal["auto", "plain", "markdown"]
Kind = Literal["txt", "md", "epub"]
KINDS: dict[str, Kind] = {
    ".txt": "txt",
    ".text": "txt",
    ".md": "md",
    ".markdown": "md",
    ".epub": "epub",
}
PART_CHARS = 4_000  # paragraphs are put together up to this
LONGEST_PARAGRAPH = 16_000  # characters; what is longer is cut behind a sentence
LONGEST_TITLE = 80

_NUMBER_WORDS = (
    "one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|thirteen|fourteen|fifteen|"
    "sixteen|seventeen|eighteen|nineteen|twenty|thirty|forty|fifty"
)
_NUMBERED = (  # "Chapter", "Part" and "Book" in the languages that the models speak
    "chapter|part|book|section|kapitel|teil|buch|abschnitt|chapitre|partie|livre|capítulo|capitulo|"
    "parte|libro|livro|capitolo|глава|часть|книга"
)
_ALONE = (
    "prologue|epilogue|preface|foreword|introduction|afterword|prolog|epilog|vorwort|nachwort|"
    "einleitung|épilogue|préface|prólogo|epílogo|prefacio|introducción|prologo|epilogo|prefazione|"
    "introduzione|prefácio|introdução|пролог|эпилог|предисловие|введение|послесловие|"
    "序章|序言|前言|后记|後記|终章|終章|尾声|プロローグ|エピローグ|프롤로그|에필로그"
)
_CHAPTER = re.compile(
    rf"(?:(?:{_NUMBERED})\s+(?:\d{{1,4}}|[ivxlcdm]{{1,8}}|{_NUMBER_WORDS})(?:\s*[.:—–-]|\s|$).*"
    rf"|(?:{_ALONE})[.:]?"
    r"|第\s?[0-9０-９〇零一二三四五六七八九十百千两]{1,8}\s?[章回节節部卷篇話话](?:[\s:：、].*)?"
    r"|제?\s?\d{1,4}\s?[장부화](?:[\s:.].*)?)",
    re.IGNORECASE,
)
_FENCE = re.compile(r"\s{0,3}(?:`{3,}|~{3,})")
_SENTENCE_END = re.compile(r"[.!?…][\"'”’»)\]]?\s|[。！？]")


@dataclass(frozen=True)
class Heading:
    """A chapter begins. One that is not `spoken` is only in the table of contents."""

    title: str
    spoken: bool = True


@dataclass(frozen=True)
class Text:
    """Paragraphs with blank lines between them; `ends` is what ends where the text does."""

    text: str
    markup: Markup = "plain"
    ends: Literal["sentence", "paragraph"] = "paragraph"


Part = Heading | Text


@dataclass(frozen=True)
class Book:
    """`parts()` reads it from the beginning, each time it is called."""

    parts: Callable[[], Iterator[Part]]
    title: str | None = None
    author: str | None = None
    language: str | None = None  # as the book says it: a code such as "en-GB"


def open_book(path: str | os.PathLike[str], kind: Kind | None = None) -> Book:
    """A file as a book; `kind` is told by the suffix, if it is not given.

    Raises `InvalidRequest` for what is no such file. Reading its parts raises `InvalidText` for
    what is not UTF-8 (or UTF-16 with its mark).
    """
    path = Path(path)
    kind = kind or KINDS.get(path.suffix.lower())
    if kind is None:
        raise InvalidRequest(
            f"`{path.name}` does not end in {', '.join(KINDS)}; say which kind of text it is"
        )
    if not path.is_file():
        raise InvalidRequest(f"there is no file `{path}`")
    if kind == "epub":
        from qwen3_tts.reading.epub import open_epub

        return open_epub(path)

    def parts() -> Iterator[Part]:
        with path.open("rb") as file:
            yield from _parts_of(file, path.name, kind)

    return Book(parts)


def text_book(text: str, kind: Kind = "txt") -> Book:
    """A text at hand as a book."""
    return Book(lambda: _grouped(io.StringIO(text, newline=None), kind))


def _parts_of(file: BinaryIO, name: str, kind: Kind) -> Iterator[Part]:
    mark = file.read(2)
    file.seek(0)
    encoding = "utf-16" if mark in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    try:
        with io.TextIOWrapper(file, encoding=encoding) as lines:
            yield from _grouped(lines, kind)
    except UnicodeError as error:
        raise InvalidText(
            f"`{name}` is not {encoding.removesuffix('-sig')} text: {error}"
        ) from None


def _grouped(lines: TextIO, kind: Kind) -> Iterator[Part]:
    """Paragraphs put together, chapters apart."""
    markup: Markup = "markdown" if kind == "md" else "auto"
    group: list[str] = []
    for paragraph, whole in _paragraphs(lines, fences=kind == "md"):
        heading = kind == "txt" and whole and is_chapter(paragraph)
        chars = sum(len(other) + 2 for other in group)
        if group and (heading or chars + len(paragraph) > PART_CHARS):
            yield Text("\n\n".join(group), markup)
            group = []
        if heading:
            yield Heading(" ".join(paragraph.split()))
        elif whole:
            group.append(paragraph)
        else:
            yield Text(paragraph, markup, "sentence")
    if group:
        yield Text("\n\n".join(group), markup)


def is_chapter(paragraph: str) -> bool:
    """Whether a paragraph is the heading of a chapter: one short line such as "Chapter 3"."""
    line = paragraph.strip()
    if "\n" in line or len(line) > LONGEST_TITLE:
        return False
    return _CHAPTER.fullmatch(line) is not None


def _paragraphs(lines: TextIO, fences: bool) -> Iterator[tuple[str, bool]]:
    """Paragraphs, and whether each is whole: one that is too long comes in pieces."""
    text, new_line, fenced = "", True, False
    for line in _lines(lines):
        fenced ^= fences and new_line and bool(_FENCE.match(line))
        blank = new_line and not line.strip() and not fenced
        new_line = _has_end(line)
        if not blank:
            text += line
        elif text.strip():
            yield text.strip("\n"), True
            text = ""
        while len(text) > LONGEST_PARAGRAPH:
            head, text = _cut(text)
            yield head, False
    if text.strip():
        yield text.strip("\n"), True


def _lines(file: TextIO) -> Iterator[str]:
    """Lines with their ends; one that is too long comes in pieces."""
    begun = ""
    while chunk := file.readline(LONGEST_PARAGRAPH):
        chunk = begun + chunk.replace("\f", "\n\n").replace("\0", "")
        *lines, begun = chunk.splitlines(keepends=True) or [""]
        if _has_end(begun) or len(begun) >= LONGEST_PARAGRAPH:
            lines, begun = [*lines, begun], ""
        yield from lines
    if begun:
        yield begun


def _has_end(line: str) -> bool:
    return line != "" and line.splitlines()[0] != line


def cut_paragraph(paragraph: str) -> Iterator[str]:
    """A paragraph in pieces that are not too long; all but the last are `Text`s that go on."""
    while len(paragraph) > LONGEST_PARAGRAPH:
        piece, paragraph = _cut(paragraph)
        yield piece
    yield paragraph


def _cut(text: str) -> tuple[str, str]:
    """Two parts of a text that is too long: behind a sentence, else between words."""
    half = LONGEST_PARAGRAPH // 2
    ends = [match.end() for match in _SENTENCE_END.finditer(text, half, LONGEST_PARAGRAPH)]
    at = ends[-1] if ends else text.rfind(" ", half, LONGEST_PARAGRAPH) + 1
    at = at or LONGEST_PARAGRAPH
    return text[:at], text[at:]
