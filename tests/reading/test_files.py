"""The files of a reading: sound with chapters, and subtitles."""

import wave as wave_module
from pathlib import Path

import numpy as np
import pytest

from qwen3_tts.audio.files import pcm16, read_audio
from qwen3_tts.errors import InvalidRequest
from qwen3_tts.reading import output
from qwen3_tts.reading.output import Mark, open_output, output_format
from qwen3_tts.reading.plan import ReadSegment, Section
from qwen3_tts.reading.reader import Made, ReadChunk
from qwen3_tts.reading.subtitles import Subtitles, subtitle_format
from qwen3_tts.reading.writing import ReadingFiles
from qwen3_tts.types import Wave

RATE = 24_000
TAGS = {"title": "Grüße", "artist": "Jo", "comment": "AI-generated"}
MARKS = [Mark("One", 0.0), Mark("Zwei – 二", 1.5), Mark("Three", 2.0)]


def sound(seconds: float = 3.0) -> Wave:
    time_s = np.arange(round(seconds * RATE)) / RATE
    wave = 0.4 * np.sin(2 * np.pi * 220 * time_s) * np.sin(2 * np.pi * 1.5 * time_s)
    return wave.astype(np.float32)


def write(path: Path, size: int = 7_919, marks: bool = True) -> Wave:
    wave = sound()
    file = open_output(path, RATE, tags=TAGS)
    waiting = list(MARKS) if marks else []
    for start in range(0, len(wave), size):
        while waiting and waiting[0].start_s <= start / RATE:
            file.mark(waiting.pop(0))
        file.write(wave[start : start + size])
    file.finish()
    return wave


@pytest.mark.parametrize("format", ["wav", "flac", "mp3", "m4b"])
def test_sound_tags_and_chapters(tmp_path: Path, format: str) -> None:
    av = pytest.importorskip("av")
    path = tmp_path / f"a.{format}"
    wave = write(path)
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    with av.open(str(path)) as container:
        assert {**container.metadata, **TAGS} == dict(container.metadata)
        chapters = container.chapters()
        frames = [frame.to_ndarray().reshape(-1) for frame in container.decode(audio=0)]
        rate = container.streams.audio[0].rate
    decoded = np.concatenate(frames)
    assert rate == RATE
    if format in ("wav", "flac"):
        assert decoded.astype("<i2").tobytes() == pcm16(wave)
    else:
        assert abs(len(decoded) - len(wave)) <= 1_152
        rms = float(np.sqrt(np.mean(decoded[: len(wave)].astype(np.float64) ** 2)))
        assert rms == pytest.approx(float(np.sqrt(np.mean(wave**2))), rel=0.05)
    if format in output.CHAPTERED:
        times = [(chapter["start"] * chapter["time_base"]) for chapter in chapters]
        assert [float(time) for time in times] == [mark.start_s for mark in MARKS]
        assert [chapter["metadata"]["title"] for chapter in chapters] == [m.title for m in MARKS]
        ends = [float(chapter["end"] * chapter["time_base"]) for chapter in chapters]
        assert ends == [1.5, 2.0, 3.0]
    else:
        assert chapters == []


@pytest.mark.parametrize("format", ["wav", "flac", "mp3", "m4b"])
def test_the_same_bytes_however_it_was_cut(tmp_path: Path, format: str) -> None:
    if format != "wav":
        pytest.importorskip("av")
    for number, size in enumerate((997, 24_000, 10**6)):
        write(tmp_path / f"{number}.{format}", size, marks=False)
    contents = {(tmp_path / f"{number}.{format}").read_bytes() for number in range(3)}
    assert len(contents) == 1


def test_sizes_in_a_wav(tmp_path: Path) -> None:
    path = tmp_path / "a.wav"
    wave = write(path)
    with wave_module.open(str(path)) as file:
        assert (file.getnframes(), file.getframerate(), file.getnchannels()) == (len(wave), RATE, 1)
    content = path.read_bytes()
    assert int.from_bytes(content[4:8], "little") == len(content) - 8
    assert np.array_equal(read_audio(path)[0], np.frombuffer(pcm16(wave), "<i2") / 32768)


def test_a_wav_beyond_four_gibibytes_becomes_rf64(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With a limit of a few bytes, since libsndfile reads the sizes of RF64 whatever they are."""
    monkeypatch.setattr(output, "LARGEST_RIFF", 1_000)
    path = tmp_path / "a.wav"
    wave = write(path)
    content = path.read_bytes()
    assert (content[:4], content[8:16]) == (b"RF64", b"WAVEds64")
    assert int.from_bytes(content[20:28], "little") == len(content) - 8
    assert int.from_bytes(content[28:36], "little") == 2 * len(wave)
    assert np.array_equal(read_audio(path)[0], np.frombuffer(pcm16(wave), "<i2") / 32768)


@pytest.mark.parametrize("format", ["wav", "mp3"])
def test_a_file_is_there_complete_or_not_at_all(tmp_path: Path, format: str) -> None:
    if format != "wav":
        pytest.importorskip("av")
    path = tmp_path / f"a.{format}"
    path.write_bytes(b"before")
    file = open_output(path, RATE)
    file.write(sound())
    assert path.read_bytes() == b"before"
    file.discard()
    assert [item.name for item in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == b"before"


def test_formats() -> None:
    assert [output_format(f"a.{name}") for name in ("WAV", "m4a", "m4b")] == ["wav", "m4b", "m4b"]
    assert output_format("a.out", "mp3") == "mp3"
    assert [subtitle_format(f"a.{name}") for name in ("srt", "VTT")] == ["srt", "vtt"]
    for name in ("a.ogg", "a", "a.txt"):
        with pytest.raises(InvalidRequest, match="none of wav, flac, mp3, m4b"):
            output_format(name)
        with pytest.raises(InvalidRequest, match=r"does not end in \.srt or \.vtt"):
            subtitle_format(name)
    with pytest.raises(InvalidRequest, match="cannot write"):
        open_output("/absent/folder/a.wav", RATE)


def chunks() -> list[ReadChunk]:
    """Two segments with silence between them, and one that stayed silent."""
    made = Made(1, 1, False, 1.0, 0.0, None)
    one = ReadSegment(0, "A <b> & c --> d.", section=Section(1, "One"))
    two = ReadSegment(1, "word " * 20 + "字字字", section=Section(2, None))
    silent = ReadSegment(2, "Nothing.", section=Section(3, "Three"))
    wave = sound(0.5)
    return [
        ReadChunk(wave, 0.0, one),
        ReadChunk(wave, 0.5, one, made),
        ReadChunk(np.zeros(RATE, np.float32), 1.0, None),
        ReadChunk(wave, 2.0, two, made),
        ReadChunk(wave[:0], 2.5, silent, made),
    ]


SRT = """1
00:00:00,000 --> 00:00:01,000
A <b> & c → d.

2
00:00:02,000 --> 00:00:02,500
word word word word word word word word
word word word word word word word word
word word word word 字字字

"""
VTT = """WEBVTT

00:00:00.000 --> 00:00:01.000
A &lt;b&gt; &amp; c --&gt; d.

00:00:02.000 --> 00:00:02.500
word word word word word word word word
word word word word word word word word
word word word word 字字字

"""


@pytest.mark.parametrize(("suffix", "expected"), [("srt", SRT), ("vtt", VTT)])
def test_subtitles(tmp_path: Path, suffix: str, expected: str) -> None:
    path = tmp_path / f"a.{suffix}"
    subtitles = Subtitles(path)
    for chunk in chunks():
        subtitles.add(chunk, RATE)
    assert not path.exists()
    subtitles.finish()
    assert path.read_text(encoding="utf-8") == expected


def test_clocks_of_long_readings(tmp_path: Path) -> None:
    subtitles = Subtitles(tmp_path / "a.srt")
    segment, made = ReadSegment(0, "字" * 50), Made(1, 1, False, 1.0, 0.0, None)
    subtitles.add(ReadChunk(sound(0.5), 36_000 - 0.0001, segment, made), RATE)
    subtitles.finish()
    lines = (tmp_path / "a.srt").read_text(encoding="utf-8").splitlines()
    assert lines[1:4] == ["10:00:00,000 --> 10:00:00,500", "字" * 21, "字" * 21]


@pytest.mark.parametrize("chapters", [True, False])
def test_a_reading_in_files(tmp_path: Path, chapters: bool) -> None:
    av = pytest.importorskip("av")
    path, subtitles = tmp_path / "a.m4b", tmp_path / "a.vtt"
    with ReadingFiles(path, RATE, chapters=chapters, subtitles=subtitles, tags=TAGS) as files:
        for chunk in chunks():
            files.add(chunk)
    with av.open(str(path)) as container:
        found = [
            (c["start"] * c["time_base"], c["metadata"]["title"]) for c in container.chapters()
        ]
    assert found == ([(0, "One"), (2, "2"), (2.5, "Three")] if chapters else [])
    assert subtitles.read_text(encoding="utf-8") == VTT


def test_a_reading_that_fails_leaves_no_files(tmp_path: Path) -> None:
    def fail() -> None:
        with ReadingFiles(tmp_path / "a.wav", RATE, subtitles=tmp_path / "a.srt") as files:
            files.add(chunks()[0])
            raise RuntimeError("away")

    with pytest.raises(RuntimeError, match="away"):
        fail()
    with pytest.raises(InvalidRequest):
        ReadingFiles(tmp_path / "a.xyz", RATE, subtitles=tmp_path / "a.srt")
    assert list(tmp_path.iterdir()) == []
