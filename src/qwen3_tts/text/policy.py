"""What becomes of the parts of a text that are no prose."""

from dataclasses import dataclass
from typing import Literal, get_args, get_type_hints

from qwen3_tts.errors import InvalidRequest


@dataclass(frozen=True)
class Policy:
    """One choice per kind. Raises `InvalidRequest` for a choice that does not exist."""

    code: Literal["drop", "read"] = "drop"  # blocks of code; code within a sentence is always read
    urls: Literal["domain", "full", "drop"] = "domain"
    emoji: Literal["drop", "name"] = "drop"  # names are English: dropped in other languages
    images: Literal["read", "drop"] = "read"  # the description of an image
    tables: Literal["read", "drop"] = "read"  # row by row

    @classmethod
    def choices(cls) -> dict[str, tuple[str, ...]]:
        """The kinds, and what may become of each; the first is the default."""
        return {name: get_args(kind) for name, kind in get_type_hints(cls).items()}

    def __post_init__(self) -> None:
        for name, allowed in self.choices().items():
            given = getattr(self, name)
            if given not in allowed:
                raise InvalidRequest(f"{name} is {given!r}; allowed are {', '.join(allowed)}")
