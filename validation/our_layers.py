"""Our side of the layers of real size: how each is built, named officially, and run."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import cases
import signals
import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from qwen3_tts.model.cache import FrameCache, KVCache
from qwen3_tts.model.codec.causal import CausalConv1d
from qwen3_tts.model.codec.decoder import (
    ConvNeXtBlock,
    ResidualUnit,
    SnakeBeta,
    WaveStage,
    decoder_codebooks,
)
from qwen3_tts.model.codec.encoder import (
    Downsample,
    EncoderBlock,
    EncoderStage,
    encoder_codebooks,
)
from qwen3_tts.model.codec.state import DecoderState
from qwen3_tts.model.codec.transformer import WindowTransformer
from qwen3_tts.model.layers import Transformer, rotary_table
from qwen3_tts.model.speaker_encoder import EncoderBlock as SpeakerBlock
from qwen3_tts.model.speaker_encoder import SpeakerEncoder
from qwen3_tts.model.talker import TextProjection
from qwen3_tts.weights.names import CODEC, MODEL, Table, to_official
from qwen3_tts.weights.published import published_codec_config, published_config

LARGE = published_config("base", "1.7B")
SMALL = published_config("base", "0.6B")
CODEC_CONFIG = published_codec_config()
TALKER, SMALL_TALKER = (
    replace(whole.talker_config, num_hidden_layers=1, text_vocab_size=8, vocab_size=8)
    for whole in (LARGE, SMALL)
)
PREDICTOR = replace(
    TALKER.code_predictor_config, num_hidden_layers=1, layer_types=("full_attention",), vocab_size=8
)
DECODER = replace(CODEC_CONFIG.decoder_config, num_hidden_layers=1)
ENCODER = replace(CODEC_CONFIG.encoder_config, num_hidden_layers=1)
SPEAKER = SMALL.speaker_encoder_config
assert SPEAKER is not None


@dataclass(frozen=True)
class Recipe:
    """`ours` and `official` are where such a layer sits in the whole model, on either side."""

    config: Any
    table: Table
    ours: str
    official: str
    build: Callable[[], nn.Module]
    run: Callable[[Any, Tensor], Tensor]


def run_layer(folder: Path, name: str) -> Tensor:
    """Output of the layer saved in `folder` for its own input."""
    layer, recipe = cases.LAYERS[name], RECIPES[name]
    module = recipe.build()
    tensors = load_file(folder / "model.safetensors")
    names = {to_official(f"{recipe.ours}.{key}", recipe.table): key for key in module.state_dict()}
    stored = {f"{recipe.official}.{key}": tensor for key, tensor in tensors.items()}
    module.load_state_dict({names[key]: tensor for key, tensor in stored.items()}, assign=True)
    with torch.inference_mode():
        return recipe.run(module.eval(), layer_input(layer))


def layer_input(layer: cases.Layer) -> Tensor:
    if layer.codebooks:
        _, K, T = layer.shape
        return torch.from_numpy(signals.codes(layer.seed, T, K)).T[None]
    return torch.from_numpy(signals.noise(layer.seed, layer.shape))


def official_tensors(recipe: Recipe, module: nn.Module) -> dict[str, Tensor]:
    """The module's weights by official names, without the way to the layer."""
    prefix = recipe.official + "."
    named = {
        to_official(f"{recipe.ours}.{key}", recipe.table): value.contiguous()
        for key, value in module.state_dict().items()
    }
    assert all(key.startswith(prefix) for key in named), (prefix, list(named)[:3])
    return {key.removeprefix(prefix): value for key, value in named.items()}


def run_talker(module: Transformer, x: Tensor) -> Tensor:
    """As a prompt is read: with a cache larger than it."""
    config = TALKER if x.shape[2] == TALKER.hidden_size else SMALL_TALKER
    cache = KVCache.new(config, 1, x.shape[1] + 5, x)
    return module(x, cache.span(x.shape[1], x.shape[1]))


def run_predictor(module: Transformer, x: Tensor) -> Tensor:
    """As a frame is filled: two positions, then one at a time."""
    cache = FrameCache.new(PREDICTOR, 1, x)
    parts = [module(x[:, :2], cache.span(0, 2))]
    parts += [module(x[:, i : i + 1], cache.span(i, 1)) for i in range(2, x.shape[1])]
    return torch.cat(parts, dim=1)


def new_state(module: nn.Module, like: Tensor) -> DecoderState:
    """An empty state for the causal layers of one module."""
    layers = [layer for layer in module.modules() if hasattr(layer, "context")]
    for slot, layer in enumerate(layers):
        layer.slot = slot
    tails = [like.new_zeros(1, layer.in_channels, layer.context) for layer in layers]
    window = (1, 1, DECODER.num_attention_heads, DECODER.sliding_window - 1, DECODER.head_dim)
    keys, pos = like.new_zeros(window), torch.zeros(1, dtype=torch.long)
    return DecoderState(tails, keys, torch.zeros_like(keys), pos)


def causal(module: nn.Module, x: Tensor) -> Tensor:
    return module(x, new_state(module, x))


def plain(module: nn.Module, x: Tensor) -> Tensor:
    return module(x)


def run_encoder_block(module: EncoderBlock, x: Tensor) -> Tensor:
    positions = torch.arange(x.shape[1])[None]
    return module(x, rotary_table(positions, ENCODER.head_dim, ENCODER.rope_theta))


def _model(config: Any, ours: str, official: str, build: Any, run: Any) -> Recipe:
    return Recipe(config, MODEL, ours, official, build, run)


def _decoder(ours: str, official: str, build: Any, run: Any = causal) -> Recipe:
    return Recipe(DECODER, CODEC, f"decoder.{ours}", f"decoder.{official}", build, run)


def _encoder(ours: str, official: str, build: Any, run: Any = plain) -> Recipe:
    return Recipe(ENCODER, CODEC, f"encoder.{ours}", f"encoder.{official}", build, run)


# fmt: off
RECIPES: dict[str, Recipe] = {
    "talker-1.7B": _model(
        TALKER, "talker.transformer", "talker.model", lambda: Transformer(TALKER), run_talker),
    "talker-0.6B": _model(
        SMALL_TALKER, "talker.transformer", "talker.model", lambda: Transformer(SMALL_TALKER),
        run_talker),
    "predictor": _model(
        PREDICTOR, "code_predictor.transformer", "talker.code_predictor.model",
        lambda: Transformer(PREDICTOR), run_predictor),
    "text-projection": _model(
        SMALL_TALKER, "talker.text_projection", "talker.text_projection",
        lambda: TextProjection(SMALL_TALKER), plain),
    "quantizer-decode": _decoder(
        "codebooks", "quantizer", lambda: decoder_codebooks(DECODER),
        lambda module, codes: module.decode(codes)),
    "pre-conv": _decoder("pre_conv", "pre_conv", lambda: CausalConv1d(512, 1024, 3)),
    "pre-transformer": _decoder(
        "transformer", "pre_transformer", lambda: WindowTransformer(DECODER)),
    "upsample": _decoder(
        "latent_stages.0.up", "upsample.0.0", lambda: nn.ConvTranspose1d(1024, 1024, 2, 2), plain),
    "convnext": _decoder("latent_stages.0.mix", "upsample.0.1", lambda: ConvNeXtBlock(1024)),
    "decoder-conv": _decoder("wave_in", "decoder.0", lambda: CausalConv1d(1024, 1536, 7)),
    "snake": _decoder("wave_stages.0.act", "decoder.1.block.0", lambda: SnakeBeta(1536), plain),
    "residual-unit": _decoder(
        "wave_stages.0.units.2", "decoder.1.block.4", lambda: ResidualUnit(768, 9)),
    "decoder-block": _decoder("wave_stages.0", "decoder.1", lambda: WaveStage(1536, 8)),
    "encoder-stage": _encoder("stages.3", "encoder", lambda: EncoderStage(ENCODER, 512, 8)),
    "encoder-transformer": _encoder(
        "blocks.0", "encoder_transformer.layers.0", lambda: EncoderBlock(ENCODER),
        run_encoder_block),
    "encoder-downsample": _encoder("downsample", "downsample", lambda: Downsample(512, 2)),
    "quantizer-encode": _encoder(
        "codebooks", "quantizer", lambda: encoder_codebooks(ENCODER),
        lambda module, latent: module.encode(latent, 16)),
    "speaker-block": _model(
        SPEAKER, "speaker_encoder.blocks.1", "speaker_encoder.blocks.2",
        lambda: SpeakerBlock(SPEAKER, 512, 3, 3), plain),
    "speaker-encoder": _model(
        SPEAKER, "speaker_encoder", "speaker_encoder", lambda: SpeakerEncoder(SPEAKER), plain),
}
# fmt: on
