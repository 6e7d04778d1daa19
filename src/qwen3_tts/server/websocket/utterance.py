"""One `speak` of a WebSocket session, from its place in the queue to its last sample."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

from qwen3_tts.server.access.auth import Principal
from qwen3_tts.server.faults import Fault, FaultCode, Gone, outcome_of
from qwen3_tts.server.speaking.job import Piece, SpeechJob, Summary
from qwen3_tts.server.speaking.speaker import Speaker, Speaking
from qwen3_tts.server.speaking.text import grown
from qwen3_tts.server.websocket.messages import Speak, Start
from qwen3_tts.server.websocket.wire import NO_SOUND, Wire, as_pcm, chunk_fields

FRAME_S = 1.0  # of sound in one message at most: the usual client takes 1 MiB


def cancelled() -> Fault:
    return Fault(FaultCode.CANCELLED, "cancelled, as was asked")


@dataclass(frozen=True)
class SessionOptions:
    """What a session's speeches have in common; `start` changes it."""

    voice: str | None = None  # None: the server's default
    style: str | None = None
    language: str = "Auto"
    instructions: str | None = None
    seed: int | None = None
    speed: float = 1.0
    sample_rate: int = 24_000
    encoding: str = "pcm16"
    transport: str = "binary"
    legacy: bool = True  # no `start` was ever sent: the client waits for `audio_end`

    def changed(self, start: Start) -> "SessionOptions":
        words = ("voice", "style", "language", "instructions", "encoding", "transport")
        given = {name: getattr(start, name) for name in (*words, "seed", "speed", "sample_rate")}
        known = {name: value for name, value in given.items() if value is not None}
        if start.voice is not None:
            known["style"] = start.style  # that of the voice before is none of this one's
        return replace(self, **known, legacy=False)


@dataclass
class Utterance:
    """Text to be spoken, all of it or as it comes."""

    message: Speak
    options: SessionOptions
    principal: Principal
    is_stream: bool = False
    cancelled: bool = False
    opening: asyncio.Future[Speaking] | None = None
    speaking: Speaking | None = None
    waiting: list[str] = field(default_factory=list)  # pieces that came before it was its turn
    characters: int = 0
    ended: bool = False

    @property
    def label(self) -> str | None:
        """The id its messages carry: only what the client gave."""
        return self.message.request_id

    def feed(self, text: str, last: bool, max_chars: int) -> None:
        """One more piece of the text. Raises `Fault`; a last piece ends the text even then."""
        assert not self.ended
        self.ended = last
        if self.speaking is not None:
            self._pass_on(text, last)
            return
        self.characters = grown(self.characters, text, max_chars)
        self.waiting.append(text)

    def cancel(self) -> None:
        """Whatever it does, it stops; `deliver` says so."""
        self.cancelled = True
        if self.opening is not None:
            self.opening.cancel()
        if self.speaking is not None:
            self.speaking.cancel()

    async def deliver(self, speaker: Speaker, wire: Wire) -> None:
        """Speak it. Ends with `complete` or `error`; raises `Gone` when the client has left."""
        count, model = speaker.metrics.request_done, speaker.model.name
        try:
            summary, chunks = await self._speak(speaker, wire)
        except Gone as gone:
            speaker.metrics.aborted(gone.reason)
            count("speak", model, "cancelled")
            raise
        except asyncio.CancelledError:  # the session is over: most clients leave this way
            speaker.metrics.aborted("closed")
            count("speak", model, "cancelled")
            raise
        except Fault as fault:
            told = cancelled() if self.cancelled else fault
            count("speak", model, outcome_of(told), told.code)
            await wire.fault(told, self.label)
            return
        count("speak", model, "ok")
        await wire.say(
            "complete",
            durationMs=round(1000 * summary.total_s),
            charactersProcessed=summary.characters,
            audioLengthMs=round(1000 * summary.audio_s),
            totalChunks=chunks,
            textLength=summary.characters,
            requestId=self.label,
            finishReason=summary.finish_reason,
            seed=summary.seed,
            firstAudioMs=round(1000 * summary.first_audio_s),
        )
        if self.options.legacy:
            form = {"pcm16": "pcm_s16le", "pcm32f": "pcm_f32le"}[self.options.encoding]
            rate = self.options.sample_rate
            await wire.say("audio_end", sample_rate=rate, format=form, channels=1)

    async def _speak(self, speaker: Speaker, wire: Wire) -> tuple[Summary, int]:
        speaking = await self._open(speaker)
        chunks = 0
        try:
            async for whole in speaking:
                for piece in _cut(whole, self.options.sample_rate):
                    if self.cancelled:
                        raise cancelled()
                    chunks += 1
                    await self._send(piece, chunks, wire)
            if self.cancelled:
                raise cancelled()
            summary = speaking.summary
        finally:
            await speaking.aclose()
        if self.options.transport == "json":  # only now is it known which was the last
            end = chunk_fields(
                NO_SOUND, self.options.encoding,
                number=chunks + 1, start_s=summary.audio_s, is_final=True,
            )  # fmt: skip
            await wire.say("audioChunk", **end, requestId=self.label)
        return summary, chunks

    async def _send(self, piece: Piece, number: int, wire: Wire) -> None:
        if self.options.transport == "binary":
            await wire.sound(as_pcm(piece.wave, self.options.encoding))
            return
        fields = chunk_fields(
            piece.wave, self.options.encoding,
            number=number, start_s=piece.start_s, is_final=False,
        )  # fmt: skip
        await wire.say("audioChunk", **fields, requestId=self.label)

    async def _open(self, speaker: Speaker) -> Speaking:
        if self.cancelled:
            raise cancelled()
        message, options = self.message, self.options
        job = SpeechJob(
            text="" if self.is_stream else message.text,
            principal=self.principal,
            voice=message.voice or options.voice,
            style=message.style or (None if message.voice else options.style),
            language=message.language or options.language,
            instruct=message.instructions or options.instructions,
            seed=options.seed if message.seed is None else message.seed,
            priority=message.priority,
            sample_rate=options.sample_rate,
            speed=options.speed,
            text_stream=self.is_stream,
            route="speak",
        )
        speaking = await self._opened(speaker, job)
        self.speaking = speaking
        try:
            if self.cancelled:
                raise cancelled()
            waiting, self.waiting = self.waiting, []
            for number, text in enumerate(waiting, start=1):
                self._pass_on(text, self.ended and number == len(waiting))
        except BaseException:
            await speaking.aclose()
            raise
        return speaking

    async def _opened(self, speaker: Speaker, job: SpeechJob) -> Speaking:
        """A cancel does not wait for a model that loads or a voice that is prepared."""
        opening = self.opening = asyncio.ensure_future(speaker.open(job))
        try:
            return await opening
        except asyncio.CancelledError:
            if opening.done() and not opening.cancelled() and opening.exception() is None:
                await opening.result().aclose()  # it was opened in the very moment we had to go
            task = asyncio.current_task()
            if self.cancelled and task is not None and not task.cancelling():
                raise cancelled() from None
            raise
        finally:
            self.opening = None

    def _pass_on(self, text: str, last: bool) -> None:
        assert self.speaking is not None
        try:
            if text:
                self.speaking.feed(text)
        finally:
            if last:
                self.speaking.end()


def _cut(whole: Piece, sample_rate: int) -> Iterator[Piece]:
    """Pieces that fit into messages. Usually there is one: engines send a second or less."""
    step = round(FRAME_S * sample_rate)
    for start in range(0, len(whole.wave), step):
        yield Piece(whole.wave[start : start + step], whole.start_s + start / sample_rate)
