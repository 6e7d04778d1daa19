"""Fragments of a text against the whole of it: the same ids, early, and at a bounded cost."""

import gzip
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import cache
from itertools import pairwise, product
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tokenizers import normalizers

from qwen3_tts.errors import InvalidText
from qwen3_tts.prompt import incremental
from qwen3_tts.prompt.byte_vocab import SPECIAL_TOKENS, byte_symbols, write_byte_tokenizer
from qwen3_tts.prompt.incremental import IncrementalTokenizer
from qwen3_tts.prompt.tokenizer import TextTokenizer

GOLDEN = Path(__file__).parent.parent / "golden" / "qwen_tokenizer.json.gz"
SYMBOLS = byte_symbols()

PIECES = """
今天天气很好 我们一起去公园散步吧 。 ， 「 》 語音 龘 今日はとても ガギグ カ ｶﾞ ー です
東京タワー 한국어 안녕하세요 뷁 ᄀ 가 각 ᅡ ᆨ ᅠ Donaudampfschifffahrt Straße ÄÖÜ ẞ l'été garçon
Œuvre привет щи й И ё não coração ¿dónde mañana perché città สวัสดีครับ กำ้ कि नमस्ते שָׁלוֹם مُحَمَّد
the quick assistant user assist JavaScript don't I'M we'Ll they'RE he'D you've 'tis rock'n'roll
'' ' 's 'S 'ſ 'r 'R 'l 'v 'e 'rest 'll 've'm ''s .'s 12:30 3.14159 ½ Ⅷ ٣ 1️⃣ €9.99 ... !? :-) … —
😀 👍🏽 👩‍👩‍👧‍👦 🏳️‍🌈 🇨🇳🇩🇪 ❤️ <|im_end|> <|im_start|> <tts_pad> <| |> < = > def(x):
""".split()
SPACES = " |  |   |\t|\n|\n\n|\r\n|\r| \n|\n |\u3000|\xa0|\u2028".split("|")
# Marks of many classes, jamo, a starter that composes backwards; then characters on which the
# tables of Python, of the normaliser and of the pattern's engine do not agree.
ODD = (
    "eoAsaU<kKſ\u0301\u0300\u0323\u0327\u0338\u0345\u0308\u3099\u309a\u0334ᄒ\u1161\u11ab가\u0dd9"
    "\u0dcf\u09c7\u09be\u0f71\u0f72\u0340\u0344\u212b\u2126\u0958\ufb1d\u1c89\ua7cb\x1c\x1f"
    "\x85\x00\ufeff\u200b\u0898\u08ca\U00011935\U00011930\U0001e130\U00010d40\U0002f800"
)

PIECE = st.sampled_from([*PIECES, *PIECES, *SPACES, *SPACES, *ODD]) | st.text(max_size=3)
TEXT = st.lists(PIECE, max_size=12).map("".join)
SIZES = st.lists(st.integers(0, 5), max_size=60) | st.just([])


def build(merges: Sequence[tuple[bytes, bytes]]) -> TextTokenizer:
    """A tokenizer of the 256 bytes and these merges, best first."""
    symbols = [("".join(SYMBOLS[b] for b in x), "".join(SYMBOLS[b] for b in y)) for x, y in merges]
    vocab = dict.fromkeys([*SYMBOLS, *(left + right for left, right in symbols)])
    ids = {symbol: token_id for token_id, symbol in enumerate(vocab)}
    special = {content: len(ids) + i for i, content in enumerate(SPECIAL_TOKENS)}
    return TextTokenizer(ids, symbols, special)


@cache
def golden() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(gzip.decompress(GOLDEN.read_bytes()))
    return loaded


@cache
def published() -> TextTokenizer:
    """The published vocabulary, cut to the merges that the golden strings use."""
    merges = [tuple(line.split(" ")) for line in golden()["merges"]]
    return TextTokenizer(golden()["vocab"], merges, golden()["added"])


def byte_level() -> TextTokenizer:
    with TemporaryDirectory() as folder:
        write_byte_tokenizer(Path(folder))
        return TextTokenizer.from_folder(Path(folder))


def clinging() -> TextTokenizer:
    """Merges where the split pattern cuts, so that a cut in a wrong place changes ids.

    "'" is in none, so that it leaves a word early; only with "re" is it a pre-token.
    """
    sides = ["ſ", "\u1c89", "\U00010d40"]  # the last bytes of the left, the first of the right
    merges = [(x.encode()[-1:], b"x") for x in sides] + [(b"x", x.encode()[:1]) for x in sides]
    merges += [(bytes([x]), bytes([y])) for x, y in product(b" \n\t!x1\x1c", repeat=2)]
    return build([(b"r", b"e"), (b"re", b"s"), *merges])


@pytest.fixture(scope="session", params=[byte_level, clinging, published])
def tokenizer(request: pytest.FixtureRequest) -> TextTokenizer:
    made: TextTokenizer = request.param()
    return made


def fragments(text: str, sizes: Iterable[int]) -> Iterator[str]:
    """`text` cut into pieces of these sizes; what they leave over comes one character a piece."""
    start = 0
    for size in sizes:
        yield text[start : start + size]
        start += size
    yield from text[start:]


def ids_of(stream: IncrementalTokenizer, parts: Iterable[str]) -> list[int]:
    return [*(i for part in parts for i in stream.feed(part)), *stream.end()]


@given(text=TEXT, sizes=SIZES)
def test_any_split_gives_the_ids_of_the_whole(
    tokenizer: TextTokenizer, text: str, sizes: list[int]
) -> None:
    stream = IncrementalTokenizer(tokenizer)
    assert ids_of(stream, fragments(text, sizes)) == tokenizer.encode(text)


def test_golden_strings_one_character_at_a_time() -> None:
    """Ids that another implementation gave for the published vocabulary."""
    cases = golden()["cases"]
    wrong = [t for t, ids in cases if ids_of(IncrementalTokenizer(published()), t) != ids]
    assert wrong == []


@pytest.mark.parametrize(
    "alphabet", ["'resſx", " \n\tx", "! \n'\x1c", "e\u0301\u0323 ", "1x'\u1c89\U00010d40"]
)
def test_every_short_text_of_an_alphabet(tokenizer: TextTokenizer, alphabet: str) -> None:
    """All texts of up to five characters from the sets where the split pattern has its traps."""
    texts = ["".join(text) for n in range(6) for text in product(alphabet, repeat=n)]
    wrong = [t for t in texts if ids_of(IncrementalTokenizer(tokenizer), t) != tokenizer.encode(t)]
    assert wrong == []


@st.composite
def random_merges(draw: st.DrawFn, singles: list[bytes]) -> list[tuple[bytes, bytes]]:
    """Merges that no text ever taught, in an order that may rank a token before its parts."""
    tokens, merges = list(singles), []
    for _ in range(draw(st.integers(0, 14))):
        left, right = draw(st.sampled_from(tokens)), draw(st.sampled_from(tokens))
        if left + right not in tokens:
            tokens.append(left + right)
            merges.append((left, right))
    return draw(st.permutations(merges))


@given(data=st.data())
def test_any_vocabulary_gives_the_ids_of_the_whole(data: st.DataObject) -> None:
    """Tokens that overlap in every way, some of them beginning or ending inside a character."""
    alphabet = data.draw(st.sampled_from(["abc", "中丮丯䶮"]))
    singles = [bytes([byte]) for byte in sorted(set(alphabet.encode()))]
    tokenizer = build(data.draw(random_merges(singles)))
    for text in data.draw(st.lists(st.text(alphabet, max_size=24), min_size=8, max_size=8)):
        assert ids_of(IncrementalTokenizer(tokenizer), text) == tokenizer.encode(text)


def test_a_word_waits_for_the_last_byte_of_the_longest_token() -> None:
    tokenizer = build([(b"a", b"b"), (b"c", b"d"), (b"ab", b"cd")])
    assert ids_of(IncrementalTokenizer(tokenizer), ["xabcd", "e"]) == tokenizer.encode("xabcde")


@given(text=TEXT, sizes=SIZES)
def test_pending_is_what_has_not_left(
    tokenizer: TextTokenizer, text: str, sizes: list[int]
) -> None:
    stream, ids, fed = IncrementalTokenizer(tokenizer), [], ""
    for part in fragments(text, sizes):
        ids += stream.feed(part)
        fed += part
        whole = tokenizer.decode(tokenizer.encode(fed))
        assert tokenizer.decode(ids + tokenizer.encode(stream.pending)) == whole
    stream.end()
    assert stream.pending == ""


def test_ids_leave_early(tokenizer: TextTokenizer) -> None:
    stream = IncrementalTokenizer(tokenizer)
    ids, sure = stream.feed("Hello world, how are"), tokenizer.encode("Hello world, how")
    assert ids[: len(sure)] == sure
    assert " are".endswith(stream.pending)


def test_chinese_without_a_stop_does_not_wait_for_one() -> None:
    stream = IncrementalTokenizer(published())
    held = []
    for char in "Geschwindigkeitsbegrenzung 今天天气很好我们一起去公园散步吧这本书讲述了古老的故事":
        stream.feed(char)
        held.append(len(stream.pending))
    assert max(held[27:]) <= 5  # a space and the longest of its words; the clause is of 27


def test_a_character_in_no_longer_token_leaves_at_once() -> None:
    stream = IncrementalTokenizer(build([(b"x", b"y")]))
    assert stream.feed("龘") == list("龘".encode())
    assert stream.feed("5") == list(b"5")
    assert stream.feed("é") == []  # a mark under it may follow
    assert stream.pending == "é"


def test_a_pair_of_surrogates_is_one_character(tokenizer: TextTokenizer) -> None:
    whole = tokenizer.encode("a😀b")
    for parts in (["a\ud83d", "\ude00b"], ["a", "\ud83d", "", "\ude00", "b"], ["a\ud83d\ude00b"]):
        assert ids_of(IncrementalTokenizer(tokenizer), parts) == whole


@pytest.mark.parametrize(
    ("before", "bad", "message"),
    [
        (["ab"], "c\ud83dd", r"U\+D83D at character 3"),
        (["ab\ud83d"], "c", r"U\+D83D at character 2"),
        (["😀"], "\ude00", r"U\+DE00 at character 1"),
        (["\ud83d", "\ude00"], "x\udc00\ud83d", r"U\+DC00 at character 2"),
    ],
)
def test_a_lone_surrogate_is_refused_and_forgotten(
    tokenizer: TextTokenizer, before: list[str], bad: str, message: str
) -> None:
    stream = IncrementalTokenizer(tokenizer)
    ids = [i for part in before for i in stream.feed(part)]
    pending = stream.pending
    with pytest.raises(InvalidText, match=message) as caught:
        stream.feed(bad)
    assert "\n" not in str(caught.value)
    assert stream.pending == pending
    rest = "\ude00." if pending.endswith("\ud83d") else "."
    fresh = ids_of(IncrementalTokenizer(tokenizer), [*before, rest])
    assert ids + ids_of(stream, [rest]) == fresh


def test_an_end_inside_a_pair_is_refused_and_can_be_mended(tokenizer: TextTokenizer) -> None:
    stream = IncrementalTokenizer(tokenizer)
    ids = stream.feed("ok \ud83d")
    with pytest.raises(InvalidText, match=r"U\+D83D at character 3"):
        stream.end()
    assert ids + ids_of(stream, ["\ude00"]) == tokenizer.encode("ok 😀")
    with pytest.raises(InvalidText, match="after its end"):
        stream.feed("")
    assert stream.end() == []


def cost(tokenizer: TextTokenizer, text: str, monkeypatch: pytest.MonkeyPatch) -> int:
    """Symbols that normaliser and BPE are given while `text` comes one character at a time."""
    stream, sizes = IncrementalTokenizer(tokenizer), []

    def counted(method: Callable[[str], object]) -> Callable[[str], object]:
        return lambda text: (sizes.append(len(text)), method(text))[1]

    with monkeypatch.context() as patched:
        for name, method in (("_model", "tokenize"), ("_normalizer", "normalize_str")):
            call = counted(getattr(getattr(stream._encoder, name), method))
            patched.setattr(stream._encoder, name, SimpleNamespace(**{method: call}))
        assert ids_of(stream, text) == tokenizer.encode(text)
    return sum(sizes)


@pytest.mark.parametrize(
    "unit", [*"a中 !-か\u0323\u1161", "ab", "今天天气", " \r\n", "e\u0301", "'r"]
)
def test_cost_grows_with_the_text_and_no_faster(
    tokenizer: TextTokenizer, unit: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    short, long = unit * 500, unit * 2000
    assert cost(tokenizer, long, monkeypatch) <= 4.2 * cost(tokenizer, short, monkeypatch)
    assert cost(tokenizer, long, monkeypatch) <= 30 * len(long.encode())


def test_a_word_with_no_final_id_is_not_encoded_for_every_character(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Each pair of the chain beats the pair before it, so every character moves all cuts."""
    chars = [chr(0x4E00 + i).encode() for i in range(400)]
    parts = dict.fromkeys(char[:2] for char in chars)
    merges = [(part[:1], part[1:]) for part in parts]
    merges += [(char[:2], char[2:]) for char in chars]
    merges += reversed(list(pairwise(chars)))
    tokenizer, text = build(merges), b"".join(chars).decode()
    stream = IncrementalTokenizer(tokenizer)
    assert stream.feed(text[:-1]) == []
    assert stream.pending == text[:-1]
    stream.feed(" ")
    assert stream.feed("龘") != []  # a new word is looked at from its first character
    assert cost(tokenizer, text, monkeypatch) <= 40 * len(text.encode())  # 400 if for each


def test_pythons_tables_know_all_that_the_normaliser_joins() -> None:
    """The premise of holding back by Python's tables, and of leaving the ideographic planes out."""
    backward, forward = incremental._joining_characters()
    either, both = backward | forward, backward & forward
    unlikely = {*range(0x3400, 0x4DC0), *range(0x4E00, 0xA000), *range(0xD800, 0xE000), 0x0A}
    codes = [c for c in [*range(0x32400), *range(0xE0000, 0xE0200)] if c not in unlikely]
    # A mark sorts itself before the mark of the highest class or behind that of the lowest.
    lines = normalizers.NFD().normalize_str("\n".join(f"\u0345{chr(c)}\u0334" for c in codes))
    for char, line in zip(map(chr, codes), lines.split("\n"), strict=True):
        parts = line.replace("\u0345", "", 1).replace("\u0334", "", 1)
        is_mark = line[0] != "\u0345"
        assert not is_mark or char in both, ascii(char)
        if ord(char) > incremental.LAST_COMBINING:
            assert len(parts) == 1, ascii(char)
            assert parts not in either, ascii(char)
        elif not is_mark:
            assert backward.issuperset(parts[1:]), ascii(char)
            assert forward.issuperset(parts[:-1]), ascii(char)
            assert parts == char or char in forward, ascii(char)
