"""Pieces become segments with the right gaps between them."""

from itertools import pairwise

import pytest

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.reading.join import Gap
from qwen3_tts.reading.outline import outline
from qwen3_tts.reading.plan import ReadSegment, Section, plan
from qwen3_tts.reading.script import only_sections, pieces_of
from qwen3_tts.reading.sources import Book, Heading, Part, Text, text_book
from qwen3_tts.text.pieces import Break, Pause, Piece, Say
from tests.reading.simple_text import prepare, split


def planned(*pieces: Piece) -> list[ReadSegment]:
    return list(plan(pieces, split))


def gaps(segments: list[ReadSegment]) -> list[str | float]:
    """What stands before the first, between all, and after the last."""
    all_gaps = [segments[0].before, *(segment.after for segment in segments)]
    for one, other in pairwise(segments):
        assert one.after == other.before
    return [gap.kind if gap.seconds is None else gap.seconds for gap in all_gaps]


def test_sentences_and_paragraphs() -> None:
    segments = planned(Say("One. Two!\n\nThree"), Break("paragraph"), Say("Four?"))
    assert [segment.text for segment in segments] == ["One.", "Two!", "Three", "Four?"]
    assert gaps(segments) == ["start", "sentence", "paragraph", "paragraph", "end"]
    assert [segment.paragraph for segment in segments] == [True, False, True, True]
    assert [segment.index for segment in segments] == [0, 1, 2, 3]


def test_an_exact_pause_takes_the_place_of_any_other() -> None:
    segments = planned(
        *(Pause(0.5), Say("One."), Pause(0.25), Pause(0.5), Break("paragraph"), Say("Two.")),
        *(Pause(0.0), Say("Three."), Break("section", "S"), Pause(3), Say("Four."), Pause(2)),
    )
    assert gaps(segments) == [0.5, 0.75, 0.0, 3, 2]


def test_sections_are_counted_and_begin_with_their_first_segment() -> None:
    segments = planned(
        *(Say("Before."), Break("section", "One"), Break("section", None), Say("A. B.")),
        *(Break("section", "Three"), Say("C."), Break("section", "Four")),
    )
    assert [segment.section for segment in segments] == [
        None,
        Section(2, None),
        None,
        Section(3, "Three"),
    ]
    assert gaps(segments) == ["start", "section", "sentence", "section", "end"]


def test_what_is_spoken_alike_is_split_as_one_text() -> None:
    seen: list[str] = []

    def keep(text: str, language: str | None, limit: int, first: int) -> list[object]:
        seen.append(text)
        return split(text, language, limit, first)

    pieces = [
        *(Say("I have"), Say("three", verbatim=True), Say("cats."), Break("sentence")),
        *(Say("And a dog."), Say("Wau", language="german"), Say("slowly", rate=0.5)),
        *(Say("no end"), Break("sentence"), Say("here")),
    ]
    segments = list(plan(pieces, keep))
    assert seen == ["I have three cats. And a dog.", "Wau", "slowly", "no end", "here"]
    assert gaps(segments) == ["start", "sentence", "sentence", "none", "none", "sentence", "end"]
    assert [(s.language, s.rate) for s in segments[2:4]] == [("german", 1.0), (None, 0.5)]


def test_a_heap_of_small_pieces_is_split_in_parts() -> None:
    longest = 0

    def measure(text: str, *rest: object) -> list[object]:
        nonlocal longest
        longest = max(longest, len(text))
        return split(text, None, 0, 0)

    segments = plan((Say("A few words.") for _ in range(2_000)), measure)
    assert sum(1 for _ in segments) == 2_000
    assert longest <= 4_000


def test_planning_is_lazy() -> None:
    taken = 0

    def endless() -> object:
        nonlocal taken
        while True:
            taken += 1
            yield Say(f"Number {taken}.")
            yield Break("paragraph")

    segments = plan(endless(), split)
    assert [next(segments).text for _ in range(3)] == ["Number 1.", "Number 2.", "Number 3."]
    assert taken <= 5


def test_only_the_very_first_segment_is_short() -> None:
    limits: list[tuple[int, int]] = []

    def note(text: str, language: str | None, limit: int, first: int) -> list[object]:
        limits.append((limit, first))
        return split(text, language, limit, first)

    pieces = [Say("One."), Break("paragraph"), Say("Two.")]
    list(plan(pieces, note, limit=200, first_limit=50))
    assert limits == [(200, 50), (200, 200)]
    with pytest.raises(InvalidRequest, match="first_limit 300"):
        list(plan(pieces, note, limit=200, first_limit=300))


def test_nothing_to_say() -> None:
    assert planned(Say(" \n"), Pause(1.0), Break("section", "Empty")) == []


def test_a_book_becomes_pieces() -> None:
    parts: list[Part] = [
        Text("Before. Then", ends="sentence"),
        Text("on."),
        Heading("One"),
        Text("In one."),
        Heading("Two", spoken=False),
        Text("In two."),
    ]
    book = Book(lambda: iter(parts))
    segments = list(plan(pieces_of(book, prepare), split))
    assert [segment.text for segment in segments] == [
        *("Before.", "Then", "on.", "One", "In one.", "In two.")
    ]
    assert gaps(segments)[2:4] == ["paragraph", "section"]  # `prepare` ended a paragraph itself
    assert [s.section for s in segments if s.section] == [Section(1, "One"), Section(2, "Two")]
    found = outline(segments)
    assert [(c.number, c.title, c.segments) for c in found.chapters] == [
        *((0, None, 3), (1, "One", 2), (2, "Two", 1))
    ]
    assert (found.segments, found.chars) == (6, sum(len(s.text) for s in segments))


@pytest.mark.parametrize(
    ("wanted", "texts"),
    [({0}, ["Zero."]), ({2}, ["Two", "B."]), ({1, 2}, ["One", "A.", "Two", "B."]), ({9}, [])],
)
def test_some_sections_of_a_book(wanted: set[int], texts: list[str]) -> None:
    book = text_book("Zero.\n\n# One\n\nA.\n\n# Two\n\nB.", "md")
    pieces = only_sections(pieces_of(book, prepare), wanted.__contains__)
    assert [segment.text for segment in plan(pieces, split)] == texts


@pytest.mark.parametrize("seconds", [-0.1, 601.0, float("nan")])
def test_pauses_out_of_range(seconds: float) -> None:
    with pytest.raises(InvalidRequest, match="a pause of"):
        Gap("sentence", seconds)
