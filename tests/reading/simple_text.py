"""A splitter and a front end of a few lines, so that reading is tested apart from both."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from qwen3_tts.reading.plan import ReadSegment, plan
from qwen3_tts.text.pieces import Break, Pause, Piece, Say


@dataclass(frozen=True)
class Cut:
    text: str
    join: str


def split(text: str, language: str | None, limit: int, first: int) -> list[Cut]:
    """One segment a sentence; paragraphs end with blank lines."""
    cuts = []
    for paragraph in re.split(r"\n\s*\n", text.strip()):
        sentences = re.findall(r"[^.!?]+[.!?]*", paragraph)
        cuts += [Cut(sentence.strip(), "sentence") for sentence in sentences if sentence.strip()]
        cuts[-1] = Cut(cuts[-1].text, "paragraph")
    cuts[-1] = Cut(cuts[-1].text, "none")
    return cuts


def prepare(text: str, markup: str = "plain") -> Iterable[Piece]:
    """`[pause:S]` between words, and for Markdown a heading a line."""
    for paragraph in re.split(r"\n\s*\n", text):
        if markup == "markdown" and (heading := re.match(r"#+ +(.*)", paragraph)):
            yield Break("section", heading[1])
            paragraph = heading[1]
        for number, part in enumerate(re.split(r"\[pause:([\d.]+)\]", paragraph)):
            yield Pause(float(part)) if number % 2 else Say(part)
        yield Break("paragraph")


def segments(text: str) -> list[ReadSegment]:
    return list(plan(prepare(text), split))
