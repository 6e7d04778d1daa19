"""Runs planned requests as one batch: reads all prompts, then steps until every row has ended."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from qwen3_tts.engine.noise import FrameNoise
from qwen3_tts.engine.plan import Job
from qwen3_tts.engine.sampling import RowOptions, suppressed_ids
from qwen3_tts.engine.step import LoopState, step
from qwen3_tts.model.cache import FrameCache, KVCache
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.types import Codes

HEADROOM = 256  # positions reserved beyond the prompt, 20 s of audio, before memory must grow


@dataclass
class Generated:
    """The frames of one row; times are `time.perf_counter` readings."""

    finish_reason: str = ""
    prefill_at: float = 0.0
    first_frame_at: float = 0.0
    end_at: float = 0.0
    frames: list[Tensor] = field(default_factory=list)

    def codes(self, num_groups: int) -> Codes:
        """[T, K]."""
        if not self.frames:
            return np.zeros((0, num_groups), dtype=np.int64)
        return torch.stack(self.frames).cpu().numpy()


class EagerRunner:
    """The plain way to run the loop body, on any device."""

    def __init__(self, model: SpeechModel):
        self.model = model
        self.config = model.config.talker_config
        self.weight = model.talker.codec_head.weight  # tells device and dtype
        self.suppressed = suppressed_ids(self.config, self.weight.device)

    def generate(self, jobs: Sequence[Job]) -> list[Generated]:
        """Frames of every job, in order. Rows never influence each other's draws."""
        rows = [Generated() for _ in jobs]
        active = [True] * len(jobs)
        with torch.inference_mode():
            noise = self._noise(jobs)
            state, positions = self._prefill(jobs)
            for row in rows:
                row.prefill_at = time.perf_counter()
            while any(active):
                positions += 1
                state.cache.reserve(positions)
                noise.refill(active)
                codes = step(self.model, state, noise.talker, noise.predictor, positions)
                self._collect(jobs, rows, active, codes)
        return rows

    def _collect(
        self, jobs: Sequence[Job], rows: list[Generated], active: list[bool], codes: Tensor
    ) -> None:
        """Keep the frames of active rows; end the rows that are done."""
        now, first = time.perf_counter(), codes[:, 0].tolist()
        for i, row in enumerate(rows):
            if not active[i]:
                continue
            if first[i] == self.config.codec_eos_token_id:
                row.finish_reason = "stop"
            else:
                row.frames.append(codes[i])
                row.first_frame_at = row.first_frame_at or now
                if len(row.frames) == jobs[i].max_frames:
                    row.finish_reason = "length"
            if row.finish_reason:
                active[i], row.end_at = False, now

    def _noise(self, jobs: Sequence[Job]) -> FrameNoise:
        sampling, seeds = [job.sampling for job in jobs], [job.seed for job in jobs]
        return FrameNoise(self.config, sampling, seeds, self.weight.device)

    def _prefill(self, jobs: Sequence[Job]) -> tuple[LoopState, int]:
        """Read the prompts, padded on the right: no query sees a padded key, and generated
        positions overwrite them. Returns the state and the longest prompt's length."""
        device, B = self.weight.device, len(jobs)
        lengths = torch.tensor([len(job.prompt) for job in jobs], device=device)
        longest = max(len(job.prompt) for job in jobs)
        cache = KVCache.new(self.config, B, longest + HEADROOM, self.weight)
        x = self._embed(jobs, longest)
        hidden = self.model.talker(x, cache.span(longest, longest))  # [B, S, D]
        cache.pos += lengths
        state = LoopState(
            cache=cache,
            frame_cache=FrameCache.new(self.config.code_predictor_config, B, self.weight),
            hidden=hidden[torch.arange(B, device=device), lengths - 1],
            seen=torch.zeros(B, self.config.vocab_size, dtype=torch.bool, device=device),
            frame=torch.zeros(B, dtype=torch.long, device=device),
            trailing=self._trailing(jobs),
            options=RowOptions.of([job.sampling for job in jobs], self.config, device),
            suppressed=self.suppressed,
        )
        return state, longest

    def _embed(self, jobs: Sequence[Job], longest: int) -> Tensor:
        """Input embeddings of all prompts, [B, S, D]."""
        device, pad = self.weight.device, self.model.config.tts_pad_token_id
        text = torch.full((len(jobs), longest), pad)
        codes = torch.full((len(jobs), longest, self.config.num_code_groups), -1)
        for i, job in enumerate(jobs):
            text[i, : len(job.prompt)] = torch.tensor(job.prompt.text_ids)
            for s, frame in enumerate(job.prompt.codes):
                if frame:
                    codes[i, s, : len(frame)] = torch.tensor(frame)
        x = self.model.embed(text.to(device), codes.to(device).transpose(1, 2))
        for i, job in enumerate(jobs):
            if job.prompt.speaker_at is not None and job.voice is not None:
                vector = torch.from_numpy(job.voice.vector)
                x[i, job.prompt.speaker_at] += vector.to(device=device, dtype=x.dtype)
        return x

    def _trailing(self, jobs: Sequence[Job]) -> Tensor:
        """Text ids fed one per frame, [B, L]; each row ends in padding, which then repeats."""
        pad = self.model.config.tts_pad_token_id
        length = 1 + max(len(job.prompt.trailing) for job in jobs)
        rows = [job.prompt.trailing + [pad] * (length - len(job.prompt.trailing)) for job in jobs]
        return torch.tensor(rows, device=self.weight.device)
