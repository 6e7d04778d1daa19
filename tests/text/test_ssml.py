"""SSML: the elements that are read, and the limits that hold."""

import pytest

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.text.front import prepare
from qwen3_tts.text.pauses import LONGEST_PAUSE_S, MOST_SILENCE_S
from qwen3_tts.text.pieces import Break, Pause, Piece, Say
from qwen3_tts.text.ssml import DEEPEST


def pieces(text: str, **options: str) -> list[Piece]:
    return list(prepare(text, **options).pieces)


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        ('<break time="500ms"/>', 0.5),
        ("<break time='1.25s'/>", 1.25),
        ("<break time=2s>", 2.0),
        ('<break time="0.041s"></break>', 0.041),
        ('<break time="+300ms"/>', 0.3),
        ("<break/>", 0.5),
        ('<break strength="x-weak"/>', 0.1),
        ('<break strength="strong"/>', 1.0),
        ('<BREAK TIME="1s"/>', 1.0),
        ("[pause:500ms]", 0.5),
        ("[pause:1s]", 1.0),
        ("[pause: 0.5 s]", 0.5),
        ("[pause:1.5]", 1.5),
        ("[pause=250ms]", 0.25),
        ("[PAUSE:1S]", 1.0),
        ("[pause]", 0.5),
    ],
)
def test_pauses_are_exact_and_stand_anywhere(written: str, seconds: float) -> None:
    assert pieces(f"{written}Hi") == [Pause(seconds), Say("Hi")]
    assert pieces(f"Hi{written}") == [Say("Hi"), Pause(seconds)]
    assert pieces(f"One {written} two") == [Say("One"), Pause(seconds), Say("two")]
    assert pieces(written) == [Pause(seconds)]


@pytest.mark.parametrize(
    "written",
    ['<break time="soon"/>', '<break time=""/>', "[pause:soon]", "[pause:-1s]", "[pause:1e9s]",
     "[pause:1h]", '<break strength="none"/>', '<break time="', "<break time='1s'", "[pause:٣s]"],
)  # fmt: skip
def test_what_is_no_pause_is_dropped_never_spoken(written: str) -> None:
    assert pieces(f"Hi {written}") == [Say("Hi")]


@pytest.mark.parametrize("pause", ["[pause:{}s]", '<break time="{}s"/>'])
def test_limits_of_pauses(pause: str) -> None:
    assert pieces(pause.format(LONGEST_PAUSE_S)) == [Pause(LONGEST_PAUSE_S)]
    with pytest.raises(InvalidRequest, match=r"a pause of 20\.5 s is too long; .* at most 20 s"):
        pieces(pause.format(LONGEST_PAUSE_S + 0.5))
    most = int(MOST_SILENCE_S / LONGEST_PAUSE_S)
    assert len(pieces(pause.format(LONGEST_PAUSE_S) * most)) == most
    with pytest.raises(InvalidRequest, match="come to more than 600 s"):
        pieces(pause.format(LONGEST_PAUSE_S) * (most + 1))


def test_prosody() -> None:
    text = (
        "<speak>a <prosody rate='slow'>b <prosody rate='200%' volume='+3dB'>c</prosody> d"
        "</prosody> e <prosody volume='soft'>f</prosody></speak>"
    )
    assert pieces(text) == [
        Say("a"),
        Say("b", rate=0.75),
        Say("c", rate=1.5, volume_db=3.0),
        Say("d", rate=0.75),
        Say("e"),
        Say("f", volume_db=-6.0),
    ]


@pytest.mark.parametrize(
    ("rate", "factor"),
    [("x-slow", 0.5), ("fast", 1.25), ("120%", 1.2), ("+20%", 1.2), ("-20%", 0.8), ("1.5", 1.5),
     ("medium", 1.0), ("quick", 1.0), ("", 1.0), ("900%", 4.0), ("0.01", 0.25), ("-100%", 0.25)],
)  # fmt: skip
def test_rates(rate: str, factor: float) -> None:
    (said,) = pieces(f'<prosody rate="{rate}">word</prosody>')
    assert isinstance(said, Say)
    assert said.rate == pytest.approx(factor, abs=1e-12)  # sums such as 1 + 20 / 100


@pytest.mark.parametrize(
    ("volume", "decibels"),
    [("silent", -120.0), ("x-loud", 12.0), ("+6dB", 6.0), ("-2.5db", -2.5), ("+90dB", 12.0),
     ("loudish", 0.0)],
)  # fmt: skip
def test_volumes(volume: str, decibels: float) -> None:
    (said,) = pieces(f'<prosody volume="{volume}">word</prosody>')
    assert said == Say("word", volume_db=decibels)


def test_paragraphs_and_sentences() -> None:
    text = "<speak><p><s>One.</s><s>Two.</s></p><p>Three.</p></speak>"
    assert pieces(text) == [
        Say("One."),
        Break("sentence"),
        Say("Two."),
        Break("paragraph"),
        Say("Three."),
    ]


def test_sub_speaks_its_alias_alone() -> None:
    text = 'The <sub alias="World Wide Web Consortium">W3C</sub> met. <sub>W3C</sub>.'
    assert pieces(text) == [Say("The World Wide Web Consortium met. W three C.")]
    assert pieces('<sub alias="24 7">x</sub>') == [Say("24 7", verbatim=True)]  # as it is written


@pytest.mark.parametrize(
    ("element", "text", "said"),
    [
        ("interpret-as='characters'", "abc1", "A B C one"),
        ("interpret-as='spell-out'", "NASA", "N A S A"),
        ("interpret-as='digits'", "1905", "one nine zero five"),
        ("interpret-as='cardinal'", "1905", "one thousand nine hundred five"),
        ("interpret-as='cardinal'", "-3.5", "minus three point five"),
        ("interpret-as='cardinal'", "007", "seven"),
        ("interpret-as='ordinal'", "21", "twenty-first"),
        ("interpret-as='telephone'", "555 0199", "five five five, zero one nine nine"),
        ("interpret-as='date' format='dmy'", "3/4/2021", "April third, twenty twenty-one"),
        ("interpret-as='date' format='mdy'", "3/4/2021", "March fourth, twenty twenty-one"),
        ("interpret-as='date'", "2021-03-04", "March fourth, twenty twenty-one"),
        ("interpret-as='date'", "soon", "soon"),
        ("interpret-as='time'", "10:30", "ten thirty"),
        ("interpret-as='currency'", "$5", "five dollars"),
        ("interpret-as='nonsense'", "5 km", "five kilometers"),
        ("", "5 km", "five kilometers"),
    ],
)
def test_say_as(element: str, text: str, said: str) -> None:
    assert pieces(f"<say-as {element}>{text}</say-as>")[0].text == said  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("characters", "A1", "A 一"),
        ("cardinal", "205", "二百零五".replace("二百", "两百")),
        ("ordinal", "3", "第三"),
        ("telephone", "110", "幺幺零"),
        ("date", "2021-3-4", "二零二一年三月四日"),
    ],
)
def test_say_as_in_chinese(kind: str, text: str, said: str) -> None:
    element = f"<say-as interpret-as='{kind}'>{text}</say-as>"
    assert prepare(element, language="chinese").text == said
    assert prepare(f"他说{element}").text == "他说" + said  # by the words around it


def test_language_of_an_element() -> None:
    text = "<speak>Yes. <p xml:lang='de-DE'>Am 3. Mai</p> <lang xml:lang='xx'>2</lang></speak>"
    assert pieces(text) == [
        Say("Yes."),
        Break("paragraph"),
        Say("Am 3. Mai", language="german"),
        Break("paragraph"),
        Say("two"),
    ]


def test_unknown_tags_are_dropped_and_told() -> None:
    prepared = prepare('A <mstts:express-as style="sad">b <foo/></bar>c</mstts:express-as> d.')
    assert prepared.text == "A b c d."
    assert prepared.notes == ("left out the tag <express-as>", "left out the tag <foo>")


def test_tags_out_of_order_or_unclosed() -> None:
    assert pieces("</prosody>a <prosody rate='2'>b</foo> c") == [Say("a"), Say("b c", rate=2.0)]
    assert pieces("<prosody rate='2'>a <sub alias='x'>b</prosody> c") == [
        Say("a x", rate=2.0),
        Say("c"),
    ]


def test_depth_has_a_limit() -> None:
    deep = "<prosody rate='1'>" * DEEPEST
    assert pieces(deep + "a") == [Say("a")]
    with pytest.raises(InvalidRequest, match=f"more than {DEEPEST} elements within each other"):
        pieces(deep + "<prosody rate='1'>a")
    assert pieces("<foo>" * 5000 + "a") == [Say("a")]  # unknown ones are no nesting


def test_entities_are_replaced_once_and_never_defined() -> None:
    laughs = (
        '<!DOCTYPE speak [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;">]>'
        "<speak>one &c; two &amp;amp; &#x41; &lt;b&gt; three</speak>"
    )
    assert prepare(laughs).text == "one two and amp; A b three"
    outside = '<!DOCTYPE speak SYSTEM "file:///etc/passwd"><speak>one &xxe; two</speak>'
    assert prepare(outside).text == "one two"
    assert prepare("a &#" + "9" * 10_000 + "; b").text == "a b"


def test_comments_declarations_and_cdata() -> None:
    text = "<?xml version='1.0'?><!-- no --><speak>a<!-- <b> no --> b <![CDATA[c < d]]></speak>"
    assert prepare(text, markup="ssml").text == "a b c is less than d"
    assert prepare("a <!-- never closed").text == "a"


def test_a_sum_is_no_tag() -> None:
    said = prepare("If a<b and c>d, 5 < 6.").text
    assert said == "If a is less than b and c is greater than d, five is less than six."
