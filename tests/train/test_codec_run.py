"""Runs of codec training: repeatable when counted in steps, and resumed as if never stopped."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from qwen3_tts.engine.codec import Codec
from qwen3_tts.errors import ModelNotFound
from qwen3_tts.train import codec_run
from qwen3_tts.train.books import encode_corpus
from qwen3_tts.train.codec_run import (
    CodecOptions,
    learning_rate,
    train_half,
    trained,
    untrained,
    write_untrained,
)
from qwen3_tts.train.recipe.corpus import FRAME
from qwen3_tts.weights.load import load_codec
from tests.refusal import refused
from tests.train.test_books import SMALL, write_sound

OPTIONS = CodecOptions(minutes=0, rows=1, frames=3, steps=4)


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("sound")
    write_sound(folder)
    encode_corpus(folder, **SMALL, seed=0)
    return folder


def same(one: dict[str, Tensor], two: dict[str, Tensor]) -> bool:
    return one.keys() == two.keys() and all(torch.equal(one[name], two[name]) for name in one)


def weights(out: Path, half: str) -> dict[str, Tensor]:
    found: dict[str, Tensor] = torch.load(out / f"{half}.pt", weights_only=True)
    return found


class Stopped(Exception):
    pass


@pytest.mark.parametrize("half", codec_run.HALVES)
def test_a_resumed_run_is_the_uninterrupted_one(sound: Path, tmp_path: Path, half: str) -> None:
    """Bit for bit, as the steps decide the learning rate; by the clock, no two runs are alike."""
    train_half(sound, tmp_path / "whole", half, OPTIONS)
    original = codec_run._follow

    def stopping(average: torch.nn.Module, module: torch.nn.Module, step: int) -> None:
        if step == 3:
            raise Stopped  # the step before was the last to be saved
        original(average, module, step)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(codec_run, "SAVE_S", 0)
        patch.setattr(codec_run, "_follow", stopping)
        with pytest.raises(Stopped):
            train_half(sound, tmp_path / "parts", half, OPTIONS)
    stopped = weights(tmp_path / "parts", half)
    train_half(sound, tmp_path / "parts", half, OPTIONS)
    resumed = weights(tmp_path / "parts", half)
    assert same(resumed, weights(tmp_path / "whole", half))
    assert not same(resumed, stopped)


def test_both_halves_make_a_codec(
    sound: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(codec_run, "LOG_STEPS", 1)
    with refused(ModelNotFound, "no decoder.pt in", "train the decoder first"):
        trained(sound, tmp_path)
    options = CodecOptions(minutes=1e-4, rows=1, frames=3)  # by the clock: 6 ms, one step
    train_half(sound, tmp_path, "decoder", options)
    with refused(ModelNotFound, "no encoder.pt in", "train the encoder first"):
        trained(sound, tmp_path)
    train_half(sound, tmp_path, "encoder", options)
    codec = trained(sound, tmp_path)
    raw, books = untrained(sound)
    for half in codec_run.HALVES:
        line = json.loads((tmp_path / f"{half}.jsonl").read_text())
        assert line["step"] == 1
        assert same(getattr(codec, half).state_dict(), weights(tmp_path, half))
        changed = getattr(codec, half).state_dict()
        fixed = [name for name in changed if "codebooks" in name and "embedding_sum" in name]
        assert len(fixed) == len(books.entries)
        assert all(torch.equal(changed[n], getattr(raw, half).state_dict()[n]) for n in fixed)
    codes = Codec(codec.eval()).encode((np.zeros(2 * FRAME, np.float32), 24_000))
    assert codes.shape == (2, SMALL["books"])
    # a second call finds its time spent
    before = (tmp_path / "encoder.jsonl").read_text()
    train_half(sound, tmp_path, "encoder", options)
    assert (tmp_path / "encoder.jsonl").read_text() == before


def test_the_untrained_codec_tells_what_codes_are(sound: Path) -> None:
    write_untrained(sound, seed=0)
    first = load_codec(sound / "codec", device=torch.device("cpu")).state_dict()
    write_untrained(sound, seed=0)
    assert same(load_codec(sound / "codec", device=torch.device("cpu")).state_dict(), first)


def test_no_books(tmp_path: Path) -> None:
    with refused(ModelNotFound, "no books.pt in"):
        train_half(tmp_path, tmp_path / "out", "decoder", OPTIONS)
    assert not (tmp_path / "out").exists()


def test_the_rate_rises_then_falls_to_a_hundredth() -> None:
    rates = [learning_rate(1.0, step / 1000, step) for step in range(1001)]
    top = int(np.argmax(rates))
    assert top == 99
    assert rates[0] == pytest.approx(0.01, rel=0.01)
    assert rates[-1] == pytest.approx(0.01)
    assert np.all(np.diff(rates[top:]) < 0)
