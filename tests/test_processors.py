"""Tests that threads are counted by affinity and by the CPU quota of the control group."""

import os
from pathlib import Path

import pytest

from scene_lightning._processors import usable_processors

ALLOWED = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
CASES = {  # /proc/self/cgroup, the files under /sys/fs/cgroup, processors
    "no control groups": ("", {}, None),
    "no quota": ("0::/\n", {"cpu.max": "max 100000"}, None),
    "a container's quota": ("0::/\n", {"cpu.max": "100000 100000"}, 1),
    "a part of one": ("0::/\n", {"cpu.max": "25000 100000"}, 1),
    "more than there are": ("0::/\n", {"cpu.max": "9900000 100000"}, None),
    "the quota of a group around it": ("0::/a/b\n", {"a/cpu.max": "100000 100000", "a/b/cpu.max": "max 100000"}, 1),
    "the host's name of a container's group": ("0::/docker/4f1\n", {"cpu.max": "50000 100000"}, 1),
    "version 1": (
        "3:cpuset:/\n2:cpu,cpuacct:/job\n0::/\n",
        {"cpu/job/cpu.cfs_quota_us": "100000", "cpu/job/cpu.cfs_period_us": "100000"},
        1,
    ),
    "version 1, no quota": ("1:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    "files that make no sense": ("x\n0::/\n", {"cpu.max": "much"}, None),
}


@pytest.mark.parametrize("case", CASES)
def test_a_quota_of_processor_time_is_kept_to(case: str, tmp_path: Path) -> None:
    groups, files, expected = CASES[case]
    if groups:
        (tmp_path / "proc/self").mkdir(parents=True)
        (tmp_path / "proc/self/cgroup").write_text(groups)
    for name, text in files.items():
        path = tmp_path / "sys/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    assert usable_processors(tmp_path) == (expected or ALLOWED)
