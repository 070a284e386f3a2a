"""A sample count, a seed and an epoch in; the batches of sample indices that each device reads out.

Training: the order is padded by wrapping to a multiple of the device count, so that no device waits for a gradient
that never comes; up to world_size - 1 images are seen twice in an epoch. Evaluation: no image may count twice, so
nothing is padded; each device takes one contiguous part (part sizes differ by one at most) and cuts it into the
same number of batches, whose sizes then differ by one at most.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from scene_lightning.data.randomness import permutation
from scene_lightning.errors import DataError

Indices = NDArray[np.int64]


def steps_per_epoch(n: int, batch_size: int, world_size: int, training: bool) -> int:
    """Batches that each of `world_size` devices reads in one epoch of `n` samples.

    Raises:
        DataError: an evaluation of fewer samples than devices.
    """
    if n == 0:
        return 0
    steps = math.ceil(math.ceil(n / world_size) / batch_size)
    if training or world_size == 1:
        return steps
    if n < world_size:
        raise DataError(f"Cannot evaluate {n} image(s) on {world_size} devices. Use devices={n} or fewer.")
    # With batches of one, n = k·world_size + 1 would leave all devices but one without a last image: there the
    # longer parts have one batch of two instead.
    return min(steps, n // world_size)


def epoch_order(n: int, seed: int, epoch: int, shuffle: bool) -> Indices:
    """The order in which `epoch` reads `n` samples, over all devices."""
    return permutation(seed, epoch, n) if shuffle else np.arange(n)


def rank_batches(order: Indices, batch_size: int, rank: int, world_size: int, training: bool) -> list[Indices]:
    """One device's batches of an epoch's `order`.

    In training, step k of all devices together holds the same images as step k of one device with `world_size`
    times the batch size. In evaluation, the parts in order of rank are `order` again.
    """
    n = len(order)
    if n == 0:
        return []
    steps = steps_per_epoch(n, batch_size, world_size, training)
    if training or world_size == 1:
        padded = order[np.arange(math.ceil(n / world_size) * world_size) % n]
        own = padded[rank::world_size]
        return [own[step * batch_size : (step + 1) * batch_size] for step in range(steps)]
    return list(np.array_split(np.array_split(order, world_size)[rank], steps))
