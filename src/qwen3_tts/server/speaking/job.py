"""What a door asks to have spoken, and what it gets."""

import asyncio
from dataclasses import dataclass, field

from qwen3_tts.backends.base import SpeechStream, Synthesizer
from qwen3_tts.server.access.auth import Principal
from qwen3_tts.types import Sampling, SpeakOptions, Speech, Voice, Wave
from qwen3_tts.version import __version__

PROVENANCE = f"AI-generated, qwen3-tts {__version__}"  # a comment in files of speech made here


@dataclass(frozen=True)
class SpeechJob:
    """What a door wants spoken. `voice` is a name to look up, or a `Voice`; None the default."""

    text: str
    principal: Principal
    voice: str | Voice | None = None
    language: str = "Auto"
    instruct: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    seed: int | None = None
    max_frames: int | None = None
    priority: str = "normal"
    sample_rate: int = 24_000
    speed: float = 1.0
    text_first: bool | None = None
    text_stream: bool = False  # the text comes by `feed`, and `text` is its first piece
    route: str = "speech"
    style: str | None = None  # a take of the voice


@dataclass(frozen=True, eq=False)
class Piece:
    """Sound as it arrives; `start_s` is its offset in the speech."""

    wave: Wave  # [n] at the job's rate
    start_s: float


@dataclass(frozen=True)
class Summary:
    """How a speech ended. `audio_s` is what was sent, at the job's speed."""

    audio_s: float
    characters: int
    frames: int
    input_tokens: int
    finish_reason: str
    seed: int
    first_audio_s: float
    total_s: float


@dataclass
class Start:
    """All it takes to begin a speech, and to begin it again."""

    synthesizer: Synthesizer
    job: SpeechJob
    text: str
    options: SpeakOptions

    async def stream(self) -> SpeechStream:
        """Planning tokenises the text, so it runs in a thread."""
        if self.job.text_stream:
            return await asyncio.to_thread(self.synthesizer.open_stream, **self.options)
        return await asyncio.to_thread(self.synthesizer.stream, self.text, **self.options)

    async def whole(self) -> Speech:
        return await asyncio.to_thread(self.synthesizer.synthesize, self.text, **self.options)
