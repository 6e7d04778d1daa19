"""What this machine can do, and what a frame needs of it: the floor under every speed.

Reading: torch sums 512 MB of float32 in large pages, by one core and by all; 16 MB of the same show
what a cache gives. Arithmetic: products of a shape like the codec's, float32 and bfloat16. A limit
is the best of many tries, not their middle. Needs of a frame are counted from a config: bytes of
weights, each matrix once for every time a frame passes through it, and the codec's floating-point
operations. Positions, norms and embeddings are left out.

    python bench/limits.py [--threads 2]
"""

import argparse
import mmap
import os
import platform
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import torch
from setting import finish, table
from torch import Tensor
from torch.nn import functional as F
from torch.utils.flop_counter import FlopCounterMode

from qwen3_tts.config import CheckpointConfig, CodecDecoderConfig, CodePredictorConfig, TalkerConfig
from qwen3_tts.engine.chunks import FRAME_S
from qwen3_tts.model.codec.decoder import CodecDecoder

Measure = dict[str, float]

MEMORY_BYTES = 512 << 20
CACHED_BYTES = 16 << 20
SHAPE = (1920, 2688, 384)  # rows, inputs, outputs: a 7-tap convolution of 384 channels
REPEAT = 15  # of tries a few milliseconds long
FLAGS = (
    "avx2",
    "f16c",
    "avx512f",
    "avx512_vnni",
    "avx512_bf16",
    "avx_vnni",
    "amx_int8",
    "amx_bf16",
)

# kind -> formats of the talker's blocks and of everything else that is read every frame
FORMATS = {
    "int8": ("int8", "int8"),
    "int4": ("int4", "int8"),
    "bfloat16": ("bfloat16", "bfloat16"),
    "float32": ("float32", "float32"),
}
WIDTHS = {"int8": 1.0, "int4": 0.5, "bfloat16": 2.0, "float32": 4.0}  # bytes of a weight
GROUP = 32  # inputs that share a scale of two bytes in int4


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    threads = parser.parse_args().threads
    about, found = machine(), limits(threads)
    table(["machine", ""], about.items())
    table(["limit", f"{threads} threads"], shown(found))
    finish({"bench": "limits", "machine": about, "threads": threads, "limits": found})


def shown(found: Measure) -> list[tuple[str, str]]:
    return [(name, f"{value:.1f}") for name, value in found.items()]


def limits(threads: int) -> Measure:
    """The best: GB/s of reading, GFLOP/s of matrix products. A second, and 0.5 GB for as long."""
    before = torch.get_num_threads()
    memory = pages(MEMORY_BYTES)
    cached = memory[: CACHED_BYTES // 4]
    try:
        torch.set_num_threads(1)
        one = rate(memory.sum, MEMORY_BYTES)
        torch.set_num_threads(threads)
        return {
            "read GB/s, one core": one,
            "read GB/s": rate(memory.sum, MEMORY_BYTES),
            "read from cache GB/s": rate(cached.sum, CACHED_BYTES, 10 * REPEAT),
            "float32 GFLOP/s": products(torch.float32),
            "bfloat16 GFLOP/s": products(torch.bfloat16),
        }
    finally:
        torch.set_num_threads(before)


def pages(size: int) -> Tensor:
    """Ones, float32, in large pages where the system gives them: a core reads those faster."""
    memory = mmap.mmap(-1, size)
    if hasattr(mmap, "MADV_HUGEPAGE"):
        memory.madvise(mmap.MADV_HUGEPAGE)
    return torch.frombuffer(memory, dtype=torch.float32).fill_(1)


def rate(function: Callable[[], object], work: float, tries: int = REPEAT) -> float:
    """Billions of `work` a second, in the best try."""
    marks = [time.perf_counter()]
    for _ in range(tries):
        function()
        marks.append(time.perf_counter())
    return work / 1e9 / min(b - a for a, b in pairwise(marks))


def products(dtype: torch.dtype) -> float:
    rows, inputs, outputs = SHAPE
    x, weight = torch.ones(rows, inputs, dtype=dtype), torch.ones(outputs, inputs, dtype=dtype)
    return rate(lambda: F.linear(x, weight), 2 * rows * inputs * outputs)


# needs of a frame


def talker_bytes(config: CheckpointConfig, kind: str) -> float:
    """Weights that the talker reads for a frame: its blocks and its head."""
    talker, (own, other) = config.talker_config, FORMATS[kind]
    return stack_bytes(talker, own) + matrix_bytes(talker.vocab_size, talker.hidden_size, other)


def predictor_bytes(config: CheckpointConfig, kind: str) -> float:
    """Weights that the code predictor reads for a frame: its blocks once for every group it draws
    (the first pass takes two positions), and every head once."""
    predictor, (_, own) = config.talker_config.code_predictor_config, FORMATS[kind]
    width, wide = predictor.hidden_size, config.talker_config.hidden_size
    passes = predictor.num_code_groups - 1
    head = matrix_bytes(predictor.vocab_size, width, own)
    narrowing = matrix_bytes(width, wide, own) if wide != width else 0.0
    return passes * (stack_bytes(predictor, own) + head) + narrowing


def stack_bytes(config: TalkerConfig | CodePredictorConfig, format: str) -> float:
    D, inner, E = config.hidden_size, config.intermediate_size, config.head_dim
    H, G = config.num_attention_heads, config.num_key_value_heads
    matrices = (((H + 2 * G) * E, D), (D, H * E), (2 * inner, D), (D, inner))
    return config.num_hidden_layers * sum(matrix_bytes(n, k, format) for n, k in matrices)


def matrix_bytes(outputs: int, inputs: int, format: str) -> float:
    """Weights and their scales."""
    scales = {"int8": 4 * outputs, "int4": 2 * outputs * inputs / GROUP}.get(format, 0)
    return outputs * inputs * WIDTHS[format] + scales


def codec_flops(config: CodecDecoderConfig, frames: int) -> float:
    """Floating-point operations of decoding so many frames in one call, as torch counts them."""
    with torch.device("meta"), torch.inference_mode(), FlopCounterMode(display=False) as counter:
        decoder = CodecDecoder(config)
        codes = torch.zeros(1, config.num_quantizers, frames, dtype=torch.long)
        decoder(codes, decoder.new_state(1))
    return float(counter.get_total_flops())


def x_realtime(frame_s: float) -> float:
    return FRAME_S / frame_s


# the machine


def machine() -> dict[str, str]:
    """What the figures belong to. Linux; the load average tells whether others used the cores."""
    fields = [line.split(":", 1) for line in Path("/proc/cpuinfo").read_text().splitlines() if line]
    about = {name.strip(): value.strip() for name, *rest in fields for value in rest}
    has = about.get("flags", "").split()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    large = Path("/sys/kernel/mm/transparent_hugepage/enabled")
    return {
        "processor": about.get("model name", platform.machine()),
        "family, model": f"{about.get('cpu family', '?')}, {about.get('model', '?')}",
        "cores": str(len(os.sched_getaffinity(0))),
        "flags": " ".join(flag for flag in FLAGS if flag in has),
        "cache": about.get("cache size", "?") + " L2; L3 " + cache_size(3),
        "memory": f"{memory:.1f} GiB",
        "large pages": large.read_text().strip() if large.exists() else "?",
        "system": platform.platform(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "load average": " ".join(f"{load:.2f}" for load in os.getloadavg()),
    }


def cache_size(level: int) -> str:
    for place in Path("/sys/devices/system/cpu/cpu0/cache").glob("index*"):
        if (place / "level").read_text().strip() == str(level):
            return (place / "size").read_text().strip()
    return "?"


if __name__ == "__main__":
    main()
