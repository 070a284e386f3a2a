"""Tells whether weights have changed since they were last looked at, at the speed of memory.

Versions that torch counts do not say so: what is written through `.data`, or through NumPy, counts for nothing there.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import torch

_ROW = 1_024  # values that make one of the fingerprint


@functools.cache
def _directions() -> torch.Tensor:
    with torch.inference_mode(False):
        return torch.randn(_ROW, generator=torch.Generator().manual_seed(0))


def fingerprint(weights: Sequence[torch.Tensor]) -> torch.Tensor | None:
    """Numbers that are the same for the same weights: short ones as they are, of long ones each 1,024 values' product
    with random ones. A change is missed only where it is lost in the rounding of such a sum.

    Args:
        weights: of any shapes.

    Returns:
        (M,), float32; None where a weight is not float32 on the CPU.
    """
    parts = []
    with torch.no_grad():
        for weight in weights:
            if not weight.is_cpu or weight.dtype != torch.float32:
                return None
            if weight.ndim == 1 and weight.numel() <= _ROW:  # most weights: as they are
                parts.append(weight)
                continue
            values = weight
            if not values.is_contiguous():  # a kernel, which lies in another order than its axes'
                values = values.permute(sorted(range(values.ndim), key=values.stride().__getitem__, reverse=True))
            values = values.reshape(-1)
            whole = values.numel() // _ROW * _ROW
            if whole > _ROW:
                parts.append(values[:whole].view(-1, _ROW) @ _directions())
                values = values[whole:]
            parts.append(values)
        return torch.cat(parts) if parts else torch.empty(0)
