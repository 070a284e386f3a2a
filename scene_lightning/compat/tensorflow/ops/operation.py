"""Makes a function of tensors take arrays, numbers and symbolic tensors as well."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from scene_lightning.compat.tensorflow.dtypes import as_dtype
from scene_lightning.layers import Lambda
from scene_lightning.layers.base.symbolic import KerasTensor, is_symbolic
from scene_lightning.optimizers import ScalarVariable
from scene_lightning.tree import map_structure
from scene_lightning.utils.text import holds_bytes, string, strings


def as_tensor(value: Any, dtype: Any = None) -> Any:
    """Makes a tensor of anything numeric (Python's floats as float32, its integers as int32); text stays text.

    Args:
        value: tensor, array, list, number, variable or text.
        dtype: a name or a dtype; None for the value's own.
    """
    wanted = None if dtype is None else as_dtype(dtype)
    if isinstance(value, torch.Tensor):
        return value if wanted is None else value.to(wanted)
    if isinstance(value, str | bytes) or value is None:
        return string(value)
    if isinstance(value, ScalarVariable):
        value = float(value)
    if isinstance(value, list | tuple) and any(isinstance(item, torch.Tensor) for item in value):
        return torch.stack([as_tensor(item, wanted) for item in value])
    if holds_bytes(value):
        return strings(value)
    array = np.asarray(value)
    if array.dtype.kind in "USO":
        return strings(value) if array.ndim else string(array.item())
    if wanted is None and not isinstance(value, np.ndarray | np.generic):
        wanted = {"f": torch.float32, "i": torch.int32}.get(array.dtype.kind)
    return torch.as_tensor(np.ascontiguousarray(array) if array.ndim else array, dtype=wanted)


def same_dtype(x: Any, y: Any) -> tuple[torch.Tensor, torch.Tensor]:
    """Gives two operands as tensors on one device; a number takes the other's dtype, as TensorFlow has it.

    Args:
        x, y: tensors, arrays, lists or numbers.
    """
    first, second = as_tensor(x), as_tensor(y)
    if isinstance(x, torch.Tensor) and not isinstance(y, torch.Tensor):
        second = second.to(x.device, x.dtype if x.dtype != torch.bool else second.dtype)
    elif isinstance(y, torch.Tensor) and not isinstance(x, torch.Tensor):
        first = first.to(y.device, y.dtype if y.dtype != torch.bool else first.dtype)
    return first, second


def operation(function: Callable[..., Any]) -> Callable[..., Any]:
    """Lets a function be called on Keras' symbolic tensors too: the call becomes a Lambda layer of the model.

    Args:
        function: a function of tensors, whatever else it takes.
    """

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        if not (is_symbolic(args) or is_symbolic(tuple(kwargs.values()))):
            return function(*args, **kwargs)
        symbolic: list[KerasTensor] = []

        def pull_out(leaf: Any) -> Any:
            if isinstance(leaf, KerasTensor):
                symbolic.append(leaf)
                return _Slot(len(symbolic) - 1)
            return leaf

        template = map_structure(pull_out, (args, kwargs))

        def compute(inputs: Any) -> Any:
            tensors = inputs if isinstance(inputs, list | tuple) else [inputs]
            given, keywords = map_structure(lambda leaf: tensors[leaf] if isinstance(leaf, _Slot) else leaf, template)
            return function(*given, **keywords)

        return Lambda(compute)(symbolic if len(symbolic) > 1 else symbolic[0])

    return call


class _Slot(int):
    """The place of a symbolic tensor among the arguments."""


def sides(shape: Any) -> tuple[int, ...]:
    """A shape, however it was given, as whole numbers.

    Args:
        shape: a number, a tensor or a sequence of numbers.
    """
    if isinstance(shape, torch.Tensor):
        shape = shape.tolist()
    return (int(shape),) if isinstance(shape, int | np.integer) else tuple(int(side) for side in shape)
