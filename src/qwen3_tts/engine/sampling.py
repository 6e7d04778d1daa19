"""Drawing codes: the official order of steps, on float32 scores, options per row as tensors.

Talker: repetition penalty over the codes drawn so far, end of speech held back for two frames,
control ids suppressed; then for both heads temperature, top-k, top-p, one draw. A draw is
argmax(p / q) with q exponential: what `torch.multinomial` of one sample computes, from the same
random numbers, but without a check that waits for the device.

Dims: B rows, V vocabulary of the head.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from qwen3_tts.config import TalkerConfig
from qwen3_tts.engine.options import DrawOptions, SamplingOptions

MIN_FRAMES = 2  # the official `min_new_tokens`


@dataclass
class HeadOptions:
    """Options of one head for every row, [B] each; the plain values say which steps are needed."""

    temperature: Tensor
    top_k: Tensor
    tail: Tensor  # 1 - top_p, computed in double as the official code does
    greedy: Tensor
    widest_k: int = 1  # the largest top_k of any row, V where a row keeps everything
    use_top_p: bool = False

    @staticmethod
    def new(rows: int, vocab_size: int, device: torch.device) -> "HeadOptions":
        return HeadOptions(
            temperature=torch.ones(rows, device=device),
            top_k=torch.full((rows,), 1, device=device),
            tail=torch.zeros(rows, device=device),
            greedy=torch.ones(rows, dtype=torch.bool, device=device),
        )

    def set(self, row: int, options: DrawOptions, vocab_size: int) -> None:
        self.temperature[row] = options.temperature
        self.top_k[row] = min(options.top_k or vocab_size, vocab_size)
        self.tail[row] = 1 - options.top_p
        self.greedy[row] = options.greedy

    def bound(self, rows: Sequence[DrawOptions], vocab_size: int) -> None:
        """Note what the rows in use need at most."""
        self.widest_k = max((min(r.top_k or vocab_size, vocab_size) for r in rows), default=1)
        self.use_top_p = any(row.top_p < 1 for row in rows)

    def head(self, rows: int) -> "HeadOptions":
        """The first rows, as views."""
        return HeadOptions(
            self.temperature[:rows],
            self.top_k[:rows],
            self.tail[:rows],
            self.greedy[:rows],
            self.widest_k,
            self.use_top_p,
        )


@dataclass
class RowOptions:
    """Sampling of every row of a batch; `set` one when a request starts."""

    talker: HeadOptions
    predictor: HeadOptions
    repetition_penalty: Tensor  # [B]
    sizes: tuple[int, int]  # vocabulary of the talker and of the code predictor
    given: list[SamplingOptions | None]  # of every row, None where there is no request

    @staticmethod
    def new(rows: int, config: TalkerConfig, device: torch.device) -> "RowOptions":
        sizes = (config.vocab_size, config.code_predictor_config.vocab_size)
        talker, predictor = (HeadOptions.new(rows, size, device) for size in sizes)
        penalty = torch.ones(rows, device=device)
        return RowOptions(talker, predictor, penalty, sizes, [None] * rows)

    def set(self, row: int, options: SamplingOptions | None) -> None:
        """Give a row its options, or None for a row that is free."""
        self.given[row] = options
        if options is not None:
            self.talker.set(row, options.talker, self.sizes[0])
            self.predictor.set(row, options.predictor, self.sizes[1])
            self.repetition_penalty[row] = options.repetition_penalty
        taken = [given for given in self.given if given is not None]
        self.talker.bound([given.talker for given in taken], self.sizes[0])
        self.predictor.bound([given.predictor for given in taken], self.sizes[1])

    def head(self, rows: int) -> "RowOptions":
        """The first rows, as views."""
        return RowOptions(
            self.talker.head(rows),
            self.predictor.head(rows),
            self.repetition_penalty[:rows],
            self.sizes,
            self.given[:rows],
        )


def suppressed_ids(config: TalkerConfig, device: torch.device) -> Tensor:
    """[V], True where an id may never be drawn: the control ids, but not end of speech."""
    ids = torch.arange(config.vocab_size, device=device)
    control = ids >= config.vocab_size - config.num_control_ids
    return control & (ids != config.codec_eos_token_id)


def talker_scores(
    logits: Tensor, seen: Tensor, penalty: Tensor, frame: Tensor, suppressed: Tensor, eos: int
) -> Tensor:
    """Scores [B, V] before drawing. seen [B, V] marks drawn codes, frame [B] counts frames."""
    penalty = penalty[:, None]
    penalised = torch.where(logits < 0, logits * penalty, logits / penalty)
    scores = torch.where(seen, penalised, logits)
    early = frame < MIN_FRAMES
    end = torch.where(early, -torch.inf, scores[:, eos])
    scores = scores.masked_fill(suppressed, -torch.inf)
    scores[:, eos] = end
    return scores


def draw(scores: Tensor, options: HeadOptions, noise: Tensor) -> Tensor:
    """One code per row, [B]. scores and exponential noise [B, V]."""
    best = scores.argmax(dim=-1)
    scores = scores / options.temperature[:, None]
    leaders = scores.topk(options.widest_k, dim=-1).values
    index = options.top_k.clamp(max=options.widest_k)[:, None] - 1  # free rows keep old options
    threshold = leaders.gather(1, index)
    scores = scores.masked_fill(scores < threshold, -torch.inf)  # ties with the k-th stay
    if options.use_top_p:
        scores = keep_top_p(scores, options.tail)
    drawn = (scores.softmax(dim=-1) / noise).argmax(dim=-1)
    return torch.where(options.greedy, best, drawn)


def keep_top_p(scores: Tensor, tail: Tensor) -> Tensor:
    """Drop the least likely codes while they sum to at most `tail` [B]; one always stays."""
    ascending, order = scores.sort(dim=-1)
    drop = ascending.softmax(dim=-1).cumsum(dim=-1) <= tail[:, None]
    drop[:, -1] = False
    return scores.masked_fill(drop.scatter(1, order, drop), -torch.inf)
