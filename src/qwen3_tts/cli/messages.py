"""What goes to stderr, always one line each: errors, warnings, closing lines, the sign of work.

With `--json` an error is a JSON line there, {"error": {"code", "message"}}: stdout stays free for
results, and a program that reads both never has to parse prose.
"""

import argparse
import json
import logging
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TextIO

from qwen3_tts.errors import SpeechWarning

PROGRAM = "qwen3-tts"


class UsageError(Exception):
    """The command line itself is wrong: exit code 2."""


class Parser(argparse.ArgumentParser):
    """A parser whose errors are exceptions, and which takes options by their full names only.

    An abbreviation that works today would break with the next option of the same beginning.
    """

    def __init__(self, **options: Any):
        layout = argparse.RawDescriptionHelpFormatter  # examples keep their lines
        super().__init__(allow_abbrev=False, formatter_class=layout, **options)

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"{message} (see `{self.prog} --help`)")


def complain(text: str) -> None:
    """A line on stderr that says which program speaks, as it may stand among those of others."""
    print(f"{PROGRAM}: {_one_line(text)}", file=sys.stderr)


def close(text: str) -> None:
    """The closing line of a command, on stderr: stdout may carry the result itself."""
    print(_one_line(text), file=sys.stderr)


def report_error(code: str, message: str, as_json: bool) -> None:
    """One line about what went wrong, for people or for machines."""
    if not as_json:
        return complain(message)
    error = {"code": code, "message": _one_line(message)}
    print(json.dumps({"error": error}), file=sys.stderr)


@contextmanager
def warnings_as_lines() -> Iterator[None]:
    """While it lasts, this package's warnings and log records are one line each on stderr."""
    logger, handler = logging.getLogger("qwen3_tts"), _LineHandler(logging.WARNING)
    logger.addHandler(handler)
    propagate, logger.propagate = logger.propagate, False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("always", SpeechWarning)
            others = warnings.showwarning

            def show(
                message: Warning | str,
                category: type[Warning],
                filename: str,
                lineno: int,
                file: TextIO | None = None,
                line: str | None = None,
            ) -> None:
                if issubclass(category, SpeechWarning):
                    complain(f"warning: {message}")
                else:
                    others(message, category, filename, lineno, file, line)

            warnings.showwarning = show
            yield
    finally:
        logger.propagate = propagate
        logger.removeHandler(handler)


class _LineHandler(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        complain(f"{record.levelname.lower()}: {record.getMessage()}")


@contextmanager
def working(what: str, show: bool) -> Iterator[None]:
    """A moving line with the seconds gone by, if asked for and stderr is a terminal."""
    if not (show and sys.stderr.isatty()):
        yield
        return
    try:
        from rich import progress
        from rich.console import Console
    except ImportError:  # only the sign of life is lost
        yield
        return
    columns = (
        progress.SpinnerColumn(),
        progress.TextColumn("{task.description}", markup=False),
        progress.TimeElapsedColumn(),
    )
    console = Console(stderr=True)
    # stdout may carry audio: it is not rich's to redirect.
    with progress.Progress(
        *columns, console=console, transient=True, redirect_stdout=False
    ) as display:
        display.add_task(what, total=None)
        yield


def _one_line(text: str) -> str:
    return " ".join(text.split("\n"))
