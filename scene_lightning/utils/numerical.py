"""One-hot labels, normalised arrays, the seeds of all generators, and (x, y, sample_weight) tuples."""

from __future__ import annotations

import random
from typing import Any, overload

import numpy as np
import numpy.typing as npt
import torch

from scene_lightning.errors import InputError


@overload
def to_categorical(x: torch.Tensor, num_classes: int | None = None, dtype: Any = None) -> torch.Tensor: ...
@overload
def to_categorical(x: npt.ArrayLike, num_classes: int | None = None, dtype: Any = None) -> npt.NDArray[Any]: ...
def to_categorical(x: Any, num_classes: int | None = None, dtype: Any = None) -> npt.NDArray[Any] | torch.Tensor:
    """Convert class numbers to one-hot rows. Keras: `utils.to_categorical`.

    Args:
        x: whole numbers from 0, as an array, list or tensor of any shape; a last axis of length 1 is dropped.
        num_classes: the length of a row; None takes the largest number + 1.
        dtype: of the result; None takes float64 for arrays (as in Keras) and float32 for tensors.

    Returns:
        The shape of `x` with `num_classes` added at its end: an array, or a tensor for a tensor.

    Raises:
        InputError: a class number outside 0..num_classes-1.

    Example:
        >>> keras.utils.to_categorical([0, 2, 1], num_classes=3)
        array([[1., 0., 0.],
               [0., 0., 1.],
               [0., 1., 0.]])
    """
    is_tensor = isinstance(x, torch.Tensor)
    numbers = np.asarray(x.detach().cpu() if is_tensor else x).astype(np.int64)
    if numbers.ndim > 1 and numbers.shape[-1] == 1:
        numbers = numbers[..., 0]
    if numbers.size == 0 and not num_classes:
        raise InputError("to_categorical cannot find the number of classes in an empty array: give num_classes.")
    classes = int(num_classes or numbers.max() + 1)
    if numbers.size and (numbers.min() < -classes or numbers.max() >= classes):
        raise InputError(
            f"to_categorical received class numbers from {numbers.min()} to {numbers.max()}; expected 0 to "
            f"{classes - 1} for num_classes={classes}. Labels that start at 1 need num_classes + 1, or labels - 1."
        )
    result = np.eye(classes)[numbers]
    if is_tensor:
        return torch.as_tensor(result, dtype=dtype or torch.float32, device=x.device)
    return result if dtype is None else result.astype(dtype)


@overload
def normalize(x: torch.Tensor, axis: int = -1, order: int = 2) -> torch.Tensor: ...
@overload
def normalize(x: npt.ArrayLike, axis: int = -1, order: int = 2) -> npt.NDArray[Any]: ...
def normalize(x: Any, axis: int = -1, order: int = 2) -> npt.NDArray[Any] | torch.Tensor:
    """Divide by the norm along an axis; rows of zeros stay zero. Keras: `utils.normalize`.

    Args:
        x: an array or tensor.
        axis: along which the norm is taken.
        order: of the norm: 1 sums absolute values, 2 (default) is Euclid's.

    Returns:
        What `x` was, of the same shape.
    """
    if isinstance(x, torch.Tensor):
        norm = torch.linalg.vector_norm(x, ord=order, dim=axis, keepdim=True)
        return x / torch.where(norm == 0, torch.ones_like(norm), norm)
    array = np.asarray(x)
    norm = np.atleast_1d(np.linalg.norm(array, order, axis))
    norm[norm == 0] = 1
    return array / np.expand_dims(norm, axis)


def set_random_seed(seed: int) -> None:
    """Seed Python's, NumPy's and torch's generators, so that a program repeats itself. Keras: `utils.set_random_seed`.

    Args:
        seed: a whole number.

    Raises:
        InputError: `seed` is not a whole number.
    """
    if not isinstance(seed, int):
        raise InputError(f"Expected `seed` argument to be an integer. Received: seed={seed} (of type {type(seed)})")
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)  # every device's generator


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """Put inputs, targets and weights into one tuple, a batch for `fit`. Keras: `utils.pack_x_y_sample_weight`.

    Args:
        x: inputs.
        y: targets, or None.
        sample_weight: weights, or None.

    Returns:
        `x`, `(x, y)` or `(x, y, sample_weight)`; `(x,)` where `x` alone is a list or tuple.
    """
    if y is None:
        return (x,) if isinstance(x, list | tuple) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)
