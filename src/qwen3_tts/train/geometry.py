"""What the codec's codebooks say about codes: which are near each other, and where they lie.

Near codes sound alike, so they share the mass of a target, replace each other in corrupted inputs,
and start with embeddings and output rows that are alike. K code groups, V entries, N neighbours.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from qwen3_tts.model.codec.codebooks import Codebook, ResidualCodebooks
from qwen3_tts.model.codec.codec import SpeechCodec
from qwen3_tts.model.speech_model import SpeechModel

DRAWS = 64  # prepared neighbours of a code, from which a corruption picks one evenly


@dataclass(frozen=True)
class Neighbours:
    """Soft targets and replacements of every code, group by group."""

    near: Tensor  # [K, V, N], the nearest entries, itself first
    mass: Tensor  # [K, V, N], their shares, summing to one
    replacements: Tensor  # [K, V, DRAWS], entries drawn from a wider circle; used on the CPU

    def to(self, device: torch.device) -> "Neighbours":
        """The tables of the loss on a device."""
        return Neighbours(self.near.to(device), self.mass.to(device), self.replacements)


def codebook_entries(codec: SpeechCodec) -> list[Tensor]:
    """Entry vectors [V, dim] of group 0, then of the acoustic groups, as the decoder adds them."""
    books = codec.decoder.codebooks
    return [*_entries(books.semantic), *_entries(books.acoustic)]


def _entries(books: ResidualCodebooks) -> list[Tensor]:
    found = []
    for book in books.books:
        assert isinstance(book, Codebook)
        ids = torch.arange(len(book.cluster_usage))
        found.append(book.lookup(ids[None])[0].detach().float())
    return found


def neighbours(
    entries: list[Tensor], usage: list[Tensor], *, sharing: float, wide: float, width: int = 8
) -> Neighbours:
    """Tables in which `sharing` entries share a target's mass on average, `wide` a replacement.

    `usage` counts how often each code occurs; the averages are over those. Shares fall with the
    squared distance, exp(-d^2 / tau), with one tau per group.
    """
    near, mass, replacements = [], [], []
    generator = torch.Generator().manual_seed(0)
    for own, count in zip(entries, usage, strict=True):
        distance = torch.cdist(own.double(), own.double()).square()  # [V, V]
        weight = count.double() / count.sum()
        shares = _shares(distance, weight, sharing)
        top = shares.topk(min(width, len(own)), dim=-1)
        near.append(top.indices)
        mass.append((top.values / top.values.sum(-1, keepdim=True)).float())
        wider = _shares(distance, weight, wide)
        replacements.append(wider.multinomial(DRAWS, replacement=True, generator=generator))
    return Neighbours(torch.stack(near), torch.stack(mass), torch.stack(replacements))


def _shares(distance: Tensor, weight: Tensor, wanted: float) -> Tensor:
    """exp(-d^2 / tau), normalised, with the tau at which exp(entropy) is `wanted` on average."""
    low, high = -30.0, 30.0  # log of tau
    for _ in range(40):
        middle = (low + high) / 2
        shares = (-distance / math.exp(middle)).softmax(dim=-1)
        entropy = -(shares * shares.clamp(min=1e-30).log()).sum(-1)
        if (weight * entropy).sum() < math.log(wanted):
            low = middle
        else:
            high = middle
    return shares


def start_from_codebooks_(
    model: SpeechModel, entries: list[Tensor], *, rms: float, head_rms: float, seed: int
) -> None:
    """Give embeddings and heads of the codes the geometry of the codebooks.

    Acoustic groups share a projection, so that their embeddings add up to what the codec adds up;
    the quiet ones are raised to the square root of their share of the loudness.
    """
    generator = torch.Generator().manual_seed(seed)
    talker, predictor = model.talker, model.code_predictor
    dim, width = entries[0].shape[1], talker.codec_embedding.weight.shape[1]
    maps = [_orthogonal(dim, width, generator) for _ in range(2)]
    tables = [talker.codec_embedding.weight, *weights_of(predictor.codec_embedding)]
    heads = [talker.codec_head.weight, *weights_of(predictor.lm_head)]
    spread = [_centred(own).square().mean().sqrt() for own in entries]
    with torch.no_grad():
        for group, (own, table, head) in enumerate(zip(entries, tables, heads, strict=True)):
            level = 1.0 if group == 0 else float((spread[group] / max(spread[1:])).sqrt())
            vectors = _unit_rms(_centred(own) @ maps[min(group, 1)])
            noise = torch.randn(vectors.shape, generator=generator)
            table[: len(own)] = rms * level * _unit_rms(vectors + 0.3 * noise)
            out = _orthogonal(dim, head.shape[1], generator)
            head[: len(own)] = head_rms * _unit_rms(_centred(own) @ out)


def weights_of(layers: nn.ModuleList) -> list[Tensor]:
    """The weight of every embedding or linear layer of a list."""
    return [layer.get_parameter("weight") for layer in layers]


def _centred(vectors: Tensor) -> Tensor:
    return vectors - vectors.mean(0)


def _unit_rms(vectors: Tensor) -> Tensor:
    return vectors / vectors.square().mean().sqrt().clamp(min=1e-9)


def _orthogonal(rows: int, columns: int, generator: torch.Generator) -> Tensor:
    """A map that keeps angles as far as the widths allow."""
    size = max(rows, columns)
    q: Tensor = torch.linalg.qr(torch.randn(size, size, generator=generator))[0]
    return q[:rows, :columns]
