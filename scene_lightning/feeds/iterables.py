"""Reads batches from loaders, generators, iterables and `Sequence`s, as they give them."""

from __future__ import annotations

import itertools
import random
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Any

import torch

from scene_lightning.feeds.base import StreamedFeed
from scene_lightning.feeds.tensors import as_tensors


class IterableFeed(StreamedFeed):
    """A loader, generator or any iterable of batches: used as it is, order and all.

    Args:
        source: gives x, (x, y) or (x, y, sample_weight); an iterator is read once, anything else anew each epoch.
        training: whether devices may share samples to stay in step.
    """

    def __init__(self, source: Iterable[Any], training: bool = True) -> None:
        self._source, self.training = source, training
        self._is_iterator = isinstance(source, Iterator)
        self.source_name = _name_of(source)
        self.steps = _length(source)
        if isinstance(source, torch.utils.data.DataLoader) and not source.drop_last:
            self.samples = _length(source.dataset)
        self.batch_size = getattr(source, "batch_size", None)

    def stream(self, epoch: int) -> Iterator[Callable[[], Any]]:
        for batch in self._source:
            yield partial(self.convert, batch)

    def convert(self, batch: Any) -> Any:
        """A batch of the source as (x, y, sample_weight) of tensors."""
        return as_tensors(batch)

    def push_back(self, batch: Any) -> None:
        if self._is_iterator:  # which cannot be started again
            self._source = itertools.chain([batch], self._source)


def _name_of(source: Any) -> str:
    name = getattr(source, "__qualname__", None)
    return f"a {type(source).__name__}" if name is None else f"the {type(source).__name__} {name}"


def _length(source: Any) -> int | None:
    try:
        return len(source)
    except TypeError:
        return None


class SequenceFeed(StreamedFeed):
    """A `keras.utils.Sequence`/`PyDataset`: batch i is `sequence[i]`.

    Args:
        sequence: has `__len__` and `__getitem__`; its Keras methods `on_epoch_begin` and `on_epoch_end` are called.
        shuffle: whether each epoch has an order of batches of its own.
        training: whether devices may share samples to stay in step.
    """

    def __init__(self, sequence: Any, shuffle: bool, training: bool = True) -> None:
        self._sequence, self._shuffle, self.training = sequence, shuffle, training
        self.seed = int(torch.randint(2**62, (), device="cpu").item()) if shuffle else 0
        self.steps = len(sequence)
        self.source_name = _name_of(sequence)

    def stream(self, epoch: int) -> Iterator[Callable[[], Any]]:
        self._notify("on_epoch_begin")
        order = list(range(len(self._sequence)))
        if self._shuffle:  # Python's generator, as in Keras, unless several processes need one order
            (random.Random(self.seed + epoch) if self._agreed else random).shuffle(order)
        for index in order:
            yield partial(self._batch, index)

    def _batch(self, index: int) -> Any:
        return as_tensors(self._sequence[index])

    def on_epoch_end(self) -> None:
        self._notify("on_epoch_end")

    def _notify(self, event: str) -> None:
        hook = getattr(self._sequence, event, None)
        if hook is not None:
            hook()
