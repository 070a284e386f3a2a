"""Enlarges images by whole factors, by repetition or interpolation."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from scene_lightning._settings import as_float
from scene_lightning.layers.base.arguments import int_tuple, layout, one_of
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.symbolic import InputSpec
from scene_lightning.layers.base.types import Shape, ShapeLike, Sizes
from scene_lightning.layers.base.windows import channels, from_channels_first, image_shape, spatial, to_channels_first

_INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


class UpSampling(StandardLayer):
    """The base of `UpSampling1D`, `2D` and `3D`: enlarges each side by a whole factor."""

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

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        sides = [
            None if n is None else n * factor
            for n, factor in zip(spatial(input_shape, self.data_format), self._factors, strict=True)
        ]
        return image_shape(input_shape[0], sides, channels(input_shape, self.data_format), self.data_format)


class UpSampling1D(UpSampling):
    """Repeat each step of sequences.

    Args:
        size: how many times.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, steps, channels).

    Output shape:
        (batch, steps·size, channels).
    """

    rank = 1

    def __init__(self, size: int = 2, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set_size(size, "channels_last")
        self.size = self._factors[0]


class UpSampling2D(UpSampling):
    """Enlarge images by whole factors.

    Args:
        size: factors for height and width; one int for both.
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        interpolation: "nearest" (pixels are repeated), "bilinear" or "bicubic". Keras has "lanczos3" and "lanczos5"
            too.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, height, width, channels), or (batch, channels, height, width) with "channels_first".

    Output shape:
        The same with height·size[0] and width·size[1].

    Raises:
        InputError: impossible values.
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
    """Repeat each voxel of volumes along all three sides.

    Args:
        size: factors for depth, height and width; one int for all.
        data_format: "channels_last", (batch, depth, height, width, channels), or "channels_first", (batch, channels,
            depth, height, width); None: `keras.config.image_data_format()`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, depth, height, width, channels), or (batch, channels, depth, height, width) with "channels_first".

    Output shape:
        The same with each side times its factor.
    """

    rank = 3

    def __init__(self, size: Sizes = (2, 2, 2), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set_size(size, data_format)


__all__ = ["UpSampling1D", "UpSampling2D", "UpSampling3D"]
