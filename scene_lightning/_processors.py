"""Counts the processors that this process may use: by affinity, and by the CPU quota of its control group."""

from __future__ import annotations

import functools
import os
from pathlib import Path


def usable_processors(root: Path = Path("/")) -> int:
    """How many threads can compute at once here: at least 1.

    The processors that the scheduler may choose for this process (`taskset`, a cpuset), or fewer where its control
    group has a quota of processor time, as a container with `--cpus` or a Kubernetes limit has; a part of one counts
    as one. Further threads would only wait, and use up the quota while they do.

    Args:
        root: where /proc and /sys are.

    Source: cpu.max in the kernel's cgroup-v2.rst; cpu.cfs_quota_us in sched-bwc.rst.
    """
    return max(1, min([allowed_processors(), *(-int(-quota // 1) for quota in _quotas(root))]))


def allowed_processors() -> int:
    """How many processors the scheduler may choose for this process, which is what OpenMP counts."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


@functools.cache  # each run asks
def _quotas(root: Path) -> list[float]:
    """The quotas, in processors, of this process's control groups and those around them."""
    quotas = []
    for files in _quota_files(root):
        try:
            quota, period = " ".join((root / name).read_text() for name in files).split()
            if quota not in ("max", "-1"):
                quotas.append(int(quota) / int(period))
        except (OSError, ValueError, ZeroDivisionError):
            continue
    return quotas


def _quota_files(root: Path) -> list[tuple[str, ...]]:
    """The files that may hold a quota, without a leading slash: one of version 2, or two of version 1."""
    mounted = "sys/fs/cgroup"
    try:
        groups = [line.split(":", 2) for line in (root / "proc/self/cgroup").read_text().splitlines()]
    except OSError:
        return []
    files: list[tuple[str, ...]] = []
    for _, controllers, path in (group for group in groups if len(group) == 3):
        if controllers and "cpu" not in controllers.split(","):
            continue
        # A container sees its own group as the root of the tree, though its name may be that of the host.
        for parent in {str(Path(path)), *map(str, Path(path).parents)}:
            inside = parent.strip("/")
            if controllers:
                folder = f"{mounted}/cpu/{inside}"
                files.append((f"{folder}/cpu.cfs_quota_us", f"{folder}/cpu.cfs_period_us"))
            else:
                files.append((f"{mounted}/{inside}/cpu.max",))
    return files
