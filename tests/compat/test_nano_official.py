"""The nano checkpoint in the official package: it opens there, and says the same.

Texts are lower-case words: the official package, loading from a folder, splits texts with another
family's rule, which agrees on these.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

import qwen3_tts
from tests.compat.conftest import Official

pytestmark = pytest.mark.oracle

# The waves are float32 sums of another order; one wrong code is off by over 1e-2.
ATOL = 2e-4
GREEDY = {"do_sample": False, "subtalker_dosample": False, "repetition_penalty": 1.0}
LINES = [
    ("rms", "the weather is lovely today", True),
    ("slt", "please call me back at half past seven", True),
    ("awb", "could you turn the music down a little", False),
]


def test_greedy_codes_are_those_of_the_official_package(official: Official, tmp_path: Path) -> None:
    folder = Path(qwen3_tts.__file__).parent / "nano"
    cases: list[dict[str, Any]] = [
        {
            "name": speaker,
            "folder": str(folder),
            "method": "generate_custom_voice",
            "arguments": {
                "text": text,
                "speaker": speaker,
                "language": "English",
                "non_streaming_mode": text_first,
                "max_new_tokens": 120,
                **GREEDY,
            },
            "seed": 0,
        }
        for speaker, text, text_first in LINES
    ]
    official("speak", cases, tmp_path / "made.npz")
    made = np.load(tmp_path / "made.npz")
    tts = qwen3_tts.load("nano")
    sampling = qwen3_tts.Sampling(greedy=True, predictor_greedy=True, repetition_penalty=1.0)
    for speaker, text, text_first in LINES:
        ours = tts.synthesize(
            text, voice=speaker, language="English", text_first=text_first, sampling=sampling
        )
        assert ours.finish_reason == "stop"
        assert np.array_equal(ours.codes, made[f"{speaker}/codes"])
        np.testing.assert_allclose(ours.wave, made[f"{speaker}/wave"], rtol=0, atol=ATOL)
