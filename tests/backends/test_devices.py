"""Hardware as data agrees with what loading takes."""

import warnings

import pytest
import torch

from qwen3_tts.backends.devices import choose, list_devices
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
