"""Layers that add noise or gaps to activations in training, or a penalty on them to the loss."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional as F

from scene_lightning import regularizers
from scene_lightning._settings import as_float
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.layers.base.arguments import fraction, layout
from scene_lightning.layers.base.layer import Layer
from scene_lightning.layers.base.seeds import SeedStream
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.symbolic import InputSpec
from scene_lightning.layers.base.types import Shape, ShapeLike


class SameShape(StandardLayer):
    """A layer whose outputs have the shape of its inputs."""

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        return tuple(input_shape)


class _RandomMask(SameShape):
    """The base of the dropouts whose mask may have a shape of its own."""

    def __init__(
        self, rate: float, noise_shape: ShapeLike | None = None, seed: int | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.rate = fraction(rate)
        self.noise_shape = None if noise_shape is None else _noise_shape(noise_shape)
        self._seeds = SeedStream(seed)
        self.seed = self._seeds.seed

    def _mask_shape(self, shape: tuple[int, ...]) -> tuple[int, ...] | None:
        """The mask's shape for inputs of this shape; None: the same."""
        if self.noise_shape is None:
            return None
        return tuple(n if mask is None else mask for n, mask in zip(shape, self.noise_shape, strict=True))

    def _kept(self, values: torch.Tensor) -> torch.Tensor:
        """1 with the probability 1 - rate, else 0."""
        shape = tuple(values.shape)
        kept = values.new_empty(self._mask_shape(shape) or shape)
        return kept.bernoulli_(1 - self.rate, generator=self._seeds.next(values.device))


class Dropout(_RandomMask):
    """Set a random share of the values to 0 in training.

    The other values are multiplied by 1 / (1 - rate), so that their expected sum stays. At inference nothing changes.
    Source: Srivastava et al. 2014 (JMLR 15).

    Args:
        rate: share of the values that are dropped, from 0 to 1.
        noise_shape: shape of the mask, which is broadcast to the inputs; None in it: the input's side. (None, 1, 1,
            None) drops whole channels.
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: tensor of any shape.
        training: whether to drop; None: as the model that calls is in training or not.

    Output shape:
        That of the input.

    Raises:
        InputError: a rate outside 0 to 1, or something that is no shape.

    Example:
        >>> features = torch.ones(8, 512)
        >>> keras.layers.Dropout(0.5)(features, training=True).unique().tolist()
        [0.0, 2.0]
    """

    def call(self, inputs: torch.Tensor, training: bool | None = None) -> torch.Tensor:
        if not training or self.rate == 0:
            return inputs
        values = as_float(inputs)
        if self.seed is None and self._mask_shape(tuple(values.shape)) is None:
            return F.dropout(values, self.rate, True)
        if self.rate == 1:
            return values * 0
        return values * self._kept(values).div_(1 - self.rate)


def _noise_shape(value: Any) -> tuple[int | None, ...]:
    if not isinstance(value, list | tuple) or any(n is not None and (not isinstance(n, int) or n < 1) for n in value):
        raise InputError(
            "`noise_shape` must be a tuple of positive whole numbers and None, one for each axis, batch axis included. "
            f"Received: noise_shape={value!r}"
        )
    return tuple(value)


class SpatialDropout(Dropout):
    """The base of `SpatialDropout1D`, `2D` and `3D`: drops whole channels.

    Args:
        rate: share of the channels that are dropped, from 0 to 1.
        data_format: "channels_last", "channels_first" or None for the configured default.
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
        **kwargs: name, dtype and trainable, as for `Layer`.
    """

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
    """Set whole channels of sequences to 0 in training.

    Neighbouring values of a channel say much the same, so that single gaps hide little: this drops all steps of a
    channel at once. The other channels are multiplied by 1 / (1 - rate). Source: Tompson et al. 2014 (arXiv:1411.4280).

    Args:
        rate: share of the channels that are dropped, from 0 to 1.
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: tensor (batch, steps, channels).
        training: whether to drop; None: as the model that calls is in training or not.

    Output shape:
        That of the input.

    Raises:
        InputError: a rate outside 0 to 1.
    """

    rank = 1

    def __init__(self, rate: float, seed: int | None = None, **kwargs: Any) -> None:
        super().__init__(rate, data_format="channels_last", seed=seed, **kwargs)


class SpatialDropout2D(SpatialDropout):
    """Set whole channels of images to 0 in training.

    Neighbouring values of a channel say much the same, so that single gaps hide little: this drops a channel in all
    pixels at once. The other channels are multiplied by 1 / (1 - rate). Source: Tompson et al. 2014 (arXiv:1411.4280).

    Args:
        rate: share of the channels that are dropped, from 0 to 1.
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: tensor (batch, height, width, channels), or (batch, channels, height, width) with "channels_first".
        training: whether to drop; None: as the model that calls is in training or not.

    Output shape:
        That of the input.

    Raises:
        InputError: a rate outside 0 to 1.
    """

    rank = 2


class SpatialDropout3D(SpatialDropout):
    """Set whole channels of volumes to 0 in training.

    Neighbouring values of a channel say much the same, so that single gaps hide little: this drops a channel in all
    voxels at once. The other channels are multiplied by 1 / (1 - rate). Source: Tompson et al. 2014 (arXiv:1411.4280).

    Args:
        rate: share of the channels that are dropped, from 0 to 1.
        data_format: "channels_last", (batch, depth, height, width, channels), or "channels_first", (batch, channels,
            depth, height, width); None: `keras.config.image_data_format()`.
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: tensor (batch, depth, height, width, channels), or (batch, channels, depth, height, width) with
            "channels_first".
        training: whether to drop; None: as the model that calls is in training or not.

    Output shape:
        That of the input.

    Raises:
        InputError: a rate outside 0 to 1.
    """

    rank = 3


class GaussianNoise(SameShape):
    """Add normally distributed noise in training.

    Args:
        stddev: standard deviation of the noise, from 0 to 1, in the inputs' units; its mean is 0.
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: tensor of any shape.
        training: whether to add; None: as the model that calls is in training or not.

    Output shape:
        That of the input.

    Raises:
        InputError: a deviation outside 0 to 1.
    """

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
    """Multiply by normally distributed noise in training.

    The noise has mean 1 and standard deviation sqrt(rate / (1 - rate)), that of `Dropout` with the same rate. Source:
    Srivastava et al. 2014 (JMLR 15), section 10.

    Args:
        rate: share that `Dropout` would drop, from 0 to 1.
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: tensor of any shape.
        training: whether to multiply; None: as the model that calls is in training or not.

    Output shape:
        That of the input.

    Raises:
        InputError: a rate outside 0 to 1.
    """

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


class AlphaDropout(_RandomMask):
    """Drop values in training and keep the mean and variance that SELU gives.

    Dropped values become SELU's lower bound, and all are then scaled and shifted. Source: Klambauer et al. 2017
    (arXiv:1706.02515).

    Args:
        rate: share of the values that are dropped, from 0 to 1.
        noise_shape: shape of the mask, which is broadcast to the inputs; None in it: the input's side.
        seed: whole number that makes the draws the same in every run; None: drawn from torch's generator.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Call arguments:
        inputs: tensor of any shape.
        training: whether to drop; None: as the model that calls is in training or not.

    Output shape:
        That of the input.

    Raises:
        InputError: a rate outside 0 to 1, or something that is no shape.
    """

    _LOW = -1.6732632423543772848170429916717 * 1.0507009873554804934193349852946

    def call(self, inputs: torch.Tensor, training: bool | None = None) -> torch.Tensor:
        if not training or self.rate == 0:
            return inputs
        values = as_float(inputs)
        kept = self._kept(values)
        a = ((1 - self.rate) * (1 + self.rate * self._LOW**2)) ** -0.5 if self.rate < 1 else 0.0
        b = -a * self._LOW * self.rate
        return a * (values * kept + self._LOW * (1 - kept)) + b


class ActivityRegularization(SameShape):
    """Add a penalty on the values that pass to the loss.

    l1·Σ|x| + l2·Σx², divided by the batch size.

    Args:
        l1: factor of the sum of absolute values.
        l2: factor of the sum of squares.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        Any.

    Output shape:
        That of the input.
    """

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
    """Refuse: masks belong to sequence models, and images need none.

    Args:
        mask_value: not looked at.
        **kwargs: not looked at.

    Raises:
        UnsupportedError: always.
    """

    def __init__(self, mask_value: float = 0.0, **kwargs: Any) -> None:
        raise UnsupportedError("Masking is not supported: masks belong to sequence models; images need none.")


__all__ = [
    "ActivityRegularization", "AlphaDropout", "Dropout", "GaussianDropout", "GaussianNoise", "Masking",
    "SpatialDropout1D", "SpatialDropout2D", "SpatialDropout3D",
]  # fmt: skip
