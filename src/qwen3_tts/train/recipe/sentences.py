"""Sentences to train a small voice on: wide in words and sounds, common words first.

Templates (`words_*.py`) are filled with words that are drawn by the square root of how common they
are, and among a few draws the word that is furthest behind its share is taken: so even the
rarer of the common words come up dozens of times. Meaning is no aim; letters and sounds are.
"""

import random
import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from qwen3_tts.train.recipe import (
    forms_english,
    words_blocked,
    words_english,
    words_german,
    words_spanish,
)
from qwen3_tts.train.recipe.words_held_out import HELD_OUT_ENGLISH

MIN_CHARS, MAX_CHARS = 3, 90
POOL_SIZE = 20_000  # words known at all
CORE_SIZE = 3_000  # words that must come up often
MOST_COMMON = 500  # words before this rank are in the templates anyway: drawn no more often than it
RAREST = 1e-4  # share of a listed word that is not among the known ones
DRAWS = 10  # candidates for a slot; more evens the counts out
SHORT = 31  # most sentences below this length are given up for longer ones,
GIVEN_UP = 0.75  # but for the kinds that are short by nature
SHORT_KINDS = ("short", "numbers", "dialogue")
# kind of sentence -> share in the text
MIX = {
    "statement": 0.29,
    "question": 0.13,
    "command": 0.07,
    "dialogue": 0.06,
    "sequence": 0.35,
    "numbers": 0.05,
    "short": 0.05,
}
# English names that are common words in German or Spanish
FOREIGN_WORDS = set("ben rose will rob max leon mia ali dana maya eva mo may java lima".split())
SLOT = re.compile(r"\{(\w+)\}")
WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)*")
NUMERAL = re.compile(r"#([a-z])")
NUMERALS = {"d": (0, 9), "h": (1, 12), "m": (10, 59), "n": (2, 120), "y": (1750, 2030)}


@dataclass(frozen=True)
class Language:
    """Words by slot, templates by kind, and how common each word is."""

    words: dict[str, list[str]]
    templates: dict[str, tuple[str, ...]]
    share: dict[str, float]  # lower-case word -> weight of being drawn
    polish: Callable[[str], str]  # the last touch on a finished sentence


def sentences(language: str, count: int, *, seed: int) -> list[str]:
    """Give `count` distinct sentences in "english", "german" or "spanish"; same seed, same text."""
    if language not in BUILDERS:
        raise ValueError(f"language `{language}` has no texts; have: {', '.join(BUILDERS)}")
    writer = _Writer(BUILDERS[language](), random.Random(f"{language} {seed}"))
    return list(writer.write(count))


def held_out_english() -> tuple[str, ...]:
    """Everyday sentences that `sentences` never gives: what is said with them was not trained."""
    return HELD_OUT_ENGLISH


class _Writer:
    """Fills templates and remembers how often each word was used."""

    def __init__(self, language: Language, rng: random.Random) -> None:
        self.language = language
        self.rng = rng
        self.used: Counter[str] = Counter()
        self.weights = {
            slot: _running_sum([self.share(word) for word in words])
            for slot, words in language.words.items()
        }

    def write(self, count: int) -> Iterator[str]:
        seen = {_key(sentence) for sentence in HELD_OUT_ENGLISH}
        kinds, shares = list(MIX), list(MIX.values())
        left, misses = count, 0
        while left:
            kind = self.rng.choices(kinds, shares)[0]
            sentence = self.sentence(kind)
            while (
                len(sentence) < SHORT and kind not in SHORT_KINDS and self.rng.random() < GIVEN_UP
            ):
                sentence = self.sentence(kind)
            key = _key(sentence)
            if key in seen or not MIN_CHARS <= len(sentence) <= MAX_CHARS:
                misses += 1
                assert misses < 100 * count + 1000, f"only {count - left} distinct sentences"
                continue
            seen.add(key)
            self.used.update(WORD.findall(sentence.lower()))
            left -= 1
            yield sentence

    def sentence(self, kind: str) -> str:
        text = self.fill("{" + kind + "}")
        text = NUMERAL.sub(lambda match: str(self.rng.randint(*NUMERALS[match[1]])), text)
        return self.language.polish(text)

    def fill(self, template: str) -> str:
        return SLOT.sub(lambda match: self.part(match[1]), template)

    def part(self, slot: str) -> str:
        if slot in self.language.words:
            return self.word(slot)
        return self.fill(self.rng.choice(self.language.templates[slot]))

    def word(self, slot: str) -> str:
        words = self.language.words[slot]
        draws = self.rng.choices(words, cum_weights=self.weights[slot], k=DRAWS)
        return min(draws, key=lambda word: (self.used[word.lower()] + 0.5) / self.share(word))

    def share(self, word: str) -> float:
        return self.language.share.get(word.lower(), RAREST)


def _key(sentence: str) -> str:
    """What makes two sentences the same: their words, without case and punctuation."""
    return " ".join(re.findall(r"[\w']+", sentence.lower()))


def _running_sum(values: list[float]) -> list[float]:
    total, sums = 0.0, []
    for value in values:
        total += value
        sums.append(total)
    return sums


def _frequencies(code: str) -> list[tuple[str, float]]:
    """Words of a language with how common they are, most common first."""
    try:
        import wordfreq
    except ImportError as error:
        raise ImportError(
            "the text recipe needs the package `wordfreq`: pip install 'qwen3-tts[train]'"
        ) from error
    return [
        (word, wordfreq.word_frequency(word, code)) for word in wordfreq.top_n_list(code, POOL_SIZE)
    ]


def _pool(code: str, keep: Callable[[str], bool]) -> dict[str, float]:
    """Share of each word that `keep` lets pass.

    The square root of how common it is; past the core a steeper fall, or thousands of rare words
    would leave too little room for it.
    """
    shares: dict[str, float] = {}
    for word, frequency in _frequencies(code):
        if keep(word):
            rank = len(shares) + 1
            shares[word] = frequency**0.5 * min(1.0, (CORE_SIZE / rank) ** 1.5)
    most = list(shares.values())[MOST_COMMON]
    return {word: min(share, most) for word, share in shares.items()}


def _lists(words: dict[str, str]) -> dict[str, list[str]]:
    """Blank-separated words as lists without doubles; a plus stands for a blank in a word."""
    return {
        slot: [word.replace("+", " ") for word in dict.fromkeys(text.split())]
        for slot, text in words.items()
    }


def _templates(phrases: dict[str, str]) -> dict[str, tuple[str, ...]]:
    return {slot: tuple(items) for slot, items in _lists(phrases).items()}


def _english() -> Language:
    words = _lists(words_english.WORDS)
    forms_english.add_forms(words)
    share = _pool("en", forms_english.is_word)
    forms_english.add_classes(words, list(share))
    templates = words_english.TEMPLATES | _templates(words_english.PHRASES)
    return Language(words, templates, share, forms_english.polish)


def _german() -> Language:
    words = _lists(words_german.WORDS)
    verbs = list(forms_english.rows(words_german.STRONG).items())
    for verb in words_german.REGULAR.split():
        stem = re.sub("e?n$", "", verb)
        stem += "e" if re.search("([dt]|[^aeiouhlr][mn])$", stem) else ""  # er öffnet, er wartet
        verbs.append((verb, [stem + "t", stem + "te", "ge" + stem + "t"]))
    _add_verbs(words, verbs, ("inf", "third", "past", "part"))
    share = _pool("de", _keeps("äöüß", words_german.BLOCKED))
    capital = {
        word.lower()
        for slot in ("name", "place", "masc", "fem", "neut", "plural")
        for word in words[slot]
    } | _english_names().keys()
    words["word"] = [
        word.capitalize() if word in capital or re.match(words_german.NOUN_ENDING, word) else word
        for word in share
    ]
    templates = words_german.TEMPLATES | _templates(words_german.PHRASES)
    return Language(words, templates, share, _capital)


def _spanish() -> Language:
    words = _lists(words_spanish.WORDS)
    verbs = list(forms_english.rows(words_spanish.STRONG).items())
    for verb in words_spanish.REGULAR.split():
        stem = verb[:-2]
        if verb.endswith("ar"):
            verbs.append((verb, [stem + "a", stem + "an", stem + "ó", stem + "ado"]))
        else:
            verbs.append((verb, [stem + "e", stem + "en", stem + "ió", stem + "ido"]))
    _add_verbs(words, verbs, ("inf", "third", "thirds", "past", "part"))
    share = _pool("es", _keeps("áéíóúüñ", words_spanish.BLOCKED))
    proper = _english_names() | {
        word.lower(): word for slot in ("name", "place") for word in words[slot]
    }
    words["word"] = [proper.get(word, word) for word in share]
    templates = words_spanish.TEMPLATES | _templates(words_spanish.PHRASES)
    return Language(words, templates, share, _capital)


def _english_names() -> dict[str, str]:
    """First names and places, which turn up in any language, by their lower-case form."""
    names = " ".join(words_english.WORDS[slot] for slot in ("name", "place"))
    return {word.lower(): word for word in names.split() if word.lower() not in FOREIGN_WORDS}


def _add_verbs(
    words: dict[str, list[str]], verbs: list[tuple[str, list[str]]], slots: tuple[str, ...]
) -> None:
    for index, slot in enumerate(slots):
        words[slot] = [(verb, *forms)[index] for verb, forms in verbs]


def _keeps(letters: str, blocked: set[str]) -> Callable[[str], bool]:
    """A test for words of a-z and `letters` with a vowel among them, of two letters or more."""
    spelt = re.compile(f"[a-z{letters}]{{2,}}")
    vowel = re.compile(f"[aeiouy{letters.replace('ß', '').replace('ñ', '')}]")
    block = blocked | words_blocked.BLOCKED_ANYWHERE
    return lambda word: word not in block and bool(spelt.fullmatch(word) and vowel.search(word))


def _capital(text: str) -> str:
    """The first letter as a capital, after an opening mark too."""
    return re.sub(r"^[¿¡]?.", lambda start: start[0].upper(), text)


BUILDERS: dict[str, Callable[[], Language]] = {
    "english": _english,
    "german": _german,
    "spanish": _spanish,
}
