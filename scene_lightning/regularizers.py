"""Keras' regularizers (`keras.regularizers`): penalties on weights that are added to the loss.

Source: https://keras.io/api/layers/regularizers
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from scene_lightning._registry import Configured, by_every_spelling, resolve, serialize_object
from scene_lightning._settings import epsilon
from scene_lightning.errors import InputError


class Regularizer(Configured):
    """Base class of regularizers: `__call__(w)` gives the penalty as a scalar, here 0. Keras: `Regularizer`."""

    def __call__(self, x: Tensor) -> Tensor:
        return torch.zeros((), dtype=x.dtype, device=x.device)


class L1L2(Regularizer):
    """Penalty on the absolute values and the squares of a weight: l1·Σ|w| + l2·Σw².

    Args:
        l1: factor of Σ|w|, 0 or more; None: 0.
        l2: factor of Σw², 0 or more; None: 0.

    Raises:
        InputError: a factor that is negative or no finite number.
    """

    _arguments = ("l1", "l2")

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1 = _non_negative(0.0 if l1 is None else l1, "l1")
        self.l2 = _non_negative(0.0 if l2 is None else l2, "l2")

    def __call__(self, x: Tensor) -> Tensor:
        total = torch.zeros((), dtype=x.dtype, device=x.device)
        if self.l1:
            total = total + self.l1 * x.abs().sum()
        if self.l2:
            total = total + self.l2 * x.square().sum()
        return total


class L1(Regularizer):
    """Penalty on the absolute values of a weight: l1·Σ|w|.

    Args:
        l1: factor, 0 or more; None: 0.01.
        **old: `l`, Keras 2's name of l1.

    Raises:
        InputError: a factor that is negative or no finite number.
    """

    _arguments = ("l1",)

    def __init__(self, l1: float | None = 0.01, **old: float) -> None:
        self.l1 = _non_negative(_given(l1, old), "l1")

    def __call__(self, x: Tensor) -> Tensor:
        return self.l1 * x.abs().sum()


class L2(Regularizer):
    """Penalty on the squares of a weight: l2·Σw², without a half.

    Args:
        l2: factor, 0 or more; None: 0.01.
        **old: `l`, Keras 2's name of l2.

    Raises:
        InputError: a factor that is negative or no finite number.
    """

    _arguments = ("l2",)

    def __init__(self, l2: float | None = 0.01, **old: float) -> None:
        self.l2 = _non_negative(_given(l2, old), "l2")

    def __call__(self, x: Tensor) -> Tensor:
        return self.l2 * x.square().sum()


class OrthogonalRegularizer(Regularizer):
    """Penalty on rows (or columns) of a matrix that are not orthogonal: factor · mean |cosine| of different ones.

    Args:
        factor: strength, 0 or more.
        mode: 'rows' or 'columns': which vectors of the matrix are to be orthogonal.

    Raises:
        InputError: an argument out of its range; when called, a weight that is no matrix.
    """

    _arguments = ("factor", "mode")

    def __init__(self, factor: float = 0.01, mode: str = "rows") -> None:
        if mode not in ("rows", "columns"):
            raise InputError(f"Expected mode 'rows' or 'columns'; received {mode!r}.")
        self.factor = _non_negative(factor, "factor")
        self.mode = mode

    def __call__(self, x: Tensor) -> Tensor:
        if x.ndim != 2:
            raise InputError(f"OrthogonalRegularizer needs a matrix; received shape {tuple(x.shape)}.")
        rows = x if self.mode == "rows" else x.T
        inverse = torch.clamp(rows.square().sum(dim=1, keepdim=True).rsqrt(), max=1.0 / epsilon())
        unit = rows * inverse
        size = unit.shape[0]
        product = (unit @ unit.T) * (1.0 - torch.eye(size, dtype=x.dtype, device=x.device))
        return self.factor * 0.5 * product.abs().sum() / (size * (size - 1.0) / 2.0)


def _non_negative(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value < 0:
        raise InputError(f"Expected a non-negative number for {name}; received {value!r}.")
    return float(value)


def _given(value: float | None, old: dict[str, float]) -> float:
    if unknown := set(old) - {"l"}:
        raise InputError(f"Unknown argument(s) {sorted(unknown)} of a regularizer.")
    value = old.get("l", value)
    return 0.01 if value is None else value


def l1_l2(l1: float = 0.01, l2: float = 0.01) -> L1L2:
    """Make an `L1L2` with Keras' defaults for this function (0.01 each, unlike the class).

    Args:
        l1: factor of Σ|w|, 0 or more.
        l2: factor of Σw², 0 or more.
    """
    return L1L2(l1=l1, l2=l2)


l1 = L1
l2 = L2
orthogonal_regularizer = OrthogonalRegularizer

_TABLE: dict[str, Any] = by_every_spelling(
    {cls.__name__: cls for cls in (L1, L2, L1L2, OrthogonalRegularizer, Regularizer)}
) | {"l1_l2": L1L2}


def get(identifier: Any) -> Any:
    """Turn what a layer's `kernel_regularizer=` accepts into a regularizer.

    Args:
        identifier: a name such as "l2", a class, an object, a function of the weight, a config dict, or None.

    Returns:
        A callable (weight) → scalar, or None for None.

    Raises:
        InputError: an unknown name (the nearest one is suggested).
    """
    return resolve(identifier, table=_TABLE, kind="regularizer")


def serialize(regularizer: Any) -> Any:
    """Describe a regularizer as Keras' files do.

    Args:
        regularizer: a `Regularizer` or a function.

    Returns:
        A dict with "class_name" and "config"; the name, for a function.
    """
    return serialize_object(regularizer, "regularizers")


def deserialize(config: Any) -> Any:
    """Make a regularizer from what `serialize` returned, or Keras wrote.

    Args:
        config: config dict or name.

    Returns:
        A `Regularizer`.
    """
    return get(config)


__all__ = [
    "L1", "L1L2", "L2", "OrthogonalRegularizer", "Regularizer", "deserialize", "get", "l1", "l1_l2", "l2",
    "orthogonal_regularizer", "serialize",
]  # fmt: skip
