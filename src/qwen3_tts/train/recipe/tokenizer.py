"""A small text tokenizer in the published layout, trained on the texts of a corpus.

Few merges keep the units short, about two characters, so that text comes in at nearly the rate at
which it is spoken: a model of a few million parameters then learns quickly which unit belongs to
which frame.
"""

import json
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path

from tokenizers import Regex, Tokenizer, normalizers, pre_tokenizers
from tokenizers.models import BPE
from tokenizers.trainers import BpeTrainer

from qwen3_tts.prompt.byte_vocab import MERGED_WORDS, SPECIAL_TOKENS, byte_symbols
from qwen3_tts.prompt.tokenizer import SPLIT_PATTERN

Merge = tuple[str, str]


def train_tokenizer(
    texts: Iterable[str], folder: Path, *, num_merges: int = 160, longest: int = 4
) -> dict[str, int]:
    """Write vocab.json, merges.txt and tokenizer_config.json; returns the special tokens' ids.

    A byte's id is its value, merges follow in order, then the special tokens. No unit is longer
    than `longest` bytes, its leading space included, except the two words that the published chat
    templates need as single tokens.
    """
    merges = _learn(texts, num_merges, longest)
    for word in MERGED_WORDS:
        merges += _join(word, merges)
    vocab = {symbol: byte for byte, symbol in enumerate(byte_symbols())}
    for left, right in merges:
        vocab.setdefault(left + right, len(vocab))
    special = {content: len(vocab) + i for i, content in enumerate(SPECIAL_TOKENS)}
    folder.mkdir(parents=True, exist_ok=True)
    _write(folder / "vocab.json", json.dumps(vocab, ensure_ascii=False))
    lines = ["#version: 0.2", *(f"{left} {right}" for left, right in merges), ""]
    _write(folder / "merges.txt", "\n".join(lines))
    _write(folder / "tokenizer_config.json", json.dumps(_tokenizer_config(special), indent=2))
    return special


def _learn(texts: Iterable[str], num_merges: int, longest: int) -> list[Merge]:
    """The most frequent merges inside the pre-tokens that the Qwen tokenizer cuts."""
    tokenizer = Tokenizer(BPE())
    tokenizer.normalizer = normalizers.NFC()
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(SPLIT_PATTERN), behavior="isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    trainer = BpeTrainer(
        vocab_size=256 + num_merges,
        initial_alphabet=byte_symbols(),
        max_token_length=longest,
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    merges = json.loads(tokenizer.to_str())["model"]["merges"]
    return [(left, right) for left, right in merges]


def _join(word: str, merges: list[Merge]) -> list[Merge]:
    """Merges of the lowest rank that make one token of what `merges` leave of a word."""
    ranks = {merge: rank for rank, merge in reversed(list(enumerate(merges)))}
    parts = list(word)
    while pairs := [pair for pair in pairwise(parts) if pair in ranks]:
        best = min(pairs, key=ranks.__getitem__)
        at = next(i for i in range(len(parts)) if (parts[i], parts[i + 1]) == best)
        parts[at : at + 2] = ["".join(best)]
    return [("".join(parts[:i]), parts[i]) for i in range(1, len(parts))]


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
