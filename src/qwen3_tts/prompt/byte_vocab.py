"""The smallest text tokenizer a checkpoint can carry: one token per byte, for random checkpoints.

Its files have the published layout, so everything that opens a real checkpoint opens this one.
Two words are merged, "assistant" and "user", because the published chat templates count on each
of them being a single token.
"""

import json
from collections.abc import Iterable
from pathlib import Path

MERGED_WORDS = ("assistant", "user")
SPECIAL_TOKENS = (
    "<|endoftext|>",
    "<|im_start|>",
    "<|im_end|>",
    "<tts_pad>",
    "<tts_text_bos>",
    "<tts_text_eod>",
)


def byte_symbols() -> list[str]:
    """The printable character that stands for each byte in vocab.json, by byte value: 256 of them.

    Bytes that print in Latin-1 stand for themselves; the other 68, in order, take U+0100 onwards.
    """
    printable = {*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)}
    others = [byte for byte in range(256) if byte not in printable]
    return [
        chr(byte) if byte in printable else chr(0x100 + others.index(byte)) for byte in range(256)
    ]


def write_byte_tokenizer(folder: Path) -> dict[str, int]:
    """Write vocab.json, merges.txt and tokenizer_config.json; returns the special tokens' ids.

    A byte's token id is its value; then come the merged words letter by letter, then the special
    tokens. The checkpoint's text vocabulary needs `max(ids.values()) + 1` rows.
    """
    ends = ((word, end) for word in MERGED_WORDS for end in range(2, len(word) + 1))
    return write_text_files(folder, [(word[: end - 1], word[end - 1]) for word, end in ends])


def write_text_files(folder: Path, merges: Iterable[tuple[str, str]]) -> dict[str, int]:
    """Write the tokenizer that these merges of byte symbols make; returns the special tokens' ids.

    A byte's id is its value, what is merged follows in order, then the special tokens.
    """
    merges = list(merges)
    vocab = {symbol: byte for byte, symbol in enumerate(byte_symbols())}
    for left, right in merges:
        vocab.setdefault(left + right, len(vocab))
    special = {content: len(vocab) + i for i, content in enumerate(SPECIAL_TOKENS)}
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in merges), ""]
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "vocab.json", json.dumps(vocab, ensure_ascii=False))
    _write(folder / "merges.txt", "\n".join(lines))
    _write(folder / "tokenizer_config.json", json.dumps(_tokenizer_config(special), indent=2))
    return special


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8", newline="\n")


def _tokenizer_config(special: dict[str, int]) -> dict[str, object]:
    flags = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False}
    added = {str(i): {"content": text, **flags, "special": True} for text, i in special.items()}
    return {
        "tokenizer_class": "Qwen2Tokenizer",
        "processor_class": "Qwen3TTSProcessor",
        "add_prefix_space": False,
        "added_tokens_decoder": added,
        "bos_token": None,
        "eos_token": "<|im_end|>",
        "pad_token": "<|endoftext|>",
        "unk_token": None,
        "errors": "replace",
        "split_special_tokens": False,
        "clean_up_tokenization_spaces": False,
        "model_max_length": 131072,
    }
