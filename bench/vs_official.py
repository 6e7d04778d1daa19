"""How much faster than the official package, on the same cores, in the same run?

Every contestant is a process that holds one loaded model: the official package with float32 and
bfloat16 weights, and this one by kinds of weights. They speak in turns, one utterance each a round,
while the others wait, so a busy minute of the machine hits all alike. All open the same random
checkpoint, read the same text, sample by the same defaults, and make the same number of frames,
text to wave. The official package needs about half a second for a frame and decides how long this
takes. Ratios are of medians.

    python bench/vs_official.py --official VENV/bin/python [--keep FOLDER] [--out RESULT.md]

The official package's Python may also be given as QWEN3_TTS_ORACLE.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import IO, Any

from cpu_report import markdown
from cpu_stages import FRAMES_OF_A_TOKEN, KINDS, Plan, load, settle
from limits import machine, x_realtime
from models import model_folder, random_model
from setting import TEXT, Speaker, finish, median

OFFICIAL = ("official float32", "official bfloat16")
SAMPLES = 1920  # of a frame
WARM_FRAMES = 4  # of a first request, which does not count

Measure = dict[str, float]
Rounds = dict[str, list[Measure]]  # by contestant


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--official", default=os.environ.get("QWEN3_TTS_ORACLE"))
    parser.add_argument("--kinds", default=",".join(KINDS), help="of this package, with commas")
    parser.add_argument("--size", default="0.6B", choices=["tiny", "0.6B", "1.7B"])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--frames", type=int, default=25, help="of every utterance: 2 s of sound")
    parser.add_argument("--repeat", type=int, default=5, help="rounds; figures are their medians")
    parser.add_argument("--keep", type=Path, help="where the model stays from run to run")
    parser.add_argument("--out", type=Path, help="a Markdown file for the result")
    parser.add_argument("--child", metavar="PLAN", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        contend(Plan(**json.loads(options.child)))
        return
    if not options.official:
        parser.error("give the official package's Python: --official or QWEN3_TTS_ORACLE")
    about = machine()
    with model_folder(options.keep) as keep:
        folder = str(random_model(keep, options.size))
        ready, rounds = compete(commands(options, folder), options)
    about |= {"load average after": machine()["load average"]}
    found = {name: typical(runs, options.frames) for name, runs in rounds.items()}
    text = report(about, options, found, rounds, ready)
    print(text)
    if options.out:
        options.out.write_text(text, encoding="utf-8")
    finish({"bench": "vs_official", "machine": about, "ready": ready, "contestants": found})


def commands(options: argparse.Namespace, folder: str) -> dict[str, list[str]]:
    """How each contestant is started."""
    script, threads = str(Path(__file__).with_name("official.py")), str(options.threads)
    found = {
        name: [options.official, script, folder, name.split()[1], threads] for name in OFFICIAL
    }
    for kind in options.kinds.split(","):
        plan = Plan(folder, kind, options.threads, options.frames, options.repeat, ())
        found[kind] = [sys.executable, __file__, "--child", json.dumps(asdict(plan))]
    return found


class Contestant:
    """A process that answers a line of JSON with one."""

    def __init__(self, command: list[str], log: IO[str]):
        self.log = log
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )
        self.ready = self.hear()

    def ask(self, request: Mapping[str, Any]) -> Measure:
        assert self.process.stdin is not None
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        return self.hear()

    def hear(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if line.startswith("{"):  # the official package prints advice in between
                told: dict[str, Any] = json.loads(line)
                return told
        self.log.seek(0)
        raise SystemExit(f"{self.process.args} ended:\n" + self.log.read()[-2000:])

    def close(self) -> None:
        self.process.terminate()
        self.process.wait()


@contextmanager
def contestants(commands: Mapping[str, list[str]]) -> Iterator[dict[str, Contestant]]:
    """All of them, loaded one after the other."""
    started: dict[str, Contestant] = {}
    with tempfile.TemporaryFile("w+") as log:
        try:
            for name, command in commands.items():
                print(f"{name} loads ...", file=sys.stderr, flush=True)
                started[name] = Contestant(command, log)
            yield started
        finally:
            for one in started.values():
                one.close()


def compete(
    commands: Mapping[str, list[str]], options: argparse.Namespace
) -> tuple[dict[str, Any], Rounds]:
    """What each said when it was ready, and its rounds."""
    length = max(2, options.frames // FRAMES_OF_A_TOKEN)  # a token is a byte here

    def request(seed: int) -> dict[str, Any]:
        text = (TEXT * 2)[seed : seed + length]
        return {"text": text, "seed": seed, "frames": options.frames if seed else WARM_FRAMES}

    with contestants(commands) as all_of_them:
        for one in all_of_them.values():
            one.ask(request(0))
        rounds: Rounds = {name: [] for name in all_of_them}
        for seed in range(1, options.repeat + 1):
            order = list(all_of_them.items())
            for name, one in order if seed % 2 else reversed(order):
                run = one.ask(request(seed))
                frames = run["samples"] // SAMPLES
                assert frames == options.frames, f"{name} made {frames} frames"
                rounds[name].append(run)
            print(f"round {seed} of {options.repeat}", file=sys.stderr, flush=True)
        return {name: one.ready for name, one in all_of_them.items()}, rounds


def contend(plan: Plan) -> None:
    """This package's side, in a process of its own."""
    tts, taken = load(plan)
    with tts:
        spoken = Speaker(tts, plan.frames, spells=True)
        spoken.tts.synthesize(**spoken.ask(frames=WARM_FRAMES))
        settle(spoken)
        print(json.dumps({"load": taken["load"]}), flush=True)
        for line in sys.stdin:
            request = json.loads(line)
            start_s = time.perf_counter()
            speech = tts.synthesize(
                request["text"],
                max_frames=request["frames"],
                seed=request["seed"],
                language="Auto",
            )
            spent_s = time.perf_counter() - start_s
            told = {"seconds": spent_s, "samples": len(speech.wave)}
            print(json.dumps(told), flush=True)


def typical(runs: list[Measure], frames: int) -> Measure:
    frame_s = median(run["seconds"] for run in runs) / frames
    codec_s = median(run.get("codec seconds", 0.0) for run in runs) / frames
    found = {"frame": frame_s, "x realtime": x_realtime(frame_s)}
    return found | ({"codec a frame": codec_s} if codec_s else {})


def report(
    about: Mapping[str, str],
    options: argparse.Namespace,
    found: Mapping[str, Measure],
    rounds: Rounds,
    ready: Mapping[str, Any],
) -> str:
    rows = []
    for name, row in found.items():
        codec = f"{row['codec a frame'] * 1e3:.1f}" if "codec a frame" in row else "-"
        ratios = [times(found, rounds, official, name) for official in OFFICIAL]
        cells = (f"{row['frame'] * 1e3:.1f}", codec, f"{row['x realtime']:.3f}", *ratios)
        rows.append((name, *cells))
    said = f"{options.threads} threads, {options.frames} frames a request, {options.repeat} rounds"
    codecs = " and ".join(ready[name]["codec dtype"] for name in OFFICIAL)
    return "\n".join(
        [
            f"# Against the official package: random {options.size}, {said}\n",
            markdown(["machine", ""], about.items()),
            markdown(
                ["", "ms a frame", "of it codec", "x realtime", *(f"x {n}" for n in OFFICIAL)], rows
            ),
            "Text to wave, one utterance at a time; in brackets the smallest ratio of a round. "
            f"The official codec computes in {codecs} beside these weights; torch there is "
            f"{ready[OFFICIAL[0]]['torch']}.\n",
        ]
    )


def times(found: Mapping[str, Measure], rounds: Rounds, official: str, name: str) -> str:
    """How many times faster than the official package: by medians, and at worst in a round."""
    by_medians = found[official]["frame"] / found[name]["frame"]
    pairs = zip(rounds[official], rounds[name], strict=True)
    worst = min(slow["seconds"] / fast["seconds"] for slow, fast in pairs)
    return f"{by_medians:.2f} ({worst:.2f})"


if __name__ == "__main__":
    main()
