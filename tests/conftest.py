"""Tiny random checkpoints of every kind, each written and loaded once for the whole run."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import settings

import qwen3_tts
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.prompt.byte_vocab import write_byte_tokenizer
from qwen3_tts.types import Voice
from qwen3_tts.weights.published import Kind
from qwen3_tts.weights.random import write_random_checkpoint

# One thread: the matrices are tiny, and sums then never depend on how many cores there are.
torch.set_num_threads(1)
# Repeatable everywhere: the same examples in every run, no clock, nothing kept on disk.
settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
settings.load_profile("repeatable")

WriteCheckpoint = Callable[..., Path]
OpenModel = Callable[..., Qwen3Synthesizer]


def write_checkpoint(folder: Path, kind: Kind, *, wide: bool, seed: int = 7) -> Path:
    """A checkpoint folder with every file that the package reads."""
    special = write_byte_tokenizer(folder)
    write_random_checkpoint(folder, kind, seed=seed, wide=wide, special_ids=special)
    return folder


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> WriteCheckpoint:
    """`checkpoint(kind, wide=False)` is a folder; it is shared, so copy it before a change.

    Narrow ones are like 0.6B (talker as wide as the predictor), wide ones like 1.7B.
    """

    @cache
    def folder(kind: Kind, wide: bool = False) -> Path:
        name = f"{kind}-{'1b7' if wide else '0b6'}"
        return write_checkpoint(tmp_path_factory.mktemp("models") / name, kind, wide=wide)

    return folder


@pytest.fixture(scope="session")
def model(checkpoint: WriteCheckpoint) -> OpenModel:
    """`model(kind, wide=False, dtype="float32")` is a loaded synthesizer, on the CPU."""

    @cache
    def open_model(kind: Kind, wide: bool = False, dtype: str = "float32") -> Qwen3Synthesizer:
        return qwen3_tts.load(checkpoint(kind, wide), device="cpu", dtype=dtype)

    return open_model


@pytest.fixture(scope="session")
def base(model: OpenModel) -> Qwen3Synthesizer:
    return model("base")


@pytest.fixture(scope="session")
def preset(model: OpenModel) -> Qwen3Synthesizer:
    """A CustomVoice checkpoint like 1.7B: presets, dialects and instructions."""
    return model("custom_voice", wide=True)


@pytest.fixture(scope="session")
def design(model: OpenModel) -> Qwen3Synthesizer:
    return model("voice_design", wide=True)


@pytest.fixture(scope="session")
def recording() -> tuple[np.ndarray, int]:
    """Half a second of a swept tone in a little noise, 24 kHz."""
    time_s = np.arange(12_000) / 24_000
    noise = np.random.default_rng(5).normal(0, 0.01, len(time_s))
    wave = 0.4 * np.sin(2 * np.pi * (180 + 300 * time_s) * time_s) + noise
    return wave.astype(np.float32), 24_000


@pytest.fixture(scope="session")
def icl_voice(base: Qwen3Synthesizer, recording: tuple[np.ndarray, int]) -> Voice:
    """An in-context voice of the narrow base checkpoint, 7 frames."""
    return base.clone_voice(recording, text="A short word.", name="tone")


@pytest.fixture(scope="session")
def x_voice(base: Qwen3Synthesizer, recording: tuple[np.ndarray, int]) -> Voice:
    """The same speaker as a vector alone."""
    return base.clone_voice(recording, mode="x_vector", name="tone")
