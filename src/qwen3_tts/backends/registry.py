"""Opening a model by folder or hub id."""

from pathlib import Path

from qwen3_tts.backends.base import Synthesizer
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.engine.codec import Codec
from qwen3_tts.engine.device import choose_device, choose_dtype
from qwen3_tts.engine.options import EngineOptions
from qwen3_tts.weights.hub import fetch, fetch_codec
from qwen3_tts.weights.load import load_codec
from qwen3_tts.weights.quantized import plan_of


def open_model(
    model: str | Path,
    *,
    device: str = "auto",
    dtype: str = "auto",
    quantize: str | None = None,
    options: EngineOptions | None = None,
    revision: str | None = None,
    offline: bool = False,
    progress: bool = False,
) -> Qwen3Synthesizer:
    """See `qwen3_tts.load`."""
    chosen = choose_device(device)
    number = choose_dtype(dtype, chosen)
    folder = fetch(model, revision=revision, offline=offline, progress=progress)
    if device == "auto" and plan_of(folder):  # rounded weights are for CPUs
        chosen = choose_device("cpu")
        number = choose_dtype(dtype, chosen)
    return Qwen3Synthesizer.from_folder(
        folder, chosen, number, options or EngineOptions(), quantize
    )


def open_engine(
    model: str | Path,
    *,
    device: str,
    dtype: str,
    quantize: str,
    revision: str | None,
    offline: bool,
    max_rows: int,
    max_queue: int,
    text_timeout_s: float,
) -> Synthesizer:
    """A model to serve many callers with. Raises what `qwen3_tts.load` does."""
    options = EngineOptions(max_rows=max_rows, max_queue=max_queue, text_timeout_s=text_timeout_s)
    return open_model(
        model,
        device=device,
        dtype=dtype,
        quantize=quantize,
        options=options,
        revision=revision,
        offline=offline,
    )


def open_codec(
    model: str | Path,
    *,
    device: str = "auto",
    revision: str | None = None,
    offline: bool = False,
    progress: bool = False,
) -> Codec:
    """See `qwen3_tts.load_codec`."""
    chosen = choose_device(device)
    folder = fetch_codec(model, revision=revision, offline=offline, progress=progress)
    return Codec(load_codec(folder, device=chosen))
