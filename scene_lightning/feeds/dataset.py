"""Reads a dataset for `fit`, `evaluate` and `predict`: its elements are the batches, read ahead by a thread."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import torch

from scene_lightning.feeds.base import Feed
from scene_lightning.feeds.prefetch import prefetched
from scene_lightning.feeds.rounds import dealt, from_first_process, rounds_in
from scene_lightning.feeds.tensors import unpack_batch
from scene_lightning.layers.base.symbolic import map_structure


class DatasetFeed(Feed):
    """A dataset's elements as batches; the epoch is the number of the pass. Devices share a pass out in rounds.

    Args:
        dataset: the elements, with their number, and that of the images in all and in each, as far as they are known.
        training: whether devices may share images to stay in step.
    """

    def __init__(self, dataset: Any, training: bool) -> None:
        self._dataset, self._training = dataset, training
        self._is_shared = False
        self.steps = dataset._length if dataset._length >= 0 else None
        self.batch_size, self.samples = dataset._batch_size, dataset._samples

    def steps_on(self, world_size: int) -> int | None:
        return rounds_in(self.steps, self.batch_size, self.samples, world_size, self._training)

    def batches(self, epoch: int, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        if world_size > 1 and self._dataset._draws and not self._is_shared:  # each process drew a seed of its own
            self._dataset, self._is_shared = from_first_process(self._dataset, world_size), True

        def make() -> Iterator[Any]:
            elements = (partial(_batch, element) for element in self._dataset._make(epoch))
            return dealt(elements, rank, world_size, self._training)

        return prefetched(make, 2)


def _batch(element: Any) -> Any:
    return map_structure(_float32, unpack_batch(element))


def _float32(leaf: Any) -> Any:
    return leaf.float() if isinstance(leaf, torch.Tensor) and leaf.dtype == torch.float64 else leaf
