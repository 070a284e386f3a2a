"""Functions that summarise values along axes: sums, extremes, means, quantiles, counts, running totals."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from scene_lightning._settings import DType, as_float, torch_dtype
from scene_lightning.ops.operation import Axis, axes, convert_to_tensor, described, operation, several


@operation("numpy")
def sum(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Sum along axes.

    Args:
        x: tensor or array-like.
        axis: axis or axes to reduce; None: all.
        keepdims: whether reduced axes stay, with size 1.

    Returns:
        The sum; int32 for booleans and whole numbers of up to 32 bits.
    """
    kind = None if x.is_floating_point() or x.dtype == torch.int64 else torch.int32
    return torch.sum(x, dim=axes(axis, x), keepdim=keepdims, dtype=kind)


@operation("numpy")
def mean(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Arithmetic mean along axes.

    Args:
        x: tensor or array-like.
        axis: axis or axes to reduce; None: all.
        keepdims: whether reduced axes stay, with size 1.

    Returns:
        The mean; `floatx()` for whole numbers.
    """
    return torch.mean(as_float(x), dim=axes(axis, x), keepdim=keepdims)


@operation("numpy")
def var(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Variance along axes: the mean of squared deviations, divided by N.

    Args:
        x: tensor or array-like.
        axis: axis or axes to reduce; None: all.
        keepdims: whether reduced axes stay, with size 1.
    """
    return torch.var(as_float(x), dim=axes(axis, x), keepdim=keepdims, correction=0)


@operation("numpy")
def std(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Standard deviation along axes: the root of the variance (divided by N).

    Args:
        x: tensor or array-like.
        axis: axis or axes to reduce; None: all.
        keepdims: whether reduced axes stay, with size 1.
    """
    return torch.std(as_float(x), dim=axes(axis, x), keepdim=keepdims, correction=0)


@operation("numpy")
def max(x: Any, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> Tensor:
    """Largest value along axes.

    Args:
        x: tensor or array-like.
        axis: axis or axes to reduce; None: all.
        keepdims: whether reduced axes stay, with size 1.
        initial: the least that the result may be; None: no bound.
    """
    largest = torch.amax(x, dim=axes(axis, x), keepdim=keepdims)
    return largest if initial is None else torch.clamp(largest, min=initial)


@operation("numpy")
def min(x: Any, axis: Axis = None, keepdims: bool = False, initial: float | None = None) -> Tensor:
    """Smallest value along axes.

    Args:
        x: tensor or array-like.
        axis: axis or axes to reduce; None: all.
        keepdims: whether reduced axes stay, with size 1.
        initial: the most that the result may be; None: no bound.
    """
    smallest = torch.amin(x, dim=axes(axis, x), keepdim=keepdims)
    return smallest if initial is None else torch.clamp(smallest, max=initial)


@operation("numpy")
def amax(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Largest value along axes, as `max`.

    Args:
        x: tensor or array-like.
        axis: axis or axes to reduce; None: all.
        keepdims: whether reduced axes stay, with size 1.
    """
    return torch.amax(x, dim=axes(axis, x), keepdim=keepdims)


@operation("numpy")
def amin(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Smallest value along axes, as `min`.

    Args:
        x: tensor or array-like.
        axis: axis or axes to reduce; None: all.
        keepdims: whether reduced axes stay, with size 1.
    """
    return torch.amin(x, dim=axes(axis, x), keepdim=keepdims)


@operation("numpy")
def prod(x: Any, axis: Axis = None, keepdims: bool = False, dtype: DType = None) -> Tensor:
    """Product along axes.

    Args:
        x: tensor or array-like.
        axis: axis or axes to reduce; None: all.
        keepdims: whether reduced axes stay, with size 1.
        dtype: dtype to multiply in and return; None: that of `x`.
    """
    x = x if dtype is None else x.to(torch_dtype(dtype))
    for one in sorted((a % x.ndim for a in several(axes(axis, x))), reverse=True):
        x = torch.prod(x, dim=one, keepdim=keepdims)
    return x


@operation("numpy")
def all(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether all values along axes are true.

    Args:
        x: tensor or array-like.
        axis: axis or axes to reduce; None: all.
        keepdims: whether reduced axes stay, with size 1.

    Returns:
        A boolean tensor.
    """
    return torch.amin(x.bool().to(torch.uint8), dim=axes(axis, x), keepdim=keepdims).bool()


@operation("numpy")
def any(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Whether at least one value along axes is true.

    Args:
        x: tensor or array-like.
        axis: axis or axes to reduce; None: all.
        keepdims: whether reduced axes stay, with size 1.

    Returns:
        A boolean tensor.
    """
    return torch.amax(x.bool().to(torch.uint8), dim=axes(axis, x), keepdim=keepdims).bool()


@operation("numpy")
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Index of the largest value along an axis; the lowest one where several are equal.

    Args:
        x: tensor or array-like.
        axis: axis to search; None: the flattened tensor.
        keepdims: whether reduced axes stay, with size 1.

    Returns:
        An int32 tensor.
    """
    return torch.argmax(x.int() if x.dtype == torch.bool else x, dim=axis, keepdim=keepdims).to(torch.int32)


@operation("numpy")
def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Index of the smallest value along an axis.

    Args:
        x: tensor or array-like.
        axis: axis to search; None: the flattened tensor.
        keepdims: whether reduced axes stay, with size 1.

    Returns:
        An int32 tensor.
    """
    return torch.argmin(x, dim=axis, keepdim=keepdims).to(torch.int32)


@operation("numpy")
def median(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Median along an axis.

    Args:
        x: tensor or array-like.
        axis: axis to reduce; None: all values.
        keepdims: whether reduced axes stay, with size 1.
    """
    if axis is None:
        return torch.quantile(as_float(x).flatten(), 0.5).reshape([1] * x.ndim if keepdims else [])
    return torch.quantile(as_float(x), 0.5, dim=axis, keepdim=keepdims)


@operation("numpy")
def count_nonzero(x: Any, axis: Axis = None) -> Tensor:
    """Count the values along axes that are not zero.

    Args:
        x: tensor or array-like.
        axis: axis or axes to reduce; None: all.

    Returns:
        An int32 tensor.
    """
    return torch.count_nonzero(x, dim=axes(axis, x)).to(torch.int32)


@operation("numpy", tensors=1)
def average(x: Any, axis: Axis = None, weights: Any = None) -> Tensor:
    """Weighted mean along axes, Σw·x / Σw.

    Args:
        x: tensor or array-like.
        axis: axis or axes to reduce; None: all.
        weights: tensor of the shape of `x`, or of the length of the one `axis`; None: all weigh the same.
    """
    x = as_float(x)
    if weights is None:
        return torch.mean(x, dim=axes(axis, x))
    factors = as_float(convert_to_tensor(weights)).to(x.device)
    if factors.ndim == 1 and x.ndim > 1 and isinstance(axis, int):
        factors = factors.view([-1 if side == axis % x.ndim else 1 for side in range(x.ndim)])
    factors = factors.expand_as(x)
    return (x * factors).sum(axes(axis, x)) / factors.sum(axes(axis, x))


@operation("numpy")
def quantile(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """Value below which a share `q` of the values lies.

    Args:
        x: tensor or array-like.
        q: share or shares between 0 and 1.
        axis: axis or axes to reduce; None: all.
        method: interpolation between neighbours: "linear", "lower", "higher", "midpoint" or "nearest".
        keepdims: whether reduced axes stay, with size 1.

    Returns:
        The quantiles; several shares stand along a new first axis.
    """
    x = as_float(x)
    shares = torch.as_tensor(q, dtype=x.dtype, device=x.device)
    several = axes(axis, x)
    if isinstance(several, int):
        return torch.quantile(x, shares, dim=several, keepdim=keepdims, interpolation=method)
    chosen = sorted(a % x.ndim for a in several)
    others = [a for a in range(x.ndim) if a not in chosen]
    flat = x.permute(*others, *chosen).reshape(*(x.shape[a] for a in others), -1)
    quantiles = torch.quantile(flat, shares, dim=-1, interpolation=method)
    if keepdims:
        sides = [1 if a in chosen else n for a, n in enumerate(x.shape)]
        quantiles = quantiles.reshape([*shares.shape, *sides])
    return quantiles


@operation("numpy")
def percentile(x: Any, q: Any, axis: Axis = None, method: str = "linear", keepdims: bool = False) -> Tensor:
    """Value below which `q` percent of the values lie.

    Args:
        x: tensor or array-like.
        q: percentage or percentages between 0 and 100.
        axis: axis or axes to reduce; None: all.
        method: interpolation between neighbours: "linear", "lower", "higher", "midpoint" or "nearest".
        keepdims: whether reduced axes stay, with size 1.

    Returns:
        The percentiles; several stand along a new first axis.
    """
    return quantile(x, torch.as_tensor(q, dtype=torch.float32) / 100, axis, method, keepdims)


@operation("numpy")
def ptp(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Range along axes: the largest value less the smallest.

    Args:
        x: tensor or array-like.
        axis: axis or axes to reduce; None: all.
        keepdims: whether reduced axes stay, with size 1.
    """
    chosen = axes(axis, x)
    return torch.amax(x, chosen, keepdim=keepdims) - torch.amin(x, chosen, keepdim=keepdims)


@operation("math")
def logsumexp(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
    """Logarithm of the sum of exponentials along axes, without overflow.

    Args:
        x: tensor or array-like.
        axis: axis or axes to reduce; None: all.
        keepdims: whether reduced axes stay, with size 1.
    """
    return torch.logsumexp(as_float(x), dim=axes(axis, x), keepdim=keepdims)


# -- without what is NaN -----------------------------------------------------------------------------------------------


def _nan_reduction(name: str, function: Callable[..., Tensor], text: str) -> Callable[..., Tensor]:
    def apply(x: Any, axis: Axis = None, keepdims: bool = False) -> Tensor:
        return function(as_float(x), axes(axis, x), keepdims)

    return operation("numpy")(described(apply, name, text))


def _filled(x: Tensor, value: float) -> Tensor:
    return torch.where(torch.isnan(x), value, x)


def _variance(x: Tensor, dim: Any, keep: bool) -> Tensor:
    spread = (x - torch.nanmean(x, dim, keepdim=True)).square()
    return torch.nanmean(spread, dim, keepdim=keep)


nanmax = _nan_reduction(
    "nanmax", lambda x, dim, keep: torch.amax(_filled(x, float("-inf")), dim, keep), "Largest number along axes."
)
nanmin = _nan_reduction(
    "nanmin", lambda x, dim, keep: torch.amin(_filled(x, float("inf")), dim, keep), "Smallest number along axes."
)
nanmean = _nan_reduction("nanmean", torch.nanmean, "Mean along axes.")
nansum = _nan_reduction("nansum", torch.nansum, "Sum along axes.")
nanvar = _nan_reduction("nanvar", _variance, "Variance along axes, divided by N.")
nanstd = _nan_reduction("nanstd", lambda *given: _variance(*given).sqrt(), "Standard deviation along axes.")


# -- running totals ----------------------------------------------------------------------------------------------------


@operation("numpy")
def cumsum(x: Any, axis: int | None = None, dtype: DType = None) -> Tensor:
    """Cumulative sum along an axis.

    Args:
        x: tensor or array-like.
        axis: axis to add along; None: the flattened tensor.
        dtype: dtype of the result; None: that of `x`, int32 for booleans.
    """
    kind = torch_dtype(dtype) if dtype else x.dtype if x.dtype != torch.bool else torch.int32
    return torch.cumsum(x.flatten() if axis is None else x, dim=axis or 0, dtype=kind)


@operation("numpy")
def cumprod(x: Any, axis: int | None = None, dtype: DType = None) -> Tensor:
    """Cumulative product along an axis.

    Args:
        x: tensor or array-like.
        axis: axis to multiply along; None: the flattened tensor.
        dtype: dtype of the result; None: that of `x`, int32 for booleans.
    """
    kind = torch_dtype(dtype) if dtype else x.dtype if x.dtype != torch.bool else torch.int32
    return torch.cumprod(x.flatten() if axis is None else x, dim=axis or 0, dtype=kind)


@operation("numpy")
def diff(a: Any, n: int = 1, axis: int = -1) -> Tensor:
    """Differences between neighbours along an axis.

    Args:
        a: tensor or array-like.
        n: how often the difference is taken.
        axis: axis to take differences along.

    Returns:
        A tensor that is `n` shorter along `axis`.
    """
    return torch.diff(a, n=n, dim=axis)


__all__ = [
    "all", "amax", "amin", "any", "argmax", "argmin", "average", "count_nonzero", "cumprod", "cumsum",
    "diff", "logsumexp", "max", "mean", "median", "min", "nanmax", "nanmean", "nanmin", "nanstd", "nansum", "nanvar",
    "percentile", "prod", "ptp", "quantile", "std", "sum", "var",
]  # fmt: skip
