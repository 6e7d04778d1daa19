"""Finished segments on disk, so that a long reading can go on after a stop, and an edit is cheap.

A segment's file is named by a hash of everything that decides its sound. It appears complete or not
at all, and what is broken counts as missing. The folder is kept under a size: what was used longest
ago goes first.
"""

import hashlib
import json
import logging
import os
import secrets
import threading
import time
from dataclasses import asdict
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save

from qwen3_tts.audio.files import read_audio, write_audio
from qwen3_tts.errors import InvalidRequest, SpeechError
from qwen3_tts.reading.spoken import Spoken
from qwen3_tts.types import SpeechRequest, Voice
from qwen3_tts.version import __version__

FORMAT, VERSION = "qwen3-tts-segment", "1"
SUFFIX, PARTIAL = ".segment", ".part"
DEFAULT_BYTES = 4 * 2**30  # some 50 hours
STALE_S = 3600.0  # after which a file that was never finished belongs to nobody
LEFT = 0.9  # of the size, when it was exceeded: not every segment is to look through the folder

logger = logging.getLogger(__name__)


def segment_key(model: str, request: SpeechRequest, retries: int) -> str:
    """The name of what `request` becomes. `model` says which weights, and how they are run."""
    voice = request.voice
    about = {
        "version": (VERSION, __version__),
        "model": model,
        "text": request.text,
        "voice": _voice_digest(voice) if isinstance(voice, Voice) else _preset(voice),
        "language": request.language.strip().lower(),
        "instruct": request.instruct,
        "sampling": asdict(request.sampling),
        "seed": request.seed,
        "text_first": request.text_first,
        "retries": retries,
    }
    return hashlib.sha256(json.dumps(about, sort_keys=True).encode()).hexdigest()[:40]


def checkpoint_digest(folder: Path) -> str:
    """Tells one checkpoint from another without reading gigabytes: configs whole, weights in part.

    Of a file of weights count its size, its first and last MiB and 62 places in between. Raises
    `OSError` for a folder that cannot be read.
    """
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        if path.suffix not in (".json", ".txt", ".safetensors"):
            continue
        size = path.stat().st_size
        digest.update(f"{path.relative_to(folder).as_posix()} {size}\n".encode())
        with path.open("rb") as file:
            for start in _places(size):
                file.seek(start)
                digest.update(file.read(2**20 if start in (0, size - 2**20) else 2**14))
    return digest.hexdigest()


def _places(size: int) -> list[int]:
    return [0] if size <= 2**20 else [i * (size - 2**20) // 63 for i in range(64)]


def _preset(name: str | None) -> str | None:
    return None if name is None else name.strip().lower()


def _voice_digest(voice: Voice) -> str:
    digest = hashlib.sha256(voice.vector.tobytes())
    if voice.codes is not None:
        digest.update(f"{voice.codes.shape} {voice.text}".encode())
        digest.update(voice.codes.tobytes())
    return f"sha256:{digest.hexdigest()}"


class SegmentCache:
    """A folder of finished segments; any number of threads and processes may share it.

    Raises `InvalidRequest` where there is no such folder and none can be made. A disk that fills up
    is logged once, and reading goes on without.
    """

    def __init__(self, folder: str | os.PathLike[str], *, max_bytes: int = DEFAULT_BYTES):
        if max_bytes < 1:
            raise InvalidRequest(f"max_bytes is {max_bytes}, allowed: 1 or more")
        self.folder, self.max_bytes = Path(folder), max_bytes
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._size = sum(size for _, size, _ in self._entries())
        except OSError as error:
            raise InvalidRequest(f"no cache in `{folder}`: {error.strerror}") from None
        self._complained = False
        self._counting = threading.Lock()

    def get(self, key: str) -> Spoken | None:
        """The segment of that name, None where there is none or its file is broken."""
        path = self._path(key)
        try:
            spoken = _read(path)
            os.utime(path)
        except FileNotFoundError:
            return None
        except (OSError, SafetensorError, SpeechError, KeyError, ValueError, TypeError) as error:
            logger.warning("a cached segment is broken and is made again: %s", _first_line(error))
            path.unlink(missing_ok=True)
            return None
        return spoken

    def put(self, key: str, spoken: Spoken) -> None:
        content = _content(spoken)
        part = self.folder / f"{key}.{secrets.token_hex(4)}{PARTIAL}"
        try:
            with part.open("xb") as file:
                file.write(content)
                file.flush()
                os.fsync(file.fileno())  # a name must not outlive its content
            part.replace(self._path(key))
        except OSError as error:
            part.unlink(missing_ok=True)
            if not self._complained:
                self._complained = True
                logger.warning("segments are not kept: %s: %s", self.folder, error.strerror)
            return
        with self._counting:
            self._size += len(content)
            if self._size > self.max_bytes:
                self._shrink(self._path(key))

    def _path(self, key: str) -> Path:
        return self.folder / f"{key}{SUFFIX}"

    def _entries(self) -> list[tuple[float, int, Path]]:
        """When each file was last used, its size and path; unfinished ones that are old go."""
        entries = []
        with os.scandir(self.folder) as found:
            for item in found:
                try:
                    about = item.stat()
                except FileNotFoundError:  # another process was quicker
                    continue
                path = Path(item.path)
                if path.suffix == SUFFIX:
                    entries.append((about.st_mtime, about.st_size, path))
                elif path.suffix == PARTIAL and time.time() - about.st_mtime > STALE_S:
                    path.unlink(missing_ok=True)
        return entries

    def _shrink(self, newest: Path) -> None:
        entries = sorted(self._entries())
        self._size = sum(size for _, size, _ in entries)
        for _, size, path in entries:
            if self._size <= LEFT * self.max_bytes:
                break
            if path != newest:
                path.unlink(missing_ok=True)
                self._size -= size


def _content(spoken: Spoken) -> bytes:
    """A safetensors file: codes, and the sound as flac, which keeps every sample."""
    sound = BytesIO()
    if len(spoken.pcm):
        write_audio(sound, spoken.wave, spoken.sample_rate, format="flac")
    tensors: dict[str, NDArray[Any]] = {
        "codes": np.ascontiguousarray(spoken.codes, np.int32),
        "sound": np.frombuffer(sound.getvalue(), np.uint8),
    }
    about = {
        "seed": spoken.seed,
        "finish_reason": spoken.finish_reason,
        "attempts": spoken.attempts,
        "sample_rate": spoken.sample_rate,
        "digest": _digest(tensors),
    }
    metadata = {"format": FORMAT, "version": VERSION, "spoken": json.dumps(about)}
    return save(tensors, metadata)


def _read(path: Path) -> Spoken:
    with path.open("rb"):  # else a missing file is an error like any other
        pass
    with safe_open(path, "numpy") as file:
        metadata = file.metadata() or {}
        tensors: dict[str, NDArray[Any]] = {
            name: file.get_tensor(name) for name in ("codes", "sound")
        }
    about = json.loads(metadata["spoken"])
    if metadata.get("format") != FORMAT or about["digest"] != _digest(tensors):
        raise ValueError(f"{path.name} is damaged")
    rate, sound = int(about["sample_rate"]), tensors["sound"].tobytes()
    wave = read_audio(sound)[0] if sound else np.zeros(0, np.float32)
    return Spoken.of(
        wave,
        rate,
        tensors["codes"].astype(np.int64),
        seed=int(about["seed"]),
        finish_reason=str(about["finish_reason"]),
        attempts=int(about["attempts"]),
        cached=True,
    )


def _digest(tensors: dict[str, NDArray[Any]]) -> str:
    digest = hashlib.blake2b(digest_size=16)
    for name in sorted(tensors):
        digest.update(f"{name} {tensors[name].shape}".encode())
        digest.update(tensors[name].tobytes())
    return digest.hexdigest()


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0][:200]
