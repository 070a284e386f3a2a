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
    """Make an array of numbers of an array-like or a pandas table.

    Args:
        value: an array, a table, or lists of numbers.

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
    """Make a tensor of an array-like; float64 becomes float32, as in Keras. Tensors and None stay as they are.

    Args:
        value: an array-like, a tensor or None.

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
    """Make an array of a list of numbers, or of lists of them; a list of arrays, and anything else, stays as it is.

    Args:
        value: data as a program gives them.
    """
    if not isinstance(value, list | tuple):
        return value
    if any(isinstance(item, np.ndarray | torch.Tensor | dict) for item in value):
        return value
    try:
        return np.asarray(value)
    except ValueError:
        raise unlike_shapes() from None


def unpack_batch(batch: Any) -> tuple[Any, Any, Any]:
    """Split a batch as loaders give it into (x, y, sample_weight), with None for what is missing.

    Args:
        batch: x, or a tuple or list of x, y and sample_weight.
    """
    if not isinstance(batch, tuple | list):
        return batch, None, None
    if not 1 <= len(batch) <= 3:
        raise InputError(f"A batch must be x, (x, y) or (x, y, sample_weight); received {len(batch)} parts.")
    x, y, sample_weight = (*batch, None, None)[:3]
    return x, y, sample_weight


def as_tensors(batch: Any) -> tuple[Any, Any, Any]:
    """Split a batch as `unpack_batch` does, and make tensors of its parts.

    Args:
        batch: as for `unpack_batch`.
    """
    x, y, sample_weight = (map_structure(to_tensor, part) for part in unpack_batch(batch))
    return x, y, sample_weight
