"""Talker inputs: text embedding plus the sum of a frame's code embeddings."""

from dataclasses import replace

import pytest
import torch

from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.weights.published import tiny_config
from qwen3_tts.weights.random import random_speech_model


@pytest.fixture(scope="module")
def model() -> SpeechModel:
    return random_speech_model(tiny_config("base"), 2).requires_grad_(False)


def random_codes(rows: int, frames: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(3)
    return torch.randint(0, 2048, (rows, 16, frames), generator=generator)


def test_a_frame_is_the_sum_of_one_row_of_each_table(model: SpeechModel) -> None:
    codes = random_codes(2, 3)
    tables = [model.talker.codec_embedding, *model.code_predictor.codec_embedding]
    expected = torch.zeros(2, 3, 64, dtype=torch.float64)
    for row in range(2):
        for t in range(3):
            for group, table in enumerate(tables):
                expected[row, t] += table.weight[codes[row, group, t]].double()
    # 15 sums of values below 10: 15 roundings of 2^-24 of 10
    torch.testing.assert_close(model.embed_codes(codes).double(), expected, rtol=0, atol=1e-5)


def test_minus_one_is_no_code(model: SpeechModel) -> None:
    codes = random_codes(1, 4)
    codes[0, 1:, 1] = -1
    codes[0, :, 2] = -1
    vectors = model.embed_codes(codes)[0]
    assert torch.equal(vectors[1], model.talker.codec_embedding.weight[codes[0, 0, 1]])
    assert not vectors[2].any()


def test_missing_groups_are_no_codes(model: SpeechModel) -> None:
    codes = random_codes(2, 3)
    codes[:, 1:] = -1
    assert torch.equal(model.embed_codes(codes[:, :1]), model.embed_codes(codes))


def test_bfloat16_sums_a_frame_with_one_rounding() -> None:
    """As the official model: sixteen vectors in one reduction, then the text as a second sum."""
    model = random_speech_model(tiny_config("base"), 2, torch.bfloat16).requires_grad_(False)
    codes = random_codes(1, 50)
    tables = [model.talker.codec_embedding, *model.code_predictor.codec_embedding]
    rows = [table.weight[codes[0, g]].double() for g, table in enumerate(tables)]
    once = torch.stack(rows).sum(0).bfloat16()  # exact in float64, then rounded
    assert torch.equal(model.embed_codes(codes)[0], once)
    text = torch.arange(50)[None]
    assert torch.equal(model.embed(text, codes), model.talker.embed_text(text) + once)


def test_only_base_checkpoints_have_a_speaker_encoder() -> None:
    encoder = tiny_config("base").speaker_encoder_config
    for kind in ("base", "custom_voice", "voice_design"):
        # fine-tuned preset checkpoints keep the encoder's config, but not its weights
        config = replace(tiny_config(kind), speaker_encoder_config=encoder)
        with torch.device("meta"):
            assert (SpeechModel(config).speaker_encoder is not None) == (kind == "base")
