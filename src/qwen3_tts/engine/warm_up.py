"""What is slow at its first use, done while an engine has nothing else to do.

On a CPU the decoder's convolutions are compiled for every shape of a chunk, 25 to 40 ms each; the
first text stream sorts the vocabulary, 0.4 s at the published size.
"""

import time
from collections.abc import Iterator, Sequence

import numpy as np

from qwen3_tts.engine.codec import Codec
from qwen3_tts.prompt.incremental import IncrementalTokenizer
from qwen3_tts.prompt.tokenizer import TextTokenizer

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
