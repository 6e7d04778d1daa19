"""Our side of the codec and speaker cases."""

from collections.abc import Iterator

import cases
import numpy as np
import signals
import torch
from torch import Tensor, nn

from qwen3_tts.audio.files import resample
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.engine.codec import Codec
from qwen3_tts.model.codec.decoder import CodecDecoder
from qwen3_tts.model.codec.encoder import CodecEncoder
from qwen3_tts.model.mel import log_mel

Arrays = dict[str, np.ndarray]


def cases_of(tts: Qwen3Synthesizer, checkpoint: str) -> Iterator[tuple[str, Arrays]]:
    """Name and arrays of every codec and speaker case of one checkpoint."""
    for name, about in cases.DECODES.items():
        if about.checkpoint == checkpoint:
            yield name, decode(tts.codec, about)
    if cases.CHUNKED.checkpoint == checkpoint:
        yield "chunked", chunked(tts.codec, cases.CHUNKED)
    for name, (where, *recording) in cases.ENCODES.items():
        if where == checkpoint:
            yield name, encode(tts.codec, *recording)
    for name, (where, *recording) in cases.SPEAKERS.items():
        if where == checkpoint:
            yield name, speaker(tts, *recording)


def decode(codec: Codec, about: cases.Decode) -> Arrays:
    """The stages of one decode, and the wave as the public interface makes it, in pieces."""
    codes = signals.codes(about.seed, about.frames, codec.num_codebooks)
    decoder, seen = codec.model.decoder, {}

    def keep(name: str) -> object:
        return lambda _module, _args, output: seen.__setitem__(name, output[0].numpy())

    hooks = [module.register_forward_hook(keep(name)) for name, module in _decoder_parts(decoder)]
    hooks.append(
        decoder.pre_conv.register_forward_pre_hook(
            lambda _module, args: seen.__setitem__("stage.quantizer", args[0][0].numpy())
        )
    )
    with torch.inference_mode():
        whole = decoder(torch.from_numpy(codes).T[None], decoder.new_state(1))
    for hook in hooks:
        hook.remove()
    return seen | {"decoded.whole": whole[0].numpy(), "decoded.pieces": codec.decode(codes)}


def _decoder_parts(decoder: CodecDecoder) -> list[tuple[str, nn.Module]]:
    """Official name of a part, and ours."""
    parts: list[tuple[str, nn.Module]] = [
        ("pre_conv", decoder.pre_conv),
        ("pre_transformer", decoder.transformer),
        ("decoder.0", decoder.wave_in),
        (f"decoder.{len(decoder.wave_stages) + 1}", decoder.wave_act),
    ]
    for i, stage in enumerate(decoder.latent_stages):
        parts += [(f"upsample.{i}.0", stage.up), (f"upsample.{i}.1", stage.mix)]
    for i, stage in enumerate(decoder.wave_stages, 1):
        inner = [stage.act, stage.up, *stage.units]
        parts += [(f"decoder.{i}.block.{k}", module) for k, module in enumerate(inner)]
        parts.append((f"decoder.{i}", stage))
    return [(f"stage.{name}", module) for name, module in parts]


def chunked(codec: Codec, about: cases.Decode) -> Arrays:
    """A decode longer than the official one does at a time."""
    wave = codec.decode(signals.codes(about.seed, about.frames, codec.num_codebooks))
    cut = codec.samples_per_frame * cases.CHUNK_FRAMES
    return {"decoded.first": wave[:cut], "restarted": wave[cut:]}


def encode(codec: Codec, seed: int, seconds: float) -> Arrays:
    """The stages of one encode and its codes [T, K]."""
    wave = signals.recording(seed, seconds, codec.config.input_sample_rate)
    encoder, seen = codec.model.encoder, {}

    def keep(name: str) -> object:
        return lambda _module, _args, output: seen.__setitem__(f"stage.{name}", output[0].numpy())

    hooks = [module.register_forward_hook(keep(name)) for name, module in _encoder_parts(encoder)]
    codes = codec.encode(wave, codec.config.input_sample_rate)
    for hook in hooks:
        hook.remove()
    return seen | {"codes": codes}


def _encoder_parts(encoder: CodecEncoder) -> list[tuple[str, nn.Module]]:
    return [
        ("encoder", encoder.conv_out),
        ("encoder_transformer", encoder.blocks[-1]),
        ("downsample", encoder.downsample),
    ]


def speaker(tts: Qwen3Synthesizer, seed: int, seconds: float, rate: int) -> Arrays:
    """A recording at the model's rate, its mel and its vector."""
    wave = signals.recording(seed, seconds, rate)
    resampled = resample(wave, rate, tts.sample_rate)
    mel: Tensor = log_mel(torch.from_numpy(resampled)[None])[0]
    return {
        "resampled": resampled,
        "mel": mel.numpy(),
        "vector": tts.clone_voice((wave, rate), mode="x_vector", check=False).vector,
    }
