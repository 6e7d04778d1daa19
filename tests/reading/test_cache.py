"""Finished segments on disk: what decides their names, what is made again, what is broken."""

import logging
import os
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from qwen3_tts.backends.fake import FakeSynthesizer
from qwen3_tts.errors import InvalidRequest
from qwen3_tts.reading import cache as cache_module
from qwen3_tts.reading.cache import SegmentCache, checkpoint_digest, segment_key
from qwen3_tts.reading.reader import ReadChunk, ReadOptions, read
from qwen3_tts.reading.spoken import Spoken
from qwen3_tts.types import Sampling, SpeechRequest, Voice, Wave
from tests.reading.simple_text import segments

LINES = ["One line.", "Two lines.", "No.", "Three lines.", "No.", "Four lines."]
VECTOR = np.linspace(0, 1, 8, dtype=np.float32)
ICL_VOICE = Voice(VECTOR, np.full((5, 16), 7), "Its own words.")


def reading(
    folder: Path, lines: Sequence[str], **options: object
) -> tuple[Wave, list[str], list[ReadChunk]]:
    """The sound, the texts that were spoken for it, and how each segment came about."""
    voice = options.pop("voice", "ann")
    synth = FakeSynthesizer("base" if isinstance(voice, Voice) else "custom_voice")
    settings = ReadOptions(**{"streamed": "none", "model": "m", **options})
    text = "\n".join(lines)
    chunks = list(read(synth, segments(text), voice, options=settings, cache=SegmentCache(folder)))
    synth.close()
    wave = np.concatenate([chunk.wave for chunk in chunks])
    return wave, [request.text for request in synth.requests], [c for c in chunks if c.made]


def test_a_second_reading_makes_nothing_and_sounds_the_same(tmp_path: Path) -> None:
    first, spoken, made = reading(tmp_path, LINES)
    assert spoken == LINES
    assert not any(chunk.made.cached for chunk in made)
    second, spoken, made = reading(tmp_path, LINES)
    assert spoken == []
    assert all(chunk.made.cached for chunk in made)
    assert np.array_equal(first, second)


@pytest.mark.parametrize("streamed", ["first", "all", "none"])
def test_with_and_without_a_cache_alike(tmp_path: Path, streamed: str) -> None:
    for _ in range(2):
        with_cache = reading(tmp_path, LINES, streamed=streamed)[0]
        options = ReadOptions(streamed=streamed)
        chunks = read(FakeSynthesizer(), segments("\n".join(LINES)), "ann", options=options)
        without = np.concatenate([chunk.wave for chunk in chunks])
        assert np.array_equal(with_cache, without)
    assert reading(tmp_path, LINES, streamed=streamed)[1] == []


EDITS = [
    (["One line.", "Two lines, changed.", *LINES[2:]], ["Two lines, changed."]),
    ([*LINES[:3], "Put in.", *LINES[3:]], ["Put in."]),
    (LINES[1:], []),
    ([*LINES[:2], *LINES[3:]], []),  # the second "No." is now the first, which is there
    ([*LINES, "No."], ["No."]),  # a third one is read in a third way
    (list(reversed(LINES)), []),
]


@pytest.mark.parametrize(
    ("lines", "made"), EDITS, ids=["edit", "add", "cut", "less", "more", "turn"]
)
def test_a_change_makes_that_line_again(tmp_path: Path, lines: list[str], made: list[str]) -> None:
    reading(tmp_path, LINES)
    wave, spoken, _ = reading(tmp_path, lines)
    assert spoken == made
    assert np.array_equal(wave, reading(tmp_path / "fresh", lines)[0])


def test_with_a_rolling_context_what_heard_the_line_is_made_again_too(tmp_path: Path) -> None:
    options = {"voice": ICL_VOICE, "context": "anchored"}
    lines = ["One. Two. Three.\n", "Four. Five. Six.\n", "Seven. Eight."]
    assert len(reading(tmp_path, lines, **options)[1]) == 8
    assert reading(tmp_path, lines, **options)[1] == []
    edited = [lines[0], "Four. Changed. Six.\n", lines[2]]
    wave, spoken, _ = reading(tmp_path, edited, **options)
    assert spoken == ["Changed.", "Six."]
    assert np.array_equal(wave, reading(tmp_path / "fresh", edited, **options)[0])
    assert reading(tmp_path, lines, **options)[1] == []  # and back


def test_all_that_decides_the_sound_is_in_the_name() -> None:
    voice = Voice(VECTOR)
    request = SpeechRequest("Hello.", voice=voice, seed=1)
    others = [
        replace(request, text="Hello!"),
        replace(request, voice=Voice(VECTOR + 1)),
        replace(request, voice=ICL_VOICE),
        replace(request, voice=replace(ICL_VOICE, text="Its other words.")),
        replace(request, voice=replace(ICL_VOICE, codes=np.full((5, 16), 8))),
        replace(request, voice="ann"),
        replace(request, voice=None),
        replace(request, language="german"),
        replace(request, instruct="Slowly."),
        replace(request, sampling=Sampling(temperature=0.5)),
        replace(request, seed=2),
        replace(request, text_first=True),
    ]
    names = [segment_key("m", each, 2) for each in [request, *others]]
    names += [segment_key("other", request, 2), segment_key("m", request, 3)]
    assert len(set(names)) == len(names) == 15
    alike = [
        replace(request, voice=replace(voice, name="Anna", gain_db=-3.0)),  # gains come later
        replace(request, language="AUTO "),
        replace(request, priority="low"),
    ]
    assert {segment_key("m", each, 2) for each in alike} == {names[0]}
    presets = [replace(request, voice=name) for name in ("ann", " Ann")]
    assert len({segment_key("m", each, 2) for each in presets}) == 1


def test_the_version_is_in_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    request = SpeechRequest("Hello.")
    before = segment_key("m", request, 2)
    monkeypatch.setattr(cache_module, "__version__", "0.0.0")
    assert segment_key("m", request, 2) != before


def a_spoken(frames: int = 3, seed: int = 5) -> Spoken:
    pcm = np.random.default_rng(seed).integers(-32768, 32768, frames * 1920).astype(np.int16)
    codes = np.arange(frames * 16).reshape(frames, 16)
    return Spoken(pcm, 24_000, codes, seed, "guard:silence", attempts=2)


@pytest.mark.parametrize("frames", [0, 1, 40])
def test_every_sample_comes_back(tmp_path: Path, frames: int) -> None:
    cache, given = SegmentCache(tmp_path), a_spoken(frames)
    assert cache.get("k") is None
    cache.put("k", given)
    found = SegmentCache(tmp_path).get("k")
    assert found is not None
    assert np.array_equal(found.pcm, given.pcm)
    assert np.array_equal(found.codes, given.codes)
    assert (found.codes.dtype, found.pcm.dtype) == (np.int64, np.int16)
    assert replace(found, pcm=given.pcm, codes=given.codes) is not given
    about = (found.seed, found.finish_reason, found.attempts, found.sample_rate, found.cached)
    assert about == (5, "guard:silence", 2, 24_000, True)


def damage(content: bytes) -> list[bytes]:
    middle = len(content) // 2
    flipped = bytearray(content)
    flipped[middle] ^= 1
    return [b"", content[:100], content[:middle], content[:-1], bytes(flipped), b"\0" * 5_000]


@pytest.mark.parametrize("kind", range(6))
def test_a_broken_file_counts_as_missing(
    tmp_path: Path, kind: int, caplog: pytest.LogCaptureFixture
) -> None:
    cache = SegmentCache(tmp_path)
    cache.put("k", a_spoken())
    path = tmp_path / "k.segment"
    path.write_bytes(damage(path.read_bytes())[kind])
    with caplog.at_level(logging.WARNING):
        assert cache.get("k") is None
    assert len(caplog.records) == 1
    assert "\n" not in caplog.records[0].getMessage()
    assert not path.exists()
    cache.put("k", a_spoken())
    assert cache.get("k") is not None


def test_the_folder_stays_within_its_size_and_the_oldest_go(tmp_path: Path) -> None:
    cache = SegmentCache(tmp_path)
    cache.put("probe", a_spoken())
    one = (tmp_path / "probe.segment").stat().st_size
    cache = SegmentCache(tmp_path, max_bytes=5 * one + one // 2)
    for number in range(4):
        cache.put(f"k{number}", a_spoken(seed=number))
        os.utime(tmp_path / f"k{number}.segment", (number + 1, number + 1))
    os.utime(tmp_path / "probe.segment", (0, 0))
    assert cache.get("probe") is not None  # so it is the newest
    cache.put("last", a_spoken(seed=9))
    left = {path.stem for path in tmp_path.glob("*.segment")}
    assert left == {"probe", "k2", "k3", "last"}
    small = SegmentCache(tmp_path, max_bytes=1)
    small.put("only", a_spoken())
    assert {path.stem for path in tmp_path.glob("*.segment")} == {"only"}


def test_unfinished_files_are_swept_when_they_are_old(tmp_path: Path) -> None:
    (tmp_path / "a.1.part").write_bytes(b"x")
    (tmp_path / "b.2.part").write_bytes(b"x")
    os.utime(tmp_path / "a.1.part", (time.time() - 7200, time.time() - 7200))
    SegmentCache(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["b.2.part"]


def test_a_full_disk_is_told_once_and_reading_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def full(self: Path, target: Path) -> None:
        raise OSError(28, "No space left on device")

    expected = reading(tmp_path / "other", LINES)[0]
    monkeypatch.setattr(Path, "replace", full)
    with caplog.at_level(logging.WARNING):
        wave = reading(tmp_path / "full", LINES)[0]
    assert np.array_equal(wave, expected)
    assert [record.getMessage() for record in caplog.records] == [
        f"segments are not kept: {tmp_path / 'full'}: No space left on device"
    ]
    assert not any((tmp_path / "full").iterdir())


def test_what_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(InvalidRequest, match="no cache in"):
        SegmentCache(tmp_path / "file")
    with pytest.raises(InvalidRequest, match="max_bytes is 0"):
        SegmentCache(tmp_path, max_bytes=0)
    with pytest.raises(InvalidRequest, match="a cache needs `model`"):
        read(FakeSynthesizer(), segments("One."), cache=SegmentCache(tmp_path))


def test_a_checkpoint_is_told_by_its_files(tmp_path: Path) -> None:
    (tmp_path / "speech_tokenizer").mkdir()
    (tmp_path / "config.json").write_text("{}")
    weights = tmp_path / "speech_tokenizer" / "model.safetensors"
    content = bytearray(np.random.default_rng(0).bytes(3 * 2**20))
    weights.write_bytes(content)
    seen = [checkpoint_digest(tmp_path)]
    assert checkpoint_digest(tmp_path) == seen[0]
    (tmp_path / "README.md").write_text("no matter")
    assert checkpoint_digest(tmp_path) == seen[0]
    for place in (0, 2**20 - 1, len(content) - 1, 2 * 2**20 + 5):
        content[place] ^= 1
        weights.write_bytes(content)
        seen.append(checkpoint_digest(tmp_path))
    (tmp_path / "config.json").write_text("[]")
    seen.append(checkpoint_digest(tmp_path))
    assert len(set(seen)) == len(seen)
