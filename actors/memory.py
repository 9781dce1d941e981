"""The C library's allocator, set for processes that make and drop blocks of half a megabyte all the time."""

from __future__ import annotations

import ctypes
import platform

FROM_THE_HEAP_BYTES = 8 << 20
"""Blocks up to so many come from the heap. By default those above 128 KB may be mapped anew each time, and
half a megabyte then costs 0.2 ms of page faults, a hundred times what it takes to write it."""
KEPT_FREE_BYTES = 32 << 20
"""At the end of the heap; what is free beyond them goes back to the system."""
_TRIM_THRESHOLD, _MMAP_THRESHOLD = -1, -3
"""Of malloc.h."""


def keep_freed_memory() -> bool:
    """Whether the allocator takes such settings: that of glibc does."""
    if platform.libc_ver()[0] != "glibc":
        return False
    mallopt = ctypes.CDLL(None).mallopt
    return bool(mallopt(_MMAP_THRESHOLD, FROM_THE_HEAP_BYTES) and mallopt(_TRIM_THRESHOLD, KEPT_FREE_BYTES))
