"""Words that were said and words that were heard: normal form, differences, error rate."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

# What a reader says for a sign that stands alone; everything else that is no letter is silent.
SPOKEN = {"&": " and ", "%": " percent ", "@": " at ", "+": " plus "}
ONES = (
    "zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen "
    "sixteen seventeen eighteen nineteen"
).split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety".split()
# The recogniser's texts are American: what it hears right must not count as wrong by its spelling.
BRITISH_OUR = re.compile(
    "^(arm|behavi|col|endeav|fav|flav|harb|hon|hum|lab|neighb|od|parl|rum|sav|vap|vig)our"
)
BRITISH = dict(
    pair.split("/")
    for pair in (
        "centre/center cheque/check defence/defense fibre/fiber grey/gray jewellery/jewelry "
        "licence/license litre/liter litres/liters metre/meter metres/meters plough/plow "
        "programme/program programmes/programs realise/realize realised/realized "
        "theatre/theater theatres/theaters travelled/traveled traveller/traveler "
        "travellers/travelers travelling/traveling tyre/tire tyres/tires"
    ).split()
)
LARGE = ((10**9, "billion"), (10**6, "million"), (1000, "thousand"), (100, "hundred"))


@dataclass(frozen=True)
class Errors:
    """Word errors of one text, or of many together."""

    wrong: int  # substitutions, deletions and insertions of the cheapest way from one to the other
    words: int  # of what was meant

    @property
    def rate(self) -> float:
        """Errors over words that were meant; above 1 where more was heard than was said."""
        return self.wrong / self.words if self.words else float(self.wrong > 0)


def normal_words(text: str) -> list[str]:
    """Words as a recogniser writes them: lower case, American spelling, no signs but apostrophes.

    Whole numbers become words as flite reads them ("1203": one thousand two hundred three), a run
    of digits that begins with zero digit by digit. Dates, sums of money and ordinals are left to
    whoever picks the sentences: a list for counting words is better written without digits.
    """
    plain = unicodedata.normalize("NFKD", text.replace("’", "'"))
    plain = "".join(c for c in plain if not unicodedata.combining(c)).lower()
    for sign, word in SPOKEN.items():
        plain = plain.replace(sign, word)
    plain = re.sub(r"(?<=\d),(?=\d{3})", "", plain)
    plain = re.sub(r"\d+", lambda found: f" {_number(found[0])} ", plain)
    words = re.findall(r"[a-z']+", plain)
    return [_american(word) for word in (word.strip("'") for word in words) if word]


def _american(word: str) -> str:
    return BRITISH.get(word, BRITISH_OUR.sub(r"\1or", word))


def _number(digits: str) -> str:
    if len(digits) > 12 or (digits[0] == "0" and len(digits) > 1):
        return " ".join(ONES[int(digit)] for digit in digits)
    return " ".join(_cardinal(int(digits)))


def _cardinal(value: int) -> list[str]:
    if value < 20:
        return [ONES[value]]
    if value < 100:
        return [TENS[value // 10 - 2], *([ONES[value % 10]] if value % 10 else [])]
    size, name = next((size, name) for size, name in LARGE if value >= size)
    rest = _cardinal(value % size) if value % size else []
    return [*_cardinal(value // size), name, *rest]


def word_errors(said: str, heard: str) -> Errors:
    """Compare one text with what was heard of it, both in any spelling."""
    meant, got = normal_words(said), normal_words(heard)
    return Errors(edit_distance(meant, got), len(meant))


def total(parts: Iterable[Errors]) -> Errors:
    """Errors of all texts over words of all texts: long sentences count for more."""
    parts = list(parts)
    return Errors(sum(p.wrong for p in parts), sum(p.words for p in parts))


def edit_distance(left: Sequence[str], right: Sequence[str]) -> int:
    """Fewest insertions, deletions and substitutions from one to the other (Levenshtein)."""
    row = np.arange(len(right) + 1)
    for i, word in enumerate(left):
        changed = row[:-1] + [word != other for other in right]
        best = np.concatenate([[i + 1], np.minimum(row[1:] + 1, changed)])
        # An insertion adds one per step to the right: a running minimum once that is taken off.
        steps = np.arange(len(best))
        row = np.minimum.accumulate(best - steps) + steps
    return int(row[-1])
