"""Pooling over whole images: the mean or the largest value of each channel."""

from __future__ import annotations

from typing import Any

import torch

from scene_lightning.layers.base.arguments import as_float, layout
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.symbolic import InputSpec
from scene_lightning.layers.base.types import Shape
from scene_lightning.layers.base.windows import (
    channels,
    image_shape,
)


class GlobalPooling(StandardLayer):
    """(N, ..., C) → (N, C), or (N, 1, ..., C) with `keepdims`."""

    rank: int

    def __init__(self, data_format: str | None = None, keepdims: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = layout(data_format)
        self.keepdims = bool(keepdims)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        first = 1 if self.data_format == "channels_last" else 2
        return self._reduce(as_float(inputs), tuple(range(first, first + self.rank)))

    def _reduce(self, inputs: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> Shape:
        depth = channels(input_shape, self.data_format)
        if self.keepdims:
            return image_shape(input_shape[0], (1,) * self.rank, depth, self.data_format)
        return input_shape[0], depth


class GlobalAveragePooling(GlobalPooling):
    """The mean of each channel."""

    def _reduce(self, inputs: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
        return inputs.mean(dim=axes, keepdim=self.keepdims)


class GlobalMaxPooling(GlobalPooling):
    """The largest value of each channel."""

    def _reduce(self, inputs: torch.Tensor, axes: tuple[int, ...]) -> torch.Tensor:
        return inputs.amax(dim=axes, keepdim=self.keepdims)


class GlobalAveragePooling1D(GlobalAveragePooling):
    """(N, steps, C) → (N, C). Keras: `keras.layers.GlobalAveragePooling1D`."""

    rank = 1


class GlobalAveragePooling2D(GlobalAveragePooling):
    """(N, H, W, C) → (N, C). Keras: `keras.layers.GlobalAveragePooling2D`."""

    rank = 2


class GlobalAveragePooling3D(GlobalAveragePooling):
    """(N, D, H, W, C) → (N, C). Keras: `keras.layers.GlobalAveragePooling3D`."""

    rank = 3


class GlobalMaxPooling1D(GlobalMaxPooling):
    """(N, steps, C) → (N, C). Keras: `keras.layers.GlobalMaxPooling1D`."""

    rank = 1


class GlobalMaxPooling2D(GlobalMaxPooling):
    """(N, H, W, C) → (N, C). Keras: `keras.layers.GlobalMaxPooling2D`."""

    rank = 2


class GlobalMaxPooling3D(GlobalMaxPooling):
    """(N, D, H, W, C) → (N, C). Keras: `keras.layers.GlobalMaxPooling3D`."""

    rank = 3


GlobalAvgPool1D, GlobalAvgPool2D, GlobalAvgPool3D = (
    GlobalAveragePooling1D,
    GlobalAveragePooling2D,
    GlobalAveragePooling3D,
)
GlobalMaxPool1D, GlobalMaxPool2D, GlobalMaxPool3D = GlobalMaxPooling1D, GlobalMaxPooling2D, GlobalMaxPooling3D
