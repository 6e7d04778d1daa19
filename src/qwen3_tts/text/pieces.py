"""A text made ready to be spoken, as a list of pieces in order."""

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Say:
    """Words to speak. A `language` of None is the request's; `verbatim` text is not normalised."""

    text: str
    language: str | None = None
    rate: float = 1.0  # 2.0 is twice as fast
    volume_db: float = 0.0
    verbatim: bool = False


@dataclass(frozen=True)
class Pause:
    """Silence of an exact length."""

    seconds: float


@dataclass(frozen=True)
class Break:
    """Where a sentence, a paragraph or a section (with its title, if it has one) ends or begins."""

    kind: Literal["sentence", "paragraph", "section"]
    title: str | None = None


Piece = Say | Pause | Break


@dataclass(frozen=True)
class Prepared:
    """`notes` tell what was dropped or changed, for whoever wonders what was said."""

    pieces: tuple[Piece, ...]
    notes: tuple[str, ...] = ()

    @property
    def text(self) -> str:
        """All words, without pauses."""
        return " ".join(piece.text for piece in self.pieces if isinstance(piece, Say))
