"""What does sharing cost? The engine's thread, turn by turn, part by part.

Every part of a turn is timed without the parts it calls, so the parts add up to the turn. Model
arithmetic is what `engine/step.py` and the codec compute; sampling and random numbers are shown
apart from the networks. What is left is overhead: choosing rows, moving codes and chunks about,
guards, planning. Only turns in which all rows made a frame and no prompt was read are counted;
decodes fall on every few turns, and are spread over all. What another thread does meanwhile, a
decode "beside", is no part of a turn. Bounds: 1 ms at 8 rows, 3 ms at 32.

Chunks are small where the loop is slower than playback, and every chunk costs: so their mean size
is printed. Timing costs under a microsecond a call, most of it in the part around; the sum is
printed. Where others use the cores, `--clock cpu` counts only the time in which the thread ran.

    python bench/overhead.py [--size tiny] [--dtype float32] [--streams 1,8,32] [--clock cpu]
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace
from typing import Any

from setting import (
    Listener,
    Speaker,
    finish,
    headline,
    machine,
    median,
    ms,
    options_of,
    speaker,
    table,
)

from qwen3_tts.engine import runner as runner_file
from qwen3_tts.engine import slots as slots_file
from qwen3_tts.engine import step as step_file
from qwen3_tts.engine.chunks import FRAME_S, ChunkPlanner
from qwen3_tts.engine.guard import Guard
from qwen3_tts.engine.stream import Channel

BOUNDS_MS = {8: 1.0, 32: 3.0}
MODEL = ["talker", "code predictor", "embeddings", "loop body", "codec"]
SAMPLING = ["sampling", "random numbers"]
PROMPT = "prompt"
COUNTS = ["rows", "turns", "calls", "frames a chunk"]
BESIDE = "codec, beside"
CLOCKS = {"wall": time.perf_counter, "cpu": time.thread_time}

Parts = dict[str, float]


class Turns:
    """Seconds of every part of every turn."""

    def __init__(self, now: Callable[[], float]) -> None:
        self.now = now
        self.parts: Parts = defaultdict(float)  # of the turn under way
        self.inner = [0.0]  # time in timed parts, by depth
        self.thread: int | None = None  # the engine's; what others do is no part of a turn
        self.done: list[Parts] = []

    def time(self, owner: object, name: str, part: str) -> None:
        """Count what is spent in a function, less what it spends in other timed ones."""
        function: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **keywords: Any) -> Any:
            if self.thread not in (None, threading.get_ident()):
                return function(*args, **keywords)
            self.parts["calls"] += 1
            self.inner.append(0.0)
            start_s = self.now()
            try:
                return function(*args, **keywords)
            finally:
                spent_s = self.now() - start_s
                self.parts[part] += spent_s - self.inner.pop()
                self.inner[-1] += spent_s

        setattr(owner, name, timed)

    def time_beside(self, owner: object, name: str) -> None:
        """Count what other threads spend in a function."""
        function: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any, **keywords: Any) -> Any:
            start_s = time.perf_counter()
            result = function(*args, **keywords)
            if self.thread not in (None, threading.get_ident()):
                self.parts[BESIDE] += time.perf_counter() - start_s
            return result

        setattr(owner, name, timed)

    def end_after(self, owner: object, name: str, rows: list[Any]) -> None:
        """A turn ends with this function."""
        function: Callable[..., Any] = getattr(owner, name)

        def timed(*args: Any) -> Any:
            self.thread = threading.get_ident()
            result = function(*args)
            self.parts["rows"] = len(rows)
            self.done.append(dict(self.parts))
            self.parts.clear()
            return result

        setattr(owner, name, timed)


def main() -> None:
    parser = options_of("what the engine adds to the model's arithmetic", "1,8,32")
    parser.add_argument("--clock", default="wall", choices=list(CLOCKS), help="see above")
    options = parser.parse_args()
    with speaker(options) as spoken:
        about = machine(options) | {"clock": options.clock}
        print(headline(about) + f"; {options.clock} time", end="\n\n")
        turns = watch(spoken, Turns(CLOCKS[options.clock]))
        cost_s = cost_of_timing(turns)
        run(spoken, 1)  # the first use of everything is slow
        result = {count: typical(spoken, count, turns, options.repeat) for count in options.streams}
    report(result, cost_s)
    finish({"bench": "overhead", "machine": about, "rows": result})


def watch(spoken: Speaker, turns: Turns) -> Turns:
    """Time the parts of a loop; "turn" is what none of the others covers."""
    loop, slots, runner = spoken.loop, spoken.slots, spoken.slots.runner
    sound = loop.sound
    for owner, name, part in (
        (runner, "talk", "talker"),
        (runner, "logits", "talker"),
        (runner, "fill_frame", "code predictor"),
        (runner, "embed", "embeddings"),
        (type(slots.decoder), "__call__", "codec"),
        (step_file, "draw", "sampling"),
        (runner_file, "draw", "sampling"),
        (step_file, "talker_scores", "sampling"),
        (slots.noise, "refill", "random numbers"),
        (slots_file, "step", "loop body"),
        (slots, "step", "rows of a step"),
        (slots, "decode", "codec state in and out"),
        (slots, "read", PROMPT),
        (loop, "_step", "frames to rows"),
        (loop, "_collect", "frames to rows"),
        (Guard, "frame", "guards"),
        (Guard, "sound", "guards"),
        (ChunkPlanner, "take", "chunk planner"),
        (ChunkPlanner, "handed_out", "chunk planner"),
        (loop, "_send", "rows that are due"),
        (sound, "_decode_group", "chunks to rows"),
        (sound, "_take_in", "chunks to rows"),
        (sound, "wait", "waiting for the codec"),
        (Channel, "put", "hand over"),
        (loop, "_read", "text"),
        (loop, "_admit", "queue"),
        (loop, "_drop", "queue"),
        (loop, "_wait", "queue"),
        (loop, "_turn", "turn"),
    ):
        turns.time(owner, name, part)
    turns.time_beside(slots, "decode")
    turns.end_after(loop, "_turn", loop.rows)
    return turns


def cost_of_timing(turns: Turns, calls: int = 20_000) -> float:
    """Seconds that timing adds to a call."""
    nothing = SimpleNamespace(plain=lambda: None, timed=lambda: None)
    turns.time(nothing, "timed", "nothing")
    marks = [turns.now()]
    for function in (nothing.plain, nothing.timed):
        for _ in range(calls):
            function()
        marks.append(turns.now())
    turns.parts.clear()
    return (marks[2] - 2 * marks[1] + marks[0]) / calls


def run(spoken: Speaker, count: int) -> float:
    """So many streams at once, each with a listener. Returns the mean frames of a chunk."""
    with ThreadPoolExecutor(count) as pool:
        heard = list(pool.map(Listener.hear, [spoken.stream() for _ in range(count)]))
    return sum(one.audio_s for one in heard) / FRAME_S / sum(len(one.lengths) for one in heard)


def typical(spoken: Speaker, count: int, turns: Turns, repeat: int) -> Parts:
    """Seconds of every part in a mean turn; the median of some runs."""
    runs: list[Parts] = []
    for _ in range(repeat):
        turns.done.clear()
        size = run(spoken, count)
        even = [
            parts
            for parts in turns.done
            if parts["rows"] == count and "loop body" in parts and PROMPT not in parts
        ]
        assert even, "no turn in which all rows made a frame: ask for more --frames"
        mean = {
            name: sum(p.get(name, 0.0) for p in even) / len(even) for name in set().union(*even)
        }
        runs.append(mean | {"turns": len(even), "frames a chunk": size})
    return {name: median(mean.get(name, 0.0) for mean in runs) for name in runs[0]}


def report(result: dict[int, Parts], cost_s: float) -> None:
    """Parts by rows, in ms a turn, then sums, which are added to `result`."""
    for parts in result.values():
        own = [name for name in parts if name not in (*MODEL, *SAMPLING, *COUNTS, BESIDE)]
        order = sorted(own, key=parts.__getitem__, reverse=True)
        parts["model"] = sum(parts.get(name, 0.0) for name in MODEL)
        parts["drawing"] = sum(parts.get(name, 0.0) for name in SAMPLING)
        parts["overhead"] = sum(parts[name] for name in own)
        parts["timing itself"] = parts["calls"] * cost_s
    head = ["ms a turn", *(f"{count} rows" for count in result)]
    for names in (
        [*MODEL, BESIDE, *SAMPLING, *order],
        ["model", "drawing", "overhead", "timing itself"],
    ):
        table(head, [(name, *(ms(p.get(name, 0.0), 3) for p in result.values())) for name in names])
    for count, parts in result.items():
        line = f"{count} rows: {parts['frames a chunk']:.1f} frames a chunk"
        if bound_ms := BOUNDS_MS.get(count):
            parts["within bound"] = parts["overhead"] * 1e3 < bound_ms
            line += f"; bound {bound_ms:g} ms {'kept' if parts['within bound'] else 'exceeded'}"
        print(line)
    print()


if __name__ == "__main__":
    main()
