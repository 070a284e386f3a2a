"""`tf.random`: torch's global generator. TensorFlow: `tf.random`."""

from __future__ import annotations

from typing import Any

import torch

from scene_lightning.compat.stand_in.array_ops import _sides
from scene_lightning.compat.stand_in.dtypes import as_dtype
from scene_lightning.compat.stand_in.operation import as_tensor
from scene_lightning.errors import InputError


def set_seed(seed: int) -> None:
    """Seed torch, on every device. (Keras' `set_random_seed` seeds Python and NumPy as well.)"""
    torch.manual_seed(int(seed))


set_random_seed = set_seed


def normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = "float32", seed: Any = None,
           name: Any = None) -> torch.Tensor:
    """Normally distributed numbers."""
    return torch.randn(_sides(shape), dtype=as_dtype(dtype)) * stddev + mean


def truncated_normal(shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = "float32", seed: Any = None,
                     name: Any = None) -> torch.Tensor:
    """Normally distributed numbers within two deviations."""
    made = torch.empty(_sides(shape), dtype=as_dtype(dtype))
    return torch.nn.init.trunc_normal_(made, mean, stddev, mean - 2 * stddev, mean + 2 * stddev)


def uniform(shape: Any, minval: Any = 0, maxval: Any = None, dtype: Any = "float32", seed: Any = None,
            name: Any = None) -> torch.Tensor:
    """Equally likely numbers in [minval, maxval)."""
    kind = as_dtype(dtype)
    if kind.is_floating_point:
        high = 1 if maxval is None else maxval
        return torch.rand(_sides(shape), dtype=kind) * (high - minval) + minval
    if maxval is None:
        raise InputError("tf.random.uniform needs maxval for an integer dtype.")
    return torch.randint(int(minval), int(maxval), _sides(shape), dtype=kind)


def randint(shape: Any, minval: int, maxval: int, dtype: Any = "int32", seed: Any = None) -> torch.Tensor:
    """Equally likely whole numbers in [minval, maxval)."""
    return uniform(shape, minval, maxval, dtype)


def shuffle(value: Any, seed: Any = None, name: Any = None) -> Any:
    """The first axis in random order."""
    x = as_tensor(value)
    order = torch.randperm(len(x))
    return x[order.numpy()] if not isinstance(x, torch.Tensor) else x[order]


def categorical(logits: Any, num_samples: int, dtype: Any = "int64", seed: Any = None, **_: Any) -> torch.Tensor:
    """(N, num_samples) class numbers drawn from logits (N, classes)."""
    return torch.multinomial(torch.softmax(as_tensor(logits), -1), num_samples, True).to(as_dtype(dtype))


class Generator:
    """Random numbers from a generator of its own. TensorFlow: `tf.random.Generator`."""

    def __init__(self, seed: int) -> None:
        self._torch = torch.Generator().manual_seed(seed)

    @classmethod
    def from_seed(cls, seed: int, alg: Any = None) -> Generator:
        """A generator that starts at a seed."""
        return cls(int(seed))

    @classmethod
    def from_non_deterministic_state(cls, alg: Any = None) -> Generator:
        """A generator that starts anywhere."""
        return cls(torch.seed())

    def uniform(self, shape: Any, minval: float = 0, maxval: float = 1, dtype: Any = "float32") -> torch.Tensor:
        """Equally likely numbers."""
        return torch.rand(_sides(shape), generator=self._torch, dtype=as_dtype(dtype)) * (maxval - minval) + minval

    def normal(self, shape: Any, mean: float = 0.0, stddev: float = 1.0, dtype: Any = "float32") -> torch.Tensor:
        """Normally distributed numbers."""
        return torch.randn(_sides(shape), generator=self._torch, dtype=as_dtype(dtype)) * stddev + mean


__all__ = [
    "Generator", "categorical", "normal", "randint", "set_random_seed", "set_seed", "shuffle", "truncated_normal",
    "uniform",
]  # fmt: skip
