"""Whether a text can be spoken at all, told before anything is promised."""

import unicodedata

from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.voices.names import MOST_MARKS, is_heaped


def check_text(text: str, max_chars: int, *, param: str = "input") -> str:
    """The text in normal form C. Raises `Fault` INVALID_TEXT, which names what is allowed.

    Lengths are counted in code points after normalisation; a text needs one letter or digit.
    """
    if len(text) > 4 * max_chars:  # normal form C never shrinks a text to less than a third
        raise _too_long(len(text), max_chars, param)
    for bad, name in (("\0", "a NUL character"), *_surrogates(text)):
        if bad in text:
            raise Fault(FaultCode.INVALID_TEXT, f"the text has {name} in it", param)
    if is_heaped(text):
        message = f"the text has more than {MOST_MARKS} marks on one letter"
        raise Fault(FaultCode.INVALID_TEXT, message, param)
    text = unicodedata.normalize("NFC", text)
    if len(text) > max_chars:
        raise _too_long(len(text), max_chars, param)
    if not any(unicodedata.category(char)[0] in "LN" for char in text):
        what = "is empty" if not text.strip() else "has no letter and no digit to speak"
        raise Fault(FaultCode.INVALID_TEXT, f"the text {what}", param)
    return text


def check_piece(piece: str) -> str:
    """A piece of a text that arrives in pieces: it may be blank, but it has to be text."""
    for bad, name in (("\0", "a NUL character"), *_surrogates(piece)):
        if bad in piece:
            raise Fault(FaultCode.INVALID_TEXT, f"the text has {name} in it", "text")
    return piece


def grown(characters: int, piece: str, max_chars: int) -> int:
    """How long a text that arrives in pieces is with this one. Raises `Fault` when too long."""
    if characters + len(piece) > max_chars:
        raise Fault(
            FaultCode.INVALID_TEXT,
            f"the text grew beyond {max_chars} characters; end it and begin another",
            "text",
        )
    return characters + len(piece)


def _surrogates(text: str) -> list[tuple[str, str]]:
    found = next((char for char in text if "\ud800" <= char <= "\udfff"), None)
    return [(found, "half a surrogate pair")] if found else []


def _too_long(length: int, max_chars: int, param: str) -> Fault:
    return Fault(
        FaultCode.INVALID_TEXT,
        f"the text has {length} characters, allowed are up to {max_chars}; split it",
        param,
    )
