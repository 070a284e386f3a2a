"""Products of vectors and matrices, and functions of the diagonals of matrices."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scene_lightning.ops.operation import operation, pairwise, two_tensors


@operation("numpy", tensors=2)
def matmul(x1: Any, x2: Any) -> Tensor:
    """Matrix product of two tensors.

    Args:
        x1: matrices, (..., rows, inner), or a vector of (inner,).
        x2: matrices, (..., inner, columns), or a vector of (inner,).

    Returns:
        A tensor of (..., rows, columns), whose leading axes broadcast; a vector's own axis goes away.
    """
    return torch.matmul(x1, x2)


@operation("numpy", tensors=2)
def dot(x1: Any, x2: Any) -> Tensor:
    """Dot product: the last axis of `x1` with the last but one of `x2`.

    Args:
        x1: tensor, (..., inner), or a number.
        x2: tensor, (..., inner, columns), a vector of (inner,), or a number.

    Returns:
        The other axes of `x1`, then those of `x2`: unlike those of `matmul`, they do not broadcast.
    """
    x1, x2 = two_tensors(x1, x2)
    return x1 * x2 if 0 in (x1.ndim, x2.ndim) else torch.tensordot(x1, x2, ([-1], [max(x2.ndim - 2, 0)]))


inner = pairwise(
    "inner",
    lambda a, b: a * b if 0 in (a.ndim, b.ndim) else torch.inner(a, b),
    "Sum of products over the last axes of two tensors.",
)
kron = pairwise("kron", torch.kron, "Kronecker product: x2 scaled by every value of x1, as blocks.")
outer = pairwise(
    "outer",
    lambda a, b: torch.outer(a.flatten(), b.flatten()),
    "Products of all pairs of values, (values of x1, values of x2).",
)
vdot = pairwise(
    "vdot",
    lambda a, b: torch.vdot(a.flatten(), b.flatten()),
    "Dot product of flattened tensors; of complex ones, x1 is conjugated.",
)


def einsum(subscripts: str, *operands: Any) -> Tensor:
    """Sum of products by Einstein's convention.

    Args:
        subscripts: the axes of each operand and of the result, such as "bij,bjk->bik".
        *operands: tensors with values; symbolic ones need the `EinsumDense` layer or `matmul`.
    """
    return torch.einsum(subscripts, *operands)


@operation("numpy", tensors=2)
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Tensor:
    """Sum of products over axes of two tensors.

    Args:
        x1: tensor or array-like.
        x2: tensor or array-like.
        axes: how many of the last axes of `x1` meet the first of `x2`, or the axes of each: [[1, 2], [0, 1]].

    Returns:
        The remaining axes of `x1`, then those of `x2`.
    """
    pairs = axes if isinstance(axes, int) else [[a] if isinstance(a, int) else list(a) for a in axes]
    return torch.tensordot(x1, x2, dims=pairs)


@operation("numpy", tensors=2)
def cross(x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Tensor:
    """Cross product of vectors of length 3.

    Args:
        x1: tensor or array-like.
        x2: tensor or array-like.
        axisa: axis of the vectors in `x1`.
        axisb: axis of the vectors in `x2`.
        axisc: axis of the vectors in the result.
        axis: one axis for all three; None: the three above.
    """
    first, second, out = (axis, axis, axis) if axis is not None else (axisa, axisb, axisc)
    a, b = torch.broadcast_tensors(x1.movedim(first, -1), x2.movedim(second, -1))
    return torch.linalg.cross(a, b).movedim(-1, out)


@operation("numpy")
def diag(x: Any, k: int = 0) -> Tensor:
    """Diagonal of a matrix, or a matrix with a given diagonal.

    Args:
        x: matrix, or vector of the diagonal.
        k: number of the diagonal; above 0 over the main one, below 0 under it.
    """
    return torch.diag(x, k)


@operation("numpy")
def diagflat(x: Any, k: int = 0) -> Tensor:
    """Matrix with all values of `x` on a diagonal.

    Args:
        x: tensor or array-like.
        k: number of the diagonal; above 0 over the main one, below 0 under it.
    """
    return torch.diagflat(x, k)


@operation("numpy")
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """Diagonals of the matrices that two axes span.

    Args:
        x: tensor or array-like.
        offset: number of the diagonal; above 0 over the main one, below 0 under it.
        axis1: axis of the rows.
        axis2: axis of the columns.

    Returns:
        A tensor whose last axis is the diagonal.
    """
    return torch.diagonal(x, offset, axis1, axis2)


@operation("numpy")
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """Sum of the diagonal of the matrices that two axes span.

    Args:
        x: tensor or array-like.
        offset: number of the diagonal; above 0 over the main one, below 0 under it.
        axis1: axis of the rows.
        axis2: axis of the columns.
    """
    return torch.diagonal(x, offset, axis1, axis2).sum(-1)


@operation("numpy")
def tril(x: Any, k: int = 0) -> Tensor:
    """Lower triangle of matrices; the rest is zero.

    Args:
        x: matrices, (..., rows, columns).
        k: the last diagonal that is kept; above 0 over the main one, below 0 under it.
    """
    return torch.tril(x, k)


@operation("numpy")
def triu(x: Any, k: int = 0) -> Tensor:
    """Upper triangle of matrices; the rest is zero.

    Args:
        x: matrices, (..., rows, columns).
        k: the first diagonal that is kept; above 0 over the main one, below 0 under it.
    """
    return torch.triu(x, k)


__all__ = [
    "cross", "diag", "diagflat", "diagonal", "dot", "einsum", "inner", "kron", "matmul", "outer", "tensordot", "trace",
    "tril", "triu", "vdot",
]  # fmt: skip
