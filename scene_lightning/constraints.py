"""Keras' constraints (`keras.constraints`): they bring weights back into what is allowed after each step.

Source: https://keras.io/api/layers/constraints
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scene_lightning._registry import Configured, by_every_spelling, resolve, serialize_object
from scene_lightning._settings import epsilon
from scene_lightning._unsupported import explain_missing_names


class Constraint(Configured):
    """Base class of constraints: `__call__(w)` gives the nearest allowed weight, here w itself. Keras: `Constraint`."""

    def __call__(self, w: Tensor) -> Tensor:
        return w


def _norms(w: Tensor, axis: int | list[int] | tuple[int, ...]) -> Tensor:
    return torch.sqrt(w.square().sum(dim=axis, keepdim=True))


class MaxNorm(Constraint):
    """Weights whose L2 norm along `axis` is at most `max_value`.

    Args:
        max_value: the largest norm.
        axis: axis or axes of the weight along which norms are taken; 0 for Dense, [0, 1, 2] for Conv2D kernels.
        **old: `m`, Keras 2's name of max_value.
    """

    _arguments = ("max_value", "axis")

    def __init__(self, max_value: float = 2, axis: Any = 0, **old: float) -> None:
        self.max_value = old.pop("m", max_value)
        if old:
            raise TypeError(f"Unknown argument(s) {sorted(old)} of MaxNorm.")
        self.axis = axis

    def __call__(self, w: Tensor) -> Tensor:
        norms = _norms(w, self.axis)
        return w * (torch.clamp(norms, 0, self.max_value) / (epsilon() + norms))


class NonNeg(Constraint):
    """Weights below zero become zero."""

    def __call__(self, w: Tensor) -> Tensor:
        return torch.clamp(w, min=0)


class UnitNorm(Constraint):
    """Weights scaled to an L2 norm of 1 along `axis`.

    Args:
        axis: axis or axes of the weight along which norms are taken; 0 for Dense, [0, 1, 2] for Conv2D kernels.
    """

    _arguments = ("axis",)

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Tensor) -> Tensor:
        return w / (epsilon() + _norms(w, self.axis))


class MinMaxNorm(Constraint):
    """Weights whose L2 norm along `axis` lies between two bounds.

    Args:
        min_value: the smallest norm.
        max_value: the largest norm.
        rate: share of the way to the bounds that is gone at each step, in (0, 1]; 1 keeps to them strictly.
        axis: axis or axes of the weight along which norms are taken; 0 for Dense, [0, 1, 2] for Conv2D kernels.
    """

    _arguments = ("min_value", "max_value", "rate", "axis")

    def __init__(self, min_value: float = 0.0, max_value: float = 1.0, rate: float = 1.0, axis: Any = 0) -> None:
        self.min_value = min_value
        self.max_value = max_value
        self.rate = rate
        self.axis = axis

    def __call__(self, w: Tensor) -> Tensor:
        norms = _norms(w, self.axis)
        desired = self.rate * torch.clamp(norms, self.min_value, self.max_value) + (1 - self.rate) * norms
        return w * (desired / (epsilon() + norms))


max_norm = maxnorm = MaxNorm
non_neg = nonneg = NonNeg
unit_norm = unitnorm = UnitNorm
min_max_norm = MinMaxNorm

_TABLE: dict[str, Any] = by_every_spelling(
    {cls.__name__: cls for cls in (MaxNorm, NonNeg, UnitNorm, MinMaxNorm, Constraint)}
)


def get(identifier: Any) -> Any:
    """Turn what a layer's `kernel_constraint=` accepts into a constraint.

    Args:
        identifier: a name such as "non_neg", a class, an object, a function of the weight, a config dict, or None.

    Returns:
        A callable (weight) → weight, or None for None.

    Raises:
        InputError: an unknown name (the nearest one is suggested).
    """
    return resolve(identifier, table=_TABLE, kind="constraint")


def serialize(constraint: Any) -> Any:
    """Describe a constraint as Keras' files do.

    Args:
        constraint: a `Constraint` or a function.

    Returns:
        A dict with "class_name" and "config"; the name, for a function.
    """
    return serialize_object(constraint, "constraints")


def deserialize(config: Any) -> Any:
    """Make a constraint from what `serialize` returned, or Keras wrote.

    Args:
        config: config dict or name.

    Returns:
        A `Constraint`.
    """
    return get(config)


__all__ = [
    "Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "deserialize", "get", "max_norm", "maxnorm",
    "min_max_norm", "non_neg", "nonneg", "serialize", "unit_norm", "unitnorm",
]  # fmt: skip

explain_missing_names(__name__, __all__)
