"""Tensors in, tensors out: elementwise functions, reductions, shapes. Keras: `keras.ops.numpy`, as thin torch calls."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from scene_lightning._settings import torch_dtype
from scene_lightning._unsupported import lookup
from scene_lightning.ops import arrays
from scene_lightning.ops.creation import arange as arange
from scene_lightning.ops.creation import eye as eye
from scene_lightning.ops.creation import full as full
from scene_lightning.ops.creation import linspace as linspace
from scene_lightning.ops.creation import ones as ones
from scene_lightning.ops.creation import zeros as zeros
from scene_lightning.ops.operation import as_float, axes, elementwise, operation, pairwise
from scene_lightning.ops.unsupported import INSTEAD

# -- elementwise -------------------------------------------------------------------------------------------------------

absolute = elementwise("absolute", torch.abs, floating=False)
arccos = elementwise("arccos", torch.arccos)
arcsin = elementwise("arcsin", torch.arcsin)
arctan = elementwise("arctan", torch.arctan)
ceil = elementwise("ceil", torch.ceil)
cos = elementwise("cos", torch.cos)
cosh = elementwise("cosh", torch.cosh)
exp = elementwise("exp", torch.exp)
expm1 = elementwise("expm1", torch.expm1)
floor = elementwise("floor", torch.floor)
isfinite = elementwise("isfinite", torch.isfinite, floating=False)
isinf = elementwise("isinf", torch.isinf, floating=False)
isnan = elementwise("isnan", torch.isnan, floating=False)
log = elementwise("log", torch.log)
log10 = elementwise("log10", torch.log10)
log1p = elementwise("log1p", torch.log1p)
log2 = elementwise("log2", torch.log2)
logical_not = elementwise("logical_not", torch.logical_not, floating=False)
negative = elementwise("negative", torch.neg, floating=False)
reciprocal = elementwise("reciprocal", torch.reciprocal)
sign = elementwise("sign", torch.sign, floating=False)
sin = elementwise("sin", torch.sin)
sinh = elementwise("sinh", torch.sinh)
sqrt = elementwise("sqrt", torch.sqrt)
square = elementwise("square", torch.square, floating=False)
tan = elementwise("tan", torch.tan)
tanh = elementwise("tanh", torch.tanh)
ones_like = elementwise("ones_like", torch.ones_like, floating=False)
zeros_like = elementwise("zeros_like", torch.zeros_like, floating=False)

add = pairwise("add", torch.add)
arctan2 = pairwise("arctan2", torch.arctan2)
divide = pairwise("divide", torch.true_divide)
equal = pairwise("equal", torch.eq)
floor_divide = pairwise("floor_divide", torch.floor_divide)
greater = pairwise("greater", torch.gt)
greater_equal = pairwise("greater_equal", torch.ge)
less = pairwise("less", torch.lt)
less_equal = pairwise("less_equal", torch.le)
logical_and = pairwise("logical_and", torch.logical_and)
logical_or = pairwise("logical_or", torch.logical_or)
logical_xor = pairwise("logical_xor", torch.logical_xor)
maximum = pairwise("maximum", torch.maximum)
minimum = pairwise("minimum", torch.minimum)
mod = pairwise("mod", torch.remainder)
multiply = pairwise("multiply", torch.multiply)
not_equal = pairwise("not_equal", torch.ne)
power = pairwise("power", torch.pow)
subtract = pairwise("subtract", torch.subtract)
true_divide = pairwise("true_divide", torch.true_divide)
divide_no_nan = pairwise(
    "divide_no_nan",
    lambda a, b: torch.where(b == 0, torch.zeros_like(a / b), a / torch.where(b == 0, torch.ones_like(b), b)),
)
matmul = pairwise("matmul", torch.matmul)
dot = pairwise(
    "dot",
    lambda a, b: a * b if 0 in (a.ndim, b.ndim) else torch.tensordot(a, b, ([-1], [b.ndim - 2 if b.ndim > 1 else 0])),
)


@operation("numpy")
def clip(x: Any, x_min: Any, x_max: Any) -> Tensor:
    """x, held between `x_min` and `x_max`. Keras: `ops.clip`."""
    return torch.clamp(x, x_min, x_max)


@operation("numpy")
def round(x: Any, decimals: int = 0) -> Tensor:
    """x rounded, halves to the even neighbour. Keras: `ops.round`."""
    return torch.round(x, decimals=decimals) if x.is_floating_point() else x


@operation("numpy")
def nan_to_num(x: Any, nan: float = 0.0, posinf: float | None = None, neginf: float | None = None) -> Tensor:
    """x with numbers in the place of NaN and infinities. Keras: `ops.nan_to_num`."""
    return torch.nan_to_num(x, nan, posinf, neginf)


@operation("numpy", tensors=3)
def where(condition: Any, x1: Any = None, x2: Any = None) -> Any:
    """x1 where `condition` holds, x2 elsewhere; with `condition` alone, the indices at which it holds."""
    if x1 is None or x2 is None:
        return torch.where(condition)
    return torch.where(condition.bool(), x1, x2)


# -- reductions --------------------------------------------------------------------------------------------------------


@operation("numpy")
def sum(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Σx along `axis`. Keras: `ops.sum`."""
    kind = None if x.is_floating_point() or x.dtype == torch.int64 else torch.int32
    return torch.sum(x, dim=axes(axis, x), keepdim=keepdims, dtype=kind)


@operation("numpy")
def mean(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The mean along `axis`. Keras: `ops.mean`."""
    return torch.mean(as_float(x), dim=axes(axis, x), keepdim=keepdims)


@operation("numpy")
def var(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The variance (÷N) along `axis`. Keras: `ops.var`."""
    return torch.var(as_float(x), dim=axes(axis, x), keepdim=keepdims, correction=0)


@operation("numpy")
def std(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The standard deviation (÷N) along `axis`. Keras: `ops.std`."""
    return torch.std(as_float(x), dim=axes(axis, x), keepdim=keepdims, correction=0)


@operation("numpy")
def max(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The largest value along `axis`. Keras: `ops.max`."""
    return torch.amax(x, dim=axes(axis, x), keepdim=keepdims)


@operation("numpy")
def min(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The smallest value along `axis`. Keras: `ops.min`."""
    return torch.amin(x, dim=axes(axis, x), keepdim=keepdims)


@operation("numpy")
def prod(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Πx along `axis`. Keras: `ops.prod`."""
    for one in sorted((a % x.ndim for a in _several(axes(axis, x))), reverse=True):
        x = torch.prod(x, dim=one, keepdim=keepdims)
    return x


@operation("numpy")
def all(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether all values along `axis` are true. Keras: `ops.all`."""
    return torch.amin(x.bool().to(torch.uint8), dim=axes(axis, x), keepdim=keepdims).bool()


@operation("numpy")
def any(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """Whether a value along `axis` is true. Keras: `ops.any`."""
    return torch.amax(x.bool().to(torch.uint8), dim=axes(axis, x), keepdim=keepdims).bool()


@operation("numpy")
def argmax(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the largest value is (the lowest such index), as int32. Keras: `ops.argmax`."""
    return torch.argmax(x.int() if x.dtype == torch.bool else x, dim=axis, keepdim=keepdims).to(torch.int32)


@operation("numpy")
def argmin(x: Any, axis: int | None = None, keepdims: bool = False) -> Tensor:
    """Where the smallest value is, as int32. Keras: `ops.argmin`."""
    return torch.argmin(x, dim=axis, keepdim=keepdims).to(torch.int32)


@operation("numpy")
def median(x: Any, axis: Any = None, keepdims: bool = False) -> Tensor:
    """The middle value along one axis, or of all. Keras: `ops.median`."""
    if axis is None:
        return torch.quantile(as_float(x).flatten(), 0.5).reshape([1] * x.ndim if keepdims else [])
    return torch.quantile(as_float(x), 0.5, dim=axis, keepdim=keepdims)


@operation("numpy")
def count_nonzero(x: Any, axis: Any = None) -> Tensor:
    """How many values along `axis` are not zero, as int32. Keras: `ops.count_nonzero`."""
    return torch.count_nonzero(x, dim=axes(axis, x)).to(torch.int32)


@operation("numpy")
def cumsum(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """Running sums along `axis`. Keras: `ops.cumsum`."""
    kind = torch_dtype(dtype) if dtype else x.dtype if x.dtype != torch.bool else torch.int32
    return torch.cumsum(x.flatten() if axis is None else x, dim=axis or 0, dtype=kind)


@operation("numpy")
def cumprod(x: Any, axis: int | None = None, dtype: Any = None) -> Tensor:
    """Running products along `axis`. Keras: `ops.cumprod`."""
    kind = torch_dtype(dtype) if dtype else x.dtype if x.dtype != torch.bool else torch.int32
    return torch.cumprod(x.flatten() if axis is None else x, dim=axis or 0, dtype=kind)


@operation("numpy")
def sort(x: Any, axis: int = -1) -> Tensor:
    """The values along `axis`, smallest first. Keras: `ops.sort`."""
    return torch.sort(x, dim=axis).values


@operation("numpy")
def argsort(x: Any, axis: int | None = -1) -> Tensor:
    """The indices that would sort x, as int32. Keras: `ops.argsort`."""
    flat = x.flatten() if axis is None else x
    return torch.argsort(flat, dim=-1 if axis is None else axis, stable=True).to(torch.int32)


def _several(axis: Any) -> tuple[int, ...]:
    return axis if isinstance(axis, tuple) else (axis,)


# -- shapes ------------------------------------------------------------------------------------------------------------


@operation("numpy")
def reshape(x: Any, newshape: Any) -> Tensor:
    """x in another shape; -1 stands for the rest. Keras: `ops.reshape`."""
    return torch.reshape(x, [newshape] if isinstance(newshape, int) else [int(n) for n in newshape])


@operation("numpy")
def transpose(x: Any, axes: Any = None) -> Tensor:
    """x with its axes in the order `axes` (reversed by default). Keras: `ops.transpose`."""
    return torch.permute(x, tuple(axes) if axes is not None else tuple(reversed(range(x.ndim))))


@operation("numpy")
def expand_dims(x: Any, axis: Any) -> Tensor:
    """x with axes of size 1 put in at `axis`. Keras: `ops.expand_dims`."""
    wanted = _several(tuple(axis) if isinstance(axis, list | tuple) else axis)
    rank = x.ndim + len(wanted)
    for one in sorted(a % rank for a in wanted):
        x = torch.unsqueeze(x, one)
    return x


@operation("numpy")
def squeeze(x: Any, axis: Any = None) -> Tensor:
    """x without its axes of size 1 (or those in `axis`). Keras: `ops.squeeze`."""
    return (
        torch.squeeze(x) if axis is None else torch.squeeze(x, tuple(axis) if isinstance(axis, list | tuple) else axis)
    )


@operation("numpy")
def ravel(x: Any) -> Tensor:
    """x as one row of values. Keras: `ops.ravel`."""
    return x.flatten()


@operation("numpy", many=True)
def concatenate(xs: Any, axis: int = 0) -> Tensor:
    """Tensors joined along an axis they have. Keras: `ops.concatenate`."""
    return torch.cat(xs, dim=axis)


@operation("numpy", many=True)
def stack(x: Any, axis: int = 0) -> Tensor:
    """Tensors of one shape joined along a new axis. Keras: `ops.stack`."""
    return torch.stack(x, dim=axis)


@operation("numpy")
def split(x: Any, indices_or_sections: Any, axis: int = 0) -> list[Tensor]:
    """x cut into so many equal parts, or before the given indices. Keras: `ops.split`."""
    return list(torch.tensor_split(x, indices_or_sections, dim=axis))


@operation("numpy")
def flip(x: Any, axis: Any = None) -> Tensor:
    """x backwards along `axis`. Keras: `ops.flip`."""
    return torch.flip(x, _several(axes(axis, x)))


@operation("numpy")
def roll(x: Any, shift: Any, axis: Any = None) -> Tensor:
    """x moved round by `shift` places. Keras: `ops.roll`."""
    return torch.roll(x, shift, axis)


@operation("numpy")
def rot90(array: Any, k: int = 1, axes: Any = (0, 1)) -> Tensor:
    """The array turned `k` quarter turns in the plane of two axes. Keras: `ops.rot90`."""
    return torch.rot90(array, k, list(axes))


@operation("numpy")
def repeat(x: Any, repeats: Any, axis: int | None = None) -> Tensor:
    """Each value of x, `repeats` times. Keras: `ops.repeat`."""
    return torch.repeat_interleave(x, repeats if isinstance(repeats, int) else torch.as_tensor(repeats), dim=axis)


@operation("numpy")
def tile(x: Any, repeats: Any) -> Tensor:
    """x laid side by side. Keras: `ops.tile`."""
    return torch.tile(x, (repeats,) if isinstance(repeats, int) else tuple(repeats))


@operation("numpy")
def swapaxes(x: Any, axis1: int, axis2: int) -> Tensor:
    """x with two axes exchanged. Keras: `ops.swapaxes`."""
    return torch.swapaxes(x, axis1, axis2)


@operation("numpy")
def moveaxis(x: Any, source: Any, destination: Any) -> Tensor:
    """x with axes moved. Keras: `ops.moveaxis`."""
    return torch.moveaxis(x, source, destination)


@operation("numpy")
def broadcast_to(x: Any, shape: Any) -> Tensor:
    """x stretched to `shape`. Keras: `ops.broadcast_to`."""
    return torch.broadcast_to(x, tuple(shape))


@operation("numpy")
def pad(x: Any, pad_width: Any, mode: str = "constant", constant_values: Any = None) -> Tensor:
    """x with borders: `mode` is 'constant', 'reflect', 'symmetric' or 'edge', as in NumPy. Keras: `ops.pad`."""
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


@operation("numpy", tensors=2)
def take(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """The entries of x at `indices` along `axis`. Keras: `ops.take`."""
    whole = torch.as_tensor(indices, device=x.device).long()
    if axis is None:
        return x.flatten()[whole]
    size = x.shape[axis]
    found = torch.index_select(x, axis, torch.where(whole < 0, whole + size, whole).flatten())
    axis = axis % x.ndim
    return found.reshape(*x.shape[:axis], *whole.shape, *x.shape[axis + 1 :])


@operation("numpy", tensors=2)
def take_along_axis(x: Any, indices: Any, axis: int | None = None) -> Tensor:
    """The entries of x at `indices`, which have its shape but along `axis`. Keras: `ops.take_along_axis`."""
    return torch.take_along_dim(x, indices.long(), dim=axis)


def einsum(subscripts: str, *operands: Any) -> Tensor:
    """Sums of products, as `subscripts` says. Keras: `ops.einsum`; on tensors alone."""
    return torch.einsum(subscripts, *operands)


abs = absolute
amax = max
amin = min
__getattr__ = lookup(__name__, [], INSTEAD, dict.fromkeys(arrays.__all__, arrays.__name__))
