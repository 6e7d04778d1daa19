"""Which script a letter is of."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cache

from qwen3_tts.text.spoken_length import HAN, HANGUL, KANA, WIDE_COUNTS

CJK_SCRIPTS = ("han", "kana", "hangul")
# script -> its letters as a range of a regular expression
_LETTERS = {
    "latin": "A-Za-zªºÀ-ÖØ-öø-ʸᴀ-ᶿḀ-ỿⱠ-ⱿꜢ-ꟿＡ-Ｚａ-ｚ",
    "cyrillic": "Ѐ-ԯᲀ-᲏ⷠ-ⷿꙀ-ꚟ",
    "greek": "Ͱ-Ͽἀ-῿",
    "han": HAN,
    "kana": KANA,
    "hangul": HANGUL,
    "arabic": "ؠ-يٱ-ۓݐ-ݿࢠ-ࣿﭐ-﷿ﹰ-ﻼ",
    "hebrew": "א-תװ-ײ",
    "devanagari": "ऀ-ॿ",
    "bengali": "ঀ-৿",
    "gurmukhi": "਀-੿",
    "gujarati": "઀-૿",
    "oriya": "଀-୿",
    "tamil": "஀-௿",
    "telugu": "ఀ-౿",
    "kannada": "ಀ-೿",
    "malayalam": "ഀ-ൿ",
    "sinhala": "඀-෿",
    "thai": "ก-๛",
    "lao": "ກ-ໟ",
    "tibetan": "ༀ-࿿",
    "burmese": "က-႟",
    "georgian": "Ⴀ-ჿᲐ-Ჿ",
    "armenian": "Ա-֏",
    "ethiopic": "ሀ-፿",
    "khmer": "ក-៿",
}
# Scripts of one widely spoken language each, none of which a checkpoint speaks.
ONLY_LANGUAGE = {
    "greek": "el",
    "arabic": "ar",
    "hebrew": "he",
    "devanagari": "hi",
    "bengali": "bn",
    "gurmukhi": "pa",
    "gujarati": "gu",
    "oriya": "or",
    "tamil": "ta",
    "telugu": "te",
    "kannada": "kn",
    "malayalam": "ml",
    "sinhala": "si",
    "thai": "th",
    "lao": "lo",
    "tibetan": "bo",
    "burmese": "my",
    "georgian": "ka",
    "armenian": "hy",
    "ethiopic": "am",
    "khmer": "km",
}
_TESTS = {script: re.compile(f"[{letters}]") for script, letters in _LETTERS.items()}
_LETTER_RUN = re.compile(
    "|".join(
        f"(?P<{script}>[{letters}]+)"
        for script, letters in (
            *((name, kept) for name, kept in _LETTERS.items() if name not in ("han", "kana")),
            ("cjk", HAN + KANA),
        )
    )
)


def count_scripts(text: str) -> Counter[str]:
    """How much of `text` is in which script: letters, those of Chinese and the like 3 times."""
    counts: Counter[str] = Counter()
    for letter, count in Counter(text).items():
        script = _script(letter)
        if script is not None:
            counts[script] += count * (WIDE_COUNTS if script in CJK_SCRIPTS else 1)
    return counts


def letter_runs(text: str) -> Iterator[tuple[str, int, int]]:
    """Script, start and end of all letters in a row; Han and kana are one script, "cjk"."""
    for match in _LETTER_RUN.finditer(text):
        assert match.lastgroup is not None
        yield match.lastgroup, match.start(), match.end()


def count_han(text: str) -> tuple[int, int]:
    """How many Chinese characters are of Chinese alone, and how many of Japanese alone.

    The national standards of encoding tell: a simplified character is not in the Japanese one, a
    character that Japan simplified is in no Chinese one.
    """
    chinese = japanese = 0
    for char, count in Counter(_TESTS["han"].findall(text)).items():
        if char in "的了是我很在有" or not _encodes(char, "shift_jis"):
            chinese += count
        elif not _encodes(char, "gb2312") and not _encodes(char, "big5"):
            japanese += count
    return chinese, japanese


@cache
def _script(letter: str) -> str | None:
    if not letter.isalpha():
        return None
    for script, test in _TESTS.items():
        if test.match(letter):
            return script
    return "other"


@cache
def _encodes(char: str, encoding: str) -> bool:
    try:
        char.encode(encoding)
    except UnicodeEncodeError:
        return False
    return True
