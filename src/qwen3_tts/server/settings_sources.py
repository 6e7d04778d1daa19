"""Where settings come from besides keywords, and how a wrong one is told: in one line."""

import os
import tomllib
from collections.abc import Iterable
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from pydantic import ValidationError
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    PydanticBaseSettingsSource,
    TomlConfigSettingsSource,
)

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.server.settings_values import expand

PREFIX = "QWEN3_TTS_"
# other tools' names; QWEN3_TTS_<KEY> wins over them
ALIASES = {
    "TTS_ENGINE": "engine",
    "TTS_MODEL_ID": "model",
    "TTS_DEVICE": "device",
    "TTS_VOICES_DIR": "voices_dir",
    "TTS_DEFAULT_VOICE": "default_voice",
}
# variables of the kernels and of our test tools
OTHERS = ("QWEN3_TTS_NATIVE", "QWEN3_TTS_ORACLE", "QWEN3_TTS_SOAK")
SECRET = ("api_keys", "jwt_secret", "jwt_jwks_url")  # values that no message repeats


def unknown(name: str, known: Iterable[str], where: str) -> InvalidRequest:
    """The refusal of a name; its value is not told, as it may be a misspelt secret."""
    near = get_close_matches(name, list(known), n=1, cutoff=0.5)
    hint = f"; did you mean `{near[0]}`?" if near else ""
    return InvalidRequest(f"unknown setting {_shown(name)} {where}{hint}")


def variables(fields: Iterable[str]) -> dict[str, tuple[str, str]]:
    """key -> (variable, value) of the environment; an empty value counts as not given."""
    keys = {PREFIX + field.upper(): field for field in fields}
    known = sorted(keys)
    keys = {**ALIASES, **keys}  # in this order, so that a prefixed name wins
    for name in os.environ:
        if name.upper().startswith(PREFIX) and name not in keys and name not in OTHERS:
            raise unknown(name, known, "in the environment")
    given = {name: os.environ.get(name, "").strip() for name in keys}
    return {keys[name]: (name, value) for name, value in given.items() if value}


class Environment(PydanticBaseSettingsSource):
    """QWEN3_TTS_<KEY>, and a few names that other servers share."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        found = variables(self.settings_cls.model_fields).get(field_name)
        return (found[1] if found else None), field_name, False

    def __call__(self) -> dict[str, Any]:
        found = variables(self.settings_cls.model_fields)
        return {key: value for key, (_, value) in found.items()}


def file_source(settings_cls: type[BaseSettings], given: Any) -> TomlConfigSettingsSource:
    """The TOML file; InvalidRequest where it is missing, damaged or holds an unknown key."""
    try:
        path = Path(expand(given))
        with path.open("rb"):  # the source would take a missing file for an empty one
            pass
        source = TomlConfigSettingsSource(settings_cls, path)
    except tomllib.TOMLDecodeError as error:
        raise _bad_file(given, f"is not valid TOML: {error}") from None
    except OSError as error:
        raise _bad_file(given, f"cannot be read: {error.strerror}") from None
    except (ValueError, TypeError) as error:
        kind = "is not UTF-8 text" if isinstance(error, UnicodeError) else "should be a path"
        raise _bad_file(given, kind) from None
    known = [key for key in settings_cls.model_fields if key != "config_file"]
    for key in source():
        if key not in known:
            raise unknown(key, known, f"in {_shown(str(given))}")
    return source


def _bad_file(given: Any, why: str) -> InvalidRequest:
    return InvalidRequest(" ".join(f"setting `config_file` is {_shown(given)}: {why}".split()))


def one_line(error: ValidationError, given: dict[str, Any], fields: Iterable[str]) -> str:
    """All that is wrong: each key, where it was set, its value, and what is allowed."""
    found = variables(fields)
    told = {}
    for item in error.errors(include_url=False):
        why = item["msg"].removeprefix("Value error, ").replace("Input should", "should")
        if not item["loc"]:
            told[""] = why
            continue
        key = str(item["loc"][0])
        told.setdefault(key, f"setting `{key}`{_place(key, given, found)} {_is(key, item)}: {why}")
    return " ".join("; ".join(told.values()).split())


def _place(key: str, given: dict[str, Any], found: dict[str, tuple[str, str]]) -> str:
    if key in given:
        return ""
    return f" ({found[key][0]})" if key in found else " (in the file)"


def _is(key: str, item: Any) -> str:
    return "(value not shown)" if key in SECRET else f"is {_shown(item.get('input'))}"


def _shown(value: Any) -> str:
    text = ascii(str(value) if isinstance(value, Path) else value)
    return text if len(text) <= 80 else text[:77] + "..."
