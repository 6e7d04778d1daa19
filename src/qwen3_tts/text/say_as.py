"""`<say-as interpret-as="...">`: a text read as what its author says it is."""

import re

from qwen3_tts.text import english_clusters, numbers_chinese, numbers_english

_DIGITS = re.compile("[0-9]+")
_NUMBER = re.compile(r"([-−+]?)([0-9][0-9,]*|)(?:\.([0-9]+))?")
_LONGEST_SPELLED = 400  # characters of one element read one by one


def say_as(text: str, how: str, format: str, language: str | None) -> str | None:
    """Words of `text` read as `how`; None for unknown kinds and texts that do not fit."""
    chinese = language == "chinese"
    stripped = text.strip()
    if how in ("characters", "character", "spell-out", "verbatim", "letters", "digits", "digit"):
        return _spelled(stripped, chinese)
    if how in ("telephone", "phone"):
        groups = _DIGITS.findall(stripped)
        said = [_digits(group, chinese, phone=True) for group in groups]
        plus = ("加 " if chinese else "plus ") if stripped.startswith("+") else ""
        return plus + ("，" if chinese else ", ").join(said) if said else None
    number = _NUMBER.fullmatch(stripped)
    if how in ("cardinal", "number") and number and (number[2] or number[3]):
        return _number(number, chinese)
    if how == "ordinal" and stripped.isascii() and stripped.isdigit():
        digits = stripped.lstrip("0") or "0"
        if chinese:
            return "第" + numbers_chinese.cardinal(digits)
        return numbers_english.ordinal(digits)
    if how == "date":
        return _date(stripped, format, chinese) or None
    return None


def _digits(digits: str, chinese: bool, *, phone: bool = False) -> str:
    if chinese:
        return numbers_chinese.spell(digits, phone=phone)
    return numbers_english.spell(digits)


def _spelled(text: str, chinese: bool) -> str:
    said = []
    for char in text[:_LONGEST_SPELLED]:
        if "0" <= char <= "9":
            said.append(_digits(char, chinese))
        elif char.isalnum():
            said.append(char.upper() if char.isascii() else char)
    return " ".join(said)


def _number(match: re.Match[str], chinese: bool) -> str:
    sign, whole, rest = match[1], match[2].replace(",", "") or "0", match[3]
    whole = whole.lstrip("0") or "0"
    if chinese:
        words = numbers_chinese.decimal(whole, rest) if rest else numbers_chinese.cardinal(whole)
    else:
        words = numbers_english.decimal(whole, rest) if rest else numbers_english.cardinal(whole)
    minus = "负" if chinese else "minus "
    return (minus if sign in ("-", "−") else "") + words


def _date(text: str, format: str, chinese: bool) -> str:
    """Fields in the order that `format` tells: mdy, dmy, ymd."""
    fields = _DIGITS.findall(text)
    order = "ymd" if len(fields[:1] and fields[0]) == 4 else "mdy"
    order = format if format in ("mdy", "dmy", "ymd") else order
    if len(fields) != 3 or any(len(field) > 4 for field in fields):
        return ""
    by_name = dict(zip(order, fields, strict=True))
    year, month, day = by_name["y"], int(by_name["m"]), int(by_name["d"])
    year = year if len(year) == 4 else f"20{year:0>2}"
    if chinese:
        if not (1 <= month <= 12 and 1 <= day <= 31):
            return ""
        said = [numbers_chinese.cardinal(str(value)) for value in (month, day)]
        return f"{numbers_chinese.spell(year)}年{said[0]}月{said[1]}日"
    return english_clusters.date(year, month, day)
