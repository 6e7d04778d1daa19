"""Graphs of device work: recorded once, replayed without the host walking through it again.

A graph runs the same kernels on the same memory each time. Whatever Python decided while it was
recorded is fixed: shapes, branches, numbers. What differs from call to call must lie in tensors
that were there before, and is written there.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from typing import Protocol

import torch
from torch import Tensor

Replay = Callable[[], Tensor]
Place = tuple[tuple[int, torch.Size], ...]

WARM_RUNS = 2  # before recording: libraries choose and load their kernels at first use


class Graphs(Protocol):
    def capture(self, function: Callable[[], Tensor]) -> Replay:
        """Record what `function` does and return what does it again.

        The result is always the same tensor: copy it before any other replay. Recording runs the
        function any number of times, so the caller must make that harmless.
        """
        ...

    def lane(self) -> AbstractContextManager[None]:
        """A queue of the device of its own, that begins where the caller's is now."""
        ...


class CudaGraphs:
    """Graphs of a CUDA device, in one pool of memory.

    Not to be replayed by two threads at once. `lock` is shared by all that record on one device.
    """

    def __init__(self, device: torch.device, lock: threading.Lock):
        self.device, self.lock = device, lock
        self.stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
        self.pool = torch.cuda.graph_pool_handle()

    def capture(self, function: Callable[[], Tensor]) -> Replay:
        graph = torch.cuda.CUDAGraph()
        with self.lock, self.lane():
            for _ in range(WARM_RUNS):
                function()
            # Other threads may allocate meanwhile: only this one's calls are checked.
            graph.capture_begin(pool=self.pool, capture_error_mode="thread_local")
            try:
                output = function()
            except BaseException:
                with suppress(RuntimeError):  # the first error says more
                    graph.capture_end()
                raise
            graph.capture_end()
        torch.cuda.current_stream(self.device).wait_stream(self.stream)

        def replay() -> Tensor:
            graph.replay()
            return output

        return replay

    @contextmanager
    def lane(self) -> Iterator[None]:
        self.stream.wait_stream(torch.cuda.current_stream(self.device))
        with torch.cuda.stream(self.stream):
            yield


class Shelf:
    """Graphs over the same memory, by key; the least recently used goes when there are many."""

    def __init__(self, graphs: Graphs, most: int):
        self.graphs, self.most = graphs, most
        self.place: Place = ()
        self.kept: OrderedDict[Hashable, Replay] = OrderedDict()

    def take(self, place: Place, key: Hashable, make: Callable[[], Replay]) -> Replay:
        """The graph for `key`. Where memory has moved, all graphs go: they would use the old."""
        if place != self.place:
            self.kept.clear()
            self.place = place
        if key not in self.kept:
            while len(self.kept) >= self.most:
                self.kept.popitem(last=False)
            self.kept[key] = make()
        self.kept.move_to_end(key)
        return self.kept[key]


def place_of(tensors: Iterable[Tensor]) -> Place:
    """Where tensors lie and how large they are."""
    return tuple((tensor.data_ptr(), tensor.shape) for tensor in tensors)


def bucket(count: int, sizes: Sequence[int]) -> int | None:
    """The smallest of rising `sizes` that holds `count`; None where none does."""
    return next((size for size in sizes if size >= count), None)
