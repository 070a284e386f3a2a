"""Reads files that may be damaged or hostile: bounded JSON, and one kind of error for all damage."""

from __future__ import annotations

import json
import os
import struct
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from scene_lightning.errors import FileFormatError, SceneLightningError

# A config of 20,000 layers is about 30 MB of JSON; a deep model of models nests some dozens of levels.
MAX_JSON_BYTES = 128 * 2**20
MAX_JSON_DEPTH = 200

_WHAT_DAMAGE_RAISES = (
    OSError,
    ValueError,  # json and Unicode errors are ValueErrors
    TypeError,
    LookupError,
    AttributeError,
    RuntimeError,  # h5py's and zipfile's, RecursionError and NotImplementedError too
    MemoryError,
    EOFError,
    ArithmeticError,
    AssertionError,
    struct.error,
    zlib.error,
    zipfile.BadZipFile,
)


@contextmanager
def reading(path: str | os.PathLike[str], what: str) -> Iterator[None]:
    """Turn every failure of damaged or hostile input within the block into a `FileFormatError` that names the file.

    Args:
        path: the file.
        what: what it should be, such as "a Keras .h5 file".
    """
    try:
        yield
    except FileFormatError as error:
        if str(path) in str(error):
            raise
        raise FileFormatError(f"Cannot read {str(path)!r} as {what}: {error}") from error
    except SceneLightningError:
        raise
    except FileNotFoundError as error:
        raise FileFormatError(f"No such file: {str(path)!r}. Expected {what}; check the path.") from error
    except _WHAT_DAMAGE_RAISES as error:
        detail = str(error).strip().split("\n")[0][:300] or type(error).__name__
        raise FileFormatError(
            f"Cannot read {str(path)!r} as {what}: {detail}. The file is damaged, incomplete or of another kind; "
            "save or copy it again."
        ) from error


def _parse_json(text: bytes | str, what: str) -> Any:
    """JSON text → its value, with size and depth bounded. NaN and infinities are taken, as Keras writes them."""
    if len(text) > MAX_JSON_BYTES:
        raise FileFormatError(f"{what} holds {len(text)} bytes of JSON; expected at most {MAX_JSON_BYTES}.")
    try:
        value = json.loads(text)
    except RecursionError as error:
        raise FileFormatError(f"{what} is nested too deeply; expected at most {MAX_JSON_DEPTH} levels.") from error
    except ValueError as error:
        raise FileFormatError(f"{what} is not valid JSON ({error}).") from error
    level = [value]
    for _ in range(MAX_JSON_DEPTH):
        level = [child for parent in level for child in _children(parent)]
        if not level:
            return value
    raise FileFormatError(f"{what} is nested too deeply; expected at most {MAX_JSON_DEPTH} levels.")


def parse_json_object(text: bytes | str, what: str) -> dict[str, Any]:
    """Read JSON text that must hold an object, with size and depth bounded.

    Args:
        text: the text.
        what: what it is, for messages.
    """
    value = _parse_json(text, what)
    if not isinstance(value, dict):
        raise FileFormatError(f"{what} should hold a JSON object; received {type(value).__name__}.")
    return value


def to_json(value: Any) -> str:
    """A config as JSON text; tuples become lists, and NumPy's scalars and arrays plain numbers.

    Args:
        value: dicts, lists and plain values.
    """
    return json.dumps(value, default=_plain)


def _children(parent: Any) -> list[Any]:
    if isinstance(parent, dict):
        return list(parent.values())
    return parent if isinstance(parent, list) else []


def _plain(value: Any) -> Any:
    if isinstance(value, np.ndarray | np.generic):
        return value.tolist()
    raise TypeError(f"A model config holds {value!r} ({type(value).__name__}), which JSON cannot express.")
