"""What the published JSON files hold, written from the specification (1.3 to 1.5, appendix B).

Kept apart from the package's own `weights/published.py`, which it checks.
"""

import json
from typing import Any

Json = dict[str, Any]

LANGUAGES = """english 2050 german 2053 spanish 2054 chinese 2055 japanese 2058 french 2061
    sichuan_dialect 2062 korean 2064 russian 2069 italian 2070 portuguese 2071
    beijing_dialect 2074""".split()
SPEAKERS = """aiden 2861 sohee 2864 ono_anna 2873 eric 2875 dylan 2878 uncle_fu 3010 ryan 3061
    vivian 3065 serena 3066""".split()

PREDICTOR = """{
    "_name_or_path": "", "architectures": null, "attention_bias": false, "attention_dropout": 0,
    "head_dim": 128, "hidden_act": "silu", "hidden_size": 1024, "id2label": {"0": "LABEL_0"},
    "initializer_range": 0.02, "intermediate_size": 3072, "layer_types": ["full_attention",
    "full_attention", "full_attention", "full_attention", "full_attention"], "max_length": 20,
    "max_position_embeddings": 65536, "max_window_layers": 28,
    "model_type": "qwen3_tts_talker_code_predictor", "num_attention_heads": 16,
    "num_code_groups": 16, "num_hidden_layers": 5, "num_key_value_heads": 8, "rms_norm_eps": 1e-06,
    "rope_scaling": null, "rope_theta": 1000000, "sliding_window": null, "temperature": 1.0,
    "top_k": 50, "use_cache": true, "use_sliding_window": false, "vocab_size": 2048}"""
TALKER = """{
    "attention_bias": false, "attention_dropout": 0, "codec_bos_id": 2149,
    "codec_eos_token_id": 2150, "codec_pad_id": 2148, "codec_think_id": 2154,
    "codec_nothink_id": 2155, "codec_think_bos_id": 2156, "codec_think_eos_id": 2157,
    "head_dim": 128, "hidden_act": "silu", "hidden_size": 2048, "initializer_range": 0.02,
    "intermediate_size": 6144, "max_position_embeddings": 32768,
    "model_type": "qwen3_tts_talker", "num_attention_heads": 16, "num_code_groups": 16,
    "num_hidden_layers": 28, "num_key_value_heads": 8, "position_id_per_seconds": 13,
    "rms_norm_eps": 1e-06, "rope_scaling": {"interleaved": true, "mrope_section": [24, 20, 20],
    "rope_type": "default", "type": "default"}, "rope_theta": 1000000, "sliding_window": null,
    "text_hidden_size": 2048, "text_vocab_size": 151936, "use_cache": true,
    "use_sliding_window": false, "vocab_size": 3072}"""
GENERATION = """{
    "do_sample": true, "repetition_penalty": 1.05, "temperature": 0.9, "top_p": 1.0, "top_k": 50,
    "subtalker_dosample": true, "subtalker_temperature": 0.9, "subtalker_top_p": 1.0,
    "subtalker_top_k": 50, "max_new_tokens": 8192}"""
CODEC = """{
    "architectures": ["Qwen3TTSTokenizerV2Model"], "model_type": "qwen3_tts_tokenizer_12hz",
    "encoder_valid_num_quantizers": 16, "input_sample_rate": 24000, "output_sample_rate": 24000,
    "decode_upsample_rate": 1920, "encode_downsample_rate": 1920, "transformers_version": "4.57.3",
    "decoder_config": {"attention_bias": false, "attention_dropout": 0.0, "latent_dim": 1024,
    "codebook_dim": 512, "codebook_size": 2048, "decoder_dim": 1536, "hidden_act": "silu",
    "hidden_size": 512, "intermediate_size": 1024, "layer_scale_initial_scale": 0.01,
    "max_position_embeddings": 8000, "head_dim": 64, "num_attention_heads": 16,
    "num_hidden_layers": 8, "num_key_value_heads": 16, "num_quantizers": 16,
    "num_semantic_quantizers": 1, "rms_norm_eps": 1e-05, "rope_theta": 10000,
    "semantic_codebook_size": 4096, "sliding_window": 72, "upsample_rates": [8, 5, 4, 3],
    "upsampling_ratios": [2, 2], "vector_quantization_hidden_dimension": 512},
    "encoder_config": {"_frame_rate": 12.5, "attention_bias": false, "attention_dropout": 0.0,
    "audio_channels": 1, "codebook_dim": 256, "codebook_size": 2048, "compress": 2,
    "dilation_growth_rate": 2, "dtype": "float32", "head_dim": 64, "hidden_act": "gelu",
    "hidden_size": 512, "initializer_range": 0.02, "intermediate_size": 2048, "kernel_size": 7,
    "last_kernel_size": 3, "layer_scale_initial_scale": 0.01, "max_position_embeddings": 8000,
    "norm_eps": 1e-05, "normalize": false, "num_attention_heads": 8, "num_filters": 64,
    "num_hidden_layers": 8, "num_key_value_heads": 8, "num_quantizers": 32,
    "num_residual_layers": 1, "num_semantic_quantizers": 1, "pad_mode": "constant",
    "residual_kernel_size": 3, "rope_theta": 10000.0, "sampling_rate": 24000,
    "sliding_window": 250, "transformers_version": "4.57.0.dev0", "trim_right_ratio": 1.0,
    "upsample_groups": 512, "upsampling_ratios": [8, 6, 5, 4], "use_cache": false,
    "use_causal_conv": true, "use_conv_shortcut": false, "use_streaming": false,
    "vector_quantization_hidden_dimension": 256}}"""


def pairs(words: list[str]) -> dict[str, int]:
    return {name: int(value) for name, value in zip(words[::2], words[1::2], strict=True)}


def checkpoint_json(kind: str = "base", size: str = "1.7B") -> Json:
    talker = json.loads(TALKER)
    width = talker["hidden_size"]
    if size == "0.6B":
        width = 1024
        talker |= {"hidden_size": 1024, "intermediate_size": 3072}
    speakers = pairs(SPEAKERS) if kind == "custom_voice" else {}
    dialects: Json = dict.fromkeys(speakers, False)
    if kind == "custom_voice":
        dialects |= {"eric": "sichuan_dialect", "dylan": "beijing_dialect"}
    talker |= {"spk_id": speakers, "spk_is_dialect": dialects}
    talker["codec_language_id"] = pairs(LANGUAGES)
    talker["code_predictor_config"] = json.loads(PREDICTOR)
    config = {
        "architectures": ["Qwen3TTSForConditionalGeneration"],
        "assistant_token_id": 77091,
        "im_end_token_id": 151645,
        "im_start_token_id": 151644,
        "model_type": "qwen3_tts",
        "talker_config": talker,
        "tokenizer_type": "qwen3_tts_tokenizer_12hz",
        "transformers_version": "4.57.3",
        "tts_bos_token_id": 151672,
        "tts_eos_token_id": 151673,
        "tts_model_size": {"0.6B": "0b6", "1.7B": "1b7"}[size],
        "tts_model_type": kind,
        "tts_pad_token_id": 151671,
    }
    if kind == "base":
        config["speaker_encoder_config"] = {"enc_dim": width, "sample_rate": 24000}
    return config


def codec_json() -> Json:
    return json.loads(CODEC)


def generation_json() -> Json:
    return json.loads(GENERATION)
