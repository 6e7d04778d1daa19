"""Entry of the command `qwen3-tts`: reads arguments, runs one subcommand, turns errors into codes.

Nothing here or in the subcommands' heads imports torch.
"""

import os
import sys
from collections.abc import Sequence

from qwen3_tts.cli import (
    codec,
    data,
    doctor,
    quantize,
    read,
    say,
    serve,
    text,
    train,
    voice,
    voices,
)
from qwen3_tts.cli.messages import (
    PROGRAM,
    Parser,
    UsageError,
    complain,
    report_error,
    warnings_as_lines,
)
from qwen3_tts.errors import SpeechError
from qwen3_tts.version import __version__

OK, FAILED, USAGE = 0, 1, 2
INTERRUPTED, BROKEN_PIPE = 130, 141  # 128 + the signal that would have ended the process

EPILOG = f"""\
examples:
  export QWEN3_TTS_MODEL=Qwen/Qwen3-TTS-12Hz-0.6B-CustomVoice
  {PROGRAM} say "Hello there." --voice ryan -o hello.wav
  echo "Good morning." | {PROGRAM} say -o - | aplay
  {PROGRAM} voice add me.wav --name me --text "What I say in me.wav." --model BASE
  {PROGRAM} read book.epub -o book.m4b
  {PROGRAM} doctor

`{PROGRAM} COMMAND --help` explains a command. `-` stands for stdin or stdout.

exit codes: 0 done; 1 it could not be done, one line on stderr says why; 2 wrong arguments;
130 interrupted; 141 the reader of stdout went away.

environment: QWEN3_TTS_MODEL, the model where --model is not given; HF_HOME, HF_HUB_CACHE,
HF_HUB_OFFLINE and HF_TOKEN as every program of the hub reads them.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command line (that of the process if None) and return its exit code."""
    words = list(sys.argv[1:] if argv is None else argv)
    as_json = "--json" in words
    try:
        with warnings_as_lines():
            return _run(words)
    except UsageError as error:
        report_error("usage", str(error), as_json)
        return USAGE
    except SpeechError as error:
        report_error(error.code, str(error), as_json)
        return FAILED
    except KeyboardInterrupt:
        complain("interrupted")
        return INTERRUPTED
    except BrokenPipeError:
        # The interpreter flushes stdout once more at its end, which must not complain either.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return BROKEN_PIPE
    except OSError as error:
        name = f"`{error.filename}`: " if error.filename else ""
        report_error("os_error", f"{name}{error.strerror or error}", as_json)
        return FAILED
    except ImportError as error:
        report_error("missing_package", f"{error}; `{PROGRAM} doctor` says how to add it", as_json)
        return FAILED
    except (MemoryError, RuntimeError) as error:
        if not _is_out_of_memory(error):
            raise
        report_error("out_of_memory", _memory_message(error), as_json)
        return FAILED


def _run(words: list[str]) -> int:
    parser = _parser()
    try:
        args = parser.parse_args(words)
        if args.run is None:
            parser.print_help(sys.stderr)
            return USAGE
        code: int = args.run(args)
    except SystemExit as end:  # --help and --version end so
        code = int(end.code or OK)
    sys.stdout.flush()  # here, where a reader that went away is expected
    return code


def _parser() -> Parser:
    parser = Parser(prog=PROGRAM, description="Qwen3-TTS speech synthesis, locally.", epilog=EPILOG)
    parser.add_argument("--version", action="version", version=f"{PROGRAM} {__version__}")
    parser.set_defaults(run=None)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for command in (
        say, read, text, voice, voices, serve, codec, quantize, data, train, doctor,
    ):  # fmt: skip
        command.add_parser(commands)
    return parser


def _is_out_of_memory(error: BaseException) -> bool:
    """Torch's errors are told by name and text, so that torch need not be imported to ask."""
    return (
        isinstance(error, MemoryError)
        or type(error).__name__ == "OutOfMemoryError"
        or "can't allocate memory" in str(error)
    )


def _memory_message(error: BaseException) -> str:
    first = str(error).partition("\n")[0]
    return f"out of memory; `{PROGRAM} doctor --model ...` tells what fits ({first})"
