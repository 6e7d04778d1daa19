"""Inputs with mistakes in them, so that a model learns to go on after its own.

Only what the talker reads is changed, never a target. B rows, K code groups, S positions.
"""

from dataclasses import dataclass

import torch
from torch import Generator, Tensor

from qwen3_tts.train.grid import NO_CODE


@dataclass(frozen=True)
class Corruption:
    """Chances per frame."""

    near: float  # every code replaced by a neighbour
    far: float  # replaced by another frame of the batch
    cut: float  # only the first groups left, a random number of them

    def scaled(self, share: float) -> "Corruption":
        return Corruption(self.near * share, self.far * share, self.cut * share)


def corrupt(
    codes: Tensor,
    is_frame: Tensor,
    replacements: Tensor,
    how: Corruption,
    generator: Generator,
) -> Tensor:
    """Codes [B, K, S] with some frames changed; `replacements` [K, V, draws] holds neighbours."""
    where = is_frame.flatten().nonzero()[:, 0]
    frames = codes.transpose(1, 2).flatten(0, 1)[where]  # [N, K]
    count, groups = frames.shape
    kind = torch.rand(count, generator=generator)
    near = kind < how.near
    far = (kind >= how.near) & (kind < how.near + how.far)
    cut = torch.rand(count, generator=generator) < how.cut

    column = torch.randint(replacements.shape[2], frames.shape, generator=generator)
    group = torch.arange(groups)[None]
    frames = torch.where(near[:, None], replacements[group, frames, column], frames)
    other = torch.randint(count, (count,), generator=generator)
    frames = torch.where(far[:, None], frames[other], frames)
    left = torch.randint(1, groups + 1, (count, 1), generator=generator)
    frames = torch.where(cut[:, None] & (group >= left), NO_CODE, frames)

    changed = codes.transpose(1, 2).flatten(0, 1).clone()
    changed[where] = frames
    return changed.view(codes.shape[0], codes.shape[2], groups).transpose(1, 2)
