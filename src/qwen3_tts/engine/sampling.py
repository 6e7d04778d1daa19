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
    widest_k: int  # the largest top_k of any row, V where a row keeps everything
    use_top_p: bool

    @staticmethod
    def of(rows: Sequence[DrawOptions], vocab_size: int, device: torch.device) -> "HeadOptions":
        top_k = [min(row.top_k or vocab_size, vocab_size) for row in rows]
        return HeadOptions(
            temperature=torch.tensor([row.temperature for row in rows], device=device),
            top_k=torch.tensor(top_k, device=device),
            tail=torch.tensor([1 - row.top_p for row in rows], device=device),
            greedy=torch.tensor([row.greedy for row in rows], device=device),
            widest_k=max(top_k),
            use_top_p=any(row.top_p < 1 for row in rows),
        )


@dataclass
class RowOptions:
    """Sampling of every row of a batch."""

    talker: HeadOptions
    predictor: HeadOptions
    repetition_penalty: Tensor  # [B]

    @staticmethod
    def of(
        rows: Sequence[SamplingOptions], config: TalkerConfig, device: torch.device
    ) -> "RowOptions":
        predictor_size = config.code_predictor_config.vocab_size
        penalty = torch.tensor([row.repetition_penalty for row in rows], device=device)
        return RowOptions(
            HeadOptions.of([row.talker for row in rows], config.vocab_size, device),
            HeadOptions.of([row.predictor for row in rows], predictor_size, device),
            penalty,
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
    threshold = leaders.gather(1, options.top_k[:, None] - 1)
    scores = scores.masked_fill(scores < threshold, -torch.inf)  # ties with the k-th stay
    if options.use_top_p:
        scores = keep_top_p(scores, options.tail)
    drawn = (scores.softmax(dim=-1) / noise).argmax(dim=-1)
    return torch.where(options.greedy, best, drawn)


def keep_top_p(scores: Tensor, tail: Tensor) -> Tensor:
    """Drop the least likely codes while they sum to at most `tail` [B]; one always stays."""
    ascending, order = scores.sort(dim=-1)
    drop = ascending.softmax(dim=-1).cumsum(dim=-1) <= tail[:, None]
    drop &= (tail > 0)[:, None]
    drop[:, -1] = False
    return scores.masked_fill(drop.scatter(1, order, drop), -torch.inf)
