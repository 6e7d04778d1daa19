"""A small real model reads: seams, pauses, and the same samples in every run."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest

import qwen3_tts
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.reading.cache import SegmentCache
from qwen3_tts.reading.join import Joins
from qwen3_tts.reading.matching import speech_level_db
from qwen3_tts.reading.plan import plan
from qwen3_tts.reading.reader import ReadChunk, ReadOptions, read
from qwen3_tts.reading.script import pieces_of
from qwen3_tts.reading.sources import text_book
from qwen3_tts.types import Wave

RATE = 24_000
TEXT = (
    "The house is old. We came home late.\n\nShe opened the door. [pause:0.8s] "
    "It is warm and dry in this house. Good night to you."
)


@pytest.fixture(scope="module")
def nano() -> Iterator[Qwen3Synthesizer]:
    with qwen3_tts.load("nano", device="cpu") as tts:
        yield tts


def reading(tts: Qwen3Synthesizer, cache: Path | None = None, **options: object) -> list[ReadChunk]:
    settings = ReadOptions(language="en", model="nano", **options)
    segments = plan(pieces_of(text_book(TEXT)), limit=40, first_limit=20)
    kept = SegmentCache(cache) if cache else None
    return list(read(tts, segments, "rms", options=settings, cache=kept))


def whole(chunks: Sequence[ReadChunk]) -> Wave:
    return np.concatenate([chunk.wave for chunk in chunks])


@pytest.fixture(scope="module")
def chunks(nano: Qwen3Synthesizer) -> list[ReadChunk]:
    return reading(nano, streamed="none")


def silence_s(wave: Wave, at: int, quiet_db: float = -45.0) -> float:
    """How long nothing is heard around a place, in windows of 10 ms."""
    window = RATE // 100
    power = np.convolve(wave.astype(np.float64) ** 2, np.ones(window) / window, "same")
    loud = np.flatnonzero(power > 10 ** (quiet_db / 10))
    after = loud[np.searchsorted(loud, at) :]
    before = loud[: np.searchsorted(loud, at)]
    return float(after[0] - before[-1]) / RATE


def test_pauses_and_seams(chunks: list[ReadChunk]) -> None:
    """Silence of the model and silence that was added, as heard. A decoder's sound dies away
    slowly, so where it ends is known to some 50 ms."""
    wave, found = whole(chunks), []
    segments = [chunk.segment for chunk in chunks if chunk.made and chunk.segment]
    ends = [
        round(chunk.start_s * RATE) + len(chunk.wave)
        for chunk in chunks
        if chunk.made and chunk.segment
    ]
    for segment, end in zip(segments[:-1], ends, strict=False):
        gap, pause_s = segment.after, silence_s(wave, end)
        found.append(gap.kind if gap.seconds is None else gap.seconds)
        least, most = getattr(Joins(), gap.kind) if gap.seconds is None else (0.8, 0.8)
        assert least - 0.06 <= pause_s <= most + 0.06, (gap, pause_s)
    assert found == ["sentence", "paragraph", 0.8, "sentence"]
    inside = float(np.abs(np.diff(wave)).max())
    borders = np.cumsum([len(chunk.wave) for chunk in chunks])[:-1]
    seams = [
        border
        for border, one, other in zip(borders, chunks, chunks[1:], strict=False)
        if one.segment is not other.segment
    ]
    steps = [abs(float(wave[seam] - wave[seam - 1])) for seam in seams]
    assert len(steps) >= 4
    assert max(steps) < 0.002 < inside


def test_one_loudness(chunks: list[ReadChunk]) -> None:
    levels = []
    for number in range(5):
        parts = [c.wave for c in chunks if c.segment and c.segment.index == number]
        level = speech_level_db(np.concatenate(parts), RATE)
        assert level is not None
        levels.append(level)
    assert np.abs(np.diff(levels)).max() <= 1.5


def test_every_run_gives_the_same_samples(
    nano: Qwen3Synthesizer, chunks: list[ReadChunk], tmp_path: Path
) -> None:
    first = reading(nano, tmp_path, streamed="none")
    again = reading(nano, tmp_path, streamed="none")
    assert np.array_equal(whole(first), whole(chunks))
    assert np.array_equal(whole(again), whole(chunks))
    assert all(chunk.made.cached for chunk in again if chunk.made)
    assert [c.made.fault for c in chunks if c.made] == [None] * 5


def test_streamed_and_in_parallel_to_the_last_bit(
    nano: Qwen3Synthesizer, chunks: list[ReadChunk]
) -> None:
    """Decoding in other pieces, or beside others, rounds the sixteenth bit another way here and
    there. Without matching, so that no gain hangs on that bit."""
    joins = Joins(match_db=0)
    expected = whole(reading(nano, streamed="none", joins=joins))
    for options in ({"streamed": "first"}, {"streamed": "none", "parallel": 4}):
        wave = whole(reading(nano, joins=joins, **options))
        assert len(wave) == len(expected)
        assert np.abs(wave - expected).max() <= 1.01 / 32768


def test_the_first_sound_comes_before_the_first_segment_is_made(nano: Qwen3Synthesizer) -> None:
    text = "We walked along the river for a long time, and nobody said a word to anybody there."
    segments = list(plan(pieces_of(text_book(text))))
    begun = time.perf_counter()
    seen = [
        (time.perf_counter() - begun, chunk.made)
        for chunk in read(nano, segments, "rms", options=ReadOptions(language="en"))
    ]
    assert len(segments) == 1
    assert seen[0][0] < 0.5 * seen[-1][0]
    assert seen[0][1] is None
