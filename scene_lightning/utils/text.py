"""Text and bytes as elements of a dataset of strings: they behave as TensorFlow's string tensors do."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterator
from typing import Any

import numpy as np
import torch

from scene_lightning.errors import DataError


class Text(str):
    """A string tensor: equal to each element of a list or array of names, and bytes in NumPy."""

    __slots__ = ()
    shape, dtype = (), "string"

    def numpy(self) -> bytes:
        """The text as bytes, as TensorFlow gives it."""
        return self.encode()

    def __eq__(self, other: object) -> Any:
        if isinstance(other, list | tuple | np.ndarray):
            return torch.as_tensor(np.asarray(other).astype(str) == str(self))
        return str.__eq__(self, other.decode() if isinstance(other, bytes) else other)

    def __ne__(self, other: object) -> Any:
        return ~(self == other) if isinstance(other, list | tuple | np.ndarray) else not self == other

    __hash__ = str.__hash__


class Bytes(bytes):
    """A string tensor that holds bytes: a file's, or a record's."""

    __slots__ = ()
    shape, dtype = (), "string"

    def numpy(self) -> bytes:
        """The bytes, as TensorFlow gives them."""
        return bytes(self)


class Texts(np.ndarray):
    """A tensor of strings: an array of text, or, as objects, of bytes (NumPy's own bytes lose zeros at their end)."""

    def numpy(self) -> np.ndarray:
        """The strings as bytes, in an array of objects, as TensorFlow gives them."""
        made = np.empty(self.shape, dtype=object)
        for place, value in np.ndenumerate(np.asarray(self)):
            made[place] = value.encode() if isinstance(value, str) else bytes(value)
        return made

    def __getitem__(self, key: Any) -> Any:
        return string(super().__getitem__(key))

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))


def string(value: Any) -> Any:
    """Converts text or bytes of Python or NumPy to `Text` or `Bytes`; anything else stays as it is.

    Args:
        value: anything.
    """
    if isinstance(value, Text | Bytes):
        return value
    return Text(value) if isinstance(value, str) else Bytes(value) if isinstance(value, bytes) else value


def holds_bytes(values: Any) -> bool:
    """Says whether a value is a list or tuple that begins with bytes.

    Args:
        values: anything.
    """
    return isinstance(values, list | tuple) and len(values) > 0 and isinstance(values[0], bytes)


def strings(values: Any) -> Any:
    """Converts an array or sequence of text or bytes to `Texts`, of anything else to an array.

    Args:
        values: an array, list or tuple.
    """
    if holds_bytes(values):  # which NumPy would cut at zeros, or take for arrays of numbers
        array = np.empty(len(values), dtype=object)
        for index, value in enumerate(values):
            array[index] = value
        return array.view(Texts)
    array = np.asarray(values)
    if array.dtype.kind == "S":
        array = array.astype(object)
    elif array.dtype.kind == "O" and not all(isinstance(value, str | bytes) for value in array.flat):
        return array
    return array.view(Texts)


def as_text(value: Any) -> Text:
    """Converts a path or text in any form (str, bytes, NumPy scalar, pathlib) to `Text`.

    Args:
        value: the path or text.
    """
    if isinstance(value, np.ndarray):
        value = value.item()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    return Text(value.decode() if isinstance(value, bytes) else str(value))


def matching(file_pattern: Any) -> list[Text]:
    """Lists the paths that match a pattern, or several, in order.

    Args:
        file_pattern: a pattern with `*`, `?` and `[…]`, or a list of them.

    Raises:
        DataError: nothing matches.
    """
    patterns = file_pattern if isinstance(file_pattern, list | tuple) else [file_pattern]
    paths = sorted(path for pattern in patterns for path in glob.glob(as_text(pattern)))
    if not paths:
        raise DataError(f"No files matched pattern: {', '.join(map(str, patterns))}")
    return [Text(path) for path in paths]
