"""Where bytes enter and leave the command line: files, and `-` for stdin and stdout.

Existing files are overwritten, as sox and cp do. What cannot be written is refused before any work
is done.
"""

import os
import sys
import warnings
from collections.abc import Mapping
from io import BytesIO
from pathlib import Path
from tokenize import TokenError

import numpy as np

from qwen3_tts.audio.files import FORMATS, write_audio
from qwen3_tts.cli.messages import UsageError
from qwen3_tts.errors import InvalidRequest, InvalidText
from qwen3_tts.types import Codes, Wave

STREAM = "-"


def file_name(text: str) -> str:
    """A file name as typed; the shell leaves the `~` of `--output=~/hello.wav` to us."""
    return os.path.expanduser(text)


def shown(name: str, stream: str) -> str:
    """A name for messages."""
    return stream if name == STREAM else name


def stdin_is_free() -> bool:
    """Whether something other than a person's keyboard is at stdin."""
    return sys.stdin is not None and not sys.stdin.isatty()


def read_bytes(name: str) -> bytes:
    return sys.stdin.buffer.read() if name == STREAM else Path(name).read_bytes()


def read_text(name: str) -> str:
    """A UTF-8 text without its mark and the white space around it. Raises `InvalidText`."""
    try:
        text = read_bytes(name).decode("utf-8")
    except UnicodeDecodeError as error:
        byte = error.object[error.start]
        raise InvalidText(
            f"{shown(name, 'stdin')} is not UTF-8 text: byte 0x{byte:02x} at offset {error.start}"
        ) from None
    text = text.removeprefix("\ufeff").strip()
    if not text:
        raise InvalidText(f"{shown(name, 'stdin')} holds no text; give at least one word to speak")
    return text


def check_target(name: str | None) -> None:
    """Raise now what writing `name` would raise later, as far as can be known."""
    if name is None:
        return
    if name == STREAM:
        if sys.stdout.isatty():
            raise UsageError("stdout is a terminal; redirect it, or write to a file with -o FILE")
        return
    path = Path(name)
    if path.is_dir():
        raise InvalidRequest(f"`{name}` is a folder; give a file name")
    if not path.parent.is_dir():
        raise InvalidRequest(f"folder `{path.parent}` does not exist; create it first")
    if not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InvalidRequest(f"`{name}` may not be written: permission denied")


def audio_format(name: str, given: str | None) -> str:
    """The format to write: as given, else by the suffix, else wav for a pipe or a device."""
    suffix = Path(name).suffix.lower().removeprefix(".")
    if given or suffix in FORMATS:
        return given or suffix
    if name == STREAM or _is_special(name):
        return "wav"
    raise InvalidRequest(
        f"`{name}` does not end in {', '.join('.' + format for format in FORMATS)}; "
        "rename it or pass --format"
    )


def save_audio(
    name: str, wave: Wave, sample_rate: int, format: str, tags: Mapping[str, str] | None = None
) -> None:
    """Write a wave [N]; `tags` are those of `write_audio`."""
    if name == STREAM or _is_special(name):
        content = BytesIO()
        write_audio(content, wave, sample_rate, format=format, tags=tags)
        return write_bytes(name, content.getvalue())
    write_audio(name, wave, sample_rate, format=format, tags=tags)


def save_codes(name: str, codes: Codes) -> None:
    """Write a .npy file, int64 [T, K], under exactly this name."""
    content = BytesIO()
    np.save(content, codes.astype(np.int64, copy=False), allow_pickle=False)
    write_bytes(name, content.getvalue())


def read_codes(name: str) -> np.ndarray[tuple[int, ...], np.dtype[np.generic]]:
    """The array of a .npy file. Raises `InvalidRequest` for any other content."""
    content = BytesIO(read_bytes(name))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of a header it had to guess at; codes are checked
            return np.lib.format.read_array(content, allow_pickle=False)
    except (ValueError, TypeError, SyntaxError, MemoryError, TokenError) as error:
        raise InvalidRequest(
            f"{shown(name, 'stdin')} is not a .npy file of codes ({type(error).__name__}: {error})"
        ) from None


def write_bytes(name: str, content: bytes) -> None:
    if name == STREAM:
        left = memoryview(content)
        while left:  # unbuffered (PYTHONUNBUFFERED), a write may take a part only
            left = left[sys.stdout.buffer.write(left) :]
        sys.stdout.buffer.flush()
    else:
        Path(name).write_bytes(content)


def _is_special(name: str) -> bool:
    """A device or a pipe, such as /dev/null, which cannot be replaced by a new file."""
    path = Path(name)
    return path.exists() and not path.is_file()
