"""How long does loading a checkpoint take, and how much memory? Against reading its file.

Writes a random checkpoint of a published size, then reads and loads it in processes of their own,
with the file out of the system's cache ("cold") and in it ("warm"). Bounds: twice the time of
reading the file into memory, 1.3 times its size. Pages of a mapped file count as memory once they
were touched, so every weight is touched before memory is measured. "skim" reads the file through
one small buffer: what is left of reading when no memory has to be found for it. Needs Linux.

    python bench/load.py [--size 0.6B] [--repeats 3]
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import torch

from qwen3_tts.weights.load import SINGLE, load_speech_model
from qwen3_tts.weights.random import Size, write_random_checkpoint

TIME_BOUND, MEMORY_BOUND = 2.0, 1.3
# way of loading -> type of the weights in memory, whether NaN is looked for
LOADS = {
    "load": (torch.bfloat16, True),
    "load unchecked": (torch.bfloat16, False),
    "load as float32": (torch.float32, True),
}
MB = 1e6

Measure = dict[str, float]


def main() -> None:
    parser = argparse.ArgumentParser(description="time and memory of loading a checkpoint")
    parser.add_argument("--size", default="0.6B", choices=["0.6B", "1.7B"])
    parser.add_argument("--repeats", default=3, type=int)
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "FOLDER"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        what, folder = options.child
        print(json.dumps(measure(what, Path(folder), options.size)))
        return
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        written = child("write", folder, options.size)
        rows = {
            (cache, what): typical(cache, what, folder, options.size, options.repeats)
            for cache in ("cold", "warm")
            for what in ("skim", "read", *LOADS)
        }
        report(rows, written, (folder / SINGLE).stat().st_size)


def typical(cache: str, what: str, folder: Path, size: Size, repeats: int) -> Measure:
    """Median of each number over some runs."""
    runs = []
    for _ in range(repeats):
        prepare_cache(folder / SINGLE, cache)
        runs.append(child(what, folder, size))
    return {key: statistics.median(run[key] for run in runs) for key in runs[0]}


def prepare_cache(path: Path, cache: str) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
        os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    if cache == "warm":
        skim(path)


def skim(path: Path) -> None:
    buffer = bytearray(1 << 20)
    with path.open("rb", buffering=0) as file:
        while file.readinto(buffer):
            pass


def child(what: str, folder: Path, size: Size) -> Measure:
    command = [sys.executable, __file__, "--size", size, "--child", what, str(folder)]
    ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    result: Measure = json.loads(ran.stdout)
    return result


def measure(what: str, folder: Path, size: Size) -> Measure:
    """Do one thing in this process: its time, and the memory it added."""
    before = memory()
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    start = time.perf_counter()
    held: object = None
    if what == "write":
        write_random_checkpoint(folder, "custom_voice", seed=0, size=size, dtype=torch.bfloat16)
    elif what == "skim":
        skim(folder / SINGLE)
    elif what == "read":
        held = (folder / SINGLE).read_bytes()
    else:
        dtype, check = LOADS[what]
        held = load_speech_model(
            folder, device=torch.device("cpu"), dtype=dtype, check_finite=check
        )
    done = time.perf_counter()
    if isinstance(held, torch.nn.Module):
        sum(float(parameter.sum()) for parameter in held.parameters())
    after, touched = memory(), time.perf_counter()
    return {
        "seconds": done - start,
        "touched_seconds": touched - start,
        "peak_bytes": after["VmHWM"] - before["VmRSS"],
        "anon_bytes": after["RssAnon"] - before["RssAnon"],
        "file_bytes": after["RssFile"] - before["RssFile"],
    }


def memory() -> Measure:
    """Bytes this process holds: at its peak, now, and now by kind."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    names = ("VmHWM", "VmRSS", "RssAnon", "RssFile")
    return {name: 1024 * float(fields[name].split()[0]) for name in names}


def report(rows: dict[tuple[str, str], Measure], written: Measure, size: int) -> None:
    """A table for people, then one line of JSON. Ratios are to reading, and to the file's size."""
    print(f"model.safetensors {size / MB:.0f} MB, {torch.get_num_threads()} threads")
    print(
        f"written with the codec in {written['seconds']:.1f} s, "
        f"peak {written['peak_bytes'] / size:.2f} x the file"
    )
    print("cache  what                s   touched s  x read  peak MB  x file  anon MB  file MB")
    summary: dict[str, object] = {"bench": "load", "bytes": size}
    for (cache, what), row in rows.items():
        time_ratio = row["touched_seconds"] / rows[cache, "read"]["seconds"]
        memory_ratio = row["peak_bytes"] / size
        print(
            f"{cache:5}  {what:16}  {row['seconds']:6.3f}  {row['touched_seconds']:8.3f}  "
            f"{time_ratio:6.2f}  {row['peak_bytes'] / MB:7.0f}  {memory_ratio:6.2f}  "
            f"{row['anon_bytes'] / MB:7.0f}  {row['file_bytes'] / MB:7.0f}"
        )
        summary[f"{cache} {what}"] = row | {"time_ratio": time_ratio, "memory_ratio": memory_ratio}
    loads = [summary[f"{cache} load"] for cache in ("cold", "warm")]
    summary["within_bounds"] = all(
        load["time_ratio"] <= TIME_BOUND and load["memory_ratio"] <= MEMORY_BOUND for load in loads
    )
    print(f"bounds: {TIME_BOUND} x read, {MEMORY_BOUND} x file; kept: {summary['within_bounds']}")
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
