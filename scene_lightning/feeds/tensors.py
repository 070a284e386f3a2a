"""Makes tensors of what programs give as batches: arrays, pandas tables, lists of numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from scene_lightning.errors import InputError
from scene_lightning.layers.base.symbolic import map_structure


def to_tensor(value: Any) -> Any:
    """One array-like leaf → a tensor; float64 becomes float32, as in Keras. None stays None."""
    if value is None or isinstance(value, torch.Tensor):
        return value
    if hasattr(value, "to_numpy"):  # pandas
        value = value.to_numpy()
    array = np.asarray(value)
    if array.dtype == object:
        raise InputError(
            "The data cannot be made one array: its items differ in shape or type. Give every image the same size "
            "(for example load_img(path, target_size=(150, 150))) and stack them with np.stack."
        )
    if array.dtype.kind in "US":
        raise InputError("The targets are strings. Make them numbers first, for example with to_categorical.")
    if array.dtype == np.float64:
        array = array.astype(np.float32)
    if not array.flags.writeable or any(stride < 0 for stride in array.strides):
        array = array.copy()
    return torch.from_numpy(array) if array.ndim else torch.as_tensor(array)


def unpack_batch(batch: Any) -> tuple[Any, Any, Any]:
    """A batch as loaders give it → (x, y, sample_weight), with None for what is missing."""
    if isinstance(batch, tuple | list):
        if len(batch) == 1:
            return batch[0], None, None
        if len(batch) == 2:
            return batch[0], batch[1], None
        if len(batch) == 3:
            return batch[0], batch[1], batch[2]
        raise InputError(f"A batch must be x, (x, y) or (x, y, sample_weight); received {len(batch)} parts.")
    return batch, None, None


def as_tensors(batch: Any) -> Any:
    return map_structure(to_tensor, unpack_batch(batch))
