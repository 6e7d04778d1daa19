"""`qwen3-tts data`: what a training learns from, spoken by synthetic voices or by people."""

import argparse
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import qwen3_tts
from qwen3_tts.cli import opening
from qwen3_tts.cli.messages import UsageError, close, working
from qwen3_tts.cli.opening import Commands
from qwen3_tts.cli.streams import file_name
from qwen3_tts.errors import InvalidRequest
from qwen3_tts.train.recipe.flite import VOICES

LANGUAGES = ("english",)  # that the voices speak
SHARES = {"rms": 0.48, "slt": 0.28, "awb": 0.24}

EPILOG = """\
examples:
  qwen3-tts data make corpus
  qwen3-tts data encode corpus
  qwen3-tts data encode --jsonl train_raw.jsonl --model Qwen/Qwen3-TTS-Tokenizer-12Hz -o mine

`make` writes sentences and has flite's voices speak them; nothing is fetched. `encode FOLDER` makes
codebooks from that speech, and its codes. `encode --jsonl` takes the codes of recordings that are
listed as the official fine-tuning wants them, one JSON object a line:

  {"audio": "a/1.wav", "text": "What is said.", "ref_audio": "ref.wav", "language": "English"}

Files are relative to the list; `language` and `speaker` may be left out. The folder then holds the
official train.jsonl, with `audio_codes`, beside the same as utterances.jsonl and codes.npy.
"""


def add_parser(commands: Commands) -> None:
    about = "Make or encode the speech that a training learns from."
    parser = commands.add_parser(
        "data", help="speech to train on", description=about, epilog=EPILOG
    )
    steps = parser.add_subparsers(title="steps", metavar="STEP", required=True)
    _add_make(steps)
    _add_encode(steps)


def _add_make(steps: Commands) -> None:
    make = steps.add_parser("make", help="sentences, spoken by synthetic voices", epilog=EPILOG)
    make.add_argument("folder", metavar="FOLDER", type=file_name, help="a new folder")
    make.add_argument(
        "--language", "-l", choices=LANGUAGES, default=LANGUAGES[0], help="of the sentences"
    )
    make.add_argument(
        "--count",
        type=positive_int,
        default=92_000,
        metavar="N",
        help="sentences to train on (default: 92000, 67 hours and 12 GB); 120 more are held out",
    )
    shares = ", ".join(f"{name}={share}" for name, share in SHARES.items())
    make.add_argument(
        "--voice",
        action="append",
        type=voice_share,
        metavar="NAME=SHARE",
        help=f"a voice and its share of the sentences, any number of times (default: {shares}); "
        f"there are: {', '.join(VOICES)}",
    )
    make.add_argument("--seed", type=int, default=1, help="of the sentences (default: 1)")
    make.add_argument(
        "--workers", type=positive_int, metavar="N", help="processes (default: one a core)"
    )
    _add_common_options(make)
    make.set_defaults(run=run_make)


def _add_encode(steps: Commands) -> None:
    encode = steps.add_parser("encode", help="speech to codes", epilog=EPILOG)
    encode.add_argument(
        "folder", metavar="FOLDER", type=file_name, nargs="?", help="what `make` wrote"
    )
    books = encode.add_argument_group("codebooks, made from FOLDER")
    for name, default, what in (
        ("--books", 6, "codes of a frame"),
        ("--size", 512, "entries of a codebook"),
        ("--width", 48, "numbers of an entry"),
    ):
        books.add_argument(
            name,
            type=positive_int,
            default=default,
            metavar="N",
            help=f"{what} (default: {default})",
        )
    books.add_argument("--seed", type=int, default=0, help="(default: 0)")
    books.add_argument(
        "--like", metavar="FOLDER", type=file_name, help="take the codebooks of this corpus instead"
    )
    listed = encode.add_argument_group("recordings, encoded by a trained codec")
    listed.add_argument(
        "--jsonl", metavar="FILE", type=file_name, help="the list, instead of FOLDER"
    )
    listed.add_argument("--output", "-o", metavar="FOLDER", type=file_name, help="a new folder")
    listed.add_argument(
        "--speaker", default="speaker", metavar="NAME", help="where a line names none (%(default)s)"
    )
    listed.add_argument(
        "--language", default="english", metavar="NAME", help="likewise (%(default)s)"
    )
    listed.add_argument(
        "--held-out-every",
        type=int,
        default=20,
        metavar="N",
        help="keep every Nth line out of the training, to test it with (%(default)s; 0: none)",
    )
    opening.add_model_options(encode, codec=True)
    opening.add_device_options(encode, dtype=False)
    _add_common_options(encode)
    encode.set_defaults(run=run_encode)


def _add_common_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--force", action="store_true", help="write into a folder that has files")
    parser.add_argument("--json", action="store_true", help="describe the result on stdout")
    parser.add_argument("--quiet", "-q", action="store_true", help="only warnings and errors")


def run_make(args: argparse.Namespace) -> int:
    from qwen3_tts.train.recipe.corpus import Line, build_corpus, describe, spread
    from qwen3_tts.train.recipe.flite import Flite
    from qwen3_tts.train.recipe.sentences import held_out_english, sentences

    folder = Path(args.folder)
    check_new_folder(folder, args.force)
    shares = dict(args.voice or SHARES)
    for voice in shares:
        Flite(voice)  # says at once, and not after minutes, what is not installed
    with working("Writing sentences", not args.quiet):
        texts = sentences(args.language, args.count, seed=args.seed)
    lines = spread(texts, shares, args.language)
    lines += [
        Line(text, voice, args.language, "held_out")
        for voice in shares
        for text in held_out_english()
    ]
    told = counter("Speaking", len(lines), not args.quiet)
    build_corpus(folder, lines, workers=args.workers or os.cpu_count() or 1, progress=told)
    found = describe(folder)
    if args.json:
        print(json.dumps({"folder": args.folder, **found}))
    elif not args.quiet:
        hours = ", ".join(f"{name} {hours} h" for name, hours in found["hours"].items())
        close(f"{args.folder}: {found['utterances']} utterances; {hours}")
    return 0


def run_encode(args: argparse.Namespace) -> int:
    if (args.folder is None) == (args.jsonl is None):
        raise UsageError("give either FOLDER, which `data make` wrote, or --jsonl FILE")
    if args.jsonl is not None:
        return _encode_list(args)
    if args.output is not None:
        raise UsageError("--output goes with --jsonl; codes of FOLDER are written into it")
    from qwen3_tts.train.books import encode_corpus
    from qwen3_tts.train.codec_run import write_untrained

    folder = Path(args.folder)
    with working("Making codebooks", not args.quiet):
        left = encode_corpus(
            folder,
            books=args.books,
            size=args.size,
            width=args.width,
            seed=args.seed,
            like=Path(args.like) if args.like else None,
        )
        write_untrained(folder, seed=args.seed)
    if args.json:
        print(json.dumps({"folder": args.folder, "left": left}))
    elif not args.quiet:
        rest = f"; not in the codes: {left[-1]:.1%} of the sound's variance" if left else ""
        close(f"{args.folder}: codes.npy and codec/{rest}")
    return 0


def _encode_list(args: argparse.Namespace) -> int:
    if args.output is None:
        raise UsageError("--jsonl needs --output FOLDER")
    from qwen3_tts.train.jsonl import encode_lines, read_lines

    out = Path(args.output)
    check_new_folder(out, args.force)
    lines = read_lines(Path(args.jsonl), speaker=args.speaker, language=args.language)
    codec = qwen3_tts.load_codec(
        str(args.model),
        device=args.device,
        revision=args.revision,
        offline=args.offline,
        progress=not args.quiet,
    )
    told = counter("Encoding", len(lines), not args.quiet)
    frames = encode_lines(lines, out, codec, held_out_every=args.held_out_every, progress=told)
    if args.json:
        print(json.dumps({"folder": args.output, "utterances": len(lines), "frames": frames}))
    elif not args.quiet:
        close(f"{args.output}: {len(lines)} utterances, {frames} frames")
    return 0


def positive_int(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number above 0")
    return int(text)


def voice_share(text: str) -> tuple[str, float]:
    """NAME=SHARE, or NAME alone for a share of 1."""
    name, equals, number = text.partition("=")
    if name not in VOICES:
        raise argparse.ArgumentTypeError(f"{name!r} is none of {', '.join(VOICES)}")
    try:
        share = float(number) if equals else 1.0
    except ValueError:
        share = 0.0
    if not 0 < share < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=SHARE with a share above 0")
    return name, share


def check_new_folder(folder: Path, force: bool) -> None:
    """Raise `InvalidRequest` for a folder that has files, unless forced."""
    if folder.is_dir() and any(folder.iterdir()) and not force:
        raise InvalidRequest(f"folder `{folder}` is not empty; give a new one, or pass --force")
    if folder.exists() and not folder.is_dir():
        raise InvalidRequest(f"`{folder}` is not a folder")


def counter(what: str, total: int, show: bool) -> Callable[[int], None]:
    """A line on stderr that counts, if asked for and stderr is a terminal."""
    show = show and sys.stderr.isatty()

    def tell(done: int) -> None:
        if show and (done % 10 == 0 or done == total):
            end = "\n" if done == total else ""
            line = f"\r{what}: {done} of {total} ({done / total:.0%})"
            print(line, end=end, file=sys.stderr, flush=True)

    return tell
