"""speech_tokenizer/config.json: both halves of the codec."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

from qwen3_tts.config.reading import Config, read_json


@dataclass(frozen=True)
class CodecDecoderConfig(Config):
    """Codes to wave."""

    latent_dim: int
    codebook_dim: int
    codebook_size: int
    decoder_dim: int
    hidden_size: int
    intermediate_size: int
    head_dim: int
    num_attention_heads: int
    num_hidden_layers: int
    num_quantizers: int
    rms_norm_eps: float
    rope_theta: float
    sliding_window: int
    upsample_rates: tuple[int, ...]
    upsampling_ratios: tuple[int, ...]
    num_key_value_heads: int = 16
    attention_bias: bool = False
    attention_dropout: float = 0.0
    hidden_act: str = "silu"
    layer_scale_initial_scale: float = 0.01
    max_position_embeddings: int = 8000
    num_semantic_quantizers: int = 1
    semantic_codebook_size: int = 4096  # published, read by nothing: all codebooks are equal
    vector_quantization_hidden_dimension: int = 512  # likewise

    _fixed: ClassVar[dict[str, Any]] = {
        "hidden_act": "silu",
        "attention_bias": False,
        "num_semantic_quantizers": 1,
    }


@dataclass(frozen=True)
class CodecEncoderConfig(Config):
    """Wave to codes: a Mimi encoder."""

    audio_channels: int
    codebook_dim: int
    codebook_size: int
    compress: int
    head_dim: int
    hidden_size: int
    intermediate_size: int
    kernel_size: int
    last_kernel_size: int
    norm_eps: float
    num_attention_heads: int
    num_filters: int
    num_hidden_layers: int
    num_quantizers: int
    residual_kernel_size: int
    rope_theta: float
    upsampling_ratios: tuple[int, ...]
    vector_quantization_hidden_dimension: int
    _frame_rate: float = 12.5
    frame_rate: float | None = None  # how some writers spell the line above
    attention_bias: bool = False
    attention_dropout: float = 0.0
    dilation_growth_rate: int = 2
    dtype: str | None = None
    hidden_act: str = "gelu"
    initializer_range: float = 0.02
    layer_scale_initial_scale: float = 0.01
    max_position_embeddings: int = 8000
    normalize: bool = False
    num_key_value_heads: int = 8
    num_residual_layers: int = 1
    num_semantic_quantizers: int = 1
    pad_mode: str = "constant"
    sampling_rate: int = 24000
    sliding_window: int = 250  # published; the official encoder attends to everything
    trim_right_ratio: float = 1.0
    upsample_groups: int = 512
    use_causal_conv: bool = True
    use_conv_shortcut: bool = False
    use_streaming: bool = False

    _fixed: ClassVar[dict[str, Any]] = {
        "hidden_act": "gelu",
        "attention_bias": False,
        "audio_channels": 1,
        "num_residual_layers": 1,
        "num_semantic_quantizers": 1,
        "pad_mode": "constant",
        "use_causal_conv": True,
        "use_conv_shortcut": False,
    }


@dataclass(frozen=True)
class CodecConfig(Config):
    """speech_tokenizer/config.json."""

    encoder_config: CodecEncoderConfig
    decoder_config: CodecDecoderConfig
    encoder_valid_num_quantizers: int = 16
    input_sample_rate: int = 24000
    output_sample_rate: int = 24000
    decode_upsample_rate: int = 1920
    encode_downsample_rate: int = 1920
    architectures: tuple[str, ...] = ("Qwen3TTSTokenizerV2Model",)
    model_type: str = "qwen3_tts_tokenizer_12hz"
    transformers_version: str = "4.57.3"
    dtype: str | None = None

    _fixed: ClassVar[dict[str, Any]] = {"model_type": "qwen3_tts_tokenizer_12hz"}


def read_codec_config(folder: Path) -> CodecConfig:
    """Of the codec's own folder (`speech_tokenizer` in a speech checkpoint)."""
    return CodecConfig.parse(read_json(folder / "config.json"), f"{folder.name}/config.json")
