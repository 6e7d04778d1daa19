"""What reading markup gives: passages of text spoken in one manner, between pauses and breaks."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from qwen3_tts.text.pieces import Break, Pause, Piece


class Manner(NamedTuple):
    """How a passage is spoken. A `language` of None is the request's."""

    language: str | None = None
    rate: float = 1.0
    volume_db: float = 0.0


class Part(NamedTuple):
    """Text; `how` is "" for prose, "fixed" for words to leave alone, or a kind of `say-as`."""

    text: str
    how: str = ""
    format: str = ""


@dataclass
class Passage:
    manner: Manner
    parts: list[Part] = field(default_factory=list)

    @property
    def text(self) -> str:
        return "".join([part.text for part in self.parts])


_BREAKS = {"sentence": Break("sentence"), "paragraph": Break("paragraph")}
_WEIGHT = {"sentence": 0, "paragraph": 1, "section": 2}


class Collector:
    """Gathers passages, pauses and breaks in order; breaks side by side become the strongest."""

    def __init__(self) -> None:
        self.items: list[Passage | Pause | Break] = []
        self._open: Passage | None = None

    def say(self, part: Part, manner: Manner) -> None:
        if self._open is None or self._open.manner != manner:
            self._open = Passage(manner)
            self.items.append(self._open)
        self._open.parts.append(part)

    def pause(self, seconds: float) -> None:
        self._open = None
        self.items.append(Pause(seconds))

    def part(self, kind: Literal["sentence", "paragraph"]) -> None:
        """End a sentence or a paragraph here."""
        self._open = None
        if not self.items or self.items[-1] is not _BREAKS[kind]:
            self.items.append(_BREAKS[kind])

    def mark(self) -> int:
        """A place that `section` can come back to."""
        self._open = None
        return len(self.items)

    def section(self, mark: int) -> None:
        """What was gathered since `mark` is the title of a section that begins there."""
        self._open = None
        passages = [item for item in self.items[mark:] if isinstance(item, Passage)]
        title = " ".join(" ".join([passage.text for passage in passages]).split())
        if title:
            self.items.insert(mark, Break("section", title[:200]))
        self.part("paragraph")


def merged_breaks(pieces: Iterable[Piece]) -> list[Piece]:
    """Of breaks with no words between them the strongest, and none before or after all words.

    A section stays where it begins the text, as it has a title.
    """
    kept: list[Piece] = []
    waiting: Break | None = None
    for piece in pieces:
        if isinstance(piece, Break):
            if waiting is None or _WEIGHT[piece.kind] >= _WEIGHT[waiting.kind]:
                waiting = piece
            continue
        if waiting and (kept or waiting.kind == "section"):
            kept.append(waiting)
        waiting = None
        kept.append(piece)
    return kept
