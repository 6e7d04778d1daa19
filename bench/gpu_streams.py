"""Speech end to end, codec included: one stream, and many that begin one after the other."""

import gc
import statistics
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from importlib.util import find_spec
from typing import Any

import torch
from gpu_parts import Device, Measure, Parts
from setting import TEXT, Listener, median

from qwen3_tts.engine.engine import Engine
from qwen3_tts.engine.options import EngineOptions
from qwen3_tts.types import SpeechRequest

HEARD_S = 0.05  # a shorter silence counts as none
ARRIVALS_S = 2.0  # over which streams begin
WARM_S = 90.0  # at most, for recording graphs
MIB = 2**20


def options_for(rows: int, cached: bool = True) -> EngineOptions:
    kept = {} if cached else {"prefix_cache_bytes": 0, "voice_cache_bytes": 0}
    positions = 4096 * rows
    return EngineOptions(max_rows=rows, max_queue=2 * rows, max_positions=positions, **kept)


def ask(number: int, frames: int, text: str = "") -> SpeechRequest:
    """A request like no other, unless its text is given; 30 tokens or so."""
    own = text or f"{number} " + TEXT[number % 20 :][:60]
    return SpeechRequest(
        own, voice="ryan", language="english", max_frames=frames, seed=number, guard="off"
    )


@contextmanager
def opened(on: Device, parts: Parts, graphs: bool, options: EngineOptions) -> Iterator[Engine]:
    """An engine that has done what it does while nobody asks."""
    engine = parts.engine(on, graphs, options)
    try:
        end_s = time.monotonic() + WARM_S
        while engine.loop.chores is not None and time.monotonic() < end_s:
            time.sleep(0.05)
        yield engine
    finally:
        engine.close(drain=False)


def listen(engine: Engine, request: SpeechRequest, chunks: int = 0) -> Listener:
    start_s = time.perf_counter()
    listener = Listener(engine.stream(request), start_s).hear(chunks)
    if chunks:
        listener.stream.cancel()
    return listener


def one_stream(on: Device, parts: Parts, graphs: bool, frames: int, repeat: int) -> Measure:
    """x realtime from request to last sound, and time to the first, prompts known and new."""
    with opened(on, parts, graphs, options_for(1)) as engine:
        for number in range(3):
            listen(engine, ask(number, frames))
        runs = []
        for number in range(repeat):
            listener = listen(engine, ask(100 + number, frames))
            runs.append(listener.audio_s / (listener.arrivals[-1] - listener.asked_s))
        known = "The same words, every time that they are said."
        listen(engine, ask(0, frames, known))
        warm = [listen(engine, ask(n, frames, known), 1).first_s for n in range(2 * repeat)]
    with opened(on, parts, graphs, options_for(1, cached=False)) as engine:
        for number in range(3):
            listen(engine, ask(number, frames))
        new = [listen(engine, ask(200 + n, frames), 1).first_s for n in range(2 * repeat)]
    return {
        "x realtime": median(runs),
        "first sound, known prompt s": median(warm),
        "first sound, new prompt s": median(new),
    }


def many_streams(on: Device, parts: Parts, count: int, frames: int) -> Measure:
    """Streams of equal length that begin at even distances; a player for each."""
    gc.collect()  # the graphs of engines before
    if on.device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(on.device)
    with opened(on, parts, True, options_for(count)) as engine:
        for _ in range(2):  # the first round records what was not foreseen
            heard = round_of(engine, count, frames)
    start_s = min(listener.asked_s for listener in heard)
    end_s = max(listener.arrivals[-1] for listener in heard)
    first = sorted(listener.first_s for listener in heard)
    smooth = [all(silence < HEARD_S for silence in listener.underruns) for listener in heard]
    return {
        "x realtime": sum(listener.audio_s for listener in heard) / (end_s - start_s),
        "first sound p50 s": statistics.median(first),
        "first sound p95 s": first[min(len(first) - 1, int(0.95 * len(first)))],
        "smooth share": sum(smooth) / count,
        **memory(on),
    }


def round_of(engine: Engine, count: int, frames: int) -> Sequence[Listener]:
    def late(number: int) -> Listener:
        time.sleep(ARRIVALS_S * number / count)
        return listen(engine, ask(number, frames))

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(late, range(count)))


def memory(on: Device) -> Measure:
    if on.device.type != "cuda":
        return {}
    return {
        "tensors at most MiB": torch.cuda.max_memory_allocated(on.device) / MIB,
        "taken MiB": torch.cuda.max_memory_reserved(on.device) / MIB,
    }


def others() -> dict[str, Any]:
    """Packages of others that are installed here. They are not run."""
    names = ("qwen_tts", "faster_qwen3_tts", "vllm_omni", "vllm", "sglang")
    return {name: find_spec(name) is not None for name in names}
