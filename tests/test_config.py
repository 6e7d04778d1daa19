"""Configs: published JSON is read, kept and written back; all else is refused, by name."""

import copy
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from qwen3_tts.config import (
    GENERIC_KEYS,
    CheckpointConfig,
    CodecConfig,
    Config,
    GenerationConfig,
    read_checkpoint_config,
    read_codec_config,
    read_generation_config,
)
from qwen3_tts.errors import InvalidConfig, ModelNotFound
from qwen3_tts.weights.published import (
    published_codec_config,
    published_config,
    tiny_codec_config,
    tiny_config,
)
from tests.published_json import Json, checkpoint_json, codec_json, generation_json

Change = Callable[[Json], object]


def written(config: Config) -> Json:
    """As another program finds it in the file."""
    return json.loads(json.dumps(config.to_json()))


def assert_keeps(saved: Any, published: Any, where: str = "") -> None:
    """Every value that describes the model stands where it stood; generic keys may go."""
    if not isinstance(published, dict) or not isinstance(saved, dict):
        assert saved == published, where
        return
    for key, value in published.items():
        if key in saved or key not in GENERIC_KEYS:
            assert_keeps(saved[key], value, f"{where}.{key}")


PUBLISHED = [
    ("base", "0.6B"),
    ("base", "1.7B"),
    ("custom_voice", "0.6B"),
    ("custom_voice", "1.7B"),
    ("voice_design", "1.7B"),
]


class TestPublished:
    @pytest.mark.parametrize(("kind", "size"), PUBLISHED)
    def test_checkpoint(self, kind: str, size: str) -> None:
        published = checkpoint_json(kind, size)
        config = CheckpointConfig.parse(published, "config.json")
        assert config == published_config(kind, size)
        assert_keeps(written(config), published)
        assert CheckpointConfig.parse(written(config), "config.json") == config
        assert ("speaker_encoder_config" in written(config)) == (kind == "base")

    def test_codec(self) -> None:
        published = codec_json()
        config = CodecConfig.parse(published, "config.json")
        assert config == published_codec_config()
        assert_keeps(written(config), published)
        assert CodecConfig.parse(written(config), "config.json") == config

    def test_generation(self) -> None:
        published = generation_json()
        config = GenerationConfig.parse(published, "generation_config.json")
        assert config == GenerationConfig()
        assert written(config) == published

    @pytest.mark.parametrize("kind", ["base", "custom_voice", "voice_design"])
    @pytest.mark.parametrize("wide", [False, True])
    def test_tiny_configs_round_trip(self, kind: str, wide: bool) -> None:
        config = tiny_config(kind, wide=wide, num_code_groups=5)
        assert CheckpointConfig.parse(written(config), "config.json") == config
        codec = tiny_codec_config(num_code_groups=5)
        assert CodecConfig.parse(written(codec), "config.json") == codec

    def test_fine_tuned_checkpoint(self) -> None:
        """The official recipe keeps the speaker encoder's config and names one speaker."""
        published = checkpoint_json("base") | {"tts_model_type": "custom_voice"}
        published["talker_config"] |= {"spk_id": {"me": 3000}, "spk_is_dialect": {"me": False}}
        config = CheckpointConfig.parse(published, "config.json")
        assert config.talker_config.spk_id == {"me": 3000}
        assert_keeps(written(config), published)

    def test_speaker_encoder_as_the_official_package_writes_it(self) -> None:
        """With `model_type` inside, which that package then refuses to read."""
        published = checkpoint_json()
        published["speaker_encoder_config"] |= {"model_type": "", "enc_channels": [8, 8, 24]}
        config = CheckpointConfig.parse(published, "config.json").speaker_encoder_config
        assert config is not None
        assert config.enc_channels == (8, 8, 24)


class TestFiles:
    def test_all_three(self, tmp_path: Path) -> None:
        codec_folder = tmp_path / "speech_tokenizer"
        codec_folder.mkdir()
        (tmp_path / "config.json").write_text(json.dumps(checkpoint_json()))
        (tmp_path / "generation_config.json").write_text(json.dumps(generation_json()))
        (codec_folder / "config.json").write_text(json.dumps(codec_json()))
        assert read_checkpoint_config(tmp_path) == published_config("base", "1.7B")
        assert read_generation_config(tmp_path) == GenerationConfig()
        assert read_codec_config(codec_folder) == published_codec_config()

    def test_missing_file_is_named(self, tmp_path: Path) -> None:
        with pytest.raises(ModelNotFound, match=rf"generation_config\.json in {tmp_path}"):
            read_generation_config(tmp_path)

    @pytest.mark.parametrize("content", [b"{", b"\xff\xfe\x00"], ids=["cut", "binary"])
    def test_broken_json_is_named(self, tmp_path: Path, content: bytes) -> None:
        (tmp_path / "config.json").write_bytes(content)
        with pytest.raises(InvalidConfig, match=r"config\.json: not valid JSON"):
            read_checkpoint_config(tmp_path)

    def test_bad_key_in_the_codec_names_its_file(self, tmp_path: Path) -> None:
        folder = tmp_path / "speech_tokenizer"
        folder.mkdir()
        (folder / "config.json").write_text(json.dumps(codec_json() | {"extra": 1}))
        with pytest.raises(InvalidConfig, match=r"^speech_tokenizer/config\.json: .*`extra`"):
            read_codec_config(folder)


def inside(*path: str, **values: Any) -> Change:
    """A change of keys of a nested object."""

    def change(config: Json) -> None:
        for key in path:
            config = config[key]
        config.update(values)

    return change


def without(*path: str) -> Change:
    def change(config: Json) -> None:
        for key in path[:-1]:
            config = config[key]
        del config[path[-1]]

    return change


T, P = "talker_config", "code_predictor_config"
BAD_CHECKPOINTS: list[tuple[Change, str]] = [
    (inside(T, rope_base=1), r"talker_config: unknown key `rope_base`"),
    (inside(T, P, depth=1), r"code_predictor_config: unknown key `depth`"),
    (inside("speaker_encoder_config", dim=1), r"speaker_encoder_config: unknown key `dim`"),
    (inside(color="red"), r"^config\.json: unknown key `color`"),
    (without(T), r"^config\.json: missing key `talker_config`"),
    (without(T, "head_dim"), r"talker_config: missing key `head_dim`"),
    (without(T, "text_vocab_size"), r"talker_config: missing key `text_vocab_size`"),
    (without(T, P), r"talker_config: missing key `code_predictor_config`"),
    (without(T, P, "rope_theta"), r"code_predictor_config: missing key `rope_theta`"),
    (without("speaker_encoder_config", "enc_dim"), r"missing key `enc_dim`"),
    (without("tts_pad_token_id"), r"missing key `tts_pad_token_id`"),
    (inside(T, hidden_size="2048"), r"talker_config: hidden_size: expected int, got '2048'"),
    (inside(T, hidden_size=2048.0), r"hidden_size: expected int, got 2048\.0"),
    (inside(T, hidden_size=None), r"hidden_size: expected int, got None"),
    (inside(T, hidden_size=True), r"hidden_size: expected int, got True"),
    (inside(T, rms_norm_eps="1e-6"), r"rms_norm_eps: expected float"),
    (inside(T, rms_norm_eps=True), r"rms_norm_eps: expected float, got True"),
    (inside(T, spk_id=[1]), r"spk_id: expected dict"),
    (inside(T, P, layer_types="full"), r"layer_types: expected tuple"),
    (inside(T, P, layer_types=[1]), r"layer_types: expected str, got 1"),
    (inside(talker_config=[]), r"talker_config: expected an object, got list"),
    (inside(T, code_predictor_config=None), r"code_predictor_config: expected an object"),
    (inside(tts_model_type=1), r"tts_model_type: expected str, got 1"),
    (inside(model_type="qwen3"), r"`model_type` is 'qwen3', only 'qwen3_tts'"),
    (inside(tokenizer_type="qwen3_tts_tokenizer_25hz"), r"`tokenizer_type` is .*25hz', only "),
    (inside(T, hidden_act="gelu"), r"talker_config: `hidden_act` is 'gelu', only 'silu'"),
    (inside(T, attention_bias=True), r"`attention_bias` is True, only False"),
    (inside(T, use_sliding_window=True), r"`use_sliding_window` is True"),
    (inside(T, P, rope_scaling={"type": "yarn"}), r"`rope_scaling` is .*yarn"),
    (inside(tts_model_type="singer"), r"`tts_model_type` is 'singer', allowed: .*voice_design"),
    (inside(T, num_code_groups=8), r"talker has 8 code groups, code predictor 16"),
    (without("speaker_encoder_config"), r"base checkpoint needs `speaker_encoder_config`"),
]
BAD_CODECS: list[tuple[Change, str]] = [
    (inside("decoder_config", extra=1), r"decoder_config: unknown key `extra`"),
    (inside("encoder_config", extra=1), r"encoder_config: unknown key `extra`"),
    (without("decoder_config", "codebook_dim"), r"decoder_config: missing key `codebook_dim`"),
    (without("encoder_config", "num_filters"), r"encoder_config: missing key `num_filters`"),
    (without("encoder_config"), r"missing key `encoder_config`"),
    (inside("decoder_config", upsample_rates=8), r"upsample_rates: expected tuple.*, got 8"),
    (inside("decoder_config", upsample_rates=[8, "5"]), r"upsample_rates: expected int, got '5'"),
    (inside("encoder_config", pad_mode="reflect"), r"`pad_mode` is 'reflect', only 'constant'"),
    (inside("encoder_config", use_causal_conv=False), r"`use_causal_conv` is False, only True"),
    (inside(model_type="qwen3_tts_tokenizer_25hz"), r"`model_type` is .*25hz', only "),
]
BAD_GENERATIONS: list[tuple[Change, str]] = [
    (inside(subtalker_topk=1), r"generation_config\.json: unknown key `subtalker_topk`"),
    (inside(top_k=1.5), r"generation_config\.json: top_k: expected int, got 1\.5"),
    (inside(do_sample=1), r"do_sample: expected bool, got 1"),
]


def message_id(value: object) -> str:
    return value if isinstance(value, str) else "bad"


class TestRefused:
    @pytest.mark.parametrize(("change", "message"), BAD_CHECKPOINTS, ids=message_id)
    def test_checkpoint(self, change: Change, message: str) -> None:
        self.check(CheckpointConfig, checkpoint_json(), "config.json", change, message)

    @pytest.mark.parametrize(("change", "message"), BAD_CODECS, ids=message_id)
    def test_codec(self, change: Change, message: str) -> None:
        self.check(CodecConfig, codec_json(), "config.json", change, message)

    @pytest.mark.parametrize(("change", "message"), BAD_GENERATIONS, ids=message_id)
    def test_generation(self, change: Change, message: str) -> None:
        name = "generation_config.json"
        self.check(GenerationConfig, generation_json(), name, change, message)

    def check(
        self, kind: type[Config], good: Json, name: str, change: Change, message: str
    ) -> None:
        """The file is read before the change and refused after it."""
        kind.parse(copy.deepcopy(good), name)
        change(good)
        with pytest.raises(InvalidConfig, match=message):
            kind.parse(good, name)

    def test_all_problems_of_an_object_in_one_error(self) -> None:
        config = checkpoint_json()
        del config["tts_pad_token_id"], config["tts_model_size"]
        config |= {"zebra": 1, "apple": 2, "model_type": "qwen3"}
        with pytest.raises(InvalidConfig) as caught:
            CheckpointConfig.parse(config, "config.json")
        for name in ("tts_pad_token_id", "tts_model_size", "zebra", "apple", "model_type"):
            assert f"`{name}`" in str(caught.value)

    @pytest.mark.parametrize("data", [None, [], "x", 3])
    def test_not_an_object(self, data: object) -> None:
        with pytest.raises(InvalidConfig, match=r"config\.json: expected an object"):
            CheckpointConfig.parse(data, "config.json")


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("codec_language_id", {"english": "x"}, "codec_language_id['english']"),
        ("spk_id", {"a": 1.5}, "spk_id['a']"),
        ("spk_is_dialect", {"a": "klingon"}, "klingon"),
        ("hidden_size", -3, "hidden_size"),
    ],
)
def test_values_inside_the_talker_config_are_checked(key: str, value: object, named: str) -> None:
    data = checkpoint_json("custom_voice", "0.6B")
    data["talker_config"][key] = value
    with pytest.raises(InvalidConfig, match=re.escape(named)):
        CheckpointConfig.parse(data, "config.json")


def test_unset_fields_stay_out_of_nested_configs() -> None:
    config = CodecConfig.parse(codec_json(), "codec")
    assert "frame_rate" not in config.to_json()["encoder_config"]


def test_a_folder_in_place_of_a_config_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "config.json").mkdir()
    with pytest.raises(ModelNotFound, match=re.escape(str(tmp_path / "config.json"))):
        read_checkpoint_config(tmp_path)
