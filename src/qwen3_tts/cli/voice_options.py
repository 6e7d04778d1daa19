"""What the ways of `qwen3-tts voice` share: the folder, and what is noted of a new voice."""

import argparse
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from qwen3_tts.cli.messages import PROGRAM
from qwen3_tts.cli.streams import file_name
from qwen3_tts.version import __version__
from qwen3_tts.voice import FAMILY
from qwen3_tts.voices.library import VoiceLibrary
from qwen3_tts.voices.location import VARIABLES, voices_folder


def add_library_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--voices-dir",
        metavar="FOLDER",
        type=file_name,
        help=f"where voices are kept (default: ${VARIABLES[0]}, else the user's data folder)",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object on stdout")
    parser.add_argument("--quiet", "-q", action="store_true", help="only warnings and errors")


def library_of(args: argparse.Namespace) -> VoiceLibrary:
    return VoiceLibrary(Path(args.voices_dir) if args.voices_dir else voices_folder())


def model_family(args: argparse.Namespace) -> str:
    """Family and size of the model that was loaded, as voices note it."""
    from qwen3_tts.backends.describe import describe, locate

    folder = locate(str(args.model), revision=args.revision, offline=True)  # it is here by now
    return f"{FAMILY}-{describe(folder).size}"


def provenance(made: str, **details: Any) -> dict[str, Any]:
    """How a voice was made, when, and with what."""
    now = datetime.now(UTC).isoformat(timespec="seconds")
    return {"made": made, "at": now, "with": f"{PROGRAM} {__version__}", **details}
