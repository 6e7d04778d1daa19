"""`qwen3-tts read`: a book becomes one sound file, with chapters and subtitles.

It may be stopped and gone on with: finished segments are kept.
"""

import argparse
import os
import re
import warnings
from collections.abc import Iterable, Iterator
from dataclasses import replace
from pathlib import Path

from qwen3_tts.audio.tags import provenance
from qwen3_tts.cli import opening, streams
from qwen3_tts.cli.messages import UsageError, complain
from qwen3_tts.cli.opening import Commands
from qwen3_tts.cli.read_shown import Done, progress_bar, report, show_outline
from qwen3_tts.cli.streams import STREAM, file_name
from qwen3_tts.errors import InvalidRequest, SpeechError, SpeechWarning
from qwen3_tts.reading.cache import SegmentCache, checkpoint_digest
from qwen3_tts.reading.context import CONTEXTS
from qwen3_tts.reading.outline import outline
from qwen3_tts.reading.output import FORMATS, output_format
from qwen3_tts.reading.plan import FIRST_LIMIT, LIMIT, ReadSegment, plan
from qwen3_tts.reading.reader import ReadOptions, read
from qwen3_tts.reading.script import only_sections, pieces_of
from qwen3_tts.reading.sources import KINDS, Book, Markup, open_book, text_book
from qwen3_tts.reading.subtitles import subtitle_format
from qwen3_tts.reading.writing import ReadingFiles
from qwen3_tts.text.front import prepare
from qwen3_tts.text.lexicon import Lexicon
from qwen3_tts.text.pieces import Piece
from qwen3_tts.text.spoken_languages import known_language
from qwen3_tts.types import SpeechRequest, Voice
from qwen3_tts.version import __version__
from qwen3_tts.voices.library import VoiceLibrary
from qwen3_tts.voices.location import voices_folder

INTERRUPTED = 130  # as of every command that Ctrl-C ends
GIB = 2**30
DEFAULT_CACHE_GIB = 4.0
LONGEST_TAG = 300
BUNDLED_LIMIT = 90  # characters; the checkpoint that ships has never learnt a longer sentence

EPILOG = """\
examples:
  qwen3-tts read book.epub -o book.m4b
  qwen3-tts read notes.md -o notes.mp3 --subtitles notes.srt
  qwen3-tts read book.txt --list
  qwen3-tts read book.txt --only 2-4 -o part.wav --voice-file me.safetensors

Segments are kept as they are made. So a reading that was stopped goes on where it was when the same
command is given again, and after a change of the text only what was changed is made anew. The same
text, options and seed give the same file, whether it was stopped or not.
"""


def add_parser(commands: Commands) -> None:
    parser = commands.add_parser(
        "read",
        usage="qwen3-tts read FILE [options]",
        help="read a book aloud",
        description="Read a text of any length into one sound file.",
        epilog=EPILOG,
    )
    parser.add_argument("file", metavar="FILE", type=file_name, help=".txt, .md, .epub or -")
    parser.add_argument(
        "--kind", choices=sorted(set(KINDS.values())), help="instead of the suffix (stdin: txt)"
    )
    parser.add_argument("--only", metavar="LIST", type=_numbers, help="chapters, such as 1,3-5")
    parser.add_argument("--list", action="store_true", help="show the chapters, make no sound")
    opening.add_model_options(parser)
    group = parser.add_argument_group("voice and manner")
    who = group.add_mutually_exclusive_group()
    who.add_argument(
        "--voice", "-v", metavar="NAME", help="a preset, or a voice that `voice add` made"
    )
    who.add_argument("--voice-file", metavar="FILE", type=file_name, help="a cloned voice")
    group.add_argument("--style", metavar="NAME", help="one of the takes of a cloned voice")
    group.add_argument("--language", "-l", help="name or ISO code (default: that of the book)")
    group.add_argument("--instruct", metavar="TEXT", help="a voice or a manner, where it can")
    group.add_argument("--seed", type=int, default=0, help="another reading (default: 0)")
    group.add_argument(
        "--context",
        choices=CONTEXTS,
        default="auto",
        help="what a cloned voice hears before each segment (auto: its own reference and the "
        "segment before; for a voice without a reference nothing)",
    )
    group.add_argument(
        "--limit",
        type=int,
        metavar="N",
        help=f"most characters said in one go (default: {LIMIT}; nano: {BUNDLED_LIMIT})",
    )
    group.add_argument(
        "--lexicon", metavar="FILE", type=file_name, help="how to say the words that are in it"
    )
    group.add_argument(
        "--plain", action="store_true", help="read the text as it is: no markup, no numbers"
    )
    opening.add_device_options(parser)
    _add_output_options(parser)
    parser.set_defaults(run=run)


def _add_output_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("output")
    group.add_argument(
        "--output", "-o", metavar="FILE", type=file_name, help="(default: FILE's name and .wav)"
    )
    group.add_argument("--format", choices=FORMATS, help="instead of the suffix")
    group.add_argument("--subtitles", metavar="FILE", type=file_name, help=".srt or .vtt")
    group.add_argument(
        "--chapters",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="mark them in m4b and mp3 (default: yes)",
    )
    group.add_argument(
        "--provenance",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="say in the file that a machine spoke (default: yes)",
    )
    group.add_argument(
        "--parallel",
        type=int,
        default=1,
        metavar="N",
        help="segments made at once: faster, but samples may differ in their last bit",
    )
    group.add_argument("--cache", metavar="DIR", type=file_name, help="where segments are kept")
    group.add_argument("--no-cache", action="store_true", help="keep none")
    group.add_argument(
        "--cache-gib",
        type=float,
        default=DEFAULT_CACHE_GIB,
        metavar="X",
        help=f"the most they take; the oldest go (default: {DEFAULT_CACHE_GIB:g})",
    )
    group.add_argument("--json", action="store_true", help="describe the result on stdout")
    group.add_argument("--quiet", "-q", action="store_true", help="only warnings and errors")


def run(args: argparse.Namespace) -> int:
    """The whole text is planned once before the model is loaded: what is wrong shows then."""
    output = args.output or f"{_stem(args.file)}.{args.format or 'wav'}"
    format = _check_usage(args, output)
    book = _book(args)
    text = outline(_segments(args, book))
    if args.list:
        show_outline(text, args.json)
        return 0
    folder = checkpoint_folder(args)
    voice = _voice(args, folder)
    options = _options(args)
    request = SpeechRequest(
        text.first.text, voice, args.language or "Auto", instruct=args.instruct, seed=args.seed
    )
    warnings.filterwarnings("once", category=SpeechWarning)  # not once a segment
    tts = opening.open_synthesizer(args, request, clone=False)
    own = known_language(book.language)
    if not args.language and own in tts.languages:
        options = replace(options, language=own or "Auto")
    cache = None
    if not args.no_cache:
        options = replace(options, model=_identity(args, folder))
        cache = SegmentCache(args.cache or default_cache(), max_bytes=int(args.cache_gib * GIB))
    chunks = read(tts, _segments(args, book), voice, options=options, cache=cache)
    files = ReadingFiles(
        output,
        tts.sample_rate,
        format=format,
        tags=_tags(args, book),
        chapters=args.chapters,
        subtitles=args.subtitles,
    )
    done = Done()
    try:
        with files, progress_bar(text, done, not args.quiet) as show:
            for chunk in chunks:
                files.add(chunk)
                done.count(chunk, tts.sample_rate)
                show()
    except (KeyboardInterrupt, SpeechError) as error:
        kept = "" if cache is None else "; the same command goes on from there"
        complain(f"stopped after {done.segments} of {text.segments} segments{kept}")
        tts.close(drain=False)
        if isinstance(error, KeyboardInterrupt):
            return INTERRUPTED
        raise
    report(args, output, done)
    return 0


def checkpoint_folder(args: argparse.Namespace) -> Path:
    from qwen3_tts.backends.describe import locate

    show = not args.quiet
    return locate(str(args.model), revision=args.revision, offline=args.offline, progress=show)


def default_cache() -> Path:
    """Where finished segments are kept, if it is not said where. By the XDG rules."""
    base = Path(os.environ.get("XDG_CACHE_HOME", ""))
    try:
        base = base if base.is_absolute() else Path.home() / ".cache"
    except RuntimeError:  # a container's user that no file knows
        raise InvalidRequest("this user has no home folder; say --cache DIR") from None
    return base / "qwen3-tts" / "segments"


def _voice(args: argparse.Namespace, folder: Path) -> Voice | str | None:
    """A preset's name; for a base checkpoint a voice file, or a voice of the user's library."""
    from qwen3_tts.backends.describe import describe

    if args.voice_file:
        return Voice.load(args.voice_file).take(args.style)
    if args.voice and describe(folder).kind == "base":
        library = VoiceLibrary(voices_folder())
        return library.portable(library.find(args.voice)).take(args.style)
    name: str | None = args.voice
    return name


def _options(args: argparse.Namespace) -> ReadOptions:
    return ReadOptions(
        language=args.language or "Auto",
        instruct=args.instruct,
        seed=args.seed,
        context=args.context,
        streamed="none",  # nobody listens, and so every run gives the same samples
        parallel=args.parallel,
    )


def _identity(args: argparse.Namespace, folder: Path) -> str:
    """Which weights speak, and how they are run."""
    from qwen3_tts.backends.devices import choose

    choice = choose(args.device, args.dtype)
    return f"{checkpoint_digest(folder)} {choice.device} {choice.dtype}"


def _check_usage(args: argparse.Namespace, output: str) -> str:
    """The output's format. Raises `UsageError` and `InvalidRequest`."""
    if STREAM in (output, args.subtitles):
        raise UsageError("a reading cannot go to stdout; give a file name with -o FILE")
    if args.style and not (args.voice_file or args.voice):
        raise UsageError("--style needs --voice NAME or --voice-file FILE")
    if args.limit is not None and args.limit < 1:
        raise UsageError("--limit must be above 0")
    if not args.cache_gib > 0:
        raise UsageError("--cache-gib must be above 0; --no-cache keeps nothing")
    format = output_format(output, args.format)
    if args.subtitles:
        subtitle_format(args.subtitles)
    for target in (output, args.subtitles):
        streams.check_target(target)
    return format


def _book(args: argparse.Namespace) -> Book:
    if args.file != STREAM:
        return open_book(args.file, args.kind)
    if args.kind == "epub":
        raise UsageError("an EPUB cannot come from stdin; give a file name")
    return text_book(streams.read_text(STREAM), args.kind or "txt")


def _segments(args: argparse.Namespace, book: Book) -> Iterator[ReadSegment]:
    lexicon = Lexicon.load(args.lexicon) if args.lexicon else None
    language = args.language or known_language(book.language)

    def prepared(text: str, markup: Markup) -> Iterable[Piece]:
        if args.plain:
            return prepare(text, processing="plain").pieces
        return prepare(text, markup=markup, language=language, lexicon=lexicon).pieces

    pieces: Iterable[Piece] = pieces_of(book, prepared)
    if args.only:
        wanted: frozenset[int] = args.only
        pieces = only_sections(pieces, wanted.__contains__)
    limit = args.limit or (BUNDLED_LIMIT if args.model == opening.BUNDLED else LIMIT)
    return plan(pieces, limit=limit, first_limit=min(limit, FIRST_LIMIT))


def _tags(args: argparse.Namespace, book: Book) -> dict[str, str]:
    tags = provenance(__version__) if args.provenance else {}
    named = {"title": book.title or _stem(args.file), "artist": book.author or ""}
    return tags | {name: _one_line(text) for name, text in named.items() if text}


def _one_line(text: str) -> str:
    return "".join(char if char.isprintable() else " " for char in text)[:LONGEST_TAG]


def _stem(name: str) -> str:
    return "reading" if name == STREAM else Path(name).stem


def _numbers(text: str) -> frozenset[int]:
    """`1,3-5` as numbers, for argparse."""
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,5})(?:-(\d{1,5}))?\s*", part)
        if match is None:
            raise argparse.ArgumentTypeError(f"{text!r} is not a list such as 1,3-5")
        found |= set(range(int(match[1]), int(match[2] or match[1]) + 1))
    return frozenset(found)
