"""What one loaded model does on a CPU: the figures of a single process, for `cpu.py`.

Frames count as "alone" where no chunk was decoded meanwhile, and as "beside" where one was: a
decoder may have a thread, and then cores, of its own.

What memory gives can double or halve from minute to minute where others use the same machine, so
it is measured before and after every run, and the run is held against the better of the two.
"""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from limits import MEMORY_BYTES, codec_flops, pages, predictor_bytes, rate, talker_bytes
from setting import Speaker, durations, median, timed

import qwen3_tts
from qwen3_tts import SpeechRequest
from qwen3_tts.engine.options import EngineOptions

Measure = dict[str, float]
Interval = tuple[float, float]

# kind -> (dtype, quantize) of `qwen3_tts.load`
KINDS = {
    "int8": ("auto", "int8"),
    "int4": ("auto", "int4"),
    "bfloat16": ("bfloat16", "none"),
    "float32": ("float32", "none"),
}
PROMPT_TOKENS = 30  # of the text whose first sound is waited for
SHORT_FRAMES = 25  # of the stream that begins so
FRAMES_OF_A_TOKEN = 3  # of text, about: English has 4 characters a token, 15 a second
CALLS = (1, 2, 4, 8, 12)  # frames of a decoder call
MOST_POSITIONS = 2048  # of one row
POLL_S = 0.02
READS = 5  # of the machine's memory, between runs


@dataclass(frozen=True)
class Plan:
    """What a process is to measure."""

    folder: str
    kind: str
    threads: int
    frames: int  # of every request
    repeat: int
    batches: tuple[int, ...]

    @property
    def rows(self) -> int:
        return max((8, *self.batches))


def load(plan: Plan) -> tuple[Any, Measure]:
    """The model, and what it took to load."""
    torch.set_num_threads(plan.threads)
    before = memory()
    options = EngineOptions(
        max_rows=plan.rows, max_positions=plan.rows * MOST_POSITIONS, threads=plan.threads
    )
    dtype, quantize = KINDS[plan.kind]
    start_s = time.perf_counter()
    tts = qwen3_tts.load(plan.folder, device="cpu", dtype=dtype, quantize=quantize, options=options)
    taken = {"load": time.perf_counter() - start_s, "peak of load": memory()["VmHWM"]}
    return tts, taken | {"before load": before["VmRSS"]}


def measure(plan: Plan) -> Measure:
    """All figures, seconds and bytes: medians of the runs, and of all their frames."""
    tts, found = load(plan)
    with tts:
        spoken = Speaker(tts, plan.frames, spells=True)
        spoken.text = spoken.text_of(plan.frames // FRAMES_OF_A_TOKEN)
        watched = Watched(spoken)
        found["first sound, cold"] = spoken.stream(frames=2).hear().first_s
        settle(spoken)
        found |= alone(watched, plan.kind, plan.repeat)
        Path("/proc/self/clear_refs").write_text("5")  # the peak starts again, without `reading`
        found |= streamed(watched, plan.repeat)
        found |= first_sound(watched, plan.repeat)
        found |= codec_calls(spoken, plan.repeat)
        found |= resident()
        for count in plan.batches:
            found |= together(spoken, count, plan.repeat)
        found |= {
            "resident after batches": memory()["VmRSS"],
            "peak of speaking": memory()["VmHWM"],
        }
        found |= needs(tts, plan.kind)
    return found


def needs(tts: Any, kind: str) -> Measure:
    """What a frame asks of the machine."""
    codec = tts.codec.config.decoder_config
    return {
        "talker bytes": talker_bytes(tts.config, kind),
        "predictor bytes": predictor_bytes(tts.config, kind),
        **{f"codec {T} flops": codec_flops(codec, T) for T in CALLS},
    }


def settle(spoken: Speaker) -> None:
    """Until nobody speaks and what is done while idle has been done."""
    while spoken.loop.rows or spoken.loop.chores is not None:
        time.sleep(POLL_S)


class Watched:
    """A speaker whose loop notes its calls: (start, end) of prompts, frames, parts, decodes."""

    def __init__(self, spoken: Speaker):
        self.speaker, slots = spoken, spoken.slots
        self.reads, self.steps, self.decodes = (
            timed(slots, name) for name in ("read", "step", "decode")
        )
        self.talks, self.fills, self.heads, self.embeds = (
            timed(slots.runner, name) for name in ("talk", "fill_frame", "logits", "embed")
        )

    def forget(self) -> None:
        for calls in vars(self).values():
            if isinstance(calls, list):
                calls.clear()

    def frames(self) -> dict[bool, list[Measure]]:
        """Parts of every frame, by whether a decode went on meanwhile."""
        parts = {
            "talker": within(self.talks, self.steps),
            "predictor": within(self.fills, self.steps),
            "head": within(self.heads, self.steps),
            "embeddings": within(self.embeds, self.steps),
        }
        found: dict[bool, list[Measure]] = {False: [], True: []}
        for i, step in enumerate(self.steps):
            frame = {name: calls[i][1] - calls[i][0] for name, calls in parts.items()}
            whole_s = step[1] - step[0]
            frame |= {"rest of frame": whole_s - sum(frame.values()), "frame": whole_s}
            found[any(overlap(step, decode) for decode in self.decodes)].append(frame)
        return found


def within(calls: list[Interval], steps: list[Interval]) -> list[Interval]:
    """The calls made by steps: one in each."""
    inner = [call for call in calls if any(s <= call[0] and call[1] <= e for s, e in steps)]
    assert len(inner) == len(steps), (len(inner), len(steps))
    return inner


def overlap(a: Interval, b: Interval) -> bool:
    return a[0] < b[1] and b[0] < a[1]


def covered(intervals: Iterable[Interval]) -> float:
    """Seconds in at least one of them."""
    total, until = 0.0, 0.0
    for start, end in sorted(intervals):
        total += max(0.0, end - max(start, until))
        until = max(until, end)
    return total


def alone(watched: Watched, kind: str, repeat: int) -> Measure:
    """One request, finished speech: realtime, and where the time of its frames goes."""
    spoken, runs = watched.speaker, []
    pooled: dict[bool, list[Measure]] = {False: [], True: []}
    size = needs(spoken.tts, kind)
    reads = [reading()]
    for _ in range(repeat):
        watched.forget()
        start_s = time.perf_counter()
        speech = spoken.tts.synthesize(**spoken.ask())
        whole_s = time.perf_counter() - start_s
        assert len(speech.codes) == spoken.frames, len(speech.codes)
        frames = watched.frames()
        for beside, some in frames.items():
            pooled[beside] += some
        reads.append(reading())
        work = watched.reads + watched.steps + watched.decodes
        runs.append(
            {
                "x realtime": speech.duration_s / whole_s,
                "prompt": sum(durations(watched.reads)),
                "codec a frame": sum(durations(watched.decodes)) / spoken.frames,
                "outside a frame": (whole_s - covered(work)) / spoken.frames,
                **reach(medians(frames[False] or frames[True]), size, max(reads[-2:])),
            }
        )
    return medians(runs) | {
        f"{name}{', beside' if beside else ''}": value
        for beside, frames in pooled.items()
        for name, value in medians(frames).items()
    }


def reading() -> float:
    """GB/s that memory gives just now."""
    found = rate(pages(MEMORY_BYTES).sum, MEMORY_BYTES, READS)
    time.sleep(POLL_S)  # torch's threads spin a while before they leave their core
    return found


def reach(frame: Measure, size: Measure, limit: float) -> Measure:
    """GB/s of a run's parts, and their share of what memory gave."""
    spent = {"talker": frame["talker"] + frame["head"], "predictor": frame["predictor"]}
    rates = {f"{name} GB/s": size[f"{name} bytes"] / 1e9 / s for name, s in spent.items()}
    shares = {f"{name} share": 100 * rates[f"{name} GB/s"] / limit for name in spent}
    return rates | shares | {"memory GB/s": limit}


def streamed(watched: Watched, repeat: int) -> Measure:
    """One stream, heard to its end."""
    runs = []
    for _ in range(repeat):
        listener = watched.speaker.stream().hear()
        spent_s = listener.arrivals[-1] - listener.asked_s
        runs.append(
            {
                "x realtime, streamed": listener.audio_s / spent_s,
                "chunks": len(listener.arrivals),
                "silence": sum(listener.underruns),
            }
        )
    return medians(runs)


def first_sound(watched: Watched, repeat: int) -> Measure:
    """Seconds to the first chunk of a text of 30 tokens, everything warm, and their parts."""
    spoken, runs = watched.speaker, []
    text = spoken.text_of(PROMPT_TOKENS)
    for _ in range(repeat):
        settle(spoken)
        watched.forget()
        listener = spoken.stream(text, SHORT_FRAMES).hear()
        before = [(s, e) for s, e in watched.steps if s < listener.arrivals[0]]
        runs.append(
            {
                "first sound": listener.first_s,
                "first sound, prompt": sum(durations(watched.reads)),
                "first sound, frames made": len(before),
                "first sound, frames in it": listener.first_frames,
                "first sound, decode": median(durations(watched.decodes[:1])),
            }
        )
    settle(spoken)
    return medians(runs) | {"prompt positions": spoken.positions(text)}


def codec_calls(spoken: Speaker, repeat: int) -> Measure:
    """Seconds of one decoder call, by its frames: on the engine's thread, nothing beside it."""
    decoder, codec = spoken.slots.decoder, spoken.tts.codec

    def calls(frames: int) -> float:
        state = decoder.new_state(1)
        size = codec.config.decoder_config.codebook_size
        codes = torch.from_numpy(
            np.random.default_rng(0).integers(0, size, (1, codec.num_codebooks, frames))
        )
        spent = []
        for _ in range(2 + repeat):  # the first two compile what there is to compile
            start_s = time.perf_counter()
            decoder(codes, state)
            spent.append(time.perf_counter() - start_s)
        return median(spent[2:])

    return {f"codec {T}": spoken.loop.call(lambda T=T: calls(T)) for T in CALLS}


def together(spoken: Speaker, count: int, repeat: int) -> Measure:
    """Requests that begin at once, finished speech: seconds of all of it over those it took."""
    rates = []
    for _ in range(repeat):
        requests = [SpeechRequest(**spoken.ask()) for _ in range(count)]
        start_s = time.perf_counter()
        speeches = spoken.tts.synthesize_batch(requests)
        rates.append(sum(s.duration_s for s in speeches) / (time.perf_counter() - start_s))
    return {f"x realtime, batch {count}": median(rates)}


def medians(runs: Sequence[Measure]) -> Measure:
    return {key: median(run[key] for run in runs) for key in runs[0]} if runs else {}


def resident() -> Measure:
    held = memory()
    return {"resident": held["VmRSS"], "resident, files": held["RssFile"]}


def memory() -> Measure:
    """Bytes this process holds: now, of files, and at its peak."""
    lines = Path("/proc/self/status").read_text().splitlines()
    fields = dict(line.split(":", 1) for line in lines)
    return {name: 1024 * float(fields[name].split()[0]) for name in ("VmRSS", "RssFile", "VmHWM")}
