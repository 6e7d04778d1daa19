"""What is read without the weights agrees with the loaded model."""

import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

import qwen3_tts
from qwen3_tts.backends.describe import check_request, describe, measure
from qwen3_tts.errors import CheckpointError, InvalidRequest, SpeechError, UnsupportedRequest
from qwen3_tts.quantize.linear import QuantizedLinear
from qwen3_tts.quantize.rows import FORMATS, Format
from qwen3_tts.types import Sampling, SpeechRequest, Voice
from qwen3_tts.weights.load import load_speech_model
from qwen3_tts.weights.save_quantized import save_quantized
from tests.conftest import OpenModel, WriteCheckpoint

CPU = torch.device("cpu")
KINDS = ("base", "custom_voice", "voice_design")


@pytest.mark.parametrize("kind", KINDS)
def test_description(kind: str, checkpoint: WriteCheckpoint, model: OpenModel) -> None:
    found, loaded = describe(checkpoint(kind)), model(kind)
    assert (found.kind, list(found.voices), found.languages) == (
        loaded.kind,
        loaded.voices,
        loaded.languages,
    )


@pytest.mark.parametrize("kind", KINDS)
def test_sizes(kind: str, checkpoint: WriteCheckpoint, model: OpenModel) -> None:
    sizes, loaded = measure(checkpoint(kind)), model(kind)
    speech = loaded.engine.model
    everything = sum(p.numel() for p in speech.parameters())
    encoder = speech.speaker_encoder
    speaker = sum(p.numel() for p in encoder.parameters()) if encoder else 0
    codec = sum(tensor.numel() for tensor in loaded.codec.model.state_dict().values())
    assert sizes.speech_numbers == everything - speaker
    assert sizes.float32_numbers == speaker + codec
    assert sizes.memory_bytes(4) - sizes.memory_bytes(2) == 2 * (
        sizes.speech_numbers + 750 * sizes.cache_numbers_per_frame
    )
    cache = speech.talker.transformer
    assert sizes.cache_numbers_per_frame == len(cache.blocks) * 2 * 2 * 32  # keys, values; G, E


@pytest.mark.parametrize("plan", FORMATS)
def test_sizes_of_rounded_weights(
    plan: Format, checkpoint: WriteCheckpoint, tmp_path: Path
) -> None:
    """Those of the file, and those that rounding while loading would give."""
    source = measure(checkpoint("base", wide=True))
    save_quantized(checkpoint("base", wide=True), tmp_path / "out", plan)
    sizes = measure(tmp_path / "out")
    assert (source.rounded, source.rounded_bytes) == (None, 0)
    assert (sizes.rounded, sizes.matrix_numbers) == (plan, 0)

    model = load_speech_model(tmp_path / "out", device=CPU, dtype=torch.bfloat16)
    layers = [layer for layer in model.modules() if isinstance(layer, QuantizedLinear)]
    assert source.matrix_numbers == sum(layer.rows.values.numel() for layer in layers)
    held = sum(layer.values.nbytes + layer.scales.nbytes for layer in layers)
    assert sizes.rounded_bytes == held
    assert sizes.speech_numbers == source.speech_numbers - source.matrix_numbers
    assert sizes.float32_numbers == source.float32_numbers
    assert sizes.memory_bytes(2) == source.memory_bytes(2) - 2 * source.matrix_numbers + held
    if plan == "int8":  # but for the scales
        scales = sum(layer.scales.nbytes for layer in layers)
        assert source.int8_memory_bytes() + scales == sizes.int8_memory_bytes()


REQUESTS = [
    SpeechRequest(""),
    SpeechRequest("hi", voice="nobody"),
    SpeechRequest("hi", voice=Voice(np.zeros(64, dtype=np.float32))),
    SpeechRequest("hi", voice=Voice(np.zeros(3, dtype=np.float32))),
    SpeechRequest("hi", language="klingon"),
    SpeechRequest("hi", instruct="warmly"),
    SpeechRequest("hi", sampling=Sampling(top_p=2.0)),
    SpeechRequest("hi", seed=-1),
    SpeechRequest("hi", max_frames=0),
    SpeechRequest("hi " * 20_000),
    SpeechRequest("\ud800"),
]


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("request_", REQUESTS, ids=range(len(REQUESTS)))
@pytest.mark.filterwarnings("ignore:instruct is ignored")
def test_a_request_is_refused_as_the_model_refuses_it(
    kind: str, request_: SpeechRequest, checkpoint: WriteCheckpoint, model: OpenModel
) -> None:
    def said(check) -> str:
        try:
            check()
        except InvalidRequest as error:
            return f"{type(error).__name__}: {error}"
        return ""

    planner = model(kind).engine.planner
    assert said(lambda: check_request(checkpoint(kind), request_)) == said(
        lambda: planner.plan(request_)
    )


def test_a_voice_yet_to_be_cloned(checkpoint: WriteCheckpoint) -> None:
    request = SpeechRequest("hi")
    with pytest.raises(UnsupportedRequest):  # it names no voice
        check_request(checkpoint("base"), request)
    check_request(checkpoint("base"), request, clone=True)
    with pytest.raises(UnsupportedRequest):
        check_request(checkpoint("custom_voice"), request, clone=True)


@pytest.mark.parametrize(
    "name",
    [
        "config.json",
        "generation_config.json",
        "vocab.json",
        "merges.txt",
        "tokenizer_config.json",
        "model.safetensors",
        "speech_tokenizer/config.json",
        "speech_tokenizer/model.safetensors",
    ],
)
def test_a_checkpoint_that_lacks_a_file_or_has_a_cut_one(
    name: str, checkpoint: WriteCheckpoint, tmp_path: Path
) -> None:
    """`measure` raises what loading does. Half of the merges are merges, too: neither raises."""
    folder = tmp_path / "model"
    shutil.copytree(checkpoint("custom_voice"), folder)
    content = (folder / name).read_bytes()
    (folder / name).write_bytes(content[: len(content) // 2])
    by_loading = raised(lambda: qwen3_tts.load(folder, device="cpu"))
    assert raised(lambda: measure(folder)) is by_loading
    assert issubclass(by_loading, CheckpointError) or name == "merges.txt"
    (folder / name).unlink()
    by_loading = raised(lambda: qwen3_tts.load(folder, device="cpu"))
    assert raised(lambda: measure(folder)) is by_loading
    assert issubclass(by_loading, CheckpointError)


def raised(action: Callable[[], object]) -> type:
    try:
        action()
    except SpeechError as error:
        return type(error)
    return type(None)


def test_it_does_without_torch(checkpoint: WriteCheckpoint) -> None:
    script = (
        "import sys; from pathlib import Path; from qwen3_tts.backends.describe import *; "
        "folder = Path(sys.argv[1]); describe(folder); measure(folder); "
        "check_request(folder, SpeechRequest('hi')); print('torch' in sys.modules)"
    )
    command = [sys.executable, "-c", script, str(checkpoint("custom_voice", wide=True))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.stdout == "False\n", done.stderr
