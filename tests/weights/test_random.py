"""Random checkpoints: repeatable, and lively enough for the tests that decode with them."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from qwen3_tts.config import read_checkpoint_config
from qwen3_tts.errors import InvalidConfig
from qwen3_tts.model.cache import FrameCache, KVCache
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.weights.published import (
    SPECIAL_TOKENS,
    published_config,
    tiny_codec_config,
    tiny_config,
)
from qwen3_tts.weights.random import random_codec, random_speech_model, write_random_checkpoint

NUM_CODES = 2048


def greedy(model: SpeechModel, frames: int) -> Tensor:
    """Codes [K, frames] after a prompt of 8 text ids."""
    config = model.config.talker_config
    like = model.talker.codec_embedding.weight
    cache = KVCache.new(config, 1, 8 + frames, like)
    x = model.embed(torch.arange(8)[None], torch.full((1, config.num_code_groups, 8), -1))
    out = []
    for _ in range(frames):
        steps = x.shape[1]
        hidden = model.talker(x, cache.span(steps, cache.capacity))[:, -1]
        cache.pos += steps
        frame = [model.talker.logits(hidden)[:, :NUM_CODES].argmax(-1)]
        memory = FrameCache.new(config.code_predictor_config, 1, like)
        logits = model.code_predictor.start(hidden, model.talker.codec_embedding(frame[0]), memory)
        for group in range(1, config.num_code_groups - 1):
            frame.append(logits.argmax(-1))
            logits = model.code_predictor.step(group, frame[-1], memory)
        frame.append(logits.argmax(-1))
        out.append(torch.stack(frame, dim=1)[..., None])  # [1, K, 1]
        x = model.embed(torch.tensor([[256]]), out[-1])
    return torch.cat(out, dim=2)[0]


@pytest.mark.parametrize("wide", [False, True])
@torch.inference_mode()
def test_greedy_codes_move_and_the_wave_is_not_clamped(wide: bool) -> None:
    """Half the frames distinct in every group: what a parity test needs to tell paths apart."""
    frames = 16
    model = random_speech_model(tiny_config("custom_voice", wide=wide), 1)
    codes = greedy(model, frames)
    assert min(len(set(group)) for group in codes.tolist()) >= frames // 2
    decoder = random_codec(tiny_codec_config(), 2).decoder
    wave = decoder(codes[None], decoder.new_state(1))
    assert 0.1 < wave.abs().max() < 1


@torch.inference_mode()
def test_recordings_get_different_codes() -> None:
    codec = random_codec(tiny_codec_config(), 2)
    generator = torch.Generator().manual_seed(0)
    wave = 0.1 * torch.randn(1, 16 * 1920, generator=generator)
    codes = codec.encoder(wave, 16)[0]  # [K, T]
    assert len(torch.unique(codes, dim=1)[0]) == 16


def test_seed_decides(tmp_path: Path) -> None:
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_random_checkpoint(tmp_path / name, "voice_design", seed=seed, dtype=torch.bfloat16)
    for part in ("model.safetensors", "speech_tokenizer/model.safetensors"):
        a, b, c = (load_file(tmp_path / name / part) for name in "abc")
        assert all(torch.equal(a[name], b[name]) for name in a)
        flags = [name for name in a if "initialized" in name]
        assert [name for name in a if torch.equal(a[name], c[name])] == flags
        assert all(len(a[name].unique()) > 1 for name in a if a[name].numel() > 1)


def test_type_of_the_speech_model(tmp_path: Path) -> None:
    write_random_checkpoint(tmp_path, "base", seed=1, dtype=torch.bfloat16)
    stored = load_file(tmp_path / "model.safetensors")
    assert {value.dtype for value in stored.values()} == {torch.bfloat16}  # as published
    codec = load_file(tmp_path / "speech_tokenizer" / "model.safetensors")
    assert {value.dtype for value in codec.values()} == {torch.float32}


def test_ids_of_the_text_tokenizer(tmp_path: Path) -> None:
    ids = {token: 700 - i for i, token in enumerate(SPECIAL_TOKENS)} | {"<|endoftext|>": 12}
    write_random_checkpoint(tmp_path, "voice_design", seed=1, special_ids=ids)
    config = read_checkpoint_config(tmp_path)
    assert (config.im_start_token_id, config.im_end_token_id) == (700, 699)
    assert config.tts_pad_token_id == 698
    assert (config.tts_bos_token_id, config.tts_eos_token_id) == (697, 696)
    assert config.talker_config.text_vocab_size == 701


def test_options_of_the_tiny_config() -> None:
    config = tiny_config("base", num_code_groups=4, heads=(6, 3))
    with torch.device("meta"):
        model = SpeechModel(config)
    assert len(model.code_predictor.lm_head) == 3
    assert model.talker.transformer.blocks[0].attn.k_proj.out_features == 3 * 32
    assert model.code_predictor.transformer.blocks[0].attn.q_proj.out_features == 6 * 16


def test_there_is_no_small_voice_design() -> None:
    with pytest.raises(InvalidConfig, match=r"voice_design.*0\.6B"):
        published_config("voice_design", "0.6B")
