"""`from_pretrained`: which keywords there are and where they go."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import qwen3_tts
from qwen3_tts.compat import CompatError, Qwen3TTSModel, Qwen3TTSTokenizer, model, tokenizer
from qwen3_tts.errors import ModelNotFound, SpeechError
from tests.conftest import WriteCheckpoint


def test_a_folder_opens_as_the_native_model(checkpoint: WriteCheckpoint) -> None:
    folder = checkpoint("custom_voice", wide=True)
    opened = Qwen3TTSModel.from_pretrained(
        str(folder),
        device_map="cpu",
        dtype=torch.float32,
        attn_implementation="flash_attention_2",
        low_cpu_mem_usage=True,
    )
    wave = opened.generate_custom_voice("hello", "ryan", seed=3, max_new_tokens=4)[0][0]
    native = qwen3_tts.load(folder, device="cpu", dtype="float32")
    speech = native.synthesize("hello", voice="ryan", seed=3, max_frames=3)
    assert np.array_equal(wave, speech.wave)
    assert opened.device == torch.device("cpu")
    assert opened.processor.encode("hello") == native.engine.planner.tokenizer.encode("hello")


def test_defaults_are_the_checkpoints(checkpoint: WriteCheckpoint) -> None:
    opened = Qwen3TTSModel.from_pretrained(str(checkpoint("base")))
    assert opened.generate_defaults == {
        "do_sample": True,
        "repetition_penalty": 1.05,
        "temperature": 0.9,
        "top_p": 1.0,
        "top_k": 50,
        "subtalker_dosample": True,
        "subtalker_temperature": 0.9,
        "subtalker_top_p": 1.0,
        "subtalker_top_k": 50,
        "max_new_tokens": 8192,
    }


class Asked(Exception):
    """Stands for a model that would have been loaded; `keywords` are what was asked for."""

    def __init__(self, **keywords: Any):
        self.keywords = keywords


@pytest.fixture
def nothing_is_loaded(monkeypatch: pytest.MonkeyPatch) -> None:
    found: dict[str, Any] = {}

    def fetch(name: str, **keywords: Any) -> Path:
        found.update(keywords, name=name)
        return Path("somewhere")

    def load(folder: Path, **keywords: Any) -> None:
        raise Asked(**found, **keywords)

    monkeypatch.setattr(model, "fetch", fetch)
    monkeypatch.setattr(tokenizer, "fetch_codec", fetch)
    monkeypatch.setattr(qwen3_tts, "load", load)
    monkeypatch.setattr(qwen3_tts, "load_codec", load)


def asked(cls: Any, **keywords: Any) -> dict[str, Any]:
    with pytest.raises(Asked) as caught:
        cls.from_pretrained("owner/name", **keywords)
    return caught.value.keywords


@pytest.mark.usefixtures("nothing_is_loaded")
@pytest.mark.parametrize(
    ("device_map", "device"),
    [
        (None, "cpu"),
        ("cpu", "cpu"),
        ("cuda:1", "cuda:1"),
        (1, "cuda:1"),
        (torch.device("cuda", 1), "cuda:1"),
        ("auto", "auto"),
        ("balanced", "auto"),
        ({"": 0}, "cuda:0"),
        ({"talker": "cuda:0", "speaker_encoder": torch.device("cuda:0")}, "cuda:0"),
    ],
)
def test_device_map_is_a_device(device_map: Any, device: str) -> None:
    assert asked(Qwen3TTSModel, device_map=device_map)["device"] == device
    assert asked(Qwen3TTSTokenizer, device_map=device_map)["device"] == device


@pytest.mark.usefixtures("nothing_is_loaded")
@pytest.mark.parametrize(
    ("keywords", "dtype"),
    [
        ({}, "float32"),
        ({"dtype": torch.bfloat16}, "bfloat16"),
        ({"torch_dtype": torch.bfloat16}, "bfloat16"),
        ({"dtype": "bfloat16"}, "bfloat16"),
        ({"dtype": "auto"}, "auto"),
        ({"dtype": torch.float32, "torch_dtype": torch.bfloat16}, "float32"),
    ],
)
def test_dtypes_by_object_or_name(keywords: dict[str, Any], dtype: str) -> None:
    assert asked(Qwen3TTSModel, **keywords)["dtype"] == dtype


@pytest.mark.usefixtures("nothing_is_loaded")
@pytest.mark.parametrize("cls", [Qwen3TTSModel, Qwen3TTSTokenizer])
def test_hub_keywords_are_forwarded(cls: type) -> None:
    hub = ("name", "revision", "cache_dir", "token", "offline")
    given = asked(cls, revision="v2", cache_dir="models", token="secret", local_files_only=True)
    assert [given[name] for name in hub] == ["owner/name", "v2", Path("models"), "secret", True]
    plain = asked(cls, token=True)
    assert [plain[name] for name in hub] == ["owner/name", None, None, None, False]


@pytest.mark.parametrize("cls", [Qwen3TTSModel, Qwen3TTSTokenizer])
def test_unknown_keywords_are_refused(cls: Any) -> None:
    with pytest.raises(TypeError, match="'quantization_config'; allowed: device_map, dtype"):
        cls.from_pretrained("owner/name", quantization_config={}, revision="v2")


@pytest.mark.parametrize(
    ("keywords", "told"),
    [
        ({"device_map": {"a": "cpu", "b": "cuda:0"}}, r"\['cpu', 'cuda:0'\]"),
        ({"device_map": {}}, "one device"),
        ({"device_map": "gpu"}, "device 'gpu' is unknown"),
        ({"dtype": torch.float16}, "dtype 'float16' is not supported"),
        ({"token": False}, "token is False"),
    ],
)
def test_bad_values_are_value_errors(
    checkpoint: WriteCheckpoint, keywords: dict[str, Any], told: str
) -> None:
    with pytest.raises(ValueError, match=told) as caught:
        Qwen3TTSModel.from_pretrained(str(checkpoint("base")), **keywords)
    assert isinstance(caught.value, CompatError)


@pytest.mark.parametrize("cls", [Qwen3TTSModel, Qwen3TTSTokenizer])
def test_a_model_that_is_not_there(cls: Any, tmp_path: Path) -> None:
    with pytest.raises(ModelNotFound) as caught:
        cls.from_pretrained(str(tmp_path / "missing"))
    assert isinstance(caught.value, SpeechError)
