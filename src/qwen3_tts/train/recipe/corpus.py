"""The speech a nano checkpoint learns from: a folder of utterances, built offline by a teacher.

    utterances.jsonl   one utterance a line: text, speaker, where its sound lies, where words are
    audio.i16          all sound, int16 at 24 kHz, each utterance padded to whole frames
    phones.npy         phone of every 16 ms, as an index into phones.json
    phones.json        the phones' names

Frame `i` of the whole corpus is `audio[1920 * i : 1920 * (i + 1)]`, so codes are one array beside
it. Both arrays are memory-mapped by their readers: hours of sound never fill the memory.
"""

import json
import multiprocessing
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.audio.files import resample
from qwen3_tts.errors import InvalidRequest
from qwen3_tts.train.recipe.flite import Flite, Spoken

SAMPLE_RATE = 24_000
FRAME = 1_920  # samples of one 80 ms frame
STEP = FRAME // 5  # samples of one sub-frame, the grid of phone labels
LEAD_S = 0.08  # quiet before the first phone: one frame, so that it begins on a frame border
TAIL_S = 0.12  # and after the last
DERIVED = ("books.pt", "codes.npy")  # see `train.books`
LEVEL = 0.08  # root mean square of every voice's corpus, full scale 1


@dataclass(frozen=True)
class Utterance:
    """One line of utterances.jsonl."""

    id: int
    text: str
    speaker: str
    language: str
    split: str  # "train" | "held_out"
    start: int  # first sample, a multiple of FRAME
    samples: int  # likewise
    words: list[tuple[int, int, float, float]]  # characters from, to; seconds from, to


def read_utterances(folder: Path) -> list[Utterance]:
    with (folder / "utterances.jsonl").open(encoding="utf-8") as lines:
        return [Utterance(**json.loads(line)) for line in lines]


def read_audio(folder: Path) -> NDArray[np.int16]:
    """All sound, memory-mapped."""
    return np.memmap(folder / "audio.i16", dtype=np.int16, mode="r")


@dataclass(frozen=True)
class Line:
    """One sentence to be spoken."""

    text: str
    speaker: str
    language: str
    split: str


def build_corpus(
    folder: Path,
    lines: Sequence[Line],
    *,
    workers: int,
    progress: Callable[[int], None] = lambda done: None,
) -> None:
    """Speak every line into `folder`, in order; lines a teacher cannot read are left out.

    `progress` is told how many lines are done. What other modules made of an earlier corpus in
    this folder is removed, as it would not fit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    for name in DERIVED:
        (folder / name).unlink(missing_ok=True)
    names: dict[str, int] = {}
    labels: list[NDArray[np.uint8]] = []
    position = 0
    with (
        (folder / "utterances.jsonl").open("w", encoding="utf-8") as table,
        (folder / "audio.i16").open("wb") as sound,
    ):
        cuts = _speak_all(lines, workers)
        for done, (line, cut) in enumerate(zip(lines, cuts, strict=True), start=1):
            progress(done)
            if cut is None:
                continue
            wave, words, phones = cut
            entry = Utterance(
                len(labels), line.text, line.speaker, line.language, line.split,
                position, len(wave), words,
            )  # fmt: skip
            sound.write(wave.tobytes())
            table.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")
            labels.append(_label(phones, len(wave), names))
            position += len(wave)
    if not labels:
        raise InvalidRequest(f"none of the {len(lines)} lines can be spoken")
    np.save(folder / "phones.npy", np.concatenate(labels))
    (folder / "phones.json").write_text(json.dumps(list(names)))


Cut = tuple[NDArray[np.int16], list[tuple[int, int, float, float]], list[tuple[str, float]]]


def _speak_all(lines: Sequence[Line], workers: int) -> Iterator[Cut | None]:
    if workers == 1:
        yield from map(_speak, lines)
        return
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        yield from pool.imap(_speak, lines, chunksize=16)


@cache
def _teacher(voice: str) -> tuple[Flite, float]:
    """A voice and the gain that brings it to `LEVEL`."""
    teacher = Flite(voice)
    said = teacher.speak("The birch canoe slid on the smooth planks, and nobody saw it go.")
    wave = said.wave / 32768
    return teacher, LEVEL / float(np.sqrt(np.mean(wave**2)))


def _speak(line: Line) -> Cut | None:
    teacher, gain = _teacher(line.speaker)
    said = teacher.speak(line.text)
    words = match_words(line.text, said.tokens)
    if words is None or len(said.phones) < 3:
        return None
    return cut(said, words, gain)


def match_words(
    text: str, tokens: Sequence[tuple[str, float, float]]
) -> list[tuple[int, int, float, float]] | None:
    """Where in `text` each token stands; None if a token is not found in order."""
    words, position = [], 0
    for name, start, end in tokens:
        at = text.find(name, position)
        if at < 0:
            return None
        position = at + len(name)
        words.append((at, position, start, end))
    return words


def cut(said: Spoken, words: Sequence[tuple[int, int, float, float]], gain: float) -> Cut:
    """Trim the quiet at both ends, resample, pad to whole frames."""
    first = said.phones[0][1] - LEAD_S if said.phones[0][0] == "pau" else -LEAD_S
    last = said.phones[-2][1] if said.phones[-1][0] == "pau" else said.phones[-1][1]
    wave = said.wave.astype(np.float32) * (gain / 32768)
    wave = resample(wave, said.sample_rate, SAMPLE_RATE)
    start = round(first * SAMPLE_RATE)
    wave = np.concatenate([np.zeros(max(0, -start), np.float32), wave[max(0, start) :]])
    frames = -(-round((last + TAIL_S - first) * SAMPLE_RATE) // FRAME)
    wave = wave[: frames * FRAME]
    wave = np.pad(wave, (0, frames * FRAME - len(wave)))
    pcm = (wave.clip(-1, 1) * 32767).round().astype(np.int16)
    shifted = [(a, b, round(s - first, 4), round(e - first, 4)) for a, b, s, e in words]
    return pcm, shifted, [(name, end - first) for name, end in said.phones]


def _label(
    phones: Sequence[tuple[str, float]], samples: int, names: dict[str, int]
) -> NDArray[np.uint8]:
    """The phone at the middle of every sub-frame, [samples / STEP]."""
    ends = np.array([end for _, end in phones])
    ids = np.array([names.setdefault(name, len(names)) for name, _ in phones], np.uint8)
    middles = (np.arange(samples // STEP) + 0.5) * (STEP / SAMPLE_RATE)
    labels: NDArray[np.uint8] = ids[np.searchsorted(ends, middles).clip(max=len(ids) - 1)]
    return labels


def spread(texts: Sequence[str], shares: Mapping[str, float], language: str) -> list[Line]:
    """Give each text to one speaker, in proportion to `shares`."""
    total = sum(shares.values())
    lines, debt = [], dict.fromkeys(shares, 0.0)
    for text in texts:
        for speaker, share in shares.items():
            debt[speaker] += share / total
        speaker = max(debt, key=lambda name: debt[name])
        debt[speaker] -= 1
        lines.append(Line(text, speaker, language, "train"))
    return lines


def describe(folder: Path) -> dict[str, Any]:
    """Counts and hours by speaker."""
    hours: dict[str, float] = {}
    utterances = read_utterances(folder)
    for entry in utterances:
        seconds = entry.samples / SAMPLE_RATE
        hours[entry.speaker] = hours.get(entry.speaker, 0) + seconds / 3600
    return {"utterances": len(utterances), "hours": {k: round(v, 2) for k, v in hours.items()}}
