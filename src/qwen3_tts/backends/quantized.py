"""Checkpoints with rounded weights: as what one is opened, and how one is made."""

from pathlib import Path

import torch

from qwen3_tts.config import CheckpointConfig
from qwen3_tts.engine.device import choose_quantize
from qwen3_tts.errors import UnsupportedRequest
from qwen3_tts.quantize.rows import Format
from qwen3_tts.weights.quantized import plan_of
from qwen3_tts.weights.save_quantized import save_quantized


def choose_format(
    folder: Path, config: CheckpointConfig, wanted: str | None, device: torch.device
) -> Format | None:
    """What the weights of a folder will be rounded to, or are in its file; None: floats.

    Raises `UnsupportedRequest` for what this device or these weights cannot be.
    """
    plan = plan_of(folder)
    if plan is None or wanted not in (None, "none", "int8", "int4", "auto"):
        return choose_quantize(wanted, device, config.talker_config.hidden_size)
    if wanted not in (None, "auto", plan):
        raise UnsupportedRequest(
            f"the weights of this checkpoint are rounded to {plan} already, quantize {wanted!r} "
            f"needs those they were made from; allowed: {plan}, auto"
        )
    if device.type != "cpu":
        raise UnsupportedRequest(
            f"the weights of this checkpoint are rounded to {plan}, which is for CPUs; take device "
            f"cpu, or on {device} the checkpoint they were made from"
        )
    return plan


def quantize_checkpoint(source: Path, out: Path, format: Format) -> tuple[int, int]:
    """Write `source` with rounded weights to the folder `out`; the bytes of both.

    Raises `CheckpointError`, and `UnsupportedRequest` for weights that are rounded already.
    """
    save_quantized(source, out, format)
    return _weight_bytes(source), _weight_bytes(out)


def _weight_bytes(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*.safetensors"))
