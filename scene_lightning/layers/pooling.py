"""Pooling over windows: the largest or the mean value of each."""

from __future__ import annotations

from typing import Any

import torch
from torch.nn import functional as F

from scene_lightning._settings import as_float
from scene_lightning.layers.base.arguments import int_tuple, layout, padding_name
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.symbolic import InputSpec
from scene_lightning.layers.base.types import Shape, ShapeLike, Sizes
from scene_lightning.layers.base.windows import (
    channels,
    from_channels_first,
    image_shape,
    output_sides,
    same_paddings,
    spatial,
    to_channels_first,
    torch_pad_list,
)

_MAX_POOL = {1: F.max_pool1d, 2: F.max_pool2d, 3: F.max_pool3d}
_AVG_POOL = {1: F.avg_pool1d, 2: F.avg_pool2d, 3: F.avg_pool3d}


class Pooling(StandardLayer):
    """The base of the layers that pool windows; padding of "same" never counts as a value.

    Args:
        pool_size, strides, padding, data_format: as for `MaxPooling2D`.
        **kwargs: name, dtype and trainable, as for `Layer`.
    """

    rank: int

    def __init__(
        self,
        pool_size: Sizes = 2,
        strides: Sizes | None = None,
        padding: str = "valid",
        data_format: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.pool_size = int_tuple(pool_size, self.rank, "pool_size")
        self.strides = self.pool_size if strides is None else int_tuple(strides, self.rank, "strides")
        self.padding = padding_name(padding)
        self.data_format = layout(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        images = to_channels_first(as_float(inputs), self.data_format)
        pads = [(0, 0)] * self.rank
        if self.padding == "same":
            sides = tuple(images.shape[2:])
            pads = same_paddings(sides, self.pool_size, self.strides, (1,) * self.rank)
        else:
            self.compute_output_shape(inputs.shape)  # an image smaller than the window: say so in Keras' words
        return from_channels_first(self._pool(images, pads), self.data_format)

    def _pool(self, images: torch.Tensor, pads: list[tuple[int, int]]) -> torch.Tensor:
        raise NotImplementedError

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        sides = output_sides(spatial(input_shape, self.data_format), self.pool_size, self.strides, self.padding)
        return image_shape(input_shape[0], sides, channels(input_shape, self.data_format), self.data_format)


def _torch_can_pad(images: torch.Tensor, pads: list[tuple[int, int]], windows: tuple[int, ...]) -> bool:
    """Both ends alike, at most half a window, and (avg_pool3d's backward pass asks it) no side below the window."""
    return all(
        before == after and before <= window // 2 and side >= window
        for (before, after), window, side in zip(pads, windows, images.shape[2:], strict=True)
    )


class MaxPooling(Pooling):
    """The largest value of each window."""

    def _pool(self, images: torch.Tensor, pads: list[tuple[int, int]]) -> torch.Tensor:
        before = tuple(pad for pad, _ in pads)
        if not _torch_can_pad(images, pads, self.pool_size):
            images, before = F.pad(images, torch_pad_list(pads), value=float("-inf")), (0,) * self.rank
        return _MAX_POOL[self.rank](images, self.pool_size, self.strides, before)


class AveragePooling(Pooling):
    """The mean of the real values of each window."""

    def _pool(self, images: torch.Tensor, pads: list[tuple[int, int]]) -> torch.Tensor:
        pool = _AVG_POOL[self.rank]
        if _torch_can_pad(images, pads, self.pool_size):
            before = tuple(pad for pad, _ in pads)
            return pool(images, self.pool_size, self.strides, before, count_include_pad=False)
        flat = torch_pad_list(pads)
        real = torch.ones((1, 1, *images.shape[2:]), dtype=images.dtype, device=images.device)
        share = pool(F.pad(real, flat), self.pool_size, self.strides)
        return pool(F.pad(images, flat), self.pool_size, self.strides) / share


class MaxPooling1D(MaxPooling):
    """Shrink sequences to the largest value of each window.

    Each channel is pooled by itself; there is nothing to train.

    Args:
        pool_size: length of the window, in steps.
        strides: distance between two windows, in steps; None: `pool_size`, windows side by side.
        padding: "valid": whole windows only, output side = floor((side - pool_size) / strides) + 1; "same": windows may
            reach over the edge, output side = ceil(side / strides).
        data_format: "channels_last", (batch, steps, channels), or "channels_first", (batch, channels, steps); None:
            `keras.config.image_data_format()`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, steps, channels), or (batch, channels, steps) with "channels_first".

    Output shape:
        (batch, new_steps, channels), or (batch, channels, new_steps) with "channels_first".

    Raises:
        InputError: impossible values, or sequences smaller than a window.
    """

    rank = 1


class MaxPooling2D(MaxPooling):
    """Shrink images to the largest value of each window.

    Each channel is pooled by itself; there is nothing to train.

    Args:
        pool_size: rows and columns of the window, in pixels; one int for both.
        strides: distance between two windows, in pixels down and to the right; one int for both; None: `pool_size`,
            windows side by side.
        padding: "valid": whole windows only, output side = floor((side - pool_size) / strides) + 1; "same": windows may
            reach over the edge, output side = ceil(side / strides).
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, height, width, channels), or (batch, channels, height, width) with "channels_first".

    Output shape:
        (batch, new_height, new_width, channels), or (batch, channels, new_height, new_width) with "channels_first".

    Raises:
        InputError: impossible values, or images smaller than a window.

    Example:
        >>> images = torch.zeros(8, 150, 150, 32)
        >>> keras.layers.MaxPooling2D()(images).shape
        torch.Size([8, 75, 75, 32])
    """

    rank = 2


class MaxPooling3D(MaxPooling):
    """Shrink volumes to the largest value of each window.

    Each channel is pooled by itself; there is nothing to train.

    Args:
        pool_size: depth, rows and columns of the window, in voxels; one int for all.
        strides: distance between two windows, in voxels along each side; one int for all; None: `pool_size`, windows
            side by side.
        padding: "valid": whole windows only, output side = floor((side - pool_size) / strides) + 1; "same": windows may
            reach over the edge, output side = ceil(side / strides).
        data_format: "channels_last", (batch, depth, height, width, channels), or "channels_first", (batch, channels,
            depth, height, width); None: `keras.config.image_data_format()`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, depth, height, width, channels), or (batch, channels, depth, height, width) with "channels_first".

    Output shape:
        (batch, new_depth, new_height, new_width, channels), or (batch, channels, new_depth, new_height, new_width) with
        "channels_first".

    Raises:
        InputError: impossible values, or volumes smaller than a window.
    """

    rank = 3


class AveragePooling1D(AveragePooling):
    """Shrink sequences to the mean of each window.

    Each channel is pooled by itself and padding counts as no value; there is nothing to train.

    Args:
        pool_size: length of the window, in steps.
        strides: distance between two windows, in steps; None: `pool_size`, windows side by side.
        padding: "valid": whole windows only, output side = floor((side - pool_size) / strides) + 1; "same": windows may
            reach over the edge, output side = ceil(side / strides).
        data_format: "channels_last", (batch, steps, channels), or "channels_first", (batch, channels, steps); None:
            `keras.config.image_data_format()`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, steps, channels), or (batch, channels, steps) with "channels_first".

    Output shape:
        (batch, new_steps, channels), or (batch, channels, new_steps) with "channels_first".

    Raises:
        InputError: impossible values, or sequences smaller than a window.
    """

    rank = 1


class AveragePooling2D(AveragePooling):
    """Shrink images to the mean of each window.

    Each channel is pooled by itself and padding counts as no value; there is nothing to train.

    Args:
        pool_size: rows and columns of the window, in pixels; one int for both.
        strides: distance between two windows, in pixels down and to the right; one int for both; None: `pool_size`,
            windows side by side.
        padding: "valid": whole windows only, output side = floor((side - pool_size) / strides) + 1; "same": windows may
            reach over the edge, output side = ceil(side / strides).
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, height, width, channels), or (batch, channels, height, width) with "channels_first".

    Output shape:
        (batch, new_height, new_width, channels), or (batch, channels, new_height, new_width) with "channels_first".

    Raises:
        InputError: impossible values, or images smaller than a window.
    """

    rank = 2


class AveragePooling3D(AveragePooling):
    """Shrink volumes to the mean of each window.

    Each channel is pooled by itself and padding counts as no value; there is nothing to train.

    Args:
        pool_size: depth, rows and columns of the window, in voxels; one int for all.
        strides: distance between two windows, in voxels along each side; one int for all; None: `pool_size`, windows
            side by side.
        padding: "valid": whole windows only, output side = floor((side - pool_size) / strides) + 1; "same": windows may
            reach over the edge, output side = ceil(side / strides).
        data_format: "channels_last", (batch, depth, height, width, channels), or "channels_first", (batch, channels,
            depth, height, width); None: `keras.config.image_data_format()`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, depth, height, width, channels), or (batch, channels, depth, height, width) with "channels_first".

    Output shape:
        (batch, new_depth, new_height, new_width, channels), or (batch, channels, new_depth, new_height, new_width) with
        "channels_first".

    Raises:
        InputError: impossible values, or volumes smaller than a window.
    """

    rank = 3


MaxPool1D, MaxPool2D, MaxPool3D = MaxPooling1D, MaxPooling2D, MaxPooling3D
AvgPool1D, AvgPool2D, AvgPool3D = AveragePooling1D, AveragePooling2D, AveragePooling3D


__all__ = [
    "AveragePooling1D", "AveragePooling2D", "AveragePooling3D", "AvgPool1D", "AvgPool2D", "AvgPool3D", "MaxPool1D",
    "MaxPool2D", "MaxPool3D", "MaxPooling1D", "MaxPooling2D", "MaxPooling3D",
]  # fmt: skip
