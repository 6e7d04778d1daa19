"""`qwen3-tts quantize`: a checkpoint with rounded weights, in a folder of its own."""

import argparse
import json
from pathlib import Path

from qwen3_tts.cli.data import check_new_folder
from qwen3_tts.cli.messages import close, working
from qwen3_tts.cli.opening import Commands
from qwen3_tts.cli.streams import file_name

EPILOG = """\
examples:
  qwen3-tts quantize Qwen/Qwen3-TTS-12Hz-1.7B-CustomVoice small --to int8
  qwen3-tts say "Hello." --model ./small

int8: eight bits for talker and code predictor. int4: four for the talker, eight for the rest of
both. Embeddings, norms and the codec keep their type. On a CPU speech is then made as with
`--quantize`, from the same numbers, but the file is smaller and loads without the work of rounding.
"""
PLANS = ("int8", "int4")


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "quantize",
        help="write a checkpoint with small weights",
        description="Write a checkpoint with rounded weights, for CPUs.",
        epilog=EPILOG,
    )
    parser.add_argument(
        "model", metavar="MODEL", type=file_name, help="a folder, a hub id, or nano"
    )
    parser.add_argument("out", metavar="OUT", type=file_name, help="a new folder")
    parser.add_argument("--to", choices=PLANS, default="int8", help="(default: %(default)s)")
    parser.add_argument("--revision", help="branch, tag or commit of a hub id (default: main)")
    parser.add_argument("--offline", action="store_true", help="use only files that are cached")
    parser.add_argument("--force", action="store_true", help="write into a folder that has files")
    parser.add_argument("--json", action="store_true", help="describe the result on stdout")
    parser.add_argument("--quiet", "-q", action="store_true", help="only warnings and errors")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    out = Path(args.out)
    check_new_folder(out, args.force)
    from qwen3_tts.backends.describe import locate

    show = not args.quiet
    folder = locate(args.model, revision=args.revision, offline=args.offline, progress=show)
    from qwen3_tts.backends.quantized import quantize_checkpoint  # torch comes with it

    with working(f"Rounding to {args.to}", show):
        before, after = quantize_checkpoint(folder, out, args.to)
    if args.json:
        about = {"folder": args.out, "quantize": args.to, "bytes": after, "bytes_before": before}
        print(json.dumps(about))
    elif show:
        close(f"{args.out}: {args.to}, {after / 1e6:.1f} MB of weights, before {before / 1e6:.1f}")
    return 0
