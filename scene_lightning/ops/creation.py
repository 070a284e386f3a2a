"""Functions that create tensors from shapes and numbers, on the CPU."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from scene_lightning._settings import DType, torch_dtype
from scene_lightning.layers.base.types import Sizes
from scene_lightning.ops.operation import convert_to_tensor, described, operation


def array(x: Any, dtype: DType = None) -> Tensor:
    """Create a tensor from anything array-like.

    Args:
        x: tensor or array-like.
        dtype: dtype of the result; None: `floatx()` for Python's floats, int32 for its whole numbers, else as it is.
    """
    return convert_to_tensor(x, dtype)


def zeros(shape: Sizes, dtype: DType = None) -> Tensor:
    """Create a tensor of zeros.

    Args:
        shape: sides of the tensor.
        dtype: dtype of the result; None: `floatx()`.
    """
    return torch.zeros(shape, dtype=torch_dtype(dtype))


def ones(shape: Sizes, dtype: DType = None) -> Tensor:
    """Create a tensor of ones.

    Args:
        shape: sides of the tensor.
        dtype: dtype of the result; None: `floatx()`.
    """
    return torch.ones(shape, dtype=torch_dtype(dtype))


def empty(shape: Sequence[int], dtype: DType = None) -> Tensor:
    """Create a tensor without setting its values.

    Args:
        shape: sides of the tensor.
        dtype: dtype of the result; None: `floatx()`.
    """
    return torch.empty(tuple(shape), dtype=torch_dtype(dtype))


def full(shape: Sizes, fill_value: Any, dtype: DType = None) -> Tensor:
    """Create a tensor filled with one value.

    Args:
        shape: sides of the tensor.
        fill_value: the value.
        dtype: dtype of the result; None: `floatx()`.
    """
    return torch.full((shape,) if isinstance(shape, int) else tuple(shape), fill_value, dtype=torch_dtype(dtype))


def eye(N: int, M: int | None = None, k: int = 0, dtype: DType = None) -> Tensor:
    """Create a matrix with ones on a diagonal and zeros elsewhere.

    Args:
        N: number of rows.
        M: number of columns; None: `N`.
        k: number of the diagonal; above 0 over the main one, below 0 under it.
        dtype: dtype of the result; None: `floatx()`.
    """
    whole = torch.ones(N, N if M is None else M, dtype=torch_dtype(dtype))
    return torch.triu(torch.tril(whole, k), k)


def identity(n: int, dtype: DType = None) -> Tensor:
    """Identity matrix.

    Args:
        n: number of rows and columns.
        dtype: dtype of the result; None: `floatx()`.
    """
    return torch.eye(n, dtype=torch_dtype(dtype))


def tri(N: int, M: int | None = None, k: int = 0, dtype: DType = None) -> Tensor:
    """Matrix with ones at and below a diagonal.

    Args:
        N: number of rows.
        M: number of columns; None: `N`.
        k: number of the diagonal; above 0 over the main one, below 0 under it.
        dtype: dtype of the result; None: `floatx()`.
    """
    return torch.tril(torch.ones(N, N if M is None else M, dtype=torch_dtype(dtype)), k)


def arange(start: Any, stop: Any = None, step: Any = None, dtype: DType = None) -> Tensor:
    """Create evenly spaced numbers within a half-open interval.

    Args:
        start: first number; the end, from 0 on, where `stop` is None.
        stop: where to stop, not included.
        step: distance between numbers; None: 1.
        dtype: dtype of the result; None: int32 for whole numbers, else `floatx()`.

    Returns:
        A tensor of (numbers,).
    """
    first, last = (0, start) if stop is None else (start, stop)
    step = 1 if step is None else step
    whole = not any(isinstance(number, float) for number in (first, last, step))
    return torch.arange(first, last, step, dtype=torch_dtype(dtype or ("int32" if whole else None)))


def linspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, retstep: bool = False, dtype: DType = None,
    axis: int = 0,
) -> Any:  # fmt: skip
    """Create evenly spaced numbers between two ends.

    Args:
        start: first number, or a tensor of them.
        stop: last number, or a tensor of them.
        num: how many numbers.
        endpoint: whether `stop` is the last one; otherwise the one after it would be.
        retstep: whether to return the distance between numbers, too.
        dtype: dtype of the result; None: `floatx()`.
        axis: place of the new axis, where the ends are tensors.

    Returns:
        A tensor of (num,), or of the ends' shape with `num` put in; with `retstep` (numbers, distance).
    """
    first, last = torch.broadcast_tensors(*(convert_to_tensor(end, torch_dtype()) for end in (start, stop)))
    gap = (last - first) / max(num - 1 if endpoint else num, 1)
    ends = zip(first.flatten(), (last if endpoint else last - gap).flatten(), strict=True)
    columns = torch.stack([torch.linspace(float(low), float(high), num, dtype=gap.dtype) for low, high in ends], -1)
    values = columns.reshape(num, *first.shape).movedim(0, axis).to(torch_dtype(dtype))
    return (values, gap) if retstep else values


def logspace(
    start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: float = 10, dtype: DType = None, axis: int = 0
) -> Tensor:
    """Create numbers whose logarithms are evenly spaced.

    Args:
        start: exponent of the first number, or a tensor of them.
        stop: exponent of the last number, or a tensor of them.
        num: how many numbers.
        endpoint: whether `base ** stop` is the last one.
        base: what is raised to the exponents.
        dtype: dtype of the result; None: `floatx()`.
        axis: place of the new axis, where the ends are tensors.
    """
    return torch.pow(float(base), linspace(start, stop, num, endpoint, axis=axis)).to(torch_dtype(dtype))


def meshgrid(*x: Any, indexing: str = "xy") -> list[Tensor]:
    """Coordinate tensors of a grid.

    Args:
        *x: coordinates along each axis, one-dimensional.
        indexing: "xy" (the first two axes exchanged) or "ij".

    Returns:
        A list of tensors, one for each argument.
    """
    return list(torch.meshgrid(*(convert_to_tensor(one) for one in x), indexing=indexing))


@operation("numpy")
def full_like(x: Any, fill_value: Any, dtype: DType = None) -> Tensor:
    """Create a tensor with the shape of another, filled with one value.

    Args:
        x: tensor or array-like.
        fill_value: the value.
        dtype: dtype of the result; None: that of `x`.
    """
    return torch.full_like(x, fill_value, dtype=None if dtype is None else torch_dtype(dtype))


@operation("numpy")
def zeros_like(x: Any, dtype: DType = None) -> Tensor:
    """Create a tensor of zeros with the shape of another.

    Args:
        x: tensor or array-like.
        dtype: dtype of the result; None: that of `x`.
    """
    return torch.zeros_like(x, dtype=None if dtype is None else torch_dtype(dtype))


@operation("numpy")
def ones_like(x: Any, dtype: DType = None) -> Tensor:
    """Create a tensor of ones with the shape of another.

    Args:
        x: tensor or array-like.
        dtype: dtype of the result; None: that of `x`.
    """
    return torch.ones_like(x, dtype=None if dtype is None else torch_dtype(dtype))


@operation("numpy")
def empty_like(x: Any, dtype: DType = None) -> Tensor:
    """Create a tensor with the shape of another, without setting its values.

    Args:
        x: tensor or array-like.
        dtype: dtype of the result; None: that of `x`.
    """
    return torch.empty_like(x, dtype=None if dtype is None else torch_dtype(dtype))


def _window(name: str, make: Callable[..., Tensor], text: str) -> Callable[[int], Tensor]:
    def window(x: int) -> Tensor:
        return make(int(x), False, dtype=torch_dtype())

    return described(window, name, f"{text} window, symmetric, for smoothing.", x="number of values.")


bartlett = _window("bartlett", torch.bartlett_window, "Bartlett's (triangular)")
blackman = _window("blackman", torch.blackman_window, "Blackman's")
hamming = _window("hamming", torch.hamming_window, "Hamming's")
hanning = _window("hanning", torch.hann_window, "Hann's")


def kaiser(x: int, beta: float) -> Tensor:
    """Kaiser's window, symmetric, for smoothing.

    Args:
        x: number of values.
        beta: shape: 0 is a rectangle, about 14 a narrow bell.
    """
    return torch.kaiser_window(int(x), False, float(beta), dtype=torch_dtype())


__all__ = [
    "arange", "array", "bartlett", "blackman", "empty", "empty_like", "eye", "full", "full_like", "hamming", "hanning",
    "identity", "kaiser", "linspace", "logspace", "meshgrid", "ones", "ones_like", "tri", "zeros", "zeros_like",
]  # fmt: skip
