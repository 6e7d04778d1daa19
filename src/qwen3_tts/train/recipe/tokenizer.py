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

from qwen3_tts.prompt.byte_vocab import MERGED_WORDS, byte_symbols, write_text_files
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
    return write_text_files(folder, merges)


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
