"""Texts of any size as parts: paragraphs, headings, and nothing held."""

import io
import time
import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_tts.errors import InvalidRequest, InvalidText
from qwen3_tts.reading.sources import (
    LONGEST_PARAGRAPH,
    PART_CHARS,
    Heading,
    Kind,
    Part,
    Text,
    _grouped,
    cut_paragraph,
    is_chapter,
    open_book,
    text_book,
)

CHAPTERS = [
    *("Chapter 1", "CHAPTER IV.", "Chapter Twelve: The End", "chapter 3 — Over the Hills"),
    *("Part One", "BOOK II", "Prologue", "EPILOGUE.", "Kapitel 7", "Vorwort", "Chapitre 3"),
    *(
        "Capítulo 10",
        "Capitolo V",
        "Глава 2",
        "第一章",
        "第十二回 风雪山神庙",
        "第3話",
        "제 3 장",
        "序章",
    ),
]
NO_CHAPTERS = [
    *("Chapter", "Part of the trouble was the rain.", "Book him.", "Chapters 1 and 2 are short."),
    *("I", "1", "The prologue", "Chapter 1\nwas long", "Chapter one" + " and" * 30),
    *("第一次见面", "Глава семьи", "Chapter onerous"),
]


@pytest.mark.parametrize("line", CHAPTERS)
def test_headings_of_chapters(line: str) -> None:
    assert is_chapter(line)
    assert list(text_book(f"Before.\n\n{line}\n\nAfter.").parts())[1] == Heading(line)


@pytest.mark.parametrize("line", NO_CHAPTERS)
def test_lines_that_are_no_headings(line: str) -> None:
    assert not is_chapter(line)


def test_paragraphs_are_put_together_up_to_a_size() -> None:
    paragraphs = [f"Paragraph {n} " + "word " * 100 for n in range(40)]
    parts = list(text_book("\n\n\n".join(paragraphs)).parts())
    assert all(isinstance(part, Text) and part.markup == "auto" for part in parts)
    assert 4 < len(parts) < 10
    assert max(len(part.text) for part in parts if isinstance(part, Text)) <= PART_CHARS
    joined = "\n\n".join(part.text for part in parts if isinstance(part, Text))
    assert [p.strip() for p in joined.split("\n\n")] == [p.strip() for p in paragraphs]


def test_lines_of_a_paragraph_stay_lines() -> None:
    parts = list(text_book("One\r\ntwo.\r\n \t\r\nThree.\fFour.\u2028five").parts())
    assert parts == [Text("One\ntwo.\n\nThree.\n\nFour.\u2028five", "auto")]


def test_markdown_is_left_to_the_front_end_and_code_stays_whole() -> None:
    code = "```\n" + "x = 1\n\n" * 5 + "Chapter 1\n```"
    text = f"# Title\n\n{code}\n\nChapter 1\n\nText."
    assert list(text_book(text, "md").parts()) == [Text(text, "markdown")]
    long = f"Before. {'word ' * 700}\n\n~~~\n{'code. ' * 60}\n\n{'more. ' * 60}\n~~~\n\nAfter."
    parts = [part.text for part in text_book(long, "md").parts() if isinstance(part, Text)]
    assert [part.count("~~~") for part in parts] == [0, 2]


def test_a_line_without_an_end_comes_in_pieces() -> None:
    """Ten thousand words in one line are cut behind sentences, and nothing is lost."""
    line = " ".join(f"This is sentence number {n} of a very long line." for n in range(2_000))
    parts = list(text_book(line + "\n\nNext.").parts())
    assert [p.ends for p in parts] == ["sentence"] * (len(parts) - 1) + ["paragraph"]
    assert all(len(p.text) <= LONGEST_PARAGRAPH for p in parts)
    assert all(p.text.rstrip().endswith(".") for p in parts)
    assert "".join(p.text for p in parts) == f"{line}\n\nNext."


@pytest.mark.parametrize("unit", ["x", "字", "word ", "。", "\u0301", "```", "# ", "\x00"])
def test_lines_without_anything_to_cut_at(unit: str) -> None:
    text = unit * (100_000 // len(unit))
    begun = time.perf_counter()
    pieces = [part.text for part in text_book(text).parts() if isinstance(part, Text)]
    assert time.perf_counter() - begun < 1
    assert all(0 < len(piece) <= LONGEST_PARAGRAPH for piece in pieces)
    assert "".join("".join(pieces).split()) == "".join(text.replace("\0", "").split())


@given(st.text(alphabet="ab .\n\r\f\t#`字。\u2028", max_size=300), st.integers(1, 50))
def test_words_are_neither_lost_nor_added(text: str, size: int) -> None:
    class Slow(io.StringIO):
        def readline(self, limit: int = -1, /) -> str:
            return super().readline(size)

    for kind in ("txt", "md"):
        expected = list(text_book(text, kind).parts())
        assert list(_grouped(Slow(text, newline=None), kind)) == expected
        words = " ".join(part.text for part in expected if isinstance(part, Text)).split()
        assert words == text.split()


@given(st.text(alphabet="ab .。\n", min_size=1, max_size=60))
def test_cutting_keeps_every_character(text: str) -> None:
    long = text * (3 * LONGEST_PARAGRAPH // len(text))
    pieces = list(cut_paragraph(long))
    assert "".join(pieces) == long
    assert all(LONGEST_PARAGRAPH // 2 <= len(piece) <= LONGEST_PARAGRAPH for piece in pieces[:-1])


def test_a_large_file_is_never_in_memory(tmp_path: Path) -> None:
    path = tmp_path / "large.txt"
    with path.open("w", encoding="utf-8") as file:
        for number in range(5_000):
            file.write(
                f"Paragraph {number} is here, and it has quite some words in it.\n" * 4 + "\n"
            )
    assert path.stat().st_size > 1e6

    def count(parts: Iterator[Part]) -> int:
        return sum(len(part.text) for part in parts if isinstance(part, Text))

    tracemalloc.start()
    assert count(open_book(path).parts()) > 1e6
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 0.4e6


@pytest.mark.parametrize(("encoding", "name"), [("utf-8", "a.txt"), ("utf-8-sig", "a.md")])
def test_files(tmp_path: Path, encoding: str, name: str) -> None:
    path = tmp_path / name
    path.write_text("Grüße, 世界.", encoding=encoding)
    markup = "auto" if name.endswith("txt") else "markdown"
    assert list(open_book(path).parts()) == [Text("Grüße, 世界.", markup)]
    book = open_book(path)
    assert list(book.parts()) == list(book.parts())  # as often as wanted
    path.write_text("Grüße", encoding="utf-16")
    assert list(open_book(path, "txt").parts()) == [Text("Grüße", "auto")]


def test_what_is_no_text(tmp_path: Path) -> None:
    latin = tmp_path / "latin.txt"
    latin.write_bytes("Grüße".encode("latin-1"))
    with pytest.raises(InvalidText, match=r"`latin\.txt` is not utf-8 text"):
        list(open_book(latin).parts())
    with pytest.raises(InvalidRequest, match="there is no file"):
        open_book(tmp_path / "absent.txt")
    with pytest.raises(InvalidRequest, match=r"does not end in \.txt"):
        open_book(tmp_path / "book.pdf")


@pytest.mark.parametrize("kind", ["txt", "md"])
def test_nothing_at_all(kind: Kind) -> None:
    assert list(text_book("", kind).parts()) == []
    assert list(text_book(" \n\n\f\n", kind).parts()) == []
