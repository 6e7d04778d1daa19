"""Numbers as English words: cardinals, ordinals, years, decimals, digits. Strings and ints in.

Own code, as a long list of numbers must be read at about a microsecond a character; tested against
num2words.
"""

_ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen "
    "fifteen sixteen seventeen eighteen nineteen"
).split()
_TENS = "ten twenty thirty forty fifty sixty seventy eighty ninety".split()
_SCALES = ("", " thousand", " million", " billion", " trillion", " quadrillion")
LONGEST = 15  # digits; longer numbers are read digit by digit, as identifiers are
_IRREGULAR = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def _below_hundred(number: int) -> str:
    if number < 20:
        return _ONES[number]
    tens, ones = divmod(number, 10)
    return f"{_TENS[tens - 1]}-{_ONES[ones]}" if ones else _TENS[tens - 1]


_SMALL = tuple(_below_hundred(number) for number in range(100))


def cardinal(digits: str) -> str:
    """`12` is "twelve"; more than 15 digits, or a leading zero, are read one by one."""
    if len(digits) > LONGEST or (digits[0] == "0" and len(digits) > 1):
        return spell(digits)
    number = int(digits)
    if number < 100:
        return _SMALL[number]
    groups = []
    scale = 0
    while number:
        number, group = divmod(number, 1000)
        if group:
            groups.append(_below_thousand(group) + _SCALES[scale])
        scale += 1
    return " ".join(reversed(groups))


def _below_thousand(number: int) -> str:
    hundreds, rest = divmod(number, 100)
    if not hundreds:
        return _SMALL[rest]
    words = f"{_ONES[hundreds]} hundred"
    return f"{words} {_SMALL[rest]}" if rest else words


def ordinal(digits: str) -> str:
    """`21` is "twenty-first"."""
    head, hyphen, last = _last_word(cardinal(digits))
    if last in _IRREGULAR:
        last = _IRREGULAR[last]
    elif last.endswith("y"):
        last = last[:-1] + "ieth"
    else:
        last += "th"
    return head + hyphen + last


def plural(words: str) -> str:
    """`nineteen ninety` is "nineteen nineties"."""
    head, hyphen, last = _last_word(words)
    if last.endswith("y"):
        return f"{head}{hyphen}{last[:-1]}ies"
    return f"{head}{hyphen}{last}{'es' if last.endswith('x') else 's'}"


def _last_word(words: str) -> tuple[str, str, str]:
    at = max(words.rfind(" "), words.rfind("-")) + 1
    return words[: max(at - 1, 0)], words[max(at - 1, 0) : at], words[at:]


def spell(digits: str) -> str:
    """One by one: `007` is "zero zero seven"."""
    return " ".join([_ONES[int(digit)] for digit in digits])


def decimal(whole: str, fraction: str) -> str:
    """`3`, `14` is "three point one four"; an empty whole part is zero."""
    return f"{cardinal(whole or '0')} point {spell(fraction)}"


def year(digits: str) -> str:
    """Four digits: `1984` "nineteen eighty-four", `2005` "two thousand five"."""
    high, low = int(digits[:2]), int(digits[2:])
    if high % 10 == 0 and low < 10:  # 1000 to 1009, 2000 to 2009
        return cardinal(digits)
    if low == 0:
        return f"{_SMALL[high]} hundred"
    return f"{_SMALL[high]} {'oh ' if low < 10 else ''}{_SMALL[low]}"


def in_pairs(digits: str) -> str:
    """As rooms, flights and models are named: `101` "one oh one", `747` "seven forty-seven"."""
    if digits[0] == "0" or len(digits) > 4:
        return spell(digits)
    if len(digits) < 3 or digits[-2:] == "00":
        return cardinal(digits)
    low = digits[-2:]
    tail = f"oh {_ONES[int(low)]}" if low[0] == "0" else _SMALL[int(low)]
    return f"{_SMALL[int(digits[:-2])]} {tail}"


_DENOMINATORS = {"2": ("half", "halves"), "4": ("quarter", "quarters")}


def fraction(numerator: str, denominator: str) -> str:
    """`3`, `4` is "three quarters"; unusual ones are "... over ..."."""
    if denominator in _DENOMINATORS:
        one, many = _DENOMINATORS[denominator]
    elif len(denominator) < 3 and denominator[0] != "0" and 3 <= int(denominator) <= 20:
        one = ordinal(denominator)
        many = one + "s"
    elif denominator in ("100", "1000"):
        one = ordinal(denominator).removeprefix("one ")
        many = one + "s"
    else:
        return f"{cardinal(numerator)} over {cardinal(denominator)}"
    return f"{cardinal(numerator)} {one if numerator == '1' else many}"


def roman(letters: str) -> int | None:
    """The value of a well-formed numeral up to 39 (I to XXXIX), else None."""
    total = 10 * (len(letters) - len(letters.lstrip("X")))
    rest = letters.lstrip("X")
    ones = ("", "I", "II", "III", "IV", "V", "VI", "VII", "VIII", "IX")
    if total > 30 or rest not in ones or not letters:
        return None
    return total + ones.index(rest)
