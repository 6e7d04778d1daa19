"""A corpus whose codes follow from its text by rule, for training in seconds.

Every character is spoken for one or two frames; its codes depend on the character, on the one
before it and on which of its frames it is, so a model must know where in the text it stands.
"""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from qwen3_tts.config import CodecConfig
from qwen3_tts.model.codec.codec import SpeechCodec
from qwen3_tts.weights.published import tiny_codec_config
from qwen3_tts.weights.random import random_codec
from qwen3_tts.weights.save import save_codec

FRAME_S = 0.08
LETTERS = "abcdefghijkl"
LONG = set("aei")  # two frames each


def small_codec(groups: int, size: int) -> SpeechCodec:
    tiny = tiny_codec_config(num_code_groups=groups)
    config: CodecConfig = replace(
        tiny,
        encoder_config=replace(tiny.encoder_config, codebook_size=size),
        decoder_config=replace(tiny.decoder_config, codebook_size=size),
    )
    return random_codec(config, 3)


def speak(text: str, groups: int, size: int) -> tuple[NDArray[np.int16], list[list[float]]]:
    """Codes [T, K] and word times of a text, after one frame of silence and before another."""
    silence = [size - 1] * groups
    frames, words, before = [silence], [], " "
    first, start_s = 0, FRAME_S
    for index, char in enumerate(text + " "):
        if char == " ":
            words.append([first, index, start_s, len(frames) * FRAME_S])
            first, start_s = index + 1, len(frames) * FRAME_S
            continue
        for part in range(2 if char in LONG else 1):
            seed = ord(char) * 4 + part
            context = 3 * ord(before)
            codes = [(7 * seed + 5 * g + context * (g > 0)) % (size - 1) for g in range(groups)]
            frames.append(codes)
        before = char
    frames.append(silence)
    return np.array(frames, np.int16), words


def random_text(random: np.random.Generator, words: int) -> str:
    lengths = random.integers(2, 6, size=words)
    return " ".join("".join(random.choice(list(LETTERS), size=n)) for n in lengths)


def write_corpus(
    folder: Path,
    *,
    texts: int,
    held_out: int = 8,
    groups: int = 4,
    size: int = 64,
    words: tuple[int, int] = (2, 5),
    seed: int = 0,
    speakers: tuple[str, ...] = ("Rms",),
) -> None:
    random = np.random.default_rng(seed)
    folder.mkdir(parents=True, exist_ok=True)
    lines, codes, first = [], [], 0
    for index in range(texts + held_out):
        text = random_text(random, int(random.integers(*words)))
        frames, times = speak(text, groups, size)
        lines.append(
            {
                "id": f"u{index}",
                "text": text,
                "speaker": speakers[index % len(speakers)],
                "language": "English",
                "split": "train" if index < texts else "held_out",
                "start": first * 1920,
                "samples": len(frames) * 1920,
                "words": times,
            }
        )
        codes.append(frames)
        first += len(frames)
    np.save(folder / "codes.npy", np.concatenate(codes))
    listing = "".join(json.dumps(line) + "\n" for line in lines)
    (folder / "utterances.jsonl").write_text(listing, encoding="utf-8")
    save_codec(folder / "codec", small_codec(groups, size))
