"""Checkpoints that are missing, broken or unfit, through the public face."""

import json
import struct
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import qwen3_tts
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.errors import (
    InvalidConfig,
    InvalidText,
    InvalidWeights,
    ModelNotFound,
    UnsupportedRequest,
)
from tests.refusal import refused


@pytest.fixture
def copy(checkpoint: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """A checkpoint folder of links to the shared one; a file may be unlinked and written anew."""

    def make(kind: str = "custom_voice") -> Path:
        source, folder = checkpoint(kind), tmp_path / kind
        for path in sorted(source.rglob("*")):
            if path.is_file():
                target = folder / path.relative_to(source)
                target.parent.mkdir(parents=True, exist_ok=True)
                target.symlink_to(path)
        return folder

    return make


def load(folder: Path) -> Qwen3Synthesizer:
    return qwen3_tts.load(folder, device="cpu")


def rewrite(path: Path, content: bytes) -> None:
    path.unlink()
    path.write_bytes(content)


def test_the_copy_is_a_good_checkpoint(copy: Callable[..., Path]) -> None:
    assert load(copy()).kind == "custom_voice"


@pytest.mark.parametrize("name", ["nowhere", "./some/where", "/no/such/folder"])
def test_a_missing_folder(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for opened in (qwen3_tts.load, qwen3_tts.load_codec):
        with refused(ModelNotFound, f"`{name}`", "folder that exists", "hub id"):
            opened(name)


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "generation_config.json",
        "vocab.json",
        "merges.txt",
        "tokenizer_config.json",
        "model.safetensors",
        "speech_tokenizer/config.json",
        "speech_tokenizer/model.safetensors",
    ],
)
def test_a_missing_file_is_named(copy: Callable[..., Path], name: str) -> None:
    folder = copy()
    (folder / name).unlink()
    with refused(ModelNotFound, Path(name).name, str((folder / name).parent)):
        load(folder)


@pytest.mark.parametrize("name", ["config.json", "generation_config.json", "vocab.json"])
def test_a_file_that_is_not_json_is_named(copy: Callable[..., Path], name: str) -> None:
    folder = copy()
    rewrite(folder / name, (folder / name).read_bytes()[:100])
    with refused(InvalidConfig, name):
        load(folder)


def test_an_unknown_kind_of_checkpoint(copy: Callable[..., Path]) -> None:
    folder = copy()
    config = json.loads((folder / "config.json").read_text())
    rewrite(folder / "config.json", json.dumps(config | {"tts_model_type": "singing"}).encode())
    with refused(InvalidConfig, "'singing'", "base", "custom_voice", "voice_design"):
        load(folder)


@pytest.mark.parametrize("part", ["model.safetensors", "speech_tokenizer/model.safetensors"])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 0.999])
def test_truncated_weights(copy: Callable[..., Path], part: str, share: float) -> None:
    folder = copy()
    content = (folder / part).read_bytes()
    rewrite(folder / part, content[: int(share * len(content))])
    with refused(InvalidWeights, str(folder / part), f"{int(share * len(content))} bytes"):
        load(folder)


def test_weights_that_are_no_safetensors(copy: Callable[..., Path]) -> None:
    folder = copy()
    rewrite(folder / "model.safetensors", struct.pack("<Q", 2**40) + b"{}" * 50)
    with refused(InvalidWeights, "model.safetensors", "no safetensors file"):
        load(folder)


Change = Callable[[dict[str, torch.Tensor]], object]
NORM = "talker.model.norm.weight"


@pytest.mark.parametrize(
    ("change", "parts"),
    [
        (lambda w: w.pop(NORM), ("1 missing", NORM)),
        (lambda w: w.update(extra=torch.zeros(2)), ("1 unexpected", "extra")),
        (lambda w: w.update({NORM: torch.zeros(65)}), ("mis-shaped", NORM, "[65]", "[64]")),
        (lambda w: w.update({NORM: torch.zeros(64).long()}), ("type", "F32", f"{NORM} is I64")),
        (lambda w: w[NORM].fill_(torch.nan), ("NaN", NORM)),
        (lambda w: w[NORM][3:4].fill_(-torch.inf), ("infinity", NORM)),
    ],
)
def test_weights_that_do_not_fit(
    copy: Callable[..., Path], change: Change, parts: tuple[str, ...]
) -> None:
    folder = copy()
    weights = load_file(folder / "model.safetensors")
    change(weights)
    (folder / "model.safetensors").unlink()
    save_file(weights, folder / "model.safetensors")
    with refused(InvalidWeights, str(folder), *parts):
        load(folder)


def test_a_nan_in_the_codec(copy: Callable[..., Path]) -> None:
    folder = copy()
    path, name = folder / "speech_tokenizer" / "model.safetensors", "decoder.decoder.6.conv.bias"
    weights = load_file(path)
    weights[name][0] = torch.nan
    path.unlink()
    save_file(weights, path)
    with refused(InvalidWeights, "speech_tokenizer", "NaN", name):
        load(folder)
    with refused(InvalidWeights, "speech_tokenizer", "NaN", name):
        qwen3_tts.load_codec(folder, device="cpu")


def test_an_unknown_device_or_format(checkpoint: Callable[..., Path]) -> None:
    with refused(UnsupportedRequest, "'tpu9'", "auto, cpu, cuda"):
        qwen3_tts.load(checkpoint("base"), device="tpu9")
    with refused(UnsupportedRequest, "'float16'", "auto, float32, bfloat16"):
        qwen3_tts.load(checkpoint("base"), device="cpu", dtype="float16")


def test_text_beyond_the_positions(copy: Callable[..., Path]) -> None:
    folder = copy()
    config = json.loads((folder / "config.json").read_text())
    config["talker_config"]["max_position_embeddings"] = 40
    rewrite(folder / "config.json", json.dumps(config).encode())
    short = load(folder)
    assert short.synthesize("Short.", max_frames=2).codes.shape == (2, 16)
    for text_first in (True, False):
        with refused(InvalidText, "100 characters", "too long", "of 40 positions", "split it"):
            short.synthesize("x" * 100, text_first=text_first)
