"""Reads batches from a dataset: its elements, read ahead by a thread."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import torch

from scene_lightning.feeds.base import StreamedFeed
from scene_lightning.feeds.sharding import from_first_process
from scene_lightning.feeds.tensors import unpack_batch
from scene_lightning.tree import map_structure


class DatasetFeed(StreamedFeed):
    """A dataset's elements as batches; the epoch is the number of the pass.

    Args:
        dataset: the elements, with their number, and that of the images in all and in each, as far as they are known.
        training: whether devices may share images to stay in step.
    """

    prefetch = 2

    def __init__(self, dataset: Any, training: bool) -> None:
        self._dataset, self.training = dataset, training
        self.steps = dataset._length if dataset._length >= 0 else None
        self.batch_size, self.samples = dataset._batch_size, dataset._samples

    def agree(self) -> None:
        if self._dataset._draws:  # its seed lies in the functions that it is made of
            self._dataset = from_first_process(self._dataset)

    def stream(self, epoch: int) -> Iterator[Callable[[], Any]]:
        for element in self._dataset._make(epoch):
            yield partial(_batch, element)


def _batch(element: Any) -> Any:
    return map_structure(_float32, unpack_batch(element))


def _float32(leaf: Any) -> Any:
    return leaf.float() if isinstance(leaf, torch.Tensor) and leaf.dtype == torch.float64 else leaf
