"""Recordings from strangers: the kind is told by the first bytes, and decoding stops at a limit.

A few megabytes may expand to days of sound, a header may claim anything, and a file may pretend to
be what it is not. So each kind has one fixed reader with a list of encodings it may meet, channels
and rate are checked before any sound is made, channels are folded block by block, and reading ends
with the first block beyond the limit or when the time is up. wav, flac, mp3 and ogg are read by
libsndfile; mp4 (m4a), webm and aac by FFmpeg (through PyAV), told the container and allowed to open
nothing else, in a process of its own: 19 kB of mp4 whose tables claim 40 million samples took
FFmpeg 1.5 GB and 3.5 s before a byte was decoded. Dims: N samples, C channels.
"""

import contextlib
import importlib
import json
import math
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from typing import Any

import numpy as np

from qwen3_tts.audio.files import Wave, optional_package, read_audio
from qwen3_tts.errors import InvalidAudio, MissingPackage

MAX_CHANNELS = 8
RATES = (8_000, 192_000)
SLACK_S = 0.1  # mp3 and aac pad what they encode: 30 s of speech may come back as 30.05 s
_BLOCK = 1 << 15  # samples a channel read at a time
_MEMORY_BYTES = 1 << 29  # of the process FFmpeg runs in; 30 s at 192 kHz take 23 MB of it
_PATIENCE = 3  # seconds on the wall for a second of work: other processes want the cores too

# kind -> libsndfile's names of the container and the encodings in it
_SNDFILE: dict[str, tuple[set[str], set[str]]] = {
    "wav": (
        {"WAV", "WAVEX"},
        {"PCM_U8", "PCM_16", "PCM_24", "PCM_32", "FLOAT", "DOUBLE", "ULAW", "ALAW"},
    ),
    "flac": ({"FLAC"}, {"PCM_S8", "PCM_16", "PCM_24"}),
    "mp3": ({"MP3"}, {"MPEG_LAYER_III"}),
    "ogg": ({"OGG"}, {"VORBIS", "OPUS"}),
}
# kind -> FFmpeg's names of the container and the decoders for it
_FFMPEG = {
    "mp4": ("mov", "aac,alac,mp3,mp3float,opus,flac"),
    "webm": ("matroska", "opus,vorbis"),
    "aac": ("aac", "aac"),
}
KINDS = (*_SNDFILE, *_FFMPEG)


@dataclass(frozen=True)
class Bounds:
    """How far a recording is read: seconds of sound, and seconds of work."""

    longest_s: float = 30.0
    budget_s: float = 5.0


DEFAULT_BOUNDS = Bounds()


@dataclass(frozen=True)
class _Block:
    samples: np.ndarray[Any, Any]  # [C, N] floats
    rate: int


def kind_of(content: bytes) -> str | None:
    """What the first bytes say a file is: one of `KINDS`, or None."""
    if content[:4] == b"RIFF" and content[8:12] == b"WAVE":
        return "wav"
    for magic, kind in ((b"fLaC", "flac"), (b"OggS", "ogg"), (b"ID3", "mp3")):
        if content.startswith(magic):
            return kind
    if content[4:8] == b"ftyp":
        return "mp4"
    if content.startswith(b"\x1aE\xdf\xa3"):
        return "webm"
    return _mpeg_frame(content)


def read_upload(content: bytes, bounds: Bounds = DEFAULT_BOUNDS) -> tuple[Wave, int]:
    """Decode a recording of unknown origin to a mono wave [N] and its sample rate.

    Raises `InvalidAudio`: no known kind, not decodable, over 8 channels, a rate outside
    8,000..192,000, longer than `bounds` allow, or too slow to decode.
    """
    kind = kind_of(content)
    if kind is None:
        raise InvalidAudio(f"this is no recording of a known kind; allowed: {', '.join(KINDS)}")
    if kind in _SNDFILE:
        return read_audio(_gather(_read_sndfile(content, kind), kind, bounds))
    return read_audio(_read_apart(content, kind, bounds))


def _gather(blocks: Iterator[_Block], kind: str, bounds: Bounds) -> tuple[Wave, int]:
    """All blocks as one wave, its channels averaged, or `InvalidAudio` at a bound."""
    out_of_time_s = time.monotonic() + bounds.budget_s
    waves: list[Wave] = []
    rate, count = 0, 0
    for block in blocks:
        if rate and block.rate != rate:
            raise InvalidAudio(f"the {kind} file changes its sample rate on the way")
        rate = block.rate
        waves.append(block.samples.mean(axis=0, dtype=np.float32))
        count += block.samples.shape[1]
        if count > (bounds.longest_s + SLACK_S) * rate:
            raise InvalidAudio(f"the recording is longer than {bounds.longest_s:g} s; cut it")
        if time.monotonic() > out_of_time_s:
            raise InvalidAudio(f"decoding the recording took over {bounds.budget_s:g} s")
    if not count:
        raise InvalidAudio(f"the {kind} file holds no samples")
    return np.concatenate(waves), rate


def _read_apart(content: bytes, kind: str, bounds: Bounds) -> tuple[Wave, int]:
    """What this file, run as a program, reads: see `_main`."""
    command = [sys.executable, "-P", "-m", __spec__.name, kind]
    kept = ("PATH", "PYTHONPATH", "PYTHONHOME", "LD_LIBRARY_PATH", "SYSTEMROOT")
    environment = {name: os.environ[name] for name in kept if name in os.environ}
    done = None
    with contextlib.suppress(subprocess.TimeoutExpired):
        done = subprocess.run(
            [*command, str(bounds.longest_s), str(bounds.budget_s)],
            input=content,
            capture_output=True,
            env={**environment, "OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
            timeout=_PATIENCE * bounds.budget_s,
            check=False,
        )
    if done is None or done.returncode:  # out of time or memory, or FFmpeg crashed
        raise InvalidAudio(f"the {kind} file cannot be decoded with the time and memory it may use")
    head, _, body = done.stdout.partition(b"\n")
    told = json.loads(head)
    if "error" in told:
        raise InvalidAudio(told["error"])
    return np.frombuffer(body, np.float32), told["rate"]


def _read_sndfile(content: bytes, kind: str) -> Iterator[_Block]:
    soundfile = optional_package("soundfile")
    containers, encodings = _SNDFILE[kind]
    try:
        with soundfile.SoundFile(BytesIO(content)) as file:
            if file.format not in containers or file.subtype not in encodings:
                found = f"{file.format} ({file.subtype})"
                raise InvalidAudio(f"{found} is not read; allowed: {', '.join(sorted(encodings))}")
            rate = _checked(file.samplerate, file.channels)
            file.seekable = lambda: False  # see audio.files: headers may claim a false length
            while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):  # [N, C]
                yield _Block(block.T, rate)
    except soundfile.LibsndfileError as error:
        raise InvalidAudio(f"cannot decode the {kind} file: {error.error_string}") from None


def _read_ffmpeg(content: bytes, kind: str) -> Iterator[_Block]:
    av = optional_package("av")
    container, decoders = _FFMPEG[kind]
    options = {
        "format_whitelist": "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,aac",
        "codec_whitelist": decoders,
        "protocol_whitelist": "none",  # a file cannot name another file or address to be read
        "max_streams": "8",
    }
    try:
        with av.open(BytesIO(content), "r", format=container, options=options) as file:
            if not file.streams.audio:
                raise InvalidAudio(f"the {kind} file has no sound in it")
            stream = file.streams.audio[0]
            if (name := stream.codec_context.codec.name) not in decoders.split(","):
                raise InvalidAudio(f"{kind} ({name}) is not read; allowed: {decoders}")
            _checked(stream.rate, stream.channels)
            planar = av.AudioResampler(format="fltp")  # floats; rate and channels as they are
            for frame in file.decode(stream):
                rate = _checked(frame.sample_rate, frame.layout.nb_channels)
                for piece in planar.resample(frame):
                    yield _Block(piece.to_ndarray(), rate)
    except (av.FFmpegError, ValueError, AttributeError) as error:  # the latter: no decoder
        raise InvalidAudio(f"cannot decode the {kind} file: {_reason(error)}") from None


def _checked(rate: int | None, channels: int) -> int:
    lowest, highest = RATES
    if rate is None or not lowest <= rate <= highest:
        raise InvalidAudio(f"sample rate {rate} is out of range, allowed: {lowest} to {highest}")
    if not 1 <= channels <= MAX_CHANNELS:
        raise InvalidAudio(f"{channels} channels are too many, allowed: 1 to {MAX_CHANNELS}")
    return rate


def _mpeg_frame(content: bytes) -> str | None:
    """An mp3 or aac file that begins with a frame, not with tags."""
    if len(content) < 4 or content[0] != 0xFF:
        return None
    layer = content[1] >> 1 & 3
    if content[1] & 0xF0 == 0xF0 and layer == 0:
        return "aac"  # ADTS
    version = content[1] >> 3 & 3
    sync = content[1] & 0xE0 == 0xE0 and version != 1 and layer == 1
    return "mp3" if sync and content[2] >> 4 != 15 and content[2] >> 2 & 3 != 3 else None


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or type(error).__name__)


def _main(kind: str, longest_s: str, budget_s: str) -> None:
    """Content on stdin -> a line of JSON and the samples on stdout, with limits of its own."""
    bounds = Bounds(float(longest_s), float(budget_s))
    with contextlib.suppress(ImportError):  # Windows has the time limit alone
        resource = importlib.import_module("resource")
        for what, most in (
            (resource.RLIMIT_DATA, _MEMORY_BYTES),
            (resource.RLIMIT_CPU, math.ceil(bounds.budget_s) + 1),
            (resource.RLIMIT_CORE, 0),
        ):
            resource.setrlimit(what, (most, most))
    told: dict[str, str | int] = {}
    wave = np.zeros(0, np.float32)
    try:
        wave, told["rate"] = _gather(_read_ffmpeg(sys.stdin.buffer.read(), kind), kind, bounds)
    except (InvalidAudio, MissingPackage) as error:
        told["error"] = str(error)
    sys.stdout.buffer.write(json.dumps(told).encode() + b"\n" + wave.tobytes())


if __name__ == "__main__":
    _main(*sys.argv[1:])
