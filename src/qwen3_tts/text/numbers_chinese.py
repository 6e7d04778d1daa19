"""Numbers as Chinese words: cardinals, decimals, digits. Strings of ASCII digits in.

零 and 两 as they are spoken: 两千, 两万 and a leading 两百, but 二十 and 一千二百.
"""

DIGITS = "零一二三四五六七八九"
LONGEST = 16  # digits; longer numbers are read digit by digit
_TO_DIGITS = str.maketrans("0123456789", DIGITS)
_TO_PHONE = str.maketrans("0123456789", "零幺二三四五六七八九")


def spell(digits: str, *, phone: bool = False) -> str:
    """One by one: `110` is 一一零, as a telephone number 幺幺零."""
    return digits.translate(_TO_PHONE if phone else _TO_DIGITS)


def cardinal(digits: str) -> str:
    """`1205` is 一千二百零五; long numbers and those with a leading zero are read one by one."""
    if len(digits) > LONGEST or digits[0] == "0":
        return spell(digits)
    return _scaled(int(digits), leads=True)


def _scaled(number: int, *, leads: bool) -> str:
    """A number from 1 up; `leads` says that nothing was said before it."""
    for unit, name in ((10**8, "亿"), (10**4, "万")):
        if number >= unit:
            high, low = divmod(number, unit)
            words = ("两" if high == 2 else _scaled(high, leads=leads)) + name
            gap = "零" if 0 < low < unit // 10 else ""
            return words + gap + (_scaled(low, leads=False) if low else "")
    return _group(number, leads=leads)


def _group(number: int, *, leads: bool) -> str:
    """A number from 1 to 9999."""
    words = ""
    gap = False  # zeros between two digits are said once
    for place, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = number // place % 10
        if digit == 0:
            gap = bool(words)
            continue
        words += "零" if gap else ""
        gap = False
        if digit == 2 and (place == 1000 or (place == 100 and leads and not words)):
            words += "两" + name
        elif digit == 1 and place == 10 and leads and not words:
            words += name
        else:
            words += DIGITS[digit] + name
    return words


def decimal(whole: str, fraction: str) -> str:
    """`3`, `14` is 三点一四."""
    return f"{cardinal(whole or '0')}点{spell(fraction)}"


def counted(digits: str) -> str:
    """Before a measure word: `2` is 两."""
    return "两" if digits == "2" else cardinal(digits)
