"""Makes tensors: from values, filled, counted, one-hot. TensorFlow: the functions directly in `tf`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from scene_lightning.compat.tensorflow.dtypes import as_dtype, string
from scene_lightning.compat.tensorflow.ops.operation import as_tensor, operation, sides


def convert_to_tensor(value: Any, dtype: Any = None, dtype_hint: Any = None, name: Any = None) -> Any:
    """Makes a tensor of an array, list or number; text stays text.

    Args:
        value: tensor, array, list or number.
        dtype: a name or a dtype; None for float32, int32, or an array's own.
        dtype_hint, name: for TensorFlow's sake, without effect.
    """
    return as_tensor(value, None if dtype is string else dtype)


def constant(value: Any, dtype: Any = None, shape: Any = None, name: Any = None) -> Any:
    """Makes a tensor of an array, list or number, in a given shape.

    Args:
        value: tensor, array, list or number.
        dtype: a name or a dtype; None for float32, int32, or an array's own.
        shape: the sides; one value fills them; None for the value's own.
        name: for TensorFlow's sake, without effect.
    """
    made = convert_to_tensor(value, dtype)
    if shape is None:
        return made
    return made.expand(sides(shape)).clone() if made.numel() == 1 else made.reshape(sides(shape))


@operation
def one_hot(
    indices: Any, depth: Any, on_value: Any = None, off_value: Any = None, axis: Any = None, dtype: Any = None,
    name: Any = None,
) -> Any:  # fmt: skip
    """Makes one-hot rows of class numbers; a number outside 0..depth-1 gives a row of `off_value`.

    Args:
        indices: class numbers, of any shape.
        depth: how many classes.
        on_value: at the class; None for 1.
        off_value: elsewhere; None for 0.
        axis: where the new axis is; None for the last place.
        dtype: of the result; None for float32.
        name: for TensorFlow's sake, without effect.
    """
    numbers = as_tensor(indices).long()
    hot = numbers.unsqueeze(-1) == torch.arange(int(depth), device=numbers.device)
    on, off = 1 if on_value is None else on_value, 0 if off_value is None else off_value
    result = torch.where(hot, torch.as_tensor(on), torch.as_tensor(off)).to(as_dtype(dtype or "float32"))
    return result if axis in (None, -1) else result.movedim(-1, axis)


def _filled(torch_function: Callable[..., Any], doc: str) -> Callable[..., Any]:
    def function(shape: Any, dtype: Any = "float32", name: Any = None) -> Any:
        return torch_function(sides(shape), dtype=as_dtype(dtype))

    function.__doc__ = doc
    return function


zeros = _filled(torch.zeros, "A tensor of zeros.")
ones = _filled(torch.ones, "A tensor of ones.")


def fill(dims: Any, value: Any, name: Any = None) -> Any:
    """Makes a tensor of one value.

    Args:
        dims: its sides.
        value: a number.
        name: for TensorFlow's sake, without effect.
    """
    return as_tensor(value).expand(sides(dims)).clone()


@operation
def zeros_like(input: Any, dtype: Any = None, name: Any = None) -> Any:
    """Makes zeros in the shape of another tensor.

    Args:
        input: tensor, array, list or number.
        dtype: None for that of `input`.
        name: for TensorFlow's sake, without effect.
    """
    return torch.zeros_like(as_tensor(input), dtype=None if dtype is None else as_dtype(dtype))


@operation
def ones_like(input: Any, dtype: Any = None, name: Any = None) -> Any:
    """Makes ones in the shape of another tensor.

    Args:
        input: tensor, array, list or number.
        dtype: None for that of `input`.
        name: for TensorFlow's sake, without effect.
    """
    return torch.ones_like(as_tensor(input), dtype=None if dtype is None else as_dtype(dtype))


def eye(num_rows: int, num_columns: Any = None, dtype: Any = "float32", **_: Any) -> Any:
    """Makes an identity matrix.

    Args:
        num_rows: its rows.
        num_columns: None for as many as rows.
        dtype: a name or a dtype.
        **_: for TensorFlow's sake, without effect.
    """
    return torch.eye(num_rows, num_columns or num_rows, dtype=as_dtype(dtype))


def range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: Any = None) -> Any:
    """Counts: start, start + delta, … below limit.

    Args:
        start: the first number; the limit, if that is None.
        limit: where it ends, not included.
        delta: the step.
        dtype: None for int32, or for float32 where a number is a float.
        name: for TensorFlow's sake, without effect.
    """
    first, last = (0, start) if limit is None else (start, limit)
    numbers = [value.item() if isinstance(value, torch.Tensor) else value for value in (first, last, delta)]
    kind = as_dtype(dtype) if dtype is not None else None if any(isinstance(n, float) for n in numbers) else torch.int32
    return torch.arange(*numbers, dtype=kind)


def linspace(start: Any, stop: Any, num: int, name: Any = None, axis: int = 0) -> Any:
    """Gives evenly spaced numbers, both ends included.

    Args:
        start, stop: the ends.
        num: how many.
        name, axis: for TensorFlow's sake, without effect.
    """
    return torch.linspace(float(start), float(stop), int(num))


arange = range
