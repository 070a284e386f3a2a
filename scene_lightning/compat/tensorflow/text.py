"""`tf.strings`: text is Python's here, and knows TensorFlow's `.numpy()` and comparison with a list of names."""

from __future__ import annotations

import functools
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from scene_lightning.compat.tensorflow.dtypes import as_dtype
from scene_lightning.compat.tensorflow.ops.operation import as_tensor
from scene_lightning.utils.text import Text, as_text, strings

as_str = as_str_any = as_text


def as_bytes(bytes_or_text: Any, encoding: str = "utf-8") -> bytes:
    """Gives text or bytes as bytes.

    Args:
        bytes_or_text: what to encode; bytes stay as they are.
        encoding: Python's name of it.
    """
    given = bytes_or_text
    return bytes(given) if isinstance(given, bytes | bytearray | memoryview) else as_text(given).encode(encoding)


class Ragged(list[Any]):
    """Rows of several lengths, as `tf.strings.split` gives them for several texts."""

    @property
    def values(self) -> Any:
        """The texts of all rows in one array."""
        return strings([value for row in self for value in row])

    def to_list(self) -> list[list[bytes]]:
        """The rows as lists of bytes."""
        return [[value.numpy() for value in row] for row in self]


def _of_each(function: Callable[..., Any]) -> Callable[..., Any]:
    """A function of one text that takes arrays of texts too."""

    @functools.wraps(function)
    def call(input: Any, *args: Any, **kwargs: Any) -> Any:
        if isinstance(input, list | tuple) or (isinstance(input, np.ndarray) and input.ndim):
            results = [call(one, *args, **kwargs) for one in list(input)]
            if results and isinstance(results[0], str | np.ndarray):
                return strings(results)
            return torch.stack(results) if results and isinstance(results[0], torch.Tensor) else Ragged(results)
        return function(input, *args, **kwargs)

    return call


@_of_each
def split(input: Any, sep: str | None = None, maxsplit: int = -1, name: Any = None) -> list[Text]:
    """Cuts a text into parts; several texts into rows of parts.

    Args:
        input: one text, or several.
        sep: what stands between the parts; None for blanks.
        maxsplit: so many cuts at most; -1 for all.
        name: for TensorFlow's sake, without effect.
    """
    return [Text(part) for part in as_text(input).split(sep or None, maxsplit)]


def join(inputs: Any, separator: str = "", name: Any = None) -> Text:
    """Joins texts.

    Args:
        inputs: the texts.
        separator: what stands between them.
        name: for TensorFlow's sake, without effect.
    """
    return Text(separator.join(as_text(item) for item in inputs))


@_of_each
def lower(input: Any, encoding: str = "", name: Any = None) -> Text:
    """Gives texts in lower case.

    Args:
        input: one text, or several.
        encoding, name: for TensorFlow's sake, without effect.
    """
    return Text(as_text(input).lower())


@_of_each
def upper(input: Any, encoding: str = "", name: Any = None) -> Text:
    """Gives texts in upper case.

    Args:
        input: one text, or several.
        encoding, name: for TensorFlow's sake, without effect.
    """
    return Text(as_text(input).upper())


@_of_each
def strip(input: Any, name: Any = None) -> Text:
    """Gives texts without blanks at their ends.

    Args:
        input: one text, or several.
        name: for TensorFlow's sake, without effect.
    """
    return Text(as_text(input).strip())


@_of_each
def length(input: Any, name: Any = None, unit: str = "BYTE") -> Any:
    """Gives the number of bytes of texts.

    Args:
        input: one text, or several.
        name, unit: for TensorFlow's sake, without effect.
    """
    return as_tensor(len(as_text(input).encode()))


@_of_each
def regex_replace(input: Any, pattern: str, rewrite: str, replace_global: bool = True, name: Any = None) -> Text:
    """Replaces what matches a pattern.

    Args:
        input: one text, or several.
        pattern: a regular expression.
        rewrite: what stands for it; \\1 is the first group.
        replace_global: whether every match goes, not only the first.
        name: for TensorFlow's sake, without effect.
    """
    return Text(re.sub(pattern, rewrite, as_text(input), count=0 if replace_global else 1))


@_of_each
def regex_full_match(input: Any, pattern: str, name: Any = None) -> Any:
    """Whether the whole text matches a pattern.

    Args:
        input: one text, or several.
        pattern: a regular expression.
        name: for TensorFlow's sake, without effect.
    """
    return as_tensor(np.asarray(re.fullmatch(pattern, as_text(input)) is not None))


@_of_each
def to_number(input: Any, out_type: Any = "float32", name: Any = None) -> Any:
    """Gives the number that a text holds.

    Args:
        input: one text, or several.
        out_type: dtype of the result.
        name: for TensorFlow's sake, without effect.
    """
    return as_tensor(float(as_text(input)), as_dtype(out_type))


def as_string(input: Any, name: Any = None, **_: Any) -> Text:
    """Writes a number out.

    Args:
        input: the number.
        name, **_: for TensorFlow's sake, without effect.
    """
    return Text(input.item() if hasattr(input, "item") else input)


__all__ = [
    "as_bytes", "as_str", "as_str_any", "as_string", "as_text", "join", "length", "lower", "regex_full_match",
    "regex_replace", "split", "strip", "to_number", "upper",
]  # fmt: skip
