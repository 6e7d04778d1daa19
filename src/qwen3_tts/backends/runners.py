"""A checkpoint's weights and what computes with them: torch, or the kernels where they fit."""

from pathlib import Path

import torch

from qwen3_tts.config import CheckpointConfig, read_checkpoint_config
from qwen3_tts.engine.codec import Codec
from qwen3_tts.engine.device import KERNEL_THREADS, choose_threads
from qwen3_tts.engine.native import NativeRunner, TeamDecoder
from qwen3_tts.engine.options import EngineOptions
from qwen3_tts.engine.runner import EagerRunner, Runner
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.native.library import why_not
from qwen3_tts.native.speech import misfit
from qwen3_tts.quantize.plan import quantize_model
from qwen3_tts.quantize.rows import Format
from qwen3_tts.weights.load import load_codec, load_speech_model
from qwen3_tts.weights.pages import release_pages
from qwen3_tts.weights.quantized import plan_of


def open_speech(
    folder: Path,
    device: torch.device,
    dtype: torch.dtype,
    format: Format | None,
    options: EngineOptions,
) -> tuple[SpeechModel, Runner]:
    """The model of a folder and its runner.

    Kernels compute in float32 from rounded or bfloat16 weights; float32 weights are torch's. For
    them the file's own numbers are mapped, and go when they are packed. What is rounded here is
    rounded from bfloat16, and the rest becomes that first, whoever computes: a folder made by
    `save_quantized` holds the same numbers.
    """
    config = read_checkpoint_config(folder)
    if why_no_kernels(config, device, dtype, format) is None:
        model = load_speech_model(folder, device=device, dtype=torch.bfloat16)
        threads = choose_threads(options.threads, config.talker_config.hidden_size, KERNEL_THREADS)
        runner = NativeRunner(model, format, threads)
        release_pages(folder)
        return model, runner
    if format is None or plan_of(folder):
        model = load_speech_model(folder, device=device, dtype=dtype)
    else:
        model = load_speech_model(folder, device=device, dtype=torch.bfloat16)
        quantize_model(model, format).to(dtype)
    return model, EagerRunner(model)


def open_codec(folder: Path, device: torch.device, runner: Runner) -> Codec:
    """The codec of a folder, decoding by what `runner` computes with."""
    model = load_codec(folder, device=device)
    if not isinstance(runner, NativeRunner):
        return Codec(model)
    decoder = TeamDecoder(model.decoder, runner.team)
    del model.decoder
    release_pages(folder)
    return Codec(model, decoder=decoder)


def why_no_kernels(
    config: CheckpointConfig, device: torch.device, dtype: torch.dtype, format: Format | None
) -> str | None:
    """Why torch computes such a model; None where the kernels do."""
    if device.type != "cpu":
        return f"they are for CPUs, this is {device.type}"
    if format is None and dtype != torch.bfloat16:
        return "weights are float32"
    return why_not() or misfit(config)
