"""The byte tokenizer of random checkpoints: its files read as the official reader reads them."""

import json
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from qwen3_tts.prompt.byte_vocab import SPECIAL_TOKENS, write_byte_tokenizer
from qwen3_tts.prompt.tokenizer import TextTokenizer

# Ids that transformers 4.57.3 gives for the byte tokenizer's folder, slow and fast classes alike.
BYTE_CASES = {
    "assistants abuse; Assist us, 'Use'": [
        *(263, 115, 32, 97, 98, 265, 59, 32, 65, 115, 115, 105, 115, 116),
        *(32, 264, 44, 32, 39, 85, 115, 101, 39),
    ],
    "e\u0301 \u00e9 你 👍🏽\r\n": [
        *(195, 169, 32, 195, 169, 32, 228, 189, 160, 32),
        *(240, 159, 145, 141, 240, 159, 143, 189, 13, 10),
    ],
}

# Characters of Unicode 3.2, whose normal forms are final: newer tables differ between libraries.
PLAIN = st.characters(exclude_categories=["Cs", "Cn"]).filter(
    lambda char: unicodedata.ucd_3_2_0.category(char) != "Cn"
)


@pytest.fixture(scope="module")
def byte_tokenizer(tmp_path_factory: pytest.TempPathFactory) -> TextTokenizer:
    folder = tmp_path_factory.mktemp("bytes") / "new"
    write_byte_tokenizer(folder)
    return TextTokenizer.from_folder(folder)


def test_byte_tokenizer_equals_the_official_reader_of_its_files(
    byte_tokenizer: TextTokenizer,
) -> None:
    for text, ids in BYTE_CASES.items():
        assert byte_tokenizer.encode(text) == ids
    assert byte_tokenizer.role_ids() == [268, 263, 10]
    assert byte_tokenizer.instruction("Warm.") == [268, 266, 10, 87, 97, 114, 109, 46, 269, 10]


@given(st.text(PLAIN))
def test_byte_tokenizer_gives_bytes(byte_tokenizer: TextTokenizer, text: str) -> None:
    composed = unicodedata.normalize("NFC", text.replace("a", "").replace("u", ""))
    assert byte_tokenizer.encode(composed) == list(composed.encode())  # all merges begin with a, u


def test_byte_tokenizer_returns_its_special_ids(tmp_path: Path) -> None:
    ids = write_byte_tokenizer(tmp_path)
    tokenizer = TextTokenizer.from_folder(tmp_path)
    assert ids == {content: tokenizer.token_id(content) for content in SPECIAL_TOKENS}
    vocab = json.loads((tmp_path / "vocab.json").read_text(encoding="utf-8"))
    assert sorted([*vocab.values(), *ids.values()]) == list(range(max(ids.values()) + 1))
