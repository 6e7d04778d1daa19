"""Hardware as data agrees with what loading takes."""

import warnings

import pytest
import torch

from qwen3_tts.backends.devices import choose, list_devices, tier
from qwen3_tts.engine.device import choose_device, choose_dtype
from qwen3_tts.errors import UnsupportedRequest


@pytest.mark.parametrize("device", ["auto", "cpu"])
@pytest.mark.parametrize("dtype", ["auto", "float32", "bfloat16"])
def test_the_choice_is_that_of_loading(device: str, dtype: str) -> None:
    choice = choose(device, dtype)
    expected = choose_device(device)
    number = choose_dtype(dtype, expected)
    assert (choice.device, f"torch.{choice.dtype}") == (str(expected), str(number))
    assert choice.bytes_per_number == number.itemsize
    assert (choice.why == "as asked for") == (dtype != "auto")


def test_a_device_that_is_not_there() -> None:
    with pytest.raises(UnsupportedRequest):
        choose("cuda:99")


def test_every_device_is_listed_the_cpu_last() -> None:
    devices, _ = list_devices()
    gpus = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    names = [device.name for device in devices]
    assert names[: len(gpus)] == gpus
    assert names[-1] == "cpu"


def test_a_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """Numbers as torch gives them, on machines that have no such device."""

    class About:
        name, major, minor = "Some GPU", 7, 5

    def count() -> int:
        warnings.warn("the driver is old\nmore lines", UserWarning, stacklevel=1)
        return 1

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", count)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda index: About)
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: (7, 5))
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda index: (10, 20))
    devices, complaints = list_devices()
    assert (devices[0].name, devices[0].free_bytes, devices[0].total_bytes) == ("cuda:0", 10, 20)
    assert devices[0].about == "Some GPU, compute capability 7.5"
    assert complaints == ["the driver is old"]
    choice = choose()
    assert (choice.device, choice.dtype) == ("cuda", "float32")
    assert choice.why == "compute capability 7.5 has no fast bfloat16"


@pytest.mark.parametrize(
    ("device", "dtype", "capability", "hip", "name", "why"),
    [
        ("cuda", "bfloat16", (9, 0), None, "cuda", "compute capability 9.0 multiplies bfloat16"),
        ("cuda", "bfloat16", (8, 0), None, "cuda", "compute capability 8.0 multiplies bfloat16"),
        ("cuda:1", "float32", (8, 6), None, "cuda-float32", "bfloat16 is faster"),
        ("cuda", "float32", (7, 5), None, "cuda-float32", "overflows in float16"),
        ("cuda", "float32", (7, 0), None, "cuda-float32", "7.0 has no bfloat16"),
        ("cuda", "bfloat16", (7, 5), None, "cuda-slow", "only imitates bfloat16"),
        ("cuda", "bfloat16", (9, 4), "6.4", "rocm", "untried on ROCm"),
        ("mps", "float32", (0, 0), None, "mps", "graphs are for CUDA"),
        ("cpu", "float32", (0, 0), None, "cpu", "no GPU is used"),
    ],
)
def test_the_tier_and_why(
    monkeypatch: pytest.MonkeyPatch,
    device: str,
    dtype: str,
    capability: tuple[int, int],
    hip: str | None,
    name: str,
    why: str,
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    monkeypatch.setattr(torch.version, "hip", hip)
    found = tier(device, dtype)
    assert found.name == name
    assert why in found.why
    assert (dtype in found.about) == (device != "cpu")
