"""Reads batches from arrays and tensors held in memory."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import torch

from scene_lightning.errors import InputError
from scene_lightning.feeds.base import PlannedFeed
from scene_lightning.feeds.sharding import Indices, cut
from scene_lightning.feeds.tensors import one_array, to_array, to_tensor, unlike_shapes
from scene_lightning.tree import flatten, map_structure


class ArrayFeed(PlannedFeed):
    """Batches of arrays or tensors in memory; the last one may be smaller.

    Args:
        x: inputs: an array, a tensor, a table, or a list, tuple or dict of them, with samples along the first axis.
        y: targets of the same kinds, or None.
        sample_weight: weights of the same kinds, or None.
        batch_size: samples a batch, of all devices together in training.
        shuffle: True for a new order each epoch; `"batch"` for one inside each batch only.
        training: whether it is trained on: devices then take each batch together.

    Raises:
        InputError: no samples, arrays of several lengths, or what cannot be made an array of numbers.
    """

    idle = True
    source_name = ""

    def __init__(
        self, x: Any, y: Any, sample_weight: Any, batch_size: int, shuffle: bool | str, training: bool = True
    ) -> None:
        if isinstance(batch_size, bool) or not isinstance(batch_size, int | np.integer) or batch_size < 1:
            raise InputError(f"batch_size must be a positive integer; received {batch_size!r}.")
        y, sample_weight = one_array(y), one_array(sample_weight)
        x = _stack_samples(one_array(x), y)
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
        self.batch_size, self.shuffle, self.training = int(batch_size), shuffle, training
        self.steps = self.steps_on(1)
        # From torch's global stream, so that set_random_seed decides the order.
        self.seed = int(torch.randint(2**62, (), device="cpu").item()) if shuffle else 0

    def plan(self, epoch: int) -> list[Indices]:
        plan = cut(np.arange(self.samples), self.batch_size)
        if not self.shuffle:
            return plan
        generator = torch.Generator().manual_seed((self.seed + epoch) % 2**63)
        if self.shuffle == "batch":
            return [batch[_permutation(len(batch), generator)] for batch in plan]
        return cut(_permutation(self.samples, generator), self.batch_size)

    def read(self, indices: Indices, epoch: int) -> Any:
        return tuple(map_structure(partial(_take, indices=indices), part) for part in self._parts)


def _permutation(count: int, generator: torch.Generator) -> Indices:
    return torch.randperm(count, generator=generator, device="cpu").numpy()


def _stack_samples(x: Any, y: Any) -> Any:
    """A plain list of images (one array each) is one input; a list of as many arrays as inputs is several."""
    if not isinstance(x, list | tuple) or not x:
        return x
    targets = flatten(y)[0]
    as_many = hasattr(targets, "__len__") and len(targets) == len(x) > 1
    if as_many and all(getattr(item, "ndim", 0) <= 3 for item in x):
        if len({np.shape(item) for item in x}) > 1:
            raise unlike_shapes()
        return np.stack([np.asarray(item) for item in x])
    return x


def _array_leaf(leaf: Any) -> Any:
    if leaf is None or isinstance(leaf, torch.Tensor):
        return leaf
    array = to_array(leaf)
    if array.ndim == 0:
        raise InputError(f"Expected arrays with a batch axis; received the single value {leaf!r}.")
    return array


def _take(leaf: Any, indices: Indices) -> Any:
    if isinstance(leaf, torch.Tensor):
        return leaf[torch.from_numpy(indices).to(leaf.device)]
    return None if leaf is None else to_tensor(leaf[indices])
