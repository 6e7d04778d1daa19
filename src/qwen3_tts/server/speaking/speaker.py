"""One speech from request to sound, the same for every door.

`Speaker.open` does all that a caller can get wrong, then starts the engine's stream; the `Speaking`
it returns gives sound at the rate and speed that were asked for. Every error is a `Fault`.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from typing import Any, cast

from qwen3_tts.audio.speed import MAX_SPEED, MIN_SPEED
from qwen3_tts.backends.base import SpeechStream, SpeechTextStream
from qwen3_tts.errors import OutOfMemory, StreamFailed
from qwen3_tts.server.access.limits import Limits
from qwen3_tts.server.faults import Fault, FaultCode, fault_of
from qwen3_tts.server.observe.metrics import Metrics
from qwen3_tts.server.settings import ServerSettings
from qwen3_tts.server.speaking.job import Piece, SpeechJob, Start, Summary
from qwen3_tts.server.speaking.model_host import ModelHost
from qwen3_tts.server.speaking.shape import Shape
from qwen3_tts.server.speaking.text import check_piece, check_text, grown
from qwen3_tts.server.voices.shelf import VoiceShelf
from qwen3_tts.types import AudioChunk, SpeakOptions, Speech, Voice, Wave

logger = logging.getLogger(__name__)

RATES = (8_000, 48_000)
PRIORITIES = ("low", "normal", "high")
OOM_PAUSE_S = 0.5  # before the one further try: rows that end give memory back


class Speaker:
    """Opens speeches. One event loop uses it."""

    def __init__(
        self,
        model: ModelHost,
        shelf: VoiceShelf,
        limits: Limits,
        metrics: Metrics,
        settings: ServerSettings,
    ):
        self.model, self.shelf, self.limits = model, shelf, limits
        self.metrics, self.settings = metrics, settings

    async def open(self, job: SpeechJob) -> "Speaking":
        """Start a speech. Raises `Fault`; nothing is held when it does."""
        began_s = time.monotonic()
        text = self._check(job)
        async with contextlib.AsyncExitStack() as stack:
            try:
                stack.enter_context(self.limits.stream(job.principal))
                synthesizer = await stack.enter_async_context(self.model.lease())
                voice_id, voice, language = await self._voice(job)
                start = Start(synthesizer, job, text, self._options(job, voice, language))
                stream = await start.stream()
                stack.callback(stream.cancel)
                if job.text_stream and text:
                    cast(SpeechTextStream, stream).feed(text)
            except Exception as error:  # a border: whatever it was, the caller gets a fault
                raise fault_of(error) from error
            return Speaking(self, start, stream, voice_id, began_s, stack.pop_all())

    def _check(self, job: SpeechJob) -> str:
        lowest, highest = RATES
        if not lowest <= job.sample_rate <= highest:
            raise Fault(
                FaultCode.INVALID_MESSAGE,
                f"sample rate {job.sample_rate} is out of range, allowed: {lowest} to {highest}",
                "sample_rate",
            )
        if not MIN_SPEED <= job.speed <= MAX_SPEED:
            raise Fault(
                FaultCode.INVALID_MESSAGE,
                f"speed {job.speed:g} is out of range, allowed: {MIN_SPEED:g} to {MAX_SPEED:g}",
                "speed",
            )
        if job.priority not in PRIORITIES:
            raise Fault(
                FaultCode.INVALID_MESSAGE,
                f"priority {job.priority!r} is unknown; have: {', '.join(PRIORITIES)}",
                "priority",
            )
        if job.text_stream:
            return check_piece(job.text)
        return check_text(job.text, self.settings.max_text_chars)

    async def _voice(self, job: SpeechJob) -> tuple[str, str | Voice | None, str | None]:
        if isinstance(job.voice, Voice):
            return job.voice.name or "inline", job.voice, job.voice.language
        found = await self.shelf.resolve(job.voice)
        return found.id, found.voice, found.language

    def _options(
        self, job: SpeechJob, voice: str | Voice | None, language: str | None
    ) -> SpeakOptions:
        """What the engine is told. A voice's own language serves where the caller named none."""
        asked = job.language or "Auto"
        known = language if asked.lower() == "auto" and isinstance(voice, Voice) else None
        # A flood of "high" by anybody would make the word mean nothing.
        demoted = job.priority == "high" and not job.principal.authenticated
        return SpeakOptions(
            voice=voice,
            language=known or asked,
            instruct=job.instruct or None,
            sampling=job.sampling,
            seed=job.seed,
            max_frames=job.max_frames,
            text_first=job.text_first,
            priority="normal" if demoted else job.priority,
            style=job.style or None,
        )


class Speaking:
    """Sound of one speech, for `async for`. `aclose` it always; that cancels what is not made."""

    def __init__(
        self,
        speaker: Speaker,
        start: Start,
        stream: SpeechStream,
        voice_id: str,
        began_s: float,
        held: contextlib.AsyncExitStack,
    ):
        self.voice_id, self.sample_rate = voice_id, start.job.sample_rate
        self.settings, self.metrics = speaker.settings, speaker.metrics
        self.job, self._start, self._stream, self._held = start.job, start, stream, held
        self._shape = Shape(start.synthesizer.sample_rate, self.sample_rate, start.job.speed)
        self._began_s, self._first_s, self._last_s = began_s, 0.0, 0.0
        self._deadline = asyncio.get_running_loop().time() + self.settings.request_timeout_s
        self._samples, self._cancelled = 0, False
        self._characters, self._fed = len(start.text), [start.text]
        self._pieces = self._run()
        self._summary: Summary | None = None

    @property
    def summary(self) -> Summary:
        """How it ended; there once the last piece has been taken."""
        if self._summary is None:
            raise RuntimeError("the speech has not ended: take its pieces first")
        return self._summary

    def __aiter__(self) -> AsyncIterator[Piece]:
        return self

    async def __anext__(self) -> Piece:
        return await anext(self._pieces)

    def feed(self, text: str) -> None:
        """More text of a text stream. Raises `Fault`."""
        check_piece(text)
        self._characters = grown(self._characters, text, self.settings.max_text_chars)
        self._fed.append(text)
        with _told():
            cast(SpeechTextStream, self._stream).feed(text)

    def end(self) -> None:
        """No more text comes. Raises `Fault` where none came at all."""
        with _told():
            cast(SpeechTextStream, self._stream).end()

    def cancel(self) -> None:
        """Stop; whoever waits for a piece gets `Fault` CANCELLED."""
        self._cancelled = True
        self._stream.cancel()

    async def aclose(self) -> None:
        """Free all that is held; what is not yet made is never made."""
        await self._held.aclose()
        with contextlib.suppress(RuntimeError):  # somebody else waits for a piece, and is told
            await self._pieces.aclose()

    async def _run(self) -> AsyncGenerator[Piece]:
        try:
            chunk = await self._first()
            while chunk is not None:
                wave = await self._shaped(self._shape.push, chunk.wave)
                if len(wave):
                    yield self._piece(wave)
                async with asyncio.timeout_at(self._deadline):
                    chunk = await anext(self._stream, None)
            tail = await self._shaped(self._shape.finish)
            if len(tail):
                yield self._piece(tail)
            self._finish()
        except TimeoutError:
            limit_s = self.settings.request_timeout_s
            message = f"the speech was not finished within {limit_s:g} s and was given up"
            raise self._failed(Fault(FaultCode.TIMEOUT, message)) from None
        except Exception as error:  # a border, as in `open`
            raise self._failed(fault_of(error)) from error

    async def _shaped(self, work: Callable[..., Wave], *given: Wave) -> Wave:
        """A second of sound costs up to 20 ms to stretch: a thread's work. Else next to nothing."""
        return work(*given) if self.job.speed == 1.0 else await asyncio.to_thread(work, *given)

    async def _first(self) -> AudioChunk | None:
        """The first chunk. What fails before any sound left is tried once more."""
        if self.job.text_stream:  # as patient as the engine is with a text that is not fed
            async with asyncio.timeout_at(self._deadline):
                return await anext(self._stream, None)
        try:
            async with asyncio.timeout(self.settings.first_audio_timeout_s):
                try:
                    return await anext(self._stream, None)
                except StreamFailed as error:
                    return await self._again(error)
        except TimeoutError:
            limit_s = self.settings.first_audio_timeout_s
            raise Fault(
                FaultCode.TIMEOUT,
                f"no sound within {limit_s:g} s: the server is busy; try again",
                retry_after_s=min(limit_s, 10.0),
            ) from None

    async def _again(self, error: StreamFailed) -> AudioChunk | None:
        """After running out of memory the same again, once others have ended; else unstreamed."""
        if isinstance(error, OutOfMemory):
            self.metrics.out_of_memory()
            await asyncio.sleep(OOM_PAUSE_S)
            self._replace(await self._start.stream())
            return await anext(self._stream, None)
        logger.warning("streaming failed before any sound (%s): making the speech whole", error)
        self.metrics.fallback()
        speech = await self._start.whole()
        self._replace(cast(SpeechStream, _Finished(speech)))
        return AudioChunk(speech.wave, 0, 0.0, True)

    def _failed(self, fault: Fault) -> Fault:
        self._stream.cancel()
        reasons = {FaultCode.CANCELLED: "cancelled", FaultCode.TIMEOUT: "timeout"}
        self.metrics.aborted(reasons.get(fault.code, "error"))
        return fault

    def _replace(self, stream: SpeechStream) -> None:
        self._stream = stream
        if self._cancelled:  # meanwhile
            stream.cancel()
        self._held.callback(stream.cancel)

    def _piece(self, wave: Wave) -> Piece:
        now_s = time.monotonic()
        if not self._samples:
            self._first_s = now_s - self._began_s
            self.metrics.first_audio(self._first_s)
        else:
            self.metrics.chunk_gap(now_s - self._last_s)
        self._last_s = now_s
        piece = Piece(wave, self._samples / self.sample_rate)
        self._samples += len(wave)
        return piece

    def _finish(self) -> None:
        stream, timing = self._stream, self._stream.timing
        total_s, audio_s = time.monotonic() - self._began_s, self._samples / self.sample_rate
        tokens = self._start.synthesizer.count_tokens("".join(self._fed))
        self._summary = Summary(
            audio_s=audio_s,
            characters=self._characters,
            frames=timing.frames,
            input_tokens=tokens,
            finish_reason=stream.finish_reason,
            seed=stream.seed,
            first_audio_s=self._first_s,
            total_s=total_s,
        )
        self.metrics.speech_done(
            audio_s=audio_s,
            rtf=total_s / audio_s if audio_s else 0.0,
            underrun_s=timing.underrun_s,
            finish_reason=stream.finish_reason,
            queue_wait_s=timing.queued_s,
            tokens_in=tokens,
            tokens_out=timing.frames,
        )


class _Finished:
    """A speech that was made whole, where a stream is expected."""

    def __init__(self, speech: Speech):
        self.timing, self.seed = speech.timing, speech.seed
        self.finish_reason = speech.finish_reason

    def cancel(self) -> None:
        pass

    async def __anext__(self) -> Any:
        raise StopAsyncIteration


@contextlib.contextmanager
def _told() -> Iterator[None]:
    try:
        yield
    except Exception as error:  # a border, as in `Speaker.open`
        raise fault_of(error) from error
