"""Functions that rearrange the values of one tensor: shapes, orders of axes, flips, rotations, borders."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from scene_lightning.layers.base.types import Sizes
from scene_lightning.ops.operation import Axis, axes, elementwise, operation, several


@operation("numpy")
def reshape(x: Any, newshape: Sizes) -> Tensor:
    """Give a tensor another shape with the same values in the same order.

    Args:
        x: tensor or array-like.
        newshape: the new shape; one side may be -1 and takes what is left.
    """
    return torch.reshape(x, [newshape] if isinstance(newshape, int) else [int(n) for n in newshape])


@operation("numpy")
def transpose(x: Any, axes: Sequence[int] | None = None) -> Tensor:
    """Reorder the axes of a tensor.

    Args:
        x: tensor or array-like.
        axes: the old axis for each new place; None: the reverse order.
    """
    return torch.permute(x, tuple(axes) if axes is not None else tuple(reversed(range(x.ndim))))


@operation("numpy")
def expand_dims(x: Any, axis: Axis) -> Tensor:
    """Insert axes of size 1.

    Args:
        x: tensor or array-like.
        axis: the place or places, counted in the result.
    """
    wanted = several(tuple(axis) if isinstance(axis, list | tuple) else axis)
    rank = x.ndim + len(wanted)
    for one in sorted(a % rank for a in wanted):
        x = torch.unsqueeze(x, one)
    return x


@operation("numpy")
def squeeze(x: Any, axis: Axis = None) -> Tensor:
    """Remove axes of size 1.

    Args:
        x: tensor or array-like.
        axis: the axis or axes to remove; None: all of size 1.
    """
    return torch.squeeze(x) if axis is None else torch.squeeze(x, axes(axis, x))


@operation("numpy")
def ravel(x: Any) -> Tensor:
    """Flatten a tensor into one axis.

    Args:
        x: tensor or array-like.
    """
    return x.flatten()


@operation("numpy")
def flip(x: Any, axis: Axis = None) -> Tensor:
    """Reverse the order of entries along axes.

    Args:
        x: tensor or array-like.
        axis: axis or axes to reverse; None: all.
    """
    return torch.flip(x, several(axes(axis, x)))


@operation("numpy")
def roll(x: Any, shift: Any, axis: Any = None) -> Tensor:
    """Shift entries along axes; what leaves at one end enters at the other.

    Args:
        x: tensor or array-like.
        shift: number of places, one for each axis.
        axis: axis or axes to shift along; None: the flattened tensor.
    """
    return torch.roll(x, shift, axis)


@operation("numpy")
def rot90(array: Any, k: int = 1, axes: Any = (0, 1)) -> Tensor:
    """Rotate by quarter turns in the plane of two axes.

    Args:
        array: tensor of at least two axes.
        k: number of turns, from the first axis of `axes` towards the second.
        axes: the two axes of the plane.
    """
    return torch.rot90(array, k, list(axes))


@operation("numpy")
def swapaxes(x: Any, axis1: int, axis2: int) -> Tensor:
    """Exchange two axes.

    Args:
        x: tensor or array-like.
        axis1: the one axis.
        axis2: the other axis.
    """
    return torch.swapaxes(x, axis1, axis2)


@operation("numpy")
def moveaxis(x: Any, source: Any, destination: Any) -> Tensor:
    """Move axes to other places; the rest keep their order.

    Args:
        x: tensor or array-like.
        source: axis or axes to move.
        destination: where they go, one place for each.
    """
    return torch.moveaxis(x, source, destination)


@operation("numpy")
def broadcast_to(x: Any, shape: Sequence[int]) -> Tensor:
    """Stretch axes of size 1 to a shape, without a copy.

    Args:
        x: tensor or array-like.
        shape: the shape of the result.
    """
    return torch.broadcast_to(x, tuple(shape))


@operation("numpy")
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Tensor:
    """Add borders around a tensor.

    Args:
        x: tensor or array-like.
        pad_width: one number, one pair (before, after), or a pair for each axis.
        mode: "constant", "reflect", "symmetric" or "edge", as in NumPy.
        constant_values: the border's value in mode "constant"; None: 0.
    """
    widths = [pad_width] if isinstance(pad_width, int) else list(pad_width)
    pairs = [(w, w) if isinstance(w, int) else tuple(w) for w in widths]
    pairs = pairs * x.ndim if len(pairs) == 1 else pairs
    if mode == "constant":
        return torch.nn.functional.pad(x, [n for pair in reversed(pairs) for n in pair], value=constant_values or 0)
    for axis, (before, after) in enumerate(pairs):
        if before or after:
            x = torch.index_select(x, axis, _border(before, after, x.shape[axis], mode).to(x.device))
    return x


def _border(before: int, after: int, size: int, mode: str) -> Tensor:
    """The index of the sample that stands at each place of a padded axis."""
    place = torch.arange(-before, size + after)
    if mode == "edge":
        return place.clamp(0, size - 1)
    period = 2 * size - 2 if mode == "reflect" else 2 * size
    place = torch.remainder(place, period or 1)
    return torch.where(place < size, place, period - place - (0 if mode == "reflect" else 1))


fliplr = elementwise("fliplr", torch.fliplr, "Reverse the order of columns, along axis 1.")
flipud = elementwise("flipud", torch.flipud, "Reverse the order of rows, along axis 0.")

__all__ = [
    "broadcast_to", "expand_dims", "flip", "fliplr", "flipud", "moveaxis", "pad", "ravel", "reshape", "roll", "rot90",
    "squeeze", "swapaxes", "transpose",
]  # fmt: skip
