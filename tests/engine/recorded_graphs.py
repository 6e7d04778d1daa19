"""Graphs on a CPU, as strict as a GPU's: they do the same operations on the same memory.

A recording keeps torch's operations with the very tensors and numbers they had, and no Python. A
replay does them again, each result in the memory of the first one. Before it, all memory that any
graph writes results to is spoilt, as a shared pool may be: who kept a result without a copy, or
reads what the graph does not make, finds rubbish.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

from qwen3_tts.engine.graphs import Replay


class Recording(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[Any, Any, Any, list[Tensor | None]]] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        assert func is not torch.ops.aten._local_scalar_dense.default, "the host reads a value"
        result = func(*args, **kwargs)
        given = {storage(t) for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)}
        results = [t for t in tree_leaves(result) if isinstance(t, Tensor)]
        # a view, or what was changed in place, follows the memory it belongs to
        self.calls.append(
            (func, args, kwargs, [None if storage(t) in given else t for t in results])
        )
        return result


def storage(tensor: Tensor) -> int:
    return tensor.untyped_storage().data_ptr()


class RecordedGraphs:
    """`Graphs` for tests. Counts captures and replays, of all that were ever made."""

    def __init__(self) -> None:
        self.captures = self.replays = self.lanes = 0
        self.results: list[Tensor] = []

    def capture(self, function: Callable[[], Tensor]) -> Replay:
        function()  # a GPU runs it too before it records
        with Recording() as recording:
            output = function()
        self.captures += 1
        own = [t for *_, kept in recording.calls for t in kept if t is not None]
        assert storage(output) in {storage(t) for t in own}
        self.results += own

        def replay() -> Tensor:
            self.replays += 1
            for tensor in self.results:
                tensor.fill_(torch.nan if tensor.is_floating_point() else True)
            for func, args, kwargs, kept in recording.calls:
                again = [t for t in tree_leaves(func(*args, **kwargs)) if isinstance(t, Tensor)]
                for tensor, new in zip(kept, again, strict=True):
                    if tensor is not None:
                        tensor.copy_(new)
            return output

        return replay

    @contextmanager
    def lane(self) -> Iterator[None]:
        self.lanes += 1
        yield
