"""The one file a voice lives in: tensors, and words about them. It knows nothing of what they mean.

The file is safetensors; its metadata are `format`, `version` and `voice`, an object of json. A file
may come from a stranger: its size is looked at before it is opened, and no code is ever in it.
"""

import json
import secrets
import stat
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from qwen3_tts.errors import InvalidVoice

VOICE_FORMAT = "qwen3-tts-voice"
VOICE_VERSION = 2  # it added more words and `take.*`; files of version 1 are read as well
READABLE_VERSIONS = ("1", "2")

LARGEST_FILE = 16 << 20  # bytes; a minute of reference takes 96 kB
LARGEST_WORDS = 1 << 20  # bytes of json
MOST_TENSORS = 256

Tensors = Mapping[str, NDArray[Any]]


def write_voice_file(path: str | PathLike[str], about: Mapping[str, Any], tensors: Tensors) -> None:
    """Write all of it or nothing. Raises `InvalidVoice`, also for what is too large to be read."""
    words = json.dumps(about)
    metadata = {"format": VOICE_FORMAT, "version": str(VOICE_VERSION), "voice": words}
    content = save(dict(tensors), metadata)
    if len(words) > LARGEST_WORDS or len(content) > LARGEST_FILE:
        raise InvalidVoice(
            f"cannot write voice {path}: {len(content)} bytes, {len(words)} of them words; "
            f"allowed are {LARGEST_FILE} and {LARGEST_WORDS}"
        )
    target = Path(path)
    partial = target.with_name(f".{target.name}.{secrets.token_hex(4)}")
    try:
        partial.write_bytes(content)
        partial.replace(target)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise InvalidVoice(f"cannot write voice {path}: {error.strerror}") from None


def read_voice_file(path: str | PathLike[str]) -> tuple[dict[str, Any], dict[str, NDArray[Any]]]:
    """Words and tensors. Raises `InvalidVoice` naming the file and what is wrong with it."""
    try:
        about = Path(path).stat()
        if not stat.S_ISREG(about.st_mode):
            raise InvalidVoice(f"{path} is not a voice file, nor any file")
        if about.st_size > LARGEST_FILE:
            raise InvalidVoice(
                f"{path} is not a voice file: it has {about.st_size} bytes, voices have up to "
                f"{LARGEST_FILE}"
            )
        with safe_open(path, "numpy") as file:
            metadata: dict[str, str] = file.metadata() or {}
            names = set(file.keys())
            if metadata.get("format") != VOICE_FORMAT or "vector" not in names:
                raise InvalidVoice(f"{path} is a safetensors file but not a voice")
            if len(names) > MOST_TENSORS:
                raise InvalidVoice(f"{path} is not a voice file: it has {len(names)} tensors")
            tensors = {name: np.asarray(file.get_tensor(name)) for name in names}
    except FileNotFoundError:
        raise InvalidVoice(f"no voice file {path}") from None
    except (OSError, SafetensorError, TypeError, ValueError) as error:
        # TypeError: a type numpy lacks; ValueError: a null character in the path
        raise InvalidVoice(f"{path} is not a voice file: {error}") from None
    version = metadata.get("version")
    if version not in READABLE_VERSIONS:
        raise InvalidVoice(
            f"{path} is a voice of version {version!s:.20}, "
            f"this package reads versions {' and '.join(READABLE_VERSIONS)}"
        )
    return _words(metadata.get("voice", "{}"), path), tensors


def _words(text: str, path: str | PathLike[str]) -> dict[str, Any]:
    if len(text) > LARGEST_WORDS:
        raise InvalidVoice(f"{path} has broken metadata: over {LARGEST_WORDS} bytes")
    try:
        about = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InvalidVoice(f"{path} has broken metadata: {error!s:.100}") from None
    if not isinstance(about, dict):
        raise InvalidVoice(f"{path} has broken metadata: not an object")
    return about
