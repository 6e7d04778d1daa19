"""Half-precision matrix products with everything else in float32."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn import functional as F
from torch.overrides import TorchFunctionMode


@contextmanager
def mixed_precision(dtype: torch.dtype, device: torch.device) -> Iterator[None]:
    """Matrix products in `dtype`, on CPUs all other arithmetic in float32, attention too."""
    if dtype == torch.float32:
        yield
        return
    if device.type != "cpu":
        with torch.autocast(device.type, dtype):
            yield
        return
    with torch.autocast("cpu", dtype), _FloatAttention():
        yield


class _FloatAttention(TorchFunctionMode):
    """Attention in float32 under autocast: on CPUs its half-precision backward pass takes almost
    three times as long (45 x 80 positions, 4 heads of 64: 37 ms against 13)."""

    def __torch_function__(
        self, func: Any, types: Any, args: Any = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        if func is not F.scaled_dot_product_attention:
            return func(*args, **(kwargs or {}))
        q, k, v, *rest = args
        with torch.autocast("cpu", enabled=False):
            return func(q.float(), k.float(), v.float(), *rest, **(kwargs or {}))
