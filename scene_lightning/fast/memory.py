"""Makes the C library keep freed memory for the next training step, on Linux.

glibc hands blocks of over 32 MiB back to the kernel when they are freed. A training step frees and asks for the same
large activations again and again, and the kernel must then clear every page anew: for the paper's network a quarter
of a step. Threads share one heap, for those of their own (arenas) hold no block of over 64 MiB.
"""

from __future__ import annotations

import ctypes
import platform
import sys

_TRIM_THRESHOLD, _MMAP_THRESHOLD, _ARENA_MAX = -1, -3, -8  # malloc.h
_LARGEST_BLOCK = 512 * 2**20  # larger ones are data sets, not activations: they go on being mapped and returned
_MOST_KEPT = 2**31 - 1


def keep_freed_memory() -> None:
    """Ask glibc, where it is there, to keep what is freed, at most 2 GiB; once, before there are threads with heaps."""
    if sys.platform == "linux" and platform.libc_ver()[0] == "glibc":
        library = ctypes.CDLL(None)
        for name, value in ((_MMAP_THRESHOLD, _LARGEST_BLOCK), (_TRIM_THRESHOLD, _MOST_KEPT), (_ARENA_MAX, 1)):
            library.mallopt(name, value)
