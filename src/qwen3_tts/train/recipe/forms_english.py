"""English words as they stand in a sentence: inflected, sorted into classes, spelt properly."""

import re

from qwen3_tts.train.recipe.words_blocked import BLOCKED_ENGLISH
from qwen3_tts.train.recipe.words_english import DOUBLING, FUNCTION, IRREGULAR, PLURALS

PROPER = ("name", "surname", "place", "nation", "day", "month")
SOUNDS_LIKE_U = r"(?:uni(?!n)|use|usu|usa|eu|one\b|once|utili)"
ADJECTIVE = re.compile(r".{3,}(ed|ing|al|ous|ive|ic|able|ible|ful|less|ary|ish|ent|ant)$")
NAMES_TOO = set(
    "may will mark long white young black brown green hill wood stone grant march".split()
)


def add_forms(words: dict[str, list[str]]) -> None:
    """Add verbs, verbing, verbed, verben, nouns, jobs to the lists of base forms."""
    irregular = rows(IRREGULAR)
    plurals = rows(PLURALS)
    for slot in ("verb", "verbi"):
        base = words[slot]
        words[slot + "s"] = [_third_person(verb) for verb in base]
        words[slot + "ing"] = [_gerund(verb) for verb in base]
        words[slot + "ed"] = [irregular[v][0] if v in irregular else _past(v) for v in base]
        words[slot + "en"] = [irregular[v][1] if v in irregular else _past(v) for v in base]
    for slot in ("noun", "job"):
        words[slot + "s"] = [
            plurals[noun][0] if noun in plurals else _third_person(noun) for noun in words[slot]
        ]


def add_classes(words: dict[str, list[str]], pool: list[str]) -> None:
    """Sort the pool into nouns `N`, adjectives `A`, verbs `V`, adverbs `D`, function words `F`.

    `word` is the whole pool. A word of no list counts by its ending, else as a noun: rough, and
    enough for a rhythm of speech.
    """
    verbs = {word for slot in words if slot.startswith("verb") for word in words[slot]}
    nouns = {word for slot in ("noun", "nouns", "job", "jobs", "mass") for word in words[slot]}
    adjectives, adverbs = set(words["adj"]), set(words["adverb"])
    proper = {word.lower(): word for slot in PROPER for word in words[slot]}
    for word in (verbs | nouns | adjectives | adverbs | FUNCTION | NAMES_TOO) & proper.keys():
        del proper[word]  # "rose" is not only a name
    classes: dict[str, list[str]] = {"N": [], "A": [], "V": [], "D": [], "F": [], "contracted": []}
    for word in pool:
        if "'" in word:
            classes["F" if word.endswith("'s") else "contracted"].append(word)
            continue
        if word in FUNCTION:
            classes["F"].append(word)
            continue
        spelt = proper.get(word, word)
        is_adverb = word in adverbs or word.endswith("ly")
        is_adjective = word in adjectives or ADJECTIVE.match(word)
        if word in verbs:
            classes["V"].append(spelt)
        if is_adverb:
            classes["D"].append(spelt)
        elif is_adjective:
            classes["A"].append(spelt)
        if word in nouns or not (word in verbs or is_adverb or is_adjective):
            classes["N"].append(spelt)
    words |= classes
    words["word"] = [proper.get(word, word) for word in pool]


def is_word(word: str) -> bool:
    """Whether it is a decent word that is said as it is spelt, not an abbreviation."""
    if word in BLOCKED_ENGLISH or not re.fullmatch(r"[a-z]+('(t|s|re|ve|ll|d|m))?", word):
        return False
    if len(word) == 1:
        return word in "ai"
    return bool(re.search(r"[aeiouy]", word))


def polish(text: str) -> str:
    """Article before a vowel, capital at the start, I as a capital."""
    text = re.sub(
        rf"\b([Aa]) (?=(?!{SOUNDS_LIKE_U})(?:[aeiou]|hour|honest|honor))",
        r"\1n ",
        text,
        flags=re.IGNORECASE,
    )
    text = re.sub(r"\bi\b", "I", text)
    return text[0].upper() + text[1:]


def rows(table: str) -> dict[str, list[str]]:
    """Rows "first second third|..." as first -> the others."""
    cells = [row.split() for row in table.split("|") if row.strip()]
    return {row[0]: row[1:] for row in cells}


def _third_person(word: str) -> str:
    """He goes, he watches, he tries; plurals are made the same way."""
    if word == "have":
        return "has"
    if re.search(r"(s|x|z|ch|sh|[^aeiou]o)$", word):
        return word + "es"
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ies"
    return word + "s"


def _doubled(word: str) -> str:
    """Stop -> stopp: a short stressed vowel doubles the consonant after it."""
    one_syllable = re.fullmatch(r"[^aeiou]*(qu)?[aeiou][bdgklmnprtz]", word)
    if one_syllable or word in DOUBLING:
        return word + word[-1]
    return word


def _gerund(word: str) -> str:
    if word.endswith("ie"):
        return word[:-2] + "ying"
    if word.endswith("e") and not word.endswith(("ee", "oe", "ye")):
        return word[:-1] + "ing"
    return _doubled(word) + "ing"


def _past(word: str) -> str:
    if word.endswith("e"):
        return word + "d"
    if re.search(r"[^aeiou]y$", word):
        return word[:-1] + "ied"
    return _doubled(word) + "ed"
