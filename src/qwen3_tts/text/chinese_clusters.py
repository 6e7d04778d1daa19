"""Clusters in Chinese: digits with marks between them, such as `3.14`, `10:30` or `2024-03-15`.

Read by shape alone; `chinese` looks at what stands beside them.
"""

import re
from functools import lru_cache

from qwen3_tts.text.numbers_chinese import cardinal, decimal, spell

_GROUPED = re.compile(r"[0-9]{1,3}(?:,[0-9]{3})+(?:\.[0-9]+)?")
_PLAIN = re.compile(r"[0-9]*(?:\.[0-9]+)?")
_DATE = re.compile(r"([12][0-9]{3})([-/.])([0-9]{1,2})\2([0-9]{1,2})")
_CLOCK = re.compile(r"([0-9]{1,2})[:：]([0-9]{2})(?:[:：]([0-9]{2}))?")
SEPARATOR = re.compile(r"[,.:：/–~～—-]")
RANGE = re.compile(r"([0-9,]*(?:\.[0-9]+)?)[-–~～—]([0-9,]*(?:\.[0-9]+)?)")


@lru_cache(maxsize=8192)
def read_cluster(cluster: str) -> str:
    """Words of a cluster by its shape alone; each number in it is read once."""
    if cluster.isdigit():
        return cardinal(cluster)
    if is_amount(cluster):
        return amount(cluster)
    if len(cluster) < 40:
        if match := _DATE.fullmatch(cluster):
            if 1 <= int(match[3]) <= 12 and 1 <= int(match[4]) <= 31:
                month, day = cardinal(str(int(match[3]))), cardinal(str(int(match[4])))
                return f"{spell(match[1])}年{month}月{day}日"
        elif (match := _CLOCK.fullmatch(cluster)) and (words := _time(match)):
            return words
        elif match := RANGE.fullmatch(cluster):
            return _range(match[1], match[2])
        elif len(halves := re.split("[-–~～—]", cluster)) == 2:
            return "到".join([read_cluster(half) for half in halves])
    return _listed(cluster)


def _listed(cluster: str) -> str:
    """Fractions, ratios, versions, and lists of numbers."""
    parts = SEPARATOR.split(cluster)
    marks = {char for char in cluster if not char.isdigit()}
    if marks == {"/"} and len(parts) == 2:
        return f"{cardinal(parts[1])}分之{cardinal(parts[0])}"
    if marks <= {":", "："}:
        return "比".join([cardinal(part) for part in parts])
    if marks == {"."} and len(parts) == 4:
        return "点".join([spell(part, phone=True) for part in parts])
    if marks == {"."}:
        return "点".join([cardinal(part) for part in parts])
    if marks == {"-"}:
        return "，".join([spell(part) for part in parts])
    return "，".join([cardinal(part) for part in parts])


def _range(low: str, high: str) -> str:
    if low.isdigit() and high.isdigit() and (low[0] == "0" or len(high) > 8):
        return f"{spell(low)}，{spell(high)}"
    years = [len(part) == 4 and "1900" <= part < "2100" for part in (low, high)]
    if all(years) and low < high:
        return f"{spell(low)}到{spell(high)}"
    return f"{amount(low)}到{amount(high)}"


def _time(match: re.Match[str]) -> str:
    hour, minute, second = match[1], match[2], match[3]
    if int(hour) > 24 or int(minute) > 59 or (second and int(second) > 59):
        return ""
    hour_words = "两" if int(hour) == 2 else cardinal(str(int(hour)))
    words = f"{hour_words}点"
    if minute != "00" or second:
        words += f"{_minutes(minute)}分"
    return words + (f"{_minutes(second)}秒" if second else "")


def _minutes(digits: str) -> str:
    return ("零" if digits[0] == "0" and digits != "00" else "") + cardinal(str(int(digits)))


def is_amount(cluster: str) -> bool:
    return bool(_GROUPED.fullmatch(cluster) or _PLAIN.fullmatch(cluster))


def amount(digits: str) -> str:
    whole, point, rest = digits.replace(",", "").partition(".")
    return decimal(whole, rest) if point and rest else cardinal(whole or "0")
