"""`prepare` as a whole, and the regression corpus of texts that broke other programs."""

import pytest

from qwen3_tts.errors import InvalidRequest, InvalidText
from qwen3_tts.text import front
from qwen3_tts.text.front import prepare
from qwen3_tts.text.lexicon import Entry, Lexicon
from qwen3_tts.text.notes import MOST
from qwen3_tts.text.pieces import Pause, Say

README = (
    "I am solving the equation: x = [-b ± √(b²-4ac)] / 2a? Nobody can — it's a disaster "
    "(◍•͈⌔•͈◍), very sad!"
)
CORPUS = [
    ("1次", "一次"),
    ("2次", "两次"),
    ("1。", "一。"),
    ("1.", "one."),
    ("Huh?", "Huh?"),
    ("嗯？", "嗯？"),
    (
        README,
        "I am solving the equation: x equals minus b plus or minus square root of "
        "(b squared minus four ac) over two a? Nobody can — it's a disaster, very sad!",
    ),
    ("一、二、三、四、五。", "一、二、三、四、五。"),
    ("어디서 뭐하고 계시나요?", "어디서 뭐하고 계시나요?"),
    ("KFC is located on the third floor.", "KFC is located on the third floor."),
    (
        "喜欢这首诗吗？这首诗讲的是晚上看到月亮，会想起自己的家乡哦。…",
        "喜欢这首诗吗？这首诗讲的是晚上看到月亮，会想起自己的家乡哦。…",
    ),
    ("赖清德的…血淋淋的历史…鲜血…血泪…冷血", "赖清德的…血淋淋的历史…鲜血…血泪…冷血"),
    ("子宁不嗣音", "子宁不嗣音"),
    (
        "…traveled 70 years later into an 18-year-old girl…",
        "…traveled seventy years later into an eighteen-year-old girl…",
    ),
    ("'Nothing taught…'", "'Nothing taught…'"),
    ("好呀！你想我生成一段咩类型嘅广东话？", "好呀！你想我生成一段咩类型嘅广东话？"),
    ("## Title\n### Next", "Title Next"),
]


@pytest.mark.parametrize(("text", "said"), CORPUS, ids=[text[:20] for text, _ in CORPUS])
def test_regression_corpus(text: str, said: str) -> None:
    assert prepare(text).text == said


def test_a_pause_may_come_first() -> None:
    assert prepare("[pause:1s]Hi").pieces == (Pause(1.0), Say("Hi"))


@pytest.mark.parametrize("text", ["", " \n ", "😀🎉", "…", "—", "<b></b>", "## ", "```\nx\n```"])
def test_nothing_to_say_is_no_piece(text: str) -> None:
    assert not [piece for piece in prepare(text).pieces if isinstance(piece, Say)]


def test_digits_and_letters_without_end() -> None:
    digits = "0123456789" * 50
    assert prepare(digits).text == " ".join(
        ["zero one two three four five six seven eight nine"] * 50
    )
    mixed = prepare("a1B2c3D4" * 60).text
    assert "one" in mixed
    assert not any(char.isdigit() for char in mixed)


def test_digits_in_english_are_read_in_english_by_a_chinese_voice() -> None:
    text = "He was 70 in 1999, and paid $5."
    assert prepare(text, language="Chinese").text == prepare(text, language="English").text


def test_plain_is_one_piece_as_it_is() -> None:
    text = "# 5 km\n\n<b>[pause:1s]</b>\r\n "
    assert prepare(text, processing="plain").pieces == (Say(text, verbatim=True),)
    assert prepare("  ", processing="plain").pieces == ()


def test_markup_within_a_number_is_no_border() -> None:
    assert prepare("It is <b>5</b> km, **$3** million.").text == (
        "It is five kilometers, three million dollars."
    )


def test_notes_are_counted_and_bounded() -> None:
    assert prepare("<foo><foo> a <bar>").notes == (
        "left out the tag <foo> (2 times)",
        "left out the tag <bar>",
    )
    assert len(prepare("".join([f"<t{number}>" for number in range(500)])).notes) == MOST


def test_a_text_beyond_the_limit_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(front, "LONGEST_TEXT", 10)
    assert prepare("0123456789", processing="plain").text == "0123456789"
    with pytest.raises(InvalidText, match="has 11 characters, allowed are up to 10"):
        prepare("0123456789a", processing="plain")


@pytest.mark.parametrize("language", [None, "auto", "Auto", "en", "en-US", "English", "ENGLISH"])
def test_languages_by_name_and_code(language: str | None) -> None:
    assert prepare("5 km", language=language).text == "five kilometers"


@pytest.mark.parametrize("language", ["zh", "zh-CN", "Chinese", "beijing_dialect", "Cantonese"])
def test_chinese_and_its_dialects(language: str) -> None:
    assert prepare("5km", language=language).text == "五公里"


@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_line_ends(line_end: str) -> None:
    text = f"One.{line_end}{line_end}{line_end}Two."
    assert len(prepare(text).pieces) == 3


def test_errors_are_of_requests() -> None:
    with pytest.raises(InvalidRequest):
        prepare("<break time='99s'/>")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Am 3. Mai um 10:30 Uhr treffen wir uns.", "Am 3. Mai um 10:30 Uhr treffen wir uns."),
        ("Ho 3 gatti e 2 cani a casa mia.", "Ho 3 gatti e 2 cani a casa mia."),
        ("# Kapitel 1\n\nDas ist der 1. Absatz.\n\n2.", "Kapitel 1 Das ist der 1. Absatz. 2."),
        ("Das steht auf example.com, wie immer.", "Das steht auf example Punkt com, wie immer."),
        ("The 3rd of May at 10:30.", "The third of May at ten thirty."),
        ("5 km", "five kilometers"),  # too little to tell: English
    ],
)
def test_a_text_that_is_surely_not_english_passes_through(text: str, said: str) -> None:
    assert prepare(text).text == said


def test_entries_of_a_detected_language_hold() -> None:
    lexicon = Lexicon((Entry("Chef", "Scheff", "german"), Entry("Chef", "Sheff", "english")))
    text = "Der Chef ist heute leider nicht im Haus."
    assert prepare(text, lexicon=lexicon).text == text.replace("Chef", "Scheff")
    assert prepare("The Chef is here.", lexicon=lexicon).text == "The Sheff is here."
