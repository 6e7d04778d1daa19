"""Random models to measure, of any size, written once and kept if asked.

A model of random weights makes the same work as a trained one of its size, and never ends by
itself: every stream is as long as asked for.
"""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch

from qwen3_tts.config import GenerationConfig
from qwen3_tts.prompt.byte_vocab import write_byte_tokenizer
from qwen3_tts.weights.published import (
    published_codec_config,
    published_config,
    tiny_codec_config,
    tiny_config,
    with_special_ids,
)
from qwen3_tts.weights.random import random_codec, random_speech_model
from qwen3_tts.weights.save import PREPROCESSOR, save_checkpoint

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


@contextmanager
def model_folder(keep: Path | None) -> Iterator[Path]:
    """Where random models are written; without `keep` it goes with them."""
    if keep is not None:
        yield keep
        return
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def random_model(keep: Path, size: str, dtype: str = "bfloat16") -> Path:
    """The folder of a random model below `keep`, written if it is not there."""
    folder = keep / f"{size}-{dtype}"
    if not (folder / "speech_tokenizer" / PREPROCESSOR).exists():  # which is written last
        write_model(folder, size, DTYPES[dtype])
    return folder


def write_model(folder: Path, size: Any, dtype: torch.dtype) -> None:
    """A random CustomVoice checkpoint with one token per byte of text, whose speech has no end.

    The official package opens it too.
    """
    special = write_byte_tokenizer(folder)
    if size == "tiny":
        config, codec = tiny_config("custom_voice", special_ids=special), tiny_codec_config()
    else:
        config = with_special_ids(published_config("custom_voice", size), special)
        codec = published_codec_config()
    model = random_speech_model(config, 0, dtype)
    with torch.no_grad():  # a score of 0 is never among the 50 best of random ones
        model.talker.codec_head.weight[config.talker_config.codec_eos_token_id] = 0
    save_checkpoint(folder, model, random_codec(codec, 0), GenerationConfig(), text_files=None)
