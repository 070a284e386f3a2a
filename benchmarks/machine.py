"""The machine's limit and name: how fast it multiplies matrices, what it is."""

from __future__ import annotations

import datetime
import importlib.metadata
import itertools
import os
import platform
import statistics
import sys
import time
from pathlib import Path

import torch

_FILTERS = (3, 32, 64, 128, 256)
_DENSE = (12_544, 128, 128, 128, 128, 6)


def forward_flops(batch: int, size: int = 150) -> float:
    """Multiplications and additions of the paper's network for one batch, forward: 2 an element of each product."""
    total, side = 0.0, size
    for entering, leaving in itertools.pairwise(_FILTERS):
        total += 2.0 * (side - 2) ** 2 * 9 * entering * leaving
        side = (side - 2) // 2
    total += sum(2.0 * wide * narrow for wide, narrow in itertools.pairwise(_DENSE))
    return total * batch


def training_flops(batch: int, size: int = 150) -> float:
    """Forward, gradients of the weights, gradients of the inputs; the first layer's inputs need none."""
    return 3 * forward_flops(batch, size) - 2.0 * (size - 2) ** 2 * 9 * 3 * 32 * batch


def matrix_rate(dtype: torch.dtype = torch.float32, seconds: float = 3.0, size: int = 2048) -> float:
    """Floating-point operations a second in square matrix products: the median of as many as fit in `seconds`."""
    left, right = torch.randn(size, size).to(dtype), torch.randn(size, size).to(dtype)
    left @ right
    rates: list[float] = []
    end = time.perf_counter() + seconds
    while time.perf_counter() < end or len(rates) < 3:
        begun = time.perf_counter()
        left @ right
        rates.append(2.0 * size**3 / (time.perf_counter() - begun))
    return statistics.median(rates)


def _of_cpu(key: str) -> str:
    """What Linux says of the first processor under a key; an empty string elsewhere."""
    listing = Path("/proc/cpuinfo")
    lines = listing.read_text().splitlines() if listing.is_file() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(key)), "")


def fast_bf16() -> bool:
    """Whether the processor multiplies bfloat16 itself."""
    return bool({"avx512_bf16", "amx_bf16"} & set(_of_cpu("flags").split()))


def cpu_name() -> str:
    """The processor's name, and what it multiplies bfloat16 with."""
    name = _of_cpu("model name") or platform.processor() or platform.machine()
    units = [said for flag, said in (("avx512_bf16", "AVX512-BF16"), ("amx_bf16", "AMX")) if flag in _of_cpu("flags")]
    return f"{name} with {' and '.join(units)}" if units else name


def describe() -> str:
    """One paragraph: date, processor, cores, versions."""
    cpu = cpu_name()
    found = []
    for name in ("torch", "lightning", "keras", "tensorflow", "tensorflow-cpu", "jax", "numpy"):
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    load = f", load {os.getloadavg()[0]:.1f} at the start" if hasattr(os, "getloadavg") else ""
    return (
        f"{datetime.date.today().isoformat()}, {cpu}, {os.cpu_count()} cores{load}; "
        f"Python {sys.version.split()[0]}, {', '.join(found)}."
    )
