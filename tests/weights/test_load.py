"""Loading: every tensor arrives, nothing is copied that need not be, every bad file is refused."""

import hashlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from qwen3_tts.errors import InvalidConfig, InvalidWeights, ModelNotFound
from qwen3_tts.model.codec.codec import SpeechCodec
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.weights.load import INDEX, SINGLE, load_codec, load_speech_model
from qwen3_tts.weights.names import CODEC, MODEL, Table, to_official

CPU = torch.device("cpu")
HEAD = "talker.codec_head.weight"
NORM = "talker.model.norm.weight"
FLAG = "encoder.quantizer.semantic_residual_vector_quantizer.layers.0.codebook.initialized"

Edit = Callable[[dict[str, Tensor]], object]


def load(folder: Path, dtype: torch.dtype = torch.float32, **options: bool) -> SpeechModel:
    return load_speech_model(folder, device=CPU, dtype=dtype, **options)


def official(module: nn.Module, table: Table = MODEL) -> dict[str, Tensor]:
    return {to_official(name, table): value for name, value in module.state_dict().items()}


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    """Equal names, types and values."""
    return a.keys() == b.keys() and all(
        a[name].dtype == b[name].dtype and torch.equal(a[name], b[name]) for name in a
    )


@pytest.fixture
def folder(checkpoint: Callable[..., Path], tmp_path: Path) -> Path:
    """Config and weights of a base checkpoint, to be damaged."""
    for name in ("config.json", SINGLE):
        shutil.copy(checkpoint("base") / name, tmp_path)
    return tmp_path


def edit(folder: Path, change: Edit) -> None:
    tensors = load_file(folder / SINGLE)
    change(tensors)
    save_file(tensors, folder / SINGLE)


def shard(folder: Path, total: int = 3) -> dict[str, str]:
    """Split the weights as other programs do; return the index's weight map."""
    tensors = load_file(folder / SINGLE)
    (folder / SINGLE).unlink()
    names = sorted(tensors)
    listed = {}
    for i in range(total):
        file = f"model-{i + 1:05}-of-{total:05}.safetensors"
        save_file({name: tensors[name] for name in names[i::total]}, folder / file)
        listed |= dict.fromkeys(names[i::total], file)
    write_index(folder, listed)
    return listed


def write_index(folder: Path, weight_map: object) -> None:
    (folder / INDEX).write_text(json.dumps({"metadata": {}, "weight_map": weight_map}))


class TestWhatArrives:
    @pytest.mark.parametrize("wide", [False, True], ids=["0b6", "1b7"])
    @pytest.mark.parametrize("kind", ["base", "custom_voice", "voice_design"])
    def test_every_tensor_of_the_file(
        self, checkpoint: Callable[..., Path], kind: str, wide: bool
    ) -> None:
        folder = checkpoint(kind, wide)
        assert same(official(load(folder)), load_file(folder / SINGLE))

    def test_every_tensor_of_the_codec(self, checkpoint: Callable[..., Path]) -> None:
        folder = checkpoint("base") / "speech_tokenizer"
        codec = load_codec(folder, device=CPU)
        assert same(official(codec, CODEC), load_file(folder / SINGLE))

    def test_model_is_ready_to_infer(self, checkpoint: Callable[..., Path]) -> None:
        folder = checkpoint("base")
        for model in (load(folder), load_codec(folder / "speech_tokenizer", device=CPU)):
            assert not any(module.training for module in model.modules())
            assert not any(parameter.requires_grad for parameter in model.parameters())
            values = [*model.parameters(), *model.buffers()]
            assert {value.device.type for value in values} == {"cpu"}

    def test_compiler_is_not_imported(self, checkpoint: Callable[..., Path]) -> None:
        """It takes a second, and filling embeddings on the meta device would do it."""
        program = (
            "import sys, torch; from pathlib import Path;"
            "from qwen3_tts.weights.load import load_speech_model as load;"
            "load(Path(sys.argv[1]), device=torch.device('cpu'), dtype=torch.float32);"
            "assert 'torch._dynamo' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", program, str(checkpoint("base"))], check=True)

    def test_other_type_than_the_file(self, checkpoint: Callable[..., Path]) -> None:
        folder = checkpoint("base")
        stored = load_file(folder / SINGLE)
        expected = {
            name: value if name.startswith("speaker_encoder.") else value.bfloat16()
            for name, value in stored.items()
        }
        assert same(official(load(folder, torch.bfloat16)), expected)

    def test_bfloat16_file_as_published(self, folder: Path) -> None:
        edit(folder, lambda tensors: tensors.update({k: v.bfloat16() for k, v in tensors.items()}))
        stored = load_file(folder / SINGLE)
        model = load(folder, torch.bfloat16)
        assert model.talker.codec_head.weight.dtype == torch.bfloat16
        assert model.speaker_encoder is not None
        assert model.speaker_encoder.project.weight.dtype == torch.float32
        wide = {name: value.float() for name, value in stored.items()}
        assert same(official(load(folder)), wide)

    def test_codec_is_float32_from_any_file(
        self, checkpoint: Callable[..., Path], tmp_path: Path
    ) -> None:
        shutil.copytree(checkpoint("base") / "speech_tokenizer", tmp_path, dirs_exist_ok=True)
        edit(tmp_path, lambda tensors: tensors.update({k: v.half() for k, v in tensors.items()}))
        stored = load_file(tmp_path / SINGLE)
        codec = load_codec(tmp_path, device=CPU)
        assert same(official(codec, CODEC), {k: v.float() for k, v in stored.items()})

    def test_training_flags_are_carried(
        self, checkpoint: Callable[..., Path], tmp_path: Path
    ) -> None:
        shutil.copytree(checkpoint("base") / "speech_tokenizer", tmp_path, dirs_exist_ok=True)
        edit(tmp_path, lambda tensors: tensors[FLAG].fill_(0.25))
        codec: SpeechCodec = load_codec(tmp_path, device=CPU)
        assert official(codec, CODEC)[FLAG].item() == 0.25

    def test_shards_are_one_file(self, folder: Path) -> None:
        whole = official(load(folder))
        shard(folder)
        assert same(official(load(folder)), whole)

    def test_single_file_wins_over_an_index(self, folder: Path) -> None:
        write_index(folder, {"x": "gone.safetensors"})
        assert same(official(load(folder)), load_file(folder / SINGLE))


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/maps")
class TestMapping:
    def mapped(self, path: Path) -> list[range]:
        """Addresses at which this process sees the file."""
        lines = Path("/proc/self/maps").read_text().splitlines()
        spans = [line.split()[0].split("-") for line in lines if line.endswith(str(path))]
        return [range(int(start, 16), int(end, 16)) for start, end in spans]

    def test_parameters_are_the_pages_of_the_file(self, folder: Path) -> None:
        model = load(folder)
        spans = self.mapped(folder / SINGLE)
        for name, value in model.state_dict().items():
            last = value.data_ptr() + value.nbytes - 1
            assert any(value.data_ptr() in span and last in span for span in spans), name

    def test_converted_parameters_let_the_file_go(self, folder: Path) -> None:
        edit(folder, lambda tensors: [tensors.pop(k) for k in list(tensors) if "speaker" in k])
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | {"tts_model_type": "voice_design"}))
        model = load(folder, torch.bfloat16)
        assert self.mapped(folder / SINGLE) == []
        assert model.talker.codec_head.weight.dtype == torch.bfloat16

    def test_changing_a_parameter_leaves_the_file(self, folder: Path) -> None:
        digest = hashlib.sha256((folder / SINGLE).read_bytes()).digest()
        model = load(folder)
        model.talker.codec_head.weight.zero_()
        assert hashlib.sha256((folder / SINGLE).read_bytes()).digest() == digest
        assert load(folder).talker.codec_head.weight.abs().max() > 0


class TestMisfits:
    def message(self, folder: Path) -> str:
        with pytest.raises(InvalidWeights) as caught:
            load(folder)
        assert "\n" not in str(caught.value)
        return str(caught.value)

    def test_all_kinds_in_one_error(self, folder: Path) -> None:
        def change(tensors: dict[str, Tensor]) -> None:
            del tensors[NORM]
            tensors["talker.lora.weight"] = torch.zeros(2)
            tensors[HEAD] = torch.zeros(3, 5)
            tensors["talker.model.codec_embedding.weight"] = torch.zeros(3072, 64).long()

        edit(folder, change)
        message = self.message(folder)
        assert f"1 missing: {NORM};" in message
        assert "1 unexpected: talker.lora.weight;" in message
        assert f"1 mis-shaped: {HEAD} is [3, 5], expected [3072, 64];" in message
        assert "talker.model.codec_embedding.weight is I64" in message
        assert "BF16, F16, F32, F64" in message

    def test_long_lists_are_cut(self, folder: Path) -> None:
        edit(folder, lambda tensors: [tensors.pop(k) for k in list(tensors) if "lm_head" in k])
        message = self.message(folder)
        assert "15 missing: talker.code_predictor.lm_head.0.weight, " in message
        assert message.count("lm_head") == 8
        assert message.endswith(", and 7 more")

    def test_weights_of_another_size(self, checkpoint: Callable[..., Path], folder: Path) -> None:
        shutil.copy(checkpoint("base", wide=True) / SINGLE, folder)
        message = self.message(folder)
        assert "2 unexpected: talker.code_predictor.small_to_mtp_projection" in message
        assert "mis-shaped" in message
        assert "missing" not in message

    @pytest.mark.parametrize("value", [float("nan"), float("inf"), -float("inf")])
    def test_broken_numbers(self, folder: Path, value: float) -> None:
        edit(folder, lambda tensors: tensors[NORM][5:6].fill_(value))
        assert f"NaN or infinity in {NORM} as float32" in self.message(folder)
        assert not load(folder, check_finite=False).talker.transformer.norm.weight.isfinite().all()

    def test_opposite_infinities(self, folder: Path) -> None:
        edit(folder, lambda tensors: tensors[HEAD].view(-1)[:2].copy_(torch.tensor([1, -1]) / 0))
        assert f"NaN or infinity in {HEAD}" in self.message(folder)

    def test_large_numbers_are_not_broken(self, folder: Path) -> None:
        edit(folder, lambda tensors: tensors[NORM].fill_(3e38))  # their sum is infinite
        assert load(folder).talker.transformer.norm.weight.max() == torch.tensor(3e38)

    def test_numbers_too_large_for_the_type(self, folder: Path) -> None:
        edit(folder, lambda tensors: tensors[NORM].fill_(1e5))
        with pytest.raises(InvalidWeights, match=rf"NaN or infinity in {NORM} as float16"):
            load(folder, torch.float16)


class TestBadFiles:
    @pytest.mark.parametrize("size", [0, 5, 1000, -1], ids="{} bytes".format)
    def test_truncated(self, folder: Path, size: int) -> None:
        content = (folder / SINGLE).read_bytes()
        (folder / SINGLE).write_bytes(content[:size])
        with pytest.raises(InvalidWeights, match=rf"{SINGLE} .*: truncated"):
            load(folder)

    def test_not_safetensors(self, folder: Path) -> None:
        (folder / SINGLE).write_text("version https://git-lfs.github.com/spec/v1\n")
        with pytest.raises(InvalidWeights, match=rf"{SINGLE} \(43 bytes\): .*no safetensors file"):
            load(folder)

    def test_no_folder(self, tmp_path: Path) -> None:
        with pytest.raises(ModelNotFound, match=r"config\.json in .*absent"):
            load(tmp_path / "absent")

    def test_no_weights(self, folder: Path) -> None:
        (folder / SINGLE).unlink()
        with pytest.raises(ModelNotFound, match=rf"{SINGLE} or {INDEX} in "):
            load(folder)

    def test_no_codec_config(self, folder: Path) -> None:
        with pytest.raises(ModelNotFound, match=r"config\.json in .*speech_tokenizer"):
            load_codec(folder / "speech_tokenizer", device=CPU)

    def test_bad_config(self, folder: Path) -> None:
        (folder / "config.json").write_text("{}")
        with pytest.raises(InvalidConfig, match="talker_config"):
            load(folder)

    def test_missing_shard(self, folder: Path) -> None:
        shard(folder)
        (folder / "model-00002-of-00003.safetensors").unlink()
        with pytest.raises(ModelNotFound, match=rf"no file model-00002-of-00003.*{INDEX} names"):
            load(folder)

    def test_truncated_shard(self, folder: Path) -> None:
        shard(folder)
        path = folder / "model-00002-of-00003.safetensors"
        path.write_bytes(path.read_bytes()[:-1])
        with pytest.raises(InvalidWeights, match=r"model-00002-of-00003.*truncated"):
            load(folder)

    def test_shard_of_another_index(self, folder: Path) -> None:
        listed = shard(folder)
        write_index(folder, listed | {NORM: "model-00001-of-00003.safetensors"})
        assert listed[NORM] != "model-00001-of-00003.safetensors"
        with pytest.raises(InvalidWeights, match=rf"does not list {NORM} there"):
            load(folder)

    def test_listed_tensor_that_no_shard_holds(self, folder: Path) -> None:
        listed = shard(folder)
        write_index(folder, listed | {"extra": "model-00001-of-00003.safetensors"})
        with pytest.raises(InvalidWeights, match=rf"{INDEX}: no shard holds extra"):
            load(folder)

    @pytest.mark.parametrize(
        "weight_map",
        [None, {}, [1], {"a": 1}, {"a": ""}, {"a": "../model.safetensors"}],
        ids=str,
    )
    def test_bad_index(self, folder: Path, weight_map: object) -> None:
        (folder / SINGLE).unlink()
        write_index(folder, weight_map)
        with pytest.raises(InvalidWeights, match=rf"{INDEX}: `weight_map` must"):
            load(folder)

    def test_index_that_is_no_json(self, folder: Path) -> None:
        (folder / SINGLE).unlink()
        (folder / INDEX).write_text("{")
        with pytest.raises(InvalidWeights, match=rf"{INDEX}: not valid JSON"):
            load(folder)
