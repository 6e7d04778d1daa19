"""A book as the pieces that are spoken, part by part."""

from collections.abc import Callable, Iterable, Iterator

from qwen3_tts.reading.sources import Book, Heading, Markup
from qwen3_tts.text.pieces import Break, Piece

Prepare = Callable[[str, Markup], Iterable[Piece]]


def pieces_of(book: Book, prepare: Prepare | None = None) -> Iterator[Piece]:
    """All pieces of a book in order, lazily; every `Heading` begins a section.

    `prepare(text, markup)` makes text ready to be spoken, by default `qwen3_tts.text.front.prepare`
    with what it does by itself.
    """
    prepare = prepare or _default_prepare
    for part in book.parts():
        if isinstance(part, Heading):
            yield Break("section", part.title)
            if part.spoken:
                yield from prepare(part.title, "plain")
                yield Break("paragraph")
        else:
            yield from prepare(part.text, part.markup)
            yield Break(part.ends)


def only_sections(pieces: Iterable[Piece], wanted: Callable[[int], bool]) -> Iterator[Piece]:
    """The pieces of the sections that are wanted, counted from 1; 0 is what comes before."""
    section = 0
    for piece in pieces:
        if isinstance(piece, Break) and piece.kind == "section":
            section += 1
        if wanted(section):
            yield piece


def _default_prepare(text: str, markup: Markup) -> Iterable[Piece]:
    from qwen3_tts.text.front import prepare

    return prepare(text, markup=markup).pieces
