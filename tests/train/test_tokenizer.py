"""The trained text tokenizer opens like the published one."""

from pathlib import Path

import numpy as np

from qwen3_tts.prompt.incremental import IncrementalTokenizer
from qwen3_tts.prompt.tokenizer import TextTokenizer
from qwen3_tts.train.recipe.tokenizer import train_tokenizer

TEXTS = ["The assistant is there, and the other one too.", "This thing is theirs: 27 users!"] * 5


def test_units_are_short_and_text_survives(tmp_path: Path) -> None:
    special = train_tokenizer(TEXTS, tmp_path, num_merges=30, longest=4)
    tokenizer = TextTokenizer.from_folder(tmp_path)
    for text in (*TEXTS, "assistant user", " naïve 漢字 <|im_end|>"):
        ids = tokenizer.encode(text)
        assert tokenizer.decode(ids) == text
        assert max(ids) < min(special.values())
    pieces = [tokenizer.decode([i]) for i in tokenizer.encode(TEXTS[0])]
    assert max(len(piece) for piece in pieces) <= 4 + len(
        "nt"
    )  # " ass" may grow at the template's word
    assert len(pieces) < 0.8 * len(TEXTS[0])


def test_the_words_of_the_templates_are_single_tokens(tmp_path: Path) -> None:
    special = train_tokenizer(TEXTS, tmp_path, num_merges=30)
    tokenizer = TextTokenizer.from_folder(tmp_path)
    assert tokenizer.role_ids()[0] == special["<|im_start|>"]
    assert len(tokenizer.role_ids()) == 3
    assert len(tokenizer.instruction("")) == 5


def test_fed_in_pieces_it_gives_the_same_ids(tmp_path: Path) -> None:
    train_tokenizer(TEXTS, tmp_path, num_merges=30)
    tokenizer = TextTokenizer.from_folder(tmp_path)
    random = np.random.default_rng(0)
    for text in TEXTS[:2]:
        stream, ids, at = IncrementalTokenizer(tokenizer), [], 0
        while at < len(text):
            size = int(random.integers(1, 4))
            ids += stream.feed(text[at : at + size])
            at += size
        assert [*ids, *stream.end()] == tokenizer.encode(text)
