"""Runs of codec training: the loop around `codec`'s losses, for either half.

A run is told how long it may take; its learning rate follows the time spent, so that it ends well
whatever the machine. Told its steps instead, it is repeatable to the bit. It keeps its state beside
its log and goes on from there when called again, also with another limit.
"""

import json
import math
import time
from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from qwen3_tts.errors import ModelNotFound
from qwen3_tts.model.codec.codec import SpeechCodec
from qwen3_tts.train.books import Books
from qwen3_tts.train.codec import (
    Segments,
    decode_training,
    encoder_loss,
    nano_codec_config,
    new_codec,
    spectral_distance,
)
from qwen3_tts.train.recipe.corpus import FRAME, read_audio, read_utterances
from qwen3_tts.train.snake import train_snakes
from qwen3_tts.train.state import write_whole
from qwen3_tts.weights.save import save_codec

HALVES = ("decoder", "encoder")
BETAS = (0.9, 0.98)
AVERAGE = 0.998  # memory of the averaged weights, which are the result
SAVE_S = 240
LOG_STEPS = 50
LONGEST_STEP_S = 10.0  # a step that takes longer was stopped in between: not time spent

Step = Callable[[np.random.Generator], dict[str, Tensor]]


@dataclass(frozen=True)
class CodecOptions:
    """What a run can be told: its length in `minutes`, or else in `steps`."""

    minutes: float
    rows: int = 8
    frames: int = 12
    peak_rate: float = 1e-3
    threads: int = 1
    seed: int = 0
    steps: int = 0

    def progress(self, step: int, spent_s: float) -> float:
        """Share of the run that is over; 1 ends it."""
        return step / self.steps if self.steps else spent_s / (60 * self.minutes)


def train_half(data: Path, out: Path, half: str, options: CodecOptions) -> None:
    """Train one half on a corpus folder with books; state, log and weights go into `out`.

    Raises `ModelNotFound` if the folder has no books yet (`books.make_books`).
    """
    torch.set_num_threads(options.threads)
    torch.manual_seed(options.seed)
    codec, books = untrained(data)
    steps = {"decoder": _decoder_step, "encoder": _encoder_step}
    step = steps[half](data, codec, books, options)
    out.mkdir(parents=True, exist_ok=True)
    module = codec.decoder if half == "decoder" else codec.encoder
    _train(module, step, options, out / half)


def untrained(data: Path) -> tuple[SpeechCodec, Books]:
    """The codec of a corpus' books before training, and the books."""
    path = data / "books.pt"
    if not path.is_file():
        raise ModelNotFound(f"no books.pt in {data}; make the books first")
    books = Books.load(path)
    return new_codec(nano_codec_config(*books.entries.shape), books), books


def write_untrained(data: Path, *, seed: int) -> None:
    """Write data/codec, which tells a talker's training what the codes are."""
    torch.manual_seed(seed)
    codec, _ = untrained(data)
    save_codec(data / "codec", codec)


def trained(data: Path, out: Path) -> SpeechCodec:
    """The codec with both halves as `out` has them. Raises `ModelNotFound` if one is missing."""
    codec, _ = untrained(data)
    for half, module in zip(HALVES, (codec.decoder, codec.encoder), strict=True):
        path = out / f"{half}.pt"
        if not path.is_file():
            raise ModelNotFound(f"no {path.name} in {out}; train the {half} first")
        module.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return codec


def _picker(data: Path, options: CodecOptions) -> Callable[..., tuple[Tensor, Tensor]]:
    """Draws waves [B, N] and their codes [B, K, T]."""
    codes = np.load(data / "codes.npy", mmap_mode="r")
    utterances = [u for u in read_utterances(data) if u.split == "train"]
    segments = Segments.of(read_audio(data), utterances, options.frames)

    def pick(random: np.random.Generator) -> tuple[Tensor, Tensor]:
        firsts = segments.draw(options.rows, random)
        span = firsts[:, None] + np.arange(options.frames)
        ids = torch.from_numpy(codes[span].astype(np.int64)).transpose(1, 2)
        return segments.wave(firsts), ids

    return pick


def _decoder_step(data: Path, codec: SpeechCodec, books: Books, options: CodecOptions) -> Step:
    train_snakes(codec.decoder)
    pick = _picker(data, options)

    def step(random: np.random.Generator) -> dict[str, Tensor]:
        wave, ids = pick(random)
        made = decode_training(codec.decoder, books.entries, ids, random)
        # the first frame lacks what came before it
        return {"spectral": spectral_distance(made[:, FRAME:], wave[:, FRAME:])}

    return step


def _encoder_step(data: Path, codec: SpeechCodec, books: Books, options: CodecOptions) -> Step:
    pick = _picker(data, options)

    def step(random: np.random.Generator) -> dict[str, Tensor]:
        wave, ids = pick(random)
        return encoder_loss(codec.encoder, books, wave, ids, skip=1)

    return step


def learning_rate(peak: float, progress: float, step: int, warm_up: int = 100) -> float:
    """Linear warm-up, then half a cosine over the run, down to a hundredth."""
    cosine = (1 + math.cos(math.pi * min(progress, 1))) / 2
    return peak * min(1, (step + 1) / warm_up) * (0.01 + 0.99 * cosine)


def _train(half: nn.Module, step_losses: Step, options: CodecOptions, stem: Path) -> None:
    parameters = [p for p in half.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(parameters, lr=options.peak_rate, betas=BETAS, weight_decay=0.01)
    average = deepcopy(half)
    spent_s, step = 0.0, 0
    state = stem.with_suffix(".state.pt")
    if state.is_file():
        kept = torch.load(state, map_location="cpu", weights_only=True)
        half.load_state_dict(kept["half"])
        average.load_state_dict(kept["average"])
        optimizer.load_state_dict(kept["optimizer"])
        spent_s, step = kept["spent"], kept["step"]

    def save() -> None:
        kept = {
            "half": half.state_dict(),
            "average": average.state_dict(),
            "optimizer": optimizer.state_dict(),
            "spent": spent_s,
            "step": step,
        }
        write_whole(state, kept)
        write_whole(stem.with_suffix(".pt"), average.state_dict())

    recent: dict[str, float] = {}
    saved_s = spent_s
    with stem.with_suffix(".jsonl").open("a", encoding="utf-8") as log:
        while (progress := options.progress(step, spent_s)) < 1:
            began_s = time.monotonic()
            rate = learning_rate(options.peak_rate, progress, step)
            for group in optimizer.param_groups:
                group["lr"] = rate
            losses = step_losses(np.random.default_rng((options.seed, step)))
            total = torch.stack([v for k, v in losses.items() if k != "accuracy"]).sum()
            optimizer.zero_grad()
            total.backward()  # type: ignore[no-untyped-call]
            nn.utils.clip_grad_norm_(parameters, 1.0)
            optimizer.step()
            _follow(average, half, step)
            step += 1
            spent_s += min(time.monotonic() - began_s, LONGEST_STEP_S)
            for key, value in losses.items():
                now = float(value.detach())
                recent[key] = 0.98 * recent.get(key, now) + 0.02 * now
            if step % LOG_STEPS == 0:
                row = {"step": step, "spent_s": round(spent_s), "rate": rate}
                log.write(json.dumps(row | {k: round(v, 4) for k, v in recent.items()}) + "\n")
                log.flush()
            if spent_s - saved_s > SAVE_S:
                save()
                saved_s = spent_s
    save()


@torch.no_grad()
def _follow(average: nn.Module, module: nn.Module, step: int) -> None:
    keep = min(AVERAGE, (1 + step) / (10 + step))
    for mine, its in zip(average.parameters(), module.parameters(), strict=True):
        mine.lerp_(its, 1 - keep)
