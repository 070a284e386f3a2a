"""Activations in; the same out, in training with noise or gaps. Keras: "Regularization layers"."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional as F

from scene_lightning import regularizers
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.layers.base.arguments import as_float, fraction, layout
from scene_lightning.layers.base.layer import Layer
from scene_lightning.layers.base.seeds import SeedStream
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.symbolic import InputSpec
from scene_lightning.layers.base.types import Shape, ShapeLike


class SameShape(StandardLayer):
    """A layer whose outputs have the shape of its inputs."""

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return tuple(input_shape)


class Dropout(SameShape):
    """Zero a share `rate` of the values and scale the others by 1/(1 - rate). Keras: `keras.layers.Dropout`.

    Args:
        rate: the share, 0 to 1.
        noise_shape: the shape of the mask, broadcast over the inputs; None in it stands for the input's side.
        seed: the same masks in every run.
    """

    def __init__(
        self, rate: float, noise_shape: ShapeLike | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.rate = fraction(rate)
        self.noise_shape = None if noise_shape is None else _noise_shape(noise_shape)
        self._seeds = SeedStream(seed)
        self.seed = self._seeds.seed

    def call(self, inputs: torch.Tensor, training: bool | None = None) -> torch.Tensor:
        if not training or self.rate == 0:
            return inputs
        values = as_float(inputs)
        shape = self._mask_shape(tuple(values.shape))
        if self.seed is None and shape is None:
            return F.dropout(values, self.rate, True)
        return values * self._mask(values, shape or tuple(values.shape))

    def _mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        if self.noise_shape is None:
            return None
        return tuple(n if mask is None else mask for n, mask in zip(shape, self.noise_shape, strict=True))

    def _mask(self, values: torch.Tensor, shape: tuple[int, ...]) -> torch.Tensor:
        if self.rate == 1:
            return values.new_zeros(shape)
        kept = values.new_empty(shape).bernoulli_(1 - self.rate, generator=self._seeds.next(values.device))
        return kept.div_(1 - self.rate)


def _noise_shape(value: Any) -> tuple[int | None, ...]:
    if not isinstance(value, list | tuple) or any(n is not None and (not isinstance(n, int) or n < 1) for n in value):
        raise InputError(
            "`noise_shape` must be a tuple of positive whole numbers and None, one for each axis, batch axis included. "
            f"Received: noise_shape={value!r}"
        )
    return tuple(value)


class SpatialDropout(Dropout):
    """Drop whole channels."""

    rank: int

    def __init__(self, rate: float, data_format: str | None = None, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, seed=seed, **kwargs)
        self.data_format = layout(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        del config["trainable"]  # Keras' SpatialDropout does not take it, and there is nothing to train
        return config

    def _mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        ones = (1,) * self.rank
        return (shape[0], *ones, shape[-1]) if self.data_format == "channels_last" else (*shape[:2], *ones)


class SpatialDropout1D(SpatialDropout):
    """Whole channels of (N, steps, C). Keras: `keras.layers.SpatialDropout1D`."""

    rank = 1

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, data_format="channels_last", seed=seed, **kwargs)


class SpatialDropout2D(SpatialDropout):
    """Whole channels of (N, H, W, C). Keras: `keras.layers.SpatialDropout2D`."""

    rank = 2


class SpatialDropout3D(SpatialDropout):
    """Whole channels of (N, D, H, W, C). Keras: `keras.layers.SpatialDropout3D`."""

    rank = 3


class GaussianNoise(SameShape):
    """Add normal noise of the given standard deviation. Keras: `keras.layers.GaussianNoise`."""

    def __init__(self, stddev: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.stddev = fraction(stddev, "stddev")
        self._seeds = SeedStream(seed)
        self.seed = self._seeds.seed

    def call(self, inputs: torch.Tensor, training: bool | None = None) -> torch.Tensor:
        if not training or self.stddev == 0:
            return inputs
        values = as_float(inputs)
        noise = torch.empty_like(values).normal_(0.0, self.stddev, generator=self._seeds.next(values.device))
        return values + noise


class GaussianDropout(SameShape):
    """Multiply by normal noise of mean 1, deviation sqrt(rate / (1 - rate)). Keras: `keras.layers.GaussianDropout`."""

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.rate = fraction(rate)
        self._seeds = SeedStream(seed)
        self.seed = self._seeds.seed

    def call(self, inputs: torch.Tensor, training: bool | None = None) -> torch.Tensor:
        if not training or self.rate == 0:
            return inputs
        values = as_float(inputs)
        stddev = math.sqrt(self.rate / (1.0 - self.rate)) if self.rate < 1 else math.inf
        return values * torch.empty_like(values).normal_(1.0, stddev, generator=self._seeds.next(values.device))


class AlphaDropout(SameShape):
    """Dropout that keeps mean and variance after SELU. Keras: `keras.layers.AlphaDropout`."""

    _LOW = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946

    def __init__(
        self, rate: float, noise_shape: ShapeLike | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.rate = fraction(rate)
        self.noise_shape = None if noise_shape is None else _noise_shape(noise_shape)
        self._seeds = SeedStream(seed)
        self.seed = self._seeds.seed

    def call(self, inputs: torch.Tensor, training: bool | None = None) -> torch.Tensor:
        if not training or self.rate == 0:
            return inputs
        values = as_float(inputs)
        shape = tuple(values.shape)
        if self.noise_shape is not None:
            shape = tuple(n if mask is None else mask for n, mask in zip(shape, self.noise_shape, strict=True))
        kept = values.new_empty(shape).bernoulli_(1 - self.rate, generator=self._seeds.next(values.device))
        a = ((1 - self.rate) * (1 + self.rate * self._LOW**2)) ** -0.5 if self.rate < 1 else 0.0
        b = -a * self._LOW * self.rate
        return a * (values * kept + self._LOW * (1 - kept)) + b


class ActivityRegularization(SameShape):
    """The inputs, with l1·Σ|x| + l2·Σx² added to the loss. Keras: `keras.layers.ActivityRegularization`."""

    def __init__(self, l1: float = 0.0, l2: float = 0.0, **kwargs: Any) -> None:
        super().__init__(activity_regularizer=regularizers.L1L2(l1=l1, l2=l2), **kwargs)
        self.l1, self.l2 = float(l1), float(l2)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        return as_float(inputs)

    def get_config(self) -> dict[str, Any]:
        config = super().get_config()
        config.pop("activity_regularizer", None)  # made again from l1 and l2
        return config


class Masking(Layer):
    """Not available here: masks belong to sequence models."""

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        raise UnsupportedError("Masking is not supported: masks belong to sequence models; images need none.")
