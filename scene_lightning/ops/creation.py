"""Shapes in, new tensors on the CPU out. Keras: the makers in `keras.ops.numpy`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scene_lightning._settings import torch_dtype


def zeros(shape: Any, dtype: Any = None) -> Tensor:
    """Zeros of `shape`. Keras: `ops.zeros`."""
    return torch.zeros(shape, dtype=torch_dtype(dtype))


def ones(shape: Any, dtype: Any = None) -> Tensor:
    """Ones of `shape`. Keras: `ops.ones`."""
    return torch.ones(shape, dtype=torch_dtype(dtype))


def full(shape: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """`fill_value` everywhere. Keras: `ops.full`."""
    return torch.full((shape,) if isinstance(shape, int) else tuple(shape), fill_value, dtype=torch_dtype(dtype))


def eye(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Tensor:
    """Ones on the `k`-th diagonal of an N × M matrix. Keras: `ops.eye`."""
    whole = torch.ones(N, N if M is None else M, dtype=torch_dtype(dtype))
    return torch.triu(torch.tril(whole, k), k)


def arange(start: Any, stop: Any = None, step: Any = None, dtype: Any = None) -> Tensor:
    """Numbers from `start` up to `stop`: int32 from whole numbers, else `floatx()`. Keras: `ops.arange`."""
    first, last = (0, start) if stop is None else (start, stop)
    step = 1 if step is None else step
    whole = not _any_float(first, last, step)
    return torch.arange(first, last, step, dtype=torch_dtype(dtype or ("int32" if whole else None)))


def linspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, dtype: Any = None) -> Tensor:
    """`num` numbers at equal distances. Keras: `ops.linspace`."""
    last = stop if endpoint else start + (stop - start) * (num - 1) / num
    return torch.linspace(start, last, num, dtype=torch_dtype(dtype))


def _any_float(*numbers: Any) -> bool:
    """Whether a number is a float."""
    return next((True for number in numbers if isinstance(number, float)), False)
