"""The ways to speak a list of sentences: the teacher's, through the codec, by the checkpoint."""

import json
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from listening import teacher
from listening.score import Take
from qwen3_tts.audio.files import Wave
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.engine.codec import Codec
from qwen3_tts.types import Codes, Sampling, Speech, SpeechRequest, Voice

# What a base checkpoint clones the teacher's voice from.
REFERENCE = "A quick look around the harbour showed seven boats and nobody on board."
FRAME = 1_920  # samples


def taught(waves: Sequence[Wave]) -> list[Take]:
    """The teacher's own waves."""
    return [Take(wave) for wave in waves]


def decoded(codec: Codec, codes: Sequence[Codes]) -> list[Take]:
    """Codes made elsewhere, through the decoder."""
    return _timed(codec.decode, codes)


def resynthesised(codec: Codec, waves: Sequence[Wave]) -> list[Take]:
    """Waves through the codec's encoder and decoder."""
    return _timed(lambda wave: codec.decode(codec.encode(wave, teacher.RATE)), waves)


def _timed(make: Callable[[Any], Wave], sources: Sequence[Any]) -> list[Take]:
    takes = []
    for source in sources:
        begun_s = time.perf_counter()
        wave = make(source)
        takes.append(Take(wave, time.perf_counter() - begun_s))
    return takes


@dataclass(frozen=True)
class Asked:
    """How the checkpoint is asked to speak."""

    voice: str | None = None  # a preset; a base checkpoint clones the teacher instead
    language: str = "Auto"
    instruct: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    seed: int = 0  # of the first sentence; each has its own
    max_frames: int | None = None
    rows: int = 1  # sentences at a time


def spoken(
    tts: Qwen3Synthesizer, texts: Sequence[str], asked: Asked, voice: str, *, text_first: bool
) -> list[Take]:
    """Sentences as the checkpoint speaks them, `voice` being the teacher's."""
    given: str | Voice | None = asked.voice
    if tts.kind == "base":
        given = tts.clone_voice((teacher.speak(REFERENCE, voice), teacher.RATE), text=REFERENCE)
    requests = [
        SpeechRequest(
            text,
            voice=given,
            language=asked.language,
            instruct=asked.instruct,
            sampling=asked.sampling,
            seed=asked.seed + i,
            max_frames=asked.max_frames,
            text_first=text_first,
        )
        for i, text in enumerate(texts)
    ]
    takes: list[Take] = []
    for start in range(0, len(requests), asked.rows):
        begun_s = time.perf_counter()
        speeches = tts.synthesize_batch(requests[start : start + asked.rows])
        spent_s = (time.perf_counter() - begun_s) / len(speeches)
        takes += [_take(speech, spent_s) for speech in speeches]
    return takes


def read_codes(path: Path, texts: Sequence[str], corpus: Path | None, voice: str) -> list[Codes]:
    """Codes of the sentences, from a file.

    With `corpus`, a folder of `qwen3_tts.train.recipe`, `path` is a .npy of one frame a row beside
    its sound, and sentences are found by text and speaker. Without, `path` is a .npz of one array
    a sentence, in their order. Raises `ValueError` where sentences are missing.
    """
    if corpus is None:
        with np.load(path) as file:
            codes = [np.asarray(array, dtype=np.int64) for array in file.values()]
        if len(codes) < len(texts):
            raise ValueError(f"{path} has codes of {len(codes)} sentences, not {len(texts)}")
        return codes[: len(texts)]
    frames = np.load(path, mmap_mode="r")
    places = dict(_places(corpus, voice))
    if missing := [text for text in texts if text not in places]:
        raise ValueError(f"{corpus} lacks {len(missing)} sentences of {voice}, as {missing[0]!r}")
    return [np.array(frames[places[text]], dtype=np.int64) for text in texts]


def _places(corpus: Path, voice: str) -> Iterator[tuple[str, slice]]:
    """(text, frames) of a voice's utterances."""
    with (corpus / "utterances.jsonl").open(encoding="utf-8") as lines:
        for line in lines:
            entry: dict[str, Any] = json.loads(line)
            if entry["speaker"] == voice:
                start = entry["start"] // FRAME
                yield entry["text"], slice(start, start + entry["samples"] // FRAME)


def _take(speech: Speech, spent_s: float) -> Take:
    return Take(speech.wave, spent_s, speech.finish_reason, speech.retries)
