"""Subtitles of a reading, one cue a segment, in SRT or WebVTT, written while it is made."""

import os
import textwrap
from pathlib import Path
from typing import Literal, TextIO

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.reading.reader import ReadChunk

Format = Literal["srt", "vtt"]
LINE_CHARS, WIDE_LINE_CHARS = 42, 21  # of a line that is read at a glance; ideographs are wide
FIRST_WIDE = 0x2E80


def subtitle_format(path: str | os.PathLike[str]) -> Format:
    """By the suffix. Raises `InvalidRequest` for any other than .srt and .vtt."""
    match Path(path).suffix.lower():
        case ".srt":
            return "srt"
        case ".vtt":
            return "vtt"
    raise InvalidRequest(f"`{path}` does not end in .srt or .vtt, the formats of subtitles")


class Subtitles:
    """`add` every chunk of a reading, then `finish`; the file is there complete or not at all.

    A cue lasts from a segment's first sound to its last, so cues never overlap.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path, self.format = Path(path), subtitle_format(path)
        self._part = self.path.with_name(f".{self.path.name}.part")
        self._file: TextIO = self._part.open("w", encoding="utf-8", newline="\n")
        self._cues = 0
        self._begun_s: float | None = None
        if self.format == "vtt":
            self._file.write("WEBVTT\n\n")

    def add(self, chunk: ReadChunk, sample_rate: int) -> None:
        if chunk.segment is None:
            return
        if self._begun_s is None and len(chunk.wave):
            self._begun_s = chunk.start_s
        if chunk.made is not None:
            if self._begun_s is not None:
                end_s = chunk.start_s + len(chunk.wave) / sample_rate
                self._file.write(self._cue(self._begun_s, end_s, chunk.segment.text))
            self._begun_s = None

    def finish(self) -> None:
        self._file.close()
        self._part.replace(self.path)

    def discard(self) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _cue(self, start_s: float, end_s: float, text: str) -> str:
        self._cues += 1
        comma = "," if self.format == "srt" else "."
        times = f"{_clock(start_s, comma)} --> {_clock(end_s, comma)}"
        number = f"{self._cues}\n" if self.format == "srt" else ""
        return f"{number}{times}\n{_lines(text, self.format)}\n\n"


def _clock(seconds: float, comma: str) -> str:
    minutes, milliseconds = divmod(round(seconds * 1000), 60_000)
    hours, minutes = divmod(minutes, 60)
    seconds, milliseconds = divmod(milliseconds, 1000)
    return f"{hours:02}:{minutes:02}:{seconds:02}{comma}{milliseconds:03}"


def _lines(text: str, format: Format) -> str:
    wide = sum(ord(char) >= FIRST_WIDE for char in text) * 2 > len(text)
    width = WIDE_LINE_CHARS if wide else LINE_CHARS
    text = "\n".join(textwrap.wrap(" ".join(text.split()), width)) or "…"
    if format == "vtt":
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text.replace("-->", "→")
