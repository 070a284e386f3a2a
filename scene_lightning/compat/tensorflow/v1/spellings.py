"""Functions that stood directly in TensorFlow 1's `tf` and have moved since: `tf.random_normal`, `tf.to_float`."""

from __future__ import annotations

from typing import Any

import torch

from scene_lightning.compat.tensorflow.ops.array_ops import cast
from scene_lightning.compat.tensorflow.ops.math_ops import floordiv, truediv
from scene_lightning.compat.tensorflow.ops.operation import as_tensor
from scene_lightning.compat.tensorflow.random import normal as random_normal
from scene_lightning.compat.tensorflow.random import shuffle as random_shuffle
from scene_lightning.compat.tensorflow.random import truncated_normal
from scene_lightning.compat.tensorflow.random import uniform as random_uniform


def to_float(x: Any, name: Any = None) -> torch.Tensor:
    """Gives the values as float32.

    Args:
        x: tensor, array, list or number.
        name: for TensorFlow's sake, without effect.
    """
    return cast(x, "float32")


def to_double(x: Any, name: Any = None) -> torch.Tensor:
    """Gives the values as float64.

    Args:
        x: tensor, array, list or number.
        name: for TensorFlow's sake, without effect.
    """
    return cast(x, "float64")


def to_int32(x: Any, name: Any = None) -> torch.Tensor:
    """Gives the values as int32.

    Args:
        x: tensor, array, list or number.
        name: for TensorFlow's sake, without effect.
    """
    return cast(x, "int32")


def to_int64(x: Any, name: Any = None) -> torch.Tensor:
    """Gives the values as int64.

    Args:
        x: tensor, array, list or number.
        name: for TensorFlow's sake, without effect.
    """
    return cast(x, "int64")


def div(x: Any, y: Any, name: Any = None) -> torch.Tensor:
    """Divides as Python 2 did: whole numbers give whole numbers.

    Args:
        x: tensor, array, list or number.
        y: tensor, array, list or number; a number takes the dtype of `x`.
        name: for TensorFlow's sake, without effect.
    """
    floating = as_tensor(x).is_floating_point() or as_tensor(y).is_floating_point()
    return truediv(x, y) if floating else floordiv(x, y)


__all__ = [
    "div", "random_normal", "random_shuffle", "random_uniform", "to_double", "to_float", "to_int32", "to_int64",
    "truncated_normal",
]  # fmt: skip
