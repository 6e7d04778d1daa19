"""`qwen3-tts train`: a codec and a talker of your own, and both together as a checkpoint."""

import argparse
import json
import math
import sys
from dataclasses import fields
from pathlib import Path

from qwen3_tts.cli.data import check_new_folder, positive_int
from qwen3_tts.cli.messages import close, working
from qwen3_tts.cli.opening import Commands
from qwen3_tts.cli.streams import file_name
from qwen3_tts.train.options import TalkerOptions

EPILOG = """\
examples:
  qwen3-tts train codec decoder --data corpus --out codec --minutes 60
  qwen3-tts train codec encoder --data corpus --out codec --minutes 60
  qwen3-tts train talker --data corpus --out talker --minutes 240
  qwen3-tts train pack --talker talker --data corpus --codec codec -o mine
  qwen3-tts say "Hello." --model ./mine

`qwen3-tts data` makes the corpus. The three trainings need nothing of each other and may run side
by side. Each keeps its state in --out: a codec goes on from it by itself, a talker with --resume.
"""
CHOICES = {"optimizer": ("adamw", "muon"), "precision": ("bfloat16", "float32")}


def add_parser(commands: Commands) -> None:
    about = "Train a codec and a talker, and pack them into a checkpoint."
    parser = commands.add_parser(
        "train", help="train a small checkpoint", description=about, epilog=EPILOG
    )
    parts = parser.add_subparsers(title="parts", metavar="PART", required=True)
    _add_codec(parts)
    _add_talker(parts)
    _add_pack(parts)


def _add_codec(parts: Commands) -> None:
    codec = parts.add_parser("codec", help="codes to sound, and sound to codes", epilog=EPILOG)
    codec.add_argument("half", choices=("decoder", "encoder"), help="which half to train")
    _add_folders(codec, "folder for weights, state and log; both halves may share it")
    length = codec.add_mutually_exclusive_group(required=True)
    length.add_argument("--minutes", type=positive_float, default=0.0, help="train for this long")
    length.add_argument(
        "--steps", type=positive_int, default=0, help="or for this many steps: repeatable"
    )
    codec.add_argument(
        "--rows", type=positive_int, default=8, help="pieces of a step (%(default)s)"
    )
    codec.add_argument(
        "--frames", type=positive_int, default=12, help="length of a piece (%(default)s)"
    )
    codec.add_argument(
        "--lr", type=positive_float, default=1e-3, help="highest learning rate (%(default)s)"
    )
    codec.add_argument("--threads", type=positive_int, default=1, help="(%(default)s)")
    codec.add_argument("--seed", type=int, default=0, help="(%(default)s)")
    codec.add_argument("--quiet", "-q", action="store_true", help="only warnings and errors")
    codec.set_defaults(run=run_codec)


def _add_talker(parts: Commands) -> None:
    talker = parts.add_parser("talker", help="text to codes", epilog=EPILOG)
    _add_folders(talker, "checkpoint folder to write, with state, log and plots")
    talker.add_argument("--resume", action="store_true", help="go on from the state in --out")
    talker.add_argument(
        "--speaker",
        action="append",
        default=[],
        type=speaker_weight,
        metavar="NAME=WEIGHT",
        help="draw a speaker's utterances more or less often (1 where not given)",
    )
    for option in fields(TalkerOptions):
        talker.add_argument(
            f"--{option.name.replace('_', '-')}",
            type=type(option.default),
            choices=CHOICES.get(option.name),
            default=option.default,
            help=f"{option.metadata['help']} (%(default)s)",
        )
    talker.add_argument("--quiet", "-q", action="store_true", help="only warnings and errors")
    talker.set_defaults(run=run_talker)


def _add_pack(parts: Commands) -> None:
    pack = parts.add_parser("pack", help="talker and codec to one checkpoint folder", epilog=EPILOG)
    for name, what in (
        ("--talker", "what `train talker` wrote"),
        ("--data", "corpus folder"),
        ("--codec", "what `train codec` wrote, both halves"),
    ):
        pack.add_argument(name, metavar="FOLDER", type=file_name, required=True, help=what)
    pack.add_argument(
        "--output", "-o", metavar="FOLDER", type=file_name, required=True, help="a new folder"
    )
    pack.add_argument(
        "--dtype",
        choices=("float16", "bfloat16"),
        default="float16",
        help="number format of all weights (default: float16)",
    )
    pack.add_argument("--force", action="store_true", help="write into a folder that has files")
    pack.add_argument("--json", action="store_true", help="describe the result on stdout")
    pack.add_argument("--quiet", "-q", action="store_true", help="only warnings and errors")
    pack.set_defaults(run=run_pack)


def _add_folders(parser: argparse.ArgumentParser, out: str) -> None:
    parser.add_argument(
        "--data", metavar="FOLDER", type=file_name, required=True, help="corpus folder"
    )
    parser.add_argument("--out", metavar="FOLDER", type=file_name, required=True, help=out)


def run_codec(args: argparse.Namespace) -> int:
    from qwen3_tts.train.codec_run import CodecOptions, train_half

    options = CodecOptions(
        minutes=args.minutes,
        rows=args.rows,
        frames=args.frames,
        peak_rate=args.lr,
        threads=args.threads,
        seed=args.seed,
        steps=args.steps,
    )
    with working(f"Training the {args.half}", not args.quiet):
        train_half(Path(args.data), Path(args.out), args.half, options)
    if not args.quiet:
        close(f"{args.out}: {args.half}.pt; losses in {args.half}.jsonl")
    return 0


def run_talker(args: argparse.Namespace) -> int:
    from qwen3_tts.train.talker import train

    options = TalkerOptions(**{o.name: getattr(args, o.name) for o in fields(TalkerOptions)})
    trainer = train(
        Path(args.data),
        Path(args.out),
        options,
        resume=args.resume,
        speaker_weights=dict(args.speaker),
        show=not args.quiet and sys.stderr.isatty(),
    )
    if not args.quiet:
        close(f"{args.out}: a checkpoint after {trainer.step} steps; losses in log.jsonl")
    return 0


def run_pack(args: argparse.Namespace) -> int:
    out = Path(args.output)
    check_new_folder(out, args.force)
    from qwen3_tts.train.codec_run import trained
    from qwen3_tts.train.pack import pack

    with working("Packing", not args.quiet):
        codec = trained(Path(args.data), Path(args.codec))
        size_bytes = pack(Path(args.talker), codec, out, args.dtype)
    if args.json:
        print(json.dumps({"folder": args.output, "bytes": size_bytes}))
    elif not args.quiet:
        close(f"{args.output}: {size_bytes / 1e6:.2f} MB")
    return 0


def positive_float(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 < number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number above 0")
    return number


def speaker_weight(text: str) -> tuple[str, float]:
    """NAME=WEIGHT; weight 0 leaves a speaker out."""
    name, _, number = text.partition("=")
    try:
        weight = float(number)
    except ValueError:
        weight = math.nan
    if not (name and 0 <= weight < math.inf):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=WEIGHT")
    return name.lower(), weight
