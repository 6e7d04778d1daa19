"""Signs that stand alone in an English text: sums, brackets, slashes, and those nobody says."""

import re

from qwen3_tts.text.english_words import NUMBERED, SIGNS
from qwen3_tts.text.numbers_english import cardinal, ordinal

Reading = tuple[str, int]

_POWER = re.compile(r"\^\(?(-?)([0-9]{1,3})\)?")
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")
_RAISED_RUN = re.compile("[⁰¹²³⁴-⁹]+")
_ALWAYS = str.maketrans(
    dict.fromkeys("[]{}_\\", " ") | {"|": ", "} | {mark: SIGNS[mark] for mark in "&@√÷≠∞π"}
)
_SILENT = re.compile(  # marks that say something beside numbers or between words alone
    r"(?<!\w)(?<!\w )[<>](?![0-9])|[<>](?![\w ])|(?<![0-9])(?<![0-9] )\*|\*(?![0-9 ])"
    r"|\^(?![-(0-9])|#(?!\s?[0-9])|~(?![.0-9])|[$£€¥￥₩₹₽](?![-. 0-9])"
)


def said_alike(text: str) -> str:
    """The text with signs whose words depend on nothing put into words, or left out."""
    return _SILENT.sub(" ", text.translate(_ALWAYS))


def sign(text: str, at: int, end: int) -> Reading:
    """The words of the sign at `text[at:end]`."""
    mark = text[at]
    before = text[at - 1] if at else " "
    after = text[end] if end < len(text) else " "
    if mark == "w":
        return ("without" if text[at:end] == "w/o" else "with"), end
    if mark in "#№§":
        digit = re.match(r"\s?[0-9]", text[end : end + 2])
        return (NUMBERED[mark] + " " if digit else " "), end
    if mark in "⁰¹²³⁴⁵⁶⁷⁸⁹":
        return _raised(text, at)
    if mark == "^":
        return _power(text, at, end)
    if mark in "-–—":
        return _dash(text, at, before, after), end
    if mark == "/":
        return _slash(text, at, end, before, after), end
    if mark == "*":
        numbers = before.isdigit() or (before == " " and text[at - 2 : at - 1].isdigit())
        return (" times " if numbers and (after.isdigit() or after == " ") else " "), end
    if mark in "<>":
        glued = before.isalnum() and after.isalnum()
        apart = before == after == " " and text[at - 2 : at - 1].isalnum()
        return (SIGNS[mark] if glued or apart else " "), end
    return SIGNS.get(mark, " "), end


def _raised(text: str, at: int) -> Reading:
    found = _RAISED_RUN.match(text, at)
    assert found is not None, text[at]
    return _to_the(found[0].translate(_RAISED), ""), found.end()


def _power(text: str, at: int, end: int) -> Reading:
    found = _POWER.match(text, at)
    return (_to_the(found[2], found[1]), found.end()) if found else (" ", end)


def _to_the(digits: str, minus: str) -> str:
    if not minus and digits in ("2", "3"):
        return " squared " if digits == "2" else " cubed "
    power = cardinal(digits) if digits[0] == "0" else ordinal(digits)
    return f" to the {'minus ' if minus else ''}{power} "


def _dash(text: str, at: int, before: str, after: str) -> str:
    """Between numbers: minus where something is equal to something, else from one to the other."""
    if before in "%‰":
        return " to "
    if after != " " or before != " ":
        return " minus "
    if not text[at - 2 : at - 1].isdigit():
        return text[at]
    return "minus" if "=" in text[max(0, at - 40) : at + 40] else "to"


def _slash(text: str, at: int, end: int, before: str, after: str) -> str:
    if before == " " and after == " ":
        return " over " if text[end + 1 : end + 2].isdigit() else ", "
    return " over " if before in ")²³" or (before.isdigit() and after.isalnum()) else " "
