"""The official side of the codec and speaker cases. Runs in the oracle's environment."""

from typing import Any

import cases
import librosa
import numpy as np
import oracle_stub  # noqa: F401  (before the official package)
import signals
import torch
from qwen_tts.core.models import modeling_qwen3_tts

Arrays = dict[str, np.ndarray]


def decode(tokenizer: Any, about: cases.Decode) -> Arrays:
    """The stages of one whole decode, and its wave."""
    decoder = tokenizer.model.decoder
    seen: Arrays = {}

    def keep(name: str) -> Any:
        def hook(_module: Any, _args: Any, output: Any) -> None:
            tensor = getattr(output, "last_hidden_state", output)
            seen[f"stage.{name}"] = tensor[0].numpy()

        return hook

    wanted = [
        name
        for name, _ in decoder.named_modules()
        if _is_stage(name) and name != f"decoder.{len(decoder.decoder) - 1}"
    ]
    hooks = [decoder.get_submodule(name).register_forward_hook(keep(name)) for name in wanted]
    hooks.append(
        decoder.pre_conv.register_forward_pre_hook(
            lambda _module, args: seen.__setitem__("stage.quantizer", args[0][0].numpy())
        )
    )
    with torch.inference_mode():
        wave = decoder(_codes(about, decoder)).numpy()[0, 0]
    for hook in hooks:
        hook.remove()
    return seen | {"decoded.whole": wave, "decoded.pieces": wave}


def _is_stage(name: str) -> bool:
    """The parts a decode passes through one after the other, blocks also taken as a whole."""
    steps = name.split(".")
    if steps[0] == "upsample":
        return len(steps) == 3
    if steps[0] == "decoder":
        return len(steps) in (2, 4)
    return name in ("pre_conv", "pre_transformer")


def _codes(about: cases.Decode, decoder: Any) -> torch.Tensor:
    codes = signals.codes(about.seed, about.frames, decoder.config.num_quantizers)
    return torch.from_numpy(codes).T[None]


def chunked(tokenizer: Any, about: cases.Decode) -> Arrays:
    """The official wrapper's decode, which starts afresh every 300 frames with a short context."""
    codes = _codes(about, tokenizer.model.decoder)[0].T
    wave = tokenizer.decode([{"audio_codes": codes}])[0][0]
    cut = 1920 * cases.CHUNK_FRAMES
    return {"decoded.first": wave[:cut], "restarted": wave[cut:]}


def encode(tokenizer: Any, seed: int, seconds: float) -> Arrays:
    """The stages of one encode and its codes [T, K]."""
    rate = tokenizer.get_input_sample_rate()
    encoder, seen = tokenizer.model.encoder, {}

    def keep(name: str) -> Any:
        def hook(_module: Any, _args: Any, output: Any) -> None:
            tensor = output if isinstance(output, torch.Tensor) else output[0]
            seen[f"stage.{name}"] = tensor[0].numpy()

        return hook

    names = ("encoder", "encoder_transformer", "downsample")
    hooks = [encoder.get_submodule(name).register_forward_hook(keep(name)) for name in names]
    codes = tokenizer.encode(signals.recording(seed, seconds, rate), sr=rate).audio_codes[0]
    for hook in hooks:
        hook.remove()
    return seen | {"codes": codes.numpy()}


def speaker(tts: Any, seed: int, seconds: float, rate: int) -> Arrays:
    """A recording at the model's rate, its mel and its vector."""
    wave = signals.recording(seed, seconds, rate)
    resampled = librosa.resample(y=wave, orig_sr=rate, target_sr=24000)
    mel = modeling_qwen3_tts.mel_spectrogram(
        torch.from_numpy(resampled)[None],
        n_fft=1024,
        num_mels=128,
        sampling_rate=24000,
        hop_size=256,
        win_size=1024,
        fmin=0,
        fmax=12000,
    )
    item = tts.create_voice_clone_prompt((wave, rate), x_vector_only_mode=True)[0]
    vector = item.ref_spk_embedding.numpy()
    return {"resampled": resampled, "mel": mel[0].T.numpy(), "vector": vector}
