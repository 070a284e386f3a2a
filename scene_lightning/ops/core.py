"""Tensors in, tensors out: dtypes, shapes, choices, loops. Keras: `keras.ops.core` and `keras.ops.math`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scene_lightning._settings import torch_dtype
from scene_lightning.errors import InputError
from scene_lightning.layers.base.symbolic import KerasTensor
from scene_lightning.ops.operation import as_float, axes, convert_to_tensor, elementwise, operation


def convert_to_numpy(x: Any) -> np.ndarray:
    """A tensor or anything array-like → NumPy. Keras: `ops.convert_to_numpy`."""
    if isinstance(x, KerasTensor):
        raise InputError("A symbolic tensor has no values: build the model and call predict().")
    return x.detach().cpu().numpy() if isinstance(x, Tensor) else np.asarray(x)


def is_tensor(x: Any) -> bool:
    """Whether x is a tensor with values. Keras: `ops.is_tensor`."""
    return isinstance(x, Tensor)


@operation("core")
def cast(x: Any, dtype: Any) -> Tensor:
    """x in another dtype. Keras: `ops.cast`."""
    return x.to(torch_dtype(dtype))


@operation("core")
def saturate_cast(x: Any, dtype: Any) -> Tensor:
    """x in another dtype, held within its range. Keras: `ops.saturate_cast`."""
    kind = torch_dtype(dtype)
    if kind == torch.bool:
        return x.bool()
    limits = torch.finfo(kind) if kind.is_floating_point else torch.iinfo(kind)
    return torch.clamp(x, limits.min, limits.max).to(kind)


stop_gradient = elementwise("stop_gradient", torch.Tensor.detach, floating=False, module="core")
erf = elementwise("erf", torch.erf, module="math")
rsqrt = elementwise("rsqrt", torch.rsqrt, module="math")


def shape(x: Any) -> tuple[int | None, ...]:
    """The sides of x, None where a symbolic tensor does not know them. Keras: `ops.shape`."""
    return tuple(x.shape) if hasattr(x, "shape") else tuple(np.shape(x))


def ndim(x: Any) -> int:
    """The number of axes. Keras: `ops.ndim`."""
    return len(shape(x))


def size(x: Any) -> int:
    """The number of values. Keras: `ops.size`."""
    return int(np.prod(np.asarray(shape(x), dtype=int)))


def dtype(x: Any) -> str:
    """The dtype's name. Keras: `ops.dtype`."""
    return str(convert_to_tensor(x).dtype).removeprefix("torch.")


@operation("core")
def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Tensor]:
    """x as a list of its entries along `axis`. Keras: `ops.unstack`."""
    return list(torch.unbind(x, dim=axis))


@operation("core")
def slice(inputs: Any, start_indices: Any, shape: Any) -> Tensor:
    """The block of `shape` that begins at `start_indices`; a side of -1 goes to the end. Keras: `ops.slice`."""
    for axis, (start, length) in enumerate(zip(start_indices, shape, strict=True)):
        inputs = torch.narrow(
            inputs, axis, int(start), inputs.shape[axis] - int(start) if length == -1 else int(length)
        )
    return inputs


def cond(pred: Any, true_fn: Callable[[], Any], false_fn: Callable[[], Any]) -> Any:
    """One of two functions' results. Keras: `ops.cond`."""
    return true_fn() if bool(pred) else false_fn()


def map(f: Callable[[Any], Any], xs: Any) -> Any:
    """f of each entry along the first axis, stacked. Keras: `ops.map`."""
    return torch.stack([f(x) for x in convert_to_tensor(xs)])


def vectorized_map(function: Callable[[Any], Any], elements: Any) -> Any:
    """f of each entry along the first axis, at once where torch can. Keras: `ops.vectorized_map`."""
    return torch.vmap(function, randomness="different")(convert_to_tensor(elements))


def while_loop(
    cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, maximum_iterations: Any = None
) -> Any:
    """`body` again and again while `cond` holds. Keras: `ops.while_loop`."""
    state = tuple(loop_vars) if isinstance(loop_vars, list | tuple) else (loop_vars,)
    rounds = 0
    while bool(cond(*state)) and (maximum_iterations is None or rounds < maximum_iterations):
        found = body(*state)
        state = tuple(found) if isinstance(found, list | tuple) else (found,)
        rounds += 1
    return state if isinstance(loop_vars, list | tuple) else state[0]


@operation("math")
def logsumexp(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """log Σ exp(x) along `axis`. Keras: `ops.logsumexp`."""
    return torch.logsumexp(as_float(x), dim=axes(axis, x), keepdim=keepdims)


@operation("math", name="TopK")
def top_k(x: Any, k: int, sorted: bool = True) -> tuple[Tensor, Tensor]:
    """The k largest values of the last axis and, as int32, where they stand. Keras: `ops.top_k`."""
    values, indices = torch.topk(x, k, sorted=sorted)
    return values, indices.to(torch.int32)


@operation("math", tensors=2, name="InTopK")
def in_top_k(targets: Any, predictions: Any, k: int) -> Tensor:
    """Whether the target class is among the k likeliest. Keras: `ops.in_top_k`."""
    own = torch.gather(predictions, 1, targets.long()[:, None])
    return (predictions > own).sum(dim=1) < k


@operation("linalg")
def norm(x: Any, ord: Any = None, axis: Any = None, keepdims: bool = False) -> Tensor:
    """A vector's or matrix's norm. Keras: `ops.norm`."""
    dim = tuple(axis) if isinstance(axis, list | tuple) else axis
    return torch.linalg.norm(as_float(x), ord, dim, keepdim=keepdims)
