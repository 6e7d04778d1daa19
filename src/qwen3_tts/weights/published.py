"""Configs of the published checkpoints, and tiny ones made from them.

The published values are those of the five official checkpoints and their codec (specification,
sections 1.3 and 1.4 and appendix B). The tiny configs are the same at widths that run in
milliseconds: every part is there.
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Literal

from qwen3_tts.config import (
    CheckpointConfig,
    CodecConfig,
    CodecDecoderConfig,
    CodecEncoderConfig,
    CodePredictorConfig,
    SpeakerEncoderConfig,
    TalkerConfig,
)
from qwen3_tts.errors import InvalidConfig

Kind = Literal["base", "custom_voice", "voice_design"]
Size = Literal["0.6B", "1.7B"]

LANGUAGES = {
    "english": 2050,
    "german": 2053,
    "spanish": 2054,
    "chinese": 2055,
    "japanese": 2058,
    "french": 2061,
    "sichuan_dialect": 2062,
    "korean": 2064,
    "russian": 2069,
    "italian": 2070,
    "portuguese": 2071,
    "beijing_dialect": 2074,
}
SPEAKERS = {
    "aiden": 2861,
    "sohee": 2864,
    "ono_anna": 2873,
    "eric": 2875,
    "dylan": 2878,
    "uncle_fu": 3010,
    "ryan": 3061,
    "vivian": 3065,
    "serena": 3066,
}
DIALECTS = {"eric": "sichuan_dialect", "dylan": "beijing_dialect"}

# the control tokens whose ids config.json names, as the text tokenizer spells them
SPECIAL_TOKENS = ("<|im_start|>", "<|im_end|>", "<tts_pad>", "<tts_text_bos>", "<tts_text_eod>")


def published_config(kind: Kind, size: Size) -> CheckpointConfig:
    """The config of an official checkpoint. Raises `InvalidConfig` for "voice_design" in 0.6B."""
    if (kind, size) == ("voice_design", "0.6B"):
        raise InvalidConfig("no voice_design checkpoint of size 0.6B is published, only 1.7B")
    width = 1024 if size == "0.6B" else 2048
    return CheckpointConfig(
        tokenizer_type="qwen3_tts_tokenizer_12hz",
        tts_model_size="0b6" if size == "0.6B" else "1b7",
        tts_model_type=kind,
        im_start_token_id=151644,
        im_end_token_id=151645,
        tts_pad_token_id=151671,
        tts_bos_token_id=151672,
        tts_eos_token_id=151673,
        talker_config=_published_talker(kind, width),
        speaker_encoder_config=SpeakerEncoderConfig(enc_dim=width) if kind == "base" else None,
    )


def _published_talker(kind: Kind, width: int) -> TalkerConfig:
    preset = kind == "custom_voice"
    return TalkerConfig(
        vocab_size=3072,
        hidden_size=width,
        intermediate_size=3 * width,
        num_hidden_layers=28,
        num_attention_heads=16,
        num_key_value_heads=8,
        head_dim=128,
        text_vocab_size=151936,
        text_hidden_size=2048,
        num_code_groups=16,
        rms_norm_eps=1e-6,
        rope_theta=1_000_000,
        rope_scaling=_rope_scaling([24, 20, 20]),
        max_position_embeddings=32768,
        codec_bos_id=2149,
        codec_eos_token_id=2150,
        codec_pad_id=2148,
        codec_think_id=2154,
        codec_nothink_id=2155,
        codec_think_bos_id=2156,
        codec_think_eos_id=2157,
        codec_language_id=dict(LANGUAGES),
        spk_id=dict(SPEAKERS) if preset else {},
        spk_is_dialect={name: DIALECTS.get(name, False) for name in SPEAKERS} if preset else {},
        code_predictor_config=CodePredictorConfig(
            vocab_size=2048,
            hidden_size=1024,
            intermediate_size=3072,
            num_hidden_layers=5,
            num_attention_heads=16,
            num_key_value_heads=8,
            head_dim=128,
            num_code_groups=16,
            rms_norm_eps=1e-6,
            rope_theta=1_000_000,
            max_position_embeddings=65536,
            layer_types=("full_attention",) * 5,
        ),
    )


def _rope_scaling(sections: list[int]) -> dict[str, object]:
    return {
        "interleaved": True,
        "mrope_section": sections,
        "rope_type": "default",
        "type": "default",
    }


def tiny_config(
    kind: Kind,
    *,
    wide: bool = False,
    num_code_groups: int = 16,
    heads: tuple[int, int] = (4, 2),
    special_ids: Mapping[str, int] | None = None,
) -> CheckpointConfig:
    """A published config made small: 3 talker layers, 2 predictor layers.

    `wide` makes the talker wider than the predictor, as in 1.7B. `heads` counts query and
    key/value heads. `special_ids` gives the ids of `SPECIAL_TOKENS` in a text tokenizer (the text
    vocabulary then ends after the highest); by default they follow 256 byte tokens.
    """
    ids = special_ids or {token: 256 + i for i, token in enumerate(SPECIAL_TOKENS)}
    width, own = (80, 48) if wide else (64, 64)
    full = published_config(kind, "1.7B")
    predictor = replace(
        full.talker_config.code_predictor_config,
        hidden_size=own,
        intermediate_size=2 * own,
        num_hidden_layers=2,
        layer_types=("full_attention",) * 2,
        head_dim=16,
        num_code_groups=num_code_groups,
        num_attention_heads=heads[0],
        num_key_value_heads=heads[1],
    )
    talker = replace(
        full.talker_config,
        hidden_size=width,
        intermediate_size=2 * width,
        num_hidden_layers=3,
        head_dim=32,
        text_hidden_size=96,
        text_vocab_size=max(ids.values()) + 1,
        num_code_groups=num_code_groups,
        rope_scaling=_rope_scaling([6, 5, 5]),
        code_predictor_config=predictor,
        num_attention_heads=heads[0],
        num_key_value_heads=heads[1],
    )
    encoder = SpeakerEncoderConfig(
        enc_dim=width,
        enc_channels=(32, 32, 32, 32, 96),
        enc_attention_channels=16,
        enc_se_channels=16,
    )
    return replace(
        with_special_ids(full, ids),
        tts_model_size="1b7" if wide else "0b6",
        talker_config=talker,
        speaker_encoder_config=encoder if kind == "base" else None,
    )


def with_special_ids(config: CheckpointConfig, ids: Mapping[str, int]) -> CheckpointConfig:
    """The same config for another text tokenizer; `ids` is keyed by the tokens' spelling."""
    return replace(
        config,
        im_start_token_id=ids["<|im_start|>"],
        im_end_token_id=ids["<|im_end|>"],
        tts_pad_token_id=ids["<tts_pad>"],
        tts_bos_token_id=ids["<tts_text_bos>"],
        tts_eos_token_id=ids["<tts_text_eod>"],
    )


def published_codec_config() -> CodecConfig:
    """The config of the one official codec."""
    encoder = CodecEncoderConfig(
        audio_channels=1,
        codebook_dim=256,
        codebook_size=2048,
        compress=2,
        dtype="float32",
        head_dim=64,
        hidden_size=512,
        intermediate_size=2048,
        kernel_size=7,
        last_kernel_size=3,
        norm_eps=1e-5,
        num_attention_heads=8,
        num_filters=64,
        num_hidden_layers=8,
        num_quantizers=32,
        residual_kernel_size=3,
        rope_theta=10000.0,
        upsampling_ratios=(8, 6, 5, 4),
        vector_quantization_hidden_dimension=256,
    )
    decoder = CodecDecoderConfig(
        latent_dim=1024,
        codebook_dim=512,
        codebook_size=2048,
        decoder_dim=1536,
        hidden_size=512,
        intermediate_size=1024,
        head_dim=64,
        num_attention_heads=16,
        num_hidden_layers=8,
        num_quantizers=16,
        rms_norm_eps=1e-5,
        rope_theta=10000,
        sliding_window=72,
        upsample_rates=(8, 5, 4, 3),
        upsampling_ratios=(2, 2),
    )
    return CodecConfig(encoder_config=encoder, decoder_config=decoder)


def tiny_codec_config(*, num_code_groups: int = 16) -> CodecConfig:
    """The published codec made small: same rates, codebook counts and window."""
    full = published_codec_config()
    encoder = replace(
        full.encoder_config,
        codebook_dim=16,
        vector_quantization_hidden_dimension=16,
        hidden_size=32,
        intermediate_size=64,
        head_dim=8,
        num_attention_heads=4,
        num_key_value_heads=4,
        num_filters=4,
        num_hidden_layers=2,
        upsample_groups=32,
    )
    decoder = replace(
        full.decoder_config,
        codebook_dim=32,
        latent_dim=48,
        hidden_size=24,
        intermediate_size=48,
        head_dim=12,
        num_attention_heads=4,
        num_key_value_heads=4,
        num_hidden_layers=2,
        decoder_dim=64,
        num_quantizers=num_code_groups,
    )
    return replace(
        full,
        encoder_config=encoder,
        decoder_config=decoder,
        encoder_valid_num_quantizers=num_code_groups,
    )
