"""Both halves of the speech codec, as one checkpoint file holds them."""

from torch import nn

from qwen3_tts.config import CodecConfig
from qwen3_tts.model.codec.decoder import CodecDecoder
from qwen3_tts.model.codec.encoder import CodecEncoder


class SpeechCodec(nn.Module):
    """The encoder's unused codebooks are kept: a saved codec is the file it was read from."""

    def __init__(self, config: CodecConfig):
        super().__init__()
        self.config = config
        self.encoder = CodecEncoder(config.encoder_config)
        self.decoder = CodecDecoder(config.decoder_config)
