"""A reading on its way into files: the sound, the chapters in it, the subtitles beside it."""

import os
from collections.abc import Mapping

from qwen3_tts.reading.output import Mark, open_output
from qwen3_tts.reading.reader import ReadChunk
from qwen3_tts.reading.subtitles import Subtitles


class ReadingFiles:
    """`add` every chunk, then `finish`; `discard` leaves nothing. As a context it does either.

    `subtitles` is a path that ends in .srt or .vtt. Raises what `open_output` does.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        sample_rate: int,
        *,
        format: str | None = None,
        tags: Mapping[str, str] | None = None,
        chapters: bool = True,
        subtitles: str | os.PathLike[str] | None = None,
    ):
        self._rate, self._chapters = sample_rate, chapters
        self._marked = 0  # the section that was marked last
        self._subtitles = None if subtitles is None else Subtitles(subtitles)
        try:
            self._output = open_output(path, sample_rate, format=format, tags=tags)
        except BaseException:
            if self._subtitles is not None:
                self._subtitles.discard()
            raise

    def add(self, chunk: ReadChunk) -> None:
        section = None if chunk.segment is None else chunk.segment.section
        if self._chapters and section is not None and section.number > self._marked:
            self._marked = section.number
            self._output.mark(Mark(section.title or str(section.number), chunk.start_s))
        self._output.write(chunk.wave)
        if self._subtitles is not None:
            self._subtitles.add(chunk, self._rate)

    def finish(self) -> None:
        """The files take their names."""
        try:
            self._output.finish()
            if self._subtitles is not None:
                self._subtitles.finish()
        except BaseException:
            self.discard()
            raise

    def discard(self) -> None:
        self._output.discard()
        if self._subtitles is not None:
            self._subtitles.discard()

    def __enter__(self) -> "ReadingFiles":
        return self

    def __exit__(self, kind: type[BaseException] | None, *rest: object) -> None:
        if kind is None:
            self.finish()
        else:
            self.discard()
