"""A list of tensors in; their sum, product, extremes or concatenation out. Keras: "Merging layers"."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from typing import Any

import torch
from torch.nn import functional as F

from scene_lightning.errors import InputError
from scene_lightning.layers.base.arguments import as_float
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.types import Shape


class Merge(StandardLayer):
    """Elementwise merging with broadcasting; shorter shapes get axes of 1 after the batch axis."""

    def build(self, input_shape: Any) -> None:
        self._check_list(input_shape)
        self.compute_output_shape(input_shape)

    def _check_list(self, input_shape: Any, least: int = 1) -> None:
        nested = isinstance(input_shape, list | tuple) and all(isinstance(s, list | tuple) for s in input_shape)
        if not nested or len(input_shape) < least:
            raise InputError(
                f"A `{type(self).__name__}` layer should be called on a list of at least {least} "
                f"input{'s' * (least > 1)}. Received: input_shape={input_shape} (not a list of shapes)"
            )
        batches = {shape[0] for shape in input_shape if shape} - {None}
        if len(batches) > 1:
            raise InputError(
                f"Cannot merge tensors with different batch sizes. Received tensors with shapes {input_shape}"
            )

    def call(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        rank = max(x.ndim for x in inputs)
        return self._merge([as_float(x)[(slice(None), *(None,) * (rank - x.ndim))] for x in inputs])

    def _merge(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        raise NotImplementedError

    def compute_output_shape(self, input_shape: Any) -> Shape:
        sides = reduce(_broadcast, (tuple(shape[1:]) for shape in input_shape))
        batches = {shape[0] for shape in input_shape} - {None}
        return (batches.pop() if len(batches) == 1 else None, *sides)


def _broadcast(first: Shape, second: Shape) -> Shape:
    if len(first) < len(second):
        first, second = second, first
    sides = list(first[: len(first) - len(second)])
    for a, b in zip(first[len(sides) :], second, strict=True):
        if a is not None and b is not None and a != b and 1 not in (a, b):
            raise InputError(f"Inputs have incompatible shapes. Received shapes {first} and {second}")
        sides.append(None if a is None or b is None else b if a == 1 else a)
    return tuple(sides)


class Add(Merge):
    """a + b + …  Keras: `keras.layers.Add`."""

    def _merge(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        return reduce(torch.add, inputs)


class Subtract(Merge):
    """a - b, of exactly two. Keras: `keras.layers.Subtract`."""

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        if len(input_shape) != 2:
            raise InputError(f"A `Subtract` layer should be called on exactly 2 inputs. Received: {len(input_shape)}")

    def _merge(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        return inputs[0] - inputs[1]


class Multiply(Merge):
    """a · b · …  Keras: `keras.layers.Multiply`."""

    def _merge(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        return reduce(torch.mul, inputs)


class Average(Merge):
    """The mean of the inputs. Keras: `keras.layers.Average`."""

    def _merge(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        return reduce(torch.add, inputs) / len(inputs)


class Maximum(Merge):
    """The elementwise maximum. Keras: `keras.layers.Maximum`."""

    def _merge(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        return reduce(torch.maximum, inputs)


class Minimum(Merge):
    """The elementwise minimum. Keras: `keras.layers.Minimum`."""

    def _merge(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        return reduce(torch.minimum, inputs)


class Concatenate(Merge):
    """The inputs one after the other along `axis`. Keras: `keras.layers.Concatenate`."""

    def __init__(self, axis: int = -1, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.axis = axis

    def call(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        return torch.cat(list(inputs), dim=self.axis)

    def compute_output_shape(self, input_shape: Any) -> Shape:
        self._check_list(input_shape)
        first = tuple(input_shape[0])
        if not -len(first) <= self.axis < len(first):
            raise InputError(f"`axis` {self.axis} is out of bounds for inputs of shapes {input_shape}.")
        axis = self.axis % len(first)
        total: int | None = 0
        for shape in input_shape:
            if len(shape) != len(first) or any(
                a != b and a is not None and b is not None
                for i, (a, b) in enumerate(zip(first, shape, strict=True))
                if i not in (0, axis)
            ):
                raise InputError(
                    "A `Concatenate` layer requires inputs with matching shapes except for the concatenation axis. "
                    f"Received: input_shape={input_shape}"
                )
            total = None if total is None or shape[axis] is None else total + shape[axis]
        return (*first[:axis], total, *first[axis + 1 :])


class Dot(Merge):
    """Batchwise products of two inputs, summed over `axes`. Keras: `keras.layers.Dot`.

    Args:
        axes: the axis to sum over in both inputs, or one for each.
        normalize: scale both to length 1 along it first (cosine similarity).
    """

    def __init__(self, axes: int | Sequence[int], normalize: bool = False, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        pair = isinstance(axes, list | tuple) and len(axes) == 2 and all(isinstance(a, int) for a in axes)
        if not isinstance(axes, int) and not pair:
            raise InputError(f"Invalid `axes` for a Dot layer: expected an int or two ints. Received: axes={axes!r}")
        self.axes = axes if isinstance(axes, int) else list(axes)
        self.normalize = bool(normalize)

    def _axes_for(self, ranks: tuple[int, int]) -> tuple[int, int]:
        first, second = (self.axes, self.axes) if isinstance(self.axes, int) else self.axes
        return first % ranks[0], second % ranks[1]

    def call(self, inputs: Sequence[torch.Tensor]) -> torch.Tensor:
        a, b = (as_float(x) for x in inputs)
        i, j = self._axes_for((a.ndim, b.ndim))
        if self.normalize:
            a, b = F.normalize(a, dim=i, eps=1e-6), F.normalize(b, dim=j, eps=1e-6)
        a, b = a.movedim(i, -1), b.movedim(j, -1)
        rows, columns = (x.reshape(x.shape[0], -1, x.shape[-1]) for x in (a, b))
        sums = torch.bmm(rows, columns.transpose(1, 2))
        return sums.reshape(a.shape[0], *(a.shape[1:-1] + b.shape[1:-1] or (1,)))

    def compute_output_shape(self, input_shape: Any) -> Shape:
        self._check_list(input_shape, least=2)
        if len(input_shape) != 2:
            raise InputError(f"A `Dot` layer should be called on a list of 2 inputs. Received: {input_shape}")
        first, second = list(input_shape[0]), list(input_shape[1])
        i, j = self._axes_for((len(first), len(second)))
        if first[i] is not None and second[j] is not None and first[i] != second[j]:
            raise InputError(
                f"Incompatible input shapes: axis values {first[i]} (at axis {i}) != {second[j]} (at axis {j}). "
                f"Full input shapes: {tuple(first)}, {tuple(second)}"
            )
        rows = [side for axis, side in enumerate(first) if axis not in (0, i)]
        columns = [side for axis, side in enumerate(second) if axis not in (0, j)]
        return (first[0], *(rows + columns or [1]))
