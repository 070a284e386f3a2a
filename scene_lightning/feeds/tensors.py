"""Makes tensors of what programs give as data: arrays, pandas tables, lists of numbers, batches of them."""

from __future__ import annotations

from numbers import Number
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from scene_lightning.errors import InputError
from scene_lightning.tree import map_structure


def to_array(value: Any) -> NDArray[Any]:
    """An array-like or a pandas table as an array of numbers.

    Raises:
        InputError: it holds text, or arrays that differ in shape.
    """
    array = np.asarray(value.to_numpy() if hasattr(value, "to_numpy") else value)
    if array.dtype.kind not in "OUS":
        return array
    others = [item for item in array.flat if not isinstance(item, Number | np.bool_)]
    if not others:  # a column of a table, say
        return array.astype(np.float32)
    if isinstance(others[0], str | bytes):
        raise InputError(
            f"The targets are strings, such as {others[0]!r}, and must be numbers to train on: to_categorical makes "
            "them so, and class_mode='categorical' or 'sparse' where images are read from a folder or a table."
        )
    raise unlike_shapes()


def unlike_shapes() -> InputError:
    """The error of data that are no one array."""
    return InputError(
        "The data cannot be made one array: its items differ in shape or type. Give every image the same size "
        "(for example load_img(path, target_size=(150, 150))) and stack them with np.stack."
    )


def to_tensor(value: Any) -> Any:
    """One array-like leaf as a tensor; float64 becomes float32, as in Keras. Tensors and None stay as they are.

    Raises:
        InputError: it cannot be made one array of numbers.
    """
    if value is None or isinstance(value, torch.Tensor):
        return value
    array = to_array(value)
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = array.copy()
    return torch.from_numpy(array) if array.ndim else torch.as_tensor(array)


def one_array(value: Any) -> Any:
    """A list of numbers, or of lists of numbers, as an array; a list of arrays, and anything else, as it is."""
    if not isinstance(value, list | tuple):
        return value
    if any(isinstance(item, np.ndarray | torch.Tensor | dict) for item in value):
        return value
    try:
        return np.asarray(value)
    except ValueError:
        raise unlike_shapes() from None


def unpack_batch(batch: Any) -> tuple[Any, Any, Any]:
    """A batch as loaders give it → (x, y, sample_weight), with None for what is missing."""
    if not isinstance(batch, tuple | list):
        return batch, None, None
    if not 1 <= len(batch) <= 3:
        raise InputError(f"A batch must be x, (x, y) or (x, y, sample_weight); received {len(batch)} parts.")
    x, y, sample_weight = (*batch, None, None)[:3]
    return x, y, sample_weight


def as_tensors(batch: Any) -> tuple[Any, Any, Any]:
    """A batch as loaders give it → (x, y, sample_weight) of tensors, with None for what is missing."""
    x, y, sample_weight = (map_structure(to_tensor, part) for part in unpack_batch(batch))
    return x, y, sample_weight
