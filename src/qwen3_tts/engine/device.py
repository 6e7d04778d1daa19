"""Which device and which number format: the one place that asks what hardware is there."""

import os
import threading

import torch

from qwen3_tts.errors import UnsupportedRequest
from qwen3_tts.native.library import kernels
from qwen3_tts.quantize.rows import Format

# oneDNN keeps the kernels it has compiled, 1,024 unless told otherwise, and a decoder call uses
# about 60: a batch of streams out of step has more shapes than 17, and would compile in every turn.
# 32 shapes of a tiny decoder: 1.23 s a round with 1,024, 0.70 s with 4,096.
KERNELS = ("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "4096")

SHARED_WIDTH = 512  # of a talker: from here on two cores are faster than one

# Most threads a team of kernels takes by itself. A frame has some 600 barriers and reads weights as
# fast as memory gives them, which a few cores reach; above two cores this is not measured.
KERNEL_THREADS = 8


def choose_device(device: str = "auto") -> torch.device:
    """ "auto" takes CUDA, then Apple's MPS, then the CPU. Raises `UnsupportedRequest`."""
    os.environ.setdefault(*KERNELS)  # read at the first convolution
    if device == "auto":
        if torch.cuda.is_available():
            return torch.device("cuda")
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    try:
        chosen = torch.device(device)
    except (RuntimeError, TypeError):
        raise UnsupportedRequest(
            f"device {device!r} is unknown; allowed: auto, cpu, cuda, cuda:N, mps"
        ) from None
    missing = {
        "cuda": not torch.cuda.is_available() or (chosen.index or 0) >= torch.cuda.device_count(),
        "mps": not torch.backends.mps.is_available(),
    }
    if missing.get(chosen.type, chosen.type != "cpu"):
        raise UnsupportedRequest(f"device {device!r} is not available here; `cpu` always is")
    return chosen


def choose_threads(wanted: int | None, width: int, most: int | None = None) -> int:
    """CPU threads for a talker of this width: those wanted, or else torch's number, or one.

    What is not wanted by number is at most `most`.

    nano (256 wide) speaks at 6.4 times realtime with one thread of two cores, 4.8 with two.
    """
    if wanted:
        return wanted
    threads = 1 if width < SHARED_WIDTH else torch.get_num_threads()
    return min(threads, most or threads)


def use_threads(count: int) -> None:
    """Let the calling thread's arithmetic use so many threads, and no other thread's.

    Torch keeps the number for each thread, and one more that threads begun later start from: the
    second call, in a thread of its own, puts that one back.
    """
    before = torch.get_num_threads()
    if count != before:
        torch.set_num_threads(count)
        other = threading.Thread(target=torch.set_num_threads, args=(before,))
        other.start()
        other.join()


QUANTIZE = ("none", "int8", "int4", "auto")


def choose_quantize(wanted: str | None, device: torch.device, width: int) -> Format | None:
    """What the weights of a talker of this width are rounded to; None: nothing is.

    "auto" rounds to eight bits where that is faster: on a CPU that has kernels for it, and a model
    wide enough to be bound by memory. Raises `UnsupportedRequest`.
    """
    if wanted not in (None, *QUANTIZE):
        raise UnsupportedRequest(f"quantize {wanted!r} is unknown; allowed: {', '.join(QUANTIZE)}")
    if wanted in (None, "none"):
        return None
    if wanted == "auto":
        fast = device.type == "cpu" and width >= SHARED_WIDTH and kernels() is not None
        return "int8" if fast else None
    if device.type != "cpu":
        raise UnsupportedRequest(
            f"quantize {wanted!r} is for CPUs; on {device} the allowed are: none, auto"
        )
    return "int8" if wanted == "int8" else "int4"


def choose_dtype(dtype: str, device: torch.device) -> torch.dtype:
    """ "auto" is bfloat16 on CUDA from compute capability 8.0 on, float32 elsewhere.

    float16 is refused: the code predictor overflows in it. The codec and the speaker encoder are
    float32 whatever is chosen here.
    """
    if dtype == "auto":
        if device.type == "cuda" and torch.cuda.get_device_capability(device) >= (8, 0):
            return torch.bfloat16
        return torch.float32
    if dtype not in ("float32", "bfloat16"):
        raise UnsupportedRequest(
            f"dtype {dtype!r} is not supported; allowed: auto, float32, bfloat16"
        )
    return torch.bfloat16 if dtype == "bfloat16" else torch.float32


def choose_graphs(wanted: bool | None, device: torch.device) -> bool:
    """Whether the loop's work is recorded and replayed: on NVIDIA's devices, unless unwanted.

    ROCm calls its devices "cuda" too; graphs are untried there. Raises `UnsupportedRequest` where
    graphs are wanted and cannot be.
    """
    able = device.type == "cuda" and torch.version.hip is None
    if wanted and not able:
        there = "ROCm" if device.type == "cuda" else device.type
        raise UnsupportedRequest(f"graphs are for CUDA, this is {there}; allowed: None, False")
    return able if wanted is None else wanted


def limit_memory(amount: float | None, device: torch.device) -> None:
    """Keep torch's memory of a CUDA device, in this process, below a share (up to 1) or bytes.

    Raises `UnsupportedRequest` on other devices, and for more than the device has.
    """
    if amount is None:
        return
    if device.type != "cuda":
        raise UnsupportedRequest(
            f"gpu_memory {amount:g} is for CUDA; on {device} the allowed is: None"
        )
    total = torch.cuda.get_device_properties(device).total_memory
    share = amount if amount <= 1 else amount / total
    if share > 1:
        raise UnsupportedRequest(
            f"gpu_memory {amount:.0f} is more than {device} has; allowed: up to {total} bytes"
        )
    torch.cuda.set_per_process_memory_fraction(share, device)
