"""The official package and this one, side by side: same checkpoint, same call, same manual seed.

The codes must be equal. The waves come out of float32 sums taken in another order: measured against
this package's decoder in float64, each side is off by up to 4e-5 (3e-6 root mean square) where the
wave peaks at 0.3. The tolerance is five times that; one wrong code is off by over 1e-2.
"""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from qwen3_tts.compat import Qwen3TTSModel, Qwen3TTSTokenizer
from tests.compat.conftest import Official, Speaks
from tests.conftest import WriteCheckpoint

pytestmark = pytest.mark.oracle

ATOL = 2e-4
FRAME = 1920  # samples
REF_FRAMES = 7  # half a second
Case = dict[str, Any]
# Lower-case words with single spaces: the official package, loading from a folder, splits texts
# with another family's rule, which agrees on these.
TEXT = "the quick brown fox jumps over the lazy dog"
MODELS = {
    "generate_custom_voice": ("custom_voice", True),
    "generate_voice_design": ("voice_design", True),
    "generate_voice_clone": ("base", False),
}
CLONE = {"language": "english", "max_new_tokens": 12}
ICL = {**CLONE, "ref_text": "a short word"}
CALLS: dict[str, tuple[str, Case]] = {
    "preset": ("generate_custom_voice", {"speaker": "Ryan", "language": "English"}),
    "preset, instruct": ("generate_custom_voice", {"speaker": "serena", "instruct": "very calm"}),
    "preset, dialect": ("generate_custom_voice", {"speaker": "eric"}),
    "preset, one token a frame": (
        "generate_custom_voice",
        {"speaker": "ryan", "non_streaming_mode": False},
    ),
    "no preset": ("generate_custom_voice", {"speaker": "", "language": "german"}),
    "preset, all options": (
        "generate_custom_voice",
        {
            "speaker": "ryan",
            "top_k": 20,
            "top_p": 0.9,
            "temperature": 0.7,
            "repetition_penalty": 1.3,
            "subtalker_top_k": 30,
            "subtalker_top_p": 0.8,
            "subtalker_temperature": 1.2,
        },
    ),
    "preset, greedy": (
        "generate_custom_voice",
        {"speaker": "ryan", "do_sample": False, "subtalker_dosample": False},
    ),
    "preset, greedy talker": ("generate_custom_voice", {"speaker": "ryan", "do_sample": False}),
    "design": ("generate_voice_design", {"instruct": "an old man", "language": "french"}),
    "design, undescribed": ("generate_voice_design", {"instruct": ""}),
    "x-vector": ("generate_voice_clone", {**CLONE, "x_vector_only_mode": True}),
    "in context": ("generate_voice_clone", ICL),
    "in context, 48 frames": ("generate_voice_clone", {**ICL, "max_new_tokens": 49}),
    "in context, text first": ("generate_voice_clone", {**ICL, "non_streaming_mode": True}),
}


@pytest.fixture(scope="module")
def cases(
    checkpoint: WriteCheckpoint,
    recording: tuple[np.ndarray, int],
    tmp_path_factory: pytest.TempPathFactory,
) -> list[Case]:
    """Cases as official.py reads them."""
    npy = tmp_path_factory.mktemp("official") / "ref.npy"
    np.save(npy, recording[0])
    heard = {"npy": str(npy), "rate": recording[1]}
    listed = []
    for seed, (name, (method, arguments)) in enumerate(CALLS.items()):
        kind, wide = MODELS[method]
        full = {"text": TEXT, "max_new_tokens": 10, **arguments}
        if kind == "base":
            full["ref_audio"] = heard
        folder = str(checkpoint(kind, wide))
        listed.append(
            {"name": name, "folder": folder, "method": method, "arguments": full, "seed": seed}
        )
    codec = {"name": "tokenizer", "folder": str(checkpoint("base")), "method": "tokenizer"}
    return [*listed, {**codec, "arguments": heard}]


@pytest.fixture(scope="module")
def made(
    official: Official, cases: list[Case], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, np.ndarray]:
    """What the official package makes of all cases, in one process."""
    out = tmp_path_factory.mktemp("official") / "made.npz"
    official("speak", cases, out)
    with np.load(out) as arrays:
        return dict(arrays)


@pytest.mark.parametrize("name", CALLS)
def test_same_seed_same_speech(
    name: str, made: dict[str, np.ndarray], cases: list[Case], speeches: Speaks
) -> None:
    (case,) = [case for case in cases if case["name"] == name]
    model = Qwen3TTSModel.from_pretrained(case["folder"], dtype=torch.float32)
    arguments = dict(case["arguments"])
    reference = arguments.get("ref_audio")
    if reference:
        arguments["ref_audio"] = (np.load(reference["npy"]), reference["rate"])
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(case["seed"])
        (speech,) = speeches(model, case["method"], **arguments)
    assert np.array_equal(speech.codes, made[f"{name}/codes"])
    assert len(speech.codes) > 1
    theirs = made[f"{name}/wave"]
    extra = official_cut_error(len(speech.codes)) if name.startswith("in context") else 0
    assert len(theirs) - len(speech.wave) == extra
    assert np.abs(theirs).max() > 1e-2
    np.testing.assert_allclose(speech.wave, theirs[extra:], rtol=0, atol=ATOL)


def official_cut_error(frames: int) -> int:
    """Samples of the reference that the official cut leaves, by its rule in floating point."""
    total = REF_FRAMES + frames
    return REF_FRAMES * FRAME - int(REF_FRAMES / total * (total * FRAME))


def test_the_cases_meet_both_kinds_of_official_cut() -> None:
    assert (official_cut_error(11), official_cut_error(48)) == (0, 1)


def test_tokenizer(made: dict[str, np.ndarray], cases: list[Case]) -> None:
    (case,) = [case for case in cases if case["name"] == "tokenizer"]
    codec = Qwen3TTSTokenizer.from_pretrained(str(Path(case["folder"]) / "speech_tokenizer"))
    encoded = codec.encode(np.load(case["arguments"]["npy"]), sr=case["arguments"]["rate"])
    assert np.array_equal(encoded.audio_codes[0].numpy(), made["tokenizer/codes"])
    (wave,), _ = codec.decode(encoded)
    np.testing.assert_allclose(wave, made["tokenizer/wave"], rtol=0, atol=ATOL)
