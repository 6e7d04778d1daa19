"""Checkpoint configurations as frozen dataclasses, field for field what the JSON files hold.

A checkpoint folder has three: config.json (`CheckpointConfig`, with talker, code predictor and
speaker encoder inside), generation_config.json (`GenerationConfig`) and
speech_tokenizer/config.json (`CodecConfig`). Fields keep the checkpoint's spelling. A field with a
default may be missing from a file; unknown keys are refused, except a short list of generic ones
that every file of the family inherits and nothing reads.
"""

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, ClassVar, TypeVar, get_args, get_type_hints

from qwen3_tts.errors import InvalidConfig, ModelNotFound

# Inherited by every nested config of the family from a generic base class; nothing reads them.
GENERIC_KEYS = frozenset(
    """_attn_implementation_autoset _name_or_path add_cross_attention architectures bad_words_ids
    begin_suppress_tokens bos_token_id chunk_size_feed_forward cross_attention_hidden_size
    decoder_start_token_id diversity_penalty do_sample dtype early_stopping
    encoder_no_repeat_ngram_size eos_token_id exponential_decay_length_penalty finetuning_task
    forced_bos_token_id forced_eos_token_id id2label is_decoder is_encoder_decoder label2id
    length_penalty max_length max_window_layers min_length model_type no_repeat_ngram_size
    num_beam_groups num_beams num_return_sequences output_attentions output_hidden_states
    output_scores pad_token_id prefix problem_type pruned_heads remove_invalid_values
    repetition_penalty return_dict return_dict_in_generate sep_token_id suppress_tokens
    task_specific_params temperature tf_legacy_loss tie_encoder_decoder tie_word_embeddings
    tokenizer_class top_k top_p torch_dtype torchscript transformers_version typical_p
    use_bfloat16 use_cache""".split()
)

C = TypeVar("C", bound="Config")


@dataclass(frozen=True)
class Config:
    """Base of all configs: strict reading from JSON values, and back."""

    _fixed: ClassVar[dict[str, Any]] = {}  # fields of which this package implements one value

    @classmethod
    def parse(cls: type[C], data: Any, where: str) -> C:
        """Read from decoded JSON. Raises `InvalidConfig` naming `where` and every bad key."""
        if not isinstance(data, dict):
            raise InvalidConfig(f"{where}: expected an object, got {type(data).__name__}")
        hints, known = get_type_hints(cls), {f.name: f for f in fields(cls)}
        required = [name for name, f in known.items() if _is_required(f)]
        problems = [f"missing key `{name}`" for name in required if name not in data]
        unknown = sorted(set(data) - set(known) - GENERIC_KEYS)
        problems += [f"unknown key `{name}`" for name in unknown]
        for name, value in cls._fixed.items():
            if name in data and data[name] != value:
                problems.append(f"`{name}` is {data[name]!r}, only {value!r} is supported")
        if problems:
            raise InvalidConfig(f"{where}: {'; '.join(problems)}")
        values = {k: _value(hints[k], v, f"{where}: {k}") for k, v in data.items() if k in known}
        return cls(**values)

    def to_json(self) -> dict[str, Any]:
        """The JSON object this config was read from, nested configs included."""
        return _without_unset(asdict(self))


NULLABLE = ("sliding_window", "rope_scaling", "layer_types")  # written as null where unset


def _without_unset(values: dict[str, Any]) -> dict[str, Any]:
    return {
        k: _without_unset(v) if isinstance(v, dict) else v
        for k, v in values.items()
        if v is not None or k in NULLABLE
    }


def _is_required(f: Any) -> bool:
    missing = type(f.default).__name__ == type(f.default_factory).__name__ == "_MISSING_TYPE"
    return missing


def _value(hint: Any, value: Any, where: str) -> Any:
    """Check one JSON value against its annotation; lists become tuples, objects become configs."""
    options = get_args(hint)
    if type(None) in options:
        if value is None:
            return None
        hint = next(o for o in options if o is not type(None))
        options = get_args(hint)
    if isinstance(hint, type) and issubclass(hint, Config):
        return hint.parse(value, where)
    origin = getattr(hint, "__origin__", hint)
    if origin is tuple and isinstance(value, list):
        return tuple(_value(options[0], item, where) for item in value)
    if origin is dict and isinstance(value, dict):
        return {key: _value(options[1], v, f"{where}[{key!r}]") for key, v in value.items()}
    if hint is Any:
        return value
    if hint is float and isinstance(value, int) and not isinstance(value, bool):
        return value  # kept as written: 10000 stays an integer in a saved file
    if origin is int and type(value) is int and value < 0:
        raise InvalidConfig(f"{where}: expected 0 or more, got {value}")
    if origin in (int, float, str, bool) and type(value) is origin:
        return value
    name = getattr(hint, "__name__", str(hint))
    raise InvalidConfig(f"{where}: expected {name}, got {value!r}")


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


def read_json(path: Path) -> Any:
    """Decoded content of a JSON file. Raises `ModelNotFound` or `InvalidConfig` naming it."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ModelNotFound(f"no file {path.name} in {path.parent}") from None
    except OSError as error:  # a folder, no permission
        raise ModelNotFound(f"cannot read {path}: {error.strerror}") from None
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise InvalidConfig(f"{path}: not valid JSON ({error})") from None


def read_checkpoint_config(folder: Path) -> CheckpointConfig:
    return CheckpointConfig.parse(read_json(folder / "config.json"), "config.json")


def read_generation_config(folder: Path) -> GenerationConfig:
    name = "generation_config.json"
    return GenerationConfig.parse(read_json(folder / name), name)


def read_codec_config(folder: Path) -> CodecConfig:
    """Of the codec's own folder (`speech_tokenizer` in a speech checkpoint)."""
    return CodecConfig.parse(read_json(folder / "config.json"), f"{folder.name}/config.json")
