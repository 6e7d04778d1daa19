"""Hundreds of requests that come, go, fail and give up on four threads; then nothing is left.

`QWEN3_TTS_SOAK=2000` makes as many requests, and watches the memory of the process too.
"""

import gc
import os
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from random import Random
from statistics import median
from threading import Event
from typing import Any

import pytest
import torch

from qwen3_tts.engine import loop, scheduler
from qwen3_tts.engine.engine import Engine
from qwen3_tts.engine.row import Row
from qwen3_tts.engine.stream import Channel, Stream, TextFeed
from qwen3_tts.errors import Cancelled, Overloaded, StreamFailed
from qwen3_tts.types import Speech, SpeechRequest, Voice
from tests.engine.by_hand import assert_same, end_of, starts_with, within
from tests.engine.kinds import Expected, all_kinds

MakeEngine = Callable[..., Engine]
REQUESTS = int(os.environ.get("QWEN3_TTS_SOAK", "300"))
LONG = REQUESTS >= 2000
CALLERS = 4
WARM_UP = REQUESTS // 4
ROUNDS = 12 if LONG else 1


class MadeOnPurpose(Exception):
    pass


class Faults:
    """Makes some calls of the slots' methods fail: about one in 80 steps, one in 40 others."""

    def __init__(self, seed: int):
        self.random, self.made = Random(seed), 0

    @contextmanager
    def at(self, slots: Any) -> Iterator[None]:
        with pytest.MonkeyPatch.context() as patch:
            for name, chance in (("start", 40), ("read", 40), ("decode", 40), ("step", 80)):
                patch.setattr(slots, name, self.failing(getattr(slots, name), chance))
            yield

    def failing(self, method: Callable[..., Any], chance: int) -> Callable[..., Any]:
        def call(*args: Any) -> Any:
            if self.random.randrange(chance) == 0:
                self.made += 1
                raise self.random.choice([MemoryError(), MadeOnPurpose()])
            return method(*args)

        return call


class Caller:
    """One thread's requests. Each ends as it must: with the right codes, or for a known reason."""

    def __init__(self, engine: Engine, seed: int, asked: Sequence[SpeechRequest], right: Expected):
        self.engine, self.random = engine, Random(seed)
        self.asked, self.right = asked, right
        self.channels: list[Channel] = []
        self.ends: Counter[str] = Counter()

    def run(self, count: int) -> None:
        ways = [self.whole, self.listen, self.listen, self.give_up, self.feed, self.feed_and_leave]
        for _ in range(count):
            one = self.random.choice(self.asked)
            try:
                self.ends[self.random.choice(ways)(one)] += 1
            except StreamFailed as error:
                if not isinstance(error.__cause__, MadeOnPurpose | MemoryError):
                    raise
                self.ends["failed"] += 1

    def patient(self, start: Callable[[SpeechRequest], Stream], one: SpeechRequest) -> Any:
        """Come again as long as there is no room."""
        while True:
            try:
                stream = start(one)
            except Overloaded:
                Event().wait(0.01)
                continue
            self.channels.append(stream.channel)
            return stream

    def whole(self, one: SpeechRequest) -> str:
        try:
            (speech,) = self.engine.run([one])
        except Overloaded:
            return "refused"
        assert_same(speech, self.right(one))
        return "whole"

    def listen(self, one: SpeechRequest) -> str:
        assert_same(self.patient(self.engine.stream, one).result(), self.right(one))
        return "listened"

    def give_up(self, one: SpeechRequest) -> str:
        stream = self.patient(self.engine.stream, one)
        for _, chunk in zip(range(self.random.randrange(3)), stream, strict=False):
            assert len(chunk.wave) % 1920 == 0
        if self.random.random() < 0.5:
            return "dropped"  # as it is
        stream.cancel()
        end = end_of(stream)
        if isinstance(end, StreamFailed):  # a moment earlier, by a fault made on purpose
            raise end
        assert isinstance(end, Cancelled | Speech)
        return "cancelled"

    def feed(self, one: SpeechRequest) -> str:
        one = replace(one, text_first=False)
        stream = self.patient(self.engine.open_stream, replace(one, text="", text_first=None))
        left = one.text
        while left:
            size = self.random.randint(1, 5)
            stream.feed(left[:size])
            left = left[size:]
            Event().wait(self.random.choice([0, 0, 0.002, 0.01]))
        stream.end()
        assert_same(stream.result(), self.right(one))
        return "fed"

    def feed_and_leave(self, one: SpeechRequest) -> str:
        one = replace(one, text_first=False)
        stream = self.patient(self.engine.open_stream, replace(one, text="", text_first=None))
        stream.feed(one.text[: self.random.randrange(len(one.text))])
        if self.random.random() < 0.7:
            return "left"
        speech = stream.result()
        assert speech.finish_reason in ("text_timeout", "stop", "length")
        assert starts_with(self.right(one).codes, speech.codes)
        return "abandoned"


def collect() -> None:
    """Errors and streams refer to each other, and what has a `__del__` takes a second round."""
    while gc.collect():
        pass


def resident_bytes() -> int:
    """Memory of the process; 0 where the system does not say."""
    collect()
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGESIZE") if statm.exists() else 0


def alive(engine: Engine) -> Counter[str]:
    """What requests are made of, and the bytes of all tensors but what is kept of voices."""
    engine.loop.primer.clear()
    engine.loop.prefixes.clear()
    collect()
    count: Counter[str] = Counter()
    for thing in gc.get_objects():
        if type(thing) in (Row, Channel, TextFeed, Stream):
            count[type(thing).__name__] += 1
        elif type(thing) is torch.Tensor:
            count["tensor bytes"] += thing.numel() * thing.element_size()
    return count


@pytest.fixture
def asked(voices: dict[str, Voice]) -> list[SpeechRequest]:
    random = Random(1)
    return [
        replace(kind, seed=seed, max_frames=random.randint(1, 8), priority=priority)
        for kind in all_kinds(voices)
        for seed, priority in enumerate(("normal", random.choice(["high", "low"])))
    ]


@pytest.fixture
def engine(make_engine: MakeEngine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    # pytest keeps log records, and with their errors whatever the failed calls held
    monkeypatch.setattr(loop.logger, "disabled", True)
    monkeypatch.setattr(scheduler, "RECOVER_S", 0.02)
    monkeypatch.setattr(scheduler, "LONGEST_RECOVER_S", 0.1)
    return make_engine(max_rows=3, max_queue=3, text_timeout_s=0.1, read_positions=9)


def soak(callers: Sequence[Caller], count: int) -> None:
    with ThreadPoolExecutor(len(callers)) as pool:
        list(pool.map(lambda caller: caller.run(count // len(callers)), callers))


def settle(engine: Engine) -> None:
    """Wait until what was dropped last has left."""
    while engine.loop.rows or engine.loop.waiting:
        Event().wait(0.01)


def test_nothing_is_left(engine: Engine, asked: list[SpeechRequest], expected: Expected) -> None:
    for one in asked:
        expected(one), expected(replace(one, text_first=False))  # on one thread, before all others
    faults = Faults(3)
    callers = [Caller(engine, seed, asked, expected) for seed in range(CALLERS)]
    with faults.at(engine.loop.slots):
        within(lambda: soak(callers, WARM_UP), 3600)
        within(lambda: settle(engine))
        assert_all_ended(callers)
        before, resident = alive(engine), []
        for _ in range(ROUNDS):
            within(lambda: soak(callers, (REQUESTS - WARM_UP) // ROUNDS), 3600)
            within(lambda: settle(engine))
            assert_all_ended(callers)
            resident.append(resident_bytes())
    ends = sum((caller.ends for caller in callers), Counter[str]())
    assert sum(ends.values()) > 0.9 * REQUESTS  # rounding leaves a few out
    assert set(ends) >= {"whole", "listened", "cancelled", "dropped", "fed", "left", "failed"}
    assert faults.made > REQUESTS // 50
    assert_empty(engine, before)
    if LONG:
        assert_no_growth(resident)


def assert_all_ended(callers: Sequence[Caller]) -> None:
    for caller in callers:
        assert all(channel.ended for channel in caller.channels)
        caller.channels.clear()


def assert_empty(engine: Engine, before: Counter[str]) -> None:
    jobs, slots = engine.loop.scheduler, engine.loop.slots
    assert (jobs.active, jobs.queued, jobs.positions) == (0, 0, 0)
    assert (engine.loop.rows, engine.loop.waiting) == ([], {})
    assert slots.positions == [0] * slots.max_rows
    assert engine.loop.death is None
    assert alive(engine) <= before  # less where garbage of other tests has gone


def assert_no_growth(resident: Sequence[int]) -> None:
    """After the warm-up the process grows by less than 1 %; medians, since memory that is given
    back and taken again makes single values jump by as much."""
    third = len(resident) // 3
    before, after = median(resident[:third]), median(resident[-third:])
    print(f"resident {before / 2**20:.1f} MiB, then {after / 2**20:.1f} MiB")
    assert after < 1.01 * before
