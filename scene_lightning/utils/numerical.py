"""Labels in, one-hot rows out; arrays in, normalised arrays out; a seed in, all generators seeded."""

from __future__ import annotations

import random
from typing import Any

import numpy as np
import torch

from scene_lightning.errors import InputError


def to_categorical(x: Any, num_classes: int | None = None, dtype: Any = None) -> Any:
    """(…,) or (…, 1) class numbers → (…, num_classes) one-hot. Keras: `utils.to_categorical`.

    Args:
        num_classes: by default the largest number + 1.
        dtype: of the result; float64 by default for arrays (as in Keras), float32 for tensors.

    Raises:
        InputError: a class number outside 0..num_classes−1.
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


def normalize(x: Any, axis: int = -1, order: int = 2) -> Any:
    """`x` divided by its norm along `axis`; zero stays zero. Keras: `utils.normalize`."""
    if isinstance(x, torch.Tensor):
        norm = torch.linalg.vector_norm(x, ord=order, dim=axis, keepdim=True)
        return x / torch.where(norm == 0, torch.ones_like(norm), norm)
    array = np.asarray(x)
    norm = np.atleast_1d(np.linalg.norm(array, order, axis))
    norm[norm == 0] = 1
    return array / np.expand_dims(norm, axis)


def set_random_seed(seed: int) -> None:
    """Seed Python's, NumPy's and torch's generators. Keras: `utils.set_random_seed`.

    Raises:
        InputError: `seed` is no integer.
    """
    if not isinstance(seed, int):
        raise InputError(f"Expected `seed` argument to be an integer. Received: seed={seed} (of type {type(seed)})")
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)  # every device's generator


def pack_x_y_sample_weight(x: Any, y: Any = None, sample_weight: Any = None) -> Any:
    """x, or (x, y), or (x, y, sample_weight): what `fit` reads as one batch."""
    if y is None:
        return (x,) if isinstance(x, list | tuple) else x
    return (x, y) if sample_weight is None else (x, y, sample_weight)
