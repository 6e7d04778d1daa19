"""A designed voice before it is one: a folder of takes, and what is known of them.

    <folder>/{design.json, take-1.wav, take-2.wav, ...}

`design.json` is written before the first take is spoken and after each one, so a run that ends in
the middle is gone on with, and nothing that was spoken is ever spoken over.
"""

import json
import os
import secrets
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from qwen3_tts.errors import InvalidRequest

MANIFEST, FORMAT, VERSION = "design.json", "qwen3-tts-design", 1
LARGEST = 1 << 20  # bytes
MOST_TAKES = 32
STRINGS = ("description", "text", "language", "model")


@dataclass(frozen=True)
class DesignTake:
    """One way of speaking the text. `ended` says how it ended, None while it is not spoken."""

    seed: int
    ended: str | None = None


@dataclass(frozen=True)
class Design:
    """A description, what is spoken, in which language ("auto" included) and by which model."""

    description: str
    text: str
    language: str
    model: str
    takes: tuple[DesignTake, ...] = ()

    def with_seeds(self, count: int, first: int) -> "Design":
        """With `count` takes, or as many as there are if that is more."""
        first = self.takes[0].seed if self.takes else first
        more = [DesignTake(first + index) for index in range(len(self.takes), count)]
        return replace(self, takes=(*self.takes, *more))

    def spoken(self, index: int, ended: str) -> "Design":
        takes = list(self.takes)
        takes[index] = replace(takes[index], ended=ended)
        return replace(self, takes=tuple(takes))


def take_path(folder: Path, index: int) -> Path:
    """Where the take of this index, which counts from 0, lies."""
    return folder / f"take-{index + 1}.wav"


def is_spoken(folder: Path, design: Design, index: int) -> bool:
    return design.takes[index].ended is not None and take_path(folder, index).is_file()


def write_design(folder: Path, design: Design) -> None:
    """The whole manifest or nothing of it."""
    about = {"format": FORMAT, "version": VERSION, **asdict(design)}
    part = folder / f".{MANIFEST}.{secrets.token_hex(4)}"
    part.write_text(json.dumps(about, ensure_ascii=True, indent=2) + "\n", encoding="utf-8")
    os.replace(part, folder / MANIFEST)


def read_design(folder: Path) -> Design | None:
    """The design in a folder, None where there is none. Raises `InvalidRequest` if it is broken."""
    try:
        with (folder / MANIFEST).open("rb") as file:
            content = file.read(LARGEST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    try:
        about = json.loads(content) if len(content) <= LARGEST else None
    except (ValueError, RecursionError):
        about = None
    design = _design(about)
    if design is None:
        raise InvalidRequest(
            f"`{folder / MANIFEST}` is not what `voice design` wrote; move it away"
        )
    return design


def _design(about: Any) -> Design | None:
    if not isinstance(about, dict) or (about.get("format"), about.get("version")) != (FORMAT, 1):
        return None
    takes: object = about.get("takes")
    words: dict[str, Any] = {key: about.get(key) for key in STRINGS}
    if not all(isinstance(word, str) for word in words.values()):
        return None
    if not isinstance(takes, list) or not 1 <= len(takes) <= MOST_TAKES:
        return None
    found = [_take(take) for take in takes]
    spoken = tuple(take for take in found if take is not None)
    return Design(**words, takes=spoken) if len(spoken) == len(takes) else None


def _take(about: Any) -> DesignTake | None:
    if not isinstance(about, dict):
        return None
    seed, ended = about.get("seed"), about.get("ended")
    if isinstance(seed, bool) or not isinstance(seed, int):
        return None
    if not (ended is None or isinstance(ended, str)):
        return None
    return DesignTake(seed, ended)
