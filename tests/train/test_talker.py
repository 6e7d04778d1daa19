"""Training itself: repeatable, can be stopped and resumed, and ends in a checkpoint that speaks."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import qwen3_tts
from qwen3_tts import Sampling
from qwen3_tts.errors import ModelNotFound, UnsupportedRequest
from qwen3_tts.train.options import TalkerOptions
from qwen3_tts.train.talker import main, parser, train
from tests.train.fake_corpus import write_corpus

LOSSES = ("total", "first", "others", "guide", "mass", "norm", "lr")


def lines(out: Path) -> list[dict[str, Any]]:
    """What a run logged, less what depends on the clock."""
    found = []
    for text in (out / "log.jsonl").read_text().splitlines():
        line = json.loads(text)
        found.append({k: line[k] for k in ("step", "held_out", *LOSSES) if k in line})
    return found


def test_the_same_seed_gives_the_same_run(
    corpus: Path, tiny: TalkerOptions, tmp_path: Path
) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        train(corpus, tmp_path / name, replace(tiny, seed=seed))
    assert lines(tmp_path / "a") == lines(tmp_path / "b")
    assert lines(tmp_path / "a") != lines(tmp_path / "c")


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no CUDA device")
def test_a_gpu_learns_what_a_cpu_learns(corpus: Path, tiny: TalkerOptions, tmp_path: Path) -> None:
    for device in ("cpu", "cuda"):
        train(corpus, tmp_path / device, replace(tiny, device=device, dropout=0.0))
    for one, other in zip(lines(tmp_path / "cpu"), lines(tmp_path / "cuda"), strict=True):
        if "total" in one:  # float32 sums in another order, grown over six steps
            assert one["total"] == pytest.approx(other["total"], abs=2e-3)


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a CUDA device")
def test_a_device_that_is_not_there_is_named(
    corpus: Path, tiny: TalkerOptions, tmp_path: Path
) -> None:
    with pytest.raises(UnsupportedRequest, match="'cuda' is not available"):
        train(corpus, tmp_path, replace(tiny, device="cuda"))


def test_a_resumed_run_is_the_uninterrupted_one(
    corpus: Path, tiny: TalkerOptions, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    expected = train(corpus, whole, tiny)

    class Stop(Exception):
        pass

    from qwen3_tts.train.trainer import Trainer

    original = Trainer.train_step

    def stopping(self: Trainer, progress: float) -> Any:
        if self.step == 4:
            raise Stop
        if self.step == 3:
            self.save()  # step 4 will be lost, as in a run that is killed between checkpoints
        return original(self, progress)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Trainer, "train_step", stopping)
        with pytest.raises(Stop):
            train(corpus, parts, tiny)
    resumed = train(corpus, parts, tiny, resume=True)
    assert resumed.step == expected.step == tiny.steps
    ours, theirs = resumed.average.state_dict(), expected.average.state_dict()
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert lines(parts) == lines(whole)


def test_two_utterances_are_learnt_by_heart(tmp_path: Path) -> None:
    """Greedy speech of the saved checkpoint is the corpus, frame by frame, and ends."""
    data, out = tmp_path / "data", tmp_path / "out"
    write_corpus(data, texts=2, held_out=1, words=(2, 3), seed=5)
    options = TalkerOptions(
        steps=150,
        positions=400,
        warmup=10,
        lr=1e-2,
        merges=4,
        hidden_size=48,
        num_hidden_layers=2,
        num_attention_heads=2,
        num_key_value_heads=1,
        head_dim=24,
        intermediate_size=96,
        predictor_hidden_size=32,
        predictor_layers=1,
        predictor_heads=2,
        predictor_head_dim=16,
        predictor_intermediate_size=64,
        guide_layer=1,
        precision="float32",
        near=0.0,
        far=0.0,
        cut=0.0,
        soft=0.0,
        dropout=0.0,
        predictor_share=1.0,
        shortest=1.0,
        ema=0.9,
    )
    trainer = train(data, out, options)
    greedy = Sampling(greedy=True, predictor_greedy=True, repetition_penalty=1.0)
    with qwen3_tts.load(out, device="cpu", dtype="float32") as tts:
        for utterance in trainer.parts.corpus.of("train"):
            frames = np.array(trainer.parts.corpus.frames(utterance), np.int64)
            for text_first in (False, True):
                speech = tts.synthesize(
                    utterance.text,
                    voice="rms",
                    language="english",
                    sampling=greedy,
                    text_first=text_first,
                )
                assert speech.finish_reason == "stop"
                np.testing.assert_array_equal(speech.codes, frames)


def test_clock_and_steps_end_a_run(corpus: Path, tiny: TalkerOptions, tmp_path: Path) -> None:
    trainer = train(corpus, tmp_path, replace(tiny, minutes=0.01, steps=10**9))
    assert trainer.elapsed_s >= 0.6
    assert trainer.step >= 1


def test_the_command_line_takes_every_option(
    corpus: Path, tiny: TalkerOptions, tmp_path: Path
) -> None:
    words = ["--data", str(corpus), "--out", str(tmp_path), "--speaker", "SLT=0"]
    for name, value in vars(tiny).items():
        words += [f"--{name.replace('_', '-')}", str(value)]
    assert main(words) == 0
    assert (tmp_path / "model.safetensors").is_file()
    assert parser().parse_args(words).speaker == ["SLT=0"]


def test_resuming_nothing_says_so(corpus: Path, tiny: TalkerOptions, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound, match=r"start without --resume"):
        train(corpus, tmp_path, tiny, resume=True)
