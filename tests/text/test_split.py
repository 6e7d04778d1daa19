"""Splitting: golden cases written by hand, and properties of any text under any chunking."""

import json
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from unittest.mock import patch

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_tts.errors import InvalidRequest
from qwen3_tts.text import window
from qwen3_tts.text.cutting import FIRST_LETTER
from qwen3_tts.text.sentences import TAG
from qwen3_tts.text.split import Segment, iter_segments, split
from qwen3_tts.text.spoken_length import longest_prefix, spoken_length

GOLDEN = Path(__file__).parents[1] / "golden" / "text" / "split.jsonl"
CASES = [json.loads(line) for line in GOLDEN.read_text(encoding="utf-8").splitlines()]
LANGUAGES = sorted({case["language"] for case in CASES})
# In a golden case's `marked` text each join stands where the segment before it ends.
JOIN_OF = {"‖": "sentence", "¶": "paragraph", "¦": "clause", "⋮": "none"}
MARK_OF = {join: mark for mark, join in JOIN_OF.items()}
MARKS = "".join(JOIN_OF)


def marked(text: str, segments: list[Segment]) -> str:
    """`text` with the mark of each segment's join at its end, the last one's left out."""
    parts, position = [], 0
    for segment in segments[:-1]:
        parts += [text[position : segment.end], MARK_OF[segment.join]]
        position = segment.end
    return "".join(parts) + text[position:]


def split_case(case: dict[str, object], language: str | None) -> str:
    text = re.sub(f"[{MARKS}]", "", str(case["marked"]))
    if "limit" not in case:
        return marked(text, split(text, language, group=False))
    limits = {"limit": int(str(case["limit"])), "first_limit": int(str(case["first_limit"]))}
    return marked(text, split(text, language, **limits))


@pytest.mark.parametrize("language", LANGUAGES)
def test_golden_cases(language: str) -> None:
    mine = [case for case in CASES if case["language"] == language]
    got = [split_case(case, language) for case in mine]
    assert got == [case["marked"] for case in mine]


def test_there_are_enough_golden_cases_of_every_language() -> None:
    assert len(CASES) >= 300
    assert len(LANGUAGES) == 10
    assert min(sum(c["language"] == language for c in CASES) for language in LANGUAGES) >= 30
    assert len({json.dumps(case, sort_keys=True) for case in CASES}) == len(CASES)


def test_most_golden_cases_hold_where_the_language_is_not_told() -> None:
    """Only ordinals and words that are another language's abbreviations need the language."""
    other = [case for case in CASES if split_case(case, None) != case["marked"]]
    assert len(other) <= 0.04 * len(CASES), [case["marked"] for case in other]


# --- properties --------------------------------------------------------------------------------

WORDS = [
    *"a the Hello world Dr. Mr. e.g. U.S. z. B. 3. 3.14 1,000 10:30 1 000 000 J. ... … . !".split(),
    *"? ?! 。 ！ ？ ， 、 ； 「 」 “ ” « » \" ' ( ) [pause:500ms] [laugh] <b> — – --".split(),
    *"https://a.b/c?d=e you@example.com 你好 世界 你 こんにちは カタカナ 漢字かな".split(),
    *"- * • _ 안녕 하세요 слово Привет т. д. straße été ¿Qué ¡No 😀 é 7 42 １２３ ٣ ไทย".split(),
    *('<break time="1s"/>', "👩\u200d👧", "e\u0301", "\u200d", "\ufe0f"),
    *("[" + "x y." * 20 + "]", "<" + "a b. " * 20 + ">"),  # as long as a tag can be
]
BLANKS = [
    " " * 63 + "\n",
    "\n" + " " * 70,
    "",
    "",
    " ",
    " ",
    " ",
    "\n",
    "\n\n",
    "\r\n",
    "\u00a0",
    "\t",
    "  \n \n",
    "\u2028",
]
woven = st.lists(st.tuples(st.sampled_from(WORDS), st.sampled_from(BLANKS)), max_size=120).map(
    lambda pairs: "".join(word + blank for word, blank in pairs)
)
# Long runs of one thing, which is what a hostile text is made of.
repeated = st.tuples(
    st.sampled_from([*WORDS, "a", "漢", "7", "\u0301", "("]), st.integers(1, 900)
).map(lambda pair: pair[0] * pair[1])
# What holds together: letters, digits, marks and joiners, with the signs inside numbers.
TOKEN_BEFORE = re.compile(r"[\w.,:\u0301\u200d\ufe0f]*\Z")
TOKEN_AFTER = re.compile(r"[\w.,:\u0301\u200d\ufe0f]*")
LETTER_OR_DIGIT = re.compile(r"[A-Za-zÀ-ÿА-яё\d]")
texts = st.one_of(woven, st.text(max_size=400), st.tuples(woven, repeated, woven).map("".join))
limits = st.sampled_from([(280, 120), (60, 60), (40, 1), (100, 30)])


@given(texts, st.sampled_from([None, *LANGUAGES]), limits, st.booleans())
def test_segments_are_true_to_the_text(
    text: str, language: str | None, sizes: tuple[int, int], group: bool
) -> None:
    limit, first_limit = sizes
    segments = split(text, language, limit=limit, first_limit=first_limit, group=group)
    position = 0
    for segment in segments:
        assert segment.text == text[segment.start : segment.end] == segment.text.strip()
        assert FIRST_LETTER.search(segment.text), "a segment without a letter or digit"
        assert segment.start >= position
        # What lies between segments is never spoken.
        assert not FIRST_LETTER.search(text[position : segment.start])
        if spoken_length(segment.text) > limit:
            assert re.search(TAG, segment.text), "only a tag may be longer than the limit"
        position = segment.end
    assert not FIRST_LETTER.search(text[position:])


@given(texts, limits)
def test_nothing_is_cut_that_holds_together(text: str, sizes: tuple[int, int]) -> None:
    limit, first_limit = sizes
    tags = [match.span() for match in re.finditer(TAG, text)]
    for segment in split(text, limit=limit, first_limit=first_limit)[:-1]:
        end = segment.end
        assert not any(start < end < stop for start, stop in tags), "cut in a tag"
        before, after = text[:end], text[end:]
        if LETTER_OR_DIGIT.match(before[-1:]) and LETTER_OR_DIGIT.match(after):
            token = TOKEN_BEFORE.search(before)[0] + TOKEN_AFTER.match(after)[0]
            assert spoken_length(token) >= limit // 3, f"cut in {token!r}"


@given(texts, st.data(), limits, st.booleans())
def test_any_chunking_gives_the_same_segments(
    text: str, data: st.DataObject, sizes: tuple[int, int], group: bool
) -> None:
    limit, first_limit = sizes
    cuts = data.draw(st.lists(st.integers(0, len(text)), max_size=30).map(sorted))
    chunks = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)], strict=True)]
    options = {"limit": limit, "first_limit": first_limit, "group": group}
    with patch.object(window, "_KEEP", 8):  # forget what was spoken as soon as can be
        streamed = list(iter_segments(chunks, **options))
    assert streamed == split(text, **options)


@given(texts)
def test_text_that_comes_by_characters_gives_the_same_segments(text: str) -> None:
    assert list(iter_segments(iter(text))) == split(text)


def test_a_golden_text_by_characters_is_the_same_too() -> None:
    text = " ".join(re.sub(f"[{MARKS}]", "", case["marked"]) for case in CASES)
    assert list(iter_segments(iter(text))) == split(text)
    chunks = [text[start : start + 7] for start in range(0, len(text), 7)]
    assert list(iter_segments(chunks, group=False)) == split(text, group=False)
    with patch.object(window, "_KEEP", 8):
        assert list(iter_segments(chunks, limit=40)) == split(text, limit=40)


# --- long texts --------------------------------------------------------------------------------


def test_a_segment_comes_before_the_text_is_read_on() -> None:
    """A long text's segments come one by one; the text is read a little ahead at most."""
    read = 0

    def sentences() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield f"This is sentence number {read} of very many. "

    segments = iter_segments(sentences())
    first = next(segments)
    assert first.text.startswith("This is sentence number 1 of very many.")
    assert read < 12
    for _ in range(200):
        last = next(segments)
    assert read * 40 < last.end + 1200  # characters: no further ahead than that


def test_memory_does_not_grow_with_the_text() -> None:
    tracemalloc = pytest.importorskip("tracemalloc")

    def peak_of(count: int, chunk: str) -> int:
        tracemalloc.start()
        for _ in iter_segments(chunk for _ in range(count)):
            pass
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return int(peak)

    for chunk in ("A sentence, and another. ", "word ", "\n", "...", "x", "你好。"):
        peak_of(100, chunk)  # whatever is allocated once
        assert peak_of(8000, chunk) < peak_of(2000, chunk) + 20_000, chunk


HOSTILE = (
    "a", "7", "a. ", "A. ", "1. ", "Hi! ", "z. B. ", "Dr. ", ".", ". ", "!", "\n", "a\n", "a\n\n",
    "-\n", "[", "[a", "[a] ", "<a ", ", ", "a, ", '"', '." ', " ", " \n \t", "\u0301", "e\u0301",
    "\u200d", "😀", "。", "你", "你。", "你，", "「あ」。", "가. ", "... ", "—", "a—", "? » ", "\r",
    "#", "\ud800", "x.[1] ", '"Stop!" he said. ', "http://a.b/c?d=e ", "a\u00a0", "1 ",
)  # fmt: skip


@pytest.mark.parametrize("pattern", HOSTILE, ids=[f"{n}" for n in range(len(HOSTILE))])
def test_time_grows_with_the_text_and_no_faster(pattern: str) -> None:
    """Four times the text takes four times as long; a quadratic pass would take sixteen times."""

    def seconds(length: int) -> float:
        text = (pattern * length)[:length]
        best = float("inf")
        for _ in range(3):
            began = time.process_time()
            split(text)
            best = min(best, time.process_time() - began)
        return best

    seconds(1000)
    assert seconds(16_000) < 9 * seconds(4_000) + 0.003


def test_function_calls_grow_with_the_text_and_no_faster() -> None:
    """The same counted, not timed: exact, but blind to what a pattern does inside."""

    def calls(text: str) -> int:
        count = 0

        def profile(frame: object, event: str, arg: object) -> None:
            nonlocal count
            count += event in ("call", "c_call")

        sys.setprofile(profile)
        try:
            split(text)
        finally:
            sys.setprofile(None)
        return count

    for pattern in HOSTILE:
        small, large = ((pattern * n)[:n] for n in (2_000, 8_000))
        assert calls(large) < 5 * calls(small) + 100, pattern


# --- single rules ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text", ["", " ", "\n\n", "...", "?!", "—", "😀", "“”", "* * *", "_", "。。。"]
)
def test_text_without_a_letter_has_no_segment(text: str) -> None:
    assert split(text) == []
    assert split(text * 500, group=False) == []


def test_signs_without_a_letter_are_left_out_between_paragraphs() -> None:
    text = "First.\n\n* * *\n\nSecond."
    assert [(s.text, s.join) for s in split(text)] == [
        ("First.", "paragraph"),
        ("Second.", "sentence"),
    ]


def test_many_signs_before_a_word_are_left_out_but_an_opening_one() -> None:
    assert [s.text for s in split("=" * 300 + "(Hello) there.")] == ["(Hello) there."]
    assert [s.text for s in split("- - Hello.")] == ["- - Hello."]


@pytest.mark.parametrize(
    ("text", "join"),
    [
        ("Yes.", "sentence"),
        ("Yes", "none"),
        ("Yes,", "none"),
        ("“Yes.”", "sentence"),
        ("好。", "sentence"),
        ("Yes.\n", "sentence"),
        ("Yes.\n\n", "paragraph"),
        ("Title\n\n", "paragraph"),
    ],
)
def test_the_last_join_tells_how_the_text_ends(text: str, join: str) -> None:
    assert [segment.join for segment in split(text)] == [join]


def test_the_first_segment_is_short_and_the_others_fill_the_limit() -> None:
    text = "This sentence has forty-two letters in it. " * 40
    lengths = [len(segment.text) for segment in split(text)]
    assert lengths[0] <= 120
    assert all(240 <= length <= 280 for length in lengths[1:-1])


def test_blanks_inside_a_segment_count() -> None:
    text = "0000000::::::::::::\r000\r00:0" + " " * 47 + "\f—"
    assert all(spoken_length(segment.text) <= 60 for segment in split(text, limit=60))
    assert split("One.\f \n \f…Two.", limit=60)[0].join == "paragraph"


def test_cjk_counts_three_times() -> None:
    assert spoken_length("word") == 4
    assert spoken_length("你好 ab 12 안녕 かな") == len("你好 ab 12 안녕 かな") + 2 * 8
    assert [len(s.text) for s in split("好" * 200, first_limit=280)] == [93, 53, 54]


@given(st.text(alphabet="a1你 é\u0301。", max_size=60), st.integers(0, 120))
def test_the_longest_prefix_is_the_longest(text: str, length: int) -> None:
    count = longest_prefix(text, length)
    assert spoken_length(text[:count]) <= length
    assert count == len(text) or spoken_length(text[: count + 1]) > length


def test_a_character_is_not_parted_from_its_marks() -> None:
    for cluster in ("e\u0301\u0302", "👩\u200d👧", "👍🏽", "か\u3099", "ก็", "\u1112\u1161\u11ab"):
        for segment in split("x" + cluster * 300):
            assert not re.match(f"[{cluster[1:]}]", segment.text), cluster


def test_limits_too_small_are_refused() -> None:
    with pytest.raises(InvalidRequest, match=r"at least 40.*got 39 and 120"):
        split("Hello.", limit=39)
    with pytest.raises(InvalidRequest, match="got 280 and 0"):
        iter_segments(["Hello."], first_limit=0)


def test_a_language_is_a_name_or_a_code() -> None:
    text = "Am 3. Mai kam Hans."
    for language in ("german", "German", "de", "de-AT"):
        assert len(split(text, language, group=False)) == 1
    assert len(split(text, "en", group=False)) == 2
    assert split(text, "xx") == split(text)
