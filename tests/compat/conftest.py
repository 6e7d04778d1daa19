"""The compat classes over the shared tiny checkpoints, and the codes behind their waves."""

import json
import os
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.compat import Qwen3TTSModel, Qwen3TTSTokenizer
from qwen3_tts.types import Speech, SpeechRequest
from tests.conftest import OpenModel, WriteCheckpoint

Speaks = Callable[..., list[Speech]]
Official = Callable[[str, list[dict[str, Any]] | None, Path], None]


def same(ours: list[Speech], theirs: list[Speech]) -> bool:
    return len(ours) == len(theirs) and all(
        np.array_equal(a.codes, b.codes)
        and a.wave.shape == b.wave.shape
        and np.abs(a.wave - b.wave).max() <= 1e-5  # a batch is decoded in another shape: float32
        for a, b in zip(ours, theirs, strict=True)
    )


def wrapped(synthesizer: Qwen3Synthesizer) -> Qwen3TTSModel:
    """As `from_pretrained` makes it, with defaults that stop a random model early."""
    planner = synthesizer.engine.planner
    defaults = planner.generation.to_json() | {"max_new_tokens": 7}
    return Qwen3TTSModel(synthesizer, planner.tokenizer, defaults)


@pytest.fixture
def custom(preset: Qwen3Synthesizer) -> Qwen3TTSModel:
    return wrapped(preset)


@pytest.fixture
def small_custom(model: OpenModel) -> Qwen3TTSModel:
    """A CustomVoice checkpoint like 0.6B."""
    return wrapped(model("custom_voice"))


@pytest.fixture
def designer(design: Qwen3Synthesizer) -> Qwen3TTSModel:
    return wrapped(design)


@pytest.fixture
def cloner(base: Qwen3Synthesizer) -> Qwen3TTSModel:
    return wrapped(base)


@pytest.fixture(scope="session")
def tokenizer(checkpoint: WriteCheckpoint) -> Qwen3TTSTokenizer:
    return Qwen3TTSTokenizer.from_pretrained(str(checkpoint("base") / "speech_tokenizer"))


@pytest.fixture
def speeches(monkeypatch: pytest.MonkeyPatch) -> Speaks:
    """`speeches(model, method, ...)` calls a method and gives what was spoken, codes and all."""

    def call(model: Qwen3TTSModel, method: str, *args: Any, **kwargs: Any) -> list[Speech]:
        spoken: list[Speech] = []
        synthesize = model.model.synthesize_batch

        def watched(requests: Sequence[SpeechRequest]) -> list[Speech]:
            spoken.extend(synthesize(requests))
            return spoken

        with monkeypatch.context() as patch:
            patch.setattr(model.model, "synthesize_batch", watched)
            waves, rate = getattr(model, method)(*args, **kwargs)
        assert rate == 24_000
        assert [id(wave) for wave in waves] == [id(speech.wave) for speech in spoken]
        return spoken

    return call


@pytest.fixture(scope="session")
def official() -> Official:
    """`official(command, cases, out)` runs official.py under the Python of QWEN3_TTS_ORACLE."""
    python = os.environ.get("QWEN3_TTS_ORACLE")
    if not python:
        pytest.skip("QWEN3_TTS_ORACLE is not set: the official package's Python")

    def run(command: str, cases: list[dict[str, Any]] | None, out: Path) -> None:
        paths = [str(out)]
        if cases is not None:
            listed = out.with_suffix(".cases.json")
            listed.write_text(json.dumps(cases))
            paths.insert(0, str(listed))
        script = Path(__file__).with_name("official.py")
        ran = subprocess.run(
            [python, str(script), command, *paths], capture_output=True, text=True, check=False
        )
        assert ran.returncode == 0, ran.stderr

    return run
