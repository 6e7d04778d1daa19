"""The file that a reading becomes, written while it is made: wav, flac, mp3, or m4b with chapters.

It grows under a name of its own, `.NAME.part`, and takes its name when it is complete. wav is
written here, the others by FFmpeg (through PyAV). A wave is float32 [N], in pieces of any size.
"""

import os
import struct
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from qwen3_tts.audio.files import clipped, optional_package, pcm16
from qwen3_tts.errors import InvalidRequest, MissingPackage
from qwen3_tts.types import Wave

FORMATS = ("wav", "flac", "mp3", "m4b")
ALIASES = {"m4a": "m4b"}
CHAPTERED = ("m4b", "mp3")
LARGEST_RIFF = 2**32 - 1  # bytes; beyond it a wav becomes RF64
# format -> FFmpeg's muxer, encoder, sample format and bits a second
_FFMPEG: dict[str, tuple[str, str, str, int | None]] = {
    "flac": ("flac", "flac", "s16", None),
    "mp3": ("mp3", "libmp3lame", "s16p", 96_000),
    "m4b": ("ipod", "aac", "fltp", 64_000),
}
# How the same thing is called in a wav; FFmpeg has names of its own for all formats.
_WAV_TAGS = {"title": b"INAM", "artist": b"IART", "comment": b"ICMT", "date": b"ICRD"}
_MILLISECOND = Fraction(1, 1000)


@dataclass(frozen=True)
class Mark:
    """Where a chapter begins."""

    title: str
    start_s: float


class Output(Protocol):
    """A file under way. Leave it by `finish`, or by `discard`, which leaves nothing."""

    def write(self, wave: Wave) -> None: ...
    def mark(self, mark: Mark) -> None:
        """A chapter begins; formats without chapters take no notice."""
        ...

    def finish(self) -> None: ...
    def discard(self) -> None: ...


def output_format(path: str | os.PathLike[str], given: str | None = None) -> str:
    """The format by name or suffix. Raises `InvalidRequest` for one that is unknown."""
    name = (given or Path(path).suffix.removeprefix(".")).lower()
    name = ALIASES.get(name, name)
    if name not in FORMATS:
        raise InvalidRequest(f"`{path}` is to be none of {', '.join(FORMATS)}; name one of them")
    return name


def open_output(
    path: str | os.PathLike[str],
    sample_rate: int,
    *,
    format: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> Output:
    """A file for a reading; `tags` are title, artist, comment and others that the format has.

    Raises `InvalidRequest` for a path that cannot be written, `MissingPackage` without PyAV for
    all formats but wav.
    """
    path, format = Path(path), output_format(path, format)
    part = path.with_name(f".{path.name}.part")
    try:
        if format == "wav":
            return _Wav(path, part, sample_rate, tags or {})
        return _Ffmpeg(path, part, sample_rate, format, tags or {})
    except OSError as error:
        raise InvalidRequest(f"cannot write `{path}`: {error.strerror or error}") from None


class _Wav:
    """16-bit samples. The header keeps room for the sizes of RF64 (EBU Tech 3306)."""

    def __init__(self, path: Path, part: Path, rate: int, tags: Mapping[str, str]):
        self._path, self._part, self._rate, self._tags = path, part, rate, tags
        self._bytes = 0
        self._file = part.open("wb")
        self._file.write(self._header(0, 0))

    def write(self, wave: Wave) -> None:
        self._bytes += self._file.write(pcm16(wave))

    def mark(self, mark: Mark) -> None:
        pass

    def finish(self) -> None:
        self._file.write(_info_chunk(self._tags))
        size = self._file.tell() - 8
        self._file.seek(0)
        self._file.write(self._header(size, self._bytes))
        self._file.close()
        self._part.replace(self._path)

    def discard(self) -> None:
        self._file.close()
        self._part.unlink(missing_ok=True)

    def _header(self, size: int, data: int) -> bytes:
        form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, self._rate, 2 * self._rate, 2, 16)
        if size <= LARGEST_RIFF:
            head = struct.pack("<4sI4s4sI28x", b"RIFF", size, b"WAVE", b"JUNK", 28)
            return head + form + struct.pack("<4sI", b"data", data)
        unknown = 2**32 - 1
        sizes = struct.pack("<4sIQQQI", b"ds64", 28, size, data, data // 2, 0)
        head = struct.pack("<4sI4s", b"RF64", unknown, b"WAVE")
        return head + sizes + form + struct.pack("<4sI", b"data", unknown)


def _info_chunk(tags: Mapping[str, str]) -> bytes:
    found = [(_WAV_TAGS[name], tags[name].encode()) for name in _WAV_TAGS if tags.get(name)]
    if not found:
        return b""
    info = b"INFO"
    for name, text in found:
        text += b"\0" * (2 - len(text) % 2)  # at least one zero, and chunks begin at even places
        info += struct.pack("<4sI", name, len(text)) + text
    return struct.pack("<4sI", b"LIST", len(info)) + info


class _Ffmpeg:
    """Chapters are known when all is read, so m4b gets them with its index, at the end; an mp3,
    whose chapters stand before the sound, is copied once more, without encoding it again."""

    def __init__(self, path: Path, part: Path, rate: int, format: str, tags: Mapping[str, str]):
        self._av = optional_package("av")
        self._path, self._part, self._format, self._tags = path, part, format, tags
        muxer, encoder, sample_format, bitrate = _FFMPEG[format]
        self._container = self._open(part, muxer)
        self._stream = self._container.add_stream(
            encoder, rate=rate, layout="mono", format=sample_format
        )
        if bitrate is not None:
            self._stream.bit_rate = bitrate
        self._container.start_encoding()
        self._rate, self._samples = rate, 0
        self._marks: list[Mark] = []

    def write(self, wave: Wave) -> None:
        if not len(wave):
            return
        samples = np.frombuffer(pcm16(clipped(wave)), "<i2").astype(np.int16)
        frame = self._av.AudioFrame.from_ndarray(samples[None], format="s16", layout="mono")
        frame.sample_rate, frame.pts = self._rate, self._samples
        self._samples += len(samples)
        self._mux(self._stream.encode(frame))

    def mark(self, mark: Mark) -> None:
        if self._format in CHAPTERED:
            self._marks.append(mark)

    def finish(self) -> None:
        self._mux(self._stream.encode(None))
        if self._marks and self._format == "m4b":
            self._add_chapters(self._container)
        self._container.close()
        if self._marks and self._format == "mp3":
            self._copy_with_chapters()
        self._part.replace(self._path)

    def discard(self) -> None:
        self._container.close()
        self._part.unlink(missing_ok=True)

    def _open(self, part: Path, muxer: str) -> Any:
        options = {"fflags": "+bitexact"}  # no version and no date: the same bytes every time
        if muxer == "mp3":
            options["id3v2_version"] = "4"
        container = self._av.open(str(part), "w", format=muxer, options=options)
        container.metadata.update(self._tags)
        return container

    def _mux(self, packets: Iterable[Any]) -> None:
        for packet in packets:
            self._container.mux(packet)

    def _add_chapters(self, container: Any) -> None:
        if not hasattr(container, "set_chapters"):
            raise MissingPackage("chapters need a newer PyAV: pip install -U av")
        starts = [round(mark.start_s * 1000) for mark in self._marks]
        ends = [*starts[1:], round(self._samples / self._rate * 1000)]
        container.set_chapters(
            [
                {
                    "id": number,
                    "start": start,
                    "end": end,
                    "time_base": _MILLISECOND,
                    "metadata": {"title": mark.title},
                }
                for number, (start, end, mark) in enumerate(
                    zip(starts, ends, self._marks, strict=True)
                )
            ]
        )

    def _copy_with_chapters(self) -> None:
        copy = self._part.with_name(f"{self._part.name}2")
        try:
            with self._av.open(str(self._part)) as source, self._open(copy, "mp3") as target:
                stream = target.add_stream_from_template(source.streams.audio[0])
                self._add_chapters(target)
                for packet in source.demux(source.streams.audio[0]):
                    if packet.dts is not None:
                        packet.stream = stream
                        target.mux(packet)
            copy.replace(self._part)
        finally:
            copy.unlink(missing_ok=True)
