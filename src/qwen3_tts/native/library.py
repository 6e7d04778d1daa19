"""The compiled kernels, if this installation has them and this processor can run them."""

import ctypes
import functools
import logging
import os
import platform
import sys
from pathlib import Path

logger = logging.getLogger(__name__)

SUFFIX = {"darwin": ".dylib", "win32": ".dll"}.get(sys.platform, ".so")
PATH = Path(__file__).with_name("_kernels" + SUFFIX)
SWITCH = "QWEN3_TTS_NATIVE"  # "0" in the environment: do without


@functools.cache
def kernels() -> ctypes.CDLL | None:
    """The library, or None; `why_not` says why."""
    return None if why_not() else _open()


def is_off() -> bool:
    """Whether the environment asks to do without."""
    return os.environ.get(SWITCH) == "0"


@functools.cache
def why_not() -> str | None:
    """Why there are no kernels here; None where there are."""
    if is_off():
        return f"{SWITCH}=0 in the environment"
    if not PATH.is_file():
        return "this installation was built without them"
    try:
        library = _open()
    except (OSError, AttributeError) as error:  # no library, or one of something else
        logger.warning("cannot load %s: %s", PATH.name, error)
        return f"{PATH.name} does not load here: {error}"
    if not library.kernels_supported():
        return f"this processor ({platform.machine()}) lacks AVX-512 with VNNI and BF16"
    if newer := newer_sources():
        logger.warning("%s is older than %s; compile it again", PATH.name, ", ".join(newer))
    return None


def newer_sources() -> list[str]:
    """Names of C files beside the library that changed after it was made: only in a source tree."""
    made = PATH.stat().st_mtime_ns
    sources = sorted(PATH.parent.glob("[!.]*.[ch]"))
    return [source.name for source in sources if source.stat().st_mtime_ns > made]


@functools.cache
def _open() -> ctypes.CDLL:
    library = ctypes.CDLL(str(PATH))
    library.kernels_supported.restype = ctypes.c_int
    return library


class Pool:
    """Threads that work together on one call at a time; they sleep between calls."""

    def __init__(self, threads: int):
        library = kernels()
        if library is None:
            raise RuntimeError(f"no kernels: {why_not()}")
        self.library, self.threads = library, threads
        library.pool_new.restype = ctypes.c_void_p
        library.pool_free.argtypes = [ctypes.c_void_p]
        self.handle = library.pool_new(threads)
        if not self.handle:
            raise MemoryError("no memory for a pool of threads")

    def __del__(self) -> None:
        if getattr(self, "handle", None):
            self.library.pool_free(self.handle)
            self.handle = None
