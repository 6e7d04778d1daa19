"""Saving: what is read back equals what was in memory, and no file is ever half written."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import safe_open
from torch import Tensor, nn

from qwen3_tts.config import (
    GenerationConfig,
    read_checkpoint_config,
    read_codec_config,
    read_generation_config,
    read_json,
)
from qwen3_tts.errors import InvalidWeights, ModelNotFound
from qwen3_tts.model.codec.codec import SpeechCodec
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.prompt.byte_vocab import write_byte_tokenizer
from qwen3_tts.weights import save
from qwen3_tts.weights.load import INDEX, SINGLE, load_codec, load_speech_model
from qwen3_tts.weights.published import tiny_codec_config, tiny_config
from qwen3_tts.weights.random import random_codec, random_speech_model
from qwen3_tts.weights.save import save_checkpoint, save_codec

CPU = torch.device("cpu")
GENERATION = GenerationConfig(top_k=7, temperature=0.5)
SHARD_BYTES = 2_000_000  # the tiny model is 9 MB in bfloat16


@pytest.fixture(scope="module")
def model() -> SpeechModel:
    """As a bfloat16 base checkpoint is in memory: the speaker encoder in float32."""
    model = random_speech_model(tiny_config("base"), 3, torch.bfloat16)
    assert model.speaker_encoder is not None
    model.speaker_encoder.float()
    return model


@pytest.fixture(scope="module")
def codec() -> SpeechCodec:
    return random_codec(tiny_codec_config(), 4)


@pytest.fixture
def text_files(tmp_path: Path) -> Path:
    write_byte_tokenizer(tmp_path / "text")
    return tmp_path / "text"


def load(folder: Path) -> SpeechModel:
    return load_speech_model(folder, device=CPU, dtype=torch.bfloat16)


def same(a: nn.Module, b: nn.Module) -> bool:
    left, right = a.state_dict(), b.state_dict()
    return left.keys() == right.keys() and all(
        left[name].dtype == right[name].dtype and torch.equal(left[name], right[name])
        for name in left
    )


def weight_files(folder: Path) -> set[str]:
    return {path.name for path in folder.glob("*safetensors*")}


def stored(path: Path) -> dict[str, Tensor]:
    with safe_open(path, framework="pt") as file:
        return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118


class TestCheckpoint:
    def test_reads_back_equal(
        self, model: SpeechModel, codec: SpeechCodec, text_files: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "a" / "b"
        save_checkpoint(folder, model, codec, GENERATION, text_files=text_files)
        assert same(load(folder), model)
        assert same(load_codec(folder / "speech_tokenizer", device=CPU), codec)
        assert read_checkpoint_config(folder) == model.config
        assert read_codec_config(folder / "speech_tokenizer") == codec.config
        assert read_generation_config(folder) == GENERATION
        for name in ("vocab.json", "merges.txt", "tokenizer_config.json"):
            assert (folder / name).read_bytes() == (text_files / name).read_bytes()

    @pytest.mark.parametrize("kind", ["base", "custom_voice", "voice_design"])
    def test_every_kind(self, codec: SpeechCodec, tmp_path: Path, kind: str) -> None:
        model = random_speech_model(tiny_config(kind, wide=True), 5)
        save_checkpoint(tmp_path, model, codec, GENERATION, text_files=None)
        assert same(load_speech_model(tmp_path, device=CPU, dtype=torch.float32), model)
        config = read_json(tmp_path / "config.json")
        assert ("speaker_encoder_config" in config) == (kind == "base")
        # the official config class refuses this key where it stands inside
        assert "model_type" not in config.get("speaker_encoder_config", {})

    def test_layout_is_the_official_one(
        self, model: SpeechModel, codec: SpeechCodec, text_files: Path, tmp_path: Path
    ) -> None:
        folder = tmp_path / "out"
        save_checkpoint(folder, model, codec, GENERATION, text_files=text_files)
        files = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
        assert files == {
            "config.json",
            "generation_config.json",
            "merges.txt",
            "model.safetensors",
            "preprocessor_config.json",
            "speech_tokenizer/config.json",
            "speech_tokenizer/model.safetensors",
            "speech_tokenizer/preprocessor_config.json",
            "tokenizer_config.json",
            "vocab.json",
        }
        with safe_open(folder / SINGLE, framework="pt") as file:
            assert file.metadata() == {"format": "pt"}
        first = stored(folder / SINGLE)["talker.model.layers.0.self_attn.q_proj.weight"]
        assert torch.equal(first, model.talker.transformer.blocks[0].attn.q_proj.weight)

    def test_files_are_readable_as_any_other(
        self, model: SpeechModel, codec: SpeechCodec, tmp_path: Path
    ) -> None:
        (tmp_path / "plain").touch()
        save_checkpoint(tmp_path, model, codec, GENERATION, text_files=None)
        assert (tmp_path / SINGLE).stat().st_mode == (tmp_path / "plain").stat().st_mode

    def test_text_files_that_are_not_there(
        self, model: SpeechModel, codec: SpeechCodec, text_files: Path, tmp_path: Path
    ) -> None:
        (text_files / "merges.txt").unlink()
        with pytest.raises(ModelNotFound, match=r"no file merges\.txt in .*text"):
            save_checkpoint(tmp_path / "out", model, codec, GENERATION, text_files=text_files)
        assert not (tmp_path / "out").exists()

    def test_text_files_of_the_folder_itself(
        self, model: SpeechModel, codec: SpeechCodec, text_files: Path
    ) -> None:
        before = (text_files / "vocab.json").read_bytes()
        save_checkpoint(text_files, model, codec, GENERATION, text_files=text_files)
        assert (text_files / "vocab.json").read_bytes() == before

    def test_preprocessor_config_of_the_source_is_kept(
        self, model: SpeechModel, codec: SpeechCodec, text_files: Path, tmp_path: Path
    ) -> None:
        (text_files / "preprocessor_config.json").write_text('{"padding_side": "right"}')
        save_checkpoint(tmp_path / "out", model, codec, GENERATION, text_files=text_files)
        kept = read_json(tmp_path / "out" / "preprocessor_config.json")
        assert kept == {"padding_side": "right"}

    def test_parameters_without_an_official_name(self, codec: SpeechCodec, tmp_path: Path) -> None:
        model = random_speech_model(tiny_config("voice_design"), 6)
        model.talker.adapter = nn.Linear(2, 2)
        with pytest.raises(InvalidWeights, match=r"talker\.adapter\.weight"):
            save_checkpoint(tmp_path, model, codec, GENERATION, text_files=None)
        assert not (tmp_path / SINGLE).exists()


class TestShards:
    def write(
        self, folder: Path, model: SpeechModel, codec: SpeechCodec, limit: int | None
    ) -> None:
        save_checkpoint(folder, model, codec, GENERATION, text_files=None, max_shard_bytes=limit)

    def test_read_back_equal(self, model: SpeechModel, codec: SpeechCodec, tmp_path: Path) -> None:
        self.write(tmp_path, model, codec, SHARD_BYTES)
        index = read_json(tmp_path / INDEX)
        shards = {name: stored(tmp_path / name) for name in weight_files(tmp_path) - {INDEX}}
        assert len(shards) > 3
        assert index["weight_map"] == {key: name for name in shards for key in shards[name]}
        sizes = [sum(value.nbytes for value in shard.values()) for shard in shards.values()]
        assert index["metadata"]["total_size"] == sum(sizes)
        assert max(sizes) <= SHARD_BYTES
        assert same(load(tmp_path), model)

    def test_names_count_from_one(
        self, model: SpeechModel, codec: SpeechCodec, tmp_path: Path
    ) -> None:
        self.write(tmp_path, model, codec, 6_000_000)
        names = {"model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors", INDEX}
        assert weight_files(tmp_path) == names

    def test_limit_below_the_largest_tensor(
        self, model: SpeechModel, codec: SpeechCodec, tmp_path: Path
    ) -> None:
        self.write(tmp_path, model, codec, 1)
        assert len(weight_files(tmp_path)) == len(model.state_dict()) + 1
        assert same(load(tmp_path), model)

    def test_limit_above_the_file(
        self, model: SpeechModel, codec: SpeechCodec, tmp_path: Path
    ) -> None:
        self.write(tmp_path, model, codec, 10**9)
        assert weight_files(tmp_path) == {SINGLE}

    @pytest.mark.parametrize(
        "limits", [(SHARD_BYTES, None), (None, SHARD_BYTES), (SHARD_BYTES, 6_000_000)], ids=str
    )
    def test_files_of_an_earlier_save_do_not_stay(
        self,
        model: SpeechModel,
        codec: SpeechCodec,
        tmp_path: Path,
        limits: tuple[int | None, int | None],
    ) -> None:
        other = random_speech_model(model.config, 99)
        self.write(tmp_path / "twice", other, codec, limits[0])
        self.write(tmp_path / "twice", model, codec, limits[1])
        self.write(tmp_path / "once", model, codec, limits[1])
        assert weight_files(tmp_path / "twice") == weight_files(tmp_path / "once")
        assert same(load(tmp_path / "twice"), model)


class TestOverwriting:
    def test_folder_whose_weights_are_in_use(
        self, model: SpeechModel, codec: SpeechCodec, tmp_path: Path
    ) -> None:
        """The pages of the old file stay, while the new one is written from them."""
        save_checkpoint(tmp_path, model, codec, GENERATION, text_files=None)
        loaded = load(tmp_path)
        loaded.talker.codec_embedding.weight[3000] = 1.5
        save_checkpoint(tmp_path, loaded, codec, GENERATION, text_files=None)
        again = load(tmp_path)
        assert same(again, loaded)
        assert not same(again, model)
        loaded.talker.codec_embedding.weight[3000] = model.talker.codec_embedding.weight[3000]
        assert same(loaded, model)

    def test_failed_write_leaves_the_old_file(
        self, codec: SpeechCodec, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        save_codec(tmp_path, codec)
        before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}

        def fail(tensors: object, path: Path, metadata: object) -> None:
            path.write_bytes(b"half of it")
            raise OSError("No space left on device")

        monkeypatch.setattr(save, "save_file", fail)
        with pytest.raises(OSError, match="No space left"):
            save_codec(tmp_path, random_codec(codec.config, 5))
        assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before

    def test_configs_are_json_objects_with_a_last_line_end(
        self, codec: SpeechCodec, tmp_path: Path
    ) -> None:
        save_codec(tmp_path, codec)
        for name in ("config.json", "preprocessor_config.json"):
            text = (tmp_path / name).read_text()
            assert isinstance(json.loads(text), dict)
            assert text.endswith("}\n")
