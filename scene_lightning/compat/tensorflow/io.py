"""`tf.io`: files, encoded pictures and raw bytes. TensorFlow: `tf.io`."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import torch

from scene_lightning._atomic_write import atomic_write
from scene_lightning.compat.tensorflow import gfile
from scene_lightning.compat.tensorflow.dtypes import as_dtype
from scene_lightning.compat.tensorflow.text import as_text
from scene_lightning.errors import InputError
from scene_lightning.utils.text import Bytes, strings


def read_file(filename: Any, name: Any = None) -> Bytes:
    """Reads a file's bytes.

    Args:
        filename: its path.
        name: for TensorFlow's sake, without effect.
    """
    with open(as_text(filename), "rb") as file:
        return Bytes(file.read())


def matching_files(pattern: Any, name: Any = None) -> Any:
    """Lists the paths that match, in order.

    Args:
        pattern: one or several, such as "train/*/*.jpg".
        name: for TensorFlow's sake, without effect.
    """
    return strings(gfile.glob(pattern))


def write_file(filename: Any, contents: Any, name: Any = None) -> None:
    """Writes bytes into a file, making folders as needed.

    Args:
        filename: its path.
        contents: bytes, or text, which is written as UTF-8.
        name: for TensorFlow's sake, without effect.
    """
    path = as_text(filename)
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with atomic_write(path) as partial:
        partial.write_bytes(contents.encode() if isinstance(contents, str) else contents)


def decode_raw(
    input_bytes: Any, out_type: Any, little_endian: bool = True, fixed_length: Any = None, name: Any = None
) -> torch.Tensor:
    """Gives the numbers that bytes hold, along a new last axis.

    Args:
        input_bytes: bytes, or several of one length.
        out_type: the numbers' dtype.
        little_endian: whether the lowest byte comes first.
        fixed_length, name: for TensorFlow's sake, without effect.
    """
    kind = np.dtype(str(as_dtype(out_type)).removeprefix("torch.")).newbyteorder("<" if little_endian else ">")
    if isinstance(input_bytes, list | tuple | np.ndarray):
        return torch.stack([decode_raw(one, out_type, little_endian) for one in list(input_bytes)])
    data = input_bytes.encode("latin-1") if isinstance(input_bytes, str) else bytes(input_bytes)
    if len(data) % kind.itemsize:
        raise InputError(f"{len(data)} bytes are no whole number of {kind.name} ({kind.itemsize} bytes each).")
    return torch.from_numpy(np.frombuffer(data, kind).astype(kind.newbyteorder("="), copy=True))
