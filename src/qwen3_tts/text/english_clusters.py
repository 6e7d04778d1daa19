"""Clusters in English: digits with marks between them, such as `3.14`, `10:30` or `2024-03-15`.

Read by shape alone; `english` looks at what stands beside them.
"""

import re
from collections.abc import Callable
from functools import lru_cache

from qwen3_tts.text.english_words import MONTH_NAMES
from qwen3_tts.text.numbers_english import (
    cardinal,
    decimal,
    fraction,
    in_pairs,
    ordinal,
    plural,
    spell,
    year,
)

_NO_DIGITS = str.maketrans("", "", "0123456789")
_MARK = re.compile("[-–,.:/]")
_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_LONGEST = 80  # characters; a longer cluster is read as a list of numbers


@lru_cache(maxsize=8192)
def read_cluster(cluster: str) -> str:
    """Words of a cluster; each number in it is read once, so this is linear in its length."""
    marks = cluster.translate(_NO_DIGITS).replace("–", "-")
    if not marks:
        return cardinal(cluster)
    if len(cluster) > _LONGEST:
        return _list(cluster)
    if "," in marks and _GROUPED.fullmatch(cluster):
        return read_amount(cluster)
    if "-" in marks and marks != "-" * len(marks) and marks.count("-") == 1:
        low, high = cluster.replace("–", "-").split("-")
        return f"{read_cluster(low)} to {read_cluster(high)}"
    if marks.startswith(("-" * 3, ".." * 2)):
        return ", ".join([spell(part) for part in _MARK.split(cluster)])
    return _READERS.get(marks, _list)(cluster)


def read_amount(digits: str) -> str:
    """A number that may have commas between its thousands, and a fraction."""
    whole, point, rest = digits.replace(",", "").partition(".")
    return decimal(whole, rest) if point and rest else cardinal(whole)


def _list(cluster: str) -> str:
    return ", ".join([cardinal(part) for part in _MARK.split(cluster)])


def _decimal(cluster: str) -> str:
    whole, _, rest = cluster.partition(".")
    return decimal(whole, rest)


def _version(cluster: str) -> str:
    parts = [int(part) for part in cluster.split(".") if len(part) < 5]
    if len(parts) == 3 and (words := date(str(parts[2]), parts[1], parts[0])):
        return words
    return " point ".join([cardinal(part) for part in cluster.split(".")])


def _address(cluster: str) -> str:
    """Four numbers with points: an address on the network, or a version."""
    return " dot ".join([cardinal(part) for part in cluster.split(".")])


def read_time(cluster: str, *, half: str = "") -> str:
    """`3:45` is "three forty-five"; `half` is AM, PM or empty. Not a time: a ratio."""
    hour, minute = cluster.split(":")
    if len(minute) != 2 or len(hour) > 2 or int(hour) > 24 or int(minute) > 59:
        return f"{cardinal(hour)} to {cardinal(minute)}"
    if minute != "00":
        low = "oh " if minute[0] == "0" else ""
        return f"{cardinal(str(int(hour)))} {low}{cardinal(str(int(minute)))} {half}".rstrip()
    if half:
        return f"{cardinal(str(int(hour)))} {half}"
    if int(hour) in (0, 24):
        return "midnight"
    return f"{cardinal(str(int(hour)))} {'o’clock' if int(hour) < 13 else 'hundred'}"


def _duration(cluster: str) -> str:
    parts = cluster.split(":")
    names = ("hour", "minute", "second")
    said = [
        f"{cardinal(str(int(part)))} {name}{'' if int(part) == 1 else 's'}"
        for part, name in zip(parts, names, strict=True)
        if int(part[:6])
    ]
    return ", ".join(said) or "zero seconds"


def _slashed(cluster: str) -> str:
    first, second = cluster.split("/")
    if cluster in ("24/7", "9/11") or first == second:
        return f"{cardinal(first)} {cardinal(second)}"
    if len(first) > 2 or len(second) > 4 or int(second) == 0 or int(first) > int(second):
        return f"{cardinal(first)} over {cardinal(second)}"
    return fraction(first, second)


def _slashed_date(cluster: str) -> str:
    first, second, third = cluster.split("/")
    return _any_date(first, second, third) or _list(cluster)


def _hyphened(cluster: str) -> str:
    """Two numbers: years, a telephone number, a month, or from one to the other."""
    low, high = cluster.replace("–", "-").split("-")
    sizes = (len(low), len(high))
    if sizes == (3, 4) and "–" not in cluster and low[1:] != "00" != high[2:]:
        return f"{spell(low)}, {spell(high)}"
    if sizes == (5, 4) or (low[0] == "0" and sizes > (1, 4)):
        return f"{spell(low)}, {spell(high)}"
    if sizes == (4, 4) and is_year(low) and is_year(high) and int(low + high) % 100:
        return f"{year(low)} to {year(high)}"
    if sizes == (4, 2) and is_year(low):
        if high[0] == "0" and high != "00":
            return f"{MONTH_NAMES[int(high) - 1]} {year(low)}"
        if int(high) > int(low[2:]):
            return f"{year(low)} to {cardinal(high)}"
    return f"{cardinal(low)} to {cardinal(high)}"


def _hyphened_date(cluster: str) -> str:
    first, second, third = cluster.replace("–", "-").split("-")
    if max(len(first), len(second), len(third)) < 5 and (words := _any_date(first, second, third)):
        return words
    return ", ".join([spell(part) for part in (first, second, third)])


def _any_date(first: str, second: str, third: str) -> str:
    """Year first, or month first, or day first where the month can only be second."""
    if len(first) == 4 and len(third) < 3:
        return date(first, int(second), int(third))
    if len(first) > 2 or len(second) > 2 or len(third) not in (2, 4):
        return ""
    full = third if len(third) == 4 else ("19" if int(third) > 50 else "20") + third
    return date(full, int(first), int(second)) or date(full, int(second), int(first))


def date(full_year: str, month: int, day: int) -> str:
    """`2024`, 3, 15 is "March fifteenth, twenty twenty-four"; "" for no date."""
    if not (is_year(full_year) and 1 <= month <= 12 and 1 <= day <= 31):
        return ""
    return f"{MONTH_NAMES[month - 1]} {ordinal(str(day))}, {year(full_year)}"


def is_year(digits: str) -> bool:
    return len(digits) == 4 and "1000" <= digits < "2200"


def decade(digits: str) -> str:
    """`1990` is "nineteen nineties", `90` "nineties"."""
    if len(digits) == 4 and is_year(digits):
        return plural(year(digits))
    return plural(in_pairs(digits) if len(digits) < 5 else cardinal(digits))


_READERS: dict[str, Callable[[str], str]] = {
    ".": _decimal,
    "..": _version,
    "...": _address,
    ":": read_time,
    "::": _duration,
    "/": _slashed,
    "//": _slashed_date,
    "-": _hyphened,
    "--": _hyphened_date,
}
