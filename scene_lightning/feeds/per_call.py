"""Reads batches from an iterator of `preprocessing` by calling it, where a program has changed what its calls do."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import numpy as np

from scene_lightning.data.randomness import permutation
from scene_lightning.feeds.base import StreamedFeed
from scene_lightning.feeds.tensors import as_tensors


class PerCallFeed(StreamedFeed):
    """Batches taken from `iterator[i]`, one call each, in the iterator's own order.

    Args:
        iterator: one of `keras.preprocessing.image`, or a subclass.
        training: whether it is trained on.
        shuffle: whether the order of batches is drawn anew each epoch; only in training.
        seed: of that order.
    """

    def __init__(self, iterator: Any, training: bool, shuffle: bool, seed: int) -> None:
        self.iterator, self.training, self.shuffle, self.seed = iterator, training, shuffle and training, seed
        self.samples, self.batch_size, self.steps = iterator.n, iterator.batch_size, len(iterator)

    def stream(self, epoch: int) -> Iterator[Callable[[], Any]]:
        count = len(self.iterator)
        for position in permutation(self.seed, epoch, count) if self.shuffle else np.arange(count):
            yield partial(self._batch, int(position))

    def _batch(self, position: int) -> Any:
        batch = self.iterator[position]
        return as_tensors(batch if isinstance(batch, tuple) else (batch,))  # a list is several inputs

    def on_epoch_end(self) -> None:
        self.iterator.on_epoch_end()
