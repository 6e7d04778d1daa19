"""How long a text is when spoken, counted in letters of an alphabet.

Letters, blanks and signs count 1. A Chinese character, a kana, a Hangul syllable and a digit count
3: each is about a syllable, which an alphabet writes with about three letters. At an ordinary pace
15 of these units are a second.
"""

import re

# Kana, bopomofo, jamo, Han with its extensions, Hangul syllables and half-width kana.
KANA = "\u3041-\u30ff\u31f0-\u31ff\uff66-\uff9f"
HAN = "\u3005-\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
HANGUL = "\u1100-\u11ff\u3130-\u318f\ua960-\ua97f\uac00-\ud7ff"
CJK = KANA + HAN + HANGUL + "\u3105-\u312f\u31a0-\u31bf"
WIDE_COUNTS = 3

_WIDE = re.compile(rf"[\d{CJK}]+")


def spoken_length(text: str) -> int:
    """Characters of `text`, with each CJK character and each digit counted 3 times."""
    wide = _WIDE.findall(text)
    return len(text) + (WIDE_COUNTS - 1) * len("".join(wide)) if wide else len(text)


def longest_prefix(text: str, length: int) -> int:
    """How many characters of `text` stay within `length` when spoken."""
    index = 0
    while step := max(length // WIDE_COUNTS, 1):  # so many more fit, whatever they are
        part = text[index : index + step]
        length -= spoken_length(part)
        if not part or length < 0:
            break
        index += len(part)
    return index
