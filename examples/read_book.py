"""Read a text file aloud into one sound file, with chapters and subtitles. Stop it with Ctrl-C and
start it again: what was finished is kept.

    python examples/read_book.py book.txt book.wav
"""

import sys

import qwen3_tts
from qwen3_tts.reading.cache import SegmentCache
from qwen3_tts.reading.plan import plan
from qwen3_tts.reading.reader import ReadOptions, read
from qwen3_tts.reading.script import pieces_of
from qwen3_tts.reading.sources import open_book
from qwen3_tts.reading.writing import ReadingFiles

MODEL = "nano"
LIMIT = 90  # characters in one go, as many as nano has learnt; others take 280, the default


def main(book: str, output: str) -> None:
    tts = qwen3_tts.load(MODEL)
    segments = plan(pieces_of(open_book(book)), limit=LIMIT, first_limit=LIMIT)  # lazily
    options = ReadOptions(language="English", seed=1, streamed="none", model=MODEL)
    cache = SegmentCache(f"{output}.segments")
    with ReadingFiles(output, tts.sample_rate, subtitles=f"{output}.srt") as files:
        for chunk in read(tts, segments, tts.default_voice, options=options, cache=cache):
            files.add(chunk)
            if chunk.segment is not None and chunk.made is not None:
                kept = " (kept from before)" if chunk.made.cached else ""
                print(f"{chunk.start_s:7.1f} s  {chunk.segment.text}{kept}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
