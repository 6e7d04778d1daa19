"""One speech as an HTTP answer: whole, as a stream of audio, or as events.

Until the first byte a failure has a status of its own; after it the connection is cut. A client
that leaves takes its speech with it.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncGenerator
from dataclasses import dataclass
from urllib.parse import quote

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from qwen3_tts.audio.containers import FORMATS, Encoder, make_encoder
from qwen3_tts.server.faults import Fault, FaultCode, Gone, fault_of, outcome_of
from qwen3_tts.server.openai import sse
from qwen3_tts.server.openai.outlet import Aborted, Outlet, while_connected, with_pauses
from qwen3_tts.server.speaking.job import PROVENANCE, SpeechJob
from qwen3_tts.server.speaking.speaker import Speaker, Speaking

logger = logging.getLogger(__name__)

PING_S = 10.0  # LiveKit gives up after 30 s without a byte


@dataclass(frozen=True)
class Manner:
    """How a speech is handed over: `kind` is "whole", "audio" or "events"."""

    format: str
    kind: str


class SpeechAnswer(Response):
    """Speaks when it is sent."""

    def __init__(self, speaker: Speaker, job: SpeechJob, manner: Manner):
        super().__init__()
        self.speaker, self.job, self.manner = speaker, job, manner
        self.media_type = FORMATS[manner.format]
        self._speaking: Speaking | None = None
        self._content = b""  # of a whole file

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        metrics, model = self.speaker.metrics, self.speaker.model.name
        patience_s = self.speaker.settings.slow_reader_s
        outlet = Outlet(send, self._told, patience_s)
        try:
            await while_connected(receive, self._deliver(outlet))
        except Gone as gone:
            metrics.aborted(gone.reason)
            metrics.request_done(self.job.route, model, "cancelled")
            logger.info("a speech was given up: its client %s", _what_happened(gone, patience_s))
        except Exception as error:  # a border: it counts, whatever it was
            fault = error.fault if isinstance(error, Aborted) else fault_of(error)
            metrics.request_done(self.job.route, model, outcome_of(fault), fault.code)
            raise
        else:
            metrics.request_done(self.job.route, model, "ok")

    async def _deliver(self, outlet: Outlet) -> None:
        ways = {"whole": self._whole, "audio": self._audio, "events": self._events}
        try:
            await ways[self.manner.kind](outlet)
        except Gone:
            raise
        except Exception as error:  # a border: whatever it was, the caller gets a fault
            fault = fault_of(error)
            if not outlet.started:
                raise fault from error.__cause__
            if self.manner.kind == "events":
                await outlet.write(sse.failed(fault))
            raise Aborted(fault) from None

    async def _whole(self, outlet: Outlet) -> None:
        async with contextlib.aclosing(self._sound()) as sound:
            self._content = b"".join([content async for content in sound])
        await outlet.write(self._content)
        await outlet.end()

    async def _audio(self, outlet: Outlet) -> None:
        async with contextlib.aclosing(self._sound()) as sound:
            async for content in sound:
                await outlet.write(content)
        assert self._speaking is not None
        reason = self._speaking.summary.finish_reason
        if reason.startswith("guard:"):  # a clean end would pass for the whole speech
            raise Fault(FaultCode.SYNTHESIS_ERROR, f"the speech ran away and was ended: {reason}")
        await outlet.end()

    async def _events(self, outlet: Outlet) -> None:
        async with (
            contextlib.aclosing(self._sound()) as sound,
            contextlib.aclosing(with_pauses(sound, PING_S)) as paced,
        ):
            async for content in paced:
                await outlet.write(sse.PING if content is None else sse.deltas(content))
        assert self._speaking is not None
        await outlet.write(sse.done(self._speaking.summary, self._speaking.voice_id))
        await outlet.end()

    async def _sound(self) -> AsyncGenerator[bytes]:
        """The bytes of the audio file, as the engine makes its sound.

        In threads: a second of speech costs up to 8 ms to encode, and the first encoder 100 ms.
        """
        speaking = self._speaking = await self.speaker.open(self.job)
        try:
            encoder = await asyncio.to_thread(self._encoder)
            async for piece in speaking:
                yield await asyncio.to_thread(encoder.encode, piece.wave)
            yield await asyncio.to_thread(encoder.finish)
        finally:
            await speaking.aclose()

    def _encoder(self) -> Encoder:
        return make_encoder(
            self.manner.format,
            self.job.sample_rate,
            streaming=self.manner.kind != "whole",
            comment=PROVENANCE if self.speaker.settings.provenance else None,
        )

    def _told(self) -> dict[str, str]:
        """What is known when the first bytes leave."""
        kind, speaking = self.manner.kind, self._speaking
        media_type = sse.MEDIA_TYPE if kind == "events" else FORMATS[self.manner.format]
        headers = {"Content-Type": media_type, "X-Audio-Sample-Rate": str(self.job.sample_rate)}
        if self.job.seed is not None:
            headers["X-Seed"] = str(self.job.seed)
        if speaking is not None:
            headers["X-Voice-ID"] = quote(speaking.voice_id)
        if self.speaker.settings.provenance:
            headers["X-Provenance"] = PROVENANCE
        if kind == "events":
            headers |= sse.HEADERS
        if kind == "whole" and speaking is not None:
            headers |= self._whole_headers(speaking)
        return headers

    def _whole_headers(self, speaking: Speaking) -> dict[str, str]:
        summary = speaking.summary
        return {
            "Content-Length": str(len(self._content)),
            "X-Audio-Duration-Ms": str(round(1000 * summary.audio_s)),
            "X-Finish-Reason": summary.finish_reason,
            "X-Input-Tokens": str(summary.input_tokens),
            "X-Output-Tokens": str(summary.frames),
            "X-Seed": str(summary.seed),
        }


def _what_happened(gone: Gone, patience_s: float) -> str:
    if gone.reason == "slow_reader":
        return f"took nothing for {patience_s:g} s"
    return "left"
