"""Layers that give values another shape or order: flatten, reshape, permute, repeat."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch

from scene_lightning.errors import InputError
from scene_lightning.layers.base.arguments import layout, positive_int
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.symbolic import InputSpec
from scene_lightning.layers.base.types import Shape


class Flatten(StandardLayer):
    """Put all values of a sample into one row.

    Height, width, channels is the order, also of "channels_first" inputs, so that the weights after it fit both.

    Args:
        data_format: "channels_last", (batch, height, width, channels), or "channels_first", (batch, channels, height,
            width); None: `keras.config.image_data_format()`.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, ...).

    Output shape:
        (batch, product of the other sides).

    Example:
        >>> images = torch.zeros(8, 28, 28, 3)
        >>> keras.layers.Flatten()(images).shape
        torch.Size([8, 2352])
    """

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
    """Give each sample another shape with as many values.

    Args:
        target_shape: the shape without the batch axis; one side may be -1 and follows from the others.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, ...).

    Output shape:
        (batch, *target_shape).

    Raises:
        InputError: another number of values, or several -1.
    """

    def __init__(self, target_shape: int | Sequence[int], **kwargs: Any) -> None:
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
    """Put the axes of each sample into another order.

    Args:
        dims: the axes in their new order, counted from 1 without the batch axis: (2, 1) swaps the first two.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, ...), with as many axes as `dims` has.

    Output shape:
        The same sides in the new order.

    Raises:
        InputError: `dims` that are not 1, 2, … in some order.
    """

    def __init__(self, dims: Sequence[int], **kwargs: Any) -> None:
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
    """Repeat each sample's vector along a new axis.

    Args:
        n: how many times.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        (batch, features).

    Output shape:
        (batch, n, features).

    Raises:
        InputError: `n` is no positive whole number.
    """

    def __init__(self, n: int, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.n = positive_int(n, "n")
        self.input_spec = InputSpec(ndim=2)

    def call(self, inputs: torch.Tensor) -> torch.Tensor:
        return inputs.unsqueeze(1).expand(-1, self.n, -1)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        return input_shape[0], self.n, input_shape[1]


__all__ = ["Flatten", "Permute", "RepeatVector", "Reshape"]
