"""Making, joining, cutting and reshaping tensors. TensorFlow: the functions directly in `tf`."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from scene_lightning.compat.tensorflow.dtypes import TensorShape, as_dtype, string
from scene_lightning.compat.tensorflow.ops.operation import as_tensor, operation
from scene_lightning.utils.text import strings

newaxis = None
_range, _pyslice = range, slice
_NARROW = (torch.uint8, torch.int8, torch.uint16, torch.int16)


@operation
def cast(x: Any, dtype: Any, name: Any = None) -> Any:
    """`x` in another dtype; floats become integers by cutting off, and 8 or 16 bits keep what fits into them."""
    given, wanted = as_tensor(x), as_dtype(dtype)
    if given.is_floating_point() and wanted in _NARROW:  # C leaves open what becomes of 300.0: TensorFlow 2.21 says 255
        return saturate_cast(given, wanted)
    return given.to(wanted)


@operation
def saturate_cast(value: Any, dtype: Any, name: Any = None) -> Any:
    """`value` in another dtype, cut to its range first."""
    given, wanted = as_tensor(value), as_dtype(dtype)
    if wanted.is_floating_point or given.dtype == torch.bool:
        return given.to(wanted)
    limits = torch.iinfo(wanted)
    if not given.is_floating_point():
        return torch.clamp(given.to(torch.int64), limits.min, limits.max).to(wanted)
    most = torch.tensor(limits.max, dtype=given.dtype)
    if float(most) > limits.max:  # the next smaller number that fits
        most = torch.nextafter(most, torch.zeros_like(most))
    return torch.clamp(given, max(limits.min, torch.finfo(given.dtype).min), float(most)).to(wanted)


def convert_to_tensor(value: Any, dtype: Any = None, dtype_hint: Any = None, name: Any = None) -> Any:
    """An array, list or number → a tensor; text stays text."""
    return as_tensor(value, None if dtype is string else dtype)


def constant(value: Any, dtype: Any = None, shape: Any = None, name: Any = None) -> Any:
    """The same as `convert_to_tensor`; one value fills `shape`."""
    made = convert_to_tensor(value, dtype)
    if shape is None:
        return made
    return made.expand(_sides(shape)).clone() if made.numel() == 1 else made.reshape(_sides(shape))


def identity(input: Any, name: Any = None) -> Any:
    """`input`."""
    return input if not isinstance(input, np.ndarray) else as_tensor(input)


def shape(input: Any, out_type: Any = torch.int32, name: Any = None) -> Any:
    """The sides as an integer tensor; of a symbolic tensor as a tuple, with None where unknown."""
    if not isinstance(input, torch.Tensor | np.ndarray | list | tuple | int | float):
        return tuple(input.shape)
    return torch.tensor(tuple(np.shape(input)) if not isinstance(input, torch.Tensor) else tuple(input.shape),
                        dtype=as_dtype(out_type))  # fmt: skip


def rank(input: Any, name: Any = None) -> Any:
    """The number of axes."""
    return torch.tensor(as_tensor(input).ndim, dtype=torch.int32)


def size(input: Any, out_type: Any = torch.int32, name: Any = None) -> Any:
    """The number of elements."""
    return torch.tensor(as_tensor(input).numel(), dtype=as_dtype(out_type))


def _sides(shape: Any) -> tuple[int, ...]:
    if isinstance(shape, torch.Tensor):
        shape = shape.tolist()
    return (int(shape),) if isinstance(shape, int | np.integer) else tuple(int(side) for side in shape)


@operation
def reshape(tensor: Any, shape: Any, name: Any = None) -> Any:
    """The same elements in another shape."""
    x = as_tensor(tensor)
    return x.reshape(_sides(shape)) if isinstance(x, torch.Tensor) else strings(_objects(x).reshape(_sides(shape)))


def _objects(texts: Any) -> Any:
    """Text, or an array of texts, as an array of objects."""
    if isinstance(texts, np.ndarray):
        return texts
    whole = np.empty((), dtype=object)
    whole[()] = texts
    return whole


@operation
def expand_dims(input: Any, axis: int = -1, name: Any = None) -> Any:
    """A new axis of length 1."""
    x = as_tensor(input)
    return x.unsqueeze(int(axis)) if isinstance(x, torch.Tensor) else strings(np.expand_dims(_objects(x), int(axis)))


@operation
def squeeze(input: Any, axis: Any = None, name: Any = None) -> Any:
    """Without its axes of length 1."""
    x = as_tensor(input)
    return x.squeeze() if axis is None else x.squeeze(axis if isinstance(axis, int) else tuple(axis))


@operation
def transpose(a: Any, perm: Any = None, conjugate: bool = False, name: Any = None) -> Any:
    """The axes in another order (reversed by default)."""
    x = as_tensor(a)
    return x.permute(_sides(perm) if perm is not None else tuple(reversed(_range(x.ndim))))


@operation
def concat(values: Any, axis: int = -1, name: Any = None) -> Any:
    """Tensors joined along `axis`."""
    return torch.cat([as_tensor(value) for value in values], dim=int(axis))


@operation
def stack(values: Any, axis: int = 0, name: Any = None) -> Any:
    """Tensors joined along a new axis."""
    return torch.stack([as_tensor(value) for value in values], dim=int(axis))


@operation
def unstack(value: Any, num: Any = None, axis: int = 0, name: Any = None) -> Any:
    """The slices along `axis`."""
    return list(torch.unbind(as_tensor(value), dim=axis))


@operation
def split(value: Any, num_or_size_splits: Any, axis: int = 0, num: Any = None, name: Any = None) -> Any:
    """Pieces along `axis`: so many equal ones, or of these sizes."""
    x = as_tensor(value)
    if isinstance(num_or_size_splits, int):
        return list(torch.split(x, x.shape[axis] // num_or_size_splits, dim=axis))
    return list(torch.split(x, list(_sides(num_or_size_splits)), dim=axis))


@operation
def slice(input_: Any, begin: Any, size: Any, name: Any = None) -> Any:
    """The part that starts at `begin`; a size of -1 takes the rest."""
    x = as_tensor(input_)
    parts = (_pyslice(b, None if s == -1 else b + s) for b, s in zip(_sides(begin), _sides(size), strict=True))
    return x[tuple(parts)]


@operation
def tile(input: Any, multiples: Any, name: Any = None) -> Any:
    """Repeated so often along each axis."""
    return as_tensor(input).repeat(_sides(multiples))


@operation
def repeat(input: Any, repeats: Any, axis: Any = None, name: Any = None) -> Any:
    """Each element repeated."""
    counts = repeats if isinstance(repeats, int) else as_tensor(repeats)
    return torch.repeat_interleave(as_tensor(input), counts, axis)


@operation
def reverse(tensor: Any, axis: Any, name: Any = None) -> Any:
    """The other way round along `axis`."""
    return torch.flip(as_tensor(tensor), _sides(axis))


@operation
def pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0, name: Any = None) -> Any:
    """[before, after] more along each axis: "CONSTANT", "REFLECT" or "SYMMETRIC"."""
    widths = np.asarray(paddings).tolist()
    if mode.upper() == "CONSTANT":
        flat = [width for pair in reversed(widths) for width in pair]
        return F.pad(as_tensor(tensor), flat, value=constant_values)
    kind: Any = mode.lower()
    return torch.as_tensor(np.pad(as_tensor(tensor).detach().cpu().numpy(), widths, mode=kind))


@operation
def gather(
    params: Any, indices: Any, validate_indices: Any = None, axis: Any = None, batch_dims: int = 0, name: Any = None
) -> Any:
    """The slices of `params` at `indices` along `axis`; the first `batch_dims` axes of both go together."""
    x, index, shared = as_tensor(params), as_tensor(indices).long(), int(batch_dims)
    if isinstance(x, np.ndarray):  # text
        return x[index.numpy()]
    place = shared if axis is None else int(axis) % x.ndim
    if shared:
        return torch.stack(
            [gather(*pair, axis=place - 1, batch_dims=shared - 1) for pair in zip(x, index, strict=True)]
        )
    chosen = torch.index_select(x, place, index.flatten())
    return chosen.reshape(*x.shape[:place], *index.shape, *x.shape[place + 1 :])


@operation
def gather_nd(params: Any, indices: Any, batch_dims: int = 0, name: Any = None) -> Any:
    """The elements at rows of indices; the first `batch_dims` axes of both go together."""
    x, index = as_tensor(params), as_tensor(indices).long()
    if batch_dims:
        return torch.stack([gather_nd(*pair, batch_dims=batch_dims - 1) for pair in zip(x, index, strict=True)])
    return x[tuple(index.unbind(-1))]


@operation
def boolean_mask(tensor: Any, mask: Any, axis: Any = None, name: Any = None) -> Any:
    """The elements where `mask` is true."""
    return as_tensor(tensor)[as_tensor(mask).bool()]


@operation
def where(condition: Any, x: Any = None, y: Any = None, name: Any = None) -> Any:
    """`x` where the condition holds, else `y`; without them, the indices where it holds, (n, axes)."""
    mask = as_tensor(condition).bool()
    return torch.argwhere(mask) if x is None else torch.where(mask, as_tensor(x), as_tensor(y))


@operation
def one_hot(
    indices: Any,
    depth: Any,
    on_value: Any = None,
    off_value: Any = None,
    axis: Any = None,
    dtype: Any = None,
    name: Any = None,
) -> Any:
    """Class numbers → one-hot rows, float32; a number outside 0..depth-1 gives zeros."""
    numbers = as_tensor(indices).long()
    hot = numbers.unsqueeze(-1) == torch.arange(int(depth), device=numbers.device)
    on, off = 1 if on_value is None else on_value, 0 if off_value is None else off_value
    result = torch.where(hot, torch.as_tensor(on), torch.as_tensor(off)).to(as_dtype(dtype or "float32"))
    return result if axis in (None, -1) else result.movedim(-1, axis)


def _filled(torch_function: Callable[..., Any], doc: str) -> Callable[..., Any]:
    def function(shape: Any, dtype: Any = "float32", name: Any = None) -> Any:
        return torch_function(_sides(shape), dtype=as_dtype(dtype))

    function.__doc__ = doc
    return function


zeros = _filled(torch.zeros, "A tensor of zeros.")
ones = _filled(torch.ones, "A tensor of ones.")


def fill(dims: Any, value: Any, name: Any = None) -> Any:
    """A tensor of one value."""
    return as_tensor(value).expand(_sides(dims)).clone()


@operation
def zeros_like(input: Any, dtype: Any = None, name: Any = None) -> Any:
    """Zeros in the shape of another tensor."""
    return torch.zeros_like(as_tensor(input), dtype=None if dtype is None else as_dtype(dtype))


@operation
def ones_like(input: Any, dtype: Any = None, name: Any = None) -> Any:
    """Ones in the shape of another tensor."""
    return torch.ones_like(as_tensor(input), dtype=None if dtype is None else as_dtype(dtype))


def eye(num_rows: int, num_columns: Any = None, dtype: Any = "float32", **_: Any) -> Any:
    """The identity matrix."""
    return torch.eye(num_rows, num_columns or num_rows, dtype=as_dtype(dtype))


def range(start: Any, limit: Any = None, delta: Any = 1, dtype: Any = None, name: Any = None) -> Any:
    """start, start + delta, … below limit; int32 for integers."""
    first, last = (0, start) if limit is None else (start, limit)
    numbers = [value.item() if isinstance(value, torch.Tensor) else value for value in (first, last, delta)]
    kind = as_dtype(dtype) if dtype is not None else None if any(isinstance(n, float) for n in numbers) else torch.int32
    return torch.arange(*numbers, dtype=kind)


def linspace(start: Any, stop: Any, num: int, name: Any = None, axis: int = 0) -> Any:
    """`num` values from start to stop."""
    return torch.linspace(float(start), float(stop), int(num))


@operation
def sort(values: Any, axis: int = -1, direction: str = "ASCENDING", name: Any = None) -> Any:
    """Sorted along `axis`."""
    return torch.sort(as_tensor(values), dim=axis, descending=direction == "DESCENDING").values


def unique_with_counts(x: Any, out_idx: Any = torch.int32, name: Any = None) -> Any:
    """(values, the index of each element's value, how often each value is there)."""
    values, indices = unique(x, out_idx)
    return values, indices, torch.bincount(indices.long(), minlength=len(values)).to(as_dtype(out_idx))


def unique(x: Any, out_idx: Any = torch.int32, name: Any = None) -> Any:
    """(values in the order of their first appearance, the index of each element's value)."""
    values = as_tensor(x).flatten().tolist()
    seen = {value: position for position, value in enumerate(dict.fromkeys(values))}
    indices = torch.tensor([seen[value] for value in values], dtype=as_dtype(out_idx))
    return as_tensor(list(seen)).to(as_tensor(x).dtype), indices


def broadcast_to(input: Any, shape: Any, name: Any = None) -> Any:
    """Repeated to a shape, without copies."""
    return as_tensor(input).expand(_sides(shape))


def flatten(x: Any) -> Any:
    """All elements in one axis."""
    return as_tensor(x).reshape(math.prod(as_tensor(x).shape))


concatenate = concat
arange = range
convert_to_numpy = np.asarray

__all__ = [
    "TensorShape", "arange", "boolean_mask", "broadcast_to", "cast", "concat", "concatenate", "constant",
    "convert_to_numpy", "convert_to_tensor", "expand_dims", "eye", "fill", "gather", "gather_nd", "identity",
    "linspace", "newaxis", "one_hot", "ones", "ones_like", "pad", "range", "rank", "repeat", "reshape", "reverse",
    "saturate_cast", "shape", "size", "slice", "sort", "split", "squeeze", "stack", "tile", "transpose", "unique",
    "unique_with_counts", "unstack", "where", "zeros", "zeros_like",
]  # fmt: skip
