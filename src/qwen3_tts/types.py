"""Data that crosses layers: what a caller asks for and what comes back. numpy, never torch.

Layouts: wave float32 [N] in -1..1; codes int64 [T, K], one row of K codes per 80 ms frame; speaker
vector float32 [D].
"""

from dataclasses import dataclass, field
from os import PathLike
from typing import BinaryIO, TypedDict

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.audio.speech_files import write_speech
from qwen3_tts.version import __version__
from qwen3_tts.voice import Codes as Codes
from qwen3_tts.voice import Take as Take
from qwen3_tts.voice import Voice as Voice

Wave = NDArray[np.float32]


@dataclass(frozen=True)
class Sampling:
    """How codes are drawn. None takes the checkpoint's value (generation_config.json).

    The first code of a frame comes from the talker, the others from the code predictor, which has
    options of its own. `top_k=0` and `top_p=1.0` keep everything. Greedy speech is repeatable but
    not better: it tends to drone on without an end.
    """

    temperature: float | None = None
    top_k: int | None = None
    top_p: float | None = None
    repetition_penalty: float | None = None
    greedy: bool | None = None
    predictor_temperature: float | None = None
    predictor_top_k: int | None = None
    predictor_top_p: float | None = None
    predictor_greedy: bool | None = None


@dataclass(frozen=True)
class SpeechRequest:
    """One text to speak.

    `voice` is a preset's name or a `Voice`; None takes the checkpoint's first preset where it has
    any, and "" speaks without a speaker. `language` is a name or ISO code, "Auto" lets the model
    find out. `instruct` describes a voice (VoiceDesign) or a manner (CustomVoice 1.7B).
    `max_frames` bounds the audio, 12.5 frames a second. `text_first` reads the whole text before
    the first frame; False feeds one token per frame; None takes the official default: True for
    presets and designed voices, False for cloned ones.

    `priority` is high, normal or low. `guard` says what to do when speech runs away: "stop" it,
    "retry" with another seed (before any sound left, and only if neither seed nor `max_frames`
    was given), "error", or "off"; None takes the engine's. `style` picks a take of a cloned voice
    that has several, see `Voice.take`.
    """

    text: str
    voice: str | Voice | None = None
    language: str = "Auto"
    instruct: str | None = None
    sampling: Sampling = field(default_factory=Sampling)
    seed: int | None = None
    max_frames: int | None = None
    text_first: bool | None = None
    priority: str = "normal"
    guard: str | None = None
    style: str | None = None


class SpeakOptions(TypedDict, total=False):
    """The keywords of `synthesize`, `stream` and `open_stream`: a `SpeechRequest` but its text."""

    voice: str | Voice | None
    language: str
    instruct: str | None
    sampling: Sampling
    seed: int | None
    max_frames: int | None
    text_first: bool | None
    priority: str
    guard: str | None
    style: str | None


@dataclass(frozen=True, eq=False)
class AudioChunk:
    """A piece of speech. The pieces put together are the whole; the last may be empty."""

    wave: Wave  # [n]
    index: int
    start_s: float  # where it begins in the speech
    is_final: bool


@dataclass(frozen=True)
class Timing:
    """Seconds since the request was made; `audio_s` is the length of the speech."""

    queued_s: float  # a row was given
    prefill_s: float  # prompt read
    first_frame_s: float  # first frame's codes known
    first_audio_s: float  # first sound handed over
    codes_s: float  # all codes known
    total_s: float  # all sound handed over
    frames: int
    audio_s: float
    underrun_s: float = 0.0  # silence of a player that started with the first chunk
    chunk_s: tuple[float, ...] = ()  # each chunk handed over

    @property
    def x_realtime(self) -> float:
        """Seconds of speech per second of work."""
        return self.audio_s / self.total_s if self.total_s > 0 else 0.0


@dataclass(frozen=True, eq=False)
class Speech:
    """What a request became.

    `finish_reason` is "stop" (the model ended), "length" (`max_frames`), "text_timeout" (a text
    stream was not fed) or "guard:budget", "guard:loop", "guard:silence" (it ran away).
    """

    wave: Wave  # [N]
    sample_rate: int
    codes: Codes  # [T, K]
    seed: int
    finish_reason: str
    timing: Timing
    retries: int = 0  # times a guard began again; `seed` is that of the last try

    @property
    def duration_s(self) -> float:
        return len(self.wave) / self.sample_rate

    def save(
        self,
        target: str | PathLike[str] | BinaryIO,
        format: str | None = None,
        *,
        provenance: bool = True,
    ) -> None:
        """Write an audio file; the suffix or `format` chooses wav, flac, ogg or mp3.

        With `provenance` its metadata say that it is AI-generated, and by which package.
        """
        write_speech(
            target,
            self.wave,
            self.sample_rate,
            version=__version__,
            provenance=provenance,
            format=format,
        )
