"""Functions of dtypes and shapes, choices and loops, and Fourier transforms."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scene_lightning._settings import DType, as_float, torch_dtype
from scene_lightning.errors import InputError
from scene_lightning.layers.base.symbolic import KerasTensor
from scene_lightning.ops.operation import convert_to_tensor, operation


def convert_to_numpy(x: Any) -> np.ndarray:
    """Convert a tensor to a NumPy array.

    Args:
        x: tensor with values, or array-like.
    """
    if isinstance(x, KerasTensor):
        raise InputError("A symbolic tensor has no values: build the model and call predict().")
    return x.detach().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x)


def is_tensor(x: Any) -> bool:
    """Whether `x` is a tensor with values.

    Args:
        x: anything.
    """
    return isinstance(x, Tensor)


@operation("core")
def cast(x: Any, dtype: DType) -> Tensor:
    """Convert a tensor to another dtype.

    Args:
        x: tensor or array-like.
        dtype: dtype of the result.
    """
    return x.to(torch_dtype(dtype))


@operation("core")
def saturate_cast(x: Any, dtype: DType) -> Tensor:
    """Convert a tensor to another dtype; values outside its range go to the nearest bound.

    Args:
        x: tensor or array-like.
        dtype: dtype of the result.
    """
    kind = torch_dtype(dtype)
    if kind == torch.bool:
        return x.bool()
    limits = torch.finfo(kind) if kind.is_floating_point else torch.iinfo(kind)
    return torch.clamp(x, limits.min, limits.max).to(kind)


@operation("core")
def stop_gradient(variable: Any) -> Tensor:
    """Detach a tensor: gradients do not flow through the result.

    Args:
        variable: tensor or array-like.
    """
    return variable.detach()


def shape(x: Any) -> tuple[int | None, ...]:
    """Shape of a tensor.

    Args:
        x: tensor or array-like.

    Returns:
        A tuple; None for a side that a symbolic tensor does not know.
    """
    return tuple(x.shape) if hasattr(x, "shape") else tuple(np.shape(x))


def ndim(x: Any) -> int:
    """Number of axes of a tensor.

    Args:
        x: tensor or array-like.
    """
    return len(shape(x))


def size(x: Any) -> int:
    """Number of values of a tensor.

    Args:
        x: tensor or array-like.
    """
    return int(np.prod(np.asarray(shape(x), dtype=int)))


def dtype(x: Any) -> str:
    """Name of a tensor's dtype, such as "float32".

    Args:
        x: tensor or array-like.
    """
    return str(convert_to_tensor(x).dtype).removeprefix("torch.")


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """Call one of two functions, by a condition with a value.

    Args:
        pred: boolean.
        true_fn: called without arguments where it is true.
        false_fn: called without arguments otherwise.

    Returns:
        What the function returns.
    """
    return true_fn() if bool(pred) else false_fn()


def switch(index: Any, branches: list[Callable[..., Any]], *operands: Any) -> Any:
    """Call one of several functions.

    Args:
        index: number of the function, kept within bounds.
        branches: the functions, all for the same arguments.
        *operands: arguments for the chosen one.

    Returns:
        What it returns.
    """
    return branches[min(max(int(index), 0), len(branches) - 1)](*operands)


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """Apply a function to each entry along the first axis, one after another.

    Args:
        f: function of one entry.
        xs: tensor or array-like.

    Returns:
        The results, stacked.
    """
    return torch.stack([f(x) for x in convert_to_tensor(xs)])


def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """Apply a function to all entries along the first axis at once, with `torch.vmap`.

    Args:
        function: function of one entry.
        elements: tensor or array-like.

    Returns:
        The results, stacked.
    """
    return torch.vmap(function, randomness="different")(convert_to_tensor(elements))


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: Any = None
) -> Any:
    """Repeat a function while a condition holds.

    Args:
        cond: function of the loop variables that gives a boolean.
        body: function of the loop variables that gives the next ones.
        loop_vars: the first loop variables, one or a tuple.
        maximum_iterations: when to stop at the latest; None: no limit.

    Returns:
        The last loop variables, in the structure of `loop_vars`.
    """
    state = tuple(loop_vars) if isinstance(loop_vars, list | tuple) else (loop_vars,)
    rounds = 0
    while bool(cond(*state)) and (maximum_iterations is None or rounds < maximum_iterations):
        next_state = body(*state)
        state = tuple(next_state) if isinstance(next_state, list | tuple) else (next_state,)
        rounds += 1
    return state if isinstance(loop_vars, list | tuple) else state[0]


def _transformed(x: Any, transform: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    if not isinstance(x, list | tuple) or len(x) != 2:
        raise InputError(f"Expected a tuple of two tensors, the real and the imaginary part; received {type(x)}.")
    real, imaginary = (as_float(convert_to_tensor(part)) for part in x)
    transformed = transform(torch.complex(real, imaginary))
    return transformed.real, transformed.imag


def fft2(x: Any) -> tuple[Tensor, Tensor]:
    """Fourier transform over the last two axes.

    Args:
        x: (real part, imaginary part), tensors of one shape.

    Returns:
        (real part, imaginary part) of the transform.
    """
    return _transformed(x, torch.fft.fft2)


def ifft2(x: Any) -> tuple[Tensor, Tensor]:
    """Inverse Fourier transform over the last two axes.

    Args:
        x: (real part, imaginary part), tensors of one shape.

    Returns:
        (real part, imaginary part) of the inverse transform.
    """
    return _transformed(x, torch.fft.ifft2)


__all__ = [
    "cast", "cond", "convert_to_numpy", "convert_to_tensor", "dtype", "fft2", "ifft2", "is_tensor", "map", "ndim",
    "saturate_cast", "shape", "size", "stop_gradient", "switch", "vectorized_map", "while_loop",
]  # fmt: skip
