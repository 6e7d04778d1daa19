"""The text recipe: the same text for a seed, of the asked kind, never a held-out sentence."""

import builtins
import re
from collections import Counter
from typing import Any

import pytest

pytest.importorskip("wordfreq")

from qwen3_tts.train.recipe import sentences as recipe
from qwen3_tts.train.recipe.sentences import held_out_english, sentences
from qwen3_tts.train.recipe.words_blocked import BLOCKED_ENGLISH

LANGUAGES = {"english": "", "german": "äöüßÄÖÜé", "spanish": "áéíóúüñÁÉÍÓÚÑ¿¡"}


def words_of(text: str) -> list[str]:
    return re.findall(r"[^\W\d_]+(?:'[^\W\d_]+)*", text.lower())


@pytest.fixture(scope="module")
def english() -> list[str]:
    return sentences("english", 4000, seed=1)


@pytest.mark.parametrize("language", LANGUAGES)
def test_same_seed_same_text(language: str) -> None:
    text = sentences(language, 200, seed=3)
    assert text == sentences(language, 200, seed=3)
    assert text != sentences(language, 200, seed=4)


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_longer_text_starts_with_the_shorter_one(language: str) -> None:
    assert sentences(language, 300, seed=5)[:100] == sentences(language, 100, seed=5)


@pytest.mark.parametrize("language", LANGUAGES)
def test_sentences_are_distinct_and_well_formed(language: str) -> None:
    text = sentences(language, 1500, seed=0)
    assert len(text) == 1500
    assert len({" ".join(words_of(s)) + re.sub(r"\D", "", s) for s in text}) == 1500
    letters = re.escape(LANGUAGES[language])
    for sentence in text:
        assert 3 <= len(sentence) <= 90, sentence
        assert re.fullmatch(rf"[A-Za-z0-9{letters} .,?!;:'$-]+[.?!]", sentence), sentence
        first = re.search(r"[^\W_]", sentence)
        assert first, sentence
        assert not first[0].islower(), sentence
        assert "  " not in sentence, sentence


def test_held_out_sentences_are_everyday_and_many() -> None:
    held_out = held_out_english()
    assert len(held_out) == len(set(held_out)) == 120
    assert all(3 <= len(words_of(sentence)) <= 14 for sentence in held_out)


def test_held_out_sentences_never_come(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those that the grammar does give are skipped as soon as they are held out."""
    given = sentences("english", 300, seed=7)
    held_out = tuple(sentence.upper() for sentence in given[:50])
    monkeypatch.setattr(recipe, "HELD_OUT_ENGLISH", held_out)
    assert not set(given[:50]) & set(sentences("english", 300, seed=7))


def test_no_real_held_out_sentence_comes(english: list[str]) -> None:
    assert not {s.lower() for s in held_out_english()} & {s.lower() for s in english}


def test_common_words_come_often(english: list[str]) -> None:
    count = Counter(word for sentence in english for word in words_of(sentence))
    core = list(recipe.BUILDERS["english"]().share)[: recipe.CORE_SIZE]
    # 4,000 sentences hold about 25,000 words, half of them the same hundred: what is left is four
    # for each word of the core, and drawing by chance alone leaves dozens of them out
    assert [word for word in core if not count[word]] == []


def test_blocked_words_do_not_come_from_the_word_pool() -> None:
    words = recipe.BUILDERS["english"]().words
    assert not BLOCKED_ENGLISH & {word for slot in "NAVDF" for word in words[slot]}
    assert not BLOCKED_ENGLISH & set(words["word"])


def test_mix_of_lengths(english: list[str]) -> None:
    lengths = sorted(map(len, english))
    assert 33 <= lengths[len(lengths) // 2] <= 43
    assert {sentence[-1] for sentence in english} == set(".?!")


def test_unknown_language_says_what_there_is() -> None:
    with pytest.raises(ValueError, match="english, german, spanish"):
        sentences("klingon", 1, seed=0)


def test_without_wordfreq_it_says_how_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *args: Any, **kwargs: Any) -> Any:
        if name == "wordfreq":
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r"pip install 'qwen3-tts\[train\]'"):
        sentences("english", 1, seed=0)


@pytest.mark.parametrize(
    ("verb", "past", "gerund"),
    [
        ("stop", "stopped", "stopping"),
        ("make", "made", "making"),
        ("carry", "carried", "carrying"),
        ("admit", "admitted", "admitting"),
        ("visit", "visited", "visiting"),
        ("play", "played", "playing"),
        ("die", "died", "dying"),
        ("agree", "agreed", "agreeing"),
        ("need", "needed", "needing"),
        ("fix", "fixed", "fixing"),
        ("show", "showed", "showing"),
        ("quit", "quit", "quitting"),
    ],
)
def test_english_verbs_are_inflected(verb: str, past: str, gerund: str) -> None:
    words = recipe.BUILDERS["english"]().words
    slot = "verb" if verb in words["verb"] else "verbi"
    index = words[slot].index(verb)
    assert (words[slot + "ed"][index], words[slot + "ing"][index]) == (past, gerund)
