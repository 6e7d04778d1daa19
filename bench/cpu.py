"""How fast is speech on this machine's cores, and how near to what the cores can do?

Random models of published size, in bfloat16 files as published, each configuration in a process of
its own, for honest memory and loading. A configuration is SIZE-KIND: int8 and int4 are what
`quantize=` gives (and "auto" is int8), bfloat16 and float32 weights are not rounded. All figures
are medians of --repeat runs; what a frame's parts take is the median over all frames of these runs.
Before every configuration the machine's own limits are measured (`limits.py`); figures are held
against the best of those. Loading is from the system's cache, in further processes. "Cores busy
with others" says how far to trust a column: next to 0 on a quiet machine. Needs Linux.

    python bench/cpu.py [--configs 0.6B-int8,1.7B-int4] [--keep FOLDER] [--out RESULT.md]

--keep holds the models from run to run: writing them takes a minute.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path

import cpu_report
from cpu_stages import KINDS, Measure, Plan, load, measure
from limits import limits, machine
from models import model_folder, random_model
from setting import finish, median, numbers

CONFIGS = "0.6B-int8,0.6B-int4,0.6B-bfloat16,0.6B-float32,1.7B-int8,1.7B-int4"
SIZES = ("tiny", "0.6B", "1.7B")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--configs", type=configs, default=configs(CONFIGS), help=CONFIGS)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--frames", type=int, default=75, help="of every request: 6 s of sound")
    parser.add_argument("--repeat", type=int, default=5, help="runs; figures are their medians")
    parser.add_argument("--batches", type=numbers, default=[4, 8], help="requests at once: 4,8")
    parser.add_argument("--keep", type=Path, help="where the models stay from run to run")
    parser.add_argument("--out", type=Path, help="a Markdown file for the result")
    parser.add_argument("--child", nargs=2, metavar=("WHAT", "PLAN"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        what, given = options.child
        plan = Plan(**json.loads(given))
        print(json.dumps(measure(plan) if what == "measure" else load_only(plan)))
        return
    about, found, runs = machine(), dict[str, Measure](), list[Measure]()
    with model_folder(options.keep) as keep:
        for size, kind in options.configs:
            folder = str(random_model(keep, size))
            plan = Plan(
                *(folder, kind, options.threads, options.frames, options.repeat),
                tuple(options.batches),
            )
            runs.append(limits(options.threads))
            print(f"{size} {kind} ...", file=sys.stderr, flush=True)
            found[f"{size} {kind}"] = figures(plan)
    most = {key: max(run[key] for run in runs) for key in runs[0]}
    about |= {"load average after": machine()["load average"]}
    said = f"{options.threads} threads, {options.frames} frames a request, {options.repeat} runs"
    text = cpu_report.report(about, said, most, found)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    finish({"bench": "cpu", "machine": about, "limits": most, "configs": found})


def configs(text: str) -> list[tuple[str, str]]:
    """ "0.6B-int8,1.7B-int4" as pairs."""
    pairs = [part.partition("-")[::2] for part in text.split(",") if part]
    for size, kind in pairs:
        if size not in SIZES or kind not in KINDS:
            raise argparse.ArgumentTypeError(
                f"{size}-{kind} is unknown; sizes: {', '.join(SIZES)}; kinds: {', '.join(KINDS)}"
            )
    return pairs


def figures(plan: Plan) -> Measure:
    """Everything about one configuration."""
    read(Path(plan.folder))
    loads = [child("load", plan) for _ in range(plan.repeat)]
    start_s, others_s = time.perf_counter(), busy_s() - children_s()
    found = child("measure", plan)
    taken = (busy_s() - children_s() - others_s) / (time.perf_counter() - start_s)
    loading = {key: median(one[key] for one in loads) for key in loads[0]}
    return found | loading | {"cores busy with others": taken}


def busy_s() -> float:
    """Seconds of work that all cores have done, and of work that a host took them away for."""
    user, nice, system, _, _, irq, soft, steal, *_ = (
        int(field) for field in Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    )
    return (user + nice + system + irq + soft + steal) / os.sysconf("SC_CLK_TCK")


def children_s() -> float:
    """Seconds of work of processes that this one started and that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def read(folder: Path) -> None:
    """Bring the files of a model into the system's cache."""
    buffer = bytearray(1 << 20)
    for path in folder.rglob("*.safetensors"):
        with path.open("rb", buffering=0) as file:
            while file.readinto(buffer):
                pass


def load_only(plan: Plan) -> Measure:
    tts, taken = load(plan)
    tts.close()
    return taken


def child(what: str, plan: Plan) -> Measure:
    command = [sys.executable, __file__, "--child", what, json.dumps(asdict(plan))]
    ran = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    result: Measure = json.loads(ran.stdout)
    return result


if __name__ == "__main__":
    main()
