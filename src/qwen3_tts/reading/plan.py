"""From prepared text to the segments that are spoken one by one, lazily: a book is never in memory.

A segment is what the model says in one go: a few sentences of one language, rate and volume. What
follows it is a `Gap`. Only the segment being planned and the text that may still be packed into it
are held.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.reading.join import LONGEST_PAUSE_S, Gap, GapKind
from qwen3_tts.text.pieces import Break, Pause, Piece, Say

LIMIT, FIRST_LIMIT = 280, 120  # characters: some 18 s, and 8 s where somebody waits for sound
MOST_JOINED = 4_000  # characters of neighbouring pieces that are split as one text
SENTENCE_ENDS = frozenset(".!?…。！？．｡")
AFTER_AN_END = "\"'”’»«)]}」』）】》"  # quotes and brackets that close behind a full stop
START, END = Gap("start"), Gap("end")


class Cut(Protocol):
    """What a splitter returns, as far as it matters here."""

    @property
    def text(self) -> str: ...
    @property
    def join(self) -> str:
        """What follows: "none", "clause", "sentence" or "paragraph"."""
        ...


Splitter = Callable[[str, str | None, int, int], Sequence[Cut]]  # text, language, limit, first


@dataclass(frozen=True)
class Section:
    """A chapter, counted from 1."""

    number: int
    title: str | None


@dataclass(frozen=True)
class ReadSegment:
    """What is said in one go. `section` and `opens` tell what begins with it."""

    index: int
    text: str
    language: str | None = None  # None is the request's
    rate: float = 1.0
    volume_db: float = 0.0
    before: Gap = START
    after: Gap = END
    section: Section | None = None  # only on its first segment
    paragraph: bool = False  # a paragraph begins here


def plan(
    pieces: Iterable[Piece],
    splitter: Splitter | None = None,
    *,
    limit: int = LIMIT,
    first_limit: int = FIRST_LIMIT,
) -> Iterator[ReadSegment]:
    """Segments of at most `limit` characters, the very first of `first_limit`.

    Pauses next to each other add up, and an exact pause takes the place of the one that a sentence,
    paragraph or section would have. A `Break` of kind "section" begins a section, whose title is
    not spoken: what is to be heard is a `Say`. `splitter(text, language, limit, first_limit)`
    defaults to `qwen3_tts.text.split.split`.
    """
    if not 1 <= first_limit <= limit:
        raise InvalidRequest(
            f"limit {limit} and first_limit {first_limit} must be 1 or more, the first the larger"
        )
    planner = _Planner(splitter or _default_splitter, limit, first_limit)
    for piece in pieces:
        yield from planner.add(piece)
    yield from planner.end()


def _default_splitter(text: str, language: str | None, limit: int, first: int) -> Sequence[Cut]:
    from qwen3_tts.text.split import split

    return split(text, language, limit=limit, first_limit=first)


class _Planner:
    def __init__(self, splitter: Splitter, limit: int, first_limit: int):
        self.splitter, self.limit, self.first_limit = splitter, limit, first_limit
        self.say: Say | None = None  # to be split, when no more can be joined to it
        self.waiting: ReadSegment | None = None  # to be handed out, when its gap is known
        self.gap = Gap("start")
        self.section: Section | None = None
        self.sections = self.index = 0
        self.paragraph = True

    def add(self, piece: Piece) -> Iterator[ReadSegment]:
        if isinstance(piece, Say):
            if not piece.text.strip():
                return
            joined = self._joined(piece)
            if joined is None:
                yield from self._split()
                joined = piece
            self.say = joined
        elif isinstance(piece, Pause):
            yield from self._split()
            seconds = (self.gap.seconds or 0.0) + piece.seconds
            self.gap = Gap(self.gap.kind, min(seconds, LONGEST_PAUSE_S))
        elif piece.kind != "sentence" or self.say is None or not _ends_a_sentence(self.say.text):
            yield from self._split()
            self._break(piece)
        # Else the splitter sees the end too, and may put both sentences into one segment.

    def end(self) -> Iterator[ReadSegment]:
        yield from self._split()
        if self.waiting is not None:
            kind: GapKind = "end"
            yield replace(self.waiting, after=Gap(kind, self.gap.seconds))

    def _joined(self, piece: Say) -> Say | None:
        """Both texts as one, where they are spoken alike and nothing lies between them."""
        if self.say is None:
            return None
        text = f"{self.say.text.rstrip()} {piece.text.lstrip()}"
        joined = replace(self.say, text=text)
        alike = joined == replace(piece, text=text, verbatim=joined.verbatim)
        return joined if alike and len(text) <= MOST_JOINED else None

    def _break(self, piece: Break) -> None:
        if piece.kind == "section":
            self.sections += 1
            self.section = Section(self.sections, piece.title)
        self.paragraph |= piece.kind != "sentence"
        order: list[GapKind] = ["start", "none", "clause", "sentence", "paragraph", "section"]
        if order.index(piece.kind) > order.index(self.gap.kind):
            self.gap = Gap(piece.kind, self.gap.seconds)

    def _split(self) -> Iterator[ReadSegment]:
        say, self.say = self.say, None
        if say is None:
            return
        first = self.limit if self.index else self.first_limit
        for cut in self.splitter(say.text, say.language, self.limit, first):
            gap, seconds = self.gap, self.gap.seconds
            segment = ReadSegment(
                index=self.index,
                text=cut.text,
                language=say.language,
                rate=say.rate,
                volume_db=say.volume_db,
                section=self.section,
                paragraph=self.paragraph,
            )
            if self.waiting is None:
                segment = replace(segment, before=Gap("start", seconds))
            else:
                segment = replace(segment, before=gap)
                yield replace(self.waiting, after=gap)
            self.waiting, self.section, self.paragraph = segment, None, cut.join == "paragraph"
            self.index += 1
            self.gap = Gap(_join_of(cut))


def _join_of(cut: Cut) -> GapKind:
    if cut.join == "none" and _ends_a_sentence(cut.text):
        return "sentence"  # the end of a piece: nothing follows in the text that was split
    kinds: dict[str, GapKind] = {kind: kind for kind in ("clause", "sentence", "paragraph")}
    return kinds.get(cut.join, "none")


def _ends_a_sentence(text: str) -> bool:
    return text.rstrip().rstrip(AFTER_AN_END).endswith(tuple(SENTENCE_ENDS))
