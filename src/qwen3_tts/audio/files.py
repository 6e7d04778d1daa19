"""Where sound enters and leaves: anything a user calls a recording <-> a mono wave and its rate.

Inside the package a wave is float32 [N] in -1..1, and a sample rate is a plain int. Content is
decoded and encoded by libsndfile (through soundfile), and resampled by soxr; both packages are
imported on first use, so waves in memory need neither.
"""

import base64
import importlib
import math
import os
import secrets
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from types import ModuleType
from typing import Any, BinaryIO

import numpy as np

from qwen3_tts.audio.tags import checked_tags
from qwen3_tts.errors import InvalidAudio, InvalidRequest, MissingPackage

AudioSource = str | os.PathLike[str] | bytes | BinaryIO | tuple[np.ndarray[Any, Any], int]
Wave = np.ndarray[Any, np.dtype[np.float32]]

MIN_RATE, MAX_RATE = 1_000, 768_000
FORMATS = ("wav", "flac", "mp3", "ogg")

_MAX_CHANNELS = 32  # a 2-D array with more than this on its smaller axis is a batch or a picture
_MAX_PEAK = 16.0  # 24 dB over full scale: no recording, but integers cast to float without scaling
_MAX_SAMPLES = 2**30  # three hours of 48 kHz stereo; a megabyte of flac can hold days of silence
_BLOCK = 1 << 16  # libsndfile's Vorbis encoder overflows the stack when handed minutes at once


def read_audio(source: AudioSource) -> tuple[Wave, int]:
    """Read any recording as a mono wave and its sample rate in Hz.

    `source` is one of
    - a path (`~` is expanded) to a file libsndfile can read: wav, flac, mp3, ogg and more;
    - the content of such a file: `bytes`, an open binary file (read from where it stands), or a
      `data:audio/...;base64,...` string;
    - `(array, sample_rate)`: floats in -1..1, or uint8, int16, int32 samples, which are scaled by
      their full range. An array (or tensor) is [N], [N, C] or [C, N]: the shorter axis is the
      channels, at most 32 of them, and the second axis in a square array, as soundfile has it.

    Channels are averaged, then samples beyond full scale clipped. Returns a new float32 [N] and
    the rate. Raises `InvalidAudio` for what is no recording: empty or unreadable, NaN or infinite,
    above 16 times full scale, a rate outside 1,000..768,000, or a URL, which is never fetched.
    """
    given: object = source
    if isinstance(given, tuple):
        return _read_pair(given)
    if hasattr(given, "__array__"):
        raise InvalidAudio("an array has no sample rate; pass (array, sample_rate)")
    if isinstance(given, str):
        return _read_text(given)
    if isinstance(given, os.PathLike):
        return _read_path(os.fsdecode(given))
    if isinstance(given, bytes | bytearray | memoryview):
        return _decode(bytes(given), "the bytes")
    if hasattr(given, "read"):
        content = given.read()
        if isinstance(content, bytes):
            return _decode(content, "the file object")
        raise InvalidAudio("a file open in text mode holds no audio; open it with mode `rb`")
    raise InvalidAudio(f"`{type(given).__name__}` is not audio; use a path, bytes or (array, rate)")


def resample(wave: Wave, from_rate: int, to_rate: int) -> Wave:
    """Resample float32 [N] to float32 [M] with soxr's HQ filter; equal rates return the input.

    HQ, and M as librosa rounds it, because reference recordings reach the official model through
    `librosa.resample`. Raises `InvalidAudio` for a rate outside 1,000..768,000.
    """
    wave = one_dimensional(wave).astype(np.float32, copy=False)
    from_rate, to_rate = checked_rate(from_rate), checked_rate(to_rate)
    if from_rate == to_rate:
        return wave
    # In floating point like librosa: 147 samples at 22,050 Hz become 161 at 24,000, not 160.
    length = math.ceil(len(wave) * (to_rate / from_rate))
    soxr = optional_package("soxr")
    out: Wave = soxr.resample(wave, from_rate, to_rate, quality="HQ")[:length]
    return np.pad(out, (0, length - len(out)))


def write_audio(
    target: str | os.PathLike[str] | BinaryIO,
    wave: Wave,
    sample_rate: int,
    *,
    format: str | None = None,
    subtype: str | None = None,
    tags: Mapping[str, str] | None = None,
) -> None:
    """Write a wave [N] as wav, flac, mp3 or ogg, chosen by `format` or else the path's suffix.

    `subtype` is one of libsndfile's names ("PCM_24", "FLOAT", "OPUS", ...); by default wav and
    flac hold 16-bit samples, rounded as `pcm16` says, mp3 layer III and ogg Vorbis. Samples
    outside -1..1 are clipped. A path appears complete or not at all: the content goes to a
    temporary file beside it, which then takes its name (and a symbolic link keeps pointing).
    `tags` (see tags.py) go into the metadata and change no sample; in wav they follow the sound.
    Raises `InvalidRequest` for a target, format or tag that cannot be written, `InvalidAudio` for
    a wave that is empty, not 1-D or not finite.
    """
    path = None if hasattr(target, "write") else _checked_target(target)
    format, sample_rate = _checked_format(format, path), checked_rate(sample_rate)
    if not len(wave := clipped(wave)):
        raise InvalidAudio("an empty wave cannot be written; it needs at least one sample")
    content = _encode(wave, sample_rate, format.upper(), subtype, checked_tags(tags or {}))
    if path is None:
        target.write(content)  # type: ignore[union-attr]  # a path was checked above
    else:
        _write_whole(path, content)


def pcm16(wave: Wave) -> bytes:
    """Turn a wave [N] into little-endian signed 16-bit samples, clipped at full scale.

    The rule is the one soundfile applies to floats in a wav file: scale by 2^31, round to an
    integer, keep the upper 16 bits. So k / 32768 becomes k, reading back gives the same wave, and
    values between two steps go to the lower one. Raises `InvalidAudio` for NaN or infinity.
    """
    return _int16(clipped(wave)).astype("<i2").tobytes()


def _read_text(text: str) -> tuple[Wave, int]:
    if text.startswith("data:"):
        header, comma, body = text.partition(",")
        if not (comma and header.startswith("data:audio/") and header.endswith(";base64")):
            raise InvalidAudio(f"`{_short(header)}` is not audio; use `data:audio/...;base64,...`")
        try:
            content = base64.b64decode("".join(body.split()), validate=True)
        except ValueError as error:
            raise InvalidAudio(f"the data string is not base64: {error}") from error
        return _decode(content, "the data string")
    scheme, mark, _ = text.partition("://")
    if mark and scheme.isalnum():
        raise InvalidAudio(f"`{_short(text)}` is a URL; URLs are not fetched: download it first")
    return _read_path(text)


def _read_path(path: str) -> tuple[Wave, int]:
    try:
        content = Path(os.path.expanduser(path)).read_bytes()
    except (OSError, ValueError) as error:  # ValueError: a null character in the name
        reason = getattr(error, "strerror", error)
        raise InvalidAudio(f"cannot read `{_short(path)}`: {reason}") from error
    return _decode(content, f"`{_short(path)}`")


def _read_pair(pair: tuple[Any, ...]) -> tuple[Wave, int]:
    if len(pair) != 2 or not hasattr(pair[0], "__array__"):
        kinds = ", ".join(type(item).__name__ for item in pair)
        raise InvalidAudio(f"`({kinds})` is not audio; pass (array, sample_rate)")
    samples = _scaled(_to_numpy(pair[0]))
    if samples.ndim not in (1, 2):
        raise InvalidAudio(f"an array of shape {samples.shape} is not audio; use [N] or [N, C]")
    channel_axis = 0 if samples.shape[0] < samples.shape[-1] else -1
    if samples.ndim == 2 and samples.shape[channel_axis] > _MAX_CHANNELS:
        raise InvalidAudio(f"{samples.shape} is not one recording: over {_MAX_CHANNELS} channels")
    return _mono(samples, channel_axis, "the array"), checked_rate(pair[1])


def _decode(content: bytes, name: str) -> tuple[Wave, int]:
    soundfile = optional_package("soundfile")
    try:
        with soundfile.SoundFile(BytesIO(content)) as file:
            rate = checked_rate(file.samplerate)
            blocks = [np.zeros((0, file.channels), np.float32)]
            # Headers may claim no length (a piped flac) or a false one, so read until the end; and
            # without the seek that soundfile adds to every read, which breaks mp3 and piped flac.
            file.seekable = lambda: False
            while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):  # [N, C]
                blocks.append(block)
                if len(blocks) * _BLOCK * file.channels > _MAX_SAMPLES:
                    raise InvalidAudio(f"{name} is too long: over {_MAX_SAMPLES} samples")
    except soundfile.LibsndfileError as error:
        name = f"{name} ({len(content)} bytes)"
        raise InvalidAudio(f"cannot decode {name}: {error.error_string}") from error
    return _mono(np.concatenate(blocks), -1, name), rate


def _mono(samples: np.ndarray[Any, Any], channel_axis: int, name: str) -> Wave:
    if not samples.size:
        raise InvalidAudio(f"{name} holds no samples")
    _check_finite(samples, name)
    if (peak := float(np.abs(samples).max())) > _MAX_PEAK:
        raise InvalidAudio(f"{name} reaches {peak:g}; floats must be in -1..1 (int16: / 32768)")
    wave: Wave = samples.astype(np.float32)
    if wave.ndim == 2:
        wave = wave.mean(axis=channel_axis, dtype=np.float32)
    return np.clip(wave, -1.0, 1.0)


def _to_numpy(array: Any) -> np.ndarray[Any, Any]:
    if hasattr(array, "detach"):  # a torch tensor, without importing torch
        array = array.detach().cpu()
        array = array.float() if array.is_floating_point() else array  # NumPy has no bfloat16
    return np.asarray(array)


def _scaled(array: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    if array.dtype.kind == "f":
        return array
    if array.dtype.name not in ("uint8", "int16", "int32"):
        raise InvalidAudio(f"cannot scale `{array.dtype}`; use floats, uint8, int16 or int32")
    full_scale = 2.0 ** (8 * array.dtype.itemsize - 1)
    middle = full_scale if array.dtype.kind == "u" else 0.0
    return np.asarray((array - middle) / full_scale, np.float32)


def one_dimensional(wave: Any) -> Wave:
    samples = _to_numpy(wave)
    if samples.ndim == 1 and samples.dtype.kind == "f":
        return samples
    raise InvalidAudio(f"a wave is a float array [N], not {samples.dtype} {list(samples.shape)}")


def finite(wave: Any) -> Wave:
    """A wave as float32 [N], a copy only where it is of another type; `InvalidAudio` for NaN."""
    samples = one_dimensional(wave)
    _check_finite(samples, "the wave")
    return samples.astype(np.float32, copy=False)


def clipped(wave: Any) -> Wave:
    samples = one_dimensional(wave)
    _check_finite(samples, "the wave")
    return np.clip(samples, -1.0, 1.0).astype(np.float32)


def _check_finite(samples: np.ndarray[Any, Any], name: str) -> None:
    if num_bad := samples.size - int(np.isfinite(samples).sum()):
        raise InvalidAudio(f"{name} has {num_bad} NaN or infinite samples of {samples.size}")


def checked_rate(rate: object) -> int:
    if isinstance(rate, int | np.integer) and MIN_RATE <= rate <= MAX_RATE:
        return int(rate)
    shown = rate if isinstance(rate, int | float | np.number) else type(rate).__name__
    raise InvalidAudio(f"sample rate `{shown}` is not an integer in {MIN_RATE}..{MAX_RATE}")


def _int16(wave: Wave) -> np.ndarray[Any, np.dtype[np.int16]]:
    scaled = np.rint(wave.astype(np.float64) * 2.0**31)
    return (np.minimum(scaled, 2.0**31 - 1).astype(np.int64) >> 16).astype(np.int16)


def _encode(
    wave: Wave, rate: int, format: str, subtype: str | None, tags: Mapping[str, str]
) -> bytes:
    soundfile = optional_package("soundfile")
    subtype = subtype.upper() if subtype else soundfile.default_subtype(format)
    if not soundfile.check_format(format, subtype):
        allowed = ", ".join(soundfile.available_subtypes(format))
        raise InvalidRequest(f"`{subtype}` is not a subtype of {format.lower()}; use {allowed}")
    if subtype == "VORBIS" and rate > 200_000:  # where libsndfile 1.2 crashes instead of refusing
        raise InvalidRequest(f"cannot write ogg (VORBIS) at {rate} Hz: at most 200000")
    samples = _int16(wave) if subtype == "PCM_16" else wave
    content = BytesIO()
    try:
        with soundfile.SoundFile(content, "w", rate, 1, subtype, format=format) as file:
            if format != "WAV":  # where they would stand before the samples: see `write_audio`
                _tag(file, tags)
            for start in range(0, len(samples), _BLOCK):
                file.write(samples[start : start + _BLOCK])
            if format == "WAV":
                _tag(file, tags)
    except soundfile.LibsndfileError as error:
        reason = f"at {rate} Hz: {error.error_string}"
        raise InvalidRequest(f"cannot write {format.lower()} ({subtype}) {reason}") from error
    return content.getvalue()


def _tag(file: Any, tags: Mapping[str, str]) -> None:
    for name, text in tags.items():
        setattr(file, name, text)


def _checked_target(target: Any) -> Path:
    if not isinstance(target, str | os.PathLike):
        raise InvalidRequest(f"`{type(target).__name__}` is no target; pass a path or binary file")
    path = Path(os.path.realpath(os.path.expanduser(os.fsdecode(target))))
    if not path.parent.is_dir():
        raise InvalidRequest(f"folder `{path.parent}` does not exist; create it first")
    if os.path.exists(path) and not path.is_file():  # a folder, a device, a pipe
        raise InvalidRequest(f"`{path}` exists and is not a file; choose another name")
    return path


def _checked_format(format: str | None, path: Path | None) -> str:
    if format is None:
        format = path.suffix if path else ""  # a file object has to be told
    if (name := format.lower().lstrip(".")) not in FORMATS:
        raise InvalidRequest(f"unknown audio format `{name}`; use {', '.join(FORMATS)}")
    return name


def _write_whole(path: Path, content: bytes) -> None:
    # Not tempfile: its files are private (0600), and a saved recording follows the umask.
    part = path.with_name(f".{secrets.token_hex(8)}.part")
    try:
        with part.open("xb") as file:
            file.write(content)
        os.replace(part, path)
    except OSError as error:
        raise InvalidRequest(f"cannot write `{path}`: {error.strerror or error}") from error
    finally:
        part.unlink(missing_ok=True)


def optional_package(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except (ImportError, OSError) as error:  # OSError: soundfile without its C library
        raise MissingPackage(f"this needs {name}: pip install {name} ({error})") from error


def _short(text: str) -> str:
    line = " ".join(text.split())  # one line, also when someone passes a megabyte of base64
    return line if len(line) <= 120 else f"{line[:80]}...{line[-30:]}"
