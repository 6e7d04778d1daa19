"""One teacher-forced pass over a batch, and what it costs.

The inputs are those of serving (`SpeechModel.embed`), computed in a way that is cheap for whole
batches. B rows, S positions, D width, K code groups, V entries, Q predicting positions, F frames
whose other groups are predicted.
"""

from dataclasses import dataclass
from typing import Any

import torch
from torch import Generator, Tensor
from torch.nn import functional as F

from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.train.geometry import Neighbours, weights_of
from qwen3_tts.train.grid import Batch
from qwen3_tts.train.guide import GuidedHead


@dataclass(frozen=True)
class Weights:
    """How much each part counts, at one moment of a run."""

    soft: float  # share of a target's mass that its neighbours take
    predictor: float  # groups 1..K-1, their mean, against group 0
    late_group: float  # factor from each group to the next
    guide: float
    predictor_share: float  # of the frames, those whose other groups are predicted


@dataclass(frozen=True)
class Losses:
    """Of one batch; sums of what is logged are kept as tensors until someone asks."""

    total: Tensor
    first: Tensor  # cross entropy of group 0, against the true code
    others: Tensor  # [K-1], of the other groups
    first_hits: Tensor  # share of group 0 predicted right
    others_hits: Tensor  # [K-1]
    end_hits: Tensor  # share of steps where "goes on" or "ends" is right, at the ends
    guide: Tensor
    mass: Tensor  # attention on the text being spoken


def embed(model: SpeechModel, text_ids: Tensor, codes: Tensor) -> Tensor:
    """What `model.embed` gives: one pass of the text table, one gather for all code groups."""
    talker = model.talker
    text = talker.text_projection(talker.text_embedding.weight)  # [text vocabulary, D]
    tables = [talker.codec_embedding.weight, *weights_of(model.code_predictor.codec_embedding)]
    table = torch.cat([*tables, tables[0].new_zeros(1, tables[0].shape[1])])
    offsets = torch.tensor([0, *(len(own) for own in tables[:-1])], device=codes.device).cumsum(0)
    none = len(table) - 1
    ids = torch.where(codes >= 0, codes + offsets[:, None], none)  # [B, K, S]
    bags = ids.transpose(1, 2).flatten(0, 1)  # [B * S, K]
    summed = F.embedding_bag(bags, table, mode="sum", padding_idx=none)
    return F.embedding(text_ids, text) + summed.view(*text_ids.shape, -1)


def talker_hidden(model: SpeechModel, text_ids: Tensor, codes: Tensor) -> Tensor:
    """Hidden [B * S, D] of every position."""
    hidden: Tensor = model.talker(embed(model, text_ids, codes), None)
    return hidden.flatten(0, 1)


def first_logits(model: SpeechModel, hidden: Tensor) -> Tensor:
    """Scores [Q, V + 1] of the codes and end of speech, the only ones serving ever draws."""
    config = model.config.talker_config
    drawn = config.vocab_size - config.num_control_ids
    assert config.codec_eos_token_id == drawn, "end of speech must follow the codes"
    return F.linear(hidden, model.talker.codec_head.weight[: drawn + 1])


def losses(
    model: SpeechModel,
    batch: Batch,
    codes: Tensor,
    neighbours: Neighbours,
    weights: Weights,
    guide: GuidedHead,
    generator: Generator,
) -> Losses:
    """The pass over `codes`, which may be a corrupted copy of the batch's."""
    hidden = talker_hidden(model, batch.text_ids, codes)[batch.query]  # [Q, D]
    end = model.config.talker_config.codec_eos_token_id
    logits = first_logits(model, hidden)  # [Q, V + 1]
    first, has_frame = batch.first, batch.has_frame
    near, mass = neighbours.near, neighbours.mass  # [K, V, N]
    # end of speech has no neighbours but itself
    some, shares = _with_end(near[0], mass[0])
    hard, mixed = soft_cross_entropy(logits, first, some[first], shares[first], weights.soft)
    talker = mixed.mean()

    count = max(1, round(weights.predictor_share * len(has_frame)))
    chosen = torch.randperm(len(has_frame), generator=generator)[:count].to(has_frame.device)
    frames = batch.frames[chosen]
    others = predictor_logits(model, hidden[has_frame[chosen]], frames)
    each, each_mixed, others_hits = [], [], []
    for group, (scores, codes_) in enumerate(zip(others, frames.T[1:], strict=True), start=1):
        some, shares = near[group][codes_], mass[group][codes_]
        plain, soft = soft_cross_entropy(scores, codes_, some, shares, weights.soft)
        each.append(plain.mean())
        each_mixed.append(soft.mean())
        others_hits.append((scores.detach().argmax(-1) == codes_).float().mean())
    scale = weights.late_group ** torch.arange(len(each), device=hidden.device)
    predictor = (torch.stack(each_mixed) * scale).sum() / scale.sum()

    attended, has_text = guide.mass(batch)
    attended = attended[has_text]
    known = max(1, len(attended))  # a corpus need not say when words are spoken
    guided = -attended.clamp(min=1e-6).log().sum() / known
    total = talker + weights.predictor * predictor + weights.guide * guided
    with torch.no_grad():
        best = logits.argmax(-1)
        ended = first == end
        return Losses(
            total=total,
            first=hard.mean(),
            others=torch.stack(each),
            first_hits=(best == first)[has_frame].float().mean(),
            others_hits=torch.stack(others_hits),
            end_hits=(best == end)[ended].float().mean(),
            guide=guided.detach(),
            mass=attended.sum() / known,
        )


def predictor_logits(model: SpeechModel, hidden: Tensor, frames: Tensor) -> list[Tensor]:
    """Scores [F, V] of each of the groups 1..K-1 of known frames [F, K].

    As `CodePredictor.forward`, but no group's gradient is padded with zeros for the others.
    """
    predictor = model.code_predictor
    tables = [model.talker.codec_embedding.weight, *weights_of(predictor.codec_embedding)]
    known = [F.embedding(ids, table) for ids, table in zip(frames.T[:-1], tables, strict=False)]
    x = predictor.input_proj(torch.stack([hidden, *known], dim=1))  # [F, K, width]
    x = predictor.transformer(x, None)
    heads = weights_of(predictor.lm_head)
    return [F.linear(y, w) for y, w in zip(x.unbind(1)[1:], heads, strict=True)]


def _with_end(near: Tensor, mass: Tensor) -> tuple[Tensor, Tensor]:
    """Tables [V, N] with one more row, for end of speech."""
    end = near.new_full((1, near.shape[1]), len(near))
    alone = mass.new_zeros(1, mass.shape[1])
    alone[0, 0] = 1
    return torch.cat([near, end]), torch.cat([mass, alone])


def soft_cross_entropy(
    scores: Tensor, codes: Tensor, near: Tensor, mass: Tensor, soft: float
) -> tuple[Tensor, Tensor]:
    """Cross entropy of scores [N, V] against the codes alone, which is for reading, and against
    the codes with a share `soft` of their mass given to `near` [N, neighbours] by `mass`; [N]."""
    found: tuple[Tensor, Tensor] = _SoftCrossEntropy.apply(  # type: ignore[no-untyped-call]
        scores, codes, near, mass, soft
    )
    return found


class _SoftCrossEntropy(torch.autograd.Function):
    """In float32 and in few passes over the scores; only the second result has a gradient."""

    @staticmethod
    def forward(
        ctx: Any, scores: Tensor, codes: Tensor, near: Tensor, mass: Tensor, soft: float
    ) -> tuple[Tensor, Tensor]:
        logs = scores.log_softmax(-1, dtype=torch.float32)
        hard = -logs.gather(1, codes[:, None])[:, 0]
        mixed = (1 - soft) * hard - soft * (logs.gather(1, near) * mass).sum(-1)
        ctx.save_for_backward(logs, codes, near, mass)
        ctx.soft, ctx.dtype = soft, scores.dtype
        ctx.mark_non_differentiable(hard)
        return hard, mixed

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None, None, None]:
        logs, codes, near, mass = ctx.saved_tensors
        wanted = gradients[1][:, None]
        grad = logs.exp().mul_(wanted)
        grad.scatter_add_(1, codes[:, None], wanted * (ctx.soft - 1))
        grad.scatter_add_(1, near, mass * (wanted * -ctx.soft))
        return grad.to(ctx.dtype), None, None, None, None
