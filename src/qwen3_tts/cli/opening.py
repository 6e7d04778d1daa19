"""The options that choose a model, shared by the commands, and the opening of it."""

import argparse
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import qwen3_tts
from qwen3_tts.cli.messages import working
from qwen3_tts.cli.streams import file_name
from qwen3_tts.errors import UnsupportedRequest
from qwen3_tts.types import Codes, SpeechRequest, Voice, Wave

if TYPE_CHECKING:
    from qwen3_tts.backends.base import Synthesizer

MODEL_VARIABLE = "QWEN3_TTS_MODEL"
BUNDLED = "nano"  # ships with the package, so that every command works at once
Commands = Any  # argparse has no public name for what `add_subparsers` returns


class Codec(Protocol):
    """What `qwen3_tts.load_codec` returns, as far as it is used here."""

    sample_rate: int

    def encode(self, audio: Any, sample_rate: int | None = None) -> Codes: ...

    def decode(self, codes: Any) -> Wave: ...


def add_model_options(parser: argparse.ArgumentParser, codec: bool = False) -> None:
    """--model, --revision, --offline; with `codec` the model may be the codec's repository."""
    group = parser.add_argument_group("model")
    what = "checkpoint or codec" if codec else "checkpoint"
    group.add_argument(
        "--model",
        "-m",
        metavar="MODEL",
        type=file_name,
        default=default_model(),
        help=f"{what}: a folder, a hub id, or {BUNDLED}, which ships with the package "
        f"(default: ${MODEL_VARIABLE}, else {BUNDLED})",
    )
    group.add_argument("--revision", help="branch, tag or commit of a hub id (default: main)")
    group.add_argument("--offline", action="store_true", help="use only files that are cached")


def default_model() -> str:
    return os.environ.get(MODEL_VARIABLE) or BUNDLED


def add_device_options(
    parser: argparse.ArgumentParser, dtype: bool = True, quantize: bool = True
) -> None:
    """--device; with `dtype` also --dtype, and with `quantize` --quantize beside it."""
    group = parser.add_argument_group("hardware")
    group.add_argument(
        "--device", type=device_name, default="auto", help="auto, cpu, cuda, cuda:N or mps"
    )
    if dtype:
        group.add_argument(
            "--dtype",
            choices=("auto", "float32", "bfloat16"),
            default="auto",
            help="number format of the weights (auto: bfloat16 where the device is fast at it)",
        )
    if dtype and quantize:
        group.add_argument(
            "--quantize",
            choices=("auto", "none", "int8", "int4"),
            default="auto",
            help="on a CPU, round the weights of talker and code predictor to so many bits (auto: "
            "int8 where the kernels for it make speech faster; int4: four bits for the talker)",
        )


def device_name(text: str) -> str:
    """A device that could exist; whether it does is asked later, as that needs torch."""
    if not re.fullmatch(r"auto|cpu|mps|cuda(:\d+)?", text):
        raise argparse.ArgumentTypeError(f"{text!r} is none of auto, cpu, cuda, cuda:N, mps")
    return text


def open_synthesizer(
    args: argparse.Namespace, request: SpeechRequest, clone: bool
) -> "Synthesizer":
    """Load the model that `request` asks for; `clone` says that its voice is yet to be cloned.

    Loading weights takes seconds, so the request and the device are checked before.
    """
    # Imported here and not above: `qwen3_tts.backends` may bring torch, which takes seconds, and
    # --version, --help and wrong arguments should answer at once. The other commands do the same.
    from qwen3_tts.backends.describe import check_request, describe, locate

    model, show = str(args.model), not args.quiet
    folder = locate(model, revision=args.revision, offline=args.offline, progress=show)
    if describe(folder).kind == "base" and not (clone or isinstance(request.voice, Voice)):
        raise UnsupportedRequest(
            "a base checkpoint has no voices of its own, it clones: "
            "pass --ref-audio FILE or --voice-file FILE, or --voice NAME of `voice list`"
        )
    check_request(folder, request, clone=clone)

    from qwen3_tts.backends.devices import choose  # torch comes with it

    choose(args.device, args.dtype)
    with working(f"Loading {Path(model).name}", show):
        return qwen3_tts.load(folder, device=args.device, dtype=args.dtype, quantize=args.quantize)


def open_codec(args: argparse.Namespace) -> Codec:
    """Load the codec that is asked for."""
    return qwen3_tts.load_codec(
        str(args.model),
        device=args.device,
        revision=args.revision,
        offline=args.offline,
        progress=not args.quiet,
    )
