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
GROUP = 8  # columns that are searched as one at first; fastest of 4, 8 and 16 on a CPU


@dataclass
class HeadOptions:
    """Options of one head for every row, [B] each; the plain values say which steps are needed."""

    temperature: Tensor
    top_k: Tensor
    tail: Tensor  # 1 - top_p, computed in double as the official code does
    greedy: Tensor
    widest_k: int = 1  # the largest top_k of any row, V where a row keeps everything
    use_top_p: bool = False
    any_greedy: bool = True
    any_drawn: bool = True

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
        self.any_greedy = any(row.greedy for row in rows)
        self.any_drawn = not all(row.greedy for row in rows)

    def head(self, rows: int) -> "HeadOptions":
        """The first rows, as views."""
        return HeadOptions(
            self.temperature[:rows],
            self.top_k[:rows],
            self.tail[:rows],
            self.greedy[:rows],
            self.widest_k,
            self.use_top_p,
            self.any_greedy,
            self.any_drawn,
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
    if not options.any_drawn:
        return scores.argmax(dim=-1)
    kept = scores / options.temperature[:, None]
    index = options.top_k.clamp(max=options.widest_k)[:, None] - 1  # free rows keep old options
    threshold = leaders(kept, options.widest_k).gather(1, index)
    kept = torch.where(kept < threshold, -torch.inf, kept)  # ties with the k-th stay
    if options.use_top_p:
        kept = keep_top_p(kept, options.tail)
    drawn = (kept.softmax(dim=-1) / noise).argmax(dim=-1)
    return (
        torch.where(options.greedy, scores.argmax(dim=-1), drawn) if options.any_greedy else drawn
    )


def leaders(scores: Tensor, count: int) -> Tensor:
    """The highest scores of each row, [B, count], best first.

    Two short searches instead of a long one: first for the `count` groups with the highest best. A
    score in any other group has those bests above it or level with it, so it is not missed.
    """
    B, V = scores.shape
    if V % GROUP or count * GROUP > V // 2:
        return scores.topk(count, dim=-1).values
    groups = scores.view(B, GROUP, V // GROUP)
    chosen = groups.amax(dim=1).topk(count, dim=-1, sorted=False).indices  # [B, count]
    found = groups.gather(2, chosen[:, None].expand(B, GROUP, count))
    return found.flatten(1).topk(count, dim=-1).values


def keep_top_p(scores: Tensor, tail: Tensor) -> Tensor:
    """Drop the least likely codes while they sum to at most `tail` [B]; one always stays."""
    ascending, order = scores.sort(dim=-1)
    drop = ascending.softmax(dim=-1).cumsum(dim=-1) <= tail[:, None]
    drop[:, -1] = False
    return scores.masked_fill(drop.scatter(1, order, drop), -torch.inf)
