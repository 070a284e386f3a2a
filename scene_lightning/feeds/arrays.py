"""Reads batches from arrays and tensors held in memory."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import torch

from scene_lightning.errors import InputError
from scene_lightning.feeds.base import Feed
from scene_lightning.feeds.rounds import from_first_process
from scene_lightning.feeds.tensors import to_tensor
from scene_lightning.layers.base.symbolic import flatten, map_structure


class ArrayFeed(Feed):
    """Arrays or tensors held in memory, cut into batches; the last one may be smaller.

    `shuffle=True` draws a new order each epoch; `"batch"` shuffles only inside each batch. In training all devices take
    as many steps, so samples may be repeated; otherwise each sample comes once.
    """

    def __init__(self, x: Any, y: Any, sample_weight: Any, batch_size: int, shuffle: Any, even: bool = True) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise InputError(f"batch_size must be a positive integer; received {batch_size!r}.")
        y, sample_weight = _plain_list(y), _plain_list(sample_weight)
        x = _stack_samples(_plain_list(x), y)
        self._parts = tuple(map_structure(_array_leaf, part) for part in (x, y, sample_weight))
        lengths = {len(leaf) for part in self._parts for leaf in flatten(part) if leaf is not None}
        if len(lengths) != 1:
            raise InputError(
                f"Data cardinality is ambiguous: the arrays have lengths {sorted(lengths)}. "
                "All inputs, targets and weights need the same first dimension."
            )
        self.samples = lengths.pop()
        if self.samples == 0:
            raise InputError("The data are empty: 0 samples.")
        self.batch_size, self.shuffle, self._even = int(batch_size), shuffle, even
        self.steps = math.ceil(self.samples / self.batch_size)
        self.has_labels = y is not None
        # From torch's global stream, so that set_random_seed decides the order.
        self._seed = int(torch.randint(2**62, (), device="cpu").item()) if shuffle else 0

    def order(self, epoch: int) -> torch.Tensor:
        """Which sample comes when: a function of the seed and the epoch alone."""
        assert self.samples is not None and self.batch_size is not None
        if not self.shuffle:
            return torch.arange(self.samples, device="cpu")
        generator = torch.Generator().manual_seed((self._seed + epoch) % 2**63)
        if self.shuffle == "batch":
            starts = range(0, self.samples, self.batch_size)
            sizes = [min(self.batch_size, self.samples - start) for start in starts]
            parts = [
                start + torch.randperm(size, generator=generator, device="cpu")
                for start, size in zip(starts, sizes, strict=True)
            ]
            return torch.cat(parts)
        return torch.randperm(self.samples, generator=generator, device="cpu")

    def batches(self, epoch: int, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        assert self.batch_size is not None
        if self.shuffle:
            self._seed = from_first_process(self._seed, world_size)
        order = self.order(epoch)
        if world_size > 1:
            order = shard(order, rank, world_size) if self._even else order[rank::world_size]
        for start in range(0, len(order), self.batch_size):
            index = order[start : start + self.batch_size]
            yield tuple(map_structure(partial(_take, index=index), part) for part in self._parts)

    def steps_on(self, world_size: int) -> int:
        assert self.batch_size is not None and self.samples is not None
        return math.ceil(math.ceil(self.samples / world_size) / self.batch_size)


def shard(order: torch.Tensor, rank: int, world_size: int) -> torch.Tensor:
    """This rank's share of `order`: every rank gets the same number, the first samples filling up."""
    short = -len(order) % world_size
    return torch.cat([order, order[:short]])[rank::world_size] if short else order[rank::world_size]


def _plain_list(value: Any) -> Any:
    """A list of numbers, or of lists of numbers, → an array; a list of arrays stays a list."""
    if isinstance(value, list | tuple) and not any(
        isinstance(item, np.ndarray | torch.Tensor | dict) for item in value
    ):
        try:
            return np.asarray(value)
        except ValueError:  # ragged
            return to_tensor(np.asarray(value, dtype=object))
    return value


def _stack_samples(x: Any, y: Any) -> Any:
    """A plain list of images (one array each) is one input; a list of as many arrays as inputs is several."""
    if not isinstance(x, list | tuple) or not x:
        return x
    rank_three = all(getattr(item, "ndim", 0) <= 3 for item in x)
    targets = flatten(y)[0] if y is not None else None
    count = len(targets) if targets is not None and hasattr(targets, "__len__") else None
    if rank_three and len(x) > 1 and count == len(x):
        if len({np.shape(item) for item in x}) > 1:
            to_tensor(np.asarray([None]))
        return np.stack([np.asarray(item) for item in x])
    return x


def _array_leaf(leaf: Any) -> Any:
    if leaf is None or isinstance(leaf, torch.Tensor):
        return leaf
    if hasattr(leaf, "to_numpy"):
        leaf = leaf.to_numpy()
    array = np.asarray(leaf)
    if array.dtype.kind in "USO":
        to_tensor(array)
    if array.ndim == 0:
        raise InputError(f"Expected arrays with a batch axis; received the single value {leaf!r}.")
    return array


def _take(leaf: Any, index: torch.Tensor) -> Any:
    if leaf is None:
        return None
    if isinstance(leaf, torch.Tensor):
        return leaf[index.to(leaf.device)]
    return to_tensor(leaf[index.numpy()])
