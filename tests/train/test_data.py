"""Reading a corpus, and putting its utterances into batches."""

import json
import math
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qwen3_tts.errors import InvalidConfig, ModelNotFound
from qwen3_tts.train.batches import Sampler
from qwen3_tts.train.data import Corpus
from qwen3_tts.train.options import TalkerOptions
from qwen3_tts.train.setup import set_up
from qwen3_tts.train.talker import train


def test_utterances_and_codes_belong_together(corpus: Path) -> None:
    found = Corpus.open(corpus)
    assert (len(found.of("train")), len(found.of("held_out"))) == (12, 4)
    assert found.speakers() == ["rms", "slt"]  # in lower case, as serving looks them up
    last = found.utterances[-1]
    assert len(found.frames(last)) == last.frames
    assert last.first + last.frames == len(found.codes)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"start": 10}, "whole frames"),
        ({"samples": 1920 * 10**6}, "whole frames"),
        ({"split": "test"}, "split"),
    ],
)
def test_a_broken_line_is_named(
    corpus: Path, tmp_path: Path, change: dict[str, Any], message: str
) -> None:
    folder = shutil.copytree(corpus, tmp_path / "corpus")
    lines = (folder / "utterances.jsonl").read_text().splitlines()
    lines[1] = json.dumps({**json.loads(lines[1]), **change})
    (folder / "utterances.jsonl").write_text("\n".join(lines))
    with pytest.raises(InvalidConfig, match=rf"line 2: .*{message}"):
        Corpus.open(folder)


def test_words_without_times_are_learnt_from_without_guidance(
    corpus: Path, tiny: TalkerOptions, tmp_path: Path
) -> None:
    folder = shutil.copytree(corpus, tmp_path / "corpus")
    lines = [json.loads(line) for line in (folder / "utterances.jsonl").read_text().splitlines()]
    texts = "\n".join(json.dumps({**line, "words": []}) for line in lines)
    (folder / "utterances.jsonl").write_text(texts)
    trainer = train(folder, tmp_path / "out", replace(tiny, steps=2, log_every=1))
    logged = [json.loads(line) for line in trainer.journal.path.read_text().splitlines()]
    steps = [line for line in logged if "guide" in line]
    assert [line["guide"] for line in steps] == [0, 0]
    assert all(math.isfinite(line["total"]) for line in steps)


def test_missing_and_foreign_codes_are_refused(
    corpus: Path, tiny: TalkerOptions, tmp_path: Path
) -> None:
    folder = shutil.copytree(corpus, tmp_path / "corpus")
    codes = np.load(folder / "codes.npy")
    np.save(folder / "codes.npy", codes + 1)  # the silence of the corpus is the last entry
    with pytest.raises(InvalidConfig, match=r"codes 1\.\.64; the codec has 0\.\.63"):
        set_up(folder, tmp_path / "out", tiny)
    np.save(folder / "codes.npy", codes[:, :3])
    with pytest.raises(InvalidConfig, match="3 codes a frame, the codec 4"):
        set_up(folder, tmp_path / "out", tiny)
    (folder / "codes.npy").unlink()
    with pytest.raises(ModelNotFound, match=r"no codes\.npy"):
        Corpus.open(folder)


def test_batches_keep_to_their_budget(corpus: Path, tiny: TalkerOptions, tmp_path: Path) -> None:
    parts = set_up(corpus, tmp_path, tiny)
    weights = {"slt": 0.0}
    sampler = Sampler(parts.train, positions=200, seed=0, speaker_weights=weights)
    seen, orders = set(), set()
    for _ in range(20):
        sampler.next(1.0)
        for batch in sampler.waiting:
            assert len(batch) * max(parts.train.length(draw) for draw in batch) <= 200
            seen |= {parts.train.items[draw.item].utterance.speaker for draw in batch}
            orders |= {(draw.text_first, draw.named_language) for draw in batch}
    assert seen == {"rms"}
    assert len(orders) == 4


def test_a_curriculum_starts_with_the_shortest(
    corpus: Path, tiny: TalkerOptions, tmp_path: Path
) -> None:
    parts = set_up(corpus, tmp_path, tiny)
    sampler = Sampler(parts.train, positions=200, seed=0)
    sampler.next(0.25)
    drawn = {draw.item for batch in sampler.waiting for draw in batch}
    frames = [item.utterance.frames for item in parts.train.items]
    assert drawn <= set(np.argsort(frames, kind="stable")[:3].tolist())
