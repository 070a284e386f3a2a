"""Functions that join tensors, split them and repeat their entries."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scene_lightning.layers.base.types import Sizes
from scene_lightning.ops.operation import operation


@operation("numpy", many=True)
def concatenate(xs: Any, axis: int = 0) -> Tensor:
    """Join tensors along an axis that they have.

    Args:
        xs: list of tensors whose other sides are equal.
        axis: axis to join along.
    """
    return torch.cat(xs, dim=axis)


@operation("numpy", many=True)
def stack(x: Any, axis: int = 0) -> Tensor:
    """Join tensors along a new axis.

    Args:
        x: list of tensors of one shape.
        axis: place of the new axis in the result.
    """
    return torch.stack(x, dim=axis)


@operation("numpy", tensors=2)
def append(x1: Any, x2: Any, axis: int | None = None) -> Tensor:
    """Append `x2` to `x1` along an axis.

    Args:
        x1: tensor or array-like.
        x2: tensor or array-like.
        axis: axis to join along; None: both are flattened first.
    """
    return torch.cat([x1.flatten(), x2.flatten()]) if axis is None else torch.cat([x1, x2], dim=axis)


@operation("numpy", many=True)
def hstack(xs: Any) -> Tensor:
    """Join tensors side by side: along axis 1, or 0 for vectors.

    Args:
        xs: list of tensors.
    """
    return torch.hstack(xs)


@operation("numpy", many=True)
def vstack(xs: Any) -> Tensor:
    """Join tensors as rows, along axis 0; vectors become rows first.

    Args:
        xs: list of tensors.
    """
    return torch.vstack(xs)


@operation("numpy", many=True)
def dstack(xs: Any) -> Tensor:
    """Join tensors along axis 2, which is added where it is missing.

    Args:
        xs: list of tensors.
    """
    return torch.dstack(xs)


@operation("numpy")
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """Cut a tensor into parts along an axis.

    Args:
        x: tensor or array-like.
        indices_or_sections: the number of equal parts, or the indices before which to cut.
        axis: axis to cut.

    Returns:
        A list of tensors.
    """
    return list(torch.tensor_split(x, indices_or_sections, dim=axis))


@operation("numpy")
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Cut a tensor into parts along an axis, which need not be equally long.

    Args:
        x: tensor or array-like.
        indices_or_sections: the number of parts, or the indices before which to cut.
        axis: axis to cut.

    Returns:
        A list of tensors.
    """
    return list(torch.tensor_split(x, indices_or_sections, dim=axis))


@operation("core")
def unstack(x: Any, num: int | None = None, axis: int = 0) -> list[Tensor]:
    """Split a tensor into its entries along an axis, which goes away.

    Args:
        x: tensor or array-like.
        num: how many there are, for the reader: it follows from the shape.
        axis: axis to split along.

    Returns:
        A list of tensors.
    """
    return list(torch.unbind(x, dim=axis))


@operation("numpy")
def repeat(x: Any, repeats: Sizes, axis: int | None = None) -> Tensor:
    """Repeat each entry of a tensor.

    Args:
        x: tensor or array-like.
        repeats: how often, one number or one for each entry.
        axis: axis to repeat along; None: the flattened tensor.
    """
    return torch.repeat_interleave(x, repeats if isinstance(repeats, int) else torch.as_tensor(repeats), dim=axis)


@operation("numpy")
def tile(x: Any, repeats: Sizes) -> Tensor:
    """Repeat a whole tensor along its axes.

    Args:
        x: tensor or array-like.
        repeats: how often along each of the last axes.
    """
    return torch.tile(x, (repeats,) if isinstance(repeats, int) else tuple(repeats))


__all__ = [
    "append", "array_split", "concatenate", "dstack", "hstack", "repeat", "split", "stack", "tile", "unstack", "vstack",
]  # fmt: skip
