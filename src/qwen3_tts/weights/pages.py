"""Giving back the pages of weight files that were read once and are not needed at hand."""

import ctypes
import sys
from pathlib import Path

MADV_DONTNEED = 4
SUFFIX = ".safetensors"


def release_pages(folder: Path) -> int:
    """Let go of the pages this process maps of the weight files in `folder`; how many bytes.

    Memory that was freed goes back to the system with them.

    The files stay in the system's cache, and a page that is touched again comes back from there.
    Only for mappings nobody has written to: what was written would be lost. Linux; elsewhere 0.
    """
    if not sys.platform.startswith("linux"):
        return 0
    libc = ctypes.CDLL(None)
    if hasattr(libc, "malloc_trim"):  # glibc keeps what threads have freed
        libc.malloc_trim(0)
    libc.madvise.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
    released = 0
    for line in Path("/proc/self/maps").read_text(errors="replace").splitlines():
        span, _, rest = line.partition(" ")
        path = rest.partition("/")
        name = Path("/" + path[2])
        if name.suffix != SUFFIX or not name.is_relative_to(folder.resolve()):
            continue
        start, end = (int(number, 16) for number in span.split("-"))
        if libc.madvise(start, end - start, MADV_DONTNEED) == 0:
            released += end - start
    return released
