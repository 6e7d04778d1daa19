"""A corpus of utterances as codes and text, ready to be laid out.

The folder holds utterances.jsonl (one utterance a line), codes.npy (int16 [frames, K], all
utterances one after the other) and codec/ (the codec that made and speaks the codes).
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.errors import InvalidConfig, ModelNotFound
from qwen3_tts.prompt.tokenizer import TextTokenizer
from qwen3_tts.train.alignment import Word, character_times, frame_units, unit_characters
from qwen3_tts.train.recipe.corpus import FRAME, SAMPLE_RATE

SPLITS = ("train", "held_out")


@dataclass(frozen=True)
class Utterance:
    """One line of utterances.jsonl; `first` and `frames` index codes.npy."""

    id: str
    text: str
    speaker: str
    language: str
    split: str
    first: int
    frames: int
    words: tuple[Word, ...]


@dataclass(frozen=True)
class Item:
    """An utterance as ids."""

    utterance: Utterance
    text: tuple[int, ...]
    # [T + 1, 2], first and last text unit of every frame, unit U being the end; first > last where
    # that is not known
    units: NDArray[np.int16]


@dataclass(frozen=True)
class Corpus:
    folder: Path
    utterances: tuple[Utterance, ...]
    codes: NDArray[np.int16]  # [frames, K], memory-mapped

    @staticmethod
    def open(folder: Path) -> "Corpus":
        """Read the list and map the codes. Raises `ModelNotFound` or `InvalidConfig`."""
        listing, codes_file = folder / "utterances.jsonl", folder / "codes.npy"
        for path in (listing, codes_file):
            if not path.is_file():
                raise ModelNotFound(f"no {path.name} in {folder}; a corpus has one")
        codes = np.load(codes_file, mmap_mode="r")
        if codes.ndim != 2 or codes.dtype != np.int16:
            raise InvalidConfig(f"{codes_file} is {codes.dtype} {codes.shape}, not int16 [T, K]")
        utterances = []
        with listing.open(encoding="utf-8") as lines:
            for number, line in enumerate(lines, start=1):
                if line.strip():
                    found = _utterance(json.loads(line), f"{listing} line {number}", len(codes))
                    utterances.append(found)
        return Corpus(folder, tuple(utterances), codes)

    @property
    def num_code_groups(self) -> int:
        return int(self.codes.shape[1])

    def of(self, split: str) -> list[Utterance]:
        return [utterance for utterance in self.utterances if utterance.split == split]

    def frames(self, utterance: Utterance) -> NDArray[np.int16]:
        """Codes [T, K]."""
        return self.codes[utterance.first : utterance.first + utterance.frames]

    def speakers(self) -> list[str]:
        """Names in lower case, in the order in which they come up."""
        return list(dict.fromkeys(utterance.speaker for utterance in self.utterances))

    def languages(self) -> list[str]:
        return list(dict.fromkeys(utterance.language for utterance in self.utterances))


def prepare(utterance: Utterance, tokenizer: TextTokenizer, unit_bytes: dict[int, int]) -> Item:
    """Ids of an utterance's text and the units that each frame speaks."""
    ids = tokenizer.target(utterance.text)
    if not utterance.words:  # nobody knows when each is said: the model finds out by itself
        return Item(
            utterance, tuple(ids), np.tile(np.array([1, 0], np.int16), (utterance.frames + 1, 1))
        )
    lengths = [unit_bytes[token] for token in ids]
    characters = unit_characters(utterance.text, lengths)
    duration_s = utterance.frames * FRAME / SAMPLE_RATE
    bounds = character_times(utterance.text, utterance.words, duration_s)
    speech_end_s = utterance.words[-1][3]
    units = frame_units(characters, bounds, utterance.frames, speech_end_s)
    return Item(utterance, tuple(ids), units)


def read_unit_bytes(folder: Path) -> dict[int, int]:
    """How many bytes of text each token of a tokenizer stands for."""
    vocab = json.loads((folder / "vocab.json").read_text(encoding="utf-8"))
    return {token_id: len(symbol) for symbol, token_id in vocab.items()}


def _utterance(data: dict[str, Any], where: str, num_frames: int) -> Utterance:
    first, rest = divmod(data["start"], FRAME)
    frames, part = divmod(data["samples"], FRAME)
    if rest or part or frames < 1 or first + frames > num_frames:
        raise InvalidConfig(
            f"{where}: {data['samples']} samples from {data['start']} are not whole frames of "
            f"the {num_frames} in codes.npy"
        )
    if data["split"] not in SPLITS:
        raise InvalidConfig(f"{where}: split {data['split']!r} is not of {SPLITS}")
    return Utterance(
        id=str(data["id"]),
        text=data["text"],
        speaker=data["speaker"].lower(),
        language=data["language"].lower(),
        split=data["split"],
        first=first,
        frames=frames,
        words=tuple((int(a), int(b), float(s), float(e)) for a, b, s, e in data["words"]),
    )
