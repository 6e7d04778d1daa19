"""Writing so that a crash leaves nothing half-made, and so that processes take turns.

What is new is built in a hidden folder, brought to the disk, and renamed. All this happens under
one lock of the library, so a hidden folder found by whoever holds it is what a crash left behind.
"""

import contextlib
import errno
import os
import secrets
import shutil
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from qwen3_tts.errors import DiskFull, InvalidVoice

LOCK, LEFTOVER = ".lock", ".part-"
LOCK_S = 30.0  # a write takes milliseconds
FULL = (errno.ENOSPC, errno.EDQUOT)


@contextlib.contextmanager
def writing(root: Path) -> Iterator[None]:
    """Make the folder, be the only writer, and report what the system refuses.

    Raises `DiskFull`, and `InvalidVoice` for other refusals.
    """
    with reported(root):
        root.mkdir(parents=True, exist_ok=True)
        try:
            with FileLock(root / LOCK, timeout=LOCK_S, poll_interval=0.01):
                for path in root.glob(f"{LEFTOVER}*"):
                    discard(path)
                yield
        except Timeout:
            raise InvalidVoice(
                f"another process has been writing to {root} for {LOCK_S:.0f} s"
            ) from None


@contextlib.contextmanager
def reported(root: Path) -> Iterator[None]:
    try:
        yield
    except (OSError, InvalidVoice) as error:
        # a voice file that cannot be written tells why in the error before it
        cause = error if isinstance(error, OSError) else error.__context__
        if isinstance(cause, OSError) and cause.errno in FULL:
            raise DiskFull(f"no space is left for voices in {root}") from None
        if isinstance(error, InvalidVoice):
            raise
        raise InvalidVoice(f"cannot write voices to {root}: {error.strerror or error}") from None


@contextlib.contextmanager
def new_folder(root: Path) -> Iterator[Path]:
    """A hidden folder to build in; what is still in it at the end is thrown away."""
    path = root / f"{LEFTOVER}{secrets.token_hex(8)}"
    path.mkdir()
    try:
        yield path
    finally:
        discard(path)


def publish(path: Path, target: Path) -> None:
    """Give what was built its name, when all of it is on the disk."""
    if path.is_dir():
        for file in path.iterdir():
            sync(file)
    sync(path)
    os.replace(path, target)
    sync(target.parent)


def sync(path: Path) -> None:
    if os.name == "nt" and path.is_dir():
        return  # Windows opens no folders
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def discard(path: Path) -> None:
    """Remove a file, a link or a folder; one that is gone is fine."""
    if path.is_dir() and not path.is_symlink():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def remove(root: Path, name: str) -> None:
    """Take a folder or link away at once, and its content after that."""
    hidden = root / f"{LEFTOVER}{secrets.token_hex(8)}"
    os.replace(root / name, hidden)
    sync(root)
    discard(hidden)
