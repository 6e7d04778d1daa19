"""How rounded weights stand in a file, and how a file says that it holds them. No torch here.

They are one file, `model.safetensors`, whose metadata names the plan (`quantize`: "int8" or "int4",
`qwen3_tts.quantize.plan`) and the version of this layout (`quantize_version`). A rounded matrix
[N, K] keeps its official name, and a second tensor stands beside it:

                int8                int4
X.weight        int8 [N, K]         uint8 [N, ceil(K / 2)], input 2i in the low four bits of byte i,
                                    2i + 1 in the high four, in two's complement
X.weight_scale  float32 [N]         bfloat16 [N, ceil(K / 32)], one for 32 inputs

The weights meant are numbers times scales. Everything else is as in a checkpoint that is not
rounded.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from safetensors import SafetensorError, safe_open

from qwen3_tts.errors import InvalidWeights

if TYPE_CHECKING:
    from qwen3_tts.quantize.rows import Format

SINGLE = "model.safetensors"
VERSION = "1"
PLAN_KEY, VERSION_KEY = "quantize", "quantize_version"
PLANS = ("int8", "int4")
SCALE = "_scale"  # what follows the official name of a matrix
ROUNDED_TYPES = ("I8", "U8")  # of numbers, as safetensors spells them


def plan_of(folder: Path) -> "Format | None":
    """What the weights of a checkpoint folder are rounded to; None where they are floats.

    Raises `InvalidWeights` for a broken file, and for a plan or version that is not known.
    """
    path = folder / SINGLE
    if not path.is_file():
        return None
    metadata: Mapping[str, str] | None = open_weights(path, "numpy").metadata()
    if metadata is None or PLAN_KEY not in metadata:
        return None
    plan, version = metadata[PLAN_KEY], metadata.get(VERSION_KEY)
    if version != VERSION:
        raise InvalidWeights(
            f"{path} holds rounded weights in layout {_shown(version)}, this package reads "
            f"{VERSION}; install one that reads it, or make it again with `qwen3-tts quantize`"
        )
    if plan not in PLANS:
        raise InvalidWeights(
            f"{path} holds weights rounded to {_shown(plan)}; allowed: {', '.join(PLANS)}"
        )
    return cast("Format", plan)


def metadata_of(plan: "Format") -> dict[str, str]:
    """What a file of rounded weights says about itself."""
    return {PLAN_KEY: plan, VERSION_KEY: VERSION}


def open_weights(path: Path, framework: str) -> Any:
    """An open safetensors file, of which only the header is read. Raises `InvalidWeights`."""
    try:
        return safe_open(path, framework=framework)
    except (SafetensorError, OSError) as error:
        raise InvalidWeights(
            f"{path} ({path.stat().st_size} bytes): truncated, or no safetensors file ({error})"
        ) from None


def _shown(text: str | None) -> str:
    """A word of a file in one short line."""
    return ascii(text) if text is None or len(text) <= 20 else ascii(text[:20]) + "..."
