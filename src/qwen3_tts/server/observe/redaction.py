"""What must not stand in a log: tokens, keys, and what users let us say."""

import hashlib
import re
import secrets
from collections.abc import Iterable, Mapping
from typing import Any

HIDDEN = "[hidden]"
LONGEST_TEXT = 8_192  # characters of one value in a log
DEEPEST = 4  # lists in lists
SHORTEST_SECRET = 4  # shorter ones would blank out half of every line
# extras that hold a user's words
USER_TEXT = frozenset(
    "text input instruct instructions transcript ref_text reference_text prompt speech_text".split()
)
SECRET_NAMES = re.compile(r"(?i)authorization|api[-_]?keys?$|token$|secret|password|cookie")
NAMED = (  # `name: value` or "name": "value", of which the value goes
    r"(?i)((?:x-api-key|xi-api-key|api[-_]?key|auth[-_]?token|access[-_]?token|token|secret"
    r"|password|authorization)[\"']?\s*[:=]\s*[\"']?(?:bearer\s+|token\s+)?)[^\s\"',;&}]+"
)
PATTERNS = (
    (re.compile(r"(?i)\b(bearer\s+)[^\s\"',;]+"), rf"\1{HIDDEN}"),
    (re.compile(NAMED), rf"\1{HIDDEN}"),
    (re.compile(r"(?<![\w-])eyJ[\w-]+\.[\w-]+\.[\w-]*"), HIDDEN),  # a JSON Web Token
    (re.compile(r"((?<![\w-])token\.)[\w-]{8,}=*"), rf"\1{HIDDEN}"),  # a WebSocket subprotocol
    (re.compile(r"(?<![\w-])sk-[\w-]{8,}"), HIDDEN),
)
_SALT = secrets.token_bytes(16)  # new in each process, so that no list of hashes fits


def described_text(text: str, log_text: bool = False) -> str:
    """A user's text for a log: its length and a hash that tells equal texts of one run."""
    if log_text:
        return text
    digest = hashlib.blake2b(text.encode("utf-8", "surrogatepass"), key=_SALT, digest_size=4)
    return f"<{len(text)} characters, {digest.hexdigest()}>"


class Redactor:
    """Takes secrets out of messages and extras. `known` are those this server is set up with."""

    def __init__(self, known: Iterable[str] = (), log_text: bool = False):
        longest_first = sorted({k for k in known if len(k) >= SHORTEST_SECRET}, key=len)[::-1]
        self._known = re.compile("|".join(map(re.escape, longest_first)) or r"(?!)")
        self._log_text = log_text

    def text(self, text: str) -> str:
        """`text` without secrets, at most LONGEST_TEXT characters of it."""
        length = len(text)
        # cut again below: half a token at the first cut would not look like one
        text = self._known.sub(HIDDEN, text)[: 2 * LONGEST_TEXT]
        for pattern, hidden in PATTERNS:
            text = pattern.sub(hidden, text)
        return text if length <= LONGEST_TEXT else f"{text[:LONGEST_TEXT]}... ({length} characters)"

    def value(self, name: str, value: Any, depth: int = 0) -> Any:
        """An extra in JSON's types; a secret by its name is hidden whatever it looks like."""
        if SECRET_NAMES.search(name):
            return HIDDEN
        if isinstance(value, str):
            words = name in USER_TEXT and not self._log_text
            return described_text(value) if words else self.text(value)
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return value if value - value == 0 else str(value)  # JSON has no NaN
        if depth < DEEPEST and isinstance(value, Mapping):
            items = ((str(key), item) for key, item in value.items())
            return {self.text(key): self.value(key, item, depth + 1) for key, item in items}
        if depth < DEEPEST and isinstance(value, list | tuple | set | frozenset):
            return [self.value(name, item, depth + 1) for item in value]
        return self.text(str(value))
