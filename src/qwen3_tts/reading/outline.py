"""What a text amounts to before any of it is spoken: chapters, segments, characters."""

from collections.abc import Iterable
from dataclasses import dataclass

from qwen3_tts.errors import InvalidText
from qwen3_tts.reading.plan import ReadSegment

MOST_CHAPTERS = 10_000  # that are told one by one
CHARS_PER_S = 15.0  # an ordinary pace of languages with letters, for an estimate


@dataclass
class ChapterOutline:
    """`number` counts from 1; 0 is what comes before the first heading."""

    number: int
    title: str | None
    segments: int = 0
    chars: int = 0

    @property
    def estimated_s(self) -> float:
        """About how long it takes to read, to within a half; ideographs take longer."""
        return self.chars / CHARS_PER_S


@dataclass(frozen=True)
class Outline:
    first: ReadSegment
    segments: int
    chars: int
    chapters: tuple[ChapterOutline, ...]


def outline(segments: Iterable[ReadSegment]) -> Outline:
    """Count them all. Raises `InvalidText` where there are none."""
    first: ReadSegment | None = None
    chapters: list[ChapterOutline] = []
    count = chars = 0
    for segment in segments:
        first = first or segment
        count, chars = count + 1, chars + len(segment.text)
        if segment.section is not None and len(chapters) < MOST_CHAPTERS:
            chapters.append(ChapterOutline(segment.section.number, segment.section.title))
        elif not chapters:
            chapters.append(ChapterOutline(0, None))
        chapters[-1].segments += 1
        chapters[-1].chars += len(segment.text)
    if first is None:
        raise InvalidText("there is nothing to read; give at least one word to speak")
    return Outline(first, count, chars, tuple(chapters))
