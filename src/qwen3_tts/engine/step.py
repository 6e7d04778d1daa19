"""The loop body: one frame for every active row of a batch.

Nothing here waits for a tensor's value, branches on one or outlives the call but the state, so the
same function can run eagerly or be captured. The host reads end of speech from the codes it gets.
All state is written at the end: a step that fails half-way can be made again.

Dims: B rows, K code groups, D talker width, V code vocabulary, L trailing text entries
(what a runner's `embed` takes for text ids).
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from qwen3_tts.engine.runner import Runner
from qwen3_tts.engine.sampling import RowOptions, draw, talker_scores
from qwen3_tts.model.cache import FrameCache, KVCache


@dataclass
class LoopState:
    """All that rows remember between frames; changed in place."""

    cache: KVCache
    frame_cache: FrameCache
    hidden: Tensor  # [B, D], talker output at each row's last position
    seen: Tensor  # [B, V], True for first codes drawn so far
    frame: Tensor  # [B], frames made so far
    trailing: Tensor  # [B, L], text entries fed one per frame
    last: Tensor  # [B], index of the trailing entry that is fed for ever once reached
    active: Tensor  # [B], rows that move; the others are computed along and left as they were
    options: RowOptions
    suppressed: Tensor  # [V]

    def head(self, rows: int) -> "LoopState":
        """The first rows, as views: a smaller batch over the same memory."""
        return LoopState(
            self.cache.rows(0, rows),
            self.frame_cache.rows(rows),
            self.hidden[:rows],
            self.seen[:rows],
            self.frame[:rows],
            self.trailing[:rows],
            self.last[:rows],
            self.active[:rows],
            self.options.head(rows),
            self.suppressed,
        )


def step(
    runner: Runner, state: LoopState, talker_noise: Tensor, noise: Tensor, limit: int
) -> Tensor:
    """Draw one frame per row and move on. talker_noise [B, V], noise [B, K-1, V'].

    Returns codes [B, K]; where the first is end of speech, the row had ended before this frame.
    `limit` bounds the positions any row reaches in this step.
    """
    eos = runner.config.talker_config.codec_eos_token_id
    logits = runner.logits(state.hidden)
    penalty = state.options.repetition_penalty
    scores = talker_scores(logits, state.seen, penalty, state.frame, state.suppressed, eos)
    first = draw(scores, state.options.talker, talker_noise)
    codes = runner.fill_frame(
        state.hidden, first, noise, state.options.predictor, state.frame_cache
    )

    index = torch.minimum(state.frame, state.last)[:, None]
    text = state.trailing.gather(1, index)
    x = runner.embed(text, codes[:, :, None])  # [B, 1, D]
    hidden = runner.talk(x, state.cache, limit)[:, 0]

    active, drawn = state.active, first[:, None]
    marks = state.seen.gather(1, drawn) | active[:, None]
    hidden = torch.where(active[:, None], hidden, state.hidden)
    state.seen.scatter_(1, drawn, marks)
    state.hidden.copy_(hidden)
    state.cache.pos += active
    state.frame += active
    return codes
