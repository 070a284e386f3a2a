"""A dataset's elements in; batches for `fit`, `evaluate` and `predict`, read ahead by a thread, out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch

from scene_lightning.data.datamodule import Feed
from scene_lightning.data.prefetch import prefetched
from scene_lightning.training.module import unpack_batch
from scene_lightning.utils.elements import map_leaves


class DatasetFeed(Feed):
    """Elements as batches; the epoch is the number of the pass.

    Args:
        make: gives the elements of a pass.
        length: elements a pass; negative when unknown or endless.
        batch_size, samples: images a batch and a pass, if known.
    """

    def __init__(
        self, make: Callable[[int], Iterator[Any]], length: int, batch_size: int | None, samples: int | None
    ) -> None:
        self._make = make
        self.steps = length if length >= 0 else None
        self.batch_size, self.samples = batch_size, samples

    def batches(self, epoch: int, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        def make() -> Iterator[Any]:
            for element in itertools.islice(self._make(epoch), rank, None, world_size):
                yield map_leaves(_float32, unpack_batch(element))

        return prefetched(make, 2)


def _float32(leaf: Any) -> Any:
    return leaf.float() if isinstance(leaf, torch.Tensor) and leaf.dtype == torch.float64 else leaf
