"""Checkpoints with random weights, for tests, benchmarks and demonstrations.

Such a model speaks noise, but behaves: greedy decoding moves from code to code, and the wave is
loud enough to compare and quiet enough never to be clamped.
"""

import math
from collections.abc import Mapping
from pathlib import Path
from typing import Literal, TypeVar

import torch
from torch import Generator, Tensor, nn

from qwen3_tts.config import CheckpointConfig, CodecConfig, GenerationConfig
from qwen3_tts.model.codec.codebooks import Codebook, EncoderCodebook
from qwen3_tts.model.codec.codec import SpeechCodec
from qwen3_tts.model.codec.decoder import SnakeBeta
from qwen3_tts.model.layers import RMSNorm
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.weights.load import blank
from qwen3_tts.weights.published import (
    Kind,
    Size,
    published_codec_config,
    published_config,
    tiny_codec_config,
    tiny_config,
    with_special_ids,
)
from qwen3_tts.weights.save import save_checkpoint

M = TypeVar("M", bound=nn.Module)

# Of the talker's and the predictor's layers. At 1 a frame hardly depends on those before it; from
# 2.5 on greedy decoding runs in circles.
GAIN = 2.0


def random_speech_model(
    config: CheckpointConfig, seed: int, dtype: torch.dtype = torch.float32
) -> SpeechModel:
    """A model of this config with random weights, on the CPU; holds its weights once."""
    with blank():
        model = SpeechModel(config).to(dtype)
    return random_weights_(model.to_empty(device="cpu"), seed)


def random_codec(config: CodecConfig, seed: int) -> SpeechCodec:
    """A codec of this config with random weights, on the CPU."""
    with blank():
        codec = SpeechCodec(config)
    return random_weights_(codec.to_empty(device="cpu"), seed)


def random_weights_(model: M, seed: int) -> M:
    """Overwrite every parameter of a `SpeechModel` or `SpeechCodec`, and return it."""
    generator = torch.Generator(next(model.parameters()).device).manual_seed(seed)
    lively = set()
    if isinstance(model, SpeechModel):
        lively = {*model.talker.modules(), *model.code_predictor.modules()}
    with torch.no_grad():
        for module in model.modules():
            for name, parameter in module.named_parameters(recurse=False):
                _fill(parameter, name, module, GAIN if module in lively else 1.0, generator)
        if isinstance(model, SpeechCodec):
            # With the numbers below the wave peaks at 340 to 550, at the tiny sizes and the
            # published ones; a thousandth of it is never clamped.
            model.decoder.wave_out.weight.mul_(1e-3)
    return model


def _fill(
    parameter: Tensor, name: str, module: nn.Module, gain: float, generator: Generator
) -> None:
    """Draw one parameter, by the kind of layer it belongs to."""
    match module, name:
        case EncoderCodebook(), "initialized":
            parameter.fill_(1)
        case Codebook(), "cluster_usage":
            parameter.uniform_(0.5, 1.5, generator=generator)
        case Codebook(), _:
            parameter.normal_(generator=generator)
        case SnakeBeta(), "beta":  # a logarithm; near 0 the wave would be ill-conditioned
            parameter.normal_(1, 0.3, generator=generator)
        case SnakeBeta(), _:  # a logarithm
            parameter.normal_(0, 0.3, generator=generator)
        case nn.Embedding(), _:
            parameter.normal_(0, 0.7, generator=generator)
        case _, "bias":
            parameter.normal_(0, 0.05, generator=generator)
        case nn.Linear() | nn.Conv1d() | nn.ConvTranspose1d(), _:
            std = gain / math.sqrt(_fan_in(module, parameter))
            parameter.normal_(0, std, generator=generator)
        case RMSNorm() | nn.LayerNorm(), _:
            parameter.normal_(1, 0.2, generator=generator)
        case _, ("attn_scale" | "mlp_scale" | "gamma"):
            parameter.normal_(0.3, 0.2, generator=generator)
        case _:
            raise AssertionError(f"no rule for {name} of {type(module).__name__}")


def _fan_in(module: nn.Module, weight: Tensor) -> float:
    """How many inputs one output sums over."""
    if isinstance(module, nn.ConvTranspose1d):  # weight [in, out, kernel]
        return weight.shape[0] * weight.shape[2] / module.stride[0]
    return weight[0].numel()


def write_random_checkpoint(
    folder: Path,
    kind: Kind,
    *,
    seed: int,
    size: Size | Literal["tiny"] = "tiny",
    wide: bool = False,
    dtype: torch.dtype = torch.float32,
    special_ids: Mapping[str, int] | None = None,
) -> None:
    """Write weights and configs of a checkpoint of this kind; `wide` is an option of "tiny".

    The text tokenizer's files are the caller's: write them into `folder` first, and give the ids
    of its special tokens as `special_ids` (keys as in `published.SPECIAL_TOKENS`).
    """
    if size == "tiny":
        config = tiny_config(kind, wide=wide, special_ids=special_ids)
        codec_config = tiny_codec_config()
    else:
        config = published_config(kind, size)
        if special_ids is not None:
            config = with_special_ids(config, special_ids)
        codec_config = published_codec_config()
    model = random_speech_model(config, seed, dtype)
    codec = random_codec(codec_config, seed)
    save_checkpoint(folder, model, codec, GenerationConfig(), text_files=None)
