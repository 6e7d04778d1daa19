"""Rounded weights in a file: what it holds, that it is loaded back, what is refused."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

import qwen3_tts
from qwen3_tts.backends import runners
from qwen3_tts.backends.quantized import choose_format
from qwen3_tts.backends.qwen3 import Qwen3Synthesizer
from qwen3_tts.config import read_checkpoint_config
from qwen3_tts.errors import InvalidWeights, ModelNotFound, UnsupportedRequest
from qwen3_tts.model.speech_model import SpeechModel
from qwen3_tts.native.library import why_not
from qwen3_tts.prompt.byte_vocab import write_byte_tokenizer
from qwen3_tts.quantize.plan import quantize_model
from qwen3_tts.quantize.rows import FORMATS, Format, Rows
from qwen3_tts.weights.load import INDEX, load_speech_model
from qwen3_tts.weights.quantized import PLANS, SINGLE, VERSION, plan_of
from qwen3_tts.weights.random import write_random_checkpoint
from qwen3_tts.weights.save_quantized import save_quantized
from tests.conftest import WriteCheckpoint

CPU = torch.device("cpu")
HEAD = "talker.codec_head.weight"
QUERY = "talker.model.layers.0.self_attn.q_proj.weight"
Make = Callable[..., Path]


@pytest.fixture(scope="session")
def rounded(checkpoint: WriteCheckpoint, tmp_path_factory: pytest.TempPathFactory) -> Make:
    """`rounded(kind, format, wide=False)` is a folder; it is shared, so copy it before a change."""
    made: dict[tuple[str, Format, bool], Path] = {}

    def folder(kind: str, format: Format, wide: bool = False) -> Path:
        key = kind, format, wide
        if key not in made:
            made[key] = tmp_path_factory.mktemp("rounded") / "model"
            save_quantized(checkpoint(kind, wide), made[key], format)
        return made[key]

    return folder


@pytest.fixture
def folder(rounded: Make, tmp_path: Path) -> Path:
    """An int4 checkpoint to be damaged."""
    shutil.copytree(rounded("custom_voice", "int4", True), tmp_path / "model")
    return tmp_path / "model"


def load(folder: Path, dtype: torch.dtype = torch.float32) -> SpeechModel:
    return load_speech_model(folder, device=CPU, dtype=dtype)


def metadata(folder: Path) -> dict[str, str]:
    with safe_open(folder / SINGLE, framework="numpy") as file:
        return dict(file.metadata())


def edit(folder: Path, change: Callable[[dict[str, Tensor]], object], **about: str | None) -> None:
    """Change tensors, and metadata: None removes an entry."""
    tensors = load_file(folder / SINGLE)
    change(tensors)
    told = {**metadata(folder), **about}
    save_file(tensors, folder / SINGLE, {k: v for k, v in told.items() if v is not None})


def same(a: dict[str, Tensor], b: dict[str, Tensor]) -> bool:
    return a.keys() == b.keys() and all(
        a[name].dtype == b[name].dtype and torch.equal(a[name], b[name]) for name in a
    )


def files(folder: Path) -> dict[str, bytes]:
    found = (path for path in folder.rglob("*") if path.is_file())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in found}


def alike(a: Path, b: Path) -> bool:
    """The same checkpoint. Metadata stand in any order."""
    ours, theirs = files(a), files(b)
    different = {name for name in ours.keys() | theirs.keys() if ours.get(name) != theirs.get(name)}
    return different <= {SINGLE} and (
        same(load_file(a / SINGLE), load_file(b / SINGLE)) and metadata(a) == metadata(b)
    )


class TestWhatIsWritten:
    @pytest.mark.parametrize("wide", [False, True], ids=["0b6", "1b7"])
    @pytest.mark.parametrize("format", FORMATS)
    @pytest.mark.parametrize("kind", ["base", "custom_voice"])
    def test_loaded_back_it_is_the_model_that_was_rounded(
        self, checkpoint: WriteCheckpoint, rounded: Make, kind: str, format: Format, wide: bool
    ) -> None:
        model = quantize_model(load(checkpoint(kind, wide), torch.bfloat16), format)
        loaded = load(rounded(kind, format, wide), torch.bfloat16)
        assert same(loaded.state_dict(), model.state_dict())
        assert not any(p.requires_grad for p in loaded.state_dict(keep_vars=True).values())
        assert not any(module.training for module in loaded.modules())

    def test_the_other_weights_take_the_type_that_is_asked_for(self, rounded: Make) -> None:
        model = load(rounded("base", "int4"), torch.float32)
        layer = model.talker.transformer.blocks[0].attn.q_proj
        assert (layer.values.dtype, layer.scales.dtype) == (torch.uint8, torch.bfloat16)
        assert model.talker.text_embedding.weight.dtype == torch.float32

    @pytest.mark.parametrize("format", FORMATS)
    def test_the_layout_is_the_documented_one(
        self, checkpoint: WriteCheckpoint, rounded: Make, format: Format
    ) -> None:
        """Read as the docstring of `weights.quantized` says, by numpy alone."""
        folder = rounded("base", format, True)
        stored, source = load_file(folder / SINGLE), load_file(checkpoint("base", True) / SINGLE)
        assert metadata(folder) == {"format": "pt", "quantize": format, "quantize_version": "1"}
        wide = stored["talker.code_predictor.small_to_mtp_projection.weight"]
        assert wide.dtype == torch.int8
        numbers, scales = stored[QUERY].numpy(), stored[f"{QUERY}_scale"].float().numpy()
        if format == "int4":
            assert stored[f"{QUERY}_scale"].dtype == torch.bfloat16
            low, high = (numbers & 15).astype(int), (numbers >> 4).astype(int)
            signed = [np.where(half < 8, half, half - 16) for half in (low, high)]
            numbers = np.stack(signed, axis=-1).reshape(len(numbers), -1)
            scales = scales.repeat(32, axis=1)[:, : numbers.shape[1]]
        else:
            assert stored[QUERY].dtype == torch.int8
            scales = scales[:, None]
        expected = Rows.of(source[QUERY].bfloat16(), format).floats()
        assert np.array_equal(numbers * scales, expected.numpy())

    def test_what_is_not_rounded_is_bfloat16_and_the_speaker_encoder_as_it_was(
        self, checkpoint: WriteCheckpoint, rounded: Make
    ) -> None:
        source = load_file(checkpoint("base", False) / SINGLE)
        stored = load_file(rounded("base", "int8") / SINGLE)
        scaled = {name.removesuffix("_scale") for name in stored if name.endswith("_scale")}
        assert stored.keys() == source.keys() | {f"{name}_scale" for name in scaled}
        expected = {
            name: value if name.startswith("speaker_encoder.") else value.bfloat16()
            for name, value in source.items()
            if name not in scaled
        }
        assert same({name: stored[name] for name in expected}, expected)

    def test_a_bfloat16_checkpoint_keeps_every_other_number(self, tmp_path: Path) -> None:
        special = write_byte_tokenizer(tmp_path / "source")
        write_random_checkpoint(
            tmp_path / "source", "base", seed=2, dtype=torch.bfloat16, special_ids=special
        )
        save_quantized(tmp_path / "source", tmp_path / "out", "int8")
        source, stored = (load_file(tmp_path / name / SINGLE) for name in ("source", "out"))
        kept = {name: value for name, value in source.items() if f"{name}_scale" not in stored}
        assert same({name: stored[name] for name in kept}, kept)

    def test_the_folder_is_complete(
        self, checkpoint: WriteCheckpoint, rounded: Make, tmp_path: Path
    ) -> None:
        source, out = checkpoint("custom_voice", False), rounded("custom_voice", "int8")
        ours, theirs = files(out), files(source)
        assert ours.keys() == theirs.keys()
        assert [name for name in ours if ours[name] != theirs[name]] == [SINGLE]
        assert len(ours[SINGLE]) < len(theirs[SINGLE])
        modes = {path.stat().st_mode for path in out.iterdir() if path.is_file()}
        assert modes == {(source / SINGLE).stat().st_mode}
        shutil.copytree(out, tmp_path / "moved")
        assert qwen3_tts.load(tmp_path / "moved", device="cpu").synthesize("a", max_frames=1)

    def test_the_codec_is_not_there_twice(self, checkpoint: WriteCheckpoint, rounded: Make) -> None:
        codec = f"speech_tokenizer/{SINGLE}"
        ours, theirs = rounded("base", "int8"), checkpoint("base", False)  # as `rounded` asks
        assert (ours / codec).samefile(theirs / codec)
        assert not (ours / "config.json").samefile(theirs / "config.json")

    def test_a_disk_without_links(
        self, checkpoint: WriteCheckpoint, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*paths: object) -> None:
            raise OSError("Operation not permitted")

        monkeypatch.setattr(os, "link", refuse)
        save_quantized(checkpoint("base", False), tmp_path / "out", "int8")
        codec = f"speech_tokenizer/{SINGLE}"
        assert not (tmp_path / "out" / codec).is_symlink()
        assert files(tmp_path / "out")[codec] == files(checkpoint("base", False))[codec]

    def test_a_folder_of_the_hubs_cache(
        self, checkpoint: WriteCheckpoint, rounded: Make, tmp_path: Path
    ) -> None:
        """Every file there is a link to another place."""
        snapshot = tmp_path / "snapshot"
        (snapshot / "speech_tokenizer").mkdir(parents=True)
        for name in files(checkpoint("base", False)):
            (snapshot / name).symlink_to(checkpoint("base", False) / name)
        save_quantized(snapshot, tmp_path / "out", "int8")
        assert not any(path.is_symlink() for path in (tmp_path / "out").rglob("*"))
        assert alike(tmp_path / "out", rounded("base", "int8"))

    def test_over_an_older_checkpoint(
        self, checkpoint: WriteCheckpoint, rounded: Make, tmp_path: Path
    ) -> None:
        shutil.copytree(checkpoint("base", True), tmp_path / "out")
        for name in (INDEX, "model-00001-of-00002.safetensors"):
            (tmp_path / "out" / name).write_text("old")
            (tmp_path / "out" / "speech_tokenizer" / name).write_text("old")
        save_quantized(checkpoint("base", False), tmp_path / "out", "int8")
        assert alike(tmp_path / "out", rounded("base", "int8"))


class TestWhatIsNotWritten:
    def test_rounded_twice(self, rounded: Make, tmp_path: Path) -> None:
        with pytest.raises(UnsupportedRequest, match=r"are int8 already; give the checkpoint they"):
            save_quantized(rounded("base", "int8"), tmp_path / "out", "int4")
        assert not (tmp_path / "out").exists()

    def test_over_itself(self, checkpoint: WriteCheckpoint, tmp_path: Path) -> None:
        shutil.copytree(checkpoint("base", False), tmp_path / "model")
        (tmp_path / "other").symlink_to(tmp_path / "model")
        before = files(tmp_path / "model")
        with pytest.raises(UnsupportedRequest, match="is the checkpoint itself"):
            save_quantized(tmp_path / "model", tmp_path / "other", "int8")
        assert files(tmp_path / "model") == before

    @pytest.mark.parametrize("name", ["merges.txt", SINGLE, f"speech_tokenizer/{SINGLE}"])
    def test_of_a_checkpoint_that_lacks_a_file(
        self, checkpoint: WriteCheckpoint, tmp_path: Path, name: str
    ) -> None:
        shutil.copytree(checkpoint("base", False), tmp_path / "model")
        (tmp_path / "model" / name).unlink()
        with pytest.raises(ModelNotFound, match=f"no file {name} in "):
            save_quantized(tmp_path / "model", tmp_path / "out", "int8")
        assert not (tmp_path / "out").exists()


class TestLoading:
    @pytest.mark.skipif(sys.platform != "linux", reason="reads /proc/self/maps")
    @pytest.mark.parametrize("format", FORMATS)
    def test_numbers_and_scales_are_the_pages_of_the_file(
        self, rounded: Make, format: Format
    ) -> None:
        path = rounded("custom_voice", format) / SINGLE
        model = load(path.parent, torch.bfloat16)
        lines = Path("/proc/self/maps").read_text().splitlines()
        spans = [line.split()[0].split("-") for line in lines if line.endswith(str(path))]
        pages = [range(int(start, 16), int(end, 16)) for start, end in spans]
        state = model.state_dict()
        assert sum(name.endswith(".values") for name in state) > 40
        for name, value in state.items():
            last = value.data_ptr() + value.nbytes - 1
            assert any(value.data_ptr() in page and last in page for page in pages), name

    def test_the_file_stays_as_it_is(self, folder: Path) -> None:
        digest = hashlib.sha256((folder / SINGLE).read_bytes()).digest()
        load(folder).talker.codec_head.values.zero_()
        assert hashlib.sha256((folder / SINGLE).read_bytes()).digest() == digest

    def test_compiler_is_not_imported(self, rounded: Make) -> None:
        """It takes seconds, and rounding on the meta device would do it."""
        program = (
            "import sys, torch; from pathlib import Path;"
            "from qwen3_tts.weights.load import load_speech_model as load;"
            "load(Path(sys.argv[1]), device=torch.device('cpu'), dtype=torch.float32);"
            "assert 'torch._dynamo' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", program, str(rounded("base", "int4"))], check=True)


@pytest.fixture(params=["kernels", "torch"])
def arithmetic(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Who computes."""
    if request.param == "torch":
        monkeypatch.setattr(runners, "why_not", lambda: "a test does without")
    elif reason := why_not():
        pytest.skip(reason)
    return str(request.param)


class TestSpeech:
    @pytest.mark.parametrize("wide", [False, True], ids=["0b6", "1b7"])
    @pytest.mark.parametrize("format", FORMATS)
    def test_it_says_what_a_checkpoint_says_that_is_rounded_while_it_is_loaded(
        self,
        checkpoint: WriteCheckpoint,
        rounded: Make,
        arithmetic: str,
        format: Format,
        wide: bool,
    ) -> None:
        there = qwen3_tts.load(checkpoint("custom_voice", wide), device="cpu", quantize=format)
        back = qwen3_tts.load(rounded("custom_voice", format, wide), device="cpu")
        said = [tts.synthesize("Hello.", max_frames=5, seed=5) for tts in (there, back)]
        assert np.array_equal(said[0].codes, said[1].codes)
        assert np.array_equal(said[0].wave, said[1].wave)
        runner = type(back.engine.loop.slots.runner).__name__
        assert runner == {"kernels": "NativeRunner", "torch": "EagerRunner"}[arithmetic]

    def test_a_cloned_voice(
        self,
        checkpoint: WriteCheckpoint,
        rounded: Make,
        arithmetic: str,
        recording: tuple[np.ndarray, int],
    ) -> None:
        def speak(tts: Qwen3Synthesizer) -> np.ndarray:
            voice = tts.clone_voice(recording, text="A short word.")
            return tts.synthesize("Hello.", voice=voice, max_frames=5, seed=1).codes

        there = qwen3_tts.load(checkpoint("base", False), device="cpu", quantize="int4")
        back = qwen3_tts.load(rounded("base", "int4"), device="cpu")
        assert np.array_equal(speak(there), speak(back))


class TestQuantizeArgument:
    @pytest.mark.parametrize("format", FORMATS)
    @pytest.mark.parametrize("wanted", [None, "auto", "same"])
    def test_what_the_file_holds_may_be_asked_for(
        self, rounded: Make, format: Format, wanted: str | None
    ) -> None:
        folder = rounded("base", format)
        wanted = format if wanted == "same" else wanted
        assert choose_format(folder, read_checkpoint_config(folder), wanted, CPU) == format

    @pytest.mark.parametrize("wanted", ["none", "int4"])
    def test_anything_else_may_not(self, rounded: Make, wanted: str) -> None:
        with pytest.raises(UnsupportedRequest) as caught:
            qwen3_tts.load(rounded("base", "int8"), device="cpu", quantize=wanted)
        assert str(caught.value) == (
            f"the weights of this checkpoint are rounded to int8 already, quantize '{wanted}' "
            "needs those they were made from; allowed: int8, auto"
        )

    def test_what_there_is_not(self, rounded: Make) -> None:
        with pytest.raises(UnsupportedRequest, match="'int3' is unknown; allowed: none, int8"):
            qwen3_tts.load(rounded("base", "int8"), device="cpu", quantize="int3")

    def test_it_is_for_cpus(self, checkpoint: WriteCheckpoint, rounded: Make) -> None:
        folder, gpu = rounded("base", "int8"), torch.device("cuda")
        config = read_checkpoint_config(folder)
        with pytest.raises(UnsupportedRequest, match="rounded to int8, which is for CPUs"):
            choose_format(folder, config, None, gpu)
        assert choose_format(checkpoint("base", False), config, "auto", gpu) is None

    def test_of_all_devices_it_takes_the_cpu(
        self, checkpoint: WriteCheckpoint, rounded: Make, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        opened: list[tuple[torch.device, torch.dtype]] = []

        def note(folder: Path, device: torch.device, dtype: torch.dtype, *more: object) -> None:
            opened.append((device, dtype))

        monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
        monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (8, 0))
        monkeypatch.setattr(Qwen3Synthesizer, "from_folder", note)
        qwen3_tts.load(rounded("base", "int8"))
        qwen3_tts.load(checkpoint("base", False))
        assert opened == [(CPU, torch.float32), (torch.device("cuda"), torch.bfloat16)]


class TestBadFiles:
    def message(self, folder: Path) -> str:
        with pytest.raises(InvalidWeights) as caught:
            load(folder)
        assert "\n" not in str(caught.value)
        assert len(str(caught.value)) < 2500  # lists are cut
        return str(caught.value)

    def test_all_kinds_in_one_error(self, folder: Path) -> None:
        def change(tensors: dict[str, Tensor]) -> None:
            del tensors[f"{HEAD}_scale"]
            tensors[f"{QUERY}_zero"] = torch.zeros(3)
            tensors[QUERY] = tensors[QUERY][:, :-1].contiguous()
            keys = QUERY.replace("q_proj", "k_proj")
            tensors[keys] = tensors[keys].view(torch.int8)
            tensors[HEAD] = tensors[HEAD].bfloat16()
            tensors[f"{keys}_scale"] = tensors[f"{keys}_scale"].float()

        found = load_file(folder / SINGLE)[QUERY].shape
        edit(folder, change)
        message = self.message(folder)
        assert f"1 missing: {HEAD}_scale;" in message
        assert f"1 unexpected: {QUERY}_zero;" in message
        assert (
            f"1 mis-shaped: {QUERY} is [{found[0]}, {found[1] - 1}], expected {list(found)};"
            in message
        )
        assert f"1 not of a type allowed (I8): {HEAD} is BF16" in message
        assert "1 not of a type allowed (U8): talker.model.layers.0.self_attn.k_proj" in message
        assert "1 not of a type allowed (BF16): talker.model.layers.0.self_attn.k_proj" in message

    def test_scales_of_another_shape(self, folder: Path) -> None:
        edit(folder, lambda tensors: tensors.update({f"{HEAD}_scale": torch.zeros(3)}))
        assert f"1 mis-shaped: {HEAD}_scale is [3], expected [" in self.message(folder)

    @pytest.mark.parametrize("value", [float("nan"), float("inf")])
    def test_broken_scales(self, folder: Path, value: float) -> None:
        edit(folder, lambda tensors: tensors[f"{QUERY}_scale"][1:2, 1].fill_(value))
        assert f"NaN or infinity in {QUERY}_scale as bfloat16" in self.message(folder)

    @pytest.mark.parametrize("version", ["2", "", None, "1" * 5000, "1\n2"])
    def test_another_version(self, folder: Path, version: str | None) -> None:
        edit(folder, lambda tensors: None, quantize_version=version)
        assert "this package reads 1; install one that reads it, or make it again with" in (
            self.message(folder)
        )

    @pytest.mark.parametrize("plan", ["int3", "", "x" * 5000])
    def test_another_plan(self, folder: Path, plan: str) -> None:
        edit(folder, lambda tensors: None, quantize=plan)
        assert f"holds weights rounded to '{plan[:20]}'" in self.message(folder)
        assert "allowed: int8, int4" in self.message(folder)

    def test_the_other_plan(self, folder: Path) -> None:
        edit(folder, lambda tensors: None, quantize="int8")
        message = self.message(folder)
        assert "mis-shaped" in message
        assert "not of a type allowed (I8): talker.model.layers.0.self_attn.q_proj" in message

    def test_a_file_that_does_not_say_what_it_holds(self, folder: Path) -> None:
        edit(folder, lambda tensors: None, quantize=None)
        message = self.message(folder)
        assert " unexpected: talker.code" in message
        assert ".weight_scale, " in message
        assert " not of a type allowed (BF16, F16, F32, F64): talker." in message
        assert f"{QUERY} is U8, " in message

    def test_a_file_that_says_what_it_does_not_hold(
        self, checkpoint: WriteCheckpoint, folder: Path
    ) -> None:
        tensors = load_file(checkpoint("custom_voice", True) / SINGLE)
        save_file(tensors, folder / SINGLE, metadata(folder))
        message = self.message(folder)
        assert "missing: " in message
        assert "not of a type allowed (I8): " in message

    def test_a_model_of_another_size(self, rounded: Make, folder: Path) -> None:
        shutil.copy(rounded("custom_voice", "int4") / SINGLE, folder)
        message = self.message(folder)
        assert "missing: talker.code_predictor.small_to_mtp_projection.bias, " in message
        assert "mis-shaped" in message

    @pytest.mark.parametrize("size", [0, 5, 1000, -1], ids="{} bytes".format)
    def test_a_truncated_one(self, folder: Path, size: int) -> None:
        (folder / SINGLE).write_bytes((folder / SINGLE).read_bytes()[:size])
        assert "truncated, or no safetensors file" in self.message(folder)


def test_plans_are_the_formats_and_a_plain_folder_has_none(checkpoint: WriteCheckpoint) -> None:
    """Written twice, as the one is known without torch."""
    assert PLANS == FORMATS
    assert VERSION == "1"
    assert plan_of(checkpoint("base", False)) is None
    assert plan_of(checkpoint("base", False) / "absent") is None


def test_config_says_nothing_of_it(rounded: Make) -> None:
    """It is the source's, so that programs that know no rounding still know the model."""
    config = json.loads((rounded("base", "int8") / "config.json").read_text())
    assert "quantization_config" not in config
