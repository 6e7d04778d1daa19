"""`qwen3-tts codec`: recordings to codes and back, without the speech model."""

import argparse
import json

from qwen3_tts.audio.files import FORMATS, read_audio
from qwen3_tts.cli import opening, streams
from qwen3_tts.cli.messages import UsageError, close, working
from qwen3_tts.cli.opening import Commands
from qwen3_tts.cli.streams import STREAM, file_name

EPILOG = """\
examples:
  qwen3-tts codec encode speech.wav -o codes.npy
  qwen3-tts codec decode codes.npy -o again.wav
  qwen3-tts codec encode - -o - < speech.wav | qwen3-tts codec decode - -o again.flac

Codes are a .npy file, int64 [T, 16]: one row of 16 codes per 80 ms. Output files that exist are
overwritten.
"""


def add_parser(commands: Commands) -> None:
    about = "Turn recordings into codes and codes into recordings."
    parser = commands.add_parser(
        "codec", help="recordings to codes and back", description=about, epilog=EPILOG
    )
    ways = parser.add_subparsers(title="ways", metavar="WAY", required=True)
    encode = ways.add_parser("encode", help="a recording to codes", epilog=EPILOG)
    encode.add_argument("input", metavar="AUDIO", type=file_name, help="a recording; - is stdin")
    _add_options(encode, "codes, a .npy file; - is stdout", default="codes.npy")
    encode.set_defaults(run=run_encode)
    decode = ways.add_parser("decode", help="codes to a recording", epilog=EPILOG)
    decode.add_argument("input", metavar="CODES", type=file_name, help="a .npy file; - is stdin")
    _add_options(decode, "audio file; - is stdout", default="speech.wav")
    decode.add_argument("--format", choices=FORMATS, help="instead of the suffix")
    decode.set_defaults(run=run_decode)


def _add_options(parser: argparse.ArgumentParser, output: str, default: str) -> None:
    opening.add_model_options(parser, codec=True)
    opening.add_device_options(parser, dtype=False)
    parser.add_argument(
        "--output",
        "-o",
        metavar="FILE",
        type=file_name,
        default=default,
        help=f"{output} (default: {default})",
    )
    parser.add_argument("--json", action="store_true", help="describe the result on stdout")
    parser.add_argument("--quiet", "-q", action="store_true", help="only warnings and errors")


def run_encode(args: argparse.Namespace) -> int:
    _check(args)
    source = streams.read_bytes(args.input) if args.input == STREAM else args.input
    wave, sample_rate = read_audio(source)
    codec = opening.open_codec(args)
    with working("Encoding", not args.quiet):
        codes = codec.encode((wave, sample_rate))
    streams.save_codes(args.output, codes)
    _close(args, frames=len(codes), seconds=len(wave) / sample_rate)
    return 0


def run_decode(args: argparse.Namespace) -> int:
    format = streams.audio_format(args.output, args.format)
    _check(args)
    codes = streams.read_codes(args.input)
    codec = opening.open_codec(args)
    with working("Decoding", not args.quiet):
        wave = codec.decode(codes)
    streams.save_audio(args.output, wave, codec.sample_rate, format)
    _close(args, frames=len(codes), seconds=len(wave) / codec.sample_rate)
    return 0


def _check(args: argparse.Namespace) -> None:
    streams.check_target(args.output)
    if args.json and args.output == STREAM:
        raise UsageError("stdout can take one thing only: -o - or --json")


def _close(args: argparse.Namespace, *, frames: int, seconds: float) -> None:
    if args.json:
        print(json.dumps({"output": args.output, "frames": frames, "seconds": seconds}))
    elif not args.quiet:
        name = streams.shown(args.output, "stdout")
        close(f"{name}: {seconds:.1f} s, {frames} frames")
