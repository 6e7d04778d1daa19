"""Weights of torch layers, laid out for the kernels in one stretch of memory.

What is packed is taken out of the torch layers, so the weights are in memory once.
"""

import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from qwen3_tts.native.structs import FORMATS, Matrix, functions
from qwen3_tts.quantize.linear import QuantizedLinear, rows_of
from qwen3_tts.quantize.rows import Format, Rows

LANES = 16
LINE = 64  # bytes that a matrix begins at a multiple of


class Arena:
    """Memory that lives as long as this object, in large pages where there are any."""

    def __init__(self, size: int):
        library = functions()
        self.size, self.used = size, 0
        self.address: int = library.arena_new(max(size, 1))
        if not self.address:
            raise MemoryError(f"no memory for {size / 1e6:.0f} MB of weights")
        weakref.finalize(self, library.arena_free, self.address, max(size, 1))

    def take(self, size: int) -> int:
        start = self.address + self.used
        self.used += _lines(size)
        assert self.used <= self.size
        return start


def _lines(size: int) -> int:
    return (size + LINE - 1) // LINE * LINE


@dataclass
class Task:
    """One matrix to pack, of layers one below the other or sixteen rows of each in turn."""

    matrix: Matrix
    layers: Sequence[nn.Module]
    format: Format | None
    alternate: bool

    def pack(self) -> None:
        joined = _alternate if self.alternate else torch.cat
        parts = [_rows(layer, self.format) for layer in self.layers]
        floats = [part for part in parts if isinstance(part, Tensor)]
        if floats:
            values, scales = joined(floats).contiguous(), None
        else:
            rows = [part for part in parts if isinstance(part, Rows)]
            values = joined([part.values for part in rows]).contiguous()
            scales = joined([part.scales for part in rows]).contiguous()
        m = self.matrix
        given = scales.data_ptr() if scales is not None else None
        functions().matrix_pack(m.format, m.n, m.k, values.data_ptr(), given, m.data, m.scales)
        for layer in self.layers:
            _forget(layer)


def outputs_of(layer: nn.Module) -> int:
    assert isinstance(layer, nn.Linear | QuantizedLinear)
    return layer.out_features


def inputs_of(layer: nn.Module) -> int:
    assert isinstance(layer, nn.Linear | QuantizedLinear)
    return layer.in_features


def _rows(layer: nn.Module, format: Format | None) -> Rows | Tensor:
    """Rounded weights, or bfloat16 ones [N, K]."""
    rows = rows_of(layer)
    if isinstance(rows, Rows):
        return rows
    if format is None:
        return rows.bfloat16()
    if format == "int8" and rows.dtype == torch.bfloat16:
        return _rounded(rows.contiguous())
    return Rows.of(rows, format)


def _rounded(weight: Tensor) -> Rows:
    """`Rows.of` to int8, ten times as fast."""
    values = torch.empty(weight.shape, dtype=torch.int8)
    scales = torch.empty(len(weight))
    functions().matrix_round(*weight.shape, weight.data_ptr(), values.data_ptr(), scales.data_ptr())
    return Rows("int8", values, scales)


def _alternate(parts: list[Tensor]) -> Tensor:
    """Sixteen rows of the first, sixteen of the second, and so on."""
    split = [part.unflatten(0, (-1, LANES)) for part in parts]
    return torch.stack(split, dim=1).flatten(0, 2)


def _forget(layer: nn.Module) -> None:
    for name in ("weight", "values", "scales"):
        layer._parameters.pop(name, None)
        layer._buffers.pop(name, None)


class Packer:
    """Collects matrices, then packs them all: `add`, `add`, ..., `pack`."""

    def __init__(self) -> None:
        self.tasks: list[Task] = []
        self.kept: list[Tensor] = []  # what structures point to

    def add(
        self, layers: Sequence[nn.Module], format: Format | None, *, alternate: bool = False
    ) -> Matrix:
        """A matrix whose memory comes with `pack`. `format` None keeps bfloat16; layers that are
        rounded already keep their own."""
        first = layers[0]
        own = first.format if isinstance(first, QuantizedLinear) else format
        n, k = sum(map(outputs_of, layers)), inputs_of(first)
        matrix = Matrix(FORMATS[own or "bfloat16"], n, k, None, None)
        self.tasks.append(Task(matrix, layers, own, alternate))
        return matrix

    def floats(self, values: Tensor) -> int:
        """The address of float32 numbers, which this object keeps."""
        kept = values.detach().float().contiguous().clone()
        self.kept.append(kept)
        return kept.data_ptr()

    def pack(self, threads: int) -> Arena:
        """Pack everything into one arena, in the order of `add`, which is that of reading.

        Addresses are known from here on: structures copy a `Matrix`, so make them afterwards.
        """
        library = functions()
        sizes = [
            (library.matrix_data_bytes(*about), library.matrix_scale_bytes(*about))
            for about in ((t.matrix.format, t.matrix.n, t.matrix.k) for t in self.tasks)
        ]
        arena = Arena(sum(_lines(data) + _lines(scales) for data, scales in sizes))
        for task, (data, scales) in zip(self.tasks, sizes, strict=True):
            task.matrix.data = arena.take(data)
            task.matrix.scales = arena.take(scales) if scales else None
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(Task.pack, self.tasks))
        self.tasks.clear()
        return arena
