"""English: numbers, dates, times, money, units, telephones and abbreviations in words.

One pass: a pattern finds each span that is no plain word, and its reading is chosen by the span's
shape and the words beside it. American usage: 3/4/2021 is March fourth.
"""

import re
from collections.abc import Callable

from qwen3_tts.text.english_clusters import date, is_year, read_cluster
from qwen3_tts.text.english_context import FUNCTION_WORDS, word_after, word_before
from qwen3_tts.text.english_quantities import after_number, money
from qwen3_tts.text.english_signs import said_alike, sign
from qwen3_tts.text.english_words import (
    ABBREVIATIONS,
    ENDING,
    MONTHS,
    NUMBERED,
    ROMAN_AFTER,
    ROMAN_KINGS,
)
from qwen3_tts.text.numbers_english import (
    cardinal,
    in_pairs,
    ordinal,
    plural,
    roman,
    spell,
    year,
)

Reading = tuple[str, int]  # the words, and where in the text they end

_MONTH = (
    r"(?:Jan(?:uary|\.)?|Feb(?:ruary|\.)?|Mar(?:ch|\.)?|Apr(?:il|\.)?|May|Jun(?:e|\.)?|"
    r"Jul(?:y|\.)?|Aug(?:ust|\.)?|Sep(?:t(?:ember)?)?\.?|Oct(?:ober|\.)?|Nov(?:ember|\.)?|"
    r"Dec(?:ember|\.)?)"
)
# Where nothing can begin is told first: most characters are within words, or blanks.
_SPAN = re.compile(
    rf"""
    (?=[^\s,;:!?'"’“”)])(?!(?<=\w)[A-Za-z])
    (?: (?=[A-Za-z])
      (?: (?P<date>(?<!-){_MONTH}\s(?=[0-9]))
        | (?P<named>[A-Za-z]++[-–]?(?=[0-9]))
        | (?P<roman>(?<!['’.-])[IVX]{{1,6}}(?![\w'’-]))
        | (?P<abbreviation>(?<!\.)[A-Za-z](?:[A-Za-z.]{{0,6}})\.)
        | (?P<with>w/o?(?!\w)) )
    | (?=[0-9+(])
      (?P<phone>(?<![\w+])(?:\+?1[\s.-]?)?\([0-9]{{3}}\)\s?[0-9]{{3}}[\s.-][0-9]{{4}}(?![0-9])
        | (?<!\w)\+[0-9]{{1,3}}(?:[\s.-]?\(?[0-9]{{1,4}}+\)?){{2,6}}+(?![0-9])
        | (?<![\w.-])(?:1[\s-])?[0-9]{{3}}[\s.][0-9]{{3}}[\s.][0-9]{{4}}(?![0-9]))
    | (?=[-−+±~≈<>≤≥$£€¥￥₩₹₽.0-9UHACEG])
      (?P<number>(?P<sign>(?<![\w)\]"'’²³%‰])[-−+±~≈<>≤≥](?=[$£€¥.0-9]))?
        (?P<money>(?:US|HK|A|C)?[$£€¥￥₩₹₽][ -]?|(?<!\w)(?:USD|EUR|GBP|CHF|CAD|AUD)\s)?
        (?P<cluster>(?<![0-9.])\.[0-9]++|[0-9]++(?:[,.:/–-][0-9]++)*+))
    | (?P<mark>(?<=\s)[-–—](?=\s[0-9])|(?<![\w)])-(?=[a-z]\b)|(?<=[²³)%‰])[-–−](?=[0-9])
        |[+=±×¹²³⁰⁴-⁹≈≤≥<>−°%‰§#№*^~/$£€¥￥₩₹₽]) )
    """,
    re.VERBOSE,
)
_DAY = re.compile(
    r"([0-9]{1,2})(?:st|nd|rd|th)?(?:\s?[-–]\s?([0-9]{1,2})(?:st|nd|rd|th)?)?"
    r"(?:,?\s([0-9]{4})(?![\w-]))?(?![0-9]|[,.:/][0-9])"
)
_YEAR = re.compile(r"([0-9]{4})(?![\w-]|[,.:/][0-9])")
_NAME_DIGITS = re.compile(r"[0-9]++(?:\.[0-9]++)*+")
_STREET = re.compile(
    r"(?:\s(?:[NSEW]\.?|[A-Z][a-z]+|[0-9]{1,3}(?:st|nd|rd|th))){1,3}\s"
    r"(?:Street|St|Avenue|Ave|Road|Rd|Boulevard|Blvd|Drive|Dr|Lane|Ln|Way|Court|Place)\b"
)
_STOPS = (". ", "! ", "? ")
_DIGIT_WORDS = frozenset(
    "code pin id zip account password serial dial call phone text extension ext".split()
)
_PAIR_WORDS = frozenset(
    "room flight route highway hwy bus apartment apt suite gate area studio interstate boeing "
    "airbus unit train line model channel locker".split()
)
_YEAR_WORDS = frozenset(
    "in since by from until till during after before of year circa around late early mid "
    "january february march april may june july august september october november december "
    "summer winter spring autumn fall class © to and through between".split()
)
_NOT_COUNTED = FUNCTION_WORDS | frozenset(  # words after a year, not after a count
    "saw became brought changed marked ended began election elections season edition report "
    "olympics world cup census budget version".split()
)
_KEPT_HYPHEN = frozenset("mid pre post non early late sub top circa".split())
_KINGS = frozenset(ROMAN_KINGS.split("|"))
_NUMBERED_PARTS = frozenset(ROMAN_AFTER.split("|"))


def normalise_english(text: str) -> str:
    """The text with all that is no word in words. Never raises; linear in the text."""
    text = said_alike(text)
    parts: list[str] = []
    at = 0
    while match := _SPAN.search(text, at):
        words, end = _READERS[match.lastgroup or ""](text, match)
        start = match.start()
        if words == match[0] and end == match.end():
            parts.append(text[at:end])
            at = end
            continue
        if start > at:
            parts.append(text[at:start])
        if words and words[0] != " " and start:
            if text[start - 1].isalnum():
                parts.append(" ")
            elif text[start - 2 : start] in _STOPS and _ended("".join(parts[-3:])):
                words = words[0].upper() + words[1:]
        parts.append(words)
        if words and words[-1] not in " -" and end < len(text) and text[end].isalnum():
            parts.append(" ")
        at = end
    parts.append(text[at:])
    return "".join(parts)


def _ended(said: str) -> bool:
    """Whether a sentence ended; the point of an abbreviation is no more there."""
    return said.rstrip()[-1:] in (".", "!", "?")


def _read_date(text: str, match: re.Match[str]) -> Reading:
    """A month before a day or a year."""
    month = MONTHS[match["date"][:3]]
    if found := _DAY.match(text, match.end()):
        first, last, in_year = found.groups()
        if 1 <= int(first) <= 31 and (last is None or int(first) < int(last) <= 31):
            words = f"{month} {ordinal(first.lstrip('0'))}"
            words += f" to {ordinal(last)}" if last else ""
            return (f"{words}, {year(in_year)}" if in_year else words), found.end()
    if (found := _YEAR.match(text, match.end())) and is_year(found[1]):
        return f"{month} {year(found[1])}", found.end()
    return f"{month} ", match.end()


def _read_phone(text: str, match: re.Match[str]) -> Reading:
    groups = [spell(group) for group in re.findall(r"[0-9]+", match["phone"])]
    return ("plus " if match["phone"][0] == "+" else "") + ", ".join(groups), match.end()


_SIGNED = {
    "-": "minus ",
    "−": "minus ",
    "+": "plus ",
    "±": "plus or minus ",
    "~": "about ",
    "≈": "about ",
    "<": "less than ",
    ">": "more than ",
    "≤": "at most ",
    "≥": "at least ",
}


def _read_number(text: str, match: re.Match[str]) -> Reading:
    cluster, end = match["cluster"], match.end()
    prefix = _SIGNED.get(match["sign"] or "", "")
    if match["money"]:
        words, end = money(text, match["money"], cluster, match.start(), end)
    elif not _may_belong(text, end):
        words = _plain_number(text, match.start(), cluster, end)
    else:
        words, end = after_number(text, cluster, match.start(), end) or (
            _plain_number(text, match.start(), cluster, end),
            end,
        )
        if words.startswith("the ") and word_before(text, match.start()) == "the":
            words = words[4:]
    return prefix + words, end


def _may_belong(text: str, end: int) -> bool:
    """Whether what begins here may belong to a number before it; most texts say no at once."""
    char = text[end : end + 1]
    if char != " ":
        return char.isalpha() or (char != "" and char in "/'’′″%‰°¢×")
    char = text[end + 1 : end + 2]
    return char.isalpha() or (char != "" and char in "/%‰°¢×") or text[end + 2 : end + 3] == "/"


def _plain_number(text: str, start: int, cluster: str, end: int) -> str:
    """A cluster that nothing beside it belongs to; words around it may say what it counts."""
    if "-" in cluster and text[end : end + 2].lstrip()[:1] == "=":
        return " minus ".join([read_cluster(part) for part in cluster.split("-")])
    if len(cluster) < 3 or not cluster.isdigit():
        if (
            "/" in cluster
            and len(cluster) < 6
            and word_before(text, start) in ("on", "by", "since")
        ):
            return _short_date(cluster)
        return read_cluster(cluster)
    before = word_before(text, start)
    if before in _DIGIT_WORDS or (len(cluster) == 5 and _is_state(text, start)):
        return spell(cluster)
    if len(cluster) > 4 or cluster[0] == "0":
        return read_cluster(cluster)
    if before in _PAIR_WORDS or _STREET.match(text, end):
        return in_pairs(cluster)
    if len(cluster) == 4 and is_year(cluster) and _is_year_here(text, before, cluster, end):
        return year(cluster)
    return cardinal(cluster)


def _is_year_here(text: str, before: str, cluster: str, end: int) -> bool:
    word = word_after(text, end)
    if word and word.islower() and word not in _NOT_COUNTED and not word.endswith("ed"):
        return False
    if before in _YEAR_WORDS or word in _NOT_COUNTED:
        return True
    return cluster >= "1900" and before not in ("number", "than", "about", "over", "only")


def _short_date(cluster: str) -> str:
    month, _, day = cluster.partition("/")
    words = date("2000", int(month), int(day)) if day.isdigit() and month.isdigit() else ""
    return words.partition(",")[0] or read_cluster(cluster)


def _read_named(text: str, match: re.Match[str]) -> Reading:
    """Letters with digits at their end: A4, COVID-19, GPT-4.5, v2.0, mid-1990s."""
    name = match["named"].rstrip("-–")
    if match["named"] != name and name.lower() in _KEPT_HYPHEN:
        return match["named"], match.end()
    found = _NAME_DIGITS.match(text, match.end())
    assert found is not None, match
    name = "version" if name == "v" else name
    digits, end = found[0], found.end()
    if "." in digits:
        return f"{name} {read_cluster(digits)}", end
    words = spell(digits) if digits[0] == "0" else in_pairs(digits)
    if text[end : end + 1] == "s" and not text[end + 1 : end + 2].isalnum():
        words, end = plural(words), end + 1
    return f"{name} {words}", end


def _read_roman(text: str, match: re.Match[str]) -> Reading:
    """A Roman numeral, where the word before it says that it is one."""
    value = roman(match["roman"])
    before = word_before(text, match.start(), lower=False)
    if value and before in _NUMBERED_PARTS:
        return cardinal(str(value)), match.end()
    alone = match["roman"] != "I" or re.match(r"[,.;:)]|\sof\b|\swas\b|\Z", text[match.end() :][:6])
    if value and before in _KINGS and alone:
        return f"the {ordinal(str(value))}", match.end()
    return match[0], match.end()


_INITIALS = re.compile(r"(?:[A-Z]\.){2,}")
_TITLE_NEXT = re.compile(r"\s[A-Z]")
_SENTENCE_END = re.compile(r"[\"'”’)\]]*(?:\s*\Z|\n|\s+[\"'“‘(]*[A-Z][a-z’']*\b)")
_AT_END = re.compile(r"[\"'”’)\]]*\s*(?:\Z|\n)")


def _read_abbreviation(text: str, match: re.Match[str]) -> Reading:
    short, end = match["abbreviation"], match.end()
    if short in NUMBERED and re.match(r"\s?[0-9]", text[end : end + 2]):
        return NUMBERED[short], end
    if short in ("St.", "Dr."):
        words = _saint_or_street(text, match.start(), short, end)
    elif short in ABBREVIATIONS:
        words = ABBREVIATIONS[short]
    elif _INITIALS.fullmatch(short):
        return short.replace(".", "") + ("." if _AT_END.match(text, end) else ""), end
    else:
        return short, end
    ends = short in ENDING and words not in ("Saint", "Doctor") and _SENTENCE_END.match(text, end)
    return words + ("." if ends else ""), end


def _saint_or_street(text: str, start: int, short: str, end: int) -> str:
    title, road = ("Saint", "Street") if short == "St." else ("Doctor", "Drive")
    before = word_before(text, start, lower=False)
    follows = before[:1].isupper() and start > 1 and text[start - 2].isalpha()
    if _TITLE_NEXT.match(text, end) and not (follows and before not in ("The", "In", "At", "And")):
        return title
    return road if before[:1].isupper() or before[:1].isdigit() else title


def _is_state(text: str, at: int) -> bool:
    return bool(re.search(r"(?<![A-Za-z])[A-Z]{2} $", text[max(0, at - 4) : at]))


def _read_mark(text: str, match: re.Match[str]) -> Reading:
    return sign(text, match.start(), match.end())


_READERS: dict[str, Callable[[str, re.Match[str]], Reading]] = {
    "date": _read_date,
    "phone": _read_phone,
    "number": _read_number,
    "named": _read_named,
    "roman": _read_roman,
    "abbreviation": _read_abbreviation,
    "with": _read_mark,
    "mark": _read_mark,
}
