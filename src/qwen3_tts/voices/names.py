"""What a voice may be called, and what its id may look like."""

import re
import secrets
import unicodedata
from typing import TypeGuard

from qwen3_tts.errors import InvalidVoice

ID = re.compile(r"[A-Za-z0-9_-]{1,64}")
MOST_MARKS = 30  # on one letter
ODD_MARKS = "\u0f73\u0f75\u0f81"  # class 0 themselves, but made of marks
LONGEST_NAME = 64
JOINERS = "\u200c\u200d"  # invisible, but Persian, Hindi and emoji are misspelled without them
# Controls, invisible and directional marks, lone surrogates, private and unassigned characters.
UNSHOWN = {"Cc", "Cf", "Cs", "Co", "Cn"}
INK = {"L", "N", "P", "S"}  # what leaves a mark on paper


def new_id() -> str:
    return f"voice_{secrets.token_hex(6)}"


def is_heaped(text: str) -> bool:
    """Whether more marks stand on one letter than writing needs.

    Putting marks into order takes a time that grows with the square of their number, so this comes
    before any normal form. 30 is what Unicode's stream-safe format allows (UAX 15, section 13).
    """
    run = 0
    for char in text:
        run = run + 1 if unicodedata.combining(char) or char in ODD_MARKS else 0
        if run > MOST_MARKS:
            return True
    return False


def is_id(text: object) -> TypeGuard[str]:
    return isinstance(text, str) and ID.fullmatch(text) is not None


def clean_name(name: object) -> str:
    """The name in NFC, white space made single blanks. Raises `InvalidVoice`."""
    if not isinstance(name, str):
        raise InvalidVoice(f"a voice's name is a string, got {type(name).__name__}")
    _refuse_heaps(name, "name")
    cleaned = " ".join(unicodedata.normalize("NFC", name).split())
    for char in cleaned:
        if unicodedata.category(char) in UNSHOWN and char not in JOINERS:
            raise InvalidVoice(
                f"a voice's name has U+{ord(char):04X} in it; control, direction and other "
                "characters that cannot be seen are not allowed"
            )
    if not any(unicodedata.category(char)[0] in INK for char in cleaned):
        raise InvalidVoice("a voice's name is empty; give 1 to 64 characters")
    if len(cleaned) > LONGEST_NAME:
        raise InvalidVoice(
            f"a voice's name has {len(cleaned)} characters, allowed: 1 to {LONGEST_NAME}"
        )
    return cleaned


def name_key(name: str) -> str:
    """Equal for names that differ in case, width or composition alone."""
    if is_heaped(name):  # no voice has such a name
        return name
    folded = unicodedata.normalize("NFKC", name).casefold()
    return " ".join(unicodedata.normalize("NFKC", folded).split())


def clean_text(text: object, what: str, longest: int) -> str:
    """A text that a file can hold, blanks around it removed. Raises `InvalidVoice`."""
    if not isinstance(text, str):
        raise InvalidVoice(f"a voice's {what} is a string, got {type(text).__name__}")
    _refuse_heaps(text, what)
    cleaned = unicodedata.normalize("NFC", text).strip()
    if len(cleaned) > longest:
        raise InvalidVoice(
            f"a voice's {what} has {len(cleaned)} characters, allowed: up to {longest}"
        )
    for char in cleaned:
        if unicodedata.category(char) in ("Cc", "Cs") and char not in "\t\r\n":
            raise InvalidVoice(
                f"a voice's {what} has U+{ord(char):04X} in it; control characters and lone "
                "surrogates are not allowed"
            )
    return cleaned


def _refuse_heaps(text: str, what: str) -> None:
    if is_heaped(text):
        raise InvalidVoice(f"a voice's {what} has more than {MOST_MARKS} marks on one letter")
