"""Reads batches from arrays and tensors held in memory."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import torch

from scene_lightning.errors import InputError
from scene_lightning.feeds import packing
from scene_lightning.feeds.base import PlannedFeed
from scene_lightning.feeds.resident import bytes_of, copy_array_to, has_room
from scene_lightning.feeds.sharding import Indices, cut
from scene_lightning.feeds.tensors import one_array, to_array, to_tensor, unlike_shapes
from scene_lightning.tree import flatten, map_structure

_USUAL = {np.dtype("float32"): torch.float32, np.dtype("uint8"): torch.uint8}
_LARGE = 2**20  # bytes of a batch that a thread copies to page-locked memory


@dataclass
class Positions:
    """A batch of arrays that the device holds: which samples it is.

    Attributes:
        of: (N,) positions.
    """

    of: torch.Tensor

    def to(self, device: Any, non_blocking: bool = True) -> Positions:
        """The same on `device`."""
        return Positions(self.of.to(device, non_blocking=non_blocking))


class ArrayFeed(PlannedFeed):
    """Batches of arrays or tensors in memory; the last one may be smaller.

    A `fit` of several epochs copies to a GPU once what has room there; batches then carry positions.

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
        self._resident: tuple[Any, ...] | None = None
        self._device: torch.device | None = None

    def plan(self, epoch: int) -> list[Indices]:
        plan = cut(np.arange(self.samples), self.batch_size)
        if not self.shuffle:
            return plan
        generator = torch.Generator().manual_seed((self.seed + epoch) % 2**63)
        if self.shuffle == "batch":
            return [batch[_permutation(len(batch), generator)] for batch in plan]
        return cut(_permutation(self.samples, generator), self.batch_size)

    def keep_on(self, device: torch.device, passes: int = 1) -> None:
        super().keep_on(device, passes)
        if self._resident is not None and self._device == device:
            return
        self._resident, self._device = None, device
        size = bytes_of([leaf for part in self._parts for leaf in flatten(part)]) if self.pins else None
        if size is not None and passes > 1 and has_room(size, device):
            self._resident = tuple(map_structure(partial(copy_array_to, device=device), part) for part in self._parts)
        large = size is None or size * self.batch_size > _LARGE * self.samples
        self.prefetch = 2 if self.pins and self._resident is None and large else 0

    def on_run_end(self) -> None:
        self._resident = None

    def read(self, indices: Indices, epoch: int) -> Any:
        if self._resident is not None:
            return Positions(packing.pinned(torch.from_numpy(indices)))
        return tuple(map_structure(partial(_take, indices=indices, pins=self.pins), part) for part in self._parts)

    def to_device_batch(self, batch: Any, epoch: int, training: bool) -> tuple[Any, Any, Any]:
        if not isinstance(batch, Positions):
            return batch
        assert self._resident is not None
        pick = partial(_picked, positions=batch.of)
        x, y, sample_weight = (map_structure(pick, part) for part in self._resident)
        return x, y, sample_weight


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


def _take(leaf: Any, indices: Indices, pins: bool) -> Any:
    if isinstance(leaf, torch.Tensor):
        positions = torch.from_numpy(indices)
        if leaf.is_cuda:
            return leaf[packing.pinned(positions).to(leaf.device, non_blocking=True)]
        taken = leaf[positions.to(leaf.device)]
    elif leaf is None:
        return None
    elif pins and leaf.dtype in _USUAL:  # without a second copy
        taken = packing.pinned_empty((len(indices), *leaf.shape[1:]), _USUAL[leaf.dtype])
        np.take(leaf, indices, axis=0, out=taken.numpy(), mode="clip")  # "raise" would copy through a buffer
    else:
        taken = to_tensor(leaf[indices])
    return packing.pinned(taken) if pins else taken


def _picked(leaf: torch.Tensor | None, positions: torch.Tensor) -> torch.Tensor | None:
    return None if leaf is None else leaf.index_select(0, positions)
