"""How soon does sound come, and does it keep coming? Of one stream, and of one beside others.

Four tables. The stages of a stream's first sound, from the call to the chunk in the caller's
hands, with the frames and decodes that were made before it. The gaps between chunks, and the
silence of a player that starts at the first chunk. The first sound of a newcomer while others
speak, and how long they wait for it. Reading prompts of several lengths. All in one process.

    python bench/latency.py [--size tiny] [--dtype float32] [--streams 1,2,4,8] [--prompts 32,512]
"""

import argparse
import threading
import time
from contextlib import suppress
from itertools import pairwise

from setting import (
    Listener,
    Speaker,
    durations,
    finish,
    headline,
    machine,
    median,
    ms,
    numbers,
    options_of,
    speaker,
    table,
    timed,
)

from qwen3_tts.errors import Cancelled

Measure = dict[str, float]
STAGES = {
    "plan": "the request is planned, in the caller's thread",
    "wait": "it has a row",
    "prefill": "its prompt is read",
    "frame": "its first frame is made",
    "decode": "its first chunk is decoded",
    "hand over": "the chunk is in the caller's hands",
}
BACKGROUND_FRAMES = 3000  # long enough to speak on until they are cancelled
SETTLE_S = 0.2  # in which the others' usual turn is seen


class Watched:
    """A speaker whose calls are noted: requests, prompt pieces, frames, decodes."""

    def __init__(self, spoken: Speaker):
        self.speaker = spoken
        self.submits = timed(spoken.loop, "submit")
        self.reads, self.steps, self.decodes = (
            timed(spoken.slots, name) for name in ("read", "step", "decode")
        )

    def forget(self) -> None:
        for calls in (self.submits, self.reads, self.steps, self.decodes):
            calls.clear()


def main() -> None:
    parser = options_of("time to first sound, gaps between chunks, prompts", "1,2,4,8,16,32")
    parser.add_argument("--prompts", type=numbers, default=[32, 128, 512], help="32,128,512")
    options = parser.parse_args()
    with speaker(options) as spoken:
        about = machine(options)
        print(headline(about), end="\n\n")
        watched = Watched(spoken)
        spoken.stream(frames=2).hear()  # the first use of everything is slow
        result = {
            "bench": "latency",
            "machine": about,
            "alone": alone(watched, options.repeat),
            "beside": beside(watched, options),
            "prompts": prompts(spoken, options),
        }
    finish(result)


def alone(watched: Watched, repeat: int) -> dict[str, object]:
    """One stream at a time: the stages of its first sound, then the gaps in it."""
    runs: list[Measure] = []
    for _ in range(repeat):
        watched.forget()
        listener = watched.speaker.stream().hear()
        runs.append(first_sound(watched, listener) | gaps(listener))
    typical = {key: median(run[key] for run in runs) for key in runs[0]}
    worst = {key: max(run[key] for run in runs) for key in runs[0]}
    shown = {**STAGES, "first sound": "from the call to the chunk"}
    rows = [(key, ms(typical[key]), ms(worst[key]), said) for key, said in shown.items()]
    table(["stage", "median ms", "worst ms", "ends when"], rows)
    at_once = sum(run["frames before"] == run["decodes before"] == 1 for run in runs)
    print(
        f"{at_once} of {repeat} left after the prompt, one frame and one decode of it; prefill, "
        f"frame and decode are {typical['made'] * 100:.1f} % of the whole\n"
        f"a later frame takes {ms(typical['later frame'])} ms; before it left, in the worst run: "
        f"{worst['reads before']:.0f} prompt pieces, {worst['frames before']:.0f} frames\n"
    )
    rows = [
        ("gap between chunks", ms(typical["gap"]), ms(worst["longest gap"])),
        ("silence of the player", ms(typical["silence"]), ms(worst["silence"])),
    ]
    table([f"{typical['chunks']:.0f} chunks a stream", "median ms", "worst ms"], rows)
    return {"left at once": at_once, "median": typical, "worst": worst}


def first_sound(watched: Watched, listener: Listener) -> Measure:
    """Seconds of each stage, and what the loop did before the first chunk left."""
    timing, (submitted_s, _) = listener.timing, watched.submits[-1]
    left_s = submitted_s + timing.first_audio_s
    parts = {
        "plan": submitted_s - listener.asked_s,
        "wait": timing.queued_s,
        "prefill": timing.prefill_s - timing.queued_s,
        "frame": timing.first_frame_s - timing.prefill_s,
        "decode": timing.first_audio_s - timing.first_frame_s,
        "hand over": listener.arrivals[0] - left_s,
    }
    made = parts["prefill"] + parts["frame"] + parts["decode"]
    return parts | {
        "first sound": listener.first_s,
        "made": made / listener.first_s,
        "later frame": median(durations(watched.steps[1:])),
        "reads before": sum(start < left_s for start, _ in watched.reads),
        "frames before": sum(start < left_s for start, _ in watched.steps),
        "decodes before": sum(start < left_s for start, _ in watched.decodes),
        "first chunk frames": listener.first_frames,
    }


def gaps(listener: Listener) -> Measure:
    return {
        "chunks": len(listener.arrivals),
        "gap": median(listener.gaps),
        "longest gap": max(listener.gaps, default=0.0),
        "silence": sum(listener.underruns),
        "x realtime": listener.timing.x_realtime,
    }


def beside(watched: Watched, options: argparse.Namespace) -> dict[int, Measure]:
    """A newcomer's first sound while the others of so many streams speak."""
    result: dict[int, Measure] = {}
    for count in options.streams:
        others = [watched.speaker.stream(frames=BACKGROUND_FRAMES) for _ in range(count - 1)]
        threads = [threading.Thread(target=follow, args=[other]) for other in others]
        for thread in threads:
            thread.start()
        while not all(other.arrivals for other in others):
            time.sleep(0.01)
        runs = [newcomer(watched, len(others)) for _ in range(options.repeat)]
        for other in others:
            other.stream.cancel()
        for thread in threads:
            thread.join()
        result[count] = {key: median(run[key] for run in runs) for key in runs[0]}
        result[count]["worst"] = max(run["first sound"] for run in runs)
    keys = ("first sound", "worst", "turn", "pause")
    rows = [
        (count, *(ms(row[key]) for key in keys), round(row["first chunk frames"]))
        for count, row in result.items()
    ]
    shown = ("newcomer's first sound ms", "worst ms", "others' turn ms", "longest ms", "frames")
    table(["streams", *shown], rows)
    return result


def follow(listener: Listener) -> None:
    """Hear a stream that is cancelled in the end."""
    with suppress(Cancelled):
        listener.hear()


def newcomer(watched: Watched, others: int) -> Measure:
    """One more stream. `pause` is the longest time between two frames of others until it speaks."""
    watched.forget()
    time.sleep(SETTLE_S)
    listener = watched.speaker.stream().hear(chunks=1)
    listener.stream.cancel()
    ends = [end for _, end in watched.steps if end < listener.arrivals[0]]
    turns = [(end, later - end) for end, later in pairwise(ends)] if others else []
    return {
        "first sound": listener.first_s,
        "first chunk frames": listener.first_frames,
        "turn": median(turn for end, turn in turns if end < listener.asked_s),
        "pause": max((turn for end, turn in turns if end >= listener.asked_s), default=0.0),
    }


def prompts(spoken: Speaker, options: argparse.Namespace) -> dict[int, Measure]:
    """Time to read prompts of several lengths, by their positions, while nobody speaks."""
    result: dict[int, Measure] = {}
    for length in options.prompts:
        text = spoken.text_of(length)
        runs = [spoken.stream(text, frames=1).hear().timing for _ in range(options.repeat)]
        times = [timing.prefill_s - timing.queued_s for timing in runs]
        result[spoken.positions(text)] = {"seconds": median(times), "worst": max(times)}
    table(
        ["prompt positions", "read in ms", "worst ms", "ms each"],
        [
            (count, ms(row["seconds"]), ms(row["worst"]), ms(row["seconds"] / count, 3))
            for count, row in result.items()
        ],
    )
    return result


if __name__ == "__main__":
    main()
