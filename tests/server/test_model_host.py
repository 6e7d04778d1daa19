"""The model behind the server: one load for all, patience, backing off, unloading when idle."""

import asyncio
import random
import threading
import time
from typing import Any

import pytest

from qwen3_tts.backends.fake import FakeSynthesizer
from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.server.speaking.model_host import (
    FIRST_PAUSE_S,
    LONGEST_PAUSE_S,
    ModelHost,
    ModelState,
)


class Clock:
    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


class Loader:
    """Loads fakes; waits for `gate` where it is closed, fails while `failing`."""

    def __init__(self) -> None:
        self.gate = threading.Event()
        self.gate.set()
        self.failing = False
        self.loaded: list[FakeSynthesizer] = []

    def __call__(self) -> FakeSynthesizer:
        assert self.gate.wait(10)
        if self.failing:
            raise OSError("no such file\nand a second line")
        self.loaded.append(FakeSynthesizer())
        return self.loaded[-1]


def made(**options: Any) -> tuple[ModelHost, Loader]:
    loader = Loader()
    return ModelHost(loader, model_id="fake", **options), loader


async def refused(host: ModelHost) -> Fault:
    with pytest.raises(Fault) as caught:
        await host.get()
    assert caught.value.code is FaultCode.MODEL_LOADING
    assert caught.value.status == 503
    return caught.value


def is_closed(model: FakeSynthesizer) -> bool:
    return model.complaint() is not None


def test_twenty_first_calls_are_one_load() -> None:
    async def run() -> None:
        host, loader = made()
        loader.gate.clear()
        asking = [asyncio.create_task(host.get()) for _ in range(20)]
        await asyncio.sleep(0.05)
        assert (host.state, host.loads, host.is_loading) == (ModelState.LOADING, 1, True)
        assert not any(task.done() for task in asking)
        assert host.synthesizer is None
        loader.gate.set()
        assert set(await asyncio.gather(*asking)) == {loader.loaded[0]}
        assert (host.state, host.loads, host.progress) == (ModelState.READY, 1, 1.0)
        assert await host.get() is loader.loaded[0]
        assert loader.loaded[0].requests[0].text == "Ready."  # it had to speak first

    asyncio.run(run())


def test_one_callers_patience_is_not_the_others() -> None:
    async def run() -> None:
        host, loader = made(load_timeout_s=0.05)
        loader.gate.clear()
        fault = await refused(host)
        assert "still loading" in fault.message
        assert fault.retry_after_s
        given_up = asyncio.create_task(host.get())
        await asyncio.sleep(0.01)
        given_up.cancel()
        loader.gate.set()
        assert await host.get() is loader.loaded[0]
        assert host.loads == 1

    asyncio.run(run())


def test_a_failed_load_is_tried_again_after_a_pause_that_doubles() -> None:
    async def run() -> None:
        clock = Clock()
        host, loader = made(clock=clock)
        loader.failing = True
        pause_s = FIRST_PAUSE_S
        for loads in range(1, 10):
            fault = await refused(host)
            assert "no such file" not in fault.message  # paths are the log's
            assert (host.state, host.loads, host.failure) == ("failed", loads, "no such file")
            assert fault.retry_after_s == pytest.approx(pause_s)
            clock.now_s += pause_s - 1
            assert (await refused(host)).retry_after_s == pytest.approx(1)
            host.retry_if_failed()
            assert (host.loads, host.can_begin) == (loads, False)  # its pause is not over
            clock.now_s += 1
            assert host.can_begin
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)
        loader.failing = False
        host.retry_if_failed()
        assert await host.get() is loader.loaded[0]
        assert (host.state, host.failure) == ("ready", "")

    asyncio.run(run())


def test_a_model_that_cannot_speak_is_not_ready() -> None:
    async def run() -> None:
        mute = FakeSynthesizer(faults=("[fail:0]",))
        host = ModelHost(lambda: mute, model_id="fake")
        await refused(host)
        assert host.state is ModelState.FAILED
        assert is_closed(mute)

    asyncio.run(run())


def test_progress_is_told_by_the_last_load() -> None:
    async def run() -> None:
        clock = Clock()
        host, loader = made(clock=clock, idle_unload_s=1)
        assert (host.progress, host.eta_s) == (0.0, None)
        loader.gate.clear()
        host.start()
        await asyncio.sleep(0.01)
        clock.now_s += 10
        assert host.eta_s is None  # none was measured yet
        assert 0 < host.progress < 1
        loader.gate.set()
        await host.get()
        clock.now_s += 1
        assert host.unload_if_idle()
        loader.gate.clear()
        host.start()
        await asyncio.sleep(0.01)
        clock.now_s += 4
        assert (host.progress, host.eta_s) == (pytest.approx(0.4), pytest.approx(6))
        clock.now_s += 40
        assert (host.progress, host.eta_s) == (0.99, 0.0)
        loader.gate.set()
        await host.get()

    asyncio.run(run())


def test_it_is_unloaded_when_nobody_used_it_for_long() -> None:
    async def run() -> None:
        clock = Clock()
        host, loader = made(clock=clock, idle_unload_s=60)
        loader.gate.clear()
        host.start()
        await asyncio.sleep(0.01)
        clock.now_s += 600  # a load that takes longer than models stay idle
        loader.gate.set()
        first = await host.get()
        async with host.lease() as leased:
            clock.now_s += 600
            assert leased is first
            assert not host.unload_if_idle()
        clock.now_s += 59
        assert not host.unload_if_idle()
        clock.now_s += 1
        assert host.unload_if_idle()
        assert (host.state, host.synthesizer) == (ModelState.UNLOADED, None)
        assert is_closed(loader.loaded[0])
        assert not host.unload_if_idle()
        assert await host.get() is loader.loaded[1]

    asyncio.run(run())


def test_one_that_was_loaded_for_nobody_stays_its_time() -> None:
    async def run() -> None:
        clock = Clock()
        host, _ = made(clock=clock, idle_unload_s=60)
        host.start()
        while host.state is ModelState.LOADING:
            await asyncio.sleep(0.01)
        assert not host.unload_if_idle()

    asyncio.run(run())


def test_unloading_never_takes_a_model_that_is_in_use() -> None:
    """Callers come and go while it is unloaded whenever that is allowed."""

    async def use(host: ModelHost, chance: random.Random) -> None:
        for _ in range(15):
            await asyncio.sleep(chance.random() * 0.02)
            async with host.lease() as model:
                await asyncio.sleep(chance.random() * 0.002)
                assert model.complaint() is None, "closed while it was leased"
                assert len(model.synthesize("a").wave)

    async def run() -> None:
        host, loader = made(idle_unload_s=1e-9)
        chance = random.Random(1)
        users = [asyncio.create_task(use(host, chance)) for _ in range(4)]
        unloads = 0
        while not all(task.done() for task in users):
            unloads += host.unload_if_idle()
            await asyncio.sleep(0)
        await asyncio.gather(*users)
        host.unload_if_idle()
        assert unloads > 3, "the race was not run"
        assert len(loader.loaded) == host.loads
        assert all(is_closed(model) for model in loader.loaded)

    asyncio.run(run())


def test_a_model_that_arrives_after_the_end_is_closed() -> None:
    async def run() -> None:
        host, loader = made()
        loader.gate.clear()
        waiting = asyncio.create_task(host.get())
        await asyncio.sleep(0.01)
        host.close()
        loader.gate.set()
        with pytest.raises(Fault):
            await waiting
        assert is_closed(loader.loaded[0])
        assert host.state is ModelState.CLOSED
        fault = await refused(host)
        assert fault.recoverable is False

    asyncio.run(run())


def test_nobody_waits_for_a_load_when_the_loop_ends() -> None:
    loader = Loader()
    loader.gate.clear()

    async def run() -> None:
        ModelHost(loader, model_id="fake").start()
        await asyncio.sleep(0.01)

    began_s = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - began_s < 5  # the gate holds for 10
    loader.gate.set()


def test_a_dead_engine_is_complained_of() -> None:
    async def run() -> None:
        host, loader = made()
        assert host.complaint() is None
        await host.get()
        assert host.complaint() is None
        loader.loaded[0].break_down("it burnt")
        assert host.complaint() == "it burnt"

    asyncio.run(run())


def test_an_engine_that_is_being_closed_is_not_dead() -> None:
    """The server would end with the exit code of a crash, and /health would call for a new one."""
    told: list[str | None] = []

    async def run() -> None:
        host, loader = made()
        await host.get()
        model = loader.loaded[0]
        close = model.close

        def watched(drain: bool = True) -> None:
            close(drain)
            assert is_closed(model)
            told.append(host.complaint())

        model.close = watched  # type: ignore[method-assign]
        host.close()

    asyncio.run(run())
    assert told == [None]
