"""All voices of a library, read again only when something has changed.

A change of the library's folder is seen at once, whoever made it: a voice that comes, goes or is
prepared is one. A change by hand inside a voice's folder takes a look at all files; such looks are
made as often as they take no more than a twentieth of the time.
"""

import contextlib
import json
import logging
import os
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from qwen3_tts.errors import InvalidVoice
from qwen3_tts.voices.names import is_id, name_key
from qwen3_tts.voices.reading import VoiceEntry, read_entry, read_manifest

logger = logging.getLogger(__name__)

# Times of folders go in steps, of 1 to 10 ms on common systems: what changed twice in one of them
# looks unchanged. Where steps are longer, the second change waits for the next look.
SETTLED_NS = 50 * 10**6
LOOK_SHARE = 20
MOST_FILES = 100  # that are looked at in a voice's folder

Stamp = tuple[int, int, int]
Signature = tuple[object, ...]  # of files; equal when nothing has changed


@dataclass(frozen=True)
class Listing:
    """What was found at one time."""

    entries: tuple[VoiceEntry, ...]  # sorted by name
    by_id: dict[str, VoiceEntry]
    by_key: dict[str, VoiceEntry]  # of names and ids, whatever their case; ids go first
    stamp: Stamp | None  # of the library's folder
    settled: bool
    fresh_until_s: float  # on the monotonic clock


class Reader:
    """Reads one folder for any number of threads."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._lock = threading.Lock()
        self._listing: Listing | None = None
        # by id: the files as they were, and the voice or what is wrong with it
        self._known: dict[str, tuple[Signature, VoiceEntry | str]] = {}
        self._told: set[str] = set()  # what is wrong, and was logged

    def current(self) -> Listing:
        """Raises `InvalidVoice` if the folder cannot be read."""
        with self._lock:
            now = self._listing
            if now is None or not now.settled or time.monotonic() > now.fresh_until_s:
                return self._look()
            return now if now.stamp == self._stamp() else self._look()

    def forget(self) -> None:
        """Something was written just now."""
        with self._lock:
            self._listing = None

    def _stamp(self) -> Stamp | None:
        try:
            about = self.folder.stat()
        except (FileNotFoundError, NotADirectoryError):
            return None
        return about.st_mtime_ns, about.st_ino, about.st_dev

    def _look(self) -> Listing:
        began_s, stamp = time.monotonic(), self._stamp()
        settled = stamp is None or time.time_ns() - stamp[0] > SETTLED_NS
        found = self._read() if stamp is not None else {}
        entries = sorted(found.values(), key=lambda entry: (name_key(entry.name), entry.id))
        by_key = {name_key(entry.name): entry for entry in reversed(entries)}
        by_key |= {name_key(entry.id): entry for entry in entries}
        took_s = time.monotonic() - began_s
        self._listing = Listing(
            tuple(entries), found, by_key, stamp, settled, began_s + (1 + LOOK_SHARE) * took_s
        )
        return self._listing

    def _read(self) -> dict[str, VoiceEntry]:
        """Every voice that is not broken, by id; files that are as they were are not opened."""
        root = self.folder.resolve()
        listed, complaints = read_manifest(root)
        signatures = {}
        for folder in self._folders(root):
            if is_id(folder.name):
                signatures[folder.name] = _folder_signature(folder.path)
            else:
                complaints.append(f"{folder.name!r:.80} is no voice's id")
        known = {}
        for voice_id in {**signatures, **listed}:
            about = listed.get(voice_id, {})
            signature = (signatures.get(voice_id), json.dumps(about, sort_keys=True))
            before = self._known.get(voice_id)
            if before is None or before[0] != signature:
                before = _entry(root, voice_id, about, signature)
            known[voice_id] = before
        self._known = known
        complaints += [str(entry) for _, entry in known.values() if isinstance(entry, str)]
        self._tell(root, set(complaints))
        return {
            voice_id: entry for voice_id, (_, entry) in known.items() if not isinstance(entry, str)
        }

    def _tell(self, root: Path, complaints: set[str]) -> None:
        for complaint in sorted(complaints - self._told):
            logger.warning("left out of the voices in %s: %s", root, complaint)
        self._told = complaints

    @staticmethod
    def _folders(root: Path) -> "list[os.DirEntry[str]]":
        try:
            with os.scandir(root) as found:
                return [each for each in found if each.name[0] != "." and _is_folder(each)]
        except OSError as error:
            raise InvalidVoice(f"cannot read voices from {root}: {error.strerror}") from None


def _is_folder(each: "os.DirEntry[str]") -> bool:
    try:
        return each.is_dir()
    except OSError:  # a ring of links
        return False


def _entry(
    root: Path, voice_id: str, about: Mapping[str, Any], signature: Signature
) -> tuple[Signature, VoiceEntry | str]:
    try:
        return signature, read_entry(root, voice_id, about)
    except InvalidVoice as error:
        return signature, f"{voice_id}: {error}"
    except OSError as error:  # which may pass, so the next look tries again
        return (), f"{voice_id}: {error.strerror}"


def _folder_signature(folder: str) -> Signature:
    """Names, times and sizes of the files of a voice; empty if they are gone."""
    files = []
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        for file, _ in zip(found, range(MOST_FILES), strict=False):
            with contextlib.suppress(OSError):  # a link to nowhere
                about = file.stat()
                files.append((file.name, about.st_mtime_ns, about.st_size, about.st_ino))
    return tuple(sorted(files))
