"""Whatever comes in: no error but `InvalidRequest`, no tag spoken, no digit left."""

import re
from contextlib import suppress

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.text.chinese import normalise_chinese
from qwen3_tts.text.english import normalise_english
from qwen3_tts.text.front import prepare
from qwen3_tts.text.pieces import Break, Pause, Say

MARKUPS = ("auto", "plain", "markdown", "html", "ssml")
LANGUAGES = (None, "english", "chinese", "german", "japanese", "ko", "Auto", "klingon")
PIECES = (
    *"0 1 2 12 100 1984 3.14 1,000 1/2 10:30 2024-03-15 -5 $ € ￥ % ° km kg m² 's st th am".split(),
    *"p.m. Dr. No. St. e.g. I IV X May March U.S. v2.0 A4 555-123-4567 13812345678 × ² √ ±".split(),
    *"年 月 日 第 个 路 电话 点 分 比分 、 。 ， ： 中 文 あ 한 д é ½ ① Ａ".split(),
    *"😀 👨‍👩‍👧 \u200d \u0301".split(),
    *"* ** _ ~~ ` ``` # - > | [ ] ( ) ! [a](b) ![a](b) <b> </b> <p> <br/> <h1> </h1> &amp;".split(),
    *"<speak> </speak> <prosody </prosody> <break/> </sub> <!-- --> <![CDATA[ ]]> + = < >".split(),
    "<prosody rate='2'>",
    "<sub alias='a'>",
    "\ud800",
    "<say-as interpret-as='date' format='dmy'>",
    "</say-as>",
    "[pause:500ms]",
    "[pause:x]",
    "http://a.b/c",
    "a@b.com",
    " ",
    "\n",
    "\n\n",
    "\t",
    "word",
)
texts = st.one_of(
    st.text(max_size=60),
    st.text(st.characters(codec=None), max_size=60),
    st.lists(st.sampled_from(PIECES), max_size=25).map("".join),
    st.lists(st.sampled_from(PIECES), max_size=25).map(" ".join),
)


@settings(max_examples=400)
@given(text=texts, markup=st.sampled_from(MARKUPS), language=st.sampled_from(LANGUAGES))
def test_any_text_is_prepared_or_refused(text: str, markup: str, language: str | None) -> None:
    with suppress(InvalidRequest):
        prepared = prepare(text, markup=markup, language=language)
        for before, piece in zip((None, *prepared.pieces), prepared.pieces, strict=False):
            assert not (isinstance(piece, Break) and isinstance(before, Break))
            if isinstance(piece, Say):
                assert any(char.isalnum() for char in piece.text)
                assert piece.text == piece.text.strip()
                assert "  " not in piece.text
                assert 0.25 <= piece.rate <= 4.0
                assert not re.search("[\x00-\x08\ud800-\udfff]", piece.text)
            if isinstance(piece, Pause):
                assert 0 <= piece.seconds <= 20.0


@given(text=texts)
def test_plain_text_is_as_it_is(text: str) -> None:
    assert prepare(text, processing="plain").text == (text if text.strip() else "")


NAME = st.sampled_from(
    ["zork", "break", "p", "prosody", "zork:zork", "say-as", "b", "h2", "li", "sub"]
)
VALUE = st.sampled_from(['"zork"', "'zork'", "zork", '"1"', '"zork>zork"', '""'])
ATTRIBUTE = st.tuples(st.sampled_from(["zork", "rate", "time", "x:lang"]), VALUE).map("=".join)
INSIDE = st.lists(ATTRIBUTE, max_size=3).map(lambda found: "".join([f" {one}" for one in found]))
OPENED = st.tuples(NAME, INSIDE, st.sampled_from(["", "/", " /", " "])).map(
    lambda parts: f"<{''.join(parts)}>"
)
CLOSED = NAME.map(lambda name: f"</{name}>")
DROPPED = st.sampled_from(
    [
        "<!-- zork -->",
        "<!--zork<zork>-->",
        "<?zork zork?>",
        "<!DOCTYPE zork [<!ENTITY zork 'zork'>]>",
        "<script>zork</script>",
        "<style type='zork'>zork {}</style>",
        "[pause:zork]",
        "[pause:1s]",
        "&zork;",
    ]
)
tagged = st.lists(
    st.one_of(OPENED, CLOSED, DROPPED, st.sampled_from(["word", " ", "two 2 ", "好", ". "])),
    max_size=20,
).map("".join)


@settings(max_examples=400)
@given(
    text=tagged, markup=st.sampled_from(["auto", "markdown", "html", "ssml"]), root=st.booleans()
)
def test_tags_are_never_spoken(text: str, markup: str, root: bool) -> None:
    with suppress(InvalidRequest):  # pauses or elements beyond the limits
        prepared = prepare(f"<speak>{text}</speak>" if root else text, markup=markup)
        assert "zork" not in prepared.text
        assert not re.search("[<>]|pause|prosody", prepared.text)


DIGITS = st.text("0123456789 .,:/-–$€%°#+x²()'stAapmkKM\n", max_size=40)


@settings(max_examples=300)
@given(text=DIGITS)
def test_no_digit_is_left_in_english(text: str) -> None:
    assert not re.search("[0-9]", normalise_english(text))


@settings(max_examples=300)
@given(text=st.text("0123456789 .,:/-~￥%年月日点个第路、比。kmA", max_size=40))
def test_no_digit_is_left_in_chinese(text: str) -> None:
    assert not re.search("[0-9]", normalise_chinese(text))


WORDS = {"german": "Wort", "french": "mot", "ru": "слово", "ja": "あ", "ko": "말", "hindi": "शब्द"}


@pytest.mark.parametrize("language", WORDS)
@given(text=st.text("0123456789., ", max_size=30))
def test_languages_without_rules_keep_their_digits(language: str, text: str) -> None:
    said = prepare(f"{WORDS[language]} {text}", markup="plain", language=language).text
    assert re.findall("[0-9]", said) == re.findall("[0-9]", text)
