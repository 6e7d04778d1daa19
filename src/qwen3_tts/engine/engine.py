"""The engine: planned requests in, speech out. One request at a time enters the loop."""

import threading
import time
from collections.abc import Sequence

import torch

from qwen3_tts.engine.codec import Codec
from qwen3_tts.engine.options import EngineOptions
from qwen3_tts.engine.plan import Job, Planner
from qwen3_tts.engine.runner import EagerRunner, Generated
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.types import Codes, Speech, SpeechRequest, Timing, Wave


class Engine:
    def __init__(self, model: SpeechModel, codec: Codec, planner: Planner, options: EngineOptions):
        self.model, self.codec, self.planner, self.options = model, codec, planner, options
        self.runner = EagerRunner(model)
        self.lock = threading.Lock()  # model state belongs to one batch at a time

    def run(self, requests: Sequence[SpeechRequest]) -> list[Speech]:
        """Speech for every request, in order. All are checked before any is made."""
        jobs = [self.planner.plan(request) for request in requests]
        speeches: list[Speech] = []
        for start in range(0, len(jobs), self.options.max_rows):
            group = jobs[start : start + self.options.max_rows]
            with self.lock:
                begin = time.perf_counter()
                rows = self.runner.generate(group)
                speeches += [
                    self._finish(job, row, begin) for job, row in zip(group, rows, strict=True)
                ]
        return speeches

    def _finish(self, job: Job, row: Generated, begin: float) -> Speech:
        codes = row.codes(self.model.config.talker_config.num_code_groups)
        wave = self._decode(job, codes)
        timing = Timing(
            prefill_s=row.prefill_at - begin,
            first_frame_s=row.first_frame_at - begin,
            codes_s=row.end_at - begin,
            total_s=time.perf_counter() - begin,
            frames=len(codes),
            audio_s=len(wave) / self.codec.sample_rate,
        )
        return Speech(wave, self.codec.sample_rate, codes, job.seed, row.finish_reason, timing)

    def _decode(self, job: Job, codes: Codes) -> Wave:
        """Speech in an in-context voice continues its reference, so the decoder hears that first.

        This equals decoding both and cutting the reference off, at exactly R * 1920 samples.
        """
        reference = job.voice.codes if job.voice else None
        with torch.inference_mode():
            if reference is None:
                state = self.codec.model.decoder.new_state(1)
            else:
                state = self.codec.primed(reference)
            return self.codec.decode_frames_of(self.codec.check_codes(codes), state)
