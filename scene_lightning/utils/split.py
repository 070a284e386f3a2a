"""Splits a dataset, or arrays, into a left and a right part: `split_dataset`."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

from scene_lightning.errors import InputError
from scene_lightning.utils.dataset import Dataset


def split_dataset(
    dataset: Any,
    left_size: float | None = None,
    right_size: float | None = None,
    shuffle: bool = False,
    seed: int | None = None,
    preferred_backend: str | None = None,
) -> tuple[Dataset, Dataset]:
    """Split a dataset, or arrays of one length, in two. Keras: `utils.split_dataset`.

    Args:
        dataset: a `Dataset` (batched or not), a torch dataset, an array, or a tuple, list or dict of arrays.
        left_size: how much goes to the left: a number of samples, or a share in (0, 1); None takes what is left over.
        right_size: how much goes to the right, in the same terms. One of the two must be given.
        shuffle: mix the samples first; by default they keep their order.
        seed: makes the mix repeatable; None draws a seed from Python's generator.
        preferred_backend: without effect: both parts are this package's `Dataset`.

    Returns:
        Two `Dataset`s, left and right, batched where `dataset` was.

    Raises:
        InputError: sizes that do not fit, or an empty part.
    """
    if left_size is None and right_size is None:
        raise InputError(
            "At least one of the `left_size` or `right_size` must be specified. Received: left_size=None and "
            "right_size=None"
        )
    elements, batch_size = _elements(dataset)
    if shuffle:
        random.Random(random.randint(0, 10**6) if seed is None else seed).shuffle(elements)
    left, right = _split_sizes(left_size, right_size, len(elements))
    halves = []
    for half in (elements[:left], elements[-right:]):
        made = Dataset(lambda _, half=half: iter(half), len(half))  # type: ignore[misc]
        made.class_names = getattr(dataset, "class_names", None)
        halves.append(made.batch(batch_size) if batch_size else made)
    return halves[0], halves[1]


def _elements(dataset: Any) -> tuple[list[Any], int | None]:
    if isinstance(dataset, Dataset):
        size = dataset._batch_size
        return list(dataset.unbatch() if size else dataset), size
    if isinstance(dataset, torch.utils.data.Dataset):
        length = len(dataset)  # type: ignore[arg-type]
        return [dataset[index] for index in range(length)], None
    if isinstance(dataset, list | tuple | np.ndarray | torch.Tensor | dict):
        plain = tuple(dataset) if isinstance(dataset, list) and isinstance(dataset[0], np.ndarray) else dataset
        return list(Dataset.from_tensor_slices(plain)), None
    raise InputError(
        "The `dataset` argument must be a Dataset, a torch dataset, or a list/tuple of arrays. "
        f"Received: dataset={dataset} of type {type(dataset)}"
    )


def _split_sizes(left: float | None, right: float | None, total: int) -> tuple[int, int]:
    """Numbers or shares → two numbers of samples. Raises InputError when they do not fit `total`."""
    for name, size in (("left_size", left), ("right_size", right)):
        if size is None:
            continue
        if isinstance(size, bool) or not isinstance(size, int | float):
            raise InputError(f"Invalid `{name}` Type. Expected: int or float or None, Received: {type(size)}.")
        limit = total if isinstance(size, int) else 1
        if not 0 < size < limit:
            raise InputError(
                f"`{name}` should be either a positive integer smaller than {total}, or a float within the range "
                f"`[0, 1]`. Received: {name}={size}"
            )
    if isinstance(left, float) and isinstance(right, float) and left + right > 1:
        raise InputError(
            "The sum of `left_size` and `right_size` is greater than 1. It must be less than or equal to 1."
        )
    counts = [round(size * total) if isinstance(size, float) else size for size in (left, right)]
    first, second = counts
    first = total - int(second or 0) if first is None else first
    second = total - first if second is None else second
    if first + second > total:
        raise InputError(
            f"The sum of `left_size` and `right_size` should be smaller than the {total}. "
            f"Received: left_size + right_size = {first + second}"
        )
    for side, size in (("left", first), ("right", second)):
        if size == 0:
            raise InputError(
                f"With `dataset` of length={total}, `left_size`={first} and `right_size`={second}. Resulting {side} "
                "side dataset split will be empty. Adjust any of the aforementioned parameters"
            )
    return first, second
