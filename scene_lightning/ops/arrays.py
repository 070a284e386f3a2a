"""Tensors in, tensors out: the less common functions of arrays. Keras: `keras.ops.numpy`, as thin torch calls."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from scene_lightning._settings import torch_dtype
from scene_lightning.ops.operation import as_float, axes, convert_to_tensor, elementwise, operation, pairwise

_KEPT: dict[str, Callable[..., Any]] = {  # dtype as it is
    "bitwise_invert": torch.bitwise_not, "bitwise_not": torch.bitwise_not, "conj": torch.conj_physical,
    "conjugate": torch.conj_physical, "copy": torch.clone, "empty_like": torch.empty_like, "fliplr": torch.fliplr,
    "flipud": torch.flipud, "imag": lambda x: x.imag if x.is_complex() else torch.zeros_like(x),
    "isneginf": torch.isneginf, "isposinf": torch.isposinf, "isreal": torch.isreal, "real": torch.real,
    "signbit": torch.signbit, "trunc": torch.trunc,
}  # fmt: skip
_FLOATING: dict[str, Callable[..., Any]] = {
    "angle": torch.angle, "arccosh": torch.arccosh, "arcsinh": torch.arcsinh, "arctanh": torch.arctanh,
    "cbrt": lambda x: torch.sign(x) * torch.abs(x).pow(1 / 3), "deg2rad": torch.deg2rad, "exp2": torch.exp2,
    "fabs": torch.abs, "i0": torch.special.i0, "rad2deg": torch.rad2deg, "sinc": torch.sinc,
}  # fmt: skip
_PAIRS: dict[str, Callable[..., Any]] = {
    "bitwise_and": torch.bitwise_and, "bitwise_left_shift": torch.bitwise_left_shift, "bitwise_or": torch.bitwise_or,
    "bitwise_right_shift": torch.bitwise_right_shift, "bitwise_xor": torch.bitwise_xor, "fmax": torch.fmax,
    "fmin": torch.fmin, "fmod": torch.fmod, "gcd": torch.gcd, "heaviside": torch.heaviside, "hypot": torch.hypot,
    "kron": torch.kron, "lcm": torch.lcm, "left_shift": torch.bitwise_left_shift, "logaddexp": torch.logaddexp,
    "logaddexp2": torch.logaddexp2, "nextafter": torch.nextafter, "right_shift": torch.bitwise_right_shift,
    "inner": lambda a, b: a * b if 0 in (a.ndim, b.ndim) else torch.inner(a, b),
    "outer": lambda a, b: torch.outer(a.flatten(), b.flatten()),
    "vdot": lambda a, b: torch.vdot(a.flatten(), b.flatten()),
}  # fmt: skip


@operation("numpy", tensors=2)
def append(x1: Any, x2: Any, axis: int | None = None) -> Tensor:
    """x2 after x1 along `axis`, both flat when it is None. Keras: `ops.append`."""
    return torch.cat([x1.flatten(), x2.flatten()]) if axis is None else torch.cat([x1, x2], dim=axis)


@operation("numpy")
def array_split(x: Any, indices_or_sections: Any, axis: int = 0) -> Any:
    """Pieces that need not be equal. Keras: `ops.array_split`."""
    return list(torch.tensor_split(x, indices_or_sections, dim=axis))


@operation("numpy", tensors=1)
def average(x: Any, axis: Any = None, weights: Any = None) -> Tensor:
    """The mean, or Σw·x/Σw. Keras: `ops.average`."""
    x = as_float(x)
    if weights is None:
        return torch.mean(x, dim=axes(axis, x))
    factors = as_float(convert_to_tensor(weights)).to(x.device)
    if factors.ndim == 1 and x.ndim > 1 and isinstance(axis, int):
        factors = factors.view([-1 if side == axis % x.ndim else 1 for side in range(x.ndim)])
    factors = factors.expand_as(x)
    return (x * factors).sum(axes(axis, x)) / factors.sum(axes(axis, x))


@operation("numpy")
def bincount(x: Any, weights: Any = None, minlength: int = 0, sparse: bool = False) -> Tensor:
    """How often each whole number occurs. Keras: `ops.bincount`."""
    factors = None if weights is None else convert_to_tensor(weights)

    def count(row: Tensor, row_factors: Tensor | None) -> Tensor:
        found = torch.bincount(row.long(), row_factors, max(minlength, int(x.max()) + 1 if x.numel() else 0))
        return found.int() if row_factors is None else found

    if x.ndim == 1:
        return count(x, factors)
    return torch.stack([count(row, None if factors is None else factors[i]) for i, row in enumerate(x)])


@operation("numpy")
def diag(x: Any, k: int = 0) -> Tensor:
    """The diagonal of a matrix, or a matrix of a diagonal. Keras: `ops.diag`."""
    return torch.diag(x, k)


@operation("numpy")
def diagflat(x: Any, k: int = 0) -> Tensor:
    """A matrix with all of x on a diagonal. Keras: `ops.diagflat`."""
    return torch.diagflat(x, k)


@operation("numpy")
def diagonal(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The diagonals over two axes. Keras: `ops.diagonal`."""
    return torch.diagonal(x, offset, axis1, axis2)


@operation("numpy")
def diff(a: Any, n: int = 1, axis: int = -1) -> Tensor:
    """The n-th differences. Keras: `ops.diff`."""
    return torch.diff(a, n=n, dim=axis)


@operation("numpy", tensors=2)
def digitize(x: Any, bins: Any) -> Tensor:
    """Into which of the ascending bins each value falls. Keras: `ops.digitize`."""
    return torch.bucketize(x, bins.to(x.dtype), right=True).int()


@operation("numpy", many=True)
def hstack(xs: Any) -> Tensor:
    """Side by side. Keras: `ops.hstack`."""
    return torch.hstack(xs)


@operation("numpy", many=True)
def vstack(xs: Any) -> Tensor:
    """One below the other. Keras: `ops.vstack`."""
    return torch.vstack(xs)


@operation("numpy", many=True)
def dstack(xs: Any) -> Tensor:
    """One behind the other. Keras: `ops.dstack`."""
    return torch.dstack(xs)


@operation("numpy")
def full_like(x: Any, fill_value: Any, dtype: Any = None) -> Tensor:
    """A tensor like x, of one value. Keras: `ops.full_like`."""
    return torch.full_like(x, fill_value, dtype=None if dtype is None else torch_dtype(dtype))


@operation("numpy", tensors=2)
def isclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether values are equal within a tolerance. Keras: `ops.isclose`."""
    kind = torch.promote_types(x1.dtype, x2.dtype)
    return torch.isclose(x1.to(kind), x2.to(kind), rtol, atol, equal_nan)


@operation("numpy", tensors=2)
def allclose(x1: Any, x2: Any, rtol: float = 1e-5, atol: float = 1e-8, equal_nan: bool = False) -> Tensor:
    """Whether all values are. Keras: `ops.allclose`."""
    return isclose(x1, x2, rtol, atol, equal_nan).all()


@operation("numpy", tensors=2)
def isin(x1: Any, x2: Any, assume_unique: bool = False, invert: bool = False) -> Tensor:
    """Which values of x1 are in x2. Keras: `ops.isin`."""
    return torch.isin(x1, x2, assume_unique=assume_unique, invert=invert)


@operation("numpy")
def nonzero(x: Any) -> Tensor:
    """The indices of what is not zero, one row an axis. Keras: `ops.nonzero`."""
    return torch.nonzero(x).T.int()


@operation("numpy")
def quantile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """The value below which a share q lies. Keras: `ops.quantile`."""
    x = as_float(x)
    shares = torch.as_tensor(q, dtype=x.dtype, device=x.device)
    several = axes(axis, x)
    if isinstance(several, int):
        return torch.quantile(x, shares, dim=several, keepdim=keepdims, interpolation=method)
    chosen = sorted(a % x.ndim for a in several)
    others = [a for a in range(x.ndim) if a not in chosen]
    flat = x.permute(*others, *chosen).reshape(*(x.shape[a] for a in others), -1)
    found = torch.quantile(flat, shares, dim=-1, interpolation=method)
    if keepdims:
        sides = [1 if a in chosen else n for a, n in enumerate(x.shape)]
        found = found.reshape([*shares.shape, *sides])
    return found


@operation("numpy")
def percentile(x: Any, q: Any, axis: Any = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """`quantile` in hundredths. Keras: `ops.percentile`."""
    return quantile(x, torch.as_tensor(q, dtype=torch.float32) / 100, axis, method, keepdims)


@operation("numpy")
def ptp(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The largest value less the smallest. Keras: `ops.ptp`."""
    chosen = axes(axis, x)
    return torch.amax(x, chosen, keepdim=keepdims) - torch.amin(x, chosen, keepdim=keepdims)


@operation("numpy", tensors=2)
def searchsorted(sorted_sequence: Any, values: Any, side: str = "left") -> Tensor:
    """Where values would be inserted. Keras: `ops.searchsorted`."""
    return torch.searchsorted(sorted_sequence, values.to(sorted_sequence.dtype), side=side).int()


@operation("numpy", tensors=2)
def tensordot(x1: Any, x2: Any, axes: Any = 2) -> Tensor:
    """The sum of products over axes. Keras: `ops.tensordot`."""
    pairs = axes if isinstance(axes, int) else [[a] if isinstance(a, int) else list(a) for a in axes]
    return torch.tensordot(x1, x2, dims=pairs)


@operation("numpy")
def trace(x: Any, offset: int = 0, axis1: int = 0, axis2: int = 1) -> Tensor:
    """The sum of the diagonal. Keras: `ops.trace`."""
    return torch.diagonal(x, offset, axis1, axis2).sum(-1)


@operation("numpy")
def tril(x: Any, k: int = 0) -> Tensor:
    """The lower triangle. Keras: `ops.tril`."""
    return torch.tril(x, k)


@operation("numpy")
def triu(x: Any, k: int = 0) -> Tensor:
    """The upper triangle. Keras: `ops.triu`."""
    return torch.triu(x, k)


@operation("numpy", tensors=2)
def cross(x1: Any, x2: Any, axisa: int = -1, axisb: int = -1, axisc: int = -1, axis: int | None = None) -> Tensor:
    """The cross product of vectors of three. Keras: `ops.cross`."""
    first, second, out = (axis, axis, axis) if axis is not None else (axisa, axisb, axisc)
    a, b = torch.broadcast_tensors(x1.movedim(first, -1), x2.movedim(second, -1))
    return torch.linalg.cross(a, b).movedim(-1, out)


def identity(n: int, dtype: Any = None) -> Tensor:
    """The n x n identity. Keras: `ops.identity`."""
    return torch.eye(n, dtype=torch_dtype(dtype))


def tri(N: int, M: int | None = None, k: int = 0, dtype: Any = None) -> Tensor:
    """Ones at and below a diagonal. Keras: `ops.tri`."""
    return torch.tril(torch.ones(N, N if M is None else M, dtype=torch_dtype(dtype)), k)


def empty(shape: Any, dtype: Any = None) -> Tensor:
    """A tensor whose values nobody has set. Keras: `ops.empty`."""
    return torch.empty(tuple(shape), dtype=torch_dtype(dtype))


def meshgrid(*x: Any, indexing: str = "xy") -> list[Tensor]:
    """The coordinates of a grid. Keras: `ops.meshgrid`."""
    return list(torch.meshgrid(*(convert_to_tensor(one) for one in x), indexing=indexing))


def logspace(start: Any, stop: Any, num: int = 50, endpoint: bool = True, base: Any = 10, dtype: Any = None) -> Tensor:
    """Numbers evenly spaced in their logarithm. Keras: `ops.logspace`."""
    steps = num if endpoint else num + 1
    return torch.pow(float(base), torch.linspace(start, stop, steps, dtype=torch_dtype(dtype)))[:num]


def _nan_reduction(name: str, function: Callable[..., Tensor]) -> Any:
    def apply(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
        return function(as_float(x), axes(axis, x), keepdims)

    apply.__name__ = apply.__qualname__ = name
    apply.__doc__ = f"`{name.removeprefix('nan')}` of the numbers that are there. Keras: `ops.{name}`."
    return operation("numpy")(apply)


def _filled(x: Tensor, value: float) -> Tensor:
    return torch.where(torch.isnan(x), value, x)


def _variance(x: Tensor, dim: Any, keep: bool) -> Tensor:
    spread = (x - torch.nanmean(x, dim, keepdim=True)).square()
    return torch.nanmean(spread, dim, keepdim=keep)


_NAN: dict[str, Callable[..., Tensor]] = {
    "nanmax": lambda x, dim, keep: torch.amax(_filled(x, float("-inf")), dim, keepdim=keep),
    "nanmin": lambda x, dim, keep: torch.amin(_filled(x, float("inf")), dim, keepdim=keep),
    "nanmean": lambda x, dim, keep: torch.nanmean(x, dim, keepdim=keep),
    "nansum": lambda x, dim, keep: torch.nansum(x, dim, keepdim=keep),
    "nanvar": _variance,
    "nanstd": lambda x, dim, keep: _variance(x, dim, keep).sqrt(),
}
_MADE = {
    **{name: elementwise(name, function, floating=False) for name, function in _KEPT.items()},
    **{name: elementwise(name, function) for name, function in _FLOATING.items()},
    **{name: pairwise(name, function) for name, function in _PAIRS.items()},
    **{name: _nan_reduction(name, function) for name, function in _NAN.items()},
}
globals().update(_MADE)
__all__ = [
    *_MADE,
    *("allclose", "append", "array_split", "average", "bincount", "cross", "diag", "diagflat", "diagonal", "diff"),
    *("digitize", "dstack", "empty", "full_like", "hstack", "identity", "isclose", "isin", "logspace", "meshgrid"),
    *("nonzero", "percentile", "ptp", "quantile", "searchsorted", "tensordot", "trace", "tri", "tril", "triu"),
    "vstack",
]
