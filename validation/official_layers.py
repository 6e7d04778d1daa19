"""The official side of the layers of real size. Runs in the oracle's environment."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cases
import oracle_stub  # noqa: F401  (before the official package)
import signals
import torch
from qwen_tts.core.models import configuration_qwen3_tts as speech_configs
from qwen_tts.core.models import modeling_qwen3_tts as speech
from qwen_tts.core.tokenizer_12hz import modeling_qwen3_tts_tokenizer_v2 as codec
from safetensors.torch import load_file
from torch import Tensor, nn
from transformers import MimiConfig
from transformers.models.mimi import modeling_mimi as mimi

Run = Callable[[Tensor], Tensor]
EAGER = {"attn_implementation": "eager"}


def run_layer(folder: Path, name: str) -> Tensor:
    """Output of the layer saved in `folder` for its own input."""
    layer = cases.LAYERS[name]
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    module, run = BUILDERS[name](config)
    missing, unexpected = module.load_state_dict(
        load_file(folder / "model.safetensors"), strict=False
    )
    unused = [key for key in missing if not _unused(name, key)]
    assert not unused, unused
    assert not unexpected, unexpected
    if layer.codebooks:
        _, K, T = layer.shape
        x = torch.from_numpy(signals.codes(layer.seed, T, K)).T[None]
    else:
        x = torch.from_numpy(signals.noise(layer.seed, layer.shape))
    module.eval()
    with torch.inference_mode():
        return run(x)


def _unused(name: str, key: str) -> bool:
    """Parameters the module has besides the layer: tables, other stages, training state."""
    if name == "encoder-stage":
        return not key.startswith(("layers.10.", "layers.12."))
    return key.startswith(("codec_embedding.", "text_embedding."))


def _talker(config: Any) -> tuple[nn.Module, Run]:
    module = speech.Qwen3TTSTalkerModel(speech_configs.Qwen3TTSTalkerConfig(**config, **EAGER))
    return module, lambda x: module(inputs_embeds=x).last_hidden_state


def _predictor(config: Any) -> tuple[nn.Module, Run]:
    own = speech_configs.Qwen3TTSTalkerCodePredictorConfig(**config, **EAGER)
    module = speech.Qwen3TTSTalkerCodePredictorModel(own, own.hidden_size)
    return module, lambda x: module(inputs_embeds=x).last_hidden_state


def _text_projection(config: Any) -> tuple[nn.Module, Run]:
    inner, out = config["text_hidden_size"], config["hidden_size"]
    module = speech.Qwen3TTSTalkerResizeMLP(inner, inner, out, config["hidden_act"], bias=True)
    return module, module


def _decoder(config: Any) -> Any:
    return codec.Qwen3TTSTokenizerV2DecoderConfig(**config)


def _quantizer_decode(config: Any) -> tuple[nn.Module, Run]:
    width = config["codebook_dim"]
    module = codec.SplitResidualVectorQuantizer(
        dimension=width // 2,
        n_q=config["num_quantizers"],
        n_q_semantic=1,
        bins=config["codebook_size"],
        input_dimension=width,
        output_dimension=width,
    )
    return module, module.decode


def _pre_transformer(config: Any) -> tuple[nn.Module, Run]:
    own = _decoder(config)
    module = codec.Qwen3TTSTokenizerV2DecoderTransformerModel._from_config(own)
    return module, lambda x: module(inputs_embeds=x).last_hidden_state


def _itself(build: Callable[[Any], nn.Module]) -> Callable[[Any], tuple[nn.Module, Run]]:
    def made(config: Any) -> tuple[nn.Module, Run]:
        module = build(config)
        return module, module

    return made


def _encoder(config: Any) -> MimiConfig:
    return MimiConfig(**config, attn_implementation="sdpa")


def _encoder_stage(config: Any) -> tuple[nn.Module, Run]:
    module = mimi.MimiEncoder(_encoder(config))
    return module, nn.Sequential(*module.layers[10:13])


def _encoder_transformer(config: Any) -> tuple[nn.Module, Run]:
    module = mimi.MimiTransformerModel(_encoder(config))
    return module.layers[0], lambda x: module.eval()(x)[0]


def _encoder_downsample(config: Any) -> nn.Module:
    own = _encoder(config)
    ratio = int(own.encodec_frame_rate / own.frame_rate)
    return mimi.MimiConv1d(
        own,
        own.hidden_size,
        own.hidden_size,
        kernel_size=2 * ratio,
        stride=2,
        bias=False,
        pad_mode="replicate",
    )


def _quantizer_encode(config: Any) -> tuple[nn.Module, Run]:
    module = mimi.MimiSplitResidualVectorQuantizer(_encoder(config))
    return module, lambda x: module.encode(x, 16).transpose(0, 1)


def _speaker(config: Any) -> Any:
    return speech_configs.Qwen3TTSSpeakerEncoderConfig(**config)


BUILDERS: dict[str, Callable[[Any], tuple[nn.Module, Run]]] = {
    "talker-1.7B": _talker,
    "talker-0.6B": _talker,
    "predictor": _predictor,
    "text-projection": _text_projection,
    "quantizer-decode": _quantizer_decode,
    "pre-conv": _itself(lambda _: codec.Qwen3TTSTokenizerV2CausalConvNet(512, 1024, 3)),
    "pre-transformer": _pre_transformer,
    "upsample": _itself(lambda _: codec.Qwen3TTSTokenizerV2CausalTransConvNet(1024, 1024, 2, 2)),
    "convnext": _itself(lambda _: codec.Qwen3TTSTokenizerV2ConvNeXtBlock(1024)),
    "decoder-conv": _itself(lambda _: codec.Qwen3TTSTokenizerV2CausalConvNet(1024, 1536, 7)),
    "snake": _itself(lambda _: codec.SnakeBeta(1536)),
    "residual-unit": _itself(lambda _: codec.Qwen3TTSTokenizerV2DecoderDecoderResidualUnit(768, 9)),
    "decoder-block": _itself(
        lambda config: codec.Qwen3TTSTokenizerV2DecoderDecoderBlock(_decoder(config), 0)
    ),
    "encoder-stage": _encoder_stage,
    "encoder-transformer": _encoder_transformer,
    "encoder-downsample": _itself(_encoder_downsample),
    "quantizer-encode": _quantizer_encode,
    "speaker-block": _itself(
        lambda _: speech.SqueezeExcitationRes2NetBlock(512, 512, 8, 128, kernel_size=3, dilation=3)
    ),
    "speaker-encoder": _itself(lambda config: speech.Qwen3TTSSpeakerEncoder(_speaker(config))),
}
