"""A synthesizer and a codec without a model, for tests of what stands around one.

Every character of a text lasts one frame of a tone whose pitch is the seed's; a clone is the mean
of its recording. Requests are kept, so that a test can look at what arrived.
"""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from qwen3_tts.audio.files import read_audio
from qwen3_tts.backends.base import DEFAULT_SAMPLING
from qwen3_tts.errors import SpeechWarning, UnknownVoice, UnsupportedRequest
from qwen3_tts.types import Codes, Sampling, Speech, SpeechRequest, Timing, Voice, Wave

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
    def languages(self) -> list[str]:
        return ["english", "german"]

    def synthesize(
        self,
        text: str,
        *,
        voice: str | Voice | None = None,
        language: str = "Auto",
        instruct: str | None = None,
        sampling: Sampling = DEFAULT_SAMPLING,
        seed: int | None = None,
        max_frames: int | None = None,
        text_first: bool | None = None,
    ) -> Speech:
        request = SpeechRequest(
            text, voice, language, instruct, sampling, seed, max_frames, text_first
        )
        return self.synthesize_batch([request])[0]

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
        timing = Timing(0.1, 0.2, 0.3, 0.5, frames, len(wave) / RATE)
        end = "stop" if frames == wanted else "length"
        return Speech(wave, RATE, codes, seed, end, timing)


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
