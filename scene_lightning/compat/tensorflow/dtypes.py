"""TensorFlow's dtypes, shapes and specs: torch's dtypes under TensorFlow's names."""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np
import torch

from scene_lightning.errors import InputError
from scene_lightning.layers.base.symbolic import TensorShape
from scene_lightning.utils.elements import TensorSpec

float16, float32, float64, bfloat16 = torch.float16, torch.float32, torch.float64, torch.bfloat16
half, double = float16, float64
int8, int16, int32, int64 = torch.int8, torch.int16, torch.int32, torch.int64
uint8, uint16, uint32, uint64 = torch.uint8, torch.uint16, torch.uint32, torch.uint64
bool = torch.bool  # TensorFlow's name for it
complex64, complex128 = torch.complex64, torch.complex128
DType = torch.dtype
Tensor = torch.Tensor


class _StringType:
    """tf.string: text has no torch dtype; it stays Python's."""

    name = "string"

    def __repr__(self) -> str:
        return "tf.string"

    def __eq__(self, other: object) -> Any:
        return other is self or other == "string"

    def __hash__(self) -> int:
        return hash("string")


string = _StringType()
_PYTHON = {float: torch.float32, int: torch.int32, builtins.bool: torch.bool}


def as_dtype(type_value: Any) -> Any:
    """Gives torch's dtype, or `string`. Raises InputError for an unknown one.

    Args:
        type_value: a name, a Python or NumPy type, or a dtype.
    """
    if isinstance(type_value, torch.dtype | _StringType):
        return type_value
    if type_value in _PYTHON:
        return _PYTHON[type_value]
    name = type_value if isinstance(type_value, str) else np.dtype(type_value).name
    dtype = string if name in ("string", "str") else getattr(torch, name, None)
    if dtype is None:
        raise InputError(f"Unknown dtype {type_value!r}. Expected a name such as 'float32' or a tf dtype.")
    return dtype


__all__ = [
    "DType", "Tensor", "TensorShape", "TensorSpec", "as_dtype", "bfloat16", "bool", "complex64", "complex128",
    "double", "float16", "float32", "float64", "half", "int8", "int16", "int32", "int64", "string", "uint8", "uint16",
    "uint32", "uint64",
]  # fmt: skip
