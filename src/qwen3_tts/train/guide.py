"""Teaching one attention head to look at the text that is being spoken.

The model is not changed: the head's inputs are seen by a hook, and its weights are computed again
beside it. B rows, S positions, E head dim, Q predicting positions.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from qwen3_tts.model.layers import Attention, rotate
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.train.grid import Batch


class GuidedHead:
    """One head of the talker; `loss` belongs to the last forward pass."""

    def __init__(self, model: SpeechModel, layer: int, head: int):
        block = model.talker.transformer.blocks[layer]
        assert isinstance(block.attn, Attention)
        self.attention, self.head = block.attn, head
        self.seen: tuple[Tensor, Tensor] | None = None
        self.handle = self.attention.register_forward_pre_hook(self._see)

    def _see(self, module: nn.Module, args: tuple[Tensor, Tensor, object]) -> None:
        self.seen = args[0], args[1]

    def weights(self) -> Tensor:
        """Attention [B, S, S] of the head in the last forward pass."""
        assert self.seen is not None, "no forward pass yet"
        x, rotary = self.seen
        own, E = self.attention, self.attention.head_dim
        share = own.q_proj.out_features // own.k_proj.out_features
        q = _head(own.q_proj, own.q_norm, x, self.head, E)
        k = _head(own.k_proj, own.k_norm, x, self.head // share, E)
        q, k = rotate(q[:, None], rotary)[:, 0], rotate(k[:, None], rotary)[:, 0]
        scores: Tensor = (q @ k.transpose(1, 2)).float() / E**0.5
        S = x.shape[1]
        future = torch.ones(S, S, dtype=torch.bool, device=x.device).triu(1)
        return scores.masked_fill(future, -torch.inf).softmax(-1)

    def mass(self, batch: Batch) -> tuple[Tensor, Tensor]:
        """How much of each query's attention lies where it should, [Q], and which have a where."""
        rows = self.weights().flatten(0, 1)[batch.query]  # [Q, S]
        position = torch.arange(rows.shape[1], device=rows.device)
        low, high = batch.attend[:, :1], batch.attend[:, 1:]
        wanted = (position >= low) & (position <= high)
        return (rows * wanted).sum(-1), (high >= low)[:, 0]


def _head(proj: nn.Linear, norm: nn.Module, x: Tensor, index: int, size: int) -> Tensor:
    """Normalised queries or keys of one head, [B, S, E]."""
    weight = proj.weight[index * size : (index + 1) * size]
    normalised: Tensor = norm(F.linear(x, weight))
    return normalised
