"""What the speed benches share: a speaker to measure, a listener, timed calls, the machine.

Nothing here says what is good or bad.
"""

import argparse
import json
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch
from models import DTYPES, model_folder, random_model

import qwen3_tts
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.engine.chunks import FRAME_S
from qwen3_tts.engine.options import EngineOptions
from qwen3_tts.engine.stream import Stream
from qwen3_tts.types import Timing, Voice

# What a trained model reads for some 20 s, in 80 tokens or so.
TEXT = "It was a bright cold day in the north, and all the clocks of the town struck at once. " * 4
MOST_POSITIONS = 4096  # of one row


def options_of(about: str, streams: str) -> argparse.ArgumentParser:
    """The options that every bench has."""
    parser = argparse.ArgumentParser(description=about)
    model = parser.add_mutually_exclusive_group()
    model.add_argument("--model", help="a checkpoint's folder or hub id, instead of random weights")
    model.add_argument("--size", default="tiny", choices=["tiny", "0.6B", "1.7B"])
    parser.add_argument("--dtype", default="float32", choices=list(DTYPES))
    parser.add_argument("--quantize", default="none", help="none, int8, int4 or auto")
    parser.add_argument("--keep", type=Path, help="where random models stay from run to run")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--frames", type=int, default=50, help="length of every stream")
    parser.add_argument("--repeat", type=int, default=5, help="runs; tables give their medians")
    parser.add_argument("--streams", type=numbers, default=numbers(streams), help=streams)
    return parser


def numbers(text: str) -> list[int]:
    """1,2,4 as a list."""
    return [int(part) for part in text.split(",") if part]


@contextmanager
def speaker(options: argparse.Namespace) -> Iterator["Speaker"]:
    """The model that `options` name, with a row for each of the most streams asked for."""
    torch.set_num_threads(options.threads)
    rows = max(options.streams)
    engine = EngineOptions(max_rows=rows, max_positions=rows * MOST_POSITIONS)
    with model_folder(options.keep) as keep:
        folder = options.model or random_model(keep, options.size, options.dtype)
        tts = qwen3_tts.load(
            folder, device="cpu", dtype=options.dtype, quantize=options.quantize, options=engine
        )
        with tts:
            yield Speaker(tts, options.frames, spells=not options.model)


class Speaker:
    """A synthesizer asked for streams of equal length, each with a seed and a text of its own.

    `spells`: its text tokens are single bytes.
    """

    def __init__(self, tts: Qwen3Synthesizer, frames: int, spells: bool):
        self.tts, self.frames, self.seed = tts, frames, 0
        self.loop, self.slots = tts.engine.loop, tts.engine.loop.slots
        config = tts.config.talker_config
        vector = np.ones(config.hidden_size, dtype=np.float32)
        self.voice = Voice(vector) if tts.kind == "base" else None
        self.characters = 1 if spells else 4  # in a token, about
        self.text = self.text_of(80)

    def text_of(self, tokens: int) -> str:
        """A text of about so many tokens."""
        length = tokens * self.characters
        return (TEXT * (length // len(TEXT) + 1))[:length]

    def ask(self, text: str = "", frames: int = 0) -> dict[str, Any]:
        """Keywords of the next request."""
        self.seed += 1
        text = text or self.text
        start = self.seed % len(text)
        return {
            "text": text[start:] + text[:start],  # a prompt known from before is read no more
            "voice": self.voice,
            "text_first": True,
            "max_frames": frames or self.frames,
            "seed": self.seed,
            "guard": "off",
        }

    def stream(self, text: str = "", frames: int = 0) -> "Listener":
        request = self.ask(text, frames)
        asked_s = time.perf_counter()
        return Listener(self.tts.stream(**request), asked_s)

    def positions(self, text: str) -> int:
        """Positions of the prompt that this text becomes."""
        request = qwen3_tts.SpeechRequest(**self.ask(text))
        return len(self.tts.engine.planner.plan(request).prompt)


@dataclass
class Listener:
    """Whoever asked for a stream, with a player that starts at the first chunk."""

    stream: Stream
    asked_s: float
    arrivals: list[float] = field(default_factory=list)  # of chunks that hold sound
    lengths: list[float] = field(default_factory=list)  # seconds of sound in them

    def hear(self, chunks: int = 0) -> "Listener":
        """Take all chunks, or the first few; to be called in a thread of its own."""
        for chunk in self.stream:
            if len(chunk.wave):
                self.arrivals.append(time.perf_counter())
                self.lengths.append(len(chunk.wave) / self.stream.sample_rate)
            if chunks and len(self.arrivals) >= chunks:
                break
        return self

    @property
    def first_s(self) -> float:
        return self.arrivals[0] - self.asked_s

    @property
    def first_frames(self) -> int:
        """Frames of the first chunk, which is larger where small ones would leave gaps."""
        return round(self.lengths[0] / FRAME_S)

    @property
    def audio_s(self) -> float:
        return sum(self.lengths)

    @property
    def timing(self) -> Timing:
        return self.stream.timing

    @property
    def gaps(self) -> list[float]:
        """Seconds from chunk to chunk."""
        return [b - a for a, b in zip(self.arrivals, self.arrivals[1:], strict=False)]

    @property
    def underruns(self) -> list[float]:
        """Seconds of silence before chunks that came after the player had run dry."""
        dry_s, silences = self.arrivals[0], []
        for arrival_s, length_s in zip(self.arrivals, self.lengths, strict=True):
            if arrival_s > dry_s:
                silences.append(arrival_s - dry_s)
            dry_s = max(dry_s, arrival_s) + length_s
        return silences


def timed(owner: object, name: str) -> list[tuple[float, float]]:
    """Replace a method by one that notes start and end of its calls in the list returned."""
    function: Callable[..., Any] = getattr(owner, name)
    calls: list[tuple[float, float]] = []

    def noted(*args: Any, **keywords: Any) -> Any:
        start_s = time.perf_counter()
        result = function(*args, **keywords)
        calls.append((start_s, time.perf_counter()))
        return result

    setattr(owner, name, noted)
    return calls


def durations(calls: Iterable[tuple[float, float]]) -> list[float]:
    return [end - start for start, end in calls]


def median(values: Iterable[float]) -> float:
    held = list(values)
    return statistics.median(held) if held else 0.0


def machine(options: argparse.Namespace) -> dict[str, Any]:
    """What the numbers belong to. The load average tells whether others used the cores."""
    return {
        "model": options.model or f"random {options.size}",
        "dtype": options.dtype,
        "quantize": options.quantize,
        "device": "cpu",
        "cpus": len(os.sched_getaffinity(0)),
        "threads": torch.get_num_threads(),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "torch": torch.__version__,
        "python": platform.python_version(),
        "platform": platform.platform(),
        "frames": options.frames,
        "repeat": options.repeat,
    }


def headline(about: dict[str, Any]) -> str:
    return (
        f"{about['model']}, {about['dtype']}, quantize {about['quantize']}, "
        f"{about['threads']} threads on {about['cpus']} cores "
        f"(load {about['load_average'][0]}), torch {about['torch']}; "
        f"{about['frames']} frames a stream, {about['repeat']} runs"
    )


def table(head: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Print columns, numbers to the right."""
    lines = [list(head), *([str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(head))]
    for line in lines:
        first = line[0].ljust(widths[0])
        rest = (cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True))
        print("  ".join([first, *rest]).rstrip())
    print()


def finish(result: Any) -> None:
    """The line of JSON: seconds to the microsecond."""

    def rounded(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: rounded(inner) for key, inner in value.items()}
        return round(value, 6) if isinstance(value, float) else value

    print(json.dumps(rounded(result)))


def ms(seconds: float, digits: int = 2) -> str:
    return f"{seconds * 1e3:.{digits}f}"
