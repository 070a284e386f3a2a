"""Activations in; the same shape bent by a function with parameters out. Keras: "Activation layers"."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from scene_lightning import activations, constraints, initializers, regularizers
from scene_lightning.errors import InputError
from scene_lightning.layers.base.arguments import as_float
from scene_lightning.layers.base.symbolic import InputSpec
from scene_lightning.layers.base.types import ConstraintLike, InitializerLike, RegularizerLike
from scene_lightning.layers.regularization import SameShape


def _not_negative(value: Any, name: str, layer: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise InputError(f"{name} of a {layer} layer cannot be None or a negative value. Received: {name}={value!r}")
    return value


class ReLU(SameShape):
    """max(x, 0), with a ceiling, a slope below and a threshold. Keras: `keras.layers.ReLU`."""

    def __init__(
        self, max_value: float | None = None, negative_slope: float = 0.0, threshold: float = 0.0, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.max_value = None if max_value is None else _not_negative(max_value, "max_value", "ReLU")
        self.negative_slope = _not_negative(negative_slope, "negative_slope", "ReLU")
        self.threshold = _not_negative(threshold, "threshold", "ReLU")

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        return activations.relu(as_float(inputs), self.negative_slope, self.max_value, self.threshold)


class LeakyReLU(SameShape):
    """x, or 0.3·x below zero (the activation string "leaky_relu" has 0.2). Keras: `keras.layers.LeakyReLU`."""

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.negative_slope = _not_negative(negative_slope, "negative_slope", "LeakyReLU")

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        return activations.leaky_relu(as_float(inputs), self.negative_slope)


class PReLU(SameShape):
    """x, or alpha·x below zero, alpha learnt for each value (or shared over axes). Keras: `keras.layers.PReLU`."""

    def __init__(
        self,
        alpha_initializer: InitializerLike = "zeros",
        alpha_regularizer: RegularizerLike = None,
        alpha_constraint: ConstraintLike = None,
        shared_axes: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
        self.alpha_constraint = constraints.get(alpha_constraint)
        self.shared_axes = (shared_axes,) if isinstance(shared_axes, int) else shared_axes and tuple(shared_axes)

    def build(self, input_shape: Any) -> None:
        shared = self.shared_axes or ()
        rank = len(input_shape)
        if any(not (isinstance(axis, int) and 1 <= axis < rank) for axis in shared):
            raise InputError(f"`shared_axes` must be axes from 1 to {rank - 1}. Received: shared_axes={shared}")
        sides = [1 if axis in shared else side for axis, side in enumerate(input_shape)][1:]
        self.alpha = self.add_weight(
            name="alpha",
            shape=sides,
            initializer=self.alpha_initializer,
            regularizer=self.alpha_regularizer,
            constraint=self.alpha_constraint,
        )
        self.input_spec = InputSpec(ndim=rank, axes={a: n for a, n in enumerate(input_shape) if a and a not in shared})

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        values = as_float(inputs)
        return torch.relu(values) - self.alpha * torch.relu(-values)


class ELU(SameShape):
    """x, or alpha·(exp(x) - 1) below zero. Keras: `keras.layers.ELU`."""

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = _not_negative(alpha, "alpha", "ELU")

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        return activations.elu(as_float(inputs), self.alpha)


class Softmax(SameShape):
    """exp(x) / Σ exp(x) over `axis` (one or several). Keras: `keras.layers.Softmax`.

    `mask`, broadcast over the inputs: where it is False, the probability is 0.
    """

    def __init__(self, axis: int | Sequence[int] = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis if isinstance(axis, int) else list(axis)

    def call(self, inputs: torch.Tensor, mask: torch.Tensor | None = None) -> torch.Tensor:
        values = as_float(inputs)
        if mask is not None:
            kept = mask if mask.dtype == torch.bool else mask > 0.5
            return torch.where(kept, self._softmax(torch.where(kept, values, -1e9)), 0.0)
        return self._softmax(values)

    def _softmax(self, values: torch.Tensor) -> torch.Tensor:
        if isinstance(self.axis, int) or len(self.axis) == 1:
            return activations.softmax(values, self.axis if isinstance(self.axis, int) else self.axis[0])
        return torch.exp(values - torch.logsumexp(values, self.axis, keepdim=True))


class ThresholdedReLU(SameShape):
    """x where x > theta, else 0. Keras 2: `keras.layers.ThresholdedReLU` (gone from Keras 3)."""

    def __init__(self, theta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.theta = _not_negative(theta, "theta", "ThresholdedReLU")

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        values = as_float(inputs)
        return values * (values > self.theta)
