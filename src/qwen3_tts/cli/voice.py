"""`qwen3-tts voice`: voices with a name, made once and kept."""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from qwen3_tts.cli import streams, voice_add, voice_design
from qwen3_tts.cli.messages import UsageError, close
from qwen3_tts.cli.opening import Commands
from qwen3_tts.cli.streams import file_name
from qwen3_tts.cli.voice_options import add_library_options, library_of
from qwen3_tts.cli.voice_shown import everything, kind_of, lines_of, summary, table
from qwen3_tts.types import Voice
from qwen3_tts.voices.convert import from_official_prompt
from qwen3_tts.voices.library import VoiceEntry
from qwen3_tts.voices.mixing import METHODS, mix, parse_recipe
from qwen3_tts.voices.names import is_id

SUFFIX = ".voice.safetensors"

EPILOG = """\
examples:
  qwen3-tts voice add anna.wav --name anna --text "What she says in anna.wav."
  qwen3-tts voice add happy.wav --name anna --style happy --text "What she says there."
  qwen3-tts voice design "A warm, elderly narrator" --takes 3
  qwen3-tts voice mix "anna(2)+ben" --name both
  qwen3-tts voice export anna -o anna.voice.safetensors
  qwen3-tts say "Hello." --voice-file anna.voice.safetensors

A server that is started with the same folder of voices speaks in them, too. `voice WAY --help`
explains a way.
"""


def add_parser(commands: Commands) -> None:
    about = "Make, keep and share voices."
    parser = commands.add_parser(
        "voice", help="make, keep and share voices", description=about, epilog=EPILOG
    )
    ways = parser.add_subparsers(title="ways", metavar="WAY", required=True)
    voice_add.add_parser(ways)
    voice_design.add_parser(ways)
    _add_mix(ways)
    _add_list(ways)
    show = _add_way(ways, "show", "all that is known of a voice", run_show)
    rename = _add_way(ways, "rename", "give a voice another name", run_rename)
    remove = _add_way(ways, "remove", "delete a voice, or one of its takes", run_remove)
    export = _add_way(ways, "export", "write a voice as one file", run_export)
    for parser in (show, rename, remove, export):
        parser.add_argument("voice", metavar="VOICE", help="its name or id")
        add_library_options(parser)
    rename.add_argument("name", metavar="NAME", help="what it is to be called")
    remove.add_argument("--style", help="remove only the take of this style")
    export.add_argument(
        "--output", "-o", metavar="FILE", type=file_name, help=f"(default: VOICE{SUFFIX})"
    )
    _add_import(ways)


def _add_way(ways: Commands, name: str, about: str, run: Any) -> Any:
    parser = ways.add_parser(name, help=about, description=f"{about[0].upper()}{about[1:]}.")
    parser.set_defaults(run=run)
    return parser


def _add_mix(ways: Commands) -> None:
    parser = _add_way(ways, "mix", "blend voices into a new one", run_mix)
    parser.add_argument("recipe", metavar="RECIPE", help="voices and weights: anna(2)+ben(1)")
    parser.add_argument("--name", required=True, help="what the new voice is called")
    parser.add_argument(
        "--method",
        choices=METHODS,
        default="slerp",
        help="how vectors are blended (default: %(default)s)",
    )
    add_library_options(parser)


def _add_list(ways: Commands) -> None:
    add_library_options(_add_way(ways, "list", "all voices", run_list))


def _add_import(ways: Commands) -> None:
    about = "add voices from files: of `voice export`, or .pt prompts of the official package"
    parser = _add_way(ways, "import", about, run_import)
    parser.add_argument("files", metavar="FILE", nargs="+", type=file_name)
    parser.add_argument("--name", help="instead of the name in the file, or that of the file")
    add_library_options(parser)


def run_list(args: argparse.Namespace) -> int:
    library = library_of(args)
    told = [summary(library, entry) for entry in library.entries()]
    if args.json:
        print(json.dumps({"voices": told}))
    elif told:
        print("\n".join(table(told)))
    elif not args.quiet:
        close(f"no voices in {library.folder}; `qwen3-tts voice add` makes one")
    return 0


def run_show(args: argparse.Namespace) -> int:
    library = library_of(args)
    told = everything(library, library.find(args.voice))
    if args.json:
        print(json.dumps(told))
    else:
        print("\n".join(lines_of(told)))
    return 0


def run_rename(args: argparse.Namespace) -> int:
    library = library_of(args)
    before = library.find(args.voice)
    return _done(args, library.rename(before.id, args.name), f"was {before.name}")


def run_remove(args: argparse.Namespace) -> int:
    library = library_of(args)
    entry = library.find(args.voice)
    if args.style:
        voice = library.remove_take(entry.id, args.style)
        return _done(args, entry, f"has: {', '.join(voice.styles)}")
    library.remove(entry.id)
    return _done(args, entry, "removed")


def run_export(args: argparse.Namespace) -> int:
    library = library_of(args)
    entry = library.find(args.voice)
    output = args.output or f"{entry.name if is_id(entry.name) else entry.id}{SUFFIX}"
    if output == streams.STREAM:
        raise UsageError("a voice file cannot be a stream; give a file name")
    streams.check_target(output)
    library.portable(entry).save(output)
    return _done(args, entry, f"written to {output}", output=output)


def run_import(args: argparse.Namespace) -> int:
    """Every file is read before the first voice is added."""
    library = library_of(args)
    found = [voice for name in args.files for voice in _voices_of(Path(name))]
    if args.name is not None:
        names = (
            [args.name] if len(found) == 1 else [f"{args.name} {i + 1}" for i in range(len(found))]
        )
        found = [replace(voice, name=name) for voice, name in zip(found, names, strict=True)]
    for voice in found:
        description = (voice.provenance or {}).get("description")
        entry = library.add(
            voice,
            name=voice.name,
            description=description if isinstance(description, str) else "",
        )
        _done(args, entry, f"added, {kind_of(voice)}")
    return 0


def run_mix(args: argparse.Namespace) -> int:
    library = library_of(args)
    parts = []
    for name, weight in parse_recipe(args.recipe):
        entry = library.find(name)
        parts.append((library.portable(entry), weight))
    voice = mix(parts, method=args.method, name=args.name)
    return _done(args, library.add(voice, name=args.name), f"mixed of {len(parts)} voices")


def _voices_of(path: Path) -> list[Voice]:
    """The voices of one file, each with a name."""
    stem = path.name.removesuffix(SUFFIX).removesuffix(path.suffix)
    if path.suffix.lower() != ".pt":
        voice = Voice.load(path)
        return [replace(voice, name=voice.name or stem)]
    voices = from_official_prompt(path)
    if len(voices) == 1:
        return [replace(voices[0], name=stem)]
    return [replace(voice, name=f"{stem} {i + 1}") for i, voice in enumerate(voices)]


def _done(args: argparse.Namespace, entry: VoiceEntry, what: str, **more: str) -> int:
    """The end of what was done to a voice: a line, or an object."""
    if args.json:
        print(json.dumps({"id": entry.id, "name": entry.name, "done": what, **more}))
    elif not args.quiet:
        close(f"{entry.name} ({entry.id}): {what}")
    return 0
