"""The hardware a model could run on, as data: what there is, and what would be chosen and why."""

import os
import warnings
from dataclasses import dataclass

import torch

from qwen3_tts.engine.device import choose_device, choose_dtype, choose_graphs, choose_quantize
from qwen3_tts.native.library import kernels


@dataclass(frozen=True)
class Device:
    """`free_bytes` and `total_bytes` are of the device's own memory, None where it shares ours."""

    name: str
    about: str
    free_bytes: int | None = None
    total_bytes: int | None = None


@dataclass(frozen=True)
class Choice:
    device: str
    dtype: str
    why: str

    @property
    def bytes_per_number(self) -> int:
        return 2 if self.dtype == "bfloat16" else 4


def choose(device: str = "auto", dtype: str = "auto") -> Choice:
    """What `qwen3_tts.load` would take. Raises `UnsupportedRequest`."""
    chosen = choose_device(device)
    number = str(choose_dtype(dtype, chosen)).removeprefix("torch.")
    if dtype != "auto":
        why = "as asked for"
    elif chosen.type == "cuda":
        major, minor = torch.cuda.get_device_capability(chosen)
        fast = "has" if number == "bfloat16" else "has no fast"
        why = f"compute capability {major}.{minor} {fast} bfloat16"
    else:
        why = "bfloat16 by itself only on CUDA, from compute capability 8.0 on"
    return Choice(str(chosen), number, why)


@dataclass(frozen=True)
class Tier:
    """How speech is computed on a device: `name` for machines, `about` and `why` for people."""

    name: str
    about: str
    why: str


def tier(device: str, dtype: str) -> Tier:
    """Which way of computing `qwen3_tts.load` takes there, if nobody says otherwise."""
    taken = torch.device(device)
    if taken.type == "mps":
        return Tier("mps", f"step by step, {dtype}", "graphs are for CUDA")
    if taken.type == "cpu":
        return Tier("cpu", "kernels where they fit, or else torch", "no GPU is used")
    if not choose_graphs(None, taken):
        return Tier("rocm", f"step by step, {dtype}", "graphs are untried on ROCm")
    major, minor = torch.cuda.get_device_capability(taken)
    capability = f"compute capability {major}.{minor}"
    if dtype == "bfloat16" and major >= 8:
        return Tier("cuda", "graphs, bfloat16", f"{capability} multiplies bfloat16 in hardware")
    if dtype == "bfloat16":
        return Tier("cuda-slow", "graphs, bfloat16", f"{capability} only imitates bfloat16: slow")
    if major >= 8:
        return Tier("cuda-float32", "graphs, float32", f"{dtype} was asked for: bfloat16 is faster")
    why = f"{capability} has no bfloat16, and the code predictor overflows in float16"
    return Tier("cuda-float32", "graphs, float32", why)


def rounds(device: str, width: int, plan: str | None) -> bool:
    """Whether kernels would speak with rounded weights where nobody says `quantize`.

    `plan` is what the weights are rounded to in their file, `width` the talker's.
    """
    if plan:
        return device == "cpu" and kernels() is not None
    return choose_quantize("auto", torch.device(device), width) is not None


def list_devices() -> tuple[list[Device], list[str]]:
    """Every device, the preferred one first, and what torch complained of while it looked."""
    with warnings.catch_warnings(record=True) as complaints:
        warnings.simplefilter("always")  # a broken driver shows as a warning only
        devices = [_cuda(index) for index in range(torch.cuda.device_count())]
        if torch.backends.mps.is_available():
            devices.append(Device("mps", "Apple GPU, shares the computer's memory"))
    devices.append(Device("cpu", f"{torch.get_num_threads()} threads on {os.cpu_count()} cores"))
    return devices, [str(complaint.message).partition("\n")[0] for complaint in complaints]


def torch_build() -> str | None:
    """The CUDA version torch was built for; None for a build without CUDA."""
    return torch.version.cuda


def _cuda(index: int) -> Device:
    about = torch.cuda.get_device_properties(index)
    free_bytes, total_bytes = torch.cuda.mem_get_info(index)
    name = f"{about.name}, compute capability {about.major}.{about.minor}"
    return Device(f"cuda:{index}", name, free_bytes, total_bytes)
