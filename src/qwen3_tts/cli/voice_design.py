"""`qwen3-tts voice design`: a description becomes takes, and one of them a voice."""

import argparse
import json
import secrets
from contextlib import closing
from dataclasses import replace
from pathlib import Path

from qwen3_tts.audio.files import write_audio
from qwen3_tts.cli import opening
from qwen3_tts.cli.messages import UsageError, close, complain, working
from qwen3_tts.cli.opening import Commands
from qwen3_tts.cli.streams import file_name
from qwen3_tts.cli.voice_add import check_place
from qwen3_tts.cli.voice_options import add_library_options, library_of, model_family, provenance
from qwen3_tts.cli.voice_takes import (
    MOST_TAKES,
    Design,
    is_spoken,
    read_design,
    take_path,
    write_design,
)
from qwen3_tts.errors import InvalidRequest, UnsupportedRequest
from qwen3_tts.prompt.languages import AUTO, resolve_language
from qwen3_tts.types import SpeechRequest
from qwen3_tts.voices.library import VoiceEntry
from qwen3_tts.voices.samples import sample_text

DEFAULT_TAKES = 3
LARGEST_SEED = 2**63 - 1 - MOST_TAKES

EPILOG = """\
examples:
  qwen3-tts voice design "A warm, elderly narrator" --takes 3 --folder narrator \\
      --model Qwen/Qwen3-TTS-12Hz-1.7B-VoiceDesign
  qwen3-tts voice design --folder narrator --pick 2 --name narrator \\
      --base Qwen/Qwen3-TTS-12Hz-0.6B-Base

The first speaks a text with several seeds into narrator/take-1.wav, take-2.wav, ...; the second
clones the take you like best, which then is a voice like any other. Nothing is lost between them:
narrator/design.json has the description, the text and every seed, takes are not rounded to 16 bits,
a run that was interrupted goes on where it ended, and more --takes are added to those there are.
With --name and without --pick one take is spoken and cloned at once.
"""


def add_parser(ways: Commands) -> None:
    about = "design a voice by a description, choose a take and keep it"
    parser = ways.add_parser(
        "design",
        usage="qwen3-tts voice design [DESCRIPTION] [options]",
        help=about,
        description=f"{about[0].upper()}{about[1:]}.",
        epilog=EPILOG,
    )
    parser.add_argument("description", metavar="DESCRIPTION", nargs="?", help="what it is like")
    parser.add_argument(
        "--folder", metavar="FOLDER", type=file_name, default="voice-design",
        help="where the takes are (default: %(default)s)",
    )  # fmt: skip
    parser.add_argument(
        "--takes", type=int, metavar="N", help=f"how many are spoken (default: {DEFAULT_TAKES})"
    )
    parser.add_argument("--text", help="what they say (default: a sample in the language)")
    parser.add_argument("--language", "-l", default="Auto", help="name or ISO code (default: Auto)")
    parser.add_argument("--seed", type=int, help="of the first take, the next has the next one")
    parser.add_argument("--pick", type=int, metavar="K", help="make a voice of take K")
    parser.add_argument(
        "--base", metavar="MODEL", type=file_name, help="base checkpoint to clone it"
    )
    parser.add_argument("--name", help="what the voice is called")
    parser.add_argument(
        "--mode", choices=("icl", "x_vector"), default="icl", help="as for `add` (default: icl)"
    )
    add_library_options(parser)
    opening.add_model_options(parser)  # --revision is that of --model
    opening.add_device_options(parser)
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    _check_usage(args)
    folder = Path(args.folder)
    if args.name is not None:
        check_place(library_of(args), args.name, None)
        _check_kind(_with_base(args), "base", "clones")
    if args.description is not None:
        design = _speak(args, folder)
    else:
        found = read_design(folder)
        if found is None:
            raise InvalidRequest(f"there is no design in `{folder}`; describe a voice first")
        design = found
    if args.name is None:
        _close_takes(args, folder, design)
        return 0
    entry = _keep(args, folder, design, args.pick or 1)
    if args.json:
        print(json.dumps({"id": entry.id, "name": entry.name, "folder": str(folder)}))
    elif not args.quiet:
        close(f"{entry.name} ({entry.id}): made of take {args.pick or 1}; {folder} is kept")
    return 0


def _check_usage(args: argparse.Namespace) -> None:
    if args.description is not None and not args.description.strip():
        raise UsageError("the description is empty; say what the voice is like")
    if args.description is None and args.pick is None:
        raise UsageError("give a DESCRIPTION, or --pick K to make a voice of a take that is there")
    if (args.name is None) != (args.base is None) or (args.pick and args.name is None):
        raise UsageError("a voice is made with --name NAME and --base MODEL, both of them")
    if args.name is not None and args.pick is None and (args.takes or 1) != 1:
        raise UsageError(f"which of {args.takes} takes becomes the voice? say --pick K")
    for name, most in (("takes", MOST_TAKES), ("pick", MOST_TAKES), ("seed", LARGEST_SEED)):
        least, given = (0 if name == "seed" else 1), getattr(args, name)
        if given is not None and not least <= given <= most:
            raise UsageError(f"--{name} is {given}, allowed: {least} to {most}")


def _speak(args: argparse.Namespace, folder: Path) -> Design:
    """Speak the takes that are not there yet."""
    design = _planned(args, folder)
    missing = [i for i in range(len(design.takes)) if not is_spoken(folder, design, i)]
    if not missing:
        return design
    request = SpeechRequest(design.text, language=design.language, instruct=design.description)
    _check_kind(args, "voice_design", "designs")
    with closing(opening.open_synthesizer(args, request, clone=False)) as tts:
        folder.mkdir(parents=True, exist_ok=True)
        write_design(folder, design)
        for index in missing:
            with working(f"Speaking take {index + 1}", not args.quiet):
                seed = design.takes[index].seed
                speech = tts.synthesize_batch([replace(request, seed=seed)])[0]
            path = take_path(folder, index)
            write_audio(path, speech.wave, speech.sample_rate, subtype="FLOAT")
            design = design.spoken(index, speech.finish_reason)
            write_design(folder, design)
    return design


def _planned(args: argparse.Namespace, folder: Path) -> Design:
    """The design that is asked for, with the takes of it that are there."""
    from qwen3_tts.backends.describe import describe, locate

    source = locate(
        str(args.model), revision=args.revision, offline=args.offline, progress=not args.quiet
    )
    language = resolve_language(args.language, describe(source).languages)
    text = args.text or sample_text("english" if language == AUTO else language)
    asked = Design(args.description.strip(), text.strip(), language, Path(args.model).name)
    there = read_design(folder)
    if there is not None:
        if replace(there, takes=()) != asked:
            raise InvalidRequest(
                f"`{folder}` holds the takes of another design; give another --folder"
            )
        if args.seed not in (None, there.takes[0].seed):
            raise InvalidRequest(
                f"the takes in `{folder}` begin with seed {there.takes[0].seed}; leave out --seed"
            )
        asked = there
    count = args.takes or (args.pick or 1 if args.name is not None else DEFAULT_TAKES)
    first = secrets.randbelow(2**32) if args.seed is None else args.seed
    return asked.with_seeds(count, first)


def _check_kind(args: argparse.Namespace, wanted: str, verb: str) -> None:
    """Fetch a checkpoint and see that it is of the kind that is needed."""
    from qwen3_tts.backends.describe import describe, locate

    kind = describe(
        locate(
            str(args.model), revision=args.revision, offline=args.offline, progress=not args.quiet
        )
    ).kind
    if kind != wanted:
        raise UnsupportedRequest(
            f"a {kind} checkpoint {verb} no voices, and {Path(args.model).name!r} is one; "
            f"pass a {wanted} checkpoint"
        )


def _with_base(args: argparse.Namespace) -> argparse.Namespace:
    return argparse.Namespace(**{**vars(args), "model": args.base, "revision": None})


def _keep(args: argparse.Namespace, folder: Path, design: Design, number: int) -> VoiceEntry:
    """Clone one take with the base checkpoint and add it to the library."""
    if number > len(design.takes) or not is_spoken(folder, design, number - 1):
        there = [str(i + 1) for i in range(len(design.takes)) if is_spoken(folder, design, i)]
        raise InvalidRequest(
            f"there is no take {number} in `{folder}`; have: {', '.join(there) or 'none'}"
        )
    take = design.takes[number - 1]
    if take.ended != "stop":
        complain(
            f"warning: take {number} did not end by itself ({take.ended}), so it may not say all "
            "of its text; another take makes a better voice"
        )
    wav = take_path(folder, number - 1).read_bytes()
    language = None if design.language == AUTO else design.language
    base = _with_base(args)
    tts = opening.open_synthesizer(base, SpeechRequest("a", language=design.language), clone=True)
    with working("Listening", not args.quiet):
        voice = tts.clone_voice(wav, design.text, mode=args.mode, language=language)
    voice = replace(
        voice,
        name=args.name,
        model=voice.model or model_family(base),
        provenance=provenance(
            "design",
            description=design.description,
            text=design.text,
            model=design.model,
            seed=take.seed,
        ),
    )
    return library_of(args).add(
        voice,
        name=args.name,
        recording=wav,
        transcript=design.text,
        language=language,
        description=design.description,
    )


def _close_takes(args: argparse.Namespace, folder: Path, design: Design) -> None:
    paths = [str(take_path(folder, i)) for i in range(len(design.takes))]
    if args.json:
        takes = [
            {"file": path, "seed": take.seed, "ended": take.ended}
            for path, take in zip(paths, design.takes, strict=True)
        ]
        print(json.dumps({"folder": str(folder), "takes": takes}))
    elif not args.quiet:
        for path, take in zip(paths, design.takes, strict=True):
            close(f"{path}: seed {take.seed}, ended: {take.ended}")
        close(f"listen, then: voice design --folder {folder} --pick K --name NAME --base MODEL")
