"""config.json and generation_config.json of a speech checkpoint."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

from qwen3_tts.config.reading import Config, read_json
from qwen3_tts.errors import InvalidConfig


@dataclass(frozen=True)
class CodePredictorConfig(Config):
    """The small transformer that adds code groups 1..K-1 of a frame."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    num_code_groups: int
    rms_norm_eps: float
    rope_theta: float
    max_position_embeddings: int
    hidden_act: str = "silu"
    attention_bias: bool = False
    attention_dropout: float = 0
    initializer_range: float = 0.02
    layer_types: tuple[str, ...] | None = None
    rope_scaling: dict[str, Any] | None = None
    sliding_window: int | None = None
    use_sliding_window: bool = False

    _fixed: ClassVar[dict[str, Any]] = {
        "hidden_act": "silu",
        "attention_bias": False,
        "rope_scaling": None,
        "use_sliding_window": False,
    }


@dataclass(frozen=True)
class TalkerConfig(Config):
    """The transformer that predicts one group-0 code per frame."""

    vocab_size: int
    hidden_size: int
    intermediate_size: int
    num_hidden_layers: int
    num_attention_heads: int
    num_key_value_heads: int
    head_dim: int
    text_vocab_size: int
    text_hidden_size: int
    num_code_groups: int
    rms_norm_eps: float
    rope_theta: float
    max_position_embeddings: int
    codec_bos_id: int
    codec_eos_token_id: int
    codec_pad_id: int
    codec_think_id: int
    codec_nothink_id: int
    codec_think_bos_id: int
    codec_think_eos_id: int
    codec_language_id: dict[str, int]
    code_predictor_config: CodePredictorConfig
    spk_id: dict[str, int] = field(default_factory=dict)
    spk_is_dialect: dict[str, Any] = field(default_factory=dict)  # False or a language's name
    rope_scaling: dict[str, Any] | None = None  # three equal position streams: plain rotary
    hidden_act: str = "silu"
    attention_bias: bool = False
    attention_dropout: float = 0
    initializer_range: float = 0.02
    position_id_per_seconds: int = 13
    sliding_window: int | None = None
    use_sliding_window: bool = False

    _fixed: ClassVar[dict[str, Any]] = {
        "hidden_act": "silu",
        "attention_bias": False,
        "use_sliding_window": False,
    }

    def __post_init__(self) -> None:
        for name, dialect in self.spk_is_dialect.items():
            if dialect is not False and dialect not in self.codec_language_id:
                raise InvalidConfig(
                    f"config.json: `spk_is_dialect` of {name!r} is {dialect!r}, allowed: false or "
                    "a key of `codec_language_id`"
                )

    @property
    def num_control_ids(self) -> int:
        """The last 1,024 rows of the code vocabulary are control ids, never sampled as codes."""
        return 1024


@dataclass(frozen=True)
class SpeakerEncoderConfig(Config):
    """ECAPA-TDNN. Only the first two fields are in published files; the rest is fixed by them."""

    enc_dim: int
    sample_rate: int = 24000
    mel_dim: int = 128
    enc_channels: tuple[int, ...] = (512, 512, 512, 512, 1536)
    enc_kernel_sizes: tuple[int, ...] = (5, 3, 3, 3, 1)
    enc_dilations: tuple[int, ...] = (1, 2, 3, 4, 1)
    enc_attention_channels: int = 128
    enc_res2net_scale: int = 8
    enc_se_channels: int = 128


@dataclass(frozen=True)
class CheckpointConfig(Config):
    """config.json of a speech checkpoint."""

    tokenizer_type: str
    tts_model_size: str
    tts_model_type: str
    tts_pad_token_id: int
    tts_bos_token_id: int
    tts_eos_token_id: int
    talker_config: TalkerConfig
    speaker_encoder_config: SpeakerEncoderConfig | None = None
    im_start_token_id: int = 151644
    im_end_token_id: int = 151645
    assistant_token_id: int = 77091
    architectures: tuple[str, ...] = ("Qwen3TTSForConditionalGeneration",)
    model_type: str = "qwen3_tts"
    transformers_version: str = "4.57.3"
    dtype: str | None = None

    _fixed: ClassVar[dict[str, Any]] = {
        "tokenizer_type": "qwen3_tts_tokenizer_12hz",
        "model_type": "qwen3_tts",
    }

    def __post_init__(self) -> None:
        kinds = ("base", "custom_voice", "voice_design")
        if self.tts_model_type not in kinds:
            raise InvalidConfig(
                f"config.json: `tts_model_type` is {self.tts_model_type!r}, allowed: {kinds}"
            )
        if self.tts_model_type == "base" and self.speaker_encoder_config is None:
            raise InvalidConfig("config.json: a base checkpoint needs `speaker_encoder_config`")
        predictor = self.talker_config.code_predictor_config
        if predictor.num_code_groups != self.talker_config.num_code_groups:
            raise InvalidConfig(
                f"config.json: talker has {self.talker_config.num_code_groups} code groups, "
                f"code predictor {predictor.num_code_groups}"
            )


@dataclass(frozen=True)
class GenerationConfig(Config):
    """generation_config.json: the checkpoint's sampling defaults."""

    do_sample: bool = True
    repetition_penalty: float = 1.05
    temperature: float = 0.9
    top_p: float = 1.0
    top_k: int = 50
    subtalker_dosample: bool = True
    subtalker_temperature: float = 0.9
    subtalker_top_p: float = 1.0
    subtalker_top_k: int = 50
    max_new_tokens: int = 8192


def read_checkpoint_config(folder: Path) -> CheckpointConfig:
    return CheckpointConfig.parse(read_json(folder / "config.json"), "config.json")


def read_generation_config(folder: Path) -> GenerationConfig:
    name = "generation_config.json"
    return GenerationConfig.parse(read_json(folder / name), name)
