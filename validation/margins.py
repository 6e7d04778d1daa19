"""How close the choices in the cases are: the gap between the best code and the next one.

    python validation/margins.py [--folder FOLDER]

Two correct programs may round a score differently by some 1e-5 and then choose another code where
two are that close. Cases are picked so that none is: run this after changing `cases` or the
weights, and take other seeds for the cases it marks.
"""

import argparse
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import cases
import checkpoints
import our_codec
import our_layers
import our_speech
import torch
from torch import Tensor

from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.engine import step
from qwen3_tts.engine.sampling import HeadOptions
from qwen3_tts.model.codec.codebooks import Codebook

DRAW, NEAREST = "draw", "nearest"
ENOUGH = {DRAW: 1e-4, NEAREST: 5e-5}  # of scores, and of distances to the codebooks' entries
Gaps = dict[str, float]


def gap(values: Tensor) -> float:
    """Between the two largest of each row, the least over rows."""
    best, second = values.double().topk(2, dim=-1).values.unbind(-1)
    return float((best - second).min())


@contextmanager
def recording() -> Iterator[Gaps]:
    """The least gap of all draws (of logarithmic scores) and of all nearest entries (distances)."""
    gaps = {DRAW: torch.inf, NEAREST: torch.inf}
    draw, nearest = step.draw, Codebook.nearest

    def draw_and_keep(scores: Tensor, options: HeadOptions, noise: Tensor) -> Tensor:
        race = torch.zeros_like(noise) if bool(options.greedy.all()) else -noise.log()
        gaps[DRAW] = min(gaps[DRAW], gap(kept(scores, options) + race))
        return draw(scores, options, noise)

    def nearest_and_keep(book: Codebook, x: Tensor) -> Tensor:
        entries = book.embedding_sum / book.cluster_usage[:, None]
        distances = torch.cdist(x.flatten(0, 1).double(), entries.double())
        gaps[NEAREST] = min(gaps[NEAREST], gap(-distances))
        return nearest(book, x)

    step.draw, Codebook.nearest = draw_and_keep, nearest_and_keep
    try:
        yield gaps
    finally:
        step.draw, Codebook.nearest = draw, nearest


def kept(scores: Tensor, options: HeadOptions) -> Tensor:
    """Scores as they are compared: scaled, without those that top-k drops."""
    if bool(options.greedy.all()):
        return scores
    scores = scores / options.temperature[:, None]
    least = scores.topk(options.widest_k, dim=-1).values[:, -1:]
    return scores.masked_fill(scores < least, -torch.inf)


def measure(folder: Path) -> Iterator[tuple[str, Gaps]]:
    """Smallest gaps of every case."""
    for name in cases.CHECKPOINTS:
        tts = our_speech.open_checkpoint(folder / name)
        for key, run in runs_of(name, tts, folder / name):
            with recording() as gaps:
                run()
            yield key, gaps
    with recording() as gaps:
        our_layers.run_layer(folder / "layers" / "quantizer-encode", "quantizer-encode")
    yield "quantizer-encode", gaps


def runs_of(
    checkpoint: str, tts: Qwen3Synthesizer, folder: Path
) -> Iterator[tuple[str, Callable[[], object]]]:
    """The cases of one checkpoint that make choices."""
    for case in cases.CASES.values():
        if case.checkpoint == checkpoint:
            yield case.name, partial(our_speech.speak, tts, folder, case)
    for key, (where, *about) in cases.ENCODES.items():
        if where == checkpoint:
            yield key, partial(our_codec.encode, tts.codec, *about)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", type=Path, help="checkpoints already written")
    given = parser.parse_args().folder
    with tempfile.TemporaryDirectory() as temporary:
        folder = given or Path(temporary)
        if given is None:
            checkpoints.write_all(folder)
        found = list(measure(folder))
    too_close = 0
    for name, gaps in found:
        close = [kind for kind, least in gaps.items() if least < ENOUGH[kind]]
        too_close += bool(close)
        values = "  ".join(f"{kind} {least:.1e}" for kind, least in gaps.items())
        print(f"{name:45} {values}{'   too close' if close else ''}")
    return int(too_close > 0)


if __name__ == "__main__":
    sys.exit(main())
