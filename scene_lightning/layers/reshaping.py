"""Tensors in; the same values in another shape, repeated, padded or cut, out. Keras: "Reshaping layers"."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch.nn import functional as F

from scene_lightning.errors import InputError
from scene_lightning.layers.base.arguments import as_float, int_tuple, layout, one_of, pairs, positive_int
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.symbolic import InputSpec
from scene_lightning.layers.base.windows import (
    Shape,
    channels,
    from_channels_first,
    image_shape,
    spatial,
    to_channels_first,
    torch_pad_list,
)

_INTERPOLATIONS = ("nearest", "bilinear", "bicubic")


class Flatten(StandardLayer):
    """(N, H, W, C) → (N, H·W·C), in H, W, C order whatever the layout. Keras: `keras.layers.Flatten`."""

    def __init__(self, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.data_format = layout(data_format)
        self.input_spec = InputSpec(min_ndim=1)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        if self.data_format == "channels_first" and inputs.ndim > 1:
            inputs = inputs.movedim(1, -1)
        return inputs.reshape(inputs.shape[0], math.prod(inputs.shape[1:]))

    def compute_output_shape(self, input_shape: Any) -> Shape:
        sides = input_shape[1:]
        return input_shape[0], None if any(n is None for n in sides) else math.prod(sides)


class Reshape(StandardLayer):
    """(N, ...) → (N, *target_shape); one side of the target may be -1. Keras: `keras.layers.Reshape`."""

    def __init__(self, target_shape: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.target_shape = (target_shape,) if isinstance(target_shape, int) else tuple(target_shape)
        if self.target_shape.count(-1) > 1 or any(not isinstance(n, int) or n < -1 for n in self.target_shape):
            raise InputError(
                f"`target_shape` must be whole numbers, with at most one -1. Received: target_shape={self.target_shape}"
            )

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        shape = self.compute_output_shape(inputs.shape)
        return inputs.reshape([n for n in shape if n is not None])

    def compute_output_shape(self, input_shape: Any) -> Shape:
        sides = tuple(input_shape[1:])
        known = math.prod(n for n in self.target_shape if n != -1)
        if any(n is None for n in sides):
            return (input_shape[0], *(None if n == -1 else n for n in self.target_shape))
        size = math.prod(sides)
        fits = known and size % known == 0 if -1 in self.target_shape else size == known
        if not fits:
            raise InputError(
                "The total size of the tensor must be unchanged. Received: "
                f"input_shape={sides}, target_shape={self.target_shape}"
            )
        return (input_shape[0], *(size // known if n == -1 else n for n in self.target_shape))


class Permute(StandardLayer):
    """The axes after the batch axis in another order, counted from 1. Keras: `keras.layers.Permute`."""

    def __init__(self, dims: Any, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.dims = tuple(dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise InputError(
                "Invalid permutation argument `dims` for Permute Layer. The set of indices in `dims` must be "
                f"consecutive and start from 1. Received dims={dims}"
            )
        self.input_spec = InputSpec(ndim=len(self.dims) + 1)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs.permute(0, *self.dims)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return (input_shape[0], *(input_shape[axis] for axis in self.dims))


class RepeatVector(StandardLayer):
    """(N, C) → (N, n, C). Keras: `keras.layers.RepeatVector`."""

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = positive_int(n, "n")
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs.unsqueeze(1).expand(-1, self.n, -1)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return input_shape[0], self.n, input_shape[1]


class UpSampling(StandardLayer):
    """Sides times whole factors: (N, ..., C) → (N, size·..., C), by repetition or interpolation."""

    rank: int

    def _set_size(self, size: Any, data_format: Any) -> None:
        self._factors = int_tuple(size, self.rank, "size")
        self.size: Any = self._factors
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
        self, size: Any = (2, 2), data_format: str | None = None, interpolation: str = "nearest", **kwargs: Any
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

    def __init__(self, size: Any = (2, 2, 2), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set_size(size, data_format)


class Padding(StandardLayer):
    """Zeros around the image: an int, one int a side, or (before, after) for each side."""

    rank: int

    def _set_padding(self, padding: Any, data_format: Any) -> None:
        self._pairs = pairs(padding, self.rank, "padding")
        self.padding: Any = self._pairs
        self.data_format = layout(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        images = to_channels_first(inputs, self.data_format)
        return from_channels_first(F.pad(images, torch_pad_list(self._pairs)), self.data_format)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        sides = [
            None if n is None else n + before + after
            for n, (before, after) in zip(spatial(input_shape, self.data_format), self._pairs, strict=True)
        ]
        return image_shape(input_shape[0], sides, channels(input_shape, self.data_format), self.data_format)


class ZeroPadding1D(Padding):
    """(N, steps, C) → (N, before + steps + after, C). Keras: `keras.layers.ZeroPadding1D`."""

    rank = 1

    def __init__(self, padding: Any = 1, data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set_padding(padding, data_format)
        self.padding = self._pairs[0]


class ZeroPadding2D(Padding):
    """Rows and columns of zeros around (N, H, W, C). Keras: `keras.layers.ZeroPadding2D`."""

    rank = 2

    def __init__(self, padding: Any = (1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set_padding(padding, data_format)


class ZeroPadding3D(Padding):
    """Zeros around (N, D, H, W, C). Keras: `keras.layers.ZeroPadding3D`."""

    rank = 3

    def __init__(self, padding: Any = (1, 1, 1), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set_padding(padding, data_format)


class Cropping(StandardLayer):
    """Cut from the sides of the image: an int, one int a side, or (before, after) for each side."""

    rank: int

    def _set_cropping(self, cropping: Any, data_format: Any) -> None:
        self._pairs = pairs(cropping, self.rank, "cropping")
        self.cropping: Any = self._pairs
        self.data_format = layout(data_format)
        self.input_spec = InputSpec(ndim=self.rank + 2)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        sides = spatial(self.compute_output_shape(inputs.shape), self.data_format)
        first = 1 if self.data_format == "channels_last" else 2
        for axis, ((before, _), length) in enumerate(zip(self._pairs, sides, strict=True), first):
            inputs = inputs.narrow(axis, before, length or 0)
        return inputs

    def compute_output_shape(self, input_shape: Any) -> Shape:
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
    """(N, steps, C) → fewer steps. Keras: `keras.layers.Cropping1D`."""

    rank = 1

    def __init__(self, cropping: Any = (1, 1), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set_cropping(cropping, "channels_last")
        self.cropping = self._pairs[0]


class Cropping2D(Cropping):
    """(N, H, W, C) → fewer rows and columns. Keras: `keras.layers.Cropping2D`."""

    rank = 2

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set_cropping(cropping, data_format)


class Cropping3D(Cropping):
    """(N, D, H, W, C) → smaller sides. Keras: `keras.layers.Cropping3D`."""

    rank = 3

    def __init__(self, cropping: Any = ((1, 1), (1, 1), (1, 1)), data_format: str | None = None, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._set_cropping(cropping, data_format)
