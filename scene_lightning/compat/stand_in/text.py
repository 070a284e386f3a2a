"""`tf.strings`: text is Python's here, and knows TensorFlow's `.numpy()` and comparison with a list of names."""

from __future__ import annotations

import re
from typing import Any

import numpy as np

from scene_lightning.compat.stand_in.dtypes import as_dtype
from scene_lightning.compat.stand_in.operation import as_tensor
from scene_lightning.utils.text import Text, as_text

as_str = as_str_any = as_text


def as_bytes(bytes_or_text: Any, encoding: str = "utf-8") -> bytes:
    """Text or bytes as bytes."""
    given = bytes_or_text
    return bytes(given) if isinstance(given, bytes | bytearray | memoryview) else as_text(given).encode(encoding)


def split(input: Any, sep: str | None = None, maxsplit: int = -1, name: Any = None) -> list[Text]:
    """The parts of a text."""
    return [Text(part) for part in as_text(input).split(sep, maxsplit)]


def join(inputs: Any, separator: str = "", name: Any = None) -> Text:
    """Texts joined."""
    return Text(separator.join(as_text(item) for item in inputs))


def lower(input: Any, encoding: str = "", name: Any = None) -> Text:
    """In lower case."""
    return Text(as_text(input).lower())


def upper(input: Any, encoding: str = "", name: Any = None) -> Text:
    """In upper case."""
    return Text(as_text(input).upper())


def strip(input: Any, name: Any = None) -> Text:
    """Without blanks at its ends."""
    return Text(as_text(input).strip())


def length(input: Any, name: Any = None, unit: str = "BYTE") -> Any:
    """The number of bytes."""
    return as_tensor(len(as_text(input).encode()))


def regex_replace(input: Any, pattern: str, rewrite: str, replace_global: bool = True, name: Any = None) -> Text:
    """A pattern replaced."""
    return Text(re.sub(pattern, rewrite, as_text(input), count=0 if replace_global else 1))


def regex_full_match(input: Any, pattern: str, name: Any = None) -> Any:
    """Whether the whole text matches."""
    return as_tensor(np.asarray(re.fullmatch(pattern, as_text(input)) is not None))


def to_number(input: Any, out_type: Any = "float32", name: Any = None) -> Any:
    """The number that is written there."""
    return as_tensor(float(as_text(input)), as_dtype(out_type))


def as_string(input: Any, name: Any = None, **_: Any) -> Text:
    """A number written out."""
    return Text(input.item() if hasattr(input, "item") else input)


__all__ = [
    "as_bytes", "as_str", "as_str_any", "as_string", "as_text", "join", "length", "lower", "regex_full_match",
    "regex_replace", "split", "strip", "to_number", "upper",
]  # fmt: skip
