"""Is a cached file the one the hub names? Hash it once, remember the answer, share it by links.

The hub's cache names every file by the hash of its content, so a name is all it takes to check a
file and to find the same file in another repository. A digest is 64 hexadecimal digits (SHA-256,
files in large-file storage) or 40 (the SHA-1 git gives to a blob, all others).
"""

import contextlib
import hashlib
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

DIGEST = re.compile(r"[0-9a-f]{64}|[0-9a-f]{40}")
_CHUNK_BYTES = 1 << 20


def content_digest(path: Path, like: str) -> str:
    """The digest of a file's content, of the kind that `like` is by its length."""
    if len(like) == 64:
        digest = hashlib.sha256()
    else:
        digest = hashlib.sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def is_intact(path: Path, digest: str, repo_folder: Path) -> bool:
    """Whether the content of `path` has this digest.

    The answer yes is kept in `repo_folder` with the file's size and time of change; while those
    stay the same the file is not read again. A cache that cannot be written to is hashed anew.
    """
    state = _state(path)  # before the content: a change while it is read must not be missed
    try:
        if _marker(digest, repo_folder).read_text(encoding="ascii") == state:
            return True
    except (OSError, UnicodeDecodeError):
        pass  # no marker yet, or not one of ours: the content decides
    if content_digest(path, digest) != digest:
        return False
    with contextlib.suppress(OSError):  # in a read-only cache the next load hashes again
        write_text(_marker(digest, repo_folder), state)
    return True


def remember(path: Path, digest: str, repo_folder: Path) -> None:
    """Note that `path`, known to be intact under another name, has this digest."""
    write_text(_marker(digest, repo_folder), _state(path))


def twins(digest: str, cache: Path) -> Iterator[tuple[Path, Path]]:
    """Files of this digest in any repository of the cache, each with its repository's folder."""
    for blob in sorted(cache.glob(f"models--*/blobs/{digest}")):
        if blob.is_file():
            yield blob, blob.parent.parent


def named_digest(pointer: Path) -> str | None:
    """The digest a snapshot's file should have: the name it links to; None if it is no link."""
    if not pointer.is_symlink():
        return None
    name = Path(os.readlink(pointer)).name
    return name if DIGEST.fullmatch(name) else None


def adopt(source: Path, target: Path) -> None:
    """Give the content of `source` a second name that outlives the first, if the disk allows."""
    _place(source, target, (_hard_link, _symbolic_link, shutil.copy2))


def point(target: Path, pointer: Path) -> None:
    """Make `pointer` a relative link to `target`, as the hub's own cache does; else a twin."""
    if not (pointer.is_file() and _state(pointer) == _state(target)):
        _place(target, pointer, (_symbolic_link, _hard_link, shutil.copy2))


def write_text(path: Path, text: str) -> None:
    """Write a small file so that readers see the old text or the new, never a part."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(path)
    try:
        temporary.write_text(text, encoding="ascii")
        temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


def _place(source: Path, target: Path, ways: tuple[Callable[[Path, Path], object], ...]) -> None:
    """Put `source` at `target`, in one step, by the first way the file system supports."""
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = _temporary(target)
    try:
        for way in ways:
            try:
                way(source, temporary)
                break
            except OSError:
                if way is ways[-1]:
                    raise
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _hard_link(source: Path, target: Path) -> None:
    os.link(source.resolve(), target)  # resolved: a link to a link would not outlive the first


def _symbolic_link(source: Path, target: Path) -> None:
    os.symlink(os.path.relpath(source, target.parent), target)


def _marker(digest: str, repo_folder: Path) -> Path:
    return repo_folder / ".verified" / digest


def _state(path: Path) -> str:
    """What changes whenever a file is written to."""
    stat = path.stat()
    return f"{stat.st_size} {stat.st_mtime_ns}"


def _temporary(path: Path) -> Path:
    return path.with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.tmp")
