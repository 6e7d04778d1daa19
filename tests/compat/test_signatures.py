"""Same public methods, parameter names and defaults as the official classes."""

import json
from pathlib import Path

import pytest

from qwen3_tts.compat import Qwen3TTSModel, Qwen3TTSTokenizer, VoiceClonePromptItem
from tests.compat.conftest import Official
from tests.compat.described import described

# qwen-tts 0.1.1; "()" is the constructor.
OFFICIAL = {
    "Qwen3TTSModel": {
        "()": "(model, processor, generate_defaults=None)",
        "from_pretrained": "(pretrained_model_name_or_path, **kwargs)",
        "generate_custom_voice": (
            "(self, text, speaker, language=None, instruct=None, non_streaming_mode=True, **kwargs)"
        ),
        "generate_voice_design": (
            "(self, text, instruct, language=None, non_streaming_mode=True, **kwargs)"
        ),
        "generate_voice_clone": (
            "(self, text, language=None, ref_audio=None, ref_text=None, x_vector_only_mode=False, "
            "voice_clone_prompt=None, non_streaming_mode=False, **kwargs)"
        ),
        "create_voice_clone_prompt": "(self, ref_audio, ref_text=None, x_vector_only_mode=False)",
        "get_supported_speakers": "(self)",
        "get_supported_languages": "(self)",
    },
    "Qwen3TTSTokenizer": {
        "()": "()",
        "from_pretrained": "(pretrained_model_name_or_path, **kwargs)",
        "load_audio": "(self, x, target_sr)",
        "encode": "(self, audios, sr=None, return_dict=True)",
        "decode": "(self, encoded)",
        "get_model_type": "(self)",
        "get_input_sample_rate": "(self)",
        "get_output_sample_rate": "(self)",
        "get_encode_downsample_rate": "(self)",
        "get_decode_upsample_rate": "(self)",
    },
    "VoiceClonePromptItem": {
        "()": "(ref_code, ref_spk_embedding, x_vector_only_mode, icl_mode, ref_text=None)",
    },
}


@pytest.mark.parametrize("cls", [Qwen3TTSModel, Qwen3TTSTokenizer, VoiceClonePromptItem])
def test_public_face_is_the_official_one(cls: type) -> None:
    assert described(cls) == OFFICIAL[cls.__name__]


@pytest.mark.oracle
def test_the_table_above_is_what_the_official_package_has(
    official: Official, tmp_path: Path
) -> None:
    official("signatures", None, tmp_path / "signatures.json")
    assert json.loads((tmp_path / "signatures.json").read_text()) == OFFICIAL
