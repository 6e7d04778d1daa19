"""`qwen3-tts text`: what will be said, without saying it."""

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import get_args

from qwen3_tts.cli import streams
from qwen3_tts.cli.messages import UsageError, complain
from qwen3_tts.cli.opening import Commands
from qwen3_tts.cli.streams import STREAM, file_name
from qwen3_tts.text.front import GrammarName, prepare
from qwen3_tts.text.lexicon import Lexicon
from qwen3_tts.text.markup import Markup
from qwen3_tts.text.pieces import Break, Pause, Piece, Prepared, Say
from qwen3_tts.text.policy import Policy

EPILOG = """\
examples:
  qwen3-tts text "It costs $12.50 on 3/4/2021."
  qwen3-tts text chapter.md --lexicon names.tsv
  qwen3-tts text - --markup ssml < letter.xml
  qwen3-tts text "SQL is fun" --say SQL=sequel

TEXT that names a file is read from it; - reads stdin. One piece is printed a line: words as they
are, a pause as [pause 0.5s], the end of a paragraph as an empty line, a section as [section NAME].
What was left out is told on stderr.
"""


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "text",
        usage="qwen3-tts text [TEXT ... | FILE | -] [options]",
        help="show what will be said",
        description="Show what will be said: markup read, numbers in words, pauses.",
        epilog=EPILOG,
    )
    parser.add_argument("text", metavar="TEXT", nargs="*", help="words, one file, or - for stdin")
    parser.add_argument(
        "--markup", choices=get_args(Markup), default="auto", help="what the text is written in"
    )
    parser.add_argument("--language", "-l", default="Auto", help="name or ISO code (default: Auto)")
    parser.add_argument(
        "--lexicon", metavar="FILE", type=file_name, help="your pronunciations, a line each"
    )
    parser.add_argument(
        "--say",
        metavar="WORD=SPELLING",
        action="append",
        default=[],
        help="one pronunciation, above those of the lexicon; may be given again",
    )
    parser.add_argument("--plain", action="store_true", help="the text as it is")
    parser.add_argument(
        "--grammar",
        choices=get_args(GrammarName),
        default="own",
        help="whose rules read English and Chinese numbers (wetext is an optional package)",
    )
    policy = parser.add_argument_group("what becomes of")
    for name, choices in Policy.choices().items():
        policy.add_argument(
            f"--{name}", choices=choices, default=choices[0], help=f"default: {choices[0]}"
        )
    parser.add_argument("--json", action="store_true", help="pieces and notes as JSON on stdout")
    parser.add_argument("--quiet", "-q", action="store_true", help="do not tell what was left out")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    prepared = prepare(
        _text(args.text),
        processing="plain" if args.plain else "auto",
        markup=args.markup,
        language=args.language,
        lexicon=Lexicon.load(args.lexicon) if args.lexicon else None,
        pronunciations=_pronunciations(args.say),
        policy=Policy(**{name: getattr(args, name) for name in Policy.choices()}),
        grammar=args.grammar,
    )
    if args.json:
        print(json.dumps(_described(prepared), ensure_ascii=False))
        return 0
    sys.stdout.write("".join([_line(piece) + "\n" for piece in prepared.pieces]))
    if not args.quiet:
        for note in prepared.notes:
            complain(note)
    return 0


def _text(words: list[str]) -> str:
    if not words or words == [STREAM]:
        if not words and not streams.stdin_is_free():
            raise UsageError("no text: pass TEXT or a FILE, or pipe it in")
        return streams.read_text(STREAM)
    if len(words) == 1 and _is_file(words[0]):
        return streams.read_text(words[0])
    return " ".join(words)


def _is_file(name: str) -> bool:
    try:
        return len(name) < 1000 and Path(name).is_file()
    except (OSError, ValueError):  # a text that cannot be a file's name
        return False


def _pronunciations(given: list[str]) -> dict[str, str]:
    pairs = {}
    for pair in given:
        word, equals, spelling = pair.partition("=")
        if not (equals and word.strip() and spelling.strip()):
            raise UsageError(f"--say takes WORD=SPELLING, got {pair!r}")
        pairs[word] = spelling
    return pairs


def _line(piece: Piece) -> str:
    match piece:
        case Say():
            return _manner(piece) + piece.text
        case Pause():
            return f"[pause {piece.seconds:g}s]"
        case Break("section"):
            return f"[section {piece.title}]"
        case Break("paragraph"):
            return ""
        case _:
            return "[sentence]"


def _manner(piece: Say) -> str:
    """How the words are said, where that is not the usual way."""
    marks = []
    if piece.language:
        marks.append(piece.language)
    if piece.rate != 1.0:
        marks.append(f"rate {piece.rate:g}")
    if piece.volume_db:
        marks.append(f"volume {piece.volume_db:+g} dB")
    return f"[{', '.join(marks)}] " if marks else ""


def _described(prepared: Prepared) -> dict[str, object]:
    pieces = [{"kind": type(piece).__name__.lower(), **_fields(piece)} for piece in prepared.pieces]
    return {"pieces": pieces, "text": prepared.text, "notes": prepared.notes}


def _fields(piece: Piece) -> dict[str, object]:
    """A `Break`'s own kind is its `level`, as `kind` says what the piece is."""
    fields = asdict(piece)
    if isinstance(piece, Break):
        fields["level"] = fields.pop("kind")
    return fields
