"""`qwen3-tts voices`: what a checkpoint can do, read from its small files."""

import argparse
import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from qwen3_tts.cli import opening
from qwen3_tts.cli.opening import Commands

if TYPE_CHECKING:
    from qwen3_tts.backends.describe import Description

EPILOG = """\
examples:
  qwen3-tts voices --model Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice
  qwen3-tts voices --json | jq -r ".voices | keys[]"

A hub id that is not cached yet is fetched, weights included; they are not loaded.
"""
ABILITIES = {
    "base": "has no presets: it clones, see `say --ref-audio` and `say --voice-file`",
    "custom_voice": "speaks in preset voices, see `say --voice`",
    "voice_design": "has no presets: it takes descriptions, see `say --instruct`",
}


def add_parser(commands: Commands) -> None:
    about = "List the preset voices and the languages of a checkpoint."
    parser = commands.add_parser(
        "voices", help="list voices and languages", description=about, epilog=EPILOG
    )
    opening.add_model_options(parser)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.add_argument("--quiet", "-q", action="store_true", help="no progress of downloads")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    model = str(args.model)
    from qwen3_tts.backends.describe import describe, locate

    folder = locate(model, revision=args.revision, offline=args.offline, progress=not args.quiet)
    found = describe(folder)
    if args.json:
        print(json.dumps({"model": model, **asdict(found)}))
    else:
        print("\n".join(_lines(model, found)))
    return 0


def _lines(model: str, found: "Description") -> list[str]:
    lines = [f"{model}", f"kind: {found.kind} {found.size}, {ABILITIES[found.kind]}"]
    if found.voices:
        lines.append("voices:")
        for name, dialect in found.voices.items():
            lines.append(f"  {name}" + (f" ({dialect})" if dialect else ""))
    return [*lines, "languages:", *(f"  {name}" for name in found.languages)]
