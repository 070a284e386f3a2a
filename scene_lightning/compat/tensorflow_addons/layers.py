"""`tfa.layers` and `tfa.activations`: normalisations, stochastic depth, GELU and Mish, with Addons' names."""

from __future__ import annotations

from typing import Any

import torch

from scene_lightning import activations, layers
from scene_lightning._registry import register_in_package
from scene_lightning.activations import gelu, mish


class GroupNormalization(layers.GroupNormalization):
    """Keras' GroupNormalization: Addons' was its model."""


@register_in_package("Addons")
class InstanceNormalization(layers.GroupNormalization):
    """Normalises each channel of each image by itself. Ulyanov et al., 2016.

    Args:
        **kwargs: of `GroupNormalization`; `groups` is left out.
    """

    def __init__(self, **kwargs: Any) -> None:
        kwargs.pop("groups", None)
        super().__init__(groups=-1, **kwargs)


class SpectralNormalization(layers.SpectralNormalization):
    """Keras' SpectralNormalization."""


@register_in_package("Addons")
class StochasticDepth(layers.Layer):
    """Adds shortcut and residual; in training the residual of a whole batch is left out at random.

    In inference it is scaled by the probability. Called on [shortcut, residual]. Huang et al., 2016.

    Args:
        survival_probability: of the residual.
        **kwargs: of `Layer`.
    """

    def __init__(self, survival_probability: float = 0.5, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.survival_probability = survival_probability

    def call(self, x: Any, training: Any = None) -> Any:
        shortcut, residual = x
        if not training:
            return shortcut + self.survival_probability * residual
        return shortcut + (torch.rand((), device=residual.device) < self.survival_probability) * residual


@register_in_package("Addons")
class GELU(layers.Layer):
    """The Gaussian error linear unit.

    Args:
        approximate: whether to take the formula with tanh.
        **kwargs: of `Layer`.
    """

    def __init__(self, approximate: bool = True, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.approximate = approximate

    def call(self, inputs: Any) -> Any:
        return activations.gelu(inputs, approximate=self.approximate)


def hardshrink(x: Any, lower: float = -0.5, upper: float = 0.5) -> Any:
    """Gives x outside lower..upper, 0 within.

    Args:
        x: a tensor.
        lower, upper: the bounds.
    """
    return torch.where((x < lower) | (x > upper), x, 0.0)


def rrelu(x: Any, lower: float = 0.125, upper: float = 1 / 3, training: Any = None, **_: Any) -> Any:
    """Gives x, or below zero x times a slope.

    Args:
        x: a tensor.
        lower, upper: the slope's bounds.
        training: whether the slope is drawn; otherwise it is the middle.
        **_: for Addons' sake, without effect.
    """
    return torch.nn.functional.rrelu(x, lower, upper, bool(training))


__all__ = [
    "GELU", "GroupNormalization", "InstanceNormalization", "SpectralNormalization", "StochasticDepth", "gelu",
    "hardshrink", "mish", "rrelu",
]  # fmt: skip
