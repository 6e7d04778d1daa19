"""The one place that aligns inputs and targets: the prompt that serving lays out, then the frames.

A position reads a text id and up to K codes. The position of begin of speech predicts frame 0,
the position of frame i predicts frame i + 1, and that of the last frame predicts end of speech.
B rows, S positions, K code groups, T frames, Q predicting positions of a batch, F of them with a
frame to predict.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qwen3_tts.prompt.layout import Speaker, TokenIds, build_prompt

NO_CODE = -1


@dataclass(frozen=True)
class Grid:
    """One utterance as the talker reads it when every frame is known."""

    text_ids: NDArray[np.int64]  # [S]
    codes: NDArray[np.int64]  # [S, K], -1 stands for no code
    text_at: int  # position of the first text unit; the end of the text stands after the last
    start: int  # position that predicts frame 0


def lay_out(
    ids: TokenIds,
    text: Sequence[int],
    frames: NDArray[np.int16],
    *,
    speaker: Speaker,
    language: int | None,
    text_first: bool,
) -> Grid:
    """Prompt and frames [T, K] of one utterance."""
    prompt = build_prompt(ids, text, speaker=speaker, language=language, text_first=text_first)
    length, (num_frames, groups) = len(prompt), frames.shape
    text_ids = np.full(length + num_frames, ids.tts_pad, np.int64)
    codes = np.full((length + num_frames, groups), NO_CODE, np.int64)
    text_ids[:length] = prompt.text_ids
    trailing = prompt.trailing[:num_frames]
    text_ids[length : length + len(trailing)] = trailing
    for position, known in enumerate(prompt.codes):
        codes[position, : len(known)] = known
    codes[length:] = frames
    text_at = length - len(text) - 2 if text_first else length - 1
    return Grid(text_ids, codes, text_at, length - 1)


@dataclass(frozen=True)
class Batch:
    """Padded grids, and where in the flattened [B * S] positions the targets are."""

    text_ids: Tensor  # [B, S]
    codes: Tensor  # [B, K, S]
    is_frame: Tensor  # [B, S], True where the codes are a frame of speech
    query: Tensor  # [Q], flat index of every predicting position
    first: Tensor  # [Q], the code of group 0 to predict, or end of speech
    has_frame: Tensor  # [F], index into `query` of those that predict a frame
    frames: Tensor  # [F, K], those frames
    attend: Tensor  # [Q, 2], first and last position of the row whose text is being spoken

    def to(self, device: torch.device) -> "Batch":
        return Batch(**{f.name: getattr(self, f.name).to(device) for f in fields(self)})

    @property
    def positions(self) -> int:
        """All positions computed, padding included."""
        return self.text_ids.numel()


def collate(
    grids: Sequence[Grid], units: Sequence[NDArray[np.int16]], *, pad: int, end_of_speech: int
) -> Batch:
    """Put grids side by side. `units` [T + 1, 2] are the text units that each frame speaks."""
    rows, length = len(grids), max(len(grid.text_ids) for grid in grids)
    groups = grids[0].codes.shape[1]
    text_ids = np.full((rows, length), pad, np.int64)
    codes = np.full((rows, length, groups), NO_CODE, np.int64)
    is_frame = np.zeros((rows, length), bool)
    query, frames, first, attend, has_frame = [], [], [], [], []
    for row, (grid, spoken) in enumerate(zip(grids, units, strict=True)):
        size, start = len(grid.text_ids), grid.start
        text_ids[row, :size], codes[row, :size] = grid.text_ids, grid.codes
        is_frame[row, start + 1 : size] = True
        own = grid.codes[start + 1 :]
        position = np.arange(start, size)
        query.append(row * length + position)
        first.append(np.append(own[:, 0], end_of_speech))
        has_frame.append(np.append(np.ones(len(own), bool), False))
        frames.append(own)
        attend.append(_causal(grid.text_at + spoken.astype(np.int64), position))
    return Batch(
        torch.from_numpy(text_ids),
        torch.from_numpy(np.ascontiguousarray(codes.transpose(0, 2, 1))),
        torch.from_numpy(is_frame),
        torch.from_numpy(np.concatenate(query)),
        torch.from_numpy(np.concatenate(first)),
        torch.from_numpy(np.flatnonzero(np.concatenate(has_frame))),
        torch.from_numpy(np.concatenate(frames)),
        torch.from_numpy(np.concatenate(attend)),
    )


def _causal(attend: NDArray[np.int64], position: NDArray[np.int64]) -> NDArray[np.int64]:
    """Cut off text that has not been read yet; where nothing is left, the last comes before the
    first."""
    attend[:, 1] = np.minimum(attend[:, 1], position)
    return attend
