"""Draws the masks of dropout on the CPU as whole random integers.

Four 16-bit integers come from each 64-bit one, so that a mask costs a twentieth of torch's one Mersenne number a
value. The share dropped is the asked one to within 2⁻¹⁷; values are scaled by the exact share that is kept, so the
expectation is unchanged. torch's generator seeds each mask: a seed means the same masks in every run, however many
threads draw.
"""

from __future__ import annotations

import functools
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import torch

_LEVELS = 2**16
_PART = 2**19  # drawn from a generator of its own: the masks do not depend on the number of threads
_LEAST_SIZE = 2**14  # smaller tensors cost more to seed than to draw
WORST_RATE_ERROR = 0.5 / _LEVELS


def worth_it(values: torch.Tensor, rate: float) -> bool:
    """Whether these activations are dropped this way: on the CPU, large, and at a rate that 16 bits can hold.

    Args:
        values: the activations.
        rate: the share that is dropped.
    """
    return (
        values.device.type == "cpu"
        and values.numel() >= _LEAST_SIZE
        and 0 < round(rate * _LEVELS) < _LEVELS
        and not torch.compiler.is_compiling()
    )


def kept(shape: tuple[int, ...], rate: float) -> tuple[torch.Tensor, float]:
    """Draw a mask, and what the kept values are multiplied by.

    Args:
        shape: the activations'.
        rate: the probability of False.
    """
    count = int(np.prod(shape))
    threshold = round(rate * _LEVELS)
    seed = int(torch.empty((), dtype=torch.int64).random_())
    mask = np.empty(count, dtype=np.bool_)

    def fill(start: int) -> None:
        part = mask[start : start + _PART]
        generator = np.random.Generator(np.random.SFC64([seed, start]))
        draws = generator.integers(0, 2**64, -(-part.size // 4), dtype=np.uint64).view(np.uint16)[: part.size]
        np.greater_equal(draws, np.uint16(threshold), out=part)

    starts = range(0, count, _PART)
    if len(starts) == 1 or torch.get_num_threads() == 1:
        for start in starts:
            fill(start)
    else:
        list(_drawers(os.getpid()).map(fill, starts))
    return torch.from_numpy(mask).view(shape), _LEVELS / (_LEVELS - threshold)


@functools.cache
def _drawers(process: int) -> ThreadPoolExecutor:
    """NumPy draws without Python's lock, so that threads draw at the same time. A forked process has none of these."""
    return ThreadPoolExecutor(torch.get_num_threads(), thread_name_prefix="dropout")


class IntegerDropout(torch.autograd.Function):
    """y = x·mask·scale; the gradient likewise."""

    @staticmethod
    def forward(ctx: Any, values: torch.Tensor, rate: float) -> torch.Tensor:
        mask, ctx.scale = kept(tuple(values.shape), rate)
        factors = mask.view(torch.uint8).to(values.dtype)  # torch turns bytes into floats twice as fast as bools
        ctx.save_for_backward(factors)
        return _times(values, factors, ctx.scale)

    @staticmethod
    def backward(ctx: Any, *gradients: Any) -> tuple[torch.Tensor, None]:
        (factors,) = ctx.saved_tensors
        return _times(gradients[0], factors, ctx.scale), None


def _times(values: torch.Tensor, factors: torch.Tensor, scale: float) -> torch.Tensor:
    """values·factors·scale in one pass over memory."""
    return torch.addcmul(values.new_zeros(()), values, factors, value=scale)
