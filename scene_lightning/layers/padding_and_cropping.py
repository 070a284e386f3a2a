"""Adds zeros around images, or cuts their borders off."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch.nn import functional as F

from scene_lightning.errors import InputError
from scene_lightning.layers.base.arguments import layout, pairs
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.symbolic import InputSpec
from scene_lightning.layers.base.types import Shape, ShapeLike
from scene_lightning.layers.base.windows import (
    channels,
    from_channels_first,
    image_shape,
    spatial,
    to_channels_first,
    torch_pad_list,
)


class Padding(StandardLayer):
    """The base of `ZeroPadding1D`, `2D` and `3D`."""

    rank: int

    def _set_padding(self, padding: Any, data_format: Any) -> None:
        self._pairs = pairs(padding, self.rank, "padding")
        self.padding: int | Sequence[Any] = self._pairs
        self.data_format = layout(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        images = to_channels_first(inputs, self.data_format)
        return from_channels_first(F.pad(images, torch_pad_list(self._pairs)), self.data_format)

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        sides = [
            None if n is None else n + before + after
            for n, (before, after) in zip(spatial(input_shape, self.data_format), self._pairs, strict=True)
        ]
        return image_shape(input_shape[0], sides, channels(input_shape, self.data_format), self.data_format)


class ZeroPadding1D(Padding):
    """Add steps of zeros before and after sequences.

    Args:
        padding: number of steps at both ends, or (before, after).
        data_format: "channels_last", (batch, steps, channels), or "channels_first", (batch, channels, steps); None:
            `keras.config.image_data_format()`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, steps, channels), or (batch, channels, steps) with "channels_first".

    Output shape:
        The same with before + steps + after.
    """

    rank = 1

    def __init__(self, padding: int | Sequence[Any] = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set_padding(padding, data_format)
        self.padding = self._pairs[0]


class ZeroPadding2D(Padding):
    """Add rows and columns of zeros around images.

    Args:
        padding: pixels on every side; or (rows, columns), each on both ends; or ((top, bottom), (left, right)).
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, height, width, channels), or (batch, channels, height, width) with "channels_first".

    Output shape:
        The same with top + height + bottom and left + width + right.
    """

    rank = 2

    def __init__(self, padding: int | Sequence[Any] = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set_padding(padding, data_format)


class ZeroPadding3D(Padding):
    """Add zeros around volumes.

    Args:
        padding: voxels on every side; or one int for each of depth, height and width, at both ends; or a pair (before,
            after) for each.
        data_format: "channels_last", (batch, depth, height, width, channels), or "channels_first", (batch, channels,
            depth, height, width); None: `keras.config.image_data_format()`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, depth, height, width, channels), or (batch, channels, depth, height, width) with "channels_first".

    Output shape:
        The same with before + side + after for each side.
    """

    rank = 3

    def __init__(self, padding: int | Sequence[Any] = (1, 1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set_padding(padding, data_format)


class Cropping(StandardLayer):
    """The base of `Cropping1D`, `2D` and `3D`."""

    rank: int

    def _set_cropping(self, cropping: Any, data_format: Any) -> None:
        self._pairs = pairs(cropping, self.rank, "cropping")
        self.cropping: int | Sequence[Any] = self._pairs
        self.data_format = layout(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        sides = spatial(self.compute_output_shape(inputs.shape), self.data_format)
        first = 1 if self.data_format == "channels_last" else 2
        for axis, ((before, _), length) in enumerate(zip(self._pairs, sides, strict=True), first):
            inputs = inputs.narrow(axis, before, length or 0)
        return inputs

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        sides = [
            None if n is None else n - before - after
            for n, (before, after) in zip(spatial(input_shape, self.data_format), self._pairs, strict=True)
        ]
        if any(n is not None and n <= 0 for n in sides):
            raise InputError(
                "Values in `cropping` argument should be smaller than the corresponding spatial dimension of the "
                f"input. Received: input_shape={tuple(input_shape)}, cropping={self._pairs}"
            )
        return image_shape(input_shape[0], sides, channels(input_shape, self.data_format), self.data_format)


class Cropping1D(Cropping):
    """Cut steps off the ends of sequences.

    Args:
        cropping: number of steps at both ends, or (before, after).
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, steps, channels).

    Output shape:
        (batch, steps - before - after, channels).

    Raises:
        InputError: nothing is left.
    """

    rank = 1

    def __init__(self, cropping: int | Sequence[Any] = (1, 1), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set_cropping(cropping, "channels_last")
        self.cropping = self._pairs[0]


class Cropping2D(Cropping):
    """Cut rows and columns off the borders of images.

    Args:
        cropping: pixels on every side; or (rows, columns), each on both ends; or ((top, bottom), (left, right)).
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, height, width, channels), or (batch, channels, height, width) with "channels_first".

    Output shape:
        The same with height - top - bottom and width - left - right.

    Raises:
        InputError: nothing is left.
    """

    rank = 2

    def __init__(
        self, cropping: int | Sequence[Any] = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._set_cropping(cropping, data_format)


class Cropping3D(Cropping):
    """Cut the borders of volumes off.

    Args:
        cropping: voxels on every side; or one int for each of depth, height and width, at both ends; or a pair (before,
            after) for each.
        data_format: "channels_last", (batch, depth, height, width, channels), or "channels_first", (batch, channels,
            depth, height, width); None: `keras.config.image_data_format()`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, depth, height, width, channels), or (batch, channels, depth, height, width) with "channels_first".

    Output shape:
        The same with side - before - after for each side.

    Raises:
        InputError: nothing is left.
    """

    rank = 3

    def __init__(
        self, cropping: int | Sequence[Any] = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._set_cropping(cropping, data_format)


__all__ = ["Cropping1D", "Cropping2D", "Cropping3D", "ZeroPadding1D", "ZeroPadding2D", "ZeroPadding3D"]
