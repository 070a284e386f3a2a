"""Functions of matrices: factors, inverses, solutions of linear equations, norms. Keras: `keras.ops.linalg`."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scene_lightning._settings import as_float
from scene_lightning._unsupported import explain_missing_names
from scene_lightning.ops.operation import Axis, operation


@operation("linalg")
def cholesky(x: Any, upper: bool = False) -> Tensor:
    """Cholesky factor of positive definite matrices.

    Args:
        x: matrices, (..., n, n).
        upper: whether to give the upper triangle, not the lower.
    """
    return torch.linalg.cholesky(as_float(x), upper=upper)


@operation("linalg")
def det(x: Any) -> Tensor:
    """Determinant of square matrices.

    Args:
        x: matrices, (..., n, n).
    """
    return torch.linalg.det(as_float(x))


@operation("linalg")
def eig(x: Any) -> Any:
    """Eigenvalues and eigenvectors of square matrices.

    Args:
        x: matrices, (..., n, n).

    Returns:
        (eigenvalues of (..., n), eigenvectors as columns of (..., n, n)), both complex.
    """
    return tuple(torch.linalg.eig(as_float(x)))


@operation("linalg")
def eigh(x: Any) -> Any:
    """Eigenvalues and eigenvectors of symmetric matrices.

    Args:
        x: matrices, (..., n, n).

    Returns:
        (eigenvalues of (..., n), ascending; eigenvectors as columns of (..., n, n)).
    """
    return tuple(torch.linalg.eigh(as_float(x)))


@operation("linalg")
def inv(x: Any) -> Tensor:
    """Inverse of square matrices.

    Args:
        x: matrices, (..., n, n).
    """
    return torch.linalg.inv(as_float(x))


@operation("linalg", tensors=2)
def lstsq(a: Any, b: Any, rcond: float | None = None) -> Tensor:
    """Least-squares solution: the `x` for which |a·x − b| is smallest.

    Args:
        a: matrix of (rows, columns).
        b: right-hand side of (rows,) or (rows, cases).
        rcond: share of the largest singular value below which one counts as zero; None: by the dtype's precision.

    Returns:
        A tensor of (columns,) or (columns, cases).
    """
    column = b.ndim == 1
    solution = torch.linalg.pinv(as_float(a), rtol=rcond) @ (as_float(b).unsqueeze(-1) if column else as_float(b))
    return solution.squeeze(-1) if column else solution


@operation("linalg")
def matrix_rank(x: Any, tol: Any = None) -> Tensor:
    """Rank of matrices.

    Args:
        x: matrices, (..., rows, columns).
        tol: singular values up to this count as zero; None: by the dtype's precision.

    Returns:
        An int32 tensor.
    """
    return torch.linalg.matrix_rank(as_float(x), atol=tol).int()


@operation("linalg")
def norm(x: Any, ord: Any = None, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Norm of vectors or matrices.

    Args:
        x: tensor or array-like.
        ord: 1, 2, inf, …; "fro" or "nuc" for matrices; None: the root of the sum of squares.
        axis: the axis of vectors, or the two axes of matrices; None: all of `x`.
        keepdims: whether reduced axes stay, with size 1.
    """
    dim = tuple(axis) if isinstance(axis, list | tuple) else axis
    return torch.linalg.norm(as_float(x), ord, dim, keepdim=keepdims)


@operation("linalg")
def pinv(x: Any, rcond: float | None = None) -> Tensor:
    """Pseudo-inverse of matrices.

    Args:
        x: matrices, (..., rows, columns).
        rcond: share of the largest singular value below which one counts as zero; None: by the dtype's precision.
    """
    return torch.linalg.pinv(as_float(x), rtol=rcond)


@operation("linalg")
def qr(x: Any, mode: str = "reduced") -> Any:
    """QR factors of matrices.

    Args:
        x: matrices, (..., rows, columns).
        mode: "reduced" or "complete" (q is square).

    Returns:
        (q, with orthonormal columns; r, an upper triangle).
    """
    return tuple(torch.linalg.qr(as_float(x), mode=mode))


@operation("linalg", tensors=2)
def solve(a: Any, b: Any) -> Tensor:
    """Solve the linear equations a·x = b.

    Args:
        a: square matrices, (..., n, n).
        b: right-hand side, (..., n) or (..., n, cases).
    """
    return torch.linalg.solve(as_float(a), as_float(b))


@operation("linalg", tensors=2)
def solve_triangular(a: Any, b: Any, lower: bool = False) -> Tensor:
    """Solve the linear equations a·x = b for triangular matrices.

    Args:
        a: triangular matrices, (..., n, n).
        b: right-hand side, (..., n) or (..., n, cases).
        lower: whether the lower triangle counts, not the upper.
    """
    column = b.ndim == a.ndim - 1
    right = as_float(b).unsqueeze(-1) if column else as_float(b)
    solution = torch.linalg.solve_triangular(as_float(a), right, upper=not lower)
    return solution.squeeze(-1) if column else solution


@operation("linalg", name="SVD")
def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """Singular value decomposition of matrices.

    Args:
        x: matrices, (..., rows, columns).
        full_matrices: whether u and vh are square.
        compute_uv: whether to compute u and vh.

    Returns:
        (u, s, vh) with x = u·diag(s)·vh; `s` alone without `compute_uv`.
    """
    if not compute_uv:
        return torch.linalg.svdvals(as_float(x))
    return tuple(torch.linalg.svd(as_float(x), full_matrices=full_matrices))


__all__ = [
    "cholesky", "det", "eig", "eigh", "inv", "lstsq", "matrix_rank", "norm", "pinv", "qr", "solve", "solve_triangular",
    "svd",
]  # fmt: skip

explain_missing_names(__name__, __all__)
