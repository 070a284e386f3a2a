"""A weight tensor in; the nearest allowed tensor out. Source: https://keras.io/api/layers/constraints"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scene_lightning._registry import Configured, by_every_spelling, resolve, serialize_object
from scene_lightning._settings import epsilon
from scene_lightning._unsupported import lookup


class Constraint(Configured):
    """Base class: `__call__(w)` gives the projected weights."""

    def __call__(self, w: Tensor) -> Tensor:
        return w


def _norms(w: Tensor, axis: int | list[int] | tuple[int, ...]) -> Tensor:
    return torch.sqrt(w.square().sum(dim=axis, keepdim=True))


class MaxNorm(Constraint):
    """Weights whose L2 norm along `axis` is at most `max_value`. The old keyword `m` is taken too."""

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
    """Weights scaled to L2 norm 1 along `axis`."""

    _arguments = ("axis",)

    def __init__(self, axis: Any = 0) -> None:
        self.axis = axis

    def __call__(self, w: Tensor) -> Tensor:
        return w / (epsilon() + _norms(w, self.axis))


class MinMaxNorm(Constraint):
    """L2 norm along `axis` moved by `rate` towards [min_value, max_value]."""

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
    """A name, an object, a function or a config dict → a callable; None → None."""
    return resolve(identifier, table=_TABLE, kind="constraint")


def serialize(constraint: Any) -> Any:
    """Keras' config dict of `constraint`."""
    return serialize_object(constraint, "constraints")


def deserialize(config: Any) -> Any:
    """The reverse of `serialize`."""
    return get(config)


__all__ = [
    "Constraint", "MaxNorm", "MinMaxNorm", "NonNeg", "UnitNorm", "deserialize", "get", "max_norm", "maxnorm",
    "min_max_norm", "non_neg", "nonneg", "serialize", "unit_norm", "unitnorm",
]  # fmt: skip

__getattr__ = lookup(__name__, __all__)
