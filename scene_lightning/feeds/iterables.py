"""Reads batches from loaders, generators, iterables and `Sequence`s, as they give them."""

from __future__ import annotations

import inspect
import itertools
import random
from collections.abc import Iterable, Iterator
from functools import partial
from typing import Any

import torch

from scene_lightning.feeds.base import Feed
from scene_lightning.feeds.rounds import dealt, from_first_process, rounds_in
from scene_lightning.feeds.tensors import as_tensors


class IterableFeed(Feed):
    """A loader, generator or any iterable of batches: used as it is, order and all."""

    def __init__(self, source: Iterable[Any], training: bool = True) -> None:
        self._source, self._training = source, training
        self._one_shot = isinstance(source, Iterator) or inspect.isgenerator(source)
        self._iterator: Iterator[Any] | None = iter(source) if self._one_shot else None
        self.steps = _length(source)
        self.samples = None
        dataset = getattr(source, "dataset", None)
        if isinstance(source, torch.utils.data.DataLoader) and not source.drop_last:
            self.samples = _length(dataset)
        self.batch_size = getattr(source, "batch_size", None)

    def batches(self, epoch: int, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        iterator = self._iterator if self._iterator is not None else iter(self._source)
        yield from dealt((partial(as_tensors, batch) for batch in iterator), rank, world_size, self._training)

    def raw_batches(self, rank: int, world_size: int) -> Iterator[Any]:
        """This device's batches as the source gives them."""
        iterator = self._iterator if self._iterator is not None else iter(self._source)
        while group := list(itertools.islice(iterator, world_size)):
            # Every rank must take as many steps: in the last round the batches that are there fill the gaps.
            yield group[rank % len(group)]

    def steps_on(self, world_size: int) -> int | None:
        return rounds_in(self.steps, self.batch_size, self.samples, world_size, self._training)

    def push_back(self, batch: Any) -> None:
        """Give a batch back that was only looked at: a generator cannot be started again."""
        if self._iterator is not None:
            self._iterator = itertools.chain([batch], self._iterator)


def _length(source: Any) -> int | None:
    try:
        return len(source)
    except TypeError:
        return None


class SequenceFeed(Feed):
    """A `keras.utils.Sequence`/`PyDataset`: batch i is `sequence[i]`; the order of batches is shuffled in training."""

    def __init__(self, sequence: Any, shuffle: bool, training: bool = True) -> None:
        self._sequence, self._shuffle, self._training = sequence, shuffle, training
        self._seed = int(torch.randint(2**62, (), device="cpu").item()) if shuffle else 0
        self.steps = len(sequence)

    def batches(self, epoch: int, rank: int = 0, world_size: int = 1) -> Iterator[Any]:
        self._tell("on_epoch_begin")
        order = torch.arange(len(self._sequence), device="cpu")
        if self._shuffle and world_size > 1:  # one order for all processes
            self._seed = from_first_process(self._seed, world_size)
            generator = torch.Generator().manual_seed(self._seed + epoch)
            order = order[torch.randperm(len(order), generator=generator, device="cpu")]
        elif self._shuffle:
            shuffled = order.tolist()
            random.shuffle(shuffled)  # Python's generator, as in Keras
            order = torch.tensor(shuffled, dtype=torch.int64, device="cpu")
        makers = (partial(self._batch, index) for index in order.tolist())
        yield from dealt(makers, rank, world_size, self._training)

    def _batch(self, index: int) -> Any:
        return as_tensors(self._sequence[index])

    def steps_on(self, world_size: int) -> int | None:
        return rounds_in(len(self._sequence), None, None, world_size, self._training)

    def on_epoch_end(self) -> None:
        self._tell("on_epoch_end")

    def _tell(self, event: str) -> None:
        hook = getattr(self._sequence, event, None)
        if hook is not None:
            hook()
