"""What stands beside an English number and belongs to it: units, money, half days, months."""

import re

from qwen3_tts.text.english_clusters import (
    decade,
    is_year,
    read_amount,
    read_cluster,
    read_time,
)
from qwen3_tts.text.english_context import is_attribute
from qwen3_tts.text.english_words import GLUED_ONLY, MONEY, MONEY_CODES, MONTHS, SCALES, UNITS
from qwen3_tts.text.numbers_english import cardinal, fraction, ordinal, year

Reading = tuple[str, int]

_AFTER = re.compile(
    r"""
    (?P<ordinal>(?:st|nd|rd|th)\b)
  | (?P<decade>['’]?s\b)
  | (?P<half>\s?(?:[ap]\.m\.|[ap]m\b|[AP]\.M\.|[AP]M\b))
  | (?P<mixed>\s(?P<top>[0-9])/(?P<bottom>[0-9]{1,2})(?![0-9/]))
  | (?P<by>[x×]\s?(?=[0-9])|\s[x×]\s(?=[0-9]))
  | (?P<instant>T(?P<clock>[0-9]{2}:[0-9]{2})(?::[0-9]{2}(?:\.[0-9]{1,9})?)?(?:Z|[+-][0-9:]{4,5})?)
  | (?P<feet>['′]\s?(?P<inches>[0-9]{1,2})["″]|″)
  | (?P<square>\ssq\.?\s?ft\b\.?)
  | (?P<word>\s?(?P<token>°\s?[CF]?(?![A-Za-z])|[%‰¢]|[A-Za-zµμΩ]{1,9}[²³]?(?:/[a-z]{1,2}\b)?)
        (?![A-Za-z0-9]))
    """,
    re.VERBOSE,
)
_DATE_TAIL = re.compile(
    r"(?:st|nd|rd|th)?\s(?:of\s)?(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[a-z]{0,6}\b(?:\.(?=,?\s[0-9]{4}))?"
    r"(?:,?\s([0-9]{4})(?![\w-]|[,.:/][0-9]))?"
)
_PER = re.compile(
    r"\s?/\s?(hr|hour|h|day|week|month|mo|year|yr|kg|g|lb|person|min|minute|sec|second|s|mile|km|oz|"
    r"ft|gal|gallon|night|unit|piece|user)\b"
)
_PER_WORDS = {
    "hr": "hour",
    "h": "hour",
    "mo": "month",
    "yr": "year",
    "kg": "kilogram",
    "g": "gram",
    "lb": "pound",
    "min": "minute",
    "sec": "second",
    "s": "second",
    "km": "kilometer",
    "oz": "ounce",
    "ft": "foot",
    "gal": "gallon",
}
_SCALE = re.compile(
    r"\s(?P<word>thousand|million|billion|trillion)\b|(?P<letter>[kKmMbBT]n?)(?![A-Za-z0-9])"
)
_PRODUCT = re.compile(r"[0-9]{1,15}(?:\.[0-9]{1,9})?\s?=")
_ZONES = frozenset(
    "Eastern Pacific Central Mountain Monday Tuesday Wednesday Thursday Friday".split()
)
_ZONES |= {"Saturday", "Sunday", "GMT", "UTC", "EST", "PST", "CET", "ET", "PT", *MONTHS.values()}


def after_number(text: str, cluster: str, start: int, end: int) -> Reading | None:
    """The words of a number with what follows it, or None where nothing belongs to it."""
    if end >= len(text):
        return None
    if len(cluster) < 3 and (found := _DATE_TAIL.match(text, end)) and 1 <= int(cluster) <= 31:
        words = f"the {ordinal(cluster.lstrip('0'))} of {MONTHS[found[1]]}"
        if found[2] and is_year(found[2]):
            return f"{words}, {year(found[2])}", found.end()
        return words, found.end() - (len(found[2]) + 1 if found[2] else 0)
    match = _AFTER.match(text, end)
    if match is None:
        return _per(text, read_cluster(cluster), end)
    plain = cluster.isdigit()
    kind = match.lastgroup
    if kind == "ordinal":
        if plain:
            return ordinal(cluster), match.end()
        head, _, last = cluster.rpartition("-")
        return (f"{read_cluster(head)} to {ordinal(last)}", match.end()) if head else None
    if kind == "decade":
        return _decade(cluster, match.end())
    if kind == "half":
        return _with_half(text, cluster, match)
    if kind == "mixed" and plain:
        part = fraction(match["top"], match["bottom"])
        part = f"a {part[4:]}" if part.startswith("one ") else part
        return f"{cardinal(cluster)} and {part}", match.end()
    if kind == "by":
        spaced = match[0][0].isspace() or _PRODUCT.match(text, match.end())
        return read_cluster(cluster) + (" times " if spaced else " by "), match.end()
    if kind == "instant":
        return f"{read_cluster(cluster)}, {read_time(match['clock'])}", match.end()
    if kind == "feet":
        if match["inches"]:
            words = f"{cardinal(cluster)} feet {cardinal(match['inches'])}" if plain else ""
            return (words, match.end()) if words else None
        return f"{read_cluster(cluster)} inches", match.end()
    if kind == "square":
        return f"{read_cluster(cluster)} square feet", match.end()
    return _with_word(text, cluster, start, match) if kind == "word" else None


def _decade(cluster: str, end: int) -> Reading | None:
    if not cluster.isdigit():
        low, hyphen, high = cluster.rpartition("-")
        return (f"{read_cluster(low)} to {decade(high)}", end) if hyphen else None
    if cluster[-1] == "0" or len(cluster) > 2:
        return decade(cluster), end
    return f"{cardinal(cluster)} second{'' if cluster == '1' else 's'}", end


def _with_half(text: str, cluster: str, match: re.Match[str]) -> Reading:
    """`a.m.` and its kin; their last point may also end the sentence."""
    half = "AM" if match["half"].strip()[0] in "aA" else "PM"
    low, hyphen, high = cluster.replace("–", "-").partition("-")
    if hyphen and high.replace(":", "").isdigit() and high.count(":") < 2 and low.count(":") < 2:
        words = f"{_hour(low)} to {_hour(high, half)}"
    elif cluster.count(":") < 2 and cluster.replace(":", "").isdigit():
        words = _hour(cluster, half)
    else:
        words = f"{read_cluster(cluster)} {half}"
    return words + ("." if _ends_sentence(text, match) else ""), match.end()


def _hour(clock: str, half: str = "") -> str:
    if ":" in clock:
        return read_time(clock, half=half)
    return f"{cardinal(clock)} {half}".rstrip()


def _ends_sentence(text: str, match: re.Match[str]) -> bool:
    if not match["half"].endswith("."):
        return False
    after = re.match(r"[\"'”’)]*(?:\s*\Z|\s+[\"“]?([A-Z][A-Za-z]*))", text[match.end() :][:24])
    return bool(after) and (after[1] or "") not in _ZONES if after else False


def _with_word(text: str, cluster: str, start: int, match: re.Match[str]) -> Reading | None:
    token, end = match["token"].replace(" ", ""), match.end()
    glued = not match["word"][0].isspace()
    one = cluster in ("1", "-1")
    if token in MONEY_CODES:
        return f"{read_cluster(cluster)} {MONEY_CODES[token][0 if one else 1]}", end
    if not glued and token in GLUED_ONLY and token not in ("m", "g"):
        return None
    if glued and token in ("M", "B", "bn", "mn", "k") and "-" not in cluster:
        return f"{read_cluster(cluster)} {SCALES[token]}", end
    if token == "x" and glued:
        return f"{read_cluster(cluster)} times", end
    if token not in UNITS and "/" in token:
        token, _, rest = token.partition("/")
        end -= len(rest) + 1
    if token not in UNITS:
        return None
    one = one or is_attribute(text, start, end)
    words = f"{read_cluster(cluster)} {UNITS[token][0 if one else 1]}"
    if text[end : end + 1] == "." and token in ("ft", "lb", "lbs", "oz", "min", "sec", "hr", "hrs"):
        end += bool(re.match(r"\.\s?[a-z0-9,;]", text[end : end + 3]))
    return _per(text, words, end) or (words, end)


def _per(text: str, words: str, end: int) -> Reading | None:
    """`/hr` behind an amount is "per hour"."""
    if "/" in text[end : end + 2] and (match := _PER.match(text, end)):
        return f"{words} per {_PER_WORDS.get(match[1], match[1])}", match.end()
    return None


def money(text: str, sign: str, cluster: str, start: int, end: int) -> Reading:
    """An amount of money whose sign or code stands before it."""
    negative = sign.endswith("-")
    key = sign.strip(" -")
    if key in MONEY:
        one, many, hundredth = MONEY[key]
    else:
        one, many = MONEY_CODES[key]
        hundredth = None
    amounts = cluster.replace("–", "-").split("-")
    if len(amounts) > 2 or not all(re.fullmatch(r"[0-9,]*(?:\.[0-9]+)?", a) for a in amounts):
        return f"{read_cluster(cluster)} {many}", end
    scale = ""
    if match := _SCALE.match(text, end):
        scale = match["word"] or SCALES.get(match["letter"], "")
        end = match.end() if scale else end
    if scale or len(amounts) == 2 or hundredth is None:
        said = " to ".join([read_amount(amount) for amount in amounts])
        single = (amounts == ["1"] and not scale) or is_attribute(text, start, end)
        words = f"{said} {scale} {one if single else many}".replace("  ", " ")
    else:
        many = one if is_attribute(text, start, end) else many
        words = _coins(amounts[0], one, many, hundredth)
    words = f"minus {words}" if negative else words
    return _per(text, words, end) or (words, end)


def _coins(amount: str, one: str, many: str, hundredth: tuple[str, str]) -> str:
    """`12.50` is "twelve dollars and fifty cents"."""
    whole, _, rest = amount.replace(",", "").partition(".")
    if len(rest) != 2:
        said = read_amount(amount) if rest else cardinal(whole)
        return f"{said} {one if amount == '1' else many}"
    coins = int(rest)
    parts = []
    if whole.strip("0") or not coins:
        parts.append(f"{cardinal(whole or '0')} {one if whole == '1' else many}")
    if coins:
        parts.append(f"{cardinal(str(coins))} {hundredth[0 if coins == 1 else 1]}")
    return " and ".join(parts)
