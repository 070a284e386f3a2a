"""Index in, batch out: the base class of data sets that Keras users write themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class PyDataset:
    """Batch `i` is `self[i]`. Keras: `keras.utils.PyDataset`; in Keras 2 `keras.utils.Sequence`.

    A subclass defines `__getitem__(index)`, which gives (x, y) or (x, y, sample_weight), and `__len__`. `fit` shuffles
    the order of the batches unless told `shuffle=False`.

    Args:
        workers, use_multiprocessing, max_queue_size: kept for the subclass; batches are read in order, ahead of time.
    """

    _workers, _use_multiprocessing, _max_queue_size = 1, False, 10

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self._workers, self._use_multiprocessing, self._max_queue_size = workers, use_multiprocessing, max_queue_size

    @property
    def workers(self) -> int:
        """As given."""
        return self._workers

    @workers.setter
    def workers(self, value: int) -> None:
        self._workers = value

    @property
    def use_multiprocessing(self) -> bool:
        """As given."""
        return self._use_multiprocessing

    @use_multiprocessing.setter
    def use_multiprocessing(self, value: bool) -> None:
        self._use_multiprocessing = value

    @property
    def max_queue_size(self) -> int:
        """As given."""
        return self._max_queue_size

    @max_queue_size.setter
    def max_queue_size(self, value: int) -> None:
        self._max_queue_size = value

    def __getitem__(self, index: int) -> Any:
        """Batch `index`."""
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(self, index), which gives one batch.")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__(self), the number of batches.")

    @property
    def num_batches(self) -> int:
        """The number of batches."""
        return len(self)

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

    def on_epoch_end(self) -> None:
        """Called after each epoch."""

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))


Sequence = PyDataset
