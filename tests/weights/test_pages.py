"""Pages of weight files that were read once go; what they hold stays readable."""

import sys
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

from qwen3_tts.weights.pages import release_pages

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="madvise of Linux")
SIZE = 4 << 20  # floats: 16 MiB


def mapped(folder: Path, name: str = "model.safetensors") -> torch.Tensor:
    folder.mkdir(parents=True, exist_ok=True)
    save_file({"x": torch.arange(SIZE, dtype=torch.float32)}, folder / name)
    with safe_open(folder / name, framework="pt") as file:
        tensor: torch.Tensor = file.get_tensor("x")
    return tensor


def resident_bytes() -> int:
    """Of files, in this process."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("RssFile:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("no RssFile")


def test_pages_go_and_numbers_stay(tmp_path: Path) -> None:
    inner = mapped(tmp_path / "speech_tokenizer")
    total = float(inner.double().sum())
    before = resident_bytes()
    assert release_pages(tmp_path) >= 4 * SIZE
    assert before - resident_bytes() > 3 * SIZE  # of 4; other files' pages come and go
    assert float(inner.double().sum()) == total


def test_other_files_and_other_memory_are_left_alone(tmp_path: Path) -> None:
    other = mapped(tmp_path / "other")
    own = torch.arange(SIZE, dtype=torch.float32)
    (tmp_path / "empty").mkdir()
    assert release_pages(tmp_path / "empty") == 0
    sibling = tmp_path / "oth"  # a name that the other one begins with
    sibling.mkdir()
    assert release_pages(sibling) == 0
    assert torch.equal(own, other)
