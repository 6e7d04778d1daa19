"""A user's pronunciations: the file, whole words, capitals, languages, requests above files."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.text.front import prepare
from qwen3_tts.text.lexicon import (
    LONGEST_SPELLING,
    LONGEST_WORD,
    MOST_PRONUNCIATIONS,
    Entry,
    Lexicon,
)

FILE = """\
# how we say things
SQL\tsequel
nginx\tengine x
New York\tNoo Yawk
New\tNoo

Paris\tPariss\ten
Paris\tPareezz\tfrench
C++\tsee plus plus
Polish\tPoh-lish
polish\tpollish
重庆\t崇庆
"""


@pytest.fixture
def lexicon(tmp_path: Path) -> Lexicon:
    path = tmp_path / "names.tsv"
    path.write_text("\ufeff" + FILE, encoding="utf-8")
    return Lexicon.load(path)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("We use SQL.", "We use sequel."),
        ("We use sql, MySQL and SQLs.", "We use sql, MySQL and SQLs."),  # a capital is a rule
        ("Nginx, NGINX and nginx", "engine x, engine x and engine x"),
        ("New York is new; New too", "Noo Yawk is new; Noo too"),  # the longest wins
        ("C++, C+++ and C", "see plus plus, see plus plus+ and C"),
        ("Polish your POLISH polish", "Poh-lish your pollish pollish"),
        ("我在重庆吃火锅", "我在崇庆吃火锅"),  # no spaces, so anywhere
        ("(SQL)", "(sequel)"),
        ("用SQL写", "用sequel写"),
        ("SQL2 _SQL", "SQL2 _SQL"),
        ("", ""),
    ],
)
def test_words_are_respelled(lexicon: Lexicon, text: str, said: str) -> None:
    assert lexicon.apply(text) == said


def test_entries_of_a_language(lexicon: Lexicon) -> None:
    assert lexicon.apply("Paris", "english") == "Pariss"
    assert lexicon.apply("Paris", "fr") == "Pareezz"
    assert lexicon.apply("Paris", "german") == "Paris"


def test_later_entries_replace_earlier_ones() -> None:
    lexicon = Lexicon((Entry("a", "b"), Entry("a", "c")))
    assert lexicon.apply("a A") == "c c"


def test_spellings_are_not_looked_at_again() -> None:
    assert Lexicon((Entry("a", "b a"), Entry("b", "c"))).apply("a b") == "b a c"


def test_in_a_text(lexicon: Lexicon) -> None:
    said = prepare("**SQL** costs $5 in [Paris](x).", lexicon=lexicon).text
    assert said == "sequel costs five dollars in Pariss."
    assert prepare("SQL", lexicon=lexicon, processing="plain").text == "SQL"


def test_what_an_entry_gave_is_not_normalised() -> None:
    assert (
        prepare("2pac and 2 more", pronunciations={"2pac": "2 pock"}).text == "2 pock and two more"
    )


def test_a_request_stands_above_the_file(lexicon: Lexicon) -> None:
    said = prepare("SQL and nginx", lexicon=lexicon, pronunciations={"sql": "S Q L"}).text
    assert said == "S Q L and engine x"


@pytest.mark.parametrize(
    ("content", "part"),
    [
        ("word", "line 1: expected `word<TAB>spelling`"),
        ("# fine\n\na\tb\tc\td", "line 3: expected"),
        ("a\tb\tklingon", "line 1: 'klingon' is no language"),
        ("x" * (LONGEST_WORD + 1) + "\tb", f"a word has 1 to {LONGEST_WORD} characters"),
        ("a\t" + "x" * (LONGEST_SPELLING + 1), f"a spelling has 1 to {LONGEST_SPELLING}"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, content: str, part: str) -> None:
    path = tmp_path / "bad.tsv"
    path.write_text(content, encoding="utf-8")
    with pytest.raises(InvalidRequest) as caught:
        Lexicon.load(path)
    assert part in str(caught.value)
    assert "bad.tsv" in str(caught.value)


def test_a_bad_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidRequest, match=r"absent\.tsv` cannot be read: No such file"):
        Lexicon.load(tmp_path / "absent.tsv")
    (tmp_path / "bytes.tsv").write_bytes(b"a\t\xff\n")
    with pytest.raises(InvalidRequest, match="is not UTF-8 text"):
        Lexicon.load(tmp_path / "bytes.tsv")


def test_bad_pronunciations_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="a word has 1 to"):
        prepare("a", pronunciations={" ": "b"})
    with pytest.raises(InvalidRequest, match="words and spellings are strings"):
        prepare("a", pronunciations={"a": 1})  # type: ignore[dict-item]
    many = {f"w{number}": "x" for number in range(MOST_PRONUNCIATIONS + 1)}
    with pytest.raises(InvalidRequest, match=f"at most {MOST_PRONUNCIATIONS} pronunciations"):
        prepare("a", pronunciations=many)


WORDS = st.text("abAB重é -", min_size=1, max_size=4).filter(str.strip)


@given(text=st.text("abAB重é -.", max_size=40), words=st.dictionaries(WORDS, WORDS, max_size=6))
def test_parts_join_to_the_text(text: str, words: dict[str, str]) -> None:
    """What is not respelled stays, in order; what is, is one of the spellings."""
    parts = list(Lexicon.of(words).parts(text))
    spellings = {spelling.strip() for spelling in words.values()}
    assert all(part in spellings for part, given_by_entry in parts if given_by_entry)
    at = 0
    for part, given_by_entry in parts:
        if not given_by_entry:
            at = text.index(part, at) + len(part)
    assert Lexicon().apply(text) == text
