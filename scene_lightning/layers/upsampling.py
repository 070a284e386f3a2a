"""Enlarges images by whole factors, by repetition or interpolation."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from scene_lightning.layers.base.arguments import as_float, int_tuple, layout, one_of
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.symbolic import InputSpec
from scene_lightning.layers.base.types import Shape, Sizes
from scene_lightning.layers.base.windows import (
    channels,
    from_channels_first,
    image_shape,
    spatial,
    to_channels_first,
)

_INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


class UpSampling(StandardLayer):
    """Sides times whole factors: (N, ..., C) → (N, size·..., C), by repetition or interpolation."""

    rank: int

    def _set_size(self, size: Sizes, data_format: Any) -> None:
        self._factors = int_tuple(size, self.rank, "size")
        self.size: Sizes = self._factors
        self.data_format = layout(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        first = 1 if self.data_format == "channels_last" else 2
        for axis, factor in enumerate(self._factors, first):
            if factor > 1:
                inputs = inputs.repeat_interleave(factor, dim=axis)
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Shape:
        sides = [
            None if n is None else n * factor
            for n, factor in zip(spatial(input_shape, self.data_format), self._factors, strict=True)
        ]
        return image_shape(input_shape[0], sides, channels(input_shape, self.data_format), self.data_format)


class UpSampling1D(UpSampling):
    """(N, steps, C) → (N, size·steps, C). Keras: `keras.layers.UpSampling1D`."""

    rank = 1

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set_size(size, "channels_last")
        self.size = self._factors[0]


class UpSampling2D(UpSampling):
    """(N, H, W, C) → (N, size·H, size·W, C). Keras: `keras.layers.UpSampling2D`.

    Args:
        interpolation: "nearest", "bilinear" or "bicubic".
    """

    rank = 2

    def __init__(
        self, size: Sizes = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._set_size(size, data_format)
        self.interpolation = one_of(str(interpolation).lower(), _INTERPOLATIONS, "interpolation", "UpSampling2D")

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.interpolation == "nearest":
            return super().call(inputs)
        images = to_channels_first(as_float(inputs), self.data_format)
        sides = [side * factor for side, factor in zip(images.shape[2:], self._factors, strict=True)]
        larger = F.interpolate(images, size=sides, mode=self.interpolation, align_corners=False)
        return from_channels_first(larger, self.data_format)


class UpSampling3D(UpSampling):
    """(N, D, H, W, C) → each side times its factor. Keras: `keras.layers.UpSampling3D`."""

    rank = 3

    def __init__(self, size: Sizes = (2, 2, 2), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set_size(size, data_format)
