"""Markdown and HTML made speakable, kind by kind."""

import pytest

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.text.front import prepare
from qwen3_tts.text.markup import found_markup
from qwen3_tts.text.pieces import Break, Say
from qwen3_tts.text.policy import Policy

SENTENCE, PARAGRAPH = Break("sentence"), Break("paragraph")


@pytest.mark.parametrize(
    ("text", "markup"),
    [
        ("<speak>Hi</speak>", "ssml"),
        ("\n <?xml version='1.0'?>\n<speak version='1.1'>", "ssml"),
        ("<!DOCTYPE html><html>", "html"),
        ("<p>Hi</p>", "html"),
        ("Hi <b>there</b>", "markdown"),
        ("# Hi", "markdown"),
        ("", "markdown"),
    ],
)
def test_which_markup(text: str, markup: str) -> None:
    assert found_markup(text) == markup


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("This is **bold**, *slanted* and ***both***.", "This is bold, slanted and both."),
        ("__bold__ and _slanted_", "bold and slanted"),
        ("snake_case_name", "snake case name"),
        ("这是**重点**内容。", "这是重点内容。"),
        ("~~gone~~ and ==marked==", "gone and marked"),
        ("Use `print` and ``a ` b``.", "Use print and a b."),
        ("See [the docs](https://a.com/b_(c)?d=e).", "See the docs."),
        ("See [the docs][1] and [more].", "See the docs and more."),
        ("![A cat](cat.png) sits.", "A cat sits."),
        ("[![build](a.svg)](b) here", "build here"),
        ("A claim.[^1] Another.[12]", "A claim. Another."),
        (r"\*no\* \# mark", "no mark"),
        ("> quoted\n> twice", "quoted twice"),
        ("A line\\\nand another", "A line and another"),
        ("5*3 = 15", "five times three equals fifteen"),
        ("2 * 3", "two times three"),
        ("- [ ] to do\n- [x] done", "to do done"),
        ("Hashtag #fun and number #1.", "Hashtag fun and number number one."),
        ("<kbd>Ctrl</kbd>+<b>C</b>", "Ctrl plus C"),
        ("a&nbsp;b &amp; c &lt; d &copy;", "a b and c is less than d"),
        ("Hello&#33; &#x41;", "Hello! A"),
        ("AT&T, R&D, a?b=1&copy=2", "AT and T, R and D, a?b equals one and copy equals two"),
    ],
)
def test_marks_within_a_line(written: str, said: str) -> None:
    assert prepare(written).text == said


def test_blocks() -> None:
    text = """---
title: x
---
# One #

First line
goes on here.

Two
===

- a
- b
  goes on
1. c
2. d

---

| h | i |
|---|---|
| j | k |

> q

[1]: http://example.com

### Three
end
"""
    assert list(prepare(text).pieces) == [
        Break("section", "One"),
        Say("One"),
        PARAGRAPH,
        Say("First line goes on here."),
        Break("section", "Two"),
        Say("Two"),
        PARAGRAPH,
        Say("a"),
        SENTENCE,
        Say("b goes on"),
        SENTENCE,
        Say("one, c"),
        SENTENCE,
        Say("two, d"),
        PARAGRAPH,
        Say("h, i"),
        SENTENCE,
        Say("j, k"),
        PARAGRAPH,
        Say("q"),
        Break("section", "Three"),
        Say("Three"),
        PARAGRAPH,
        Say("end"),
    ]


def test_headings_are_never_read_as_hash_signs() -> None:
    said = prepare("## Getting started\n\n###### Deep\n\n#Tight").text
    assert said == "Getting started Deep Tight"


def test_a_list_may_follow_its_sentence() -> None:
    text = "Buy:\n- milk\n- eggs\nIt was 1990\n5. is no item"
    assert [piece.text for piece in prepare(text).pieces if isinstance(piece, Say)] == [
        "Buy:",
        "milk",
        "eggs",
        "It was nineteen ninety",
        "five. is no item",
    ] or prepare(text).text.startswith("Buy: milk")


def test_lines_broken_on_purpose_and_wrapped_ones() -> None:
    verse = "The sun is warm\nThe sky is clear\nand so am I"
    assert list(prepare(verse).pieces) == [
        Say("The sun is warm"),
        SENTENCE,
        Say("The sky is clear and so am I"),
    ]
    wrapped = "A line that was wrapped because it is a long one\nThen it goes on."
    assert prepare(wrapped).pieces == (Say(wrapped.replace("\n", " ")),)
    assert prepare("春眠不觉晓，\n处处闻啼鸟。").text == "春眠不觉晓，处处闻啼鸟。"


def test_html() -> None:
    text = """<!DOCTYPE html><html><head><title>no</title><style>p {}</style></head><body>
    <h1>A <em>title</em></h1><p>One
    line.<br>Two.</p><script>if (a<b) alert("no")</script>
    <ul><li>x</li><li>y</li></ul><img src="a" alt="a dog"><table><tr><td>1<td>2</tr></table>
    <div>Last&hellip;</div></body></html>"""
    assert list(prepare(text).pieces) == [
        Break("section", "A title"),
        Say("A title"),
        PARAGRAPH,
        Say("One line."),
        SENTENCE,
        Say("Two."),
        PARAGRAPH,
        Say("x"),
        SENTENCE,
        Say("y"),
        PARAGRAPH,
        Say("a dog"),
        PARAGRAPH,
        Say("one, two"),
        PARAGRAPH,
        Say("Last…"),
    ]


CODE = "Before.\n\n```python\nprint('<b>')\n\nx = 1\n```\n\nAfter."


def test_code_is_left_out_or_read() -> None:
    prepared = prepare(CODE)
    assert prepared.text == "Before. After."
    assert prepared.notes == ("left out a block of code",)
    assert "print" in prepare(CODE, policy=Policy(code="read")).text
    assert "x equals one" in prepare(CODE, policy=Policy(code="read")).text
    assert prepare("```\nnever closed").text == ""
    assert prepare("<p>a</p><pre>b</pre>c").text == "a c"
    assert prepare("<p>a</p><pre>b</pre>c", policy=Policy(code="read")).text == "a b c"


@pytest.mark.parametrize(
    ("text", "domain", "full", "drop"),
    [
        ("See https://www.example.com/a-b?c=d#e.", "See example dot com.",
         "See example dot com slash a dash b c d e.", "See."),
        ("Go to example.com/about, now", "Go to example dot com, now",
         "Go to example dot com slash about, now", "Go to, now"),
        ("(www.a.org)", "(a dot org)", "(a dot org)", ""),
        ("ftp://u:p@h.net:21/x", "h dot net",
         "u p at h dot net twenty-one slash x", ""),
        ("Mail jo_b-2@x.co.uk!", "Mail jo underscore b dash two at x dot co dot uk!",
         "Mail jo underscore b dash two at x dot co dot uk!",
         "Mail jo underscore b dash two at x dot co dot uk!"),
        ("<https://a.com/b>", "a dot com", "a dot com slash b", ""),
        ("See README.md and e.g. this.", "See README.md and for example this.",
         "See README.md and for example this.", "See README.md and for example this."),
    ],
)  # fmt: skip
def test_addresses(text: str, domain: str, full: str, drop: str) -> None:
    assert prepare(text).text == domain
    assert prepare(text, policy=Policy(urls="full")).text == full
    assert prepare(text, policy=Policy(urls="drop")).text == drop


def test_addresses_in_the_words_of_the_language() -> None:
    assert prepare("请访问https://www.example.com/a。").text == "请访问example 点 com。"
    assert prepare("Siehe example.com.", language="de").text == "Siehe example Punkt com."
    assert prepare("Voir a@b.fr", language="French").text == "Voir a arobase b point fr"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("Great 🎉🎉 job 👍🏽!", "Great job!"),
        ("👨‍👩‍👧", ""),
        ("1️⃣ first", "one first"),
        ("I love it :) really ;-)", "I love it really"),
        ("it's a disaster (◍•͈⌔•͈◍), very sad!", "it's a disaster, very sad!"),
        (r"¯\_(ツ)_/¯ fine", "fine"),
        ("ok ʕ•ᴥ•ʔ", "ok"),
        ("(see page 8)", "(see page eight)"),
        ("a → b • c", "a, b, c"),
        ("Wait!!!!! What???? Hm......", "Wait! What? Hm…"),
        ("------ Title ======", "Title"),
        ("𝐁𝐨𝐥𝐝 ａｎｄ ｗｉｄｅ", "Bold and wide"),
        ("H₂O at 5㎏ and Ⅳ", "H two O at five kilograms and IV"),
        ("zero\u200bwidth \u202eleft", "zerowidth left"),
        ("Z̸̡̢̧̛̛a̶̧̨l̷g̸o", "Zalgo"),
        ("Trade™ mark® ©", "Trade mark"),
        ("[laugh] so [Sighs] [note]", "so note"),
    ],
)
def test_characters_that_nobody_says(text: str, said: str) -> None:
    spoken = prepare(text).text
    if text.startswith("Z"):  # marks on a letter are cut down to two, not to none
        spoken = "".join([char for char in spoken if char.isascii()])
    assert spoken == said


def test_emoji_by_name() -> None:
    named = Policy(emoji="name")
    assert prepare("Well done 🎉!", policy=named).text == "Well done party popper!"
    assert prepare("好🎉", policy=named).text == "好"  # the names are English


def test_tables_and_images_may_be_left_out() -> None:
    text = "| a | b |\n|---|---|\n| c | d |\n\n![x](y) z"
    assert prepare(text).text == "a, b c, d x z"
    assert prepare(text, policy=Policy(tables="drop", images="drop")).text == "z"
    html = "<table><tr><td>a</td></tr></table><p>b</p>"
    assert prepare(html, policy=Policy(tables="drop")).text == "b"


def test_plain_markup_takes_every_character_for_text() -> None:
    text = "# 1 <b> x </b> [pause:1s]\n\n*two*"
    assert list(prepare(text, markup="plain").pieces) == [
        Say("number one b x b pause:one second"),
        PARAGRAPH,
        Say("two"),
    ]


def test_unknown_choices_are_refused() -> None:
    with pytest.raises(InvalidRequest, match="markup is 'rtf'; allowed are auto, plain, markdown"):
        prepare("x", markup="rtf")  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="processing is 'on'; allowed are auto, plain"):
        prepare("x", processing="on")  # type: ignore[arg-type]
    with pytest.raises(InvalidRequest, match="code is 'sing'; allowed are drop, read"):
        Policy(code="sing")  # type: ignore[arg-type]
