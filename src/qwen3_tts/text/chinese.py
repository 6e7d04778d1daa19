"""Chinese: numbers, dates, times, money, units and telephones in words.

One pass, as for English: a pattern finds digits and signs, and what stands beside them tells how
they are read. Simplified characters come out, also for a text in traditional ones.
"""

import re
from collections.abc import Callable

from qwen3_tts.text.chinese_clusters import RANGE, SEPARATOR, amount, is_amount, read_cluster
from qwen3_tts.text.chinese_words import (
    CALLED,
    COUNTERS,
    DIGIT_WORDS,
    MONEY,
    MONEY_CODES,
    NOT_COUNTED,
    PHONE_WORDS,
    SERVICES,
    SHORT_PHONES,
    SIGNS,
    UNITS,
)
from qwen3_tts.text.numbers_chinese import cardinal, counted, decimal, spell

Reading = tuple[str, int]

_SPAN = re.compile(
    r"""
    (?P<phone>(?<![0-9A-Za-z.])(?:\+?86[ -]?)?1[3-9][0-9](?:[ -]?[0-9]{4}){2}(?![0-9])
      | (?<![0-9])(?:0[0-9]{2,3}|400|800)[ -][0-9]{3,4}[ -]?[0-9]{4}(?![0-9])
      | (?<![0-9])\(0[0-9]{2,3}\)[ ]?[0-9]{7,8}(?![0-9]))
  | (?P<few>(?<![0-9、])[1-9]、[1-9](?=[^\x00-\x7f、，。]))
  | (?P<ranked>(?<![A-Za-z])[Nn][Oo]\.[ ]?(?=[0-9]))
  | (?P<number>(?P<sign>(?<![0-9A-Za-z)\]²³%％])[-−+±~～≈<>≤≥](?=[$￥¥€£.0-9]))?
      (?P<money>(?:US|HK|NT)?[$￥¥€£₩₽₹][ ]?)?
      (?P<cluster>(?<![0-9A-Za-z.])\.[0-9]++|[0-9]++(?:[,.:：/–~～—-][0-9]++)*+))
  | (?P<mark>(?<=[0-9 %％])[-*–—~～](?=[ ]?[0-9])|(?<=[0-9])x(?=[0-9])
      |[+−×÷=±≈≠<>≤≥√²³⁰¹⁴-⁹∞π&°%‰^~#$￥¥€£@/*])
    """,
    re.VERBOSE,
)
_AFTER = re.compile(
    r"""
    [ ]?(?: (?P<percent>[%％‰])
      | (?P<unit>°\s?[CF]?|℃|℉|[A-Za-zµμΩ]{1,4}[²³]?(?:/[hs]\b)?)(?![A-Za-z0-9])
      | (?P<han>[\u4e00-\u9fff]{1,2}) )
    """,
    re.VERBOSE,
)
_PERCENT = {"%": "百分之", "％": "百分之", "‰": "千分之"}
_SIGNED = {
    "-": "负",
    "−": "负",
    "+": "正",
    "±": "正负",
    "~": "约",
    "～": "约",
    "≈": "约",
    "<": "小于",
    ">": "大于",
    "≤": "小于等于",
    "≥": "大于等于",
}
_YEARS = re.compile(r"\s?[到至—–~～、和与-]\s?[12][0-9]{3}\s?年")
_SCALE = re.compile("百万|千万|万亿|[万亿千百]")
_SILENT = str.maketrans({"[": "", "]": "", "{": "", "}": "", "_": " ", "\\": " ", "|": "，"})
_RAISED = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹", "0123456789")


def normalise_chinese(text: str) -> str:
    """The text with digits and signs in words. Never raises; linear in the text."""
    text = text.translate(_SILENT)
    parts: list[str] = []
    at = 0
    while match := _SPAN.search(text, at):
        words, end = _READERS[match.lastgroup or ""](text, match)
        parts += [text[at : match.start()], words]
        at = end
    parts.append(text[at:])
    return "".join(parts)


def _read_phone(text: str, match: re.Match[str]) -> Reading:
    groups = re.findall(r"[0-9]+", match["phone"])
    return "，".join([spell(group, phone=True) for group in groups]), match.end()


def _read_few(text: str, match: re.Match[str]) -> Reading:
    """`2、3` before a word that counts is two or three; else a list."""
    low, high = match["few"].split("、")
    if int(high) == int(low) + 1 and _counts(text[match.end() :][:2]):
        return f"{counted(low)}{cardinal(high)}", match.end()
    return f"{cardinal(low)}、{cardinal(high)}", match.end()


def _read_ranked(text: str, match: re.Match[str]) -> Reading:
    return "第", match.end()


def _read_number(text: str, match: re.Match[str]) -> Reading:
    cluster, start, end = match["cluster"], match.start(), match.end()
    prefix = _SIGNED.get(match["sign"] or "", "")
    if match["money"]:
        words, end = _money(text, match["money"].strip(), cluster, end)
        return prefix + words, end
    if text[end : end + 2].lstrip()[:1] == "=" and (match_range := RANGE.fullmatch(cluster)):
        return f"{amount(match_range[1])}减{amount(match_range[2])}", end
    before = text[max(0, start - 6) : start]
    after = _AFTER.match(text, end)
    words = ""
    if after and after["percent"]:
        words, end = _percent(cluster, after["percent"]), after.end()
    elif after and after["unit"]:
        words, end = _with_unit(cluster, after, end)
    if not words:
        words = _by_context(cluster, before, (after and after["han"]) or "", text, end)
    return prefix + words, end


def _percent(cluster: str, sign: str) -> str:
    if match := RANGE.fullmatch(cluster):
        return f"{_PERCENT[sign]}{amount(match[1])}到{amount(match[2])}"
    return _PERCENT[sign] + (amount(cluster) if is_amount(cluster) else read_cluster(cluster))


def _with_unit(cluster: str, after: re.Match[str], end: int) -> Reading:
    unit = after["unit"].replace(" ", "")
    glued = after.start("unit") == end
    name = UNITS.get(unit) or MONEY_CODES.get(unit)
    if name is None or (not glued and unit in ("x", "s", "h", "t", "J", "V", "W")):
        return "", end
    if cluster == "2":
        return f"两{name}", after.end()
    return read_cluster(cluster) + name, after.end()


def _by_context(cluster: str, before: str, after: str, text: str, end: int) -> str:
    """A number whose reading depends on the characters around it."""
    if not cluster.isdigit():
        return _marked(cluster, before, after)
    if before[-1:].isascii() and before[-1:].isalpha():
        return _model(cluster, before, after)
    if _is_year(cluster, before, after, text, end):
        return spell(cluster)
    if _names_digits(cluster, before):
        return spell(cluster, phone=True)
    if cluster in SERVICES or (cluster in SHORT_PHONES and _is_called(before, after)):
        return spell(cluster, phone=True)
    if after[:1] in ("路", "室") and len(cluster) == 3:
        return spell(cluster, phone=True)
    if after[:1] in ("后", "後") and len(cluster) == 2 and cluster[1] in "05":
        return spell(cluster)
    if before[-1:] == "双" and cluster in ("11", "12"):
        return cardinal(cluster)
    if len(cluster) == 3 and len(set(cluster)) == 1 and not after:
        return spell(cluster)
    if cluster in ("985", "211", "996", "315", "618") and after[:1] not in COUNTERS:
        return spell(cluster, phone=cluster in ("211", "315", "618"))
    if before[-1:] not in ("第", "初") and after and _counts(after):
        return counted(cluster)
    return cardinal(cluster)


def _is_called(before: str, after: str) -> bool:
    return after in CALLED or before[-1:] in ("打", "拨", "撥")


def _counts(after: str) -> bool:
    return after[0] in COUNTERS and not after.startswith(NOT_COUNTED)


def _model(cluster: str, before: str, after: str) -> str:
    """Digits that belong to Latin letters: A4, CA1234, G20."""
    if len(cluster) > 2 and before[-1:].isupper():
        return spell(cluster, phone=True)
    return cardinal(cluster)


def _names_digits(cluster: str, before: str) -> bool:
    last = before.rstrip("：:是为 ")[-2:]
    return (len(cluster) > 2 and last in PHONE_WORDS) or (len(cluster) > 3 and last in DIGIT_WORDS)


def _is_year(cluster: str, before: str, after: str, text: str, end: int) -> bool:
    if len(cluster) == 4 and _YEARS.match(text, end):
        return True
    if after[:1] != "年":
        return False
    if len(cluster) == 4:
        return "1000" <= cluster < "2200"
    follows = text[end + 1 : end + 2]
    if len(cluster) != 2:
        return False
    return follows in ("代", "初", "底", "末") or (
        follows.isdigit() and text[end + 1 : end + 4].find("月") > 0
    )


def _marked(cluster: str, before: str, after: str) -> str:
    """A cluster with marks in it, where what stands beside it matters."""
    parts = SEPARATOR.split(cluster)
    both = len(parts) == 2
    if both and after[:1] == "年" and all(len(part) == 4 for part in parts):
        return "到".join([spell(part) for part in parts])
    if both and ("比分" in before or after.startswith("战")) and "." not in cluster:
        return "比".join([cardinal(part) for part in parts])
    if both and cluster[len(parts[0])] in "-–~～—" and (after and _counts(after)):
        return "到".join([counted(part) for part in parts])
    if both and "." in cluster and before[-1:].isalpha() and before[-1:].isascii():
        return decimal(*parts)
    return read_cluster(cluster)


def _money(text: str, sign: str, cluster: str, end: int) -> Reading:
    name = MONEY[sign]
    scale = ""
    if found := _SCALE.match(text, end):
        scale, end = found[0], found.end()
    if text.startswith(name, end):
        end += len(name)
    if match := RANGE.fullmatch(cluster):
        return f"{_sum(match[1])}到{_sum(match[2])}{scale}{name}", end
    if cluster == "2":
        return f"两{scale}{name}", end
    words = _sum(cluster) if is_amount(cluster) else read_cluster(cluster)
    return f"{words}{scale}{name}", end


def _sum(digits: str) -> str:
    """`12.50` is 十二点五: what follows the last digit that counts is not said."""
    if "." in digits:
        digits = digits.rstrip("0").rstrip(".")
    return amount(digits)


def _read_mark(text: str, match: re.Match[str]) -> Reading:
    mark, end = match["mark"], match.end()
    if mark in "-–—~～":
        return ("减" if "=" in text[match.start() : end + 40] else "到"), end
    if mark in "⁰¹⁴⁵⁶⁷⁸⁹":
        return f"的{cardinal(mark.translate(_RAISED))}次方", end
    if mark == "^":
        found = re.match(r"[0-9]{1,3}", text[end : end + 3])
        return (f"的{cardinal(found[0])}次方", end + found.end()) if found else ("", end)
    if mark in "<>*":
        beside = text[max(0, match.start() - 2) : match.start()].strip()[-1:]
        follows = text[end : end + 2].strip()[:1]
        return (SIGNS[mark] if beside.isalnum() and follows.isalnum() else ""), end
    if mark == "@":
        return "@", end
    if mark == "x":
        return "乘", end
    return SIGNS.get(mark, " " if mark == "/" else ""), end


_READERS: dict[str, Callable[[str, re.Match[str]], Reading]] = {
    "phone": _read_phone,
    "few": _read_few,
    "ranked": _read_ranked,
    "number": _read_number,
    "mark": _read_mark,
}
