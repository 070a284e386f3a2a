"""`tf.lookup`: names to numbers and back. TensorFlow: `tf.lookup.StaticHashTable`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from scene_lightning.compat.tensorflow.ops.operation import as_tensor
from scene_lightning.compat.tensorflow.text import Text
from scene_lightning.errors import InputError


class KeyValueTensorInitializer:
    """Two lists of one length, for a table.

    Args:
        keys: what is looked up: texts or numbers.
        values: what is given for it.
        key_dtype, value_dtype, **_: for TensorFlow's sake, without effect.

    Raises:
        InputError: the lists differ in length.
    """

    def __init__(self, keys: Any, values: Any, key_dtype: Any = None, value_dtype: Any = None, **_: Any) -> None:
        self.keys, self.values = _items(keys), _items(values)
        if len(self.keys) != len(self.values):
            raise InputError(f"A table needs a value for each key; received {len(self.keys)} and {len(self.values)}.")


class StaticHashTable:
    """A table that is filled once. TensorFlow: `tf.lookup.StaticHashTable`.

    Args:
        initializer: a `KeyValueTensorInitializer`.
        default_value: what is given for a key that is not there.
        name, **_: for TensorFlow's sake, without effect.
    """

    def __init__(self, initializer: KeyValueTensorInitializer, default_value: Any, name: Any = None, **_: Any) -> None:
        self.default_value = _items([default_value])[0]
        self._entries = dict(zip(initializer.keys, initializer.values, strict=True))
        self._texts = any(isinstance(value, str) for value in (*initializer.values, self.default_value))

    def lookup(self, keys: Any, name: Any = None) -> Any:
        """The values of `keys`, in their shape: a tensor of numbers, or texts."""
        if isinstance(keys, str | bytes | np.bytes_) or getattr(keys, "ndim", 1) == 0:
            value = self._entries.get(_items([keys])[0], self.default_value)
            return Text(value) if self._texts else torch.tensor(value, dtype=self._dtype(value))
        shape = tuple(keys.shape) if hasattr(keys, "shape") else (len(keys),)
        values = [self._entries.get(key, self.default_value) for key in _items(keys)]
        if self._texts:
            return np.array([Text(value) for value in values], dtype=object).reshape(shape)
        return torch.tensor(values, dtype=self._dtype(self.default_value)).reshape(shape)

    def _dtype(self, value: Any) -> torch.dtype:
        return torch.float32 if isinstance(value, float) else torch.int32

    __getitem__ = lookup

    def size(self, name: Any = None) -> Any:
        """The number of keys."""
        return as_tensor(len(self._entries))


def _items(values: Any) -> list[Any]:
    """The elements, flat, as Python's own values; bytes as text."""
    flat = (item for value in np.ravel(np.asarray(values, dtype=object)) for item in _plain(value))
    return [item.decode() if isinstance(item, bytes) else str(item) if isinstance(item, str) else item for item in flat]


def _plain(value: Any) -> list[Any]:
    return np.ravel(value).tolist() if isinstance(value, torch.Tensor | np.ndarray) else [value]
