"""Paths and texts in any form in; text that behaves as an element of a dataset of strings does in TensorFlow out."""

from __future__ import annotations

import glob
import os
from typing import Any

import numpy as np
import torch

from scene_lightning.errors import DataError


class Text(str):
    """A string tensor: equal to each element of a list or array of names, and bytes in NumPy."""

    __slots__ = ()

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


def as_text(value: Any) -> Text:
    """A path or text in any form (str, bytes, NumPy scalar, pathlib) → Text."""
    if isinstance(value, np.ndarray):
        value = value.item()
    if isinstance(value, os.PathLike):
        value = os.fspath(value)
    return Text(value.decode() if isinstance(value, bytes) else str(value))


def matching(file_pattern: Any) -> list[Text]:
    """The paths that match a pattern, or several, in order. Raises DataError when there is none."""
    patterns = file_pattern if isinstance(file_pattern, list | tuple) else [file_pattern]
    paths = sorted(path for pattern in patterns for path in glob.glob(as_text(pattern)))
    if not paths:
        raise DataError(f"No files matched pattern: {', '.join(map(str, patterns))}")
    return [Text(path) for path in paths]
