"""Devices and number formats: what "auto" means on each kind of machine."""

import pytest
import torch

from qwen3_tts.engine.device import choose_device, choose_dtype, choose_graphs, limit_memory
from qwen3_tts.errors import UnsupportedRequest

CPU, CUDA = torch.device("cpu"), torch.device("cuda")


def pretend(monkeypatch: pytest.MonkeyPatch, *, cuda: int = 0, mps: bool = False) -> None:
    """A machine with so many CUDA devices, and Apple's GPU or not."""
    monkeypatch.setattr(torch.cuda, "is_available", lambda: cuda > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: cuda)
    monkeypatch.setattr(torch.backends.mps, "is_available", lambda: mps)


@pytest.mark.parametrize(
    ("cuda", "mps", "expected"),
    [(0, False, "cpu"), (0, True, "mps"), (2, False, "cuda"), (1, True, "cuda")],
)
def test_auto_takes_the_fastest_there_is(
    monkeypatch: pytest.MonkeyPatch, cuda: int, mps: bool, expected: str
) -> None:
    pretend(monkeypatch, cuda=cuda, mps=mps)
    assert choose_device() == torch.device(expected)


@pytest.mark.parametrize("name", ["cpu", "cuda", "cuda:0", "cuda:1", "mps"])
def test_a_device_that_is_there_is_taken(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    pretend(monkeypatch, cuda=2, mps=True)
    assert choose_device(name) == torch.device(name)


@pytest.mark.parametrize("name", ["cuda", "cuda:0", "mps", "xpu", "meta"])
def test_a_device_that_is_not_there_is_refused(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    pretend(monkeypatch)
    with pytest.raises(UnsupportedRequest) as caught:
        choose_device(name)
    assert str(caught.value) == f"device {name!r} is not available here; `cpu` always is"


def test_a_cuda_index_must_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    pretend(monkeypatch, cuda=2)
    with pytest.raises(UnsupportedRequest, match="'cuda:2' is not available"):
        choose_device("cuda:2")


@pytest.mark.parametrize("name", ["", "gpu", "cuda:x", "CPU "])
def test_an_unknown_device_names_the_known_ones(name: str) -> None:
    with pytest.raises(UnsupportedRequest) as caught:
        choose_device(name)
    assert repr(name) in str(caught.value)
    assert str(caught.value).endswith("allowed: auto, cpu, cuda, cuda:N, mps")


@pytest.mark.parametrize(
    ("capability", "expected"),
    [((7, 5), torch.float32), ((8, 0), torch.bfloat16), ((9, 0), torch.bfloat16)],
)
def test_auto_is_bfloat16_on_gpus_that_have_it(
    monkeypatch: pytest.MonkeyPatch, capability: tuple[int, int], expected: torch.dtype
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert choose_dtype("auto", CUDA) == expected


@pytest.mark.parametrize("device", [CPU, torch.device("mps")])
def test_auto_is_float32_elsewhere(device: torch.device) -> None:
    assert choose_dtype("auto", device) == torch.float32


@pytest.mark.parametrize("device", [CPU, CUDA])
def test_a_named_format_is_taken_on_any_device(device: torch.device) -> None:
    assert choose_dtype("float32", device) == torch.float32
    assert choose_dtype("bfloat16", device) == torch.bfloat16


@pytest.mark.parametrize("name", ["float16", "fp32", "", "int8"])
def test_other_formats_are_refused(name: str) -> None:
    with pytest.raises(UnsupportedRequest) as caught:
        choose_dtype(name, CPU)
    assert str(caught.value) == (
        f"dtype {name!r} is not supported; allowed: auto, float32, bfloat16"
    )


@pytest.mark.parametrize(
    ("wanted", "device", "hip", "expected"),
    [
        (None, "cuda", None, True),
        (False, "cuda", None, False),
        (True, "cuda:1", None, True),
        (None, "cuda", "6.4", False),
        (None, "mps", None, False),
        (None, "cpu", None, False),
        (False, "cpu", None, False),
    ],
)
def test_graphs_where_they_are_tried(
    monkeypatch: pytest.MonkeyPatch,
    wanted: bool | None,
    device: str,
    hip: str | None,
    expected: bool,
) -> None:
    monkeypatch.setattr(torch.version, "hip", hip)
    assert choose_graphs(wanted, torch.device(device)) == expected


@pytest.mark.parametrize(("device", "hip"), [("cpu", None), ("mps", None), ("cuda", "6.4")])
def test_graphs_that_cannot_be(
    monkeypatch: pytest.MonkeyPatch, device: str, hip: str | None
) -> None:
    monkeypatch.setattr(torch.version, "hip", hip)
    with pytest.raises(UnsupportedRequest, match="graphs are for CUDA, this is"):
        choose_graphs(True, torch.device(device))


class About:
    total_memory = 1000 * 2**20


@pytest.mark.parametrize(
    ("amount", "share"), [(None, None), (0.5, 0.5), (1, 1), (250 * 2**20, 0.25)]
)
def test_a_limit_of_gpu_memory(
    monkeypatch: pytest.MonkeyPatch, amount: float | None, share: float | None
) -> None:
    given = []
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: About)
    monkeypatch.setattr(
        torch.cuda, "set_per_process_memory_fraction", lambda *asked: given.append(asked)
    )
    limit_memory(amount, CUDA)
    assert given == ([] if share is None else [(share, CUDA)])


def test_limits_that_make_no_sense(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: About)
    with pytest.raises(UnsupportedRequest, match="more than cuda has; allowed: up to 1048576000"):
        limit_memory(2000 * 2**20, CUDA)
    with pytest.raises(UnsupportedRequest, match="on cpu the allowed is: None"):
        limit_memory(0.5, CPU)
    limit_memory(None, CPU)
