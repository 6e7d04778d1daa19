"""Everything of a speech checkpoint but the codec: talker, code predictor, speaker encoder.

Every talker input is `text embedding + sum of code embeddings`; code group 0 is embedded by the
talker, groups 1..K-1 by the code predictor, which is why the sum lives here.
"""

import torch
from torch import Tensor, nn

from qwen3_tts.config import CheckpointConfig
from qwen3_tts.model.code_predictor import CodePredictor
from qwen3_tts.model.speaker_encoder import SpeakerEncoder
from qwen3_tts.model.talker import Talker


class SpeechModel(nn.Module):
    def __init__(self, config: CheckpointConfig):
        super().__init__()
        self.config = config
        self.talker = Talker(config.talker_config)
        self.code_predictor = CodePredictor(config.talker_config)
        encoder = config.speaker_encoder_config
        if config.tts_model_type != "base":
            encoder = None  # only base checkpoints carry its weights
        self.speaker_encoder = SpeakerEncoder(encoder) if encoder else None

    def embed_codes(self, codes: Tensor) -> Tensor:
        """Sum of code embeddings, [B, K, T] -> [B, T, D]; -1 stands for no code."""
        tables = (self.talker.codec_embedding, *self.code_predictor.codec_embedding)
        vectors = [
            table(ids.clamp(min=0)) * (ids >= 0)[..., None]
            for table, ids in zip(tables, codes.unbind(1), strict=False)
        ]
        return torch.stack(vectors).sum(dim=0)

    def embed(self, text_ids: Tensor, codes: Tensor) -> Tensor:
        """Talker inputs: text ids [B, S] and codes [B, K, S] -> [B, S, D]."""
        return self.talker.embed_text(text_ids) + self.embed_codes(codes)
