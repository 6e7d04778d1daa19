"""One request under way: what its slot has read, been fed, made and sent. Host side only."""

import math
import secrets
import time
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from qwen3_tts.engine.chunks import ChunkPlanner
from qwen3_tts.engine.codec import Codec
from qwen3_tts.engine.guard import Guard
from qwen3_tts.engine.plan import Job
from qwen3_tts.engine.priming import PIECE
from qwen3_tts.engine.stream import Channel, Outcome
from qwen3_tts.prompt.layout import Frame
from qwen3_tts.types import AudioChunk, Codes, Timing, Wave

WHOLE_PIECE = 16  # frames decoded at a time where nobody waits for them


@dataclass
class Clock:
    """When things happened, `time.perf_counter` readings; 0 where they have not."""

    submitted: float
    started: float = 0.0  # a slot was given
    prefilled: float = 0.0
    first_frame: float = 0.0
    last_frame: float = 0.0
    chunks: list[float] = field(default_factory=list)

    def timing(self, frames: int, audio_s: float, underrun_s: float) -> Timing:
        def since(moment: float) -> float:
            return moment - self.submitted if moment else 0.0

        return Timing(
            queued_s=since(self.started),
            prefill_s=since(self.prefilled),
            first_frame_s=since(self.first_frame),
            first_audio_s=since(self.chunks[0]) if self.chunks else 0.0,
            codes_s=since(self.last_frame),
            total_s=since(time.perf_counter()),
            frames=frames,
            audio_s=audio_s,
            underrun_s=underrun_s,
            chunk_s=tuple(since(moment) for moment in self.chunks),
        )


class Row:
    """`planner` is None where nobody listens before the end: the sound then leaves in one piece,
    and until that moment the guards may still begin again."""

    def __init__(self, job: Job, channel: Channel, planner: ChunkPlanner | None, codec: Codec):
        self.job, self.channel, self.planner = job, channel, planner
        self.rate, self.samples_per_frame = codec.sample_rate, codec.samples_per_frame
        self.num_groups = codec.num_codebooks
        self.guard: Guard = job.guard
        self.clock = Clock(time.perf_counter())
        self.seed, self.retries, self.slot = job.seed, 0, -1
        self.samples = self.chunk_index = 0
        self.decode_alone = False  # a decode together with others failed, and nobody knows whose
        self.starved_at = 0.0  # since when it waits for text; 0 while it does not
        self.begin()

    def begin(self) -> None:
        """Be at the start of the request: the first time, and for a retry."""
        self.read = 0  # prompt positions
        self.fed = 0  # trailing text ids handed to the slot
        self.frames: list[Tensor] = []  # [K] each
        self.decoded = 0  # frames
        self.decoding = 0  # frames whose decode is under way
        self.held: list[Wave] = []  # decoded, not yet sent
        self.finish_reason = ""
        self.ended_final = False  # the last chunk sent was marked as the last
        self.priming: Iterator[None] | None = None

    # what there is to do

    @property
    def unread(self) -> int:
        """Prompt positions that can be read now."""
        return len(self.job.prompt) - self.read

    @property
    def can_step(self) -> bool:
        """Whether the prompt is read and the text for the next frame is there."""
        text = self.job.text
        if self.finish_reason or self.unread or not text.complete or not self.fed:
            return False
        return text.ended or len(self.frames) < self.fed

    @property
    def starved(self) -> bool:
        """Whether nothing can happen before more text comes."""
        moving = self.unread or self.can_step or self.finish_reason
        return not moving and not self.job.text.ended and self.slot >= 0

    def waited_s(self) -> float:
        """How long it has been starved of text, as of now."""
        now = time.perf_counter()
        self.starved_at = (self.starved_at or now) if self.starved else 0.0
        return now - self.starved_at if self.starved_at else 0.0

    @property
    def text_exhausted(self) -> bool:
        """Whether the model has been given all of the text."""
        return self.job.text.ended and len(self.frames) >= len(self.job.text.trailing)

    @property
    def pending(self) -> int:
        """Frames made of which no decode has begun."""
        return len(self.frames) - self.decoded - self.decoding

    @property
    def speaks(self) -> bool:
        """Whether somebody listens to it right now, and would hear a delay."""
        return self.planner is not None and self.can_step

    def spare_s(self, now_s: float) -> float:
        """Seconds of sound that its listener has left; no end of them where nobody listens."""
        return math.inf if self.planner is None else self.planner.buffer_s(now_s)

    def due(self) -> int:
        """Frames to decode now. What is not decoded after all is given back by `undue`."""
        ended = bool(self.finish_reason)
        if self.planner is not None:
            return self.planner.take(self.pending, time.perf_counter(), ended)
        return min(self.pending, WHOLE_PIECE) if ended or self.pending >= WHOLE_PIECE else 0

    def undue(self) -> None:
        if self.planner is not None:
            self.planner.give_back()

    # what happens to it

    def take_text(self) -> None:
        """Let text that a caller has fed become part of the prompt."""
        feed = self.channel.feed
        if feed is None or self.job.text.ended:
            return
        ids, text, ended = feed.take()
        if text:
            self.starved_at = 0.0
        self.guard.extend(text)
        self.guard.text_open = not ended
        self.job.text.feed(ids)
        if ended:
            self.job.text.end()

    def new_text(self) -> tuple[int, list[int]]:
        """Trailing ids the slot does not have yet, and the index of the first of them."""
        text = self.job.text
        known = text.trailing + ([text.ids.tts_pad] if text.ended else [])
        start, self.fed = self.fed, len(known)
        return start, known[start:]

    def piece(
        self, positions: int
    ) -> tuple[list[int], list[Frame], tuple[int, NDArray[np.float32]] | None]:
        """The next prompt positions: text ids, codes, and where the speaker's vector goes."""
        prompt, start = self.job.prompt, self.read
        end = min(start + positions, len(prompt))
        at, voice, speaker = prompt.speaker_at, self.job.voice, None
        if voice is not None and at is not None and start <= at < end:
            speaker = (at - start, voice.vector)
        self.read = end
        return prompt.text_ids[start:end], prompt.codes[start:end], speaker

    def add_frame(self, frame: Tensor) -> None:
        """Keep a frame [K]."""
        self.frames.append(frame)
        self.clock.last_frame = time.perf_counter()
        self.clock.first_frame = self.clock.first_frame or self.clock.last_frame

    def next_frames(self, count: int) -> Tensor:
        """The next frames to decode, [K, T]."""
        return torch.stack(self.frames[self.decoded : self.decoded + count], dim=1)

    def decoded_frames(self) -> list[Tensor]:
        """The frames decoded so far, in pieces [K, T] of a bounded size."""
        ends = [*range(PIECE, self.decoded, PIECE), self.decoded] if self.decoded else []
        starts = range(0, self.decoded, PIECE)
        return [torch.stack(self.frames[a:b], dim=1) for a, b in zip(starts, ends, strict=True)]

    def keep(self, wave: Wave, count: int) -> None:
        """The sound of the next frames: it leaves at once where somebody listens."""
        self.decoded += count
        self.held.append(wave)
        if self.planner is not None:
            self._send(final=bool(self.finish_reason) and not self.pending)
            self.planner.handed_out(time.perf_counter())

    def finish(self, reason: str) -> None:
        self.finish_reason = self.finish_reason or reason
        self.clock.last_frame = self.clock.last_frame or time.perf_counter()

    def cut(self, frames: int) -> None:
        """Keep only the first frames, as far as their sound has not left."""
        per_frame = self.samples_per_frame
        keep = max(frames, self.samples // per_frame)
        if keep >= len(self.frames):
            return
        del self.frames[keep:]
        if self.decoded > keep:
            self.decoded = keep
            self.held = [np.concatenate(self.held)[: keep * per_frame - self.samples]]

    def retry(self) -> None:
        """Begin again with another seed."""
        self.guard.restart()
        self.retries += 1
        self.seed = secrets.randbelow(2**32)

    def close(self) -> None:
        """Send what is left, and say how it ended."""
        if not self.chunk_index or self.held or not self.ended_final:
            self._send(final=True)
        codes: Codes = np.zeros((0, self.num_groups), dtype=np.int64)
        if self.frames:
            codes = torch.stack(self.frames).cpu().numpy()
        underrun_s = self.planner.underrun_s if self.planner else 0.0
        timing = self.clock.timing(len(codes), self.samples / self.rate, underrun_s)
        self.channel.finish(Outcome(codes, self.seed, self.finish_reason, timing, self.retries))

    def _send(self, final: bool) -> None:
        empty: Wave = np.zeros(0, dtype=np.float32)
        wave = np.concatenate(self.held) if self.held else empty
        self.held = []
        self.channel.put(AudioChunk(wave, self.chunk_index, self.samples / self.rate, final))
        self.samples += len(wave)
        self.chunk_index += 1
        self.ended_final = final
        self.guard.sound_left = True
        self.clock.chunks.append(time.perf_counter())
