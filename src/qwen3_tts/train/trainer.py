"""The training loop of talker and code predictor: step, average, look at held-out data, save."""

import time
from collections.abc import Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.train.batches import Draw, Sampler, cut
from qwen3_tts.train.corrupt import corrupt
from qwen3_tts.train.dropout import add_dropout
from qwen3_tts.train.grid import Batch
from qwen3_tts.train.guide import GuidedHead
from qwen3_tts.train.journal import Journal
from qwen3_tts.train.loss import Losses, Weights, losses
from qwen3_tts.train.memory import give_back_memory
from qwen3_tts.train.optimizers import make_optimizers
from qwen3_tts.train.options import TalkerOptions
from qwen3_tts.train.precision import mixed_precision
from qwen3_tts.train.schedule import Moment, moment, progress_of
from qwen3_tts.train.setup import Parts
from qwen3_tts.train.state import export, load_state, save_state


class Trainer:
    """Trains until its budget is spent; `run` may be called once."""

    def __init__(
        self,
        parts: Parts,
        options: TalkerOptions,
        out: Path,
        journal: Journal,
        speaker_weights: Mapping[str, float] | None = None,
    ):
        self.parts, self.options, self.out, self.journal = parts, options, out, journal
        self.device = torch.device(options.device)
        self.model = parts.model.to(self.device).train()
        self.neighbours = parts.neighbours.to(self.device)
        self.average = deepcopy(self.model).requires_grad_(False)
        self.guide = GuidedHead(self.model, options.guide_layer, options.guide_head)
        self.average_guide = GuidedHead(self.average, options.guide_layer, options.guide_head)
        if options.dropout:  # after the copy, which is never trained
            add_dropout(self.model, options.dropout)
            torch.manual_seed(options.seed)  # dropout draws from the common generator
        self.parameters = list(self.model.parameters())
        self.optimizers = make_optimizers(self.model, options)
        self.sampler = Sampler(
            parts.train,
            positions=options.positions,
            seed=options.seed,
            speaker_weights=speaker_weights,
        )
        self.generator = torch.Generator().manual_seed(options.seed)
        self.step, self.elapsed_s = 0, 0.0
        self.dtype = getattr(torch, options.precision)

    def run(self) -> None:
        """Train to the end, saving on the way and at the end."""
        options = self.options
        began_s, before_s = time.monotonic(), self.elapsed_s
        saved_s = self.elapsed_s
        while (progress := progress_of(options, self.step, self.elapsed_s)) < 1:
            now = self.train_step(progress)
            self.elapsed_s = before_s + time.monotonic() - began_s
            if self.step % options.log_every == 0:
                self.journal.step(self.step, self.elapsed_s, now)
                give_back_memory()
            if self.step % options.eval_every == 0:
                self.journal.held_out(self.step, self.elapsed_s, self.evaluate())
            if self.elapsed_s - saved_s > 60 * options.save_minutes:
                saved_s = self.elapsed_s
                self.save()
        self.journal.held_out(self.step, self.elapsed_s, self.evaluate())
        self.save()

    def train_step(self, progress: float) -> Moment:
        """One batch: its losses go to the journal."""
        now = moment(self.options, self.step, progress)
        batch = self.sampler.next(now.share)
        codes = corrupt(
            batch.codes,
            batch.is_frame,
            self.parts.neighbours.replacements,
            now.corruption,
            self.generator,
        )
        found = self._losses(self.model, self.guide, batch, codes, now.weights)
        found.total.backward()  # type: ignore[no-untyped-call]
        norm = torch.nn.utils.clip_grad_norm_(self.parameters, self.options.clip)
        for optimizer in self.optimizers:
            for group in optimizer.param_groups:
                group["lr"] = now.lr * group["scale"]
            optimizer.step()
            optimizer.zero_grad(set_to_none=True)
        self.step += 1
        self._update_average()
        self.journal.count(batch, found, norm)
        return now

    def evaluate(self) -> dict[str, Any]:
        """Held-out losses of the averaged weights, teacher-forced, per text order."""
        maker, found = self.parts.held_out, {}
        weights = Weights(soft=0, predictor=1, late_group=1, guide=1, predictor_share=1)
        count = min(len(maker.items), self.options.eval_items)
        for text_first in (False, True):
            draws = [Draw(i, text_first, i % 2 == 0) for i in range(count)]
            lengths = [maker.length(draw) for draw in draws]
            rows: list[tuple[int, Losses]] = []
            for part in cut(draws, lengths, self.options.positions):
                batch = maker.batch(part)
                with torch.no_grad():
                    one = self._losses(
                        self.average, self.average_guide, batch, batch.codes, weights
                    )
                rows.append((len(batch.query), one))
            found["text_first" if text_first else "streaming"] = _mean(rows)
        return found

    def _losses(
        self, model: SpeechModel, guide: GuidedHead, batch: Batch, codes: Tensor, weights: Weights
    ) -> Losses:
        generator = self.generator if model is self.model else torch.Generator().manual_seed(0)
        batch, codes = batch.to(self.device), codes.to(self.device)
        with mixed_precision(self.dtype, self.device):
            return losses(model, batch, codes, self.neighbours, weights, guide, generator)

    def _update_average(self) -> None:
        keep = min(self.options.ema, (1 + self.step) / (10 + self.step))
        own = [parameter.data for parameter in self.model.parameters()]
        torch._foreach_lerp_(list(self.average.parameters()), own, 1 - keep)

    def save(self) -> None:
        """Write the checkpoint to speak with, and the state to go on from."""
        export(self.out, self.average, self.parts, self.options)
        save_state(
            self.out,
            {
                "step": self.step,
                "elapsed_s": self.elapsed_s,
                "model": self.model.state_dict(),
                "average": self.average.state_dict(),
                "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
                "sampler": self.sampler.state(),
                "generator": self.generator.get_state(),
                "common": torch.get_rng_state(),
                "journal": self.journal.state(),
            },
        )

    def resume(self) -> None:
        """Go on from the state in the output folder."""
        state = load_state(self.out)
        self.step, self.elapsed_s = state["step"], state["elapsed_s"]
        self.model.load_state_dict(state["model"])
        self.average.load_state_dict(state["average"])
        for optimizer, saved in zip(self.optimizers, state["optimizers"], strict=True):
            optimizer.load_state_dict(saved)
        self.sampler.restore(state["sampler"])
        self.generator.set_state(state["generator"])
        if "common" in state:  # not in states of runs before dropout
            torch.set_rng_state(state["common"])
        self.journal.restore(state["journal"])


def _mean(rows: list[tuple[int, Losses]]) -> dict[str, Any]:
    """Batch means weighted by their predicting positions."""
    total = sum(count for count, _ in rows)
    means: dict[str, Any] = {}
    for name in ("first", "first_hits", "others", "others_hits", "end_hits", "guide", "mass"):
        value = torch.stack([getattr(one, name) * (count / total) for count, one in rows]).sum(0)
        means[name] = (
            [round(v, 4) for v in value.tolist()] if value.ndim else round(float(value), 4)
        )
    return means
