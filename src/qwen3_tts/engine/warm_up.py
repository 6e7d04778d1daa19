"""What is slow at its first use, done while an engine has nothing else to do.

On a CPU the decoder's convolutions are compiled for every shape of a chunk, 25 to 40 ms each; the
first text stream sorts the vocabulary, 0.4 s at the published size. On a GPU graphs are recorded.
"""

import time
from collections.abc import Iterator, Sequence

import numpy as np
import torch

from qwen3_tts.engine.codec import Codec
from qwen3_tts.engine.cuda_graphs import ROWS
from qwen3_tts.engine.graph_decoder import EAGER_USES, MOST_FRAMES, GraphDecoder
from qwen3_tts.engine.slots import Slots
from qwen3_tts.prompt.incremental import IncrementalTokenizer
from qwen3_tts.prompt.tokenizer import TextTokenizer

PROMPT_PIECES = (16, 32, 64, 128)  # positions; most prompts are read in one of these
LONG_S = 0.25  # where a chunk takes this long, the first one is hardly slower than the others


def warm_up(codec: Codec, tokenizer: TextTokenizer, chunks: Sequence[int]) -> Iterator[None]:
    """Piece by piece: decode one row's chunks of these sizes, then make ready for text streams."""
    for frames in sorted(set(chunks)):
        start_s = time.perf_counter()
        codec.decode(np.zeros((frames, codec.num_codebooks), dtype=np.int64))
        yield
        if time.perf_counter() - start_s > LONG_S:
            break
    IncrementalTokenizer(tokenizer)


def warm_graphs(slots: Slots, chunks: Sequence[int]) -> Iterator[None]:
    """Record what usual requests replay, one graph at a time. For slots of which none is used."""
    runner, state = slots.graphs, slots.state
    if runner is None:
        return
    state.active.fill_(False)  # then a step moves nothing
    sizes = sorted({*(size for size in ROWS if size < slots.max_rows), slots.max_rows})
    for size in PROMPT_PIECES:
        x = slots.runner.like.new_zeros(1, size, state.hidden.shape[1])
        runner.talk(x, slots.state.cache.rows(0, 1), size)
        yield
    for size in sizes:
        runner.step(slots.state, slots.noise.talker, slots.noise.predictor, size, 1)
        yield
    if not isinstance(slots.decoder, GraphDecoder):
        return
    for size in sizes:
        for frames in sorted({count for count in chunks if count <= MOST_FRAMES}):
            K = slots.config.num_code_groups
            codes = torch.zeros(size, K, frames, dtype=torch.long, device=slots.device)
            for _ in range(EAGER_USES + 1):
                slots.decode(range(size), codes)
            yield
    for slot in range(slots.max_rows):
        slots.reset_sound(slot)
