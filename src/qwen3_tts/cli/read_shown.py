"""What `qwen3-tts read` shows: the chapters of a book, how far it has come, and what came of it."""

import argparse
import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from qwen3_tts.cli.messages import close, complain
from qwen3_tts.reading.outline import Outline
from qwen3_tts.reading.reader import ReadChunk


def show_outline(plan_of_it: Outline, as_json: bool) -> None:
    if as_json:
        chapters = [vars(chapter) for chapter in plan_of_it.chapters]
        print(json.dumps({"chapters": chapters}))
        return
    for chapter in plan_of_it.chapters:
        minutes = chapter.estimated_s / 60
        title = chapter.title or "(no title)"
        print(f"{chapter.number:4}  {chapter.chars:7} characters  {minutes:5.0f} min  {title}")


@dataclass
class Done:
    """How far a reading has come."""

    segments: int = 0
    chars: int = 0
    cached: int = 0
    made_s: float = 0.0  # of sound that was not there yet
    sound_s: float = 0.0
    faults: int = 0

    def __post_init__(self) -> None:
        self.begun = time.monotonic()

    def count(self, chunk: ReadChunk, sample_rate: int) -> None:
        self.sound_s = chunk.start_s + len(chunk.wave) / sample_rate
        if chunk.made is None or chunk.segment is None:
            return
        self.segments += 1
        self.chars += len(chunk.segment.text)
        self.cached += chunk.made.cached
        self.made_s += 0.0 if chunk.made.cached else chunk.made.seconds
        if chunk.made.fault is not None:
            self.faults += 1
            text = chunk.segment.text
            shown = text if len(text) <= 60 else f"{text[:57]}..."
            complain(f"warning: segment {chunk.segment.index + 1} ({chunk.made.fault}): {shown!r}")

    @property
    def x_realtime(self) -> float:
        return self.made_s / max(time.monotonic() - self.begun, 1e-9)


@contextmanager
def progress_bar(plan_of_it: Outline, done: Done, show: bool) -> Iterator[Callable[[], None]]:
    """A bar on stderr, if that is a terminal; call what it gives to move it."""
    if not (show and sys.stderr.isatty()):
        yield lambda: None
        return
    try:
        from rich import progress
        from rich.console import Console
    except ImportError:  # only the bar is lost
        yield lambda: None
        return
    columns = (
        progress.TextColumn("Reading"),
        progress.BarColumn(),
        progress.TaskProgressColumn(),
        progress.TextColumn("{task.fields[told]}", markup=False),
        progress.TimeRemainingColumn(),
    )
    with progress.Progress(
        *columns, console=Console(stderr=True), transient=True, redirect_stdout=False
    ) as bar:
        task = bar.add_task("", total=plan_of_it.chars, told="")

        def move() -> None:
            told = f"{_clock(done.sound_s)} of sound, {done.x_realtime:.1f}x realtime"
            bar.update(task, completed=done.chars, told=told)

        yield move


def report(args: argparse.Namespace, output: str, done: Done) -> None:
    if args.json:
        result = {
            "output": output,
            "subtitles": args.subtitles,
            "seconds": done.sound_s,
            "segments": done.segments,
            "cached": done.cached,
            "faults": done.faults,
            "seed": args.seed,
            "x_realtime": done.x_realtime,
        }
        print(json.dumps(result))
    elif not args.quiet:
        kept = f", {done.cached} of them kept from before" if done.cached else ""
        close(
            f"{output}: {_clock(done.sound_s)} of speech in {done.segments} segments{kept}, "
            f"seed {args.seed}, {done.x_realtime:.1f}x realtime"
        )


def _clock(seconds: float) -> str:
    minutes, whole = divmod(round(seconds), 60)
    return f"{minutes // 60}:{minutes % 60:02}:{whole:02}"
