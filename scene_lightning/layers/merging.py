"""Layers that make one tensor of several: sums, products, extremes, concatenation, dot products."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import reduce
from typing import Any

import torch
from torch.nn import functional as F

from scene_lightning._settings import as_float
from scene_lightning.errors import InputError
from scene_lightning.layers.base.standard import StandardLayer
from scene_lightning.layers.base.types import Shape


class Merge(StandardLayer):
    """The base of the merging layers: elementwise, with broadcasting."""

    _pairwise: Callable[..., torch.Tensor]

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
        return reduce(self._pairwise, inputs)

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
    """Add several tensors.

    outputs = a + b + …, as residual networks join their branches.

    Args:
        activity_regularizer, trainable, dtype, autocast, name, **kwargs: as for `Layer`.

    Input shape:
        A list of tensors of shapes that broadcast; shorter ones get axes of size 1 after the batch axis.

    Output shape:
        The shape that they broadcast to.

    Raises:
        InputError: shapes that do not fit, different batch sizes, or no list.
    """

    _pairwise = staticmethod(torch.add)


class Subtract(Merge):
    """Subtract the second tensor from the first.

    outputs = a - b.

    Args:
        activity_regularizer, trainable, dtype, autocast, name, **kwargs: as for `Layer`.

    Input shape:
        A list of tensors of shapes that broadcast; shorter ones get axes of size 1 after the batch axis.

    Output shape:
        The shape that they broadcast to.

    Raises:
        InputError: other than two tensors, or shapes that do not fit.
    """

    _pairwise = staticmethod(torch.sub)

    def build(self, input_shape: Any) -> None:
        super().build(input_shape)
        if len(input_shape) != 2:
            raise InputError(f"A `Subtract` layer should be called on exactly 2 inputs. Received: {len(input_shape)}")


class Multiply(Merge):
    """Multiply several tensors, element by element.

    outputs = a · b · …

    Args:
        activity_regularizer, trainable, dtype, autocast, name, **kwargs: as for `Layer`.

    Input shape:
        A list of tensors of shapes that broadcast; shorter ones get axes of size 1 after the batch axis.

    Output shape:
        The shape that they broadcast to.

    Raises:
        InputError: shapes that do not fit, different batch sizes, or no list.
    """

    _pairwise = staticmethod(torch.mul)


class Average(Merge):
    """Take the mean of several tensors, element by element.

    outputs = (a + b + …) / n.

    Args:
        activity_regularizer, trainable, dtype, autocast, name, **kwargs: as for `Layer`.

    Input shape:
        A list of tensors of shapes that broadcast; shorter ones get axes of size 1 after the batch axis.

    Output shape:
        The shape that they broadcast to.

    Raises:
        InputError: shapes that do not fit, different batch sizes, or no list.
    """

    def _merge(self, inputs: list[torch.Tensor]) -> torch.Tensor:
        return reduce(torch.add, inputs) / len(inputs)


class Maximum(Merge):
    """Take the largest of several tensors, element by element.

    outputs = max(a, b, …).

    Args:
        activity_regularizer, trainable, dtype, autocast, name, **kwargs: as for `Layer`.

    Input shape:
        A list of tensors of shapes that broadcast; shorter ones get axes of size 1 after the batch axis.

    Output shape:
        The shape that they broadcast to.

    Raises:
        InputError: shapes that do not fit, different batch sizes, or no list.
    """

    _pairwise = staticmethod(torch.maximum)


class Minimum(Merge):
    """Take the smallest of several tensors, element by element.

    outputs = min(a, b, …).

    Args:
        activity_regularizer, trainable, dtype, autocast, name, **kwargs: as for `Layer`.

    Input shape:
        A list of tensors of shapes that broadcast; shorter ones get axes of size 1 after the batch axis.

    Output shape:
        The shape that they broadcast to.

    Raises:
        InputError: shapes that do not fit, different batch sizes, or no list.
    """

    _pairwise = staticmethod(torch.minimum)


class Concatenate(Merge):
    """Put several tensors one after the other along an axis.

    Args:
        axis: the axis; -1, the channels, by default.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        A list of tensors of the same shape but for `axis`.

    Output shape:
        The same, with the sum of the sides along `axis`.

    Raises:
        InputError: shapes that do not match, an axis that they do not have, or no list.
    """

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
    """Multiply two tensors and sum along an axis of each, sample by sample.

    With shapes (batch, n) and (batch, n), and axes=1, that is the dot product of each pair of vectors.

    Args:
        axes: the axis to sum along in both, or one for each.
        normalize: whether vectors along `axes` are scaled to length 1 first, which gives cosine similarities.
        **kwargs: name, dtype and trainable, as for `Layer`.

    Input shape:
        A list of two tensors whose sides along `axes` agree.

    Output shape:
        The batch axis, the other sides of the first and those of the second; (batch, 1) where none are left.

    Raises:
        InputError: sides that differ, axes that are none, or other than two tensors.
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


__all__ = ["Add", "Average", "Concatenate", "Dot", "Maximum", "Minimum", "Multiply", "Subtract"]
