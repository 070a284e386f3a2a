"""`PyDataset` (Keras 2: `Sequence`): the base class of data sets that programs write themselves."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class PyDataset:
    """The base class of data sets that give one batch for an index. In Keras 2 it is called `keras.utils.Sequence`.

    A subclass defines `__getitem__(index)`, which gives (x, y) or (x, y, sample_weight), and `__len__`, the number of
    batches; it may define `on_epoch_end`. `fit` shuffles the order of the batches unless told `shuffle=False`.

    Args:
        workers: kept as an attribute, without effect: a thread reads batches ahead, in order.
        use_multiprocessing: kept as an attribute, without effect.
        max_queue_size: kept as an attribute, without effect.

    Example:
        >>> class Scenes(keras.utils.PyDataset):
        ...     def __init__(self, paths, labels, batch_size=32):
        ...         super().__init__()
        ...         self.paths, self.labels, self.batch_size = paths, labels, batch_size
        ...     def __len__(self):
        ...         return -(-len(self.paths) // self.batch_size)
        ...     def __getitem__(self, index):
        ...         part = slice(index * self.batch_size, (index + 1) * self.batch_size)
        ...         images = [keras.utils.img_to_array(keras.utils.load_img(path)) for path in self.paths[part]]
        ...         return np.stack(images), self.labels[part]
    """

    workers, use_multiprocessing, max_queue_size = 1, False, 10

    def __init__(self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10) -> None:
        self.workers, self.use_multiprocessing, self.max_queue_size = workers, use_multiprocessing, max_queue_size

    def __getitem__(self, index: int) -> Any:
        """Batch `index`."""
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(self, index), which gives one batch.")

    def __len__(self) -> int:
        raise NotImplementedError(f"{type(self).__name__} must define __len__(self), the number of batches.")

    @property
    def num_batches(self) -> int:
        """The number of batches: `len(self)`."""
        return len(self)

    def on_epoch_begin(self) -> None:
        """Called before each epoch."""

    def on_epoch_end(self) -> None:
        """Called after each epoch."""

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))


Sequence = PyDataset
