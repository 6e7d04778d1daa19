"""How fast is speech on a GPU, and how near to what the GPU can do?

Models of random weights at published sizes are made on the device, so neither network nor disk is
needed; torch, numpy, safetensors and tokenizers are. Measured are the device's own limits, the
parts of a frame, frames of 1 to 128 rows with graphs and without, chunks of sound, one stream end
to end, and many streams that begin within two seconds. What no time is left for is left out.

    python bench/gpu.py [--size 0.6B,1.7B] [--minutes 9] [--out RESULT.md]
    python bench/gpu.py --device cpu --size tiny --dtype float32 --quick    # does it run?
"""

import argparse
import os
import platform
import sys
import threading
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1] / "src"))  # a checkout that is not installed

import torch
from gpu_parts import (
    Device,
    Parts,
    decodes,
    frame_bytes,
    frames,
    outside_kernels,
    random_parts,
    rates,
    stages,
)
from gpu_streams import many_streams, one_stream, others
from setting import finish, numbers

ROWS = "1,2,4,8,16,32,64,128"
STREAMS = "1,10,32,64,128"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--size", default="0.6B,1.7B", help="of 0.6B, 1.7B and tiny")
    parser.add_argument("--dtype", default="bfloat16", choices=["bfloat16", "float32"])
    parser.add_argument("--rows", type=numbers, default=numbers(ROWS), help=ROWS)
    parser.add_argument("--streams", type=numbers, default=numbers(STREAMS), help=STREAMS)
    parser.add_argument("--frames", type=int, default=125, help="of a stream: 10 s of sound")
    parser.add_argument("--minutes", type=float, default=9.0, help="after which nothing is begun")
    parser.add_argument("--quick", action="store_true", help="few of everything: does it run?")
    parser.add_argument("--out", type=Path, help="a Markdown file for the result")
    options = parser.parse_args()
    if options.quick:
        options.rows, options.streams, options.frames = [1, 2], [1, 2], 6
    end_s = time.monotonic() + 60 * options.minutes
    device = torch.device(options.device)
    on = Device(device, threading.Lock())
    about = machine(on) | {"dtype": options.dtype, "frames": options.frames}
    about["limits"] = rates(on, 64 if options.quick else 1024)
    found: dict[str, Any] = {}
    for size in options.size.split(","):
        with random_parts(on, size, options.dtype) as parts:
            found[size] = everything(on, parts, options, end_s)
        if device.type == "cuda":
            torch.cuda.empty_cache()
    text = report(about, found)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    finish({"bench": "gpu", "machine": about, "sizes": found})


def everything(
    on: Device, parts: Parts, options: argparse.Namespace, end_s: float
) -> dict[str, Any]:
    """All measures of one model, the most telling first; those without time are named."""
    repeat, runs = (3, 2) if options.quick else (50, 5)
    found: dict[str, Any] = {"bytes of a frame": frame_bytes(parts.model), "left out": []}

    def note(name: str, measure: Callable[[], Any]) -> None:
        if time.monotonic() > end_s:
            found["left out"].append(name)
            return
        start_s = time.monotonic()
        try:
            found[name] = measure()
        except Exception as error:  # a border: the other figures must not be lost with this one
            traceback.print_exc()
            found["left out"].append(f"{name}: {error}".partition("\n")[0])
        print(f"{name}: {time.monotonic() - start_s:.1f} s", file=sys.stderr, flush=True)

    length = options.frames
    note("one stream, graphs", lambda: one_stream(on, parts, True, length, runs))
    note("parts of a frame", lambda: stages(on, parts, repeat))
    note("frame, graphs, 1", lambda: frames(on, parts, True, 1, repeat))
    note("frame, eager, 1", lambda: frames(on, parts, False, 1, max(3, repeat // 5)))
    note("outside kernels", lambda: outside_kernels(on, parts, repeat))
    note("sound, graphs", lambda: decodes(on, parts, True, repeat))
    note("sound, eager", lambda: decodes(on, parts, False, max(3, repeat // 5)))
    for count in options.streams:
        note(f"streams, {count}", lambda count=count: many_streams(on, parts, count, length))
    for rows in options.rows:
        if rows > 1:
            note(f"frame, graphs, {rows}", lambda rows=rows: frames(on, parts, True, rows, repeat))
    note("one stream, eager", lambda: one_stream(on, parts, False, length, 2))
    return found


def machine(on: Device) -> dict[str, Any]:
    name = platform.processor() or platform.machine()
    about: dict[str, Any] = {
        "device": str(on.device),
        "name": name,
        "cores": len(os.sched_getaffinity(0)),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "system": platform.platform(),
        "other packages here": others(),
    }
    if on.device.type == "cuda":
        properties = torch.cuda.get_device_properties(on.device)
        about |= {
            "name": properties.name,
            "compute capability": f"{properties.major}.{properties.minor}",
            "memory GiB": properties.total_memory / 2**30,
            "CUDA": torch.version.cuda,
        }
    return about


def report(about: dict[str, Any], found: dict[str, Any]) -> str:
    """Markdown: the machine, then a table for every model."""
    limits = about["limits"]
    lines = ["# Speech on a GPU", ""]
    lines += [f"- {key}: {value}" for key, value in about.items() if not isinstance(value, dict)]
    lines += [f"- {key}: {value:.1f}" for key, value in limits.items()]
    there = [name for name, here in about["other packages here"].items() if here]
    lines.append(f"- packages of others that are installed (not run): {', '.join(there) or 'none'}")
    for size, measures in found.items():
        floor_s = measures["bytes of a frame"] / (1e9 * limits["read GB/s"])
        lines += ["", f"## {size}", ""]
        lines.append(f"A frame reads {measures['bytes of a frame'] / 1e9:.2f} GB of weights: no ")
        lines[-1] += f"less than {1e3 * floor_s:.2f} ms at the measured read rate."
        graph = measures.get("frame, graphs, 1")
        if graph:
            rate = measures["bytes of a frame"] / graph["frame s"] / 1e9
            lines[-1] += f" With graphs it reaches {rate:.0f} GB/s."
        lines += ["", "| what | figures |", "|---|---|"]
        lines += [f"| {name} | {cell(value)} |" for name, value in measures.items()]
    return "\n".join(lines) + "\n"


def cell(value: Any) -> str:
    """Seconds as milliseconds, everything else as it is."""
    if isinstance(value, dict):
        return "; ".join(figure(name, number) for name, number in value.items())
    if isinstance(value, list):
        return ", ".join(value) or "nothing"
    return figure("", value).strip()


def figure(name: str, number: float) -> str:
    rate = any(word in name for word in ("realtime", "share", "MiB"))
    if rate or not name:
        return f"{name} {number:.4g}"
    return f"{name.removesuffix(' s')} {1e3 * number:.3g} ms"


if __name__ == "__main__":
    main()
