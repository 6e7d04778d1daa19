"""What does the server add to its engine, does sound keep coming, does anything stay behind?

The server runs in a process of its own, over a fake engine whose own times are known; its clients
run here, on the same machine. Parts, each with a server of its own:

    rate         so many requests a second, each on a new connection, whether or not earlier ones
                 are done: errors, and the time to the first sound beyond the engine's own
    realtime     WebSockets whose sound is made exactly as fast as it is played: how late each chunk
                 comes, and what a player that starts `--buffer-ms` after the first sound runs dry
    memory       many requests: resident memory of the server at a tenth, half and all of them
    disconnects  clients that leave at a random moment, HTTP and WebSocket in turn: rows in use
    nano         the same player over the nano model, all sessions at once

    python bench/server.py [--parts rate,realtime,memory,disconnects,nano] [--seconds 60] ...
"""

import argparse
import asyncio
import json
import os
import platform
import random
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from typing import Any

from server_client import Heard, ServerProcess, Session, http_speech, server
from setting import finish, ms, numbers, table

TEXT = "A sentence that is said."  # 24 frames, 1.92 s
FIRST_AUDIO_S, FRAME_S = 0.1, 0.005  # of the fake, for requests at a rate
PLAYED_S = 0.08  # of one frame
SPREAD_S = 0.2  # over which realtime sessions begin, as people do
NANO_TEXT = "The clocks of the town struck at once, and everyone looked up from their work."
PARTS = ("rate", "realtime", "memory", "disconnects", "nano")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--parts", default=",".join(PARTS), help="which, with commas")
    parser.add_argument("--rate", type=float, default=50.0, help="requests a second")
    parser.add_argument("--seconds", type=float, default=60.0, help="how long at that rate")
    parser.add_argument("--sessions", type=numbers, default=[10, 50], help="realtime ones: 10,50")
    parser.add_argument("--speech-s", type=float, default=20.0, help="length of a realtime speech")
    parser.add_argument("--buffer-ms", type=float, default=100.0, help="of the player")
    parser.add_argument("--requests", type=int, default=2000, help="of the part memory")
    parser.add_argument("--disconnects", type=int, default=1000)
    parser.add_argument("--nano-sessions", type=int, default=10)
    parser.add_argument("--model", default="nano", help="a model to put in nano's place")
    parser.add_argument("--child", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.child:
        sys.exit(serve(json.loads(options.child)))
    runs = {name: globals()[f"measure_{name}"] for name in PARTS}
    chosen = options.parts.split(",")
    if unknown := set(chosen) - set(runs):
        parser.error(f"unknown parts: {', '.join(unknown)}; have: {', '.join(PARTS)}")
    result: dict[str, Any] = {"bench": "server", **machine()}
    print(f"{result['cpus']} cores, load {result['load_average'][0]} before, {result['python']}\n")
    for name in chosen:
        result[name] = asyncio.run(runs[name](options))
    result["load_average_after"] = [round(load, 2) for load in os.getloadavg()]
    finish(result)


def serve(options: dict[str, Any]) -> int:
    """The child: a server whose stdin is asked for the state of its engine."""
    from qwen3_tts.backends.fake import FakeSynthesizer
    from qwen3_tts.server.serve import run_server
    from qwen3_tts.server.settings import load_settings

    fake = FakeSynthesizer(**options["fake"]) if "fake" in options else None

    def answer() -> None:
        for _ in sys.stdin:
            names = ("active", "queued", "started", "finished", "cancelled", "failed")
            print(json.dumps({name: getattr(fake, name) for name in names}), flush=True)

    threading.Thread(target=answer, daemon=True).start()
    with tempfile.TemporaryDirectory() as folder:
        settings = load_settings(
            **{"port": 0, "voices_dir": folder, "drain_grace_s": 0, **options["settings"]}
        )
        return run_server(settings, lambda url: print(url, flush=True), synthesizer=fake)


def faked(rows: int, **fake: Any) -> dict[str, Any]:
    """Options of a server over a fake with so many rows."""
    settings = {"engine": "fake", "max_streams": 2 * rows, "max_sessions": 2 * rows}
    return {"fake": {"max_rows": rows, **fake}, "settings": settings}


async def warmed(process: ServerProcess, requests: int = 20) -> None:
    """The first encoder, the first connection: what happens once is not measured."""
    for _ in range(requests):
        heard = await http_speech(process, "Warm.")
        if heard.error:
            raise RuntimeError(f"the server answers {heard.error}")


async def measure_rate(options: argparse.Namespace) -> dict[str, Any]:
    with server(**faked(128, first_audio_s=FIRST_AUDIO_S, frame_s=FRAME_S)) as process:
        await warmed(process)
        cpu_s, began_s = process.cpu_s, time.perf_counter()
        tasks, late_s = [], 0.0
        for number in range(round(options.rate * options.seconds)):
            wait_s = began_s + number / options.rate - time.perf_counter()
            late_s = max(late_s, -wait_s)  # of the client itself
            await asyncio.sleep(max(0.0, wait_s))
            tasks.append(asyncio.create_task(http_speech(process, TEXT)))
        heard = await asyncio.gather(*tasks)
        wall_s = time.perf_counter() - began_s
        busy = (process.cpu_s - cpu_s) / wall_s
        left = process.engine()
    good = [one for one in heard if not one.error and is_whole(one, TEXT)]
    errors = Counter(one.error or "cut" for one in set(heard) - set(good))
    if not good:
        raise RuntimeError(f"no request was answered: {dict(errors)}")
    first = percentiles([one.first_s - FIRST_AUDIO_S for one in good])
    print(f"rate: {options.rate:g} requests/s for {options.seconds:g} s; errors: {dict(errors)}")
    print(f"server busy {busy:.2f} of a core, the client at most {ms(late_s)} ms late")
    table(("first sound beyond the engine's", *first), [("ms", *map(ms, first.values()))])
    return {
        "requests": len(heard),
        "errors": dict(errors),
        "first_beyond_s": first,
        "server_cores": busy,
        "client_late_s": late_s,
        "rows_left": left["active"],
    }


def is_whole(heard: Heard, text: str) -> bool:
    return abs(heard.audio_s - len(text) * PLAYED_S) < 1e-6


async def measure_realtime(options: argparse.Namespace) -> dict[str, Any]:
    found, rows = {}, []
    frames = round(options.speech_s / PLAYED_S)
    text = (TEXT * (frames // len(TEXT) + 1))[:frames]
    for count in options.sessions:
        fake = faked(count, first_audio_s=PLAYED_S, frame_s=PLAYED_S, chunk_plan=[1])
        with server(**fake) as process:
            await warmed(process, 3)
            cpu_s, began_s = process.cpu_s, time.perf_counter()
            chance = random.Random(1)
            heard = await asyncio.gather(
                *(one_session(process, text, chance.random() * SPREAD_S) for _ in range(count))
            )
            busy = (process.cpu_s - cpu_s) / (time.perf_counter() - began_s)
        whole = sum(is_whole(one, text) for one in heard)
        found[str(count)] = played(heard, options.buffer_ms / 1000) | {"server_cores": busy}
        late, row = found[str(count)]["late_s"], found[str(count)]
        rows.append(
            (count, f"{whole}/{count}", *map(ms, late.values()), row["underruns"], f"{busy:.2f}")
        )
    print(f"realtime: WebSockets, {options.speech_s:g} s each, buffer {options.buffer_ms:g} ms")
    head = ("sessions", "whole", *(f"late {name} ms" for name in late), "underruns", "cores")
    table(head, rows)
    return found


async def one_session(process: ServerProcess, text: str, wait_s: float = 0.0) -> Heard:
    async with Session(process) as session:
        await asyncio.sleep(wait_s)
        return await session.speak(text)


def played(heard: list[Heard], buffer_s: float) -> dict[str, Any]:
    silences = [silence for one in heard for silence in one.silences(buffer_s)]
    return {
        "errors": dict(Counter(one.error for one in heard if one.error)),
        "audio_s": sum(one.audio_s for one in heard),
        "late_s": percentiles([late for one in heard for late in one.lateness()]),
        "underruns": len(silences),
        "underrun_s": sum(silences),
        "buffer_s": buffer_s,
    }


async def measure_memory(options: argparse.Namespace) -> dict[str, Any]:
    marks = [options.requests // 10, options.requests // 2, options.requests]
    resident: dict[str, float] = {}
    with server(**faked(8)) as process:
        await warmed(process)
        failed, done = Counter[str](), 0
        for mark in marks:
            while done < mark:
                heard = await asyncio.gather(*(http_speech(process, TEXT) for _ in range(5)))
                done += len(heard)
                failed.update(one.error for one in heard if one.error)
            resident[str(mark)] = process.resident_mib
    print(f"memory: resident after so many requests, five at a time; errors: {dict(failed)}")
    table(("requests", *resident), [("MiB", *(f"{mib:.1f}" for mib in resident.values()))])
    return {"resident_mib": resident, "errors": dict(failed)}


async def measure_disconnects(options: argparse.Namespace) -> dict[str, Any]:
    chance, at_once = random.Random(1), 20
    with server(**faked(at_once, first_audio_s=0.02, frame_s=0.01)) as process:
        await warmed(process)
        before = process.engine()["started"]
        places = asyncio.Semaphore(at_once)

        async def leave(number: int) -> str:
            after_s = chance.random() * 0.3
            async with places:
                if number % 2:
                    return (await http_speech(process, TEXT, leave_after_s=after_s + 1e-4)).error
                return await drop_session(process, after_s)

        ended = Counter(await asyncio.gather(*(leave(n) for n in range(options.disconnects))))
        began_s = time.perf_counter()
        while (counts := process.engine())["active"] + counts["queued"]:
            if time.perf_counter() - began_s > 10:
                break
            await asyncio.sleep(0.01)
        freed_s = time.perf_counter() - began_s
        status = await asyncio.to_thread(process.status)
        whole = await http_speech(process, TEXT)
    started = counts["started"] - before
    print(f"disconnects: {dict(ended)}; {started} had a row")
    print(
        f"rows in use {counts['active']}, waiting {counts['queued']}, {ms(freed_s)} ms after the "
        f"last; streams {status['activeStreams']}, sessions {status['activeSessions']}; "
        f"the next request is whole: {is_whole(whole, TEXT)}\n"
    )
    return {
        "ended": dict(ended),
        "started": started,
        "rows_left": counts["active"],
        "queued_left": counts["queued"],
        "freed_s": freed_s,
        "streams_left": status["activeStreams"],
        "sessions_left": status["activeSessions"],
        "next_is_whole": is_whole(whole, TEXT),
    }


async def drop_session(process: ServerProcess, after_s: float) -> str:
    async with Session(process) as session:
        speaking = asyncio.create_task(session.speak(TEXT))
        await asyncio.wait({speaking}, timeout=after_s)
        session.drop()
        return "left" if (await speaking).error else ""


async def measure_nano(options: argparse.Namespace) -> dict[str, Any]:
    count = options.nano_sessions
    settings = {"model": options.model, "max_rows": count, "max_sessions": 2 * count}
    with server(settings=settings) as process:
        await one_session(process, NANO_TEXT)  # loads, compiles
        sessions = [await Session(process).__aenter__() for _ in range(count)]
        began_s = time.perf_counter()
        heard = await asyncio.gather(*(session.speak(NANO_TEXT) for session in sessions))
        wall_s = time.perf_counter() - began_s
        for session in sessions:
            await session.__aexit__()
    result = played(heard, options.buffer_ms / 1000)
    good = [one for one in heard if one.arrivals]
    result |= {
        "model": options.model,
        "sessions": count,
        "x_realtime": result["audio_s"] / wall_s,
        "first_s": percentiles([one.first_s for one in good]),
        "dry_sessions": sum(bool(one.silences(options.buffer_ms / 1000)) for one in good),
    }
    first = result["first_s"]
    print(f"{options.model}: {count} sessions at once, {result['audio_s']:.1f} s of speech in all")
    head = ("x realtime", *(f"first {name} ms" for name in first), "sessions dry", "dry s")
    shown = (f"{result['x_realtime']:.2f}", *map(ms, first.values()))
    table(head, [(*shown, result["dry_sessions"], f"{result['underrun_s']:.2f}")])
    return result


def percentiles(values: list[float]) -> dict[str, float]:
    if not values:
        raise RuntimeError("nothing was heard")
    values = values if len(values) > 1 else values * 2
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return {"p50": cuts[49], "p95": cuts[94], "p99": cuts[98], "max": max(values)}


def machine() -> dict[str, Any]:
    return {
        "cpus": len(os.sched_getaffinity(0)),
        "load_average": [round(load, 2) for load in os.getloadavg()],
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


if __name__ == "__main__":
    main()
