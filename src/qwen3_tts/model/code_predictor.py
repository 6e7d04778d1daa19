"""The code predictor: given a talker hidden state and a first code, codes 1..K-1 of the frame.

One frame is a sequence of K positions: the hidden state, then the embeddings of codes 0..K-2.
Position g gives the scores of code group g, for g = 1..K-1. Embeddings have the talker's width;
`input_proj` narrows them where the predictor is smaller.

Dims: B rows, K code groups, V codes per group, D talker width.
"""

import torch
from torch import Tensor, nn

from qwen3_tts.config import TalkerConfig
from qwen3_tts.model.cache import FrameCache
from qwen3_tts.model.layers import Transformer


class CodePredictor(nn.Module):
    def __init__(self, config: TalkerConfig):
        super().__init__()
        own, D = config.code_predictor_config, config.hidden_size
        groups = range(1, own.num_code_groups)
        # entry g - 1 of both lists belongs to code group g
        self.codec_embedding = nn.ModuleList(nn.Embedding(own.vocab_size, D) for _ in groups)
        self.input_proj = nn.Identity() if own.hidden_size == D else nn.Linear(D, own.hidden_size)
        self.transformer = Transformer(own)
        self.lm_head = nn.ModuleList(
            nn.Linear(own.hidden_size, own.vocab_size, bias=False) for _ in groups
        )

    def start(self, hidden: Tensor, first: Tensor, cache: FrameCache) -> Tensor:
        """Begin a frame: talker hidden [B, D] and the embedding of code 0 [B, D] -> logits of
        group 1 [B, V]."""
        x = self.input_proj(torch.stack([hidden, first], dim=1))  # [B, 2, D]
        x = self.transformer(x, cache.span(0, 2))
        return self.lm_head[0](x[:, 1]).float()

    def step(self, group: int, codes: Tensor, cache: FrameCache) -> Tensor:
        """Codes [B] of `group` (1..K-2) -> logits of the next group [B, V]."""
        x = self.input_proj(self.codec_embedding[group - 1](codes))[:, None]  # [B, 1, D]
        x = self.transformer(x, cache.span(group + 1, 1))
        return self.lm_head[group](x[:, 0]).float()

    def forward(self, hidden: Tensor, first: Tensor, codes: Tensor) -> Tensor:
        """All groups at once from known codes, the training pass.

        hidden [B, D], first [B, D] the embedding of code 0, codes [B, K-2] of groups 1..K-2
        -> logits [B, K-1, V] of groups 1..K-1.
        """
        pairs = zip(self.codec_embedding, codes.unbind(1), strict=False)
        x = torch.stack([hidden, first, *(table(ids) for table, ids in pairs)], dim=1)
        x = self.transformer(self.input_proj(x), None)  # [B, K, D]
        return torch.stack([h(x[:, g]) for g, h in enumerate(self.lm_head, 1)], dim=1).float()
