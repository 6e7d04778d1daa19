"""The config of a nano checkpoint: the published topology at a few million parameters."""

from collections.abc import Mapping, Sequence

from qwen3_tts.config import CheckpointConfig, CodePredictorConfig, TalkerConfig

CONTROL_IDS = 1024  # the last ids of the code vocabulary, which no decoder draws as codes


def nano_config(
    special_ids: Mapping[str, int],
    *,
    num_code_groups: int,
    codebook_size: int,
    speakers: Sequence[str],
    languages: Sequence[str],
    hidden_size: int = 256,
    num_hidden_layers: int = 5,
    num_attention_heads: int = 4,
    num_key_value_heads: int = 2,
    head_dim: int = 64,
    intermediate_size: int = 640,
    predictor_hidden_size: int = 160,
    predictor_layers: int = 3,
    predictor_heads: int = 4,
    predictor_head_dim: int = 40,
    predictor_intermediate_size: int = 480,
    rope_theta: float = 10_000.0,
) -> CheckpointConfig:
    """A CustomVoice config for a text tokenizer's `special_ids` and a codec's codebooks.

    Control ids follow the codes: end of speech first, then the tags, languages and speakers, whose
    names become lower case.
    """
    first = codebook_size
    names = [name.lower() for name in speakers]
    language_ids = {name.lower(): first + 16 + i for i, name in enumerate(languages)}
    speaker_ids = {name: first + 128 + i for i, name in enumerate(names)}
    predictor = CodePredictorConfig(
        vocab_size=codebook_size,
        hidden_size=predictor_hidden_size,
        intermediate_size=predictor_intermediate_size,
        num_hidden_layers=predictor_layers,
        num_attention_heads=predictor_heads,
        num_key_value_heads=max(1, predictor_heads // 2),
        head_dim=predictor_head_dim,
        num_code_groups=num_code_groups,
        rms_norm_eps=1e-6,
        rope_theta=rope_theta,
        max_position_embeddings=4096,
        layer_types=("full_attention",) * predictor_layers,
    )
    half = head_dim // 2
    third = half // 3
    talker = TalkerConfig(
        vocab_size=codebook_size + CONTROL_IDS,
        hidden_size=hidden_size,
        intermediate_size=intermediate_size,
        num_hidden_layers=num_hidden_layers,
        num_attention_heads=num_attention_heads,
        num_key_value_heads=num_key_value_heads,
        head_dim=head_dim,
        text_vocab_size=max(special_ids.values()) + 1,
        text_hidden_size=hidden_size,
        num_code_groups=num_code_groups,
        rms_norm_eps=1e-6,
        rope_theta=rope_theta,
        rope_scaling={
            "interleaved": True,
            "mrope_section": [half - 2 * third, third, third],
            "rope_type": "default",
            "type": "default",
        },
        max_position_embeddings=4096,
        codec_eos_token_id=first,
        codec_pad_id=first + 1,
        codec_bos_id=first + 2,
        codec_think_id=first + 3,
        codec_nothink_id=first + 4,
        codec_think_bos_id=first + 5,
        codec_think_eos_id=first + 6,
        codec_language_id=language_ids,
        spk_id=speaker_ids,
        spk_is_dialect=dict.fromkeys(names, False),
        code_predictor_config=predictor,
    )
    return CheckpointConfig(
        tokenizer_type="qwen3_tts_tokenizer_12hz",
        tts_model_size="0b6",
        tts_model_type="custom_voice",
        im_start_token_id=special_ids["<|im_start|>"],
        im_end_token_id=special_ids["<|im_end|>"],
        tts_pad_token_id=special_ids["<tts_pad>"],
        tts_bos_token_id=special_ids["<tts_text_bos>"],
        tts_eos_token_id=special_ids["<tts_text_eod>"],
        talker_config=talker,
    )
