"""What an engine is made of where there are graphs."""

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from qwen3_tts.backends import runners
from qwen3_tts.engine.cuda_graphs import GraphRunner
from qwen3_tts.engine.graph_decoder import GraphDecoder
from qwen3_tts.engine.options import EngineOptions
from qwen3_tts.engine.packed import PackedRunner
from qwen3_tts.engine.runner import EagerRunner
from qwen3_tts.errors import UnsupportedRequest
from tests.engine.recorded_graphs import RecordedGraphs

CPU = torch.device("cpu")


def test_graphs_for_frames_and_for_sound(
    checkpoint: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a CPU, which is told that it records graphs."""
    locks = []

    def graphs(device: torch.device, lock: Any) -> RecordedGraphs:
        locks.append(lock)
        return RecordedGraphs()

    monkeypatch.setattr(runners, "choose_graphs", lambda wanted, device: True)
    monkeypatch.setattr(runners, "CudaGraphs", graphs)
    parts = runners.open_parts(checkpoint("base"), CPU, torch.float32, None, EngineOptions())
    assert isinstance(parts.runner, GraphRunner)
    assert isinstance(parts.runner.inner, PackedRunner)
    assert isinstance(parts.codec.decoder, GraphDecoder)
    assert parts.runner.graphs is not parts.codec.decoder.graphs  # memory of its own
    assert locks[0] is locks[1]
    assert isinstance(locks[0], type(threading.Lock()))


def test_no_graphs_on_a_cpu(checkpoint: Callable[..., Path]) -> None:
    parts = runners.open_parts(checkpoint("base"), CPU, torch.float32, None, EngineOptions())
    assert isinstance(parts.runner, EagerRunner)
    with pytest.raises(UnsupportedRequest, match="graphs are for CUDA, this is cpu"):
        runners.open_parts(checkpoint("base"), CPU, torch.float32, None, EngineOptions(graphs=True))
    with pytest.raises(UnsupportedRequest, match="on cpu the allowed is"):
        runners.open_parts(
            checkpoint("base"), CPU, torch.float32, None, EngineOptions(gpu_memory=0.5)
        )
