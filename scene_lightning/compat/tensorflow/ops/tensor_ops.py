"""What of `tf`, `tf.math` and `tf.linalg` moves, scatters, contracts or loops over tensors."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from scene_lightning.compat.tensorflow.dtypes import as_dtype
from scene_lightning.compat.tensorflow.ops.operation import as_tensor, operation, sides


@operation
def diag(diagonal: Any, name: Any = None, **_: Any) -> Any:
    """Makes matrices with given diagonals and zeros elsewhere.

    Args:
        diagonal: (…, side).
        name, **_: for TensorFlow's sake, without effect.
    """
    return torch.diag_embed(as_tensor(diagonal))


@operation
def band_part(input: Any, num_lower: int, num_upper: int, name: Any = None) -> Any:
    """Sets the entries of matrices that are further from the diagonal to zero.

    Args:
        input: (…, rows, columns).
        num_lower, num_upper: diagonals that stay below and above; -1 for all.
        name: for TensorFlow's sake, without effect.
    """
    x = as_tensor(input)
    x = x if num_upper < 0 else torch.tril(x, num_upper)
    return x if num_lower < 0 else torch.triu(x, -num_lower)


@operation
def cumprod(x: Any, axis: int = 0, exclusive: bool = False, reverse: bool = False, name: Any = None) -> Any:
    """Gives running products along an axis.

    Args:
        x: tensor, array, list or number.
        axis: along which.
        exclusive: whether each product is without the element itself.
        reverse: whether to begin at the end.
        name: for TensorFlow's sake, without effect.
    """
    values = torch.flip(as_tensor(x), (axis,)) if reverse else as_tensor(x)
    products = torch.cumprod(values, axis, dtype=values.dtype)
    if exclusive:
        first, others = torch.ones_like(products.narrow(axis, 0, 1)), products.narrow(axis, 0, products.shape[axis] - 1)
        products = torch.cat([first, others], axis)
    return torch.flip(products, (axis,)) if reverse else products


@operation
def count_nonzero(input: Any, axis: Any = None, keepdims: bool = False, dtype: Any = "int64", name: Any = None) -> Any:
    """Counts the values that are not zero.

    Args:
        input: tensor, array, list or number.
        axis: over which; None for all.
        keepdims: whether the reduced axes stay, with length 1.
        dtype: of the count.
        name: for TensorFlow's sake, without effect.
    """
    x = as_tensor(input) != 0
    given = tuple(range(x.ndim)) if axis is None else axis
    return x.sum(given, keepdim=keepdims).to(as_dtype(dtype))


@operation
def bincount(arr: Any, weights: Any = None, minlength: Any = None, maxlength: Any = None, **_: Any) -> Any:
    """Counts how often each whole number from 0 occurs.

    Args:
        arr: whole numbers, not negative.
        weights: what each counts; None for 1.
        minlength: the least length of the result.
        maxlength: the most; larger numbers are left out.
        **_: for TensorFlow's sake, without effect.
    """
    counts = torch.bincount(
        as_tensor(arr).flatten().long(), None if weights is None else as_tensor(weights).flatten(), int(minlength or 0)
    )
    counts = counts if maxlength is None else counts[: int(maxlength)]
    return counts if weights is not None else counts.int()


@operation
def einsum(equation: str, *inputs: Any, **_: Any) -> Any:
    """Sums products by Einstein's notation.

    Args:
        equation: such as "bij,bjk->bik".
        *inputs: a tensor for each term.
        **_: for TensorFlow's sake, without effect.
    """
    return torch.einsum(equation, *(as_tensor(x) for x in inputs))


@operation
def tensordot(a: Any, b: Any, axes: Any, name: Any = None) -> Any:
    """Sums products over axes of two tensors.

    Args:
        a, b: tensors, arrays or lists.
        axes: the number of last axes of `a` and first ones of `b`, or the axes of each.
        name: for TensorFlow's sake, without effect.
    """
    if not isinstance(axes, int):
        axes = [[axis] if isinstance(axis, int) else list(axis) for axis in axes]
    return torch.tensordot(as_tensor(a), as_tensor(b), dims=axes)


@operation
def add_n(inputs: Any, name: Any = None) -> Any:
    """Adds tensors of one shape.

    Args:
        inputs: the tensors.
        name: for TensorFlow's sake, without effect.
    """
    return torch.stack([as_tensor(x) for x in inputs]).sum(0)


@operation
def roll(input: Any, shift: Any, axis: Any, name: Any = None) -> Any:
    """Moves values along axes; what leaves at one end comes back at the other.

    Args:
        input: tensor, array, list or number.
        shift: by how many places, for each axis.
        axis: one or several.
        name: for TensorFlow's sake, without effect.
    """
    return torch.roll(as_tensor(input), shift if isinstance(shift, int) else sides(shift),
                      axis if isinstance(axis, int) else sides(axis))  # fmt: skip


@operation
def meshgrid(*args: Any, indexing: str = "xy", name: Any = None) -> Any:
    """Makes grids of coordinates, one for each axis.

    Args:
        indexing: "xy" (the first along columns) or "ij" (along rows).
        *args: the coordinates along each axis.
        name: for TensorFlow's sake, without effect.
    """
    return list(torch.meshgrid(*(as_tensor(x) for x in args), indexing=indexing))


@operation
def searchsorted(sorted_sequence: Any, values: Any, side: str = "left", **_: Any) -> Any:
    """Gives the places where values would stand in a sorted sequence, int32.

    Args:
        sorted_sequence: (…, length), ascending.
        values: (…, number).
        side: "left" or "right" of equal values.
        **_: for TensorFlow's sake, without effect.
    """
    return torch.searchsorted(as_tensor(sorted_sequence), as_tensor(values), right=side == "right").int()


@operation
def ensure_shape(x: Any, shape: Any, name: Any = None) -> Any:
    """Gives its argument; nothing is checked.

    Args:
        x: tensor, array, list or number.
        shape, name: for TensorFlow's sake, without effect.
    """
    return as_tensor(x)


@operation
def sequence_mask(lengths: Any, maxlen: Any = None, dtype: Any = "bool", name: Any = None) -> Any:
    """Makes rows that are true in their first places.

    Args:
        lengths: how many, for each row.
        maxlen: the rows' length; None for the largest of `lengths`.
        dtype: of the result.
        name: for TensorFlow's sake, without effect.
    """
    counts = as_tensor(lengths)
    places = torch.arange(int(counts.max() if maxlen is None else maxlen))
    return (places < counts.unsqueeze(-1)).to(as_dtype(dtype))


def _scattered(target: torch.Tensor, indices: Any, updates: Any, add: bool) -> torch.Tensor:
    where = tuple(as_tensor(indices).long().unbind(-1))
    return target.index_put(where, as_tensor(updates).to(target.dtype), accumulate=add)


@operation
def scatter_nd(indices: Any, updates: Any, shape: Any, name: Any = None) -> Any:
    """Adds values to zeros, at given places.

    Args:
        indices: (…, axes): a row for each place.
        updates: what is added there.
        shape: sides of the result.
        name: for TensorFlow's sake, without effect.
    """
    return _scattered(torch.zeros(sides(shape), dtype=as_tensor(updates).dtype), indices, updates, True)


@operation
def tensor_scatter_nd_update(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """Gives a tensor with other values at given places.

    Args:
        tensor: tensor, array, list or number.
        indices: (…, axes): a row for each place.
        updates: the new values.
        name: for TensorFlow's sake, without effect.
    """
    return _scattered(as_tensor(tensor), indices, updates, False)


@operation
def tensor_scatter_nd_add(tensor: Any, indices: Any, updates: Any, name: Any = None) -> Any:
    """Gives a tensor with values added at given places.

    Args:
        tensor: tensor, array, list or number.
        indices: (…, axes): a row for each place.
        updates: what is added there.
        name: for TensorFlow's sake, without effect.
    """
    return _scattered(as_tensor(tensor), indices, updates, True)


@operation
def space_to_depth(input: Any, block_size: int, **_: Any) -> Any:
    """Moves blocks of pixels into channels: (N, H, W, C) → (N, H/b, W/b, b·b·C).

    Args:
        input: (batch, height, width, channels).
        block_size: b, a block's side in pixels.
        **_: for TensorFlow's sake, without effect.
    """
    x, b = as_tensor(input), int(block_size)
    n, h, w, c = x.shape
    return x.reshape(n, h // b, b, w // b, b, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h // b, w // b, b * b * c)


@operation
def depth_to_space(input: Any, block_size: int, **_: Any) -> Any:
    """Moves channels into blocks of pixels: the reverse of `space_to_depth`.

    Args:
        input: (batch, height, width, channels).
        block_size: a block's side in pixels.
        **_: for TensorFlow's sake, without effect.
    """
    x, b = as_tensor(input), int(block_size)
    n, h, w, c = x.shape
    return x.reshape(n, h, w, b, b, c // (b * b)).permute(0, 1, 3, 2, 4, 5).reshape(n, h * b, w * b, c // (b * b))


@operation
def histogram_fixed_width(
    values: Any, value_range: Any, nbins: Any = 100, dtype: Any = torch.int32, name: Any = None
) -> Any:
    """Counts the values in equal parts of a range; what lies outside counts at its ends.

    Args:
        values: tensor, array or list of numbers.
        value_range: (lowest, highest).
        nbins: how many parts.
        dtype: of the counts.
        name: for TensorFlow's sake, without effect.
    """
    x, (low, high) = as_tensor(values), (float(limit) for limit in value_range)
    places = torch.floor((x.double() - low) / (high - low) * int(nbins)).clamp(0, int(nbins) - 1)
    return torch.bincount(places.long().flatten(), minlength=int(nbins)).to(as_dtype(dtype))


def _places(bounds: Any, side: int, device: Any) -> torch.Tensor:
    return torch.tensor(range(*slice(*bounds).indices(side)), dtype=torch.long, device=device)


@operation
def strided_slice(input_: Any, begin: Any, end: Any, strides: Any = None, name: Any = None) -> Any:
    """Gives `input_[begin[0]:end[0]:strides[0], …]`.

    Args:
        input_: tensor, array or list.
        begin, end: where each axis starts and ends.
        strides: the step on each axis, which may be negative; None for 1.
        name: for TensorFlow's sake, without effect.
    """
    x = as_tensor(input_)
    steps = sides(strides) if strides is not None else (1,) * len(sides(begin))
    for axis, bounds in enumerate(zip(sides(begin), sides(end), steps, strict=True)):
        x = x.index_select(axis, _places(bounds, x.shape[axis], x.device))
    return x


@operation
def clip_by_norm(t: Any, clip_norm: Any, axes: Any = None, name: Any = None) -> Any:
    """Makes a tensor shorter where its norm is larger.

    Args:
        t: tensor, array or list.
        clip_norm: the largest norm.
        axes: over which the norm is; None for all.
        name: for TensorFlow's sake, without effect.
    """
    x = as_tensor(t)
    given = tuple(range(x.ndim)) if axes is None else axes
    length = torch.linalg.vector_norm(x, dim=given, keepdim=True)
    return x * (float(clip_norm) / torch.clamp(length, min=float(clip_norm)))


def global_norm(t_list: Any, name: Any = None) -> Any:
    """Gives the norm of all tensors together.

    Args:
        t_list: the tensors; None among them is left out.
        name: for TensorFlow's sake, without effect.
    """
    return torch.linalg.vector_norm(torch.stack([torch.linalg.vector_norm(x) for x in t_list if x is not None]))


def clip_by_global_norm(t_list: Any, clip_norm: Any, use_norm: Any = None, name: Any = None) -> Any:
    """Makes tensors shorter together where their joint norm is larger: (tensors, that norm).

    Args:
        t_list: the tensors; None among them stays None.
        clip_norm: the largest norm.
        use_norm: the joint norm, where it is known.
        name: for TensorFlow's sake, without effect.
    """
    norm = global_norm(t_list) if use_norm is None else as_tensor(use_norm)
    scale = float(clip_norm) / torch.clamp(norm, min=float(clip_norm))
    return [None if x is None else x * scale for x in t_list], norm


def while_loop(cond: Callable[..., Any], body: Callable[..., Any], loop_vars: Any, *_: Any, **__: Any) -> Any:
    """Calls `body` again and again while `cond` holds. Returns the last variables as a list.

    Args:
        cond: takes the variables, gives a boolean.
        body: takes the variables, gives the next ones.
        loop_vars: the first variables.
        *_, **__: for TensorFlow's sake, without effect.
    """
    state = tuple(loop_vars)
    while bool(cond(*state)):
        result = body(*state)
        state = tuple(result) if isinstance(result, list | tuple) else (result,)
    return list(state)


def switch_case(branch_index: Any, branch_fns: Any, default: Any = None, name: Any = None) -> Any:
    """Calls one of several functions without arguments.

    Args:
        branch_index: the number of the function.
        branch_fns: a list, or a dict from numbers, of functions.
        default: called for a number that has none; None for the last function.
        name: for TensorFlow's sake, without effect.
    """
    functions = dict(branch_fns if isinstance(branch_fns, dict) else enumerate(branch_fns))
    return functions.get(int(branch_index), default or functions[max(functions)])()


def case(pred_fn_pairs: Any, default: Any = None, **_: Any) -> Any:
    """Calls the first function whose condition holds.

    Args:
        pred_fn_pairs: pairs (boolean, function without arguments).
        default: called when none holds; None gives None.
        **_: for TensorFlow's sake, without effect.
    """
    chosen = next((function for holds, function in pred_fn_pairs if bool(holds)), default)
    return None if chosen is None else chosen()
