"""Dropout acts on a model in training alone, and leaves it as it was otherwise."""

from dataclasses import replace
from pathlib import Path

import torch

from qwen3_tts.train.batches import Draw
from qwen3_tts.train.dropout import add_dropout
from qwen3_tts.train.loss import talker_hidden
from qwen3_tts.train.options import TalkerOptions
from qwen3_tts.train.setup import set_up


def test_only_training_mode_drops(corpus: Path, tiny: TalkerOptions, tmp_path: Path) -> None:
    parts = set_up(corpus, tmp_path, replace(tiny, seed=3))
    model, batch = parts.model, parts.train.batch([Draw(0, True, True)])

    def hidden() -> torch.Tensor:
        with torch.no_grad():
            return talker_hidden(model, batch.text_ids, batch.codes)

    plain = hidden()
    add_dropout(model, 0.5)
    assert not torch.equal(hidden(), hidden())
    model.eval()
    assert torch.equal(hidden(), plain)
