"""Strict reading of JSON values into frozen dataclasses, and back.

A field with a default may be missing from a file; unknown keys are refused, except a short list of
generic ones that every file of the family inherits and nothing reads.
"""

import json
from dataclasses import asdict, dataclass, fields
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
