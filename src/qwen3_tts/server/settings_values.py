"""The kinds of value a setting can have, each checked and written the one way it is used later.

A list may come as one text with commas, as environments hold it; a `ValueError` says what is
allowed and never repeats the value, which may be a secret.
"""

import json
import re
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr

LONGEST_KEY = 512  # characters; a key travels in a header
LARGEST_KEY_FILE = 1 << 20
DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}
LOOPBACK_NAMES = ("localhost", "::1")


def _not_bool(value: Any) -> Any:
    """`true` is not 1: a TOML file says `port = true` by mistake only."""
    if isinstance(value, bool):
        raise ValueError("should be a number")
    return value


def _items(value: Any) -> Any:
    if isinstance(value, str):
        return tuple(item.strip() for item in value.split(",") if item.strip())
    if not isinstance(value, list | tuple):
        raise ValueError("should be a list, or one text with commas")
    return value


def _pairs(value: Any) -> Any:
    """{"alloy": "ann"}, as JSON or as `alloy=ann,echo=bob`."""
    if not isinstance(value, str):
        return value
    if value.startswith("{"):
        try:
            return json.loads(value)
        except ValueError as error:
            raise ValueError("should be a JSON object, or name=voice pairs with commas") from error
    pairs = [item.partition("=") for item in _items(value)]
    if not all(key.strip() and voice.strip() for key, _, voice in pairs):
        raise ValueError("should be name=voice pairs with commas between them")
    return {key.strip(): voice.strip() for key, _, voice in pairs}


def _filled(values: tuple[str, ...]) -> tuple[str, ...]:
    if not all(value.strip() for value in values):
        raise ValueError("should hold no empty entry")
    return values


def expand(value: Any) -> Any:
    """A path with `~` resolved."""
    if not isinstance(value, str | Path):
        return value  # pydantic tells what a path is
    if not str(value) or "\0" in str(value):
        raise ValueError("should be a path")
    try:
        return Path(value).expanduser()
    except RuntimeError as error:  # ~nobody, or no home at all
        raise ValueError("names a home folder that is not known") from error


def _expand_model(value: str) -> str:
    return str(expand(value)) if value.startswith("~") else value


def normal_origin(origin: str) -> str | None:
    """`scheme://host[:port]` in lower case without a default port; None for anything else."""
    try:
        parts = urlsplit(origin)
        port = parts.port
    except ValueError:
        return None
    host = (parts.hostname or "").lower()
    rest = (parts.path.rstrip("/"), parts.query, parts.fragment)
    if not parts.scheme or not re.fullmatch(r"[\w.:%-]+", host, re.ASCII) or any(rest):
        return None
    if "@" in parts.netloc or re.search(r"[\s\\]", origin):
        return None
    scheme = parts.scheme.lower()
    name = f"[{host}]" if ":" in host else host
    return f"{scheme}://{name}" + (f":{port}" if port and port != DEFAULT_PORTS.get(scheme) else "")


def _origins(values: tuple[str, ...]) -> tuple[str, ...]:
    normal = [value if value == "*" else normal_origin(value) for value in values]
    found = tuple(value for value in normal if value is not None)
    if len(found) < len(normal):
        raise ValueError('each should be like "https://example.com:8443", or "*" for any')
    return found


def _hosts(values: tuple[str, ...]) -> tuple[str, ...]:
    lower = tuple(value.lower() for value in values)
    if not all(re.fullmatch(r"[a-z0-9]([a-z0-9.-]*[a-z0-9])?", value) for value in lower):
        raise ValueError('each should be the name of a host, like "media.example.com"')
    return lower


def check_key(key: SecretStr) -> SecretStr:
    if not re.fullmatch(rf"[\x21-\x7e]{{1,{LONGEST_KEY}}}", key.get_secret_value()):
        raise ValueError(f"a key should be 1 to {LONGEST_KEY} visible ASCII characters, no blanks")
    return key


def read_keys(path: Path) -> tuple[SecretStr, ...]:
    """One key a line; `#` starts a comment. ValueError where there is none, or a line is odd."""
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise ValueError(f"cannot be read: {error.strerror}") from error
    if len(raw) > LARGEST_KEY_FILE:
        raise ValueError(f"should be at most {LARGEST_KEY_FILE} bytes")
    keys = []
    for number, line in enumerate(raw.decode("utf-8", "replace").splitlines(), 1):
        words = line.split(maxsplit=1)
        if not words or words[0].startswith("#"):
            continue
        if len(words) > 1 and not words[1].startswith("#"):
            raise ValueError(f"line {number} should hold one key alone")
        try:
            keys.append(check_key(SecretStr(words[0])))
        except ValueError as error:
            raise ValueError(f"line {number}: {error}") from error
    if not keys:
        raise ValueError("should hold at least one key")
    return tuple(keys)


def _jwt_secret(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    if len(text.encode()) < 32:
        raise ValueError("should be at least 32 bytes, as HS256 needs")
    if "-----BEGIN" in text:
        raise ValueError("should be a shared secret; a PEM key belongs into jwt_public_key_file")
    return secret


def _jwks_url(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise ValueError("should be an https URL") from error
    safe = parts.scheme == "https" or (parts.scheme == "http" and is_loopback(parts.hostname or ""))
    if not safe or not parts.hostname or "@" in parts.netloc:
        raise ValueError("should be an https URL without a password (http on this machine alone)")
    return url


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach `host`."""
    name = host.lower().strip("[]")
    return name in LOOPBACK_NAMES or bool(re.fullmatch(r"127(\.\d{1,3}){3}", name, re.ASCII))


_number = BeforeValidator(_not_bool)
Port = Annotated[int, _number, Field(ge=0, le=65535)]  # 0: any that is free
Count = Annotated[int, _number, Field(ge=1, le=1_000_000)]
CountOrOff = Annotated[int, _number, Field(ge=0, le=1_000_000)]
Size = Annotated[int, _number, Field(ge=1024, le=1 << 30)]  # bytes
Seconds = Annotated[float, _number, Field(gt=0, le=86_400, allow_inf_nan=False)]
SecondsOrOff = Annotated[float, _number, Field(ge=0, le=86_400, allow_inf_nan=False)]
Word = Annotated[str, Field(min_length=1, max_length=1024, pattern=r"^[^\s\x00-\x1f]+$")]
Name = Annotated[str, Field(min_length=1, max_length=64)]
Model = Annotated[str, Field(min_length=1, max_length=4096), AfterValidator(_expand_model)]
Device = Annotated[str, Field(pattern=r"^(auto|cpu|mps|cuda(:[0-9]+)?)$")]
Location = Annotated[Path, BeforeValidator(expand)]
Names = Annotated[tuple[str, ...], BeforeValidator(_items), AfterValidator(_filled)]
Origins = Annotated[Names, AfterValidator(_origins)]
Hosts = Annotated[Names, AfterValidator(_hosts)]
NameMap = Annotated[dict[Name, Name], BeforeValidator(_pairs)]
Key = Annotated[SecretStr, AfterValidator(check_key)]
Keys = Annotated[tuple[Key, ...], BeforeValidator(_items)]
JwtSecret = Annotated[SecretStr, AfterValidator(_jwt_secret)]
JwksUrl = Annotated[str, AfterValidator(_jwks_url)]
