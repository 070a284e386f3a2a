"""Reads batches from an iterator of `preprocessing` by calling it, where a program has changed what its calls do."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from scene_lightning.data.randomness import permutation
from scene_lightning.feeds.base import Feed
from scene_lightning.feeds.sharding import rank_batches, steps_per_epoch


class PerCallFeed(Feed):
    """Batches taken from `iterator[i]`, one call each, in the iterator's own order."""

    def __init__(self, iterator: Any, training: bool, shuffle: bool, seed: int) -> None:
        self.iterator, self.training, self.shuffle, self.seed = iterator, training, shuffle and training, seed
        self.samples, self.batch_size = iterator.n, iterator.batch_size
        self.steps = self.steps_on(1)
        self.has_labels = getattr(iterator, "class_mode", "?") is not None and getattr(iterator, "y", 0) is not None

    def steps_on(self, world_size: int) -> int:
        return steps_per_epoch(len(self.iterator), 1, world_size, self.training)

    def batches(self, epoch: int, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        order = permutation(self.seed, epoch, len(self.iterator)) if self.shuffle else np.arange(len(self.iterator))
        for positions in rank_batches(order, 1, rank, world_size, self.training):
            for position in positions:
                batch = self.iterator[int(position)]
                batch = batch if isinstance(batch, tuple) else (batch, None)
                yield tuple(_tensors(part) for part in (*batch, None, None)[:3])

    def on_epoch_end(self) -> None:
        self.iterator.on_epoch_end()


def _tensors(part: Any) -> Any:
    if isinstance(part, list):
        return [_tensors(one) for one in part]
    if part is None:
        return None
    kind = np.float32 if part.dtype == np.float64 else part.dtype  # as Keras casts what it trains on
    return torch.from_numpy(np.require(part, kind, ["C", "W"]))
