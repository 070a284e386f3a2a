"""Functions that find, count, sort, take and write entries by their places, and combine them by segments."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scene_lightning.errors import InputError
from scene_lightning.ops.operation import convert_to_tensor, described, operation


@operation("numpy", tensors=2)
def take(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """Take entries at given places along an axis.

    Args:
        x: tensor or array-like.
        indices: whole numbers of any shape; negative ones count from the end.
        axis: axis to take from; None: the flattened tensor.

    Returns:
        `x` with the shape of `indices` in the place of `axis`.
    """
    whole = torch.as_tensor(indices, device=x.device).long()
    if axis is None:
        return x.flatten()[whole]
    size = x.shape[axis]
    entries = torch.index_select(x, axis, torch.where(whole < 0, whole + size, whole).flatten())
    axis = axis % x.ndim
    return entries.reshape(*x.shape[:axis], *whole.shape, *x.shape[axis + 1 :])


@operation("numpy", tensors=2)
def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """Take entries at places that are given for each row.

    Args:
        x: tensor or array-like.
        indices: whole numbers in the shape of `x`, but for the length of `axis`.
        axis: axis to take from; None: the flattened tensor.
    """
    return torch.take_along_dim(x, indices.long(), dim=axis)


@operation("core")
def slice(inputs: Any, start_indices: Any, shape: Sequence[int]) -> Tensor:
    """Cut a block out of a tensor.

    Args:
        inputs: tensor or array-like.
        start_indices: where the block begins, one number for each axis.
        shape: sides of the block; -1 goes to the end.
    """
    for axis, (start, length) in enumerate(zip(start_indices, shape, strict=True)):
        inputs = torch.narrow(
            inputs, axis, int(start), inputs.shape[axis] - int(start) if length == -1 else int(length)
        )
    return inputs


@operation("core", tensors=3)
def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Tensor:
    """Write a block into a tensor.

    Args:
        inputs: the tensor, which is not changed.
        start_indices: where the block begins, one number for each axis.
        updates: the block.
    """
    result = inputs.clone()
    block = result
    for axis, (start, side) in enumerate(zip(start_indices.tolist(), updates.shape, strict=True)):
        block = block.narrow(axis, int(start), side)
    block.copy_(updates)
    return result


@operation("core", tensors=2)
def scatter(indices: Any, values: Any, shape: Sequence[int]) -> Tensor:
    """Put values into a tensor of zeros; values at one place are added up.

    Args:
        indices: places, whole numbers of (N, axes).
        values: what to put there, (N, ...).
        shape: shape of the result.
    """
    made = torch.zeros(tuple(shape), dtype=values.dtype, device=values.device)
    return made.index_put(tuple(indices.long().movedim(-1, 0)), values, accumulate=True)


_REDUCTIONS = {"max": "amax", "min": "amin", "mul": "prod"}


@operation("core", tensors=3)
def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Tensor:
    """Set or combine values at given places of a tensor.

    Args:
        inputs: the tensor, which is not changed.
        indices: places, whole numbers of (N, axes).
        updates: values for them, (N, ...).
        reduction: None (set), "add", "max", "min" or "mul" (combine with what is there).
    """
    where = tuple(indices.long().movedim(-1, 0))
    updates = updates.to(inputs.dtype)
    if reduction in (None, "add"):
        return inputs.index_put(where, updates, accumulate=reduction == "add")
    if reduction not in _REDUCTIONS:
        raise InputError(f"`reduction` must be None, 'add', 'max', 'min' or 'mul'; received {reduction!r}.")
    known, rest = inputs.shape[: len(where)], inputs.shape[len(where) :]
    strides = [int(np.prod(known[axis + 1 :])) for axis in range(len(known))]
    rows = torch.stack([at % n * stride for at, n, stride in zip(where, known, strides, strict=True)]).sum(0)
    flat = inputs.reshape(-1, *rest)
    return flat.index_reduce(0, rows.flatten(), updates.reshape(-1, *rest), _REDUCTIONS[reduction]).reshape(
        inputs.shape
    )


@operation("numpy")
def sort(x: Any, axis: int = -1) -> Tensor:
    """Sort the values along an axis, smallest first.

    Args:
        x: tensor or array-like.
        axis: axis to sort.
    """
    return torch.sort(x, dim=axis).values


@operation("numpy")
def argsort(x: Any, axis: int | None = -1) -> Tensor:
    """Indices that would sort a tensor along an axis; equal values keep their order.

    Args:
        x: tensor or array-like.
        axis: axis to sort; None: the flattened tensor.

    Returns:
        An int32 tensor of the shape of `x`.
    """
    flat = x.flatten() if axis is None else x
    return torch.argsort(flat, dim=-1 if axis is None else axis, stable=True).to(torch.int32)


@operation("numpy", tensors=2, name="SearchSorted")
def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Tensor:
    """Places at which values would have to be inserted to keep a sequence sorted.

    Args:
        sorted_sequence: ascending values, (length,).
        values: values to find places for.
        side: "left" (before equal ones) or "right" (after them).

    Returns:
        An int32 tensor of the shape of `values`.
    """
    return torch.searchsorted(sorted_sequence, values.to(sorted_sequence.dtype), side=side).int()


@operation("numpy", tensors=2)
def digitize(x: Any, bins: Any) -> Tensor:
    """Number of the bin into which each value falls.

    Args:
        x: tensor or array-like.
        bins: ascending edges, (edges,).

    Returns:
        An int32 tensor of the shape of `x`: 0 is below the first edge.
    """
    return torch.bucketize(x, bins.to(x.dtype), right=True).int()


@operation("numpy")
def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Tensor:
    """Count how often each whole number from 0 on occurs.

    Args:
        x: whole numbers of (values,) or (batch, values).
        weights: what each occurrence adds, in the shape of `x`; None: 1.
        minlength: the least length of the result.
        sparse: taken as in Keras; the result is dense.

    Returns:
        Counts of (numbers,) or (batch, numbers), int32 without weights.
    """
    factors = None if weights is None else convert_to_tensor(weights)

    def count(row: Tensor, row_factors: Tensor | None) -> Tensor:
        counts = torch.bincount(row.long(), row_factors, max(minlength, int(x.max()) + 1 if x.numel() else 0))
        return counts.int() if row_factors is None else counts

    if x.ndim == 1:
        return count(x, factors)
    return torch.stack([count(row, None if factors is None else factors[i]) for i, row in enumerate(x)])


@operation("numpy")
def nonzero(x: Any) -> Tensor:
    """Indices of the values that are not zero.

    Args:
        x: tensor or array-like.

    Returns:
        An int32 tensor of (axes, values).
    """
    return torch.nonzero(x).T.int()


@operation("numpy", tensors=2, name="IsIn")
def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Whether each value of `x1` is one of `x2`.

    Args:
        x1: values to test.
        x2: values to look among.
        assume_unique: whether both hold no value twice, which may be quicker.
        invert: whether to tell which are not among them instead.

    Returns:
        A boolean tensor of the shape of `x1`.
    """
    return torch.isin(x1, x2, assume_unique=assume_unique, invert=invert)


@operation("math", name="TopK")
def top_k(x: Any, k: int, sorted: bool = True) -> tuple[Tensor, Tensor]:
    """The `k` largest values along the last axis and their indices.

    Args:
        x: tensor or array-like.
        k: how many.
        sorted: whether the largest comes first.

    Returns:
        (values, indices), both of (..., k); indices are int32.
    """
    values, indices = torch.topk(x, k, sorted=sorted)
    return values, indices.to(torch.int32)


@operation("math", tensors=2, name="InTopK")
def in_top_k(targets: Any, predictions: Any, k: int) -> Tensor:
    """Whether the target class is among the `k` highest predictions.

    Args:
        targets: class numbers, (batch,).
        predictions: scores, (batch, classes).
        k: how many count.

    Returns:
        A boolean tensor of (batch,).
    """
    own = torch.gather(predictions, 1, targets.long()[:, None])
    return (predictions > own).sum(dim=1) < k


# -- segments ----------------------------------------------------------------------------------------------------------

_NEUTRAL = {"sum": 0.0, "prod": 1.0, "amax": float("-inf"), "amin": float("inf")}


def _segments(kind: str, data: Tensor, ids: Tensor, count: int | None) -> Tensor:
    """Rows of `data` with one id combined; rows with ids outside 0 … count−1 count nowhere."""
    count = int(ids.max()) + 1 if count is None else int(count)
    ids = ids.long()
    held = torch.where((ids >= 0) & (ids < count), ids, count)
    if data.is_floating_point() or kind in ("sum", "prod"):
        neutral = torch.full((count + 1, *data.shape[1:]), _NEUTRAL[kind], device=data.device).to(data.dtype)
    else:  # Keras on torch starts from an infinity, whole numbers have their own
        limits = torch.iinfo(data.dtype)
        start = limits.min if kind == "amax" else limits.max
        neutral = torch.full((count + 1, *data.shape[1:]), start, dtype=data.dtype, device=data.device)
    where = held.reshape(-1, *[1] * (data.ndim - 1)).expand_as(data)
    return neutral.scatter_reduce(0, where, data, kind)[:count]


def _segment(name: str, kind: str, what: str) -> Callable[..., Tensor]:
    def reduce(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Tensor:
        return _segments(kind, data, segment_ids, num_segments)

    return operation("math", tensors=2)(described(reduce, name, f"{what} of the rows of each segment."))


segment_sum = _segment("segment_sum", "sum", "Sum")
segment_prod = _segment("segment_prod", "prod", "Product")
segment_max = _segment("segment_max", "amax", "Largest value")
segment_min = _segment("segment_min", "amin", "Smallest value")

__all__ = [
    "argsort", "bincount", "digitize", "in_top_k", "isin", "nonzero", "scatter", "scatter_update", "searchsorted",
    "segment_max", "segment_min", "segment_prod", "segment_sum", "slice", "slice_update", "sort", "take",
    "take_along_axis", "top_k",
]  # fmt: skip
