"""Checkpoint configurations as frozen dataclasses, field for field what the JSON files hold.

A checkpoint folder has three: config.json (`CheckpointConfig`, with talker, code predictor and
speaker encoder inside), generation_config.json (`GenerationConfig`) and
speech_tokenizer/config.json (`CodecConfig`). Fields keep the checkpoint's spelling.
"""

from qwen3_tts.config.checkpoint import (
    CheckpointConfig,
    CodePredictorConfig,
    GenerationConfig,
    SpeakerEncoderConfig,
    TalkerConfig,
    read_checkpoint_config,
    read_generation_config,
)
from qwen3_tts.config.codec import (
    CodecConfig,
    CodecDecoderConfig,
    CodecEncoderConfig,
    read_codec_config,
)
from qwen3_tts.config.reading import GENERIC_KEYS, Config, read_json

__all__ = [
    "GENERIC_KEYS",
    "CheckpointConfig",
    "CodePredictorConfig",
    "CodecConfig",
    "CodecDecoderConfig",
    "CodecEncoderConfig",
    "Config",
    "GenerationConfig",
    "SpeakerEncoderConfig",
    "TalkerConfig",
    "read_checkpoint_config",
    "read_codec_config",
    "read_generation_config",
    "read_json",
]
