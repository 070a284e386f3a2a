"""A metric's state with Keras' `assign` and `assign_add`, usable where torch expects a tensor."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor

from scene_lightning.tree import map_structure


class MetricVariable:
    """A name for one state of one metric; reading gives the state's present tensor.

    Args:
        owner: the metric.
        state: the attribute of the metric that holds the tensor.
        name: the variable's name.
    """

    def __init__(self, owner: Any, state: str, name: str) -> None:
        self._owner = owner
        self._state = state
        self.name = name

    @property
    def value(self) -> Tensor:
        """The state as a tensor."""
        return getattr(self._owner, self._state)

    @property
    def shape(self) -> torch.Size:
        """The state's shape."""
        return self.value.shape

    @property
    def dtype(self) -> torch.dtype:
        """The state's dtype."""
        return self.value.dtype

    def assign(self, value: Any) -> MetricVariable:
        """Replace the state; shapes broadcast to it."""
        old = self.value
        new = torch.as_tensor(plain(value), dtype=old.dtype, device=old.device)
        setattr(self._owner, self._state, new.detach().broadcast_to(old.shape).clone())
        return self

    def assign_add(self, value: Any) -> MetricVariable:
        """Add to the state."""
        return self.assign(self.value + plain(value))

    def assign_sub(self, value: Any) -> MetricVariable:
        """Subtract from the state."""
        return self.assign(self.value - plain(value))

    def numpy(self) -> np.ndarray:
        """The state as NumPy."""
        return self.value.detach().cpu().numpy()

    def __array__(self, dtype: Any = None, copy: Any = None) -> np.ndarray:
        return np.asarray(self.numpy(), dtype=dtype)

    def __float__(self) -> float:
        return float(self.value)

    def __int__(self) -> int:
        return int(self.value)

    def __getitem__(self, index: Any) -> Tensor:
        return self.value[index]

    def __len__(self) -> int:
        return len(self.value)

    def __repr__(self) -> str:
        return f"<MetricVariable {self.name} {self.value}>"

    @classmethod
    def __torch_function__(cls, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        return func(*map_structure(plain, args), **map_structure(plain, kwargs or {}))

    def __add__(self, other: Any) -> Tensor:
        return self.value + plain(other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Tensor:
        return self.value - plain(other)

    def __rsub__(self, other: Any) -> Tensor:
        return plain(other) - self.value

    def __mul__(self, other: Any) -> Tensor:
        return self.value * plain(other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> Tensor:
        return self.value / plain(other)

    def __rtruediv__(self, other: Any) -> Tensor:
        return plain(other) / self.value

    def __pow__(self, other: Any) -> Tensor:
        return self.value ** plain(other)

    def __neg__(self) -> Tensor:
        return -self.value


def plain(value: Any) -> Any:
    """The tensor of a metric's variable; anything else as it is.

    Args:
        value: operand of an arithmetic operation.
    """
    return value.value if isinstance(value, MetricVariable) else value
