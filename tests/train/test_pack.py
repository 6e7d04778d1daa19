"""Packing: the folder speaks as the unpacked halves do, at half the size."""

from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open

import qwen3_tts
from qwen3_tts.errors import InvalidConfig
from qwen3_tts.model.codec.codec import SpeechCodec
from qwen3_tts.train.pack import pack
from qwen3_tts.types import Sampling
from qwen3_tts.weights.load import load_codec
from tests.conftest import WriteCheckpoint
from tests.refusal import refused

GREEDY = Sampling(greedy=True, predictor_greedy=True)


def trained_codec(talker: Path) -> SpeechCodec:
    """The codec of a checkpoint after a training that left the books alone."""
    codec = load_codec(talker / "speech_tokenizer", device=torch.device("cpu"))
    for name, parameter in codec.named_parameters():
        if "codebooks" not in name:
            parameter.data = parameter * 1.05
    return codec


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_the_packed_folder_speaks(checkpoint: WriteCheckpoint, tmp_path: Path, dtype: str) -> None:
    talker, number = checkpoint("custom_voice"), getattr(torch, dtype)
    size_bytes = pack(talker, trained_codec(talker), tmp_path / "out", dtype)
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert size_bytes == sum(path.stat().st_size for path in files)
    for folder in (tmp_path / "out", tmp_path / "out" / "speech_tokenizer"):
        with safe_open(folder / "model.safetensors", framework="pt") as file:
            types = {file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
        assert types == {"F16" if dtype == "float16" else "BF16"}

    # unpacked: the same weights rounded in memory, then computed with in float32 as on any CPU
    expected = qwen3_tts.load(talker, device="cpu")
    for module in (expected.engine.model, expected.codec.model):
        module.to(number).float()
    codec = trained_codec(talker).to(number).float()
    packed = qwen3_tts.load(tmp_path / "out", device="cpu")
    ours, theirs = (
        tts.synthesize("Hello there.", voice="ryan", sampling=GREEDY, max_frames=8)
        for tts in (packed, expected)
    )
    assert np.array_equal(ours.codes, theirs.codes)
    assert len(np.unique(ours.codes)) > 10
    expected.codec.model.load_state_dict(codec.state_dict())
    assert np.array_equal(packed.codec.decode(ours.codes), expected.codec.decode(ours.codes))


def test_what_is_packed_can_be_packed_again(checkpoint: WriteCheckpoint, tmp_path: Path) -> None:
    """Rounded books are still the same books."""
    talker = checkpoint("custom_voice")
    pack(talker, trained_codec(talker), tmp_path / "once", "bfloat16")
    once = tmp_path / "once"
    pack(once, trained_codec(talker), tmp_path / "twice", "bfloat16")
    name = "model.safetensors"
    assert (once / name).read_bytes() == (tmp_path / "twice" / name).read_bytes()


def test_a_codec_of_other_books_is_refused(checkpoint: WriteCheckpoint, tmp_path: Path) -> None:
    talker = checkpoint("custom_voice")
    codec = trained_codec(talker)
    with torch.no_grad():
        book = codec.decoder.codebooks.acoustic.books[3]
        book.embedding_sum.copy_(book.embedding_sum.flip(0))
    with refused(InvalidConfig, "codebooks are not those", "same corpus"):
        pack(talker, codec, tmp_path / "out", "float16")
    assert not (tmp_path / "out").exists()
