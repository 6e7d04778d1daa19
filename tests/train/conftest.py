"""A tiny corpus and options that train in a second."""

from pathlib import Path

import pytest

from qwen3_tts.train.options import TalkerOptions
from tests.train.fake_corpus import write_corpus

TINY = TalkerOptions(
    steps=6,
    positions=200,
    warmup=2,
    merges=12,
    hidden_size=32,
    num_hidden_layers=2,
    num_attention_heads=2,
    num_key_value_heads=1,
    head_dim=16,
    intermediate_size=48,
    predictor_hidden_size=24,
    predictor_layers=1,
    predictor_heads=2,
    predictor_head_dim=8,
    predictor_intermediate_size=32,
    guide_layer=1,
    precision="float32",
    log_every=1,
    eval_every=3,
)


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Twelve utterances of four codebooks with 64 entries, two speakers."""
    folder = tmp_path_factory.mktemp("corpus")
    write_corpus(folder, texts=12, held_out=4, speakers=("Rms", "slt"))
    return folder


@pytest.fixture
def tiny() -> TalkerOptions:
    return TINY
