"""How much speech do so many streams get together, does each keep playing, what does a row take?

All streams of a line begin at once. "x realtime" is seconds of speech of all streams over seconds
from the first request to the last sound, prompts included; "gain" compares it to one stream. Then
the frames alone: what a step of all rows takes and its gain, without prompts and decoding.
Underruns are counted by a player for each stream, which starts at the stream's first chunk.
Memory: tensors of a row, and how far the process grew at its peak. Needs Linux.

    python bench/throughput.py [--size tiny] [--dtype float32] [--streams 1,2,4] [--whole]

`--whole` asks for finished speech instead of streams: no chunks leave before the end.
"""

import argparse
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from setting import (
    Listener,
    Speaker,
    durations,
    finish,
    headline,
    machine,
    median,
    ms,
    options_of,
    speaker,
    table,
    timed,
)
from torch import Tensor

from qwen3_tts import SpeechRequest
from qwen3_tts.engine.slots import FIRST_POSITIONS

Measure = dict[str, float]
MIB = 2**20


def main() -> None:
    parser = options_of("speech of many streams together", "1,2,4,8,16,32")
    parser.add_argument("--whole", action="store_true", help="finished speech, no streams")
    options = parser.parse_args()
    with speaker(options) as spoken:
        about = machine(options)
        print(headline(about), end="\n\n")
        clock = Clock(spoken)
        together(spoken, 1, 2, options.whole)  # the first use of everything is slow
        rows = measure(spoken, clock, options)
        memory = memory_of_a_row(spoken, max(options.streams))
    report(rows, memory, options.whole)
    finish({"bench": "throughput", "machine": about, "streams": rows, "memory": memory})


class Clock:
    """Notes the loop's calls: prompt pieces, frames, decodes."""

    def __init__(self, spoken: Speaker):
        names = ("read", "step", "decode")
        self.calls = {name: timed(spoken.slots, name) for name in names}

    def start(self) -> None:
        for calls in self.calls.values():
            calls.clear()

    def seconds(self) -> Measure:
        spent = {f"{name} s": sum(durations(calls)) for name, calls in self.calls.items()}
        return spent | {"steps": len(self.calls["step"])}


def measure(spoken: Speaker, clock: Clock, options: argparse.Namespace) -> dict[int, Measure]:
    """Medians for every number of streams. The peak of memory is that of all runs so far."""
    result: dict[int, Measure] = {}
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    start_bytes = process_bytes("VmRSS")
    for count in options.streams:
        runs = []
        for _ in range(options.repeat):
            clock.start()
            run = together(spoken, count, spoken.frames, options.whole)
            runs.append(run | clock.seconds())
        row = {key: median(run[key] for run in runs) for key in runs[0]}
        row["frames a second"] = count * spoken.frames / row["step s"]
        row["peak bytes"] = process_bytes("VmHWM") - start_bytes
        result[count] = row
    one = result[min(result)]
    for row in result.values():
        row["gain"] = row["x realtime"] / one["x realtime"]
        row["gain of frames"] = row["frames a second"] / one["frames a second"]
    return result


def together(spoken: Speaker, count: int, frames: int, whole: bool) -> Measure:
    """Streams that begin at once: speech over time, first sounds, gaps, silences."""
    start_s = time.perf_counter()
    if whole:
        requests = [SpeechRequest(**spoken.ask(frames=frames)) for _ in range(count)]
        speeches = spoken.tts.synthesize_batch(requests)
        audio_s = sum(speech.duration_s for speech in speeches)
        return {"x realtime": audio_s / (time.perf_counter() - start_s), "audio_s": audio_s}
    with ThreadPoolExecutor(count) as pool:
        heard = list(pool.map(Listener.hear, [spoken.stream(frames=frames) for _ in range(count)]))
    end_s = max(listener.arrivals[-1] for listener in heard)
    audio_s = sum(listener.audio_s for listener in heard)
    return {
        "x realtime": audio_s / (end_s - start_s),
        "audio_s": audio_s,
        "first sound": median(listener.first_s for listener in heard),
        "last first sound": max(listener.first_s for listener in heard),
        "longest gap": max(max(listener.gaps, default=0.0) for listener in heard),
        "streams with silence": sum(bool(listener.underruns) for listener in heard),
        "silence": sum(sum(listener.underruns) for listener in heard),
    }


def process_bytes(field: str) -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return 1024 * int(fields[field].split()[0])


def memory_of_a_row(spoken: Speaker, rows: int) -> Measure:
    """Bytes of a row's tensors; of the cache, those of one position."""
    state, decoding, noise = spoken.slots.state, spoken.slots.decoding, spoken.slots.noise
    cache, frames = state.cache, state.frame_cache
    positions = cache.keys.shape[1] * cache.capacity
    kept = [state.hidden, state.seen, state.trailing, frames.keys, frames.values]
    parts = {
        "codec state": size_of([*decoding.tails, decoding.keys, decoding.values]) / rows,
        "random numbers": size_of([noise.talker, noise.predictor]) / rows,
        "the rest": size_of(kept) / rows,
    }
    position = size_of([cache.keys, cache.values]) / positions
    whole = sum(parts.values()) + FIRST_POSITIONS * position
    return {
        "a position of the cache": position,
        **parts,
        f"a row of {FIRST_POSITIONS} positions": whole,
    }


def size_of(tensors: Sequence[Tensor]) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def report(rows: dict[int, Measure], memory: Measure, whole: bool) -> None:
    """Tables for people: speech, playing, memory."""
    head = ["streams", "x realtime", "each", "gain", "frames/s", "gain", "step ms", "decode share"]
    lines = []
    for count, row in rows.items():
        busy_s = row["read s"] + row["step s"] + row["decode s"]
        rates = (row["x realtime"], row["x realtime"] / count, row["gain"])
        frames = (row["frames a second"], row["gain of frames"])
        cells = [f"{value:.2f}" for value in (*rates, *frames)]
        step_ms = ms(row["step s"] / row["steps"])
        lines.append((count, *cells, step_ms, f"{row['decode s'] / busy_s:.0%}"))
    table(head, lines)
    if not whole:
        table(
            ["streams", "first sound ms", "last one's ms", "longest gap ms", "silent", "silence s"],
            [
                (
                    count,
                    *(ms(row[key]) for key in ("first sound", "last first sound", "longest gap")),
                    f"{row['streams with silence']:.0f}",
                    f"{row['silence']:.2f}",
                )
                for count, row in rows.items()
            ],
        )
    table(
        ["tensors of a row", "KiB"],
        [(name, f"{size / 1024:.1f}") for name, size in memory.items()],
    )
    grown = ", ".join(f"{n}: {row['peak bytes'] / MIB:.0f}" for n, row in rows.items())
    print(f"MiB by which the process had grown at its peak, by streams: {grown}\n")


if __name__ == "__main__":
    main()
