"""Pooling over whole images: the mean or the largest value of each channel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from scene_lightning._settings import as_float
from scene_lightning.layers.base.arguments import layout
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.symbolic import InputSpec
from scene_lightning.layers.base.types import Shape, ShapeLike
from scene_lightning.layers.base.windows import channels, image_shape


class _GlobalPooling(StandardLayer):
    """The base of the layers that pool whole images, one number a channel."""

    rank: int
    _reduce: Callable[..., torch.Tensor]

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = layout(data_format)
        self.keepdims = bool(keepdims)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        first = 1 if self.data_format == "channels_last" else 2
        return self._reduce(as_float(inputs), tuple(range(first, first + self.rank)), self.keepdims)

    def compute_output_shape(self, input_shape: ShapeLike) -> Shape:
        depth = channels(input_shape, self.data_format)
        if self.keepdims:
            return image_shape(input_shape[0], (1,) * self.rank, depth, self.data_format)
        return input_shape[0], depth


class GlobalAveragePooling(_GlobalPooling):
    """The mean of each channel."""

    _reduce = staticmethod(torch.mean)


class GlobalMaxPooling(_GlobalPooling):
    """The largest value of each channel."""

    _reduce = staticmethod(torch.amax)


class GlobalAveragePooling1D(GlobalAveragePooling):
    """Reduce each channel to its mean.

    Over steps: what stands between a convolutional base and its classifier, whatever the size of the sequences.

    Args:
        data_format: "channels_last", (batch, steps, channels), or "channels_first", (batch, channels, steps); None:
            `keras.config.image_data_format()`.
        keepdims: whether the pooled sides stay, with size 1.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, steps, channels), or (batch, channels, steps) with "channels_first".

    Output shape:
        (batch, channels); with `keepdims` (batch, 1, channels), or (batch, channels, 1) with "channels_first".
    """

    rank = 1


class GlobalAveragePooling2D(GlobalAveragePooling):
    """Reduce each channel to its mean.

    Over height and width: what stands between a convolutional base and its classifier, whatever the size of the images.

    Args:
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        keepdims: whether the pooled sides stay, with size 1.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, height, width, channels), or (batch, channels, height, width) with "channels_first".

    Output shape:
        (batch, channels); with `keepdims` (batch, 1, 1, channels), or (batch, channels, 1, 1) with "channels_first".

    Example:
        >>> features = torch.zeros(8, 7, 7, 512)
        >>> keras.layers.GlobalAveragePooling2D()(features).shape
        torch.Size([8, 512])
    """

    rank = 2


class GlobalAveragePooling3D(GlobalAveragePooling):
    """Reduce each channel to its mean.

    Over depth, height and width: what stands between a convolutional base and its classifier, whatever the size of the
    volumes.

    Args:
        data_format: "channels_last", (batch, depth, height, width, channels), or "channels_first", (batch, channels,
            depth, height, width); None: `keras.config.image_data_format()`.
        keepdims: whether the pooled sides stay, with size 1.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, depth, height, width, channels), or (batch, channels, depth, height, width) with "channels_first".

    Output shape:
        (batch, channels); with `keepdims` (batch, 1, 1, 1, channels), or (batch, channels, 1, 1, 1) with
        "channels_first".
    """

    rank = 3


class GlobalMaxPooling1D(GlobalMaxPooling):
    """Reduce each channel to its largest value.

    Over steps: what stands between a convolutional base and its classifier, whatever the size of the sequences.

    Args:
        data_format: "channels_last", (batch, steps, channels), or "channels_first", (batch, channels, steps); None:
            `keras.config.image_data_format()`.
        keepdims: whether the pooled sides stay, with size 1.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, steps, channels), or (batch, channels, steps) with "channels_first".

    Output shape:
        (batch, channels); with `keepdims` (batch, 1, channels), or (batch, channels, 1) with "channels_first".
    """

    rank = 1


class GlobalMaxPooling2D(GlobalMaxPooling):
    """Reduce each channel to its largest value.

    Over height and width: what stands between a convolutional base and its classifier, whatever the size of the images.

    Args:
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        keepdims: whether the pooled sides stay, with size 1.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, height, width, channels), or (batch, channels, height, width) with "channels_first".

    Output shape:
        (batch, channels); with `keepdims` (batch, 1, 1, channels), or (batch, channels, 1, 1) with "channels_first".
    """

    rank = 2


class GlobalMaxPooling3D(GlobalMaxPooling):
    """Reduce each channel to its largest value.

    Over depth, height and width: what stands between a convolutional base and its classifier, whatever the size of the
    volumes.

    Args:
        data_format: "channels_last", (batch, depth, height, width, channels), or "channels_first", (batch, channels,
            depth, height, width); None: `keras.config.image_data_format()`.
        keepdims: whether the pooled sides stay, with size 1.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, depth, height, width, channels), or (batch, channels, depth, height, width) with "channels_first".

    Output shape:
        (batch, channels); with `keepdims` (batch, 1, 1, 1, channels), or (batch, channels, 1, 1, 1) with
        "channels_first".
    """

    rank = 3


GlobalAvgPool1D, GlobalAvgPool2D, GlobalAvgPool3D = (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
)
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D


__all__ = [
    "GlobalAveragePooling1D", "GlobalAveragePooling2D", "GlobalAveragePooling3D", "GlobalAvgPool1D",
    "GlobalAvgPool2D", "GlobalAvgPool3D", "GlobalMaxPool1D", "GlobalMaxPool2D", "GlobalMaxPool3D",
    "GlobalMaxPooling1D", "GlobalMaxPooling2D", "GlobalMaxPooling3D",
]  # fmt: skip
