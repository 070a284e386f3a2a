"""What of `tf`, `tf.math` and `tf.linalg` moves, scatters, contracts or loops over tensors, and `tf.*_initializer`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from scene_lightning import initializers
from scene_lightning.compat.tensorflow.dtypes import as_dtype
from scene_lightning.compat.tensorflow.ops.array_ops import _sides
from scene_lightning.compat.tensorflow.ops.math_ops import _float, _unary
from scene_lightning.compat.tensorflow.ops.operation import as_tensor, operation

acos = _unary(_float(torch.acos), "The angle whose cosine is x.")
asin = _unary(_float(torch.asin), "The angle whose sine is x.")
atan = _unary(_float(torch.atan), "The angle whose tangent is x.")
cosh = _unary(_float(torch.cosh), "Hyperbolic cosine.")
sinh = _unary(_float(torch.sinh), "Hyperbolic sine.")
erfc = _unary(_float(torch.erfc), "1 - erf(x).")
expm1 = _unary(_float(torch.expm1), "exp(x) - 1.")
rint = _unary(torch.round, "The nearest whole number.")
matrix_transpose = _unary(lambda x: x.transpose(-2, -1), "The last two axes exchanged.")
diag_part = _unary(lambda x: torch.diagonal(x, dim1=-2, dim2=-1), "The diagonals of matrices.")
trace = _unary(lambda x: torch.diagonal(x, dim1=-2, dim2=-1).sum(-1), "The sums of the diagonals of matrices.")
inv = _unary(torch.linalg.inv, "The inverses of matrices.")
det = _unary(torch.linalg.det, "The determinants of matrices.")


@operation
def diag(diagonal: Any, name: Any = None, **_: Any) -> Any:
    """Matrices with these diagonals and zeros."""
    return torch.diag_embed(as_tensor(diagonal))


@operation
def band_part(input: Any, num_lower: int, num_upper: int, name: Any = None) -> Any:
    """Matrices whose entries further from the diagonal are zero; −1 keeps a whole triangle."""
    x = as_tensor(input)
    x = x if num_upper < 0 else torch.tril(x, num_upper)
    return x if num_lower < 0 else torch.triu(x, -num_lower)


@operation
def cumprod(x: Any, axis: int = 0, exclusive: bool = False, reverse: bool = False, name: Any = None) -> Any:
    """Products from the start up to each place."""
    values = torch.flip(as_tensor(x), (axis,)) if reverse else as_tensor(x)
    products = torch.cumprod(values, axis, dtype=values.dtype)
    if exclusive:
        first, others = torch.ones_like(products.narrow(axis, 0, 1)), products.narrow(axis, 0, products.shape[axis] - 1)
        products = torch.cat([first, others], axis)
    return torch.flip(products, (axis,)) if reverse else products


@operation
def count_nonzero(input: Any, axis: Any = None, keepdims: bool = False, dtype: Any = "int64", name: Any = None) -> Any:
    """How many are not zero."""
    x = as_tensor(input) != 0
    given = tuple(range(x.ndim)) if axis is None else axis
    return x.sum(given, keepdim=keepdims).to(as_dtype(dtype))


@operation
def bincount(arr: Any, weights: Any = None, minlength: Any = None, maxlength: Any = None, **_: Any) -> Any:
    """How often each whole number from 0 occurs."""
    counts = torch.bincount(
        as_tensor(arr).flatten().long(), None if weights is None else as_tensor(weights).flatten(), int(minlength or 0)
    )
    counts = counts if maxlength is None else counts[: int(maxlength)]
    return counts if weights is not None else counts.int()


@operation
def einsum(equation: str, *inputs: Any, **_: Any) -> Any:
    """Einstein's sum."""
    return torch.einsum(equation, *(as_tensor(x) for x in inputs))


@operation
def tensordot(a: Any, b: Any, axes: Any, name: Any = None) -> Any:
    """Products summed over the given axes."""
    if not isinstance(axes, int):
        axes = [[axis] if isinstance(axis, int) else list(axis) for axis in axes]
    return torch.tensordot(as_tensor(a), as_tensor(b), dims=axes)


@operation
def add_n(inputs: Any, name: Any = None) -> Any:
    """The sum of tensors of one shape."""
    return torch.stack([as_tensor(x) for x in inputs]).sum(0)


@operation
def roll(input: Any, shift: Any, axis: Any, name: Any = None) -> Any:
    """Moved along axes; what leaves at one end comes back at the other."""
    return torch.roll(as_tensor(input), shift if isinstance(shift, int) else _sides(shift),
                      axis if isinstance(axis, int) else _sides(axis))  # fmt: skip


@operation
def meshgrid(*args: Any, indexing: str = "xy", name: Any = None) -> Any:
    """Grids of coordinates."""
    return list(torch.meshgrid(*(as_tensor(x) for x in args), indexing=indexing))


@operation
def searchsorted(sorted_sequence: Any, values: Any, side: str = "left", **_: Any) -> Any:
    """Where values would stand in a sorted sequence, int32."""
    return torch.searchsorted(as_tensor(sorted_sequence), as_tensor(values), right=side == "right").int()


@operation
def ensure_shape(x: Any, shape: Any, name: Any = None) -> Any:
    """`x`, whose shape was looked at when it was made."""
    return as_tensor(x)


@operation
def sequence_mask(lengths: Any, maxlen: Any = None, dtype: Any = "bool", name: Any = None) -> Any:
    """True for the first `lengths` places."""
    counts = as_tensor(lengths)
    places = torch.arange(int(counts.max() if maxlen is None else maxlen))
    return (places < counts.unsqueeze(-1)).to(as_dtype(dtype))


def _scattered(target: torch.Tensor, indices: Any, updates: Any, add: bool) -> torch.Tensor:
    where = tuple(as_tensor(indices).long().unbind(-1))
    return target.index_put(where, as_tensor(updates).to(target.dtype), accumulate=add)


@operation
def scatter_nd(indices: Any, updates: Any, shape: Any, name: Any = None) -> Any:
    """Zeros of `shape`, with `updates` added at rows of indices."""
    return _scattered(torch.zeros(_sides(shape), dtype=as_tensor(updates).dtype), indices, updates, True)


@operation
def tensor_scatter_nd_update(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """`tensor` with other values at rows of indices."""
    return _scattered(as_tensor(tensor), indices, updates, False)


@operation
def tensor_scatter_nd_add(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """`tensor` with values added at rows of indices."""
    return _scattered(as_tensor(tensor), indices, updates, True)


@operation
def space_to_depth(input: Any, block_size: int, **_: Any) -> Any:
    """(N, H, W, C) → (N, H/b, W/b, b·b·C)."""
    x, b = as_tensor(input), int(block_size)
    n, h, w, c = x.shape
    return x.reshape(n, h // b, b, w // b, b, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h // b, w // b, b * b * c)


@operation
def depth_to_space(input: Any, block_size: int, **_: Any) -> Any:
    """The reverse of `space_to_depth`."""
    x, b = as_tensor(input), int(block_size)
    n, h, w, c = x.shape
    return x.reshape(n, h, w, b, b, c // (b * b)).permute(0, 1, 3, 2, 4, 5).reshape(n, h * b, w * b, c // (b * b))


@operation
def histogram_fixed_width(
    values: Any, value_range: Any, nbins: Any = 100, dtype: Any = torch.int32, name: Any = None
) -> Any:
    """How many values fall into each of `nbins` equal parts of the range; what lies outside counts at its ends."""
    x, (low, high) = as_tensor(values), (float(limit) for limit in value_range)
    places = torch.floor((x.double() - low) / (high - low) * int(nbins)).clamp(0, int(nbins) - 1)
    return torch.bincount(places.long().flatten(), minlength=int(nbins)).to(as_dtype(dtype))


def _places(bounds: Any, side: int, device: Any) -> torch.Tensor:
    return torch.tensor(range(*slice(*bounds).indices(side)), dtype=torch.long, device=device)


@operation
def strided_slice(input_: Any, begin: Any, end: Any, strides: Any = None, name: Any = None) -> Any:
    """`input_[begin[0]:end[0]:strides[0], …]`; steps may go backwards."""
    x = as_tensor(input_)
    steps = _sides(strides) if strides is not None else (1,) * len(_sides(begin))
    for axis, bounds in enumerate(zip(_sides(begin), _sides(end), steps, strict=True)):
        x = x.index_select(axis, _places(bounds, x.shape[axis], x.device))
    return x


@operation
def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: Any = None) -> Any:
    """`t`, made shorter where its norm is larger."""
    x = as_tensor(t)
    given = tuple(range(x.ndim)) if axes is None else axes
    length = torch.linalg.vector_norm(x, dim=given, keepdim=True)
    return x * (float(clip_norm) / torch.clamp(length, min=float(clip_norm)))


def global_norm(t_list: Any, name: Any = None) -> Any:
    """The norm of all tensors together; None is left out."""
    return torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(x) for x in t_list if x is not None]))


def clip_by_global_norm(t_list: Any, clip_norm: Any, use_norm: Any = None, name: Any = None) -> Any:
    """(tensors made shorter together where their joint norm is larger, that norm)."""
    norm = global_norm(t_list) if use_norm is None else as_tensor(use_norm)
    scale = float(clip_norm) / torch.clamp(norm, min=float(clip_norm))
    return [None if x is None else x * scale for x in t_list], norm


def while_loop(cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, *_: Any, **__: Any) -> Any:
    """`body` again and again while `cond` holds."""
    state = tuple(loop_vars)
    while bool(cond(*state)):
        result = body(*state)
        state = tuple(result) if isinstance(result, list | tuple) else (result,)
    return list(state)


def switch_case(branch_index: Any, branch_fns: Any, default: Any = None, name: Any = None) -> Any:
    """The result of one of several functions; the default's, or the last one's, for a number that has none."""
    functions = dict(branch_fns if isinstance(branch_fns, dict) else enumerate(branch_fns))
    return functions.get(int(branch_index), default or functions[max(functions)])()


def case(pred_fn_pairs: Any, default: Any = None, **_: Any) -> Any:
    """The result of the first function whose condition holds."""
    chosen = next((function for holds, function in pred_fn_pairs if bool(holds)), default)
    return None if chosen is None else chosen()


zeros_initializer, ones_initializer = initializers.Zeros, initializers.Ones
constant_initializer = initializers.Constant
random_normal_initializer = initializers.RandomNormal
random_uniform_initializer = initializers.RandomUniform
truncated_normal_initializer = initializers.TruncatedNormal

__all__ = [
    "acos", "add_n", "asin", "atan", "band_part", "bincount", "case", "clip_by_global_norm", "clip_by_norm",
    "constant_initializer", "cosh", "count_nonzero", "cumprod", "depth_to_space", "det", "diag", "diag_part",
    "einsum", "ensure_shape", "erfc", "expm1", "global_norm", "histogram_fixed_width", "inv", "matrix_transpose",
    "meshgrid", "ones_initializer", "random_normal_initializer", "random_uniform_initializer", "rint", "roll",
    "scatter_nd", "searchsorted", "sequence_mask", "sinh", "space_to_depth", "strided_slice", "switch_case",
    "tensor_scatter_nd_add", "tensor_scatter_nd_update", "tensordot", "trace", "truncated_normal_initializer",
    "while_loop", "zeros_initializer",
]  # fmt: skip
