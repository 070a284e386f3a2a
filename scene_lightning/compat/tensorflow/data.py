"""`tf.data`: this package's `Dataset` under TensorFlow's name."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import torch

from scene_lightning.utils.dataset import AUTOTUNE, INFINITE, UNKNOWN, Dataset

INFINITE_CARDINALITY, UNKNOWN_CARDINALITY = INFINITE, UNKNOWN


def Counter(start: int = 0, step: int = 1, dtype: Any = None, name: Any = None) -> Dataset:
    """A dataset that counts without end, in int64 scalars.

    Args:
        start: the first number.
        step: from number to number.
        dtype, name: for TensorFlow's sake, without effect.
    """
    return Dataset(lambda _: (torch.tensor(number) for number in itertools.count(start, step)), INFINITE)


class Options:
    """Options of a dataset: any attribute can be set; none has a meaning here."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        made = Options()
        object.__setattr__(self, name, made)
        return made


def cardinality(dataset: Dataset) -> Any:
    """Gives the number of elements: −1 for endless, −2 for unknown.

    Args:
        dataset: the dataset to count.
    """
    return dataset.cardinality()


sample_from_datasets, choose_from_datasets = Dataset.sample_from_datasets, Dataset.choose_from_datasets


def shuffle_and_repeat(buffer_size: Any, count: Any = None, seed: Any = None) -> Callable[[Dataset], Dataset]:
    """Makes a function for `dataset.apply` that shuffles, then repeats.

    Args:
        buffer_size: how many elements are mixed at a time.
        count: how often; None for without end.
        seed: of the order; None for another one each time.
    """
    return lambda dataset: dataset.shuffle(buffer_size, seed).repeat(count)


def assert_cardinality(expected_cardinality: Any) -> Callable[[Dataset], Dataset]:
    """Makes a function for `dataset.apply` that says how many elements there are.

    Args:
        expected_cardinality: that number.
    """

    def apply(dataset: Dataset) -> Dataset:
        return dataset._derive(dataset._make, int(expected_cardinality))

    return apply


def save(dataset: Dataset, path: Any, compression: str | None = None, shard_func: Any = None) -> None:
    """Saves a dataset: `dataset.save(path)`. TensorFlow: `tf.data.experimental.save`.

    Args:
        dataset: what to save.
        path, compression, shard_func: as for `Dataset.save`.
    """
    dataset.save(path, compression, shard_func)


def load(path: Any, element_spec: Any = None, compression: str | None = None, reader_func: Any = None) -> Dataset:
    """Loads a dataset: `Dataset.load(path)`. TensorFlow: `tf.data.experimental.load`.

    Args:
        path, element_spec, compression, reader_func: as for `Dataset.load`.
    """
    return Dataset.load(path, element_spec, compression, reader_func)  # type: ignore[no-any-return]


def ignore_errors(log_warning: bool = False) -> Callable[[Dataset], Dataset]:
    """Makes a function for `dataset.apply` that ends a dataset at its first error.

    Args:
        log_warning: whether to warn of it.
    """
    return lambda dataset: dataset.ignore_errors(log_warning)


__all__ = [
    "AUTOTUNE", "INFINITE_CARDINALITY", "UNKNOWN_CARDINALITY", "Counter", "Dataset", "Options", "assert_cardinality",
    "cardinality", "choose_from_datasets", "ignore_errors", "load", "sample_from_datasets", "save",
    "shuffle_and_repeat",
]  # fmt: skip
