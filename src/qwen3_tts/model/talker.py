"""The talker: reads the prompt, then predicts the first code of one frame per step.

Dims: B rows, S positions, D width, V code vocabulary (codes first, then 1,024 control ids).
"""

from torch import Tensor, nn
from torch.nn import functional as F

from qwen3_tts.config import TalkerConfig
from qwen3_tts.model.layers import Span, Transformer


class TextProjection(nn.Module):
    """Text embedding width -> talker width: two plain linear layers, not a gated one."""

    def __init__(self, config: TalkerConfig):
        super().__init__()
        self.fc1 = nn.Linear(config.text_hidden_size, config.text_hidden_size)
        self.fc2 = nn.Linear(config.text_hidden_size, config.hidden_size)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.silu(self.fc1(x)))


class Talker(nn.Module):
    def __init__(self, config: TalkerConfig):
        super().__init__()
        self.text_embedding = nn.Embedding(config.text_vocab_size, config.text_hidden_size)
        self.text_projection = TextProjection(config)
        self.codec_embedding = nn.Embedding(config.vocab_size, config.hidden_size)
        self.transformer = Transformer(config)
        self.codec_head = nn.Linear(config.hidden_size, config.vocab_size, bias=False)

    def embed_text(self, text_ids: Tensor) -> Tensor:
        """Text ids [B, S] -> [B, S, D]."""
        return self.text_projection(self.text_embedding(text_ids))

    def forward(self, x: Tensor, span: Span | None) -> Tensor:
        """Input embeddings [B, S, D] -> hidden [B, S, D], final norm included."""
        return self.transformer(x, span)

    def logits(self, hidden: Tensor) -> Tensor:
        """Hidden [B, D] -> float32 scores [B, V] of the next frame's first code."""
        return self.codec_head(hidden).float()
