"""A synthesizer and a codec without a model, for tests of what stands around one.

Every character of a text lasts one frame of a tone whose pitch is the seed's; a clone is the mean
of its recording. Requests are kept, so that a test can look at what arrived.
"""

import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Unpack

import numpy as np

from qwen3_tts.audio.files import read_audio
from qwen3_tts.audio.transcribe import Transcriber
from qwen3_tts.errors import Cancelled, SpeechWarning, UnknownVoice, UnsupportedRequest
from qwen3_tts.types import (
    AudioChunk,
    Codes,
    SpeakOptions,
    Speech,
    SpeechRequest,
    Timing,
    Voice,
    Wave,
)

RATE, FRAME = 24_000, 1_920


@dataclass
class FakeSynthesizer:
    kind: str = "custom_voice"
    requests: list[SpeechRequest] = field(default_factory=list)
    sample_rate: int = RATE

    @property
    def voices(self) -> list[str]:
        return ["ann", "bob"] if self.kind == "custom_voice" else []

    @property
    def default_voice(self) -> str | None:
        return next(iter(self.voices), None)

    @property
    def languages(self) -> list[str]:
        return ["english", "german"]

    @property
    def voice_width(self) -> int:
        return 4

    def synthesize(self, text: str, **options: Unpack[SpeakOptions]) -> Speech:
        return self.synthesize_batch([SpeechRequest(text, **options)])[0]

    def stream(self, text: str, **options: Unpack[SpeakOptions]) -> "FakeStream":
        return FakeStream(self, SpeechRequest(text, **options))

    def open_stream(self, **options: Unpack[SpeakOptions]) -> "FakeStream":
        return FakeStream(self, SpeechRequest("", **options))

    def count_tokens(self, text: str) -> int:
        return len(text.split())

    @property
    def queued(self) -> int:
        return 0

    def complaint(self) -> str | None:
        return None

    def close(self, drain: bool = True) -> None:
        pass

    def synthesize_batch(self, requests: Sequence[SpeechRequest]) -> list[Speech]:
        return [self._speak(request) for request in requests]

    def clone_voice(
        self,
        audio: Any,
        text: str | None = None,
        *,
        mode: str = "auto",
        language: str | None = None,
        name: str = "",
        check: bool = True,
        warn: bool = True,
        target: str | None = None,
        transcribe: Transcriber | None = None,
    ) -> Voice:
        if self.kind != "base":
            raise UnsupportedRequest(f"a {self.kind} checkpoint cannot clone voices")
        wave, _ = read_audio(audio)
        in_context = mode != "x_vector" and text is not None
        codes = np.zeros((len(wave) // FRAME, 16), dtype=np.int64) if in_context else None
        vector = np.full(4, wave.mean(), dtype=np.float32)
        return Voice(vector, codes, text if in_context else None, language, name)

    def _speak(self, request: SpeechRequest) -> Speech:
        if isinstance(request.voice, str) and request.voice not in self.voices:
            raise UnknownVoice(f"voice {request.voice!r} is unknown; have: {self.voices}")
        if request.instruct:
            warnings.warn("instruct is ignored", SpeechWarning, stacklevel=2)
        self.requests.append(request)
        seed = 4242 if request.seed is None else request.seed
        wanted = len(request.text)
        frames = min(wanted, request.max_frames or wanted)
        codes = np.full((frames, 16), seed % 2048, dtype=np.int64)
        wave = tone(codes)
        timing = Timing(0.0, 0.1, 0.2, 0.2, 0.3, 0.5, frames, len(wave) / RATE)
        end = "stop" if frames == wanted else "length"
        return Speech(wave, RATE, codes, seed, end, timing)


@dataclass
class FakeStream:
    """One frame a chunk. Text that is fed is spoken when it has ended."""

    owner: FakeSynthesizer
    request: SpeechRequest
    fed: str = ""
    sample_rate: int = RATE
    cancelled: bool = False

    def __post_init__(self) -> None:
        self.chunks: Iterator[AudioChunk] | None = None
        self.speech: Speech | None = None

    def _start(self) -> Iterator[AudioChunk]:
        if self.chunks is None:
            text = self.request.text + self.fed
            speech = self.speech = self.owner._speak(replace(self.request, text=text))
            waves = speech.wave.reshape(-1, FRAME)
            last = len(waves) - 1
            self.chunks = (
                AudioChunk(wave, i, i * FRAME / RATE, i == last) for i, wave in enumerate(waves)
            )
        return self.chunks

    def __iter__(self) -> "FakeStream":
        return self

    def __next__(self) -> AudioChunk:
        if self.cancelled:
            raise Cancelled("the stream was cancelled")
        return next(self._start())

    def __aiter__(self) -> "FakeStream":
        return self

    async def __anext__(self) -> AudioChunk:
        try:
            return next(self)
        except StopIteration:
            raise StopAsyncIteration from None

    def __enter__(self) -> "FakeStream":
        return self

    def __exit__(self, *exception: object) -> None:
        self.cancel()

    def feed(self, text: str) -> None:
        self.fed += text

    def end(self) -> None:
        self._start()

    def cancel(self) -> None:
        self.cancelled = True

    def result(self) -> Speech:
        list(self)
        assert self.speech is not None
        return self.speech

    @property
    def seed(self) -> int:
        return self.result().seed

    @property
    def codes(self) -> Codes:
        return self.result().codes

    @property
    def finish_reason(self) -> str:
        return self.result().finish_reason

    @property
    def timing(self) -> Timing:
        return self.result().timing


@dataclass
class FakeCodec:
    """Codes are the loudness of each frame, in steps of 1/2048."""

    sample_rate: int = RATE

    def encode(self, audio: Any, sample_rate: int | None = None) -> Codes:
        wave, _ = read_audio(audio if sample_rate is None else (audio, sample_rate))
        frames = np.pad(wave, (0, -len(wave) % FRAME)).reshape(-1, FRAME)
        loudness = (np.abs(frames).max(axis=1) * 2047).astype(np.int64)
        return np.repeat(loudness[:, None], 16, axis=1)

    def decode(self, codes: Any) -> Wave:
        return tone(codes)


def tone(codes: Codes) -> Wave:
    """A wave whose pitch in each frame is 100 Hz and the frame's first code."""
    pitch = np.repeat(100.0 + codes[:, 0], FRAME)
    return (0.5 * np.sin(2 * np.pi * np.cumsum(pitch) / RATE)).astype(np.float32)
