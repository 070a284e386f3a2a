"""Matrices in; their factors, inverses and solutions out. Keras: `keras.ops.linalg`, as thin torch calls."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scene_lightning._unsupported import lookup
from scene_lightning.ops.core import norm as norm
from scene_lightning.ops.operation import as_float, operation
from scene_lightning.ops.unsupported import INSTEAD


@operation("linalg")
def cholesky(x: Any, upper: bool = False) -> Tensor:
    """The triangular root of a positive definite matrix. Keras: `ops.cholesky`."""
    return torch.linalg.cholesky(as_float(x), upper=upper)


@operation("linalg")
def det(x: Any) -> Tensor:
    """The determinant. Keras: `ops.det`."""
    return torch.linalg.det(as_float(x))


@operation("linalg")
def eig(x: Any) -> Any:
    """Eigenvalues and eigenvectors, complex. Keras: `ops.eig`."""
    return tuple(torch.linalg.eig(as_float(x)))


@operation("linalg")
def eigh(x: Any) -> Any:
    """Those of a symmetric matrix, real and ascending. Keras: `ops.eigh`."""
    return tuple(torch.linalg.eigh(as_float(x)))


@operation("linalg")
def inv(x: Any) -> Tensor:
    """The inverse. Keras: `ops.inv`."""
    return torch.linalg.inv(as_float(x))


@operation("linalg", tensors=2)
def lstsq(a: Any, b: Any, rcond: float | None = None) -> Tensor:
    """The x of the smallest |a·x - b|. Keras: `ops.lstsq`."""
    column = b.ndim == 1
    found = torch.linalg.pinv(as_float(a), rtol=rcond) @ (as_float(b).unsqueeze(-1) if column else as_float(b))
    return found.squeeze(-1) if column else found


@operation("linalg")
def matrix_rank(x: Any, tol: Any = None) -> Tensor:
    """The rank. Keras: `ops.matrix_rank`."""
    return torch.linalg.matrix_rank(as_float(x), atol=tol).int()


@operation("linalg")
def pinv(x: Any, rcond: float | None = None) -> Tensor:
    """The pseudo-inverse. Keras: `ops.pinv`."""
    return torch.linalg.pinv(as_float(x), rtol=rcond)


@operation("linalg")
def qr(x: Any, mode: str = "reduced") -> Any:
    """An orthogonal and a triangular factor. Keras: `ops.qr`."""
    return tuple(torch.linalg.qr(as_float(x), mode=mode))


@operation("linalg", tensors=2)
def solve(a: Any, b: Any) -> Tensor:
    """The x of a·x = b. Keras: `ops.solve`."""
    return torch.linalg.solve(as_float(a), as_float(b))


@operation("linalg", tensors=2)
def solve_triangular(a: Any, b: Any, lower: bool = False) -> Tensor:
    """`solve` for a triangular matrix. Keras: `ops.solve_triangular`."""
    column = b.ndim == a.ndim - 1
    right = as_float(b).unsqueeze(-1) if column else as_float(b)
    found = torch.linalg.solve_triangular(as_float(a), right, upper=not lower)
    return found.squeeze(-1) if column else found


@operation("linalg")
def svd(x: Any, full_matrices: bool = True, compute_uv: bool = True) -> Any:
    """U, S and V transposed, or S alone. Keras: `ops.svd`."""
    if not compute_uv:
        return torch.linalg.svdvals(as_float(x))
    return tuple(torch.linalg.svd(as_float(x), full_matrices=full_matrices))


__all__ = [
    "cholesky", "det", "eig", "eigh", "inv", "lstsq", "matrix_rank", "norm", "pinv", "qr", "solve", "solve_triangular",
    "svd",
]  # fmt: skip

__getattr__ = lookup(__name__, __all__, INSTEAD)
