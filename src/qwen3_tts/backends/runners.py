"""A checkpoint's weights and what computes with them: torch, or the kernels where they fit."""

import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import torch

from qwen3_tts.config import CheckpointConfig, read_checkpoint_config
from qwen3_tts.engine.codec import Codec
from qwen3_tts.engine.cuda_graphs import GraphRunner
from qwen3_tts.engine.device import (
    KERNEL_THREADS,
    choose_graphs,
    choose_threads,
    limit_memory,
)
from qwen3_tts.engine.graph_decoder import GraphDecoder
from qwen3_tts.engine.graphs import CudaGraphs
from qwen3_tts.engine.native import NativeRunner, TeamDecoder
from qwen3_tts.engine.options import EngineOptions
from qwen3_tts.engine.packed import PackedRunner
from qwen3_tts.engine.runner import EagerRunner, Runner
from qwen3_tts.engine.team import Team
from qwen3_tts.model.codec.codec import SpeechCodec
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.native.library import why_not
from qwen3_tts.native.speech import misfit
from qwen3_tts.quantize.plan import quantize_model
from qwen3_tts.quantize.rows import Format
from qwen3_tts.weights.load import load_codec, load_speech_model
from qwen3_tts.weights.pages import release_pages
from qwen3_tts.weights.quantized import plan_of

CODEC = "speech_tokenizer"


@dataclass(frozen=True)
class Parts:
    """What an engine is made of."""

    model: SpeechModel
    runner: Runner
    codec: Codec


def open_parts(
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
    format: Format | None,
    options: EngineOptions,
) -> Parts:
    """Read a checkpoint folder. `format`, which `choose_format` said, rounds talker and predictor.

    Kernels compute in float32 from rounded or bfloat16 weights; float32 weights are torch's. What
    is rounded here is rounded from bfloat16, and the rest becomes that first, whoever computes: a
    folder that `save_quantized` wrote holds the same numbers.
    """
    config = read_checkpoint_config(folder)
    limit_memory(options.gpu_memory, device)
    if why_no_kernels(config, device, dtype, format) is None:
        return _on_kernels(folder, config, format, options)
    if format is None or plan_of(folder):
        model = load_speech_model(folder, device=device, dtype=dtype)
    else:
        model = load_speech_model(folder, device=device, dtype=torch.bfloat16)
        quantize_model(model, format)
        if dtype == torch.float32:  # what is rounded stays; the speaker encoder is float32 already
            model.talker.float()
            model.code_predictor.float()
    codec = load_codec(folder / CODEC, device=device)
    if choose_graphs(options.graphs, device):
        return with_graphs(model, codec, device)
    return Parts(model, EagerRunner(model), Codec(codec))


def with_graphs(model: SpeechModel, codec: SpeechCodec, device: torch.device) -> Parts:
    """What a CUDA device does frame by frame, as graphs: two pools of memory, one for sound."""
    lock = threading.Lock()
    runner = GraphRunner(PackedRunner(model), CudaGraphs(device, lock))
    decoder = GraphDecoder(codec.decoder, CudaGraphs(device, lock))
    return Parts(model, runner, Codec(codec, decoder=decoder))


def _on_kernels(
    folder: Path, config: CheckpointConfig, format: Format | None, options: EngineOptions
) -> Parts:
    """The file's own numbers are mapped, packed, and let go of; the codec beside the model."""
    width = config.talker_config.hidden_size
    team = Team(choose_threads(options.threads, width, KERNEL_THREADS))
    cpu = torch.device("cpu")

    def codec() -> Codec:
        model = load_codec(folder / CODEC, device=cpu)
        decoder = TeamDecoder(model.decoder, team)
        del model.decoder
        return Codec(model, decoder=decoder)

    with ThreadPoolExecutor(1) as beside:
        opening = beside.submit(codec)
        model = load_speech_model(folder, device=cpu, dtype=torch.bfloat16)
        runner = NativeRunner(model, format, team)
        parts = Parts(model, runner, opening.result())
    release_pages(folder)
    return parts


def why_no_kernels(
    config: CheckpointConfig, device: torch.device, dtype: torch.dtype, format: Format | None
) -> str | None:
    """Why torch computes such a model; None where the kernels do."""
    if device.type != "cpu":
        return f"they are for CPUs, this is {device.type}"
    if format is None and dtype != torch.bfloat16:
        return "weights are float32"
    return why_not() or misfit(config)
