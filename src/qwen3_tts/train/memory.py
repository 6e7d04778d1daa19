"""Keeping a long run small: batches differ in shape, which leaves holes in the C library's heap."""

import ctypes
import ctypes.util
from functools import cache
from typing import Any


def give_back_memory() -> None:
    """Return freed memory to the system where the C library can (glibc); a few milliseconds.

    Without it a run was seen to hold 6 GB after twenty minutes.
    """
    trim = _malloc_trim()
    if trim is not None:
        trim(0)


@cache
def _malloc_trim() -> Any:
    name = ctypes.util.find_library("c")
    return getattr(ctypes.CDLL(name), "malloc_trim", None) if name else None
