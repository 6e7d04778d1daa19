"""One speech through the pipeline that every door uses, with the fake engine below it."""

import asyncio
import threading
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any, cast

import numpy as np
import pytest

from qwen3_tts.audio.files import resample
from qwen3_tts.audio.speed import TimeStretch
from qwen3_tts.backends.fake import FakeSynthesizer, expected_wave
from qwen3_tts.errors import OutOfMemory, StreamFailed
from qwen3_tts.server.access.auth import ANONYMOUS, Principal
from qwen3_tts.server.app import build_state
from qwen3_tts.server.faults import Fault, FaultCode
from qwen3_tts.server.settings import load_settings
from qwen3_tts.server.speaking.job import SpeechJob, Summary
from qwen3_tts.server.speaking.model_host import PROBE
from qwen3_tts.server.speaking.speaker import Speaker, Speaking
from qwen3_tts.server.state import ServerState
from qwen3_tts.server.websocket.messages import Speak
from qwen3_tts.server.websocket.utterance import SessionOptions, Utterance
from qwen3_tts.types import Wave

TEXT = "Hello there, you."
Run = Callable[..., Any]


def job(text: str = TEXT, **options: Any) -> SpeechJob:
    return SpeechJob(**{"text": text, "principal": ANONYMOUS, **options})


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a coroutine function on a new server state over `fake`, whose `stream` it replaces."""

    def start(
        act: Callable[[ServerState], Coroutine[Any, Any, Any]],
        fake: FakeSynthesizer | None = None,
        stream: Callable[..., Any] | None = None,
        **options: Any,
    ) -> Any:
        fake = fake or FakeSynthesizer()
        settings = load_settings(engine="fake", voices_dir=tmp_path, **options)

        async def main() -> Any:
            state = build_state(settings, lambda: fake)
            await state.model.get()
            if stream is not None:  # only now, as a model has to speak before it is ready
                monkeypatch.setattr(fake, "stream", stream)
            try:
                return await act(state)
            finally:
                state.model.close()

        return asyncio.run(main())

    return start


async def heard(state: ServerState, wanted: SpeechJob) -> tuple[Wave, Summary]:
    speaking = await state.speaker.open(wanted)
    try:
        pieces = [piece async for piece in speaking]
    finally:
        await speaking.aclose()
    ends = np.cumsum([0, *(len(piece.wave) for piece in pieces)]) / wanted.sample_rate
    assert [piece.start_s for piece in pieces] == pytest.approx(ends[:-1])
    return np.concatenate([piece.wave for piece in pieces]), speaking.summary


async def fault_of_job(state: ServerState, wanted: SpeechJob) -> Fault:
    with pytest.raises(Fault) as failed:
        await heard(state, wanted)
    assert state.limits.active_streams == 0
    return failed.value


def test_sound_is_the_engines(run: Run) -> None:
    wave, summary = run(lambda state: heard(state, job(seed=3, voice="BOB")))
    assert np.array_equal(wave, expected_wave(TEXT, seed=3, voice="bob"))
    assert (summary.characters, summary.frames) == (len(TEXT), len(TEXT))
    assert (summary.finish_reason, summary.seed, summary.input_tokens) == ("stop", 3, 3)
    assert summary.audio_s == len(wave) / 24_000


@pytest.mark.parametrize("rate", [8_000, 16_000, 44_100, 48_000])
def test_rates_are_resampled_as_a_whole(run: Run, rate: int) -> None:
    wave, _ = run(lambda state: heard(state, job(seed=3, sample_rate=rate)))
    assert np.array_equal(wave, resample(expected_wave(TEXT, seed=3, voice="ann"), 24_000, rate))


def test_speed_is_stretched_as_a_whole(run: Run) -> None:
    wave, summary = run(lambda state: heard(state, job(seed=3, speed=1.5)))
    stretch = TimeStretch(24_000, 1.5)
    whole = stretch.push(expected_wave(TEXT, seed=3, voice="ann"))
    assert np.array_equal(wave, np.concatenate([whole, stretch.finish()]))
    assert summary.audio_s == pytest.approx(len(TEXT) * 0.08 / 1.5, abs=1e-3)


def test_text_in_pieces_is_the_whole_text(run: Run) -> None:
    async def act(state: ServerState) -> tuple[Wave, Summary]:
        speaking = await state.speaker.open(job("Hel", seed=3, text_stream=True))
        for piece in ("lo th", "", "ere, you."):
            speaking.feed(piece)
        speaking.end()
        waves = [piece.wave async for piece in speaking]
        await speaking.aclose()
        return np.concatenate(waves), speaking.summary

    wave, summary = run(act)
    assert np.array_equal(wave, expected_wave(TEXT, seed=3, voice="ann"))
    assert summary.characters == len(TEXT)


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"text": "?!"}, FaultCode.INVALID_TEXT),
        ({"text": "a" * 5000}, FaultCode.INVALID_TEXT),
        ({"voice": "nobody"}, FaultCode.VOICE_NOT_FOUND),
        ({"language": "klingon"}, FaultCode.INVALID_MESSAGE),
        ({"sample_rate": 7999}, FaultCode.INVALID_MESSAGE),
        ({"sample_rate": 48_001}, FaultCode.INVALID_MESSAGE),
        ({"speed": 0.2}, FaultCode.INVALID_MESSAGE),
        ({"speed": float("nan")}, FaultCode.INVALID_MESSAGE),
        ({"priority": "urgent"}, FaultCode.INVALID_MESSAGE),
    ],
)
def test_mistakes_fail_at_the_door(run: Run, options: dict[str, Any], code: FaultCode) -> None:
    async def act(state: ServerState) -> Fault:
        with pytest.raises(Fault) as refused:
            await state.speaker.open(job(**options))
        assert state.limits.active_streams == 0
        return refused.value

    assert run(act).code is code


def test_a_text_that_grows_too_long(run: Run) -> None:
    async def act(state: ServerState) -> None:
        speaking = await state.speaker.open(job("a" * 15, text_stream=True))
        with pytest.raises(Fault, match="beyond 20 characters"):
            speaking.feed("b" * 6)
        await speaking.aclose()

    run(act, max_text_chars=20)


def test_only_those_who_are_known_may_go_first(run: Run) -> None:
    fake = FakeSynthesizer()
    known = Principal("key:1", authenticated=True)

    async def act(state: ServerState) -> None:
        for principal in (ANONYMOUS, known):
            await heard(state, job(priority="high", principal=principal))

    run(act, fake)
    asked = [request.priority for request in fake.requests if request.text == TEXT]
    assert asked == ["normal", "high"]


def test_failure_in_the_middle(run: Run) -> None:
    fault = run(lambda state: fault_of_job(state, job("a text [fail:6] and more")))
    assert fault.code is FaultCode.SYNTHESIS_ERROR
    assert "fail" not in fault.message  # what an engine says is for the log


def test_memory_may_be_there_the_second_time(run: Run, monkeypatch: Any) -> None:
    monkeypatch.setattr("qwen3_tts.server.speaking.speaker.OOM_PAUSE_S", 0.01)
    fake = FakeSynthesizer()
    stream, tries = fake.stream, []

    def failing_once(text: str, **options: Any) -> Any:
        tries.append(text)
        return stream("[oom:0]" if len(tries) == 1 else text, **options)

    wave, _ = run(lambda state: heard(state, job(seed=3)), fake, failing_once)
    assert np.array_equal(wave, expected_wave(TEXT, seed=3, voice="ann"))
    assert len(tries) == 2


def test_memory_that_is_not_there_twice(run: Run, monkeypatch: Any) -> None:
    monkeypatch.setattr("qwen3_tts.server.speaking.speaker.OOM_PAUSE_S", 0.01)
    fault = run(lambda state: fault_of_job(state, job("[oom:0] hello")))
    assert fault.code is FaultCode.GPU_OUT_OF_MEMORY
    assert fault.recoverable
    late = run(lambda state: fault_of_job(state, job("hello, hello [oom:6]")))
    assert late.code is FaultCode.GPU_OUT_OF_MEMORY


def test_speech_that_cannot_be_streamed_is_made_whole(run: Run, monkeypatch: Any) -> None:
    fake = FakeSynthesizer()
    stream, wholes = fake.stream, []
    synthesize = fake.synthesize

    def broken(text: str, **options: Any) -> Any:  # the fake's `synthesize` streams as well
        return stream(text if TEXT in wholes else "[fail:0] as told", **options)

    def whole(text: str, **options: Any) -> Any:
        wholes.append(text)
        return synthesize(text, **options)

    monkeypatch.setattr(fake, "synthesize", whole)
    wave, summary = run(lambda state: heard(state, job(seed=3)), fake, broken)
    assert np.array_equal(wave, expected_wave(TEXT, seed=3, voice="ann"))
    assert summary.finish_reason == "stop"
    assert wholes == [PROBE, TEXT]


@pytest.mark.parametrize("error", [StreamFailed("x"), OutOfMemory("x"), ValueError("secret")])
def test_errors_at_the_start_are_faults(run: Run, error: Exception) -> None:
    fake = FakeSynthesizer()

    def broken(text: str, **options: Any) -> Any:
        raise error

    fault = run(lambda state: fault_of_job(state, job()), fake, broken)
    assert "secret" not in fault.message


def test_nothing_within_the_time(run: Run) -> None:
    fake = FakeSynthesizer()
    fault = run(
        lambda state: fault_of_job(state, job("[hang] hello")), fake, first_audio_timeout_s=0.05
    )
    assert fault.code is FaultCode.TIMEOUT
    assert fault.retry_after_s
    assert fake.active == 0


def test_not_over_within_the_time(run: Run) -> None:
    fake, slow = FakeSynthesizer(), job("hello, hello [slow:0.2]")
    fault = run(lambda state: fault_of_job(state, slow), fake, request_timeout_s=0.3)
    assert fault.code is FaultCode.TIMEOUT
    assert fake.active == 0


def test_cancelling_wakes_who_waits_and_frees_the_row(run: Run) -> None:
    fake = FakeSynthesizer()

    async def act(state: ServerState) -> Fault:
        speaking = await state.speaker.open(job("[hang] hello"))
        waiting = asyncio.ensure_future(anext(speaking))
        await asyncio.sleep(0.02)
        speaking.cancel()
        with pytest.raises(Fault) as cancelled:
            await waiting
        await speaking.aclose()
        assert state.limits.active_streams == 0
        return cancelled.value

    assert run(act, fake).code is FaultCode.CANCELLED
    assert fake.active == 0


def test_leaving_in_the_middle_frees_the_row(run: Run) -> None:
    fake = FakeSynthesizer()

    async def act(state: ServerState) -> None:
        speaking = await state.speaker.open(job("[endless]", max_frames=1000))
        await anext(speaking)
        await speaking.aclose()
        assert state.limits.active_streams == 0

    run(act, fake)
    assert fake.active == 0


def test_places_run_out_and_come_back(run: Run) -> None:
    async def act(state: ServerState) -> Fault:
        first = await state.speaker.open(job("[hang] hello"))
        with pytest.raises(Fault) as refused:
            await state.speaker.open(job())
        await first.aclose()
        await heard(state, job())
        return refused.value

    fault = run(act, max_streams=1)
    assert fault.code is FaultCode.RATE_LIMITED
    assert fault.retry_after_s


def test_metrics_count_a_speech(run: Run) -> None:
    async def act(state: ServerState) -> str:
        await heard(state, job())
        await fault_of_job(state, job("a text [fail:6] and more"))
        return state.metrics.render()[0].decode()

    lines = run(act).splitlines()
    assert 'tts_finish_total{reason="stop"} 1.0' in lines
    assert 'tts_stream_aborted_total{reason="error"} 1.0' in lines
    assert f'tts_tokens_total{{direction="out"}} {float(len(TEXT))}' in lines
    assert "tts_ttfa_seconds_count 2.0" in lines


def test_sound_is_stretched_beside_the_event_loop(run: Run, monkeypatch: Any) -> None:
    push, threads = TimeStretch.push, set()

    def watched(self: TimeStretch, wave: Wave) -> Wave:
        threads.add(threading.get_ident())
        return push(self, wave)

    monkeypatch.setattr(TimeStretch, "push", watched)
    run(lambda state: heard(state, job(seed=3, speed=0.5)))
    assert threads
    assert threading.get_ident() not in threads


def test_a_speech_opened_in_the_moment_its_client_leaves_is_closed(run: Run) -> None:
    fake = FakeSynthesizer()

    async def act(state: ServerState) -> None:
        speaker, opened = state.speaker, asyncio.Event()

        class Door:
            async def open(self, wanted: SpeechJob) -> Speaking:
                speaking = await speaker.open(wanted)
                opened.set()  # this task ends in the same step, so who waits has yet to wake
                return speaking

        message = Speak(type="speak", text="[hang] hello")
        utterance = Utterance(message, SessionOptions(), ANONYMOUS, "r")
        delivery = asyncio.create_task(utterance._opened(cast(Speaker, Door()), job("[hang] hi")))
        await opened.wait()
        delivery.cancel()
        with pytest.raises(asyncio.CancelledError):
            await delivery
        assert state.limits.active_streams == 0

    run(act, fake)
    assert fake.active == 0
