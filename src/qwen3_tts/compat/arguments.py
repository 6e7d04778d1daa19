"""Arguments that may be one value or a list of them, and the recordings among them."""

import os
import re
from typing import Any

from qwen3_tts.audio.files import AudioSource
from qwen3_tts.compat.errors import CompatError, CompatTypeError

_BASE64 = re.compile(r"[A-Za-z0-9+/\s]+=*\s*")
_SHORTEST_BASE64 = 257  # as in the official package: anything up to 256 characters is a path


def as_list(value: Any) -> list[Any]:
    """A list as it is, anything else (a tuple too) as the only element of one."""
    return value if isinstance(value, list) else [value]


def broadcast(text: list[Any], **columns: list[Any]) -> list[list[Any]]:
    """The columns with one element per text; a single element is repeated for all texts.

    Raises `CompatError` naming all lengths.
    """
    if not text:
        raise CompatError("text is an empty list; give at least one text")
    full = [c * len(text) if len(c) == 1 else c for c in columns.values()]
    if any(len(column) != len(text) for column in full):
        given = {"text": text, **columns}
        raise CompatError(f"{mismatch(given)}; give one value, or one per text")
    return full


def mismatch(columns: dict[str, list[Any]]) -> str:
    """The start of the message about lists of unequal lengths."""
    lengths = ", ".join(f"{name}={len(column)}" for name, column in columns.items())
    return f"Batch size mismatch: {lengths}"


def refuse_unknown(given: dict[str, Any], allowed: tuple[str, ...], what: str) -> None:
    """Raise `CompatTypeError` for keywords that would have no effect."""
    if unknown := [repr(name) for name in given if name not in allowed]:
        raise CompatTypeError(
            f"unexpected {what} argument {', '.join(unknown)}; allowed: {', '.join(allowed)}"
        )


def audio_source(recording: Any) -> AudioSource:
    """What `read_audio` takes, from what the official package takes: it also knows bare base64.

    A string is base64 if it is longer than 256 characters, all of them in that alphabet, and
    names no file. The official rule, no slash in it, takes most base64 for a path. Raises
    `CompatTypeError` for what can be no recording.
    """
    if isinstance(recording, str):
        long = len(recording) >= _SHORTEST_BASE64
        if long and _BASE64.fullmatch(recording) and not os.path.exists(recording):
            return "data:audio/unknown;base64," + recording
        return recording
    readable = isinstance(recording, os.PathLike | bytes | tuple)
    if readable or hasattr(recording, "read") or hasattr(recording, "__array__"):
        source: AudioSource = recording
        return source
    raise CompatTypeError(
        f"a {type(recording).__name__} is no recording; "
        "use a path, base64 or (array, sample_rate), or a list of these"
    )
