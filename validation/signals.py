"""Numbers that come out the same on every machine: weights, inputs, recordings, sample places.

Only the raw output of a PCG64 generator is used, which numpy keeps stable, and only operations that
IEEE arithmetic rounds in one way. (Sines, and the normal draws of torch, differ in the last bit
between processors.)
"""

import hashlib
import math
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from safetensors import safe_open

Float32 = NDArray[np.float32]


def noise(seed: int | list[int], shape: tuple[int, ...]) -> Float32:
    """Uniform float32 numbers of mean 0 and variance 1."""
    raw = np.random.PCG64(seed).random_raw(math.prod(shape))
    centred = (raw >> np.uint64(40)).astype(np.float32) - np.float32(2**23)
    return (centred * np.float32(math.sqrt(3) / 2**23)).reshape(shape)


def codes(seed: int, frames: int, num_codebooks: int) -> NDArray[np.int64]:
    """Codes [T, K] below 2048."""
    raw = np.random.PCG64(seed).random_raw(frames * num_codebooks)
    return (raw >> np.uint64(53)).astype(np.int64).reshape(frames, num_codebooks)


def recording(seed: int, seconds: float, rate: int) -> Float32:
    """A wave [N] with something of a voice: a sawtooth of gliding pitch and loudness, and hiss."""
    n = int(seconds * rate)
    time = np.arange(n) / rate
    pitch = 140 + 20 * seed + 40 * _triangle(1.5 * time)
    saw = _triangle(np.cumsum(pitch) / rate) * 0.5 + (np.cumsum(pitch) / rate % 1.0 - 0.5)
    loudness = 0.6 + 0.4 * _triangle(3.0 * time)
    hiss = noise(seed, (n,)).astype(np.float64)
    return (0.3 * saw * loudness + 0.01 * hiss).astype(np.float32)


def _triangle(turns: NDArray[np.float64]) -> NDArray[np.float64]:
    """A wave in -1..1 of one period per turn."""
    return 4.0 * np.abs(turns % 1.0 - 0.5) - 1.0


def places(size: int, limit: int) -> NDArray[np.int64]:
    """Which of `size` values a small dump keeps: all, or about `limit`, the ends among them."""
    if size <= limit:
        return np.arange(size)
    ends = min(16, limit // 4)
    raw = np.random.PCG64(size).random_raw(limit - 2 * ends)
    scattered = (raw % np.uint64(size)).astype(np.int64)
    return np.unique(np.concatenate([np.arange(ends), scattered, np.arange(size - ends, size)]))


def digest(folder: Path) -> str:
    """sha256 over names, shapes and bytes of all tensors below `folder`, in order of the names."""
    total = hashlib.sha256()
    for path in sorted(folder.rglob("*.safetensors")):
        with safe_open(path, "numpy") as file:
            for name in sorted(file.keys()):
                tensor = file.get_tensor(name)
                total.update(f"{path.relative_to(folder)} {name} {tensor.shape}".encode())
                total.update(tensor.tobytes())
    return total.hexdigest()
