"""Qwen3-TTS speech synthesis.

import qwen3_tts
tts = qwen3_tts.load("nano")   # or a folder, or "Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice"
tts.synthesize("Hello.", seed=1).save("hello.wav")
"""

from pathlib import Path
from typing import TYPE_CHECKING

from qwen3_tts.errors import SpeechError, SpeechWarning
from qwen3_tts.types import AudioChunk, Sampling, Speech, SpeechRequest, Timing, Voice
from qwen3_tts.version import __version__

if TYPE_CHECKING:
    from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
    from qwen3_tts.engine.codec import Codec
    from qwen3_tts.engine.options import EngineOptions

__all__ = [
    "AudioChunk",
    "Sampling",
    "Speech",
    "SpeechError",
    "SpeechRequest",
    "SpeechWarning",
    "Timing",
    "Voice",
    "__version__",
    "load",
    "load_codec",
]


def load(
    model: str | Path,
    *,
    device: str = "auto",
    dtype: str = "auto",
    quantize: str | None = None,
    options: "EngineOptions | None" = None,
    revision: str | None = None,
    offline: bool = False,
    progress: bool = False,
) -> "Qwen3Synthesizer":
    """Load a checkpoint: `nano`, which ships inside, a folder in the official layout, or a hub id.

    `device` is auto, cpu, cuda, cuda:N or mps; `dtype` auto, float32 or bfloat16 (auto: bfloat16
    on GPUs that have it, else float32). `quantize` rounds weights on a CPU: none, int8, int4 or
    auto (int8 where that is faster); None is none, the model as it was published. `revision` pins
    every file of a hub id; `offline` uses only what is cached; `progress` shows downloads. Raises
    `CheckpointError`, `HubError`, `UnsupportedRequest`.
    """
    from qwen3_tts.backends.registry import open_model  # torch is not needed before here

    return open_model(
        model,
        device=device,
        dtype=dtype,
        quantize=quantize,
        options=options,
        revision=revision,
        offline=offline,
        progress=progress,
    )


def load_codec(
    model: str | Path,
    *,
    device: str = "auto",
    revision: str | None = None,
    offline: bool = False,
    progress: bool = False,
) -> "Codec":
    """Load only the codec: of a checkpoint, or the stand-alone codec repository.

    `codec.encode(audio)` gives codes int64 [T, 16], `codec.decode(codes)` a wave float32
    [T * 1920] at 24 kHz.
    """
    from qwen3_tts.backends.registry import open_codec  # torch is not needed before here

    return open_codec(model, device=device, revision=revision, offline=offline, progress=progress)
