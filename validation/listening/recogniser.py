"""How much of some speech a small recogniser understands: pocketsphinx and its English model."""

import functools
import importlib.util
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Any

import numpy as np

from listening.words import total, word_errors
from qwen3_tts.audio.files import Wave, resample

RATE = 16_000  # of the recogniser's acoustic model
# Chosen once on two of flite's voices and 80 sentences (713 words) that are in no other list, then
# left alone. Padding of 0, 0.1, 0.3, 0.6 s: 122, 128, 132, 133 errors in both voices together, so
# within chance of each other; 0.1 s because cut beginnings must not count. Levels of 0.03, 0.08,
# 0.15: 124, 132, 137. With a language weight of 8 for pocketsphinx's 6.5 a third more errors,
# with 5 as many; with beams narrower by 5 to 8 powers of ten 2.7 times as many (these two heard on
# a third of the sentences).
PADDING_S = 0.1
LEVEL = 0.08  # root mean square, full scale 1
DITHER = 2e-5  # under one step of 16 bits
# Everything else as pocketsphinx has it. `cmn`: cepstral means over the whole utterance, so that
# what is heard of a sentence does not depend on the sentences before it.
SETTINGS: dict[str, Any] = {"cmn": "batch"}


def available() -> bool:
    """Whether pocketsphinx is installed."""
    return importlib.util.find_spec("pocketsphinx") is not None


def word_error(
    waves: Sequence[Wave], rate: int, texts: Sequence[str], *, workers: int = 1
) -> float:
    """Word error of all waves together: 0 is perfect, 1 is nothing understood."""
    heard = hear_all(waves, rate, workers=workers)
    pairs = zip(texts, heard, strict=True)
    return total(word_errors(said, got) for said, got in pairs).rate


def hear_all(waves: Sequence[Wave], rate: int, *, workers: int = 1) -> list[str]:
    """What the recogniser hears in each wave. With `workers` above 1 other processes do it."""
    pieces = [prepared(wave, rate) for wave in waves]
    if workers <= 1:
        return [_hear(piece) for piece in pieces]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        return list(pool.map(_hear, pieces, chunksize=4))


def prepared(wave: Wave, rate: int) -> bytes:
    """Samples as the recogniser takes them: 16 kHz, equally loud, silence around them."""
    heard = resample(wave, rate, RATE).astype(np.float64)
    level = np.sqrt(np.mean(np.square(heard))) if len(heard) else 0.0
    if level > 0:
        heard = heard * min(LEVEL / level, 0.99 / np.abs(heard).max())
    padded = np.pad(heard, int(PADDING_S * RATE))
    # The same every time; in digital silence logarithms of energy run away.
    padded += np.random.default_rng(0).normal(0, DITHER, len(padded))
    return (padded * 32767).astype("<i2").tobytes()


def _hear(samples: bytes) -> str:
    decoder = _decoder()
    decoder.start_utt()
    decoder.process_raw(samples, no_search=False, full_utt=True)
    decoder.end_utt()
    best = decoder.hyp()
    return best.hypstr if best else ""


@functools.cache
def _decoder() -> Any:
    """One for each process: the model takes a second to read."""
    import pocketsphinx  # optional: of the `dev` extra

    return pocketsphinx.Decoder(loglevel="FATAL", **SETTINGS)
