"""Activation functions that have parameters of their own, as layers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from scene_lightning import activations
from scene_lightning._settings import as_float
from scene_lightning.errors import InputError
from scene_lightning.layers.base.symbolic import InputSpec
from scene_lightning.layers.base.types import ConstraintLike, InitializerLike, RegularizerLike, ShapeLike
from scene_lightning.layers.regularization import SameShape


def _not_negative(value: Any, name: str, layer: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise InputError(f"{name} of a {layer} layer cannot be None or a negative value. Received: {name}={value!r}")
    return value


class ReLU(SameShape):
    """Set negative values to 0: the rectified linear unit.

    max_value where x ≥ max_value; x where threshold ≤ x < max_value; negative_slope·(x - threshold) below.

    Args:
        max_value: ceiling of the outputs; None: none. ReLU6 has 6.
        negative_slope: slope below the threshold.
        threshold: value from which on inputs pass.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        Any.

    Output shape:
        That of the input.

    Raises:
        InputError: a negative argument.
    """

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
    """Make negative values smaller instead of 0.

    x where x ≥ 0, negative_slope·x below. The string activation="leaky_relu" has a slope of 0.2.

    Args:
        negative_slope: slope below 0; Keras 1 and 2 call it `alpha`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        Any.

    Output shape:
        That of the input.

    Raises:
        InputError: a negative slope.
    """

    def __init__(self, negative_slope: float = 0.3, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.negative_slope = _not_negative(negative_slope, "negative_slope", "LeakyReLU")

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        return activations.leaky_relu(as_float(inputs), self.negative_slope)


class PReLU(SameShape):
    """Make negative values smaller, by learned factors.

    x where x ≥ 0, alpha·x below, with one alpha for each value of a sample. Source: He et al. 2015 (arXiv:1502.01852).

    Args:
        alpha_initializer: how the first alphas are made; zeros.
        alpha_regularizer: penalty on alpha, added to the loss: "l2", an object or a function; None: none.
        alpha_constraint: what is applied to alpha after each training step; None: nothing.
        shared_axes: axes, counted from 1, along which there is one alpha: [1, 2] makes one a channel of images.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, ...), every side that is not shared being known.

    Output shape:
        That of the input.

    Raises:
        InputError: `shared_axes` that the input does not have.
    """

    def __init__(
        self,
        alpha_initializer: InitializerLike = "zeros",
        alpha_regularizer: RegularizerLike = None,
        alpha_constraint: ConstraintLike = None,
        shared_axes: int | Sequence[int] | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self._set_options("alpha", alpha_initializer, alpha_regularizer, alpha_constraint)
        self.shared_axes = (shared_axes,) if isinstance(shared_axes, int) else shared_axes and tuple(shared_axes)

    def build(self, input_shape: ShapeLike) -> None:
        shared = self.shared_axes or ()
        rank = len(input_shape)
        if any(not (isinstance(axis, int) and 1 <= axis < rank) for axis in shared):
            raise InputError(f"`shared_axes` must be axes from 1 to {rank - 1}. Received: shared_axes={shared}")
        sides = [1 if axis in shared else side for axis, side in enumerate(input_shape)][1:]
        self.alpha = self._add_named_weight("alpha", sides)
        self.input_spec = InputSpec(ndim=rank, axes={a: n for a, n in enumerate(input_shape) if a and a not in shared})

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        values = as_float(inputs)
        return torch.relu(values) - self.alpha * torch.relu(-values)


class ELU(SameShape):
    """Let negative values go smoothly towards a bound.

    x where x ≥ 0, alpha·(exp(x) - 1) below. Source: Clevert et al. 2015 (arXiv:1511.07289).

    Args:
        alpha: the outputs stay above -alpha.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        Any.

    Output shape:
        That of the input.

    Raises:
        InputError: a negative `alpha`.
    """

    def __init__(self, alpha: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.alpha = _not_negative(alpha, "alpha", "ELU")

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        return activations.elu(as_float(inputs), self.alpha)


class Softmax(SameShape):
    """Turn scores into probabilities that add up to 1.

    exp(x) / Σ exp(x), computed without overflow.

    Args:
        axis: the axis that the sum goes over, or several.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: tensor of scores.
        mask: what broadcasts to the inputs; where it is false, the probability is 0.

    Input shape:
        Any.

    Output shape:
        That of the input.
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
    """Set values up to a threshold to 0.

    x where x > theta, else 0. Keras 2's layer, which Keras 3 no longer has. Source: Konda et al. 2014
    (arXiv:1402.3337).

    Args:
        theta: the threshold.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        Any.

    Output shape:
        That of the input.

    Raises:
        InputError: a negative `theta`.
    """

    def __init__(self, theta: float = 1.0, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.theta = _not_negative(theta, "theta", "ThresholdedReLU")

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        values = as_float(inputs)
        return values * (values > self.theta)


__all__ = ["ELU", "LeakyReLU", "PReLU", "ReLU", "Softmax", "ThresholdedReLU"]
