"""The engine that settings name is the one that is opened."""

from typing import Any

import numpy as np
import pytest

import qwen3_tts
from qwen3_tts.backends import registry
from qwen3_tts.server.settings import load_settings
from qwen3_tts.server.speaking.opening import open_engine
from tests.conftest import WriteCheckpoint


def test_settings_are_passed_on(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: dict[str, Any] = {}

    def opened(model: str, **options: Any) -> None:
        seen.update(options, model=model)

    monkeypatch.setattr(registry, "open_engine", opened)
    asked = {
        "model": "some/model",
        "device": "cpu",
        "dtype": "bfloat16",
        "quantize": "int4",
        "revision": "v1",
        "offline": True,
        "max_rows": 3,
        "max_queue": 5,
    }
    open_engine(load_settings(**asked, start_text_timeout_s=7))
    assert seen == {**asked, "text_timeout_s": 7}


@pytest.mark.parametrize("quantize", ["none", "int8"])
def test_weights_are_rounded_as_asked(checkpoint: WriteCheckpoint, quantize: str) -> None:
    folder = checkpoint("custom_voice", wide=True)
    settings = load_settings(model=str(folder), device="cpu", quantize=quantize)
    said = {"max_frames": 3, "seed": 2}
    with qwen3_tts.load(folder, device="cpu", quantize=quantize) as expected:
        codes = expected.synthesize("Hello.", **said).codes
    engine = open_engine(settings)
    assert np.array_equal(engine.synthesize("Hello.", **said).codes, codes)
    engine.close()
