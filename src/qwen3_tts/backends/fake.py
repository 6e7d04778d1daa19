"""A synthesizer without a model: exact tones at a chosen pace, and faults on demand.

It stands in for an engine where the model does not matter: tests of a server, load tests, a first
look at the doors (`TTS_ENGINE=fake`). Requests are checked, queued, streamed and cancelled as the
real engine does it, by the same scheduler and streams. Every character lasts `frames_per_char`
frames; `expected_wave` tells the samples. A text may ask for trouble, and speaks the words too:

    [fail:N], [oom:N]   StreamFailed or OutOfMemory after N frames, or when the text is over
    [hang]              no more sound until it is cancelled
    [endless]           no end: "length" at `max_frames`, else "guard:budget" after a minute
    [slow:S]            S seconds for each frame
"""

import time
import warnings
import weakref
from collections import deque
from collections.abc import Sequence
from typing import Any, Unpack

import numpy as np

from qwen3_tts.audio.files import read_audio
from qwen3_tts.audio.reference import prepare_reference
from qwen3_tts.audio.transcribe import Transcriber
from qwen3_tts.backends.fake_job import FakeJob, FakePace
from qwen3_tts.backends.fake_loop import FakeLoop
from qwen3_tts.backends.fake_plan import LANGUAGES, VECTOR_SIZE, FakePlanner
from qwen3_tts.backends.fake_sound import FRAME, GROUPS, RATE, VOICES, expected_wave
from qwen3_tts.engine.chunks import DEFAULT_PLAN, check_plan
from qwen3_tts.engine.stream import Stream, TextStream
from qwen3_tts.errors import (
    InvalidAudio,
    InvalidRequest,
    InvalidVoice,
    Overloaded,
    SpeechWarning,
    UnsupportedRequest,
)
from qwen3_tts.prompt.languages import AUTO, resolve_language
from qwen3_tts.types import SpeakOptions, Speech, SpeechRequest, Voice

SILENCE = 1e-3  # peak

__all__ = ["LANGUAGES", "VECTOR_SIZE", "VOICES", "FakeSynthesizer", "expected_wave"]


class FakeSynthesizer:
    """Any number of threads and tasks may share it; waiting costs neither a thread nor CPU time.

    `kind`, `voices`, `max_rows` and `max_queue` are what they are to a checkpoint and an engine.
    The first chunk comes `first_audio_s` after its row was given, each other one `frame_s` per
    frame after the one before it; a chunk plan of (1,) makes that an even flow. `clone_s` is what
    cloning takes. `faults` are commands that hold for every text. `requests` keeps the newest.
    """

    def __init__(
        self,
        kind: str = "custom_voice",
        *,
        voices: Sequence[str] = VOICES,
        frames_per_char: int = 1,
        first_audio_s: float = 0.0,
        frame_s: float = 0.0,
        max_rows: int = 8,
        max_queue: int = 64,
        faults: Sequence[str] = (),
        chunk_plan: Sequence[int] = DEFAULT_PLAN,
        text_timeout_s: float = 30.0,
        clone_s: float = 0.0,
    ):
        plan = check_plan(chunk_plan)
        self.pace = FakePace(
            frames_per_char, first_audio_s, frame_s, plan, text_timeout_s, "".join(faults)
        )
        self._planner = FakePlanner(kind, voices, self.pace)
        self._loop, self._clone_s = FakeLoop(max_rows, max_queue), clone_s
        self.requests: deque[SpeechRequest] = deque(maxlen=1000)
        self.encoder_calls = 0
        self._abandoned = weakref.finalize(self, FakeLoop.abandon, self._loop)

    # what is going on

    @property
    def voice_width(self) -> int:
        return VECTOR_SIZE

    @property
    def active(self) -> int:
        """Rows in use now."""
        with self._loop.held():
            return self._loop.scheduler.active

    @property
    def queued(self) -> int:
        """Requests that wait for a row now."""
        with self._loop.held():
            return self._loop.scheduler.queued

    @property
    def started(self) -> int:
        """Requests that were given a row, so far."""
        with self._loop.held():
            return self._loop.started

    @property
    def finished(self) -> int:
        """Requests whose sound was made to its end."""
        with self._loop.held():
            return self._loop.finished

    @property
    def cancelled(self) -> int:
        """Requests that were given up before their sound was made, queued ones too."""
        with self._loop.held():
            return self._loop.cancelled

    @property
    def failed(self) -> int:
        with self._loop.held():
            return self._loop.failed

    def complaint(self) -> str | None:
        return self._loop.complaint()

    def break_down(self, reason: str) -> None:
        """Fail all there is, and whatever comes, until `repair`."""
        self._loop.break_down(reason)

    def repair(self) -> None:
        self._loop.broken = None

    # the protocol

    @property
    def sample_rate(self) -> int:
        return RATE

    @property
    def kind(self) -> str:
        return self._planner.kind

    @property
    def voices(self) -> list[str]:
        return sorted(self._planner.presets)

    @property
    def default_voice(self) -> str | None:
        return next(iter(self.voices), None)

    @property
    def languages(self) -> list[str]:
        return sorted(LANGUAGES)

    def count_tokens(self, text: str) -> int:
        """Words between white space."""
        return len(text.split())

    def synthesize(self, text: str, **options: Unpack[SpeakOptions]) -> Speech:
        return self.stream(text, **options).result()

    def stream(self, text: str, **options: Unpack[SpeakOptions]) -> Stream:
        return self._start(self._plan(SpeechRequest(text, **options)))

    def open_stream(self, **options: Unpack[SpeakOptions]) -> TextStream:
        request = SpeechRequest("", **options)
        job = self._planner.plan_open(request, self._loop)
        self.requests.append(request)
        return TextStream(self._loop.submit(job), RATE, self)

    def synthesize_batch(self, requests: Sequence[SpeechRequest]) -> list[Speech]:
        jobs = [self._plan(request) for request in requests]
        speeches: list[Speech] = []
        under_way: deque[Stream] = deque()
        for job in jobs:
            while True:
                try:
                    under_way.append(self._start(job))
                    break
                except Overloaded:  # by its own requests: the next goes in when one is done
                    if not under_way:
                        raise
                    speeches.append(under_way.popleft().result())
        return speeches + [stream.result() for stream in under_way]

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
            raise UnsupportedRequest(
                f"a {self.kind} checkpoint cannot clone voices; load a base checkpoint"
            )
        if mode not in ("auto", "icl", "x_vector"):
            raise InvalidRequest(f"clone mode {mode!r} is unknown; allowed: auto, icl, x_vector")
        spoken = bool(text and text.strip())
        if mode == "icl" and not spoken:
            raise InvalidVoice(
                "in-context cloning needs the transcript of the recording (text=...); "
                'use mode="x_vector" to clone without one'
            )
        wave, rate = read_audio(audio)
        if len(wave) * RATE < FRAME * rate:
            raise InvalidAudio("the recording is shorter than one frame (80 ms)")
        known = resolve_language(language, LANGUAGES)
        in_context, checks, gain_db = mode != "x_vector" and spoken, None, None
        if check and np.abs(wave).max() >= SILENCE:
            reference = prepare_reference(
                wave, rate, text, mode=mode, language=None if known == AUTO else known,
                target=target, transcribe=transcribe,
            )  # fmt: skip
            wave, text, in_context = reference.wave, reference.text, reference.mode == "icl"
            checks, gain_db = reference.checks, reference.gain_db
            for line in reference.complaints() if warn else ():
                warnings.warn(line, SpeechWarning, stacklevel=2)
        with self._loop.held():
            self.encoder_calls += 1
        time.sleep(self._clone_s)
        parts = np.array_split(wave, VECTOR_SIZE)
        vector = np.array([np.abs(part).mean() for part in parts], dtype=np.float32)
        frames = len(wave) * RATE // (FRAME * rate)
        codes = np.zeros((frames, GROUPS), dtype=np.int64) if in_context else None
        said = text if in_context else None
        return Voice(vector, codes, said, language, name, gain_db=gain_db, checks=checks)

    def close(self, drain: bool = True) -> None:
        self._loop.close(drain)

    def _plan(self, request: SpeechRequest) -> FakeJob:
        job = self._planner.plan(request, self._loop)
        self.requests.append(request)
        return job

    def _start(self, job: FakeJob) -> Stream:
        return Stream(self._loop.submit(job), RATE, self)
