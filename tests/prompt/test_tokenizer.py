"""The text tokenizer against the published one's ids (an independent implementation made them)."""

import gzip
import json
import re
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_tts.errors import InvalidConfig, InvalidText, ModelNotFound
from qwen3_tts.prompt.byte_vocab import SPECIAL_TOKENS, byte_symbols, write_byte_tokenizer
from qwen3_tts.prompt.tokenizer import TextTokenizer

GOLDEN = Path(__file__).parent.parent / "golden" / "qwen_tokenizer.json.gz"
BASE_VOCAB = 151643  # ids below are text, ids from here on are control tokens


@pytest.fixture(scope="session")
def golden() -> dict[str, Any]:
    loaded: dict[str, Any] = json.loads(gzip.decompress(GOLDEN.read_bytes()))
    return loaded


@pytest.fixture(scope="session")
def published(golden: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> TextTokenizer:
    """The published tokenizer, cut to the merges inside the golden strings, through its files."""
    folder = tmp_path_factory.mktemp("qwen")
    added = {str(i): {"content": content} for content, i in golden["added"].items()}
    (folder / "vocab.json").write_text(json.dumps(golden["vocab"]), encoding="utf-8")
    merges = "\n".join(["#version: 0.2", *golden["merges"], ""])
    (folder / "merges.txt").write_text(merges, encoding="utf-8")
    (folder / "tokenizer_config.json").write_text(json.dumps({"added_tokens_decoder": added}))
    return TextTokenizer.from_folder(folder)


@pytest.fixture(scope="session")
def byte_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("bytes") / "new"
    write_byte_tokenizer(folder)
    return folder


@pytest.fixture
def broken(byte_folder: Path, tmp_path: Path) -> Path:
    """A copy of a good folder, to be broken by the test."""
    for file in byte_folder.iterdir():
        (tmp_path / file.name).write_bytes(file.read_bytes())
    return tmp_path


def test_golden_strings_have_the_published_ids(
    golden: dict[str, Any], published: TextTokenizer
) -> None:
    assert len(golden["cases"]) >= 1000
    wrong = [text for text, ids in golden["cases"] if published.encode(text) != ids]
    assert wrong == []


def test_golden_strings_cover_what_they_claim(golden: dict[str, Any]) -> None:
    texts = [text for text, _ in golden["cases"]]
    assert any(unicodedata.normalize("NFC", text) != text for text in texts)
    assert all(any(content in text for text in texts) for content in golden["added"])
    assert any("\u200d" in text for text in texts)  # joined emoji
    for edge in (" ", "\n", "\t", "\r\n"):
        assert any(text.startswith(edge) and text.strip() for text in texts), edge
        assert any(text.endswith(edge) and text.strip() for text in texts), edge


def test_published_ids(golden: dict[str, Any], published: TextTokenizer) -> None:
    assert published.encode("\n") == [198]
    assert published.encode("assistant") == [77091]
    assert published.encode("user") == [872]
    assert max(golden["vocab"].values()) < BASE_VOCAB
    expected = {
        "<|endoftext|>": 151643,
        "<|im_start|>": 151644,
        "<|im_end|>": 151645,
        "<|video_pad|>": 151656,
        "<tool_call>": 151657,
        "</tool_call>": 151658,
        "<|file_sep|>": 151664,
        "<think>": 151667,
        "</think>": 151668,
        "<|audio_start|>": 151669,
        "<|audio_end|>": 151670,
        "<tts_pad>": 151671,
        "<tts_text_bos>": 151672,
        "<tts_text_eod>": 151673,
        "<tts_text_bos_single>": 151674,
        "<|audio_pad|>": 151675,
    }
    assert {content: published.token_id(content) for content in expected} == expected


def test_templates_are_the_published_ids(published: TextTokenizer) -> None:
    body = published.encode("Hello, <|im_end|>\n")
    assert published.role_ids() == [151644, 77091, 198]
    assert published.target("Hello, <|im_end|>\n") == body
    assert published.reference("Hello, <|im_end|>\n") == body
    assert published.instruction("Hello, <|im_end|>\n") == [151644, 872, 198, *body, 151645, 198]
    spelled = "<|im_start|>user\nHello, <|im_end|>\n<|im_end|>\n"
    assert published.decode(published.instruction("Hello, <|im_end|>\n")) == spelled


def test_a_caller_cannot_change_the_role(published: TextTokenizer) -> None:
    published.role_ids().append(0)
    assert published.role_ids() == [151644, 77091, 198]


def test_leading_newlines_stay_in_the_body(published: TextTokenizer) -> None:
    assert published.target("\n\nassistant") == [*published.encode("\n\n"), 77091]
    assert published.instruction("\n")[:3] == [151644, 872, 198]


# Characters of Unicode 3.2, whose normal forms are final: newer tables differ between libraries.
CHARACTERS = st.characters(exclude_categories=["Cs", "Cn"]).filter(
    lambda char: unicodedata.ucd_3_2_0.category(char) != "Cn"
)
PIECES = st.lists(
    st.sampled_from([*SPECIAL_TOKENS, "<tool_call>", "<think>"]) | st.text(CHARACTERS)
)


@given(PIECES)
def test_user_text_never_becomes_a_control_token(
    published: TextTokenizer, pieces: list[str]
) -> None:
    text = "".join(pieces)
    ids = published.encode(text)
    assert all(token_id < BASE_VOCAB for token_id in ids)
    assert published.decode(ids) == unicodedata.normalize("NFC", text)


@given(st.text(CHARACTERS))
def test_composed_and_decomposed_text_are_one(published: TextTokenizer, text: str) -> None:
    ids = published.encode(text)
    for form in ("NFC", "NFD"):
        assert published.encode(unicodedata.normalize(form, text)) == ids


def test_composed_korean_and_accents(published: TextTokenizer) -> None:
    for text in ("é", "한국어", "Ṩ"):
        decomposed = unicodedata.normalize("NFD", text)
        assert decomposed != text
        assert published.encode(decomposed) == published.encode(text)


def test_decode_spells_control_tokens_and_marks_broken_bytes(published: TextTokenizer) -> None:
    first_byte, *_ = published.encode("龘")
    ids = [151644, first_byte, 151671, *published.encode("voice")]
    assert published.decode(ids) == "<|im_start|>\ufffd<tts_pad>voice"
    assert published.decode([]) == ""


@pytest.mark.parametrize("token_id", [-1, 151676, 1 << 40])
def test_decode_refuses_an_id_that_is_no_token(published: TextTokenizer, token_id: int) -> None:
    with pytest.raises(ValueError, match=f"id {token_id} is no token"):
        published.decode([198, token_id])


def test_a_lone_surrogate_is_refused_with_its_position(published: TextTokenizer) -> None:
    with pytest.raises(InvalidText, match=r"U\+D83D at character 2") as caught:
        published.encode("ab\ud83d")
    assert "\n" not in str(caught.value)
    with pytest.raises(InvalidText):
        published.instruction("\udc00")


def test_empty_text_is_empty(published: TextTokenizer) -> None:
    assert published.encode("") == []


def test_an_unknown_added_token_is_named(published: TextTokenizer) -> None:
    with pytest.raises(InvalidConfig, match="<tts_nothing>"):
        published.token_id("<tts_nothing>")


def test_threads_share_one_tokenizer(golden: dict[str, Any], published: TextTokenizer) -> None:
    texts = [text for text, _ in golden["cases"][:300]]
    with ThreadPoolExecutor(4) as pool:
        results = list(pool.map(published.encode, texts))
    assert results == [ids for _, ids in golden["cases"][:300]]


def test_byte_symbols_are_the_published_order(golden: dict[str, Any]) -> None:
    """The published ids 0..255 are the bytes that print, then the others, each in byte order."""
    singles = sorted((i, symbol) for symbol, i in golden["vocab"].items() if i < 256)
    symbols = byte_symbols()
    moved = [symbol for symbol in symbols if ord(symbol) > 0xFF]
    assert [symbol for _, symbol in singles] == [s for s in symbols if s not in moved] + moved


@pytest.mark.parametrize("name", ["vocab.json", "merges.txt", "tokenizer_config.json"])
def test_a_missing_file_is_named(broken: Path, name: str) -> None:
    (broken / name).unlink()
    with pytest.raises(ModelNotFound, match=re.escape(name)):
        TextTokenizer.from_folder(broken)


def _table(added: object) -> str:
    return json.dumps({"added_tokens_decoder": added})


ADDED = {str(300 + i): {"content": content} for i, content in enumerate(SPECIAL_TOKENS)}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("vocab.json", "{", "not JSON"),
        ("vocab.json", "[1]", "JSON object"),
        ("vocab.json", '{"a": "1"}', "ids are whole numbers"),
        ("vocab.json", '{"a": -1}', "ids are whole numbers"),
        ("vocab.json", '{"a": 4294967296}', "ids are whole numbers"),
        ("vocab.json", '{"\\ud800": 1}', "lone surrogate"),
        ("vocab.json", '{"a": 1}', "lacks 255 of the 256 bytes, first 0x00"),
        ("vocab.json", b"\xff", "not UTF-8"),
        ("merges.txt", "a s\nas\n", "line 2"),
        ("merges.txt", "a s i\n", "line 1"),
        ("merges.txt", "a s\n#version: 0.2\n", "'#version:', which is not"),
        ("merges.txt", "#version: 0.2\na q\n", "'aq', which is not in the vocabulary"),
        ("tokenizer_config.json", "{}", "added_tokens_decoder"),
        ("tokenizer_config.json", _table({"x": {"content": "<a>"}}), "added token 'x'"),
        ("tokenizer_config.json", _table({"300": "<a>"}), "added token '300'"),
        ("tokenizer_config.json", _table({"300": {"content": ""}}), "added token '300'"),
        ("tokenizer_config.json", _table(ADDED | {"400": ADDED["301"]}), "listed twice"),
        ("tokenizer_config.json", _table(ADDED | {"97": {"content": "<a>"}}), "id 97"),
        ("tokenizer_config.json", _table({"1": {"content": "<|im_end|>"}}), "lacks .*<tts_pad>"),
    ],
)
def test_a_broken_file_is_refused(
    broken: Path, name: str, content: str | bytes, message: str
) -> None:
    data = content if isinstance(content, bytes) else content.encode()
    (broken / name).write_bytes(data)
    with pytest.raises(InvalidConfig, match=message) as caught:
        TextTokenizer.from_folder(broken)
    assert "\n" not in str(caught.value)


def test_two_tokens_of_one_id_are_refused(broken: Path) -> None:
    vocab = json.loads((broken / "vocab.json").read_text(encoding="utf-8"))
    (broken / "vocab.json").write_text(json.dumps(vocab | {"zz": 3}), encoding="utf-8")
    with pytest.raises(InvalidConfig, match="one id to two tokens"):
        TextTokenizer.from_folder(broken)


def test_merges_may_start_with_a_hash_and_end_in_crlf(broken: Path) -> None:
    """ "#" is a symbol as any other, and a file without a version line starts with a merge."""
    vocab = json.loads((broken / "vocab.json").read_text(encoding="utf-8"))
    vocab |= {"##": 500, "###": 501}
    (broken / "vocab.json").write_text(json.dumps(vocab), encoding="utf-8")
    (broken / "merges.txt").write_bytes(b"# #\r\n## #\r\n")
    assert TextTokenizer.from_folder(broken).encode("###") == [501]
