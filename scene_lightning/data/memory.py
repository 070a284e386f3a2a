"""Measures how much memory this process may still take, or has taken."""

from __future__ import annotations

import os
import sys
from pathlib import Path

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

_ASSUMED = 4 << 30  # where the system does not say


def available_memory() -> int:
    """Bytes that can be allocated without swapping; a container's limit counts."""
    limits = [amount for amount in (_of_machine(), _of_container()) if amount is not None]
    return min(limits) if limits else _ASSUMED


def most_memory_used() -> int:
    """The most bytes that this process has held at any time; 0 where the system does not say."""
    if resource is None:
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024


def _of_machine() -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith("MemAvailable:"):
                return int(line.split()[1]) * 1024
        return os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError, AttributeError):
        return None


def _of_container() -> int | None:
    """What a control group (version 2) leaves; None without a limit."""
    group = Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        return None if limit == "max" else max(0, int(limit) - int((group / "memory.current").read_text()))
    except (OSError, ValueError):
        return None
