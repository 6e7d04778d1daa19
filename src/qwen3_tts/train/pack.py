"""A trained talker and a trained codec -> one checkpoint folder, small enough to pass on."""

from pathlib import Path

import torch

from qwen3_tts.config import read_generation_config
from qwen3_tts.errors import InvalidConfig
from qwen3_tts.model.codec.codec import SpeechCodec
from qwen3_tts.train.geometry import codebook_entries
from qwen3_tts.weights.load import load_codec, load_speech_model
from qwen3_tts.weights.save import save_checkpoint

CPU = torch.device("cpu")
ROUNDED = 0.01  # an entry kept in half precision is off by at most 0.4 % of itself


def pack(talker: Path, codec: SpeechCodec, out: Path, dtype: str) -> int:
    """Write the checkpoint that speaks with `talker`'s model and with `codec`; returns its bytes.

    All weights become `dtype`, "float16" or "bfloat16". `codec` is converted in place. Raises
    `InvalidConfig` if its codebooks are not those that the talker was trained with.
    """
    number: torch.dtype = getattr(torch, dtype)
    _require_same_books(load_codec(talker / "speech_tokenizer", device=CPU), codec, talker)
    model = load_speech_model(talker, device=CPU, dtype=number)
    generation = read_generation_config(talker)
    out.mkdir(parents=True, exist_ok=True)
    save_checkpoint(out, model.to(number), codec.to(number), generation, text_files=talker)
    files = [*out.glob("*"), *(out / "speech_tokenizer").glob("*")]
    return sum(path.stat().st_size for path in files if path.is_file())


def _require_same_books(known: SpeechCodec, given: SpeechCodec, talker: Path) -> None:
    """A code means nothing but its entry: another entry is another sound."""
    ours, theirs = codebook_entries(known), codebook_entries(given)
    same = len(ours) == len(theirs) and all(
        a.shape == b.shape and torch.allclose(a, b, rtol=ROUNDED, atol=ROUNDED * float(a.std()))
        for a, b in zip(ours, theirs, strict=True)
    )
    if not same:
        raise InvalidConfig(
            f"the codec's codebooks are not those that {talker} was trained with; pack it with the "
            "codec of the same corpus"
        )
