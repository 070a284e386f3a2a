"""Joins, cuts, reshapes and orders tensors. TensorFlow: the functions directly in `tf`."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
import torch.nn.functional as F

from scene_lightning.compat.tensorflow.dtypes import as_dtype
from scene_lightning.compat.tensorflow.ops.operation import as_tensor, operation, sides
from scene_lightning.utils.text import strings

_pyslice = slice
_NARROW = (torch.uint8, torch.int8, torch.uint16, torch.int16)


@operation
def cast(x: Any, dtype: Any, name: Any = None) -> Any:
    """Gives `x` in another dtype. Floats become integers by cutting off; 8 or 16 bits keep what fits into them.

    Args:
        x: tensor, array, list or number.
        dtype: a name or a dtype.
        name: for TensorFlow's sake, without effect.
    """
    given, wanted = as_tensor(x), as_dtype(dtype)
    if given.is_floating_point() and wanted in _NARROW:  # C leaves open what becomes of 300.0: TensorFlow 2.21 says 255
        return saturate_cast(given, wanted)
    return given.to(wanted)


@operation
def saturate_cast(value: Any, dtype: Any, name: Any = None) -> Any:
    """Gives `value` in another dtype, cut to its range first.

    Args:
        value: tensor, array, list or number.
        dtype: a name or a dtype.
        name: for TensorFlow's sake, without effect.
    """
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


def identity(input: Any, name: Any = None) -> Any:
    """Gives its argument, an array as a tensor.

    Args:
        input: tensor, array, list or number.
        name: for TensorFlow's sake, without effect.
    """
    return input if not isinstance(input, np.ndarray) else as_tensor(input)


def shape(input: Any, out_type: Any = torch.int32, name: Any = None) -> Any:
    """Gives the sides as an integer tensor; of a symbolic tensor as a tuple, with None where unknown.

    Args:
        input: tensor, array, list or number.
        out_type: integer dtype of the result.
        name: for TensorFlow's sake, without effect.
    """
    if not isinstance(input, torch.Tensor | np.ndarray | list | tuple | int | float):
        return tuple(input.shape)
    return torch.tensor(tuple(np.shape(input)) if not isinstance(input, torch.Tensor) else tuple(input.shape),
                        dtype=as_dtype(out_type))  # fmt: skip


def rank(input: Any, name: Any = None) -> Any:
    """Gives the number of axes as a scalar tensor.

    Args:
        input: tensor, array, list or number.
        name: for TensorFlow's sake, without effect.
    """
    return torch.tensor(as_tensor(input).ndim, dtype=torch.int32)


def size(input: Any, out_type: Any = torch.int32, name: Any = None) -> Any:
    """Gives the number of elements as a scalar tensor.

    Args:
        input: tensor, array, list or number.
        out_type: integer dtype of the result.
        name: for TensorFlow's sake, without effect.
    """
    return torch.tensor(as_tensor(input).numel(), dtype=as_dtype(out_type))


@operation
def reshape(tensor: Any, shape: Any, name: Any = None) -> Any:
    """Gives the same elements in another shape.

    Args:
        tensor: tensor, array, list or number.
        shape: the new sides; -1 for the one that follows from the rest.
        name: for TensorFlow's sake, without effect.
    """
    x = as_tensor(tensor)
    return (
        x.reshape(sides(shape))
        if isinstance(x, torch.Tensor)
        else strings(np.asarray(x, dtype=object).reshape(sides(shape)))
    )


@operation
def expand_dims(input: Any, axis: int = -1, name: Any = None) -> Any:
    """Adds an axis of length 1.

    Args:
        input: tensor, array, list or number.
        axis: where; -1 for the last place.
        name: for TensorFlow's sake, without effect.
    """
    x = as_tensor(input)
    return (
        x.unsqueeze(int(axis))
        if isinstance(x, torch.Tensor)
        else strings(np.expand_dims(np.asarray(x, dtype=object), int(axis)))
    )


@operation
def squeeze(input: Any, axis: Any = None, name: Any = None) -> Any:
    """Takes axes of length 1 out.

    Args:
        input: tensor, array, list or number.
        axis: one or several; None for all of them.
        name: for TensorFlow's sake, without effect.
    """
    x = as_tensor(input)
    return x.squeeze() if axis is None else x.squeeze(axis if isinstance(axis, int) else tuple(axis))


@operation
def transpose(a: Any, perm: Any = None, conjugate: bool = False, name: Any = None) -> Any:
    """Puts the axes in another order.

    Args:
        a: the tensor.
        perm: the order, such as (0, 2, 1); None for the reverse.
        conjugate, name: for TensorFlow's sake, without effect.
    """
    x = as_tensor(a)
    return x.permute(sides(perm) if perm is not None else tuple(reversed(range(x.ndim))))


@operation
def concat(values: Any, axis: int = -1, name: Any = None) -> Any:
    """Joins tensors along an axis that they have.

    Args:
        values: several tensors.
        axis: along which.
        name: for TensorFlow's sake, without effect.
    """
    return torch.cat([as_tensor(value) for value in values], dim=int(axis))


@operation
def stack(values: Any, axis: int = 0, name: Any = None) -> Any:
    """Joins tensors of one shape along a new axis.

    Args:
        values: several tensors.
        axis: where the new axis is.
        name: for TensorFlow's sake, without effect.
    """
    return torch.stack([as_tensor(value) for value in values], dim=int(axis))


@operation
def unstack(value: Any, num: Any = None, axis: int = 0, name: Any = None) -> Any:
    """Gives the slices along an axis, as a list of tensors without it.

    Args:
        value: tensor, array, list or number.
        axis: along which.
        num, name: for TensorFlow's sake, without effect.
    """
    return list(torch.unbind(as_tensor(value), dim=axis))


@operation
def split(value: Any, num_or_size_splits: Any, axis: int = 0, num: Any = None, name: Any = None) -> Any:
    """Cuts a tensor into pieces along an axis.

    Args:
        value: tensor, array, list or number.
        num_or_size_splits: the number of equal pieces, or the length of each.
        axis: along which.
        num, name: for TensorFlow's sake, without effect.
    """
    x = as_tensor(value)
    if isinstance(num_or_size_splits, int):
        return list(torch.split(x, x.shape[axis] // num_or_size_splits, dim=axis))
    return list(torch.split(x, list(sides(num_or_size_splits)), dim=axis))


@operation
def slice(input_: Any, begin: Any, size: Any, name: Any = None) -> Any:
    """Cuts a part out of a tensor.

    Args:
        input_: tensor, array or list.
        begin: where it starts on each axis.
        size: its length on each axis; -1 takes the rest.
        name: for TensorFlow's sake, without effect.
    """
    x = as_tensor(input_)
    parts = (_pyslice(b, None if s == -1 else b + s) for b, s in zip(sides(begin), sides(size), strict=True))
    return x[tuple(parts)]


@operation
def tile(input: Any, multiples: Any, name: Any = None) -> Any:
    """Repeats a tensor along its axes.

    Args:
        input: tensor, array, list or number.
        multiples: how often, for each axis.
        name: for TensorFlow's sake, without effect.
    """
    return as_tensor(input).repeat(sides(multiples))


@operation
def repeat(input: Any, repeats: Any, axis: Any = None, name: Any = None) -> Any:
    """Repeats each element.

    Args:
        input: tensor, array, list or number.
        repeats: how often: one number, or one for each element.
        axis: along which; None for all elements in one axis.
        name: for TensorFlow's sake, without effect.
    """
    counts = repeats if isinstance(repeats, int) else as_tensor(repeats)
    return torch.repeat_interleave(as_tensor(input), counts, axis)


@operation
def reverse(tensor: Any, axis: Any, name: Any = None) -> Any:
    """Turns the order along axes around.

    Args:
        tensor: tensor, array, list or number.
        axis: one or several.
        name: for TensorFlow's sake, without effect.
    """
    return torch.flip(as_tensor(tensor), sides(axis))


@operation
def pad(tensor: Any, paddings: Any, mode: str = "CONSTANT", constant_values: Any = 0, name: Any = None) -> Any:
    """Makes a tensor larger at the ends of its axes.

    Args:
        tensor: tensor, array, list or number.
        paddings: (axes, 2): how many before and after.
        mode: "CONSTANT", "REFLECT" (without the edge) or "SYMMETRIC" (with it).
        constant_values: what "CONSTANT" fills in.
        name: for TensorFlow's sake, without effect.
    """
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
    """Takes the slices at given indices along an axis.

    Args:
        params: what to take from.
        indices: whole numbers, of any shape.
        axis: along which; None for the first after the batch axes.
        batch_dims: how many first axes of both go together.
        validate_indices, name: for TensorFlow's sake, without effect.
    """
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
    """Takes the elements at given places.

    Args:
        params: what to take from.
        indices: (…, axes): a row for each place.
        batch_dims: how many first axes of both go together.
        name: for TensorFlow's sake, without effect.
    """
    x, index = as_tensor(params), as_tensor(indices).long()
    if batch_dims:
        return torch.stack([gather_nd(*pair, batch_dims=batch_dims - 1) for pair in zip(x, index, strict=True)])
    return x[tuple(index.unbind(-1))]


@operation
def boolean_mask(tensor: Any, mask: Any, axis: Any = None, name: Any = None) -> Any:
    """Takes the elements where a mask is true, in one axis.

    Args:
        tensor: tensor, array, list or number.
        mask: booleans in the shape of the first axes.
        axis, name: for TensorFlow's sake, without effect.
    """
    return as_tensor(tensor)[as_tensor(mask).bool()]


@operation
def where(condition: Any, x: Any = None, y: Any = None, name: Any = None) -> Any:
    """Takes `x` where a condition holds, else `y`; without them, gives the indices where it holds, (places, axes).

    Args:
        condition: booleans.
        x, y: tensors or numbers that can be broadcast to it, both or neither.
        name: for TensorFlow's sake, without effect.
    """
    mask = as_tensor(condition).bool()
    return torch.argwhere(mask) if x is None else torch.where(mask, as_tensor(x), as_tensor(y))


@operation
def sort(values: Any, axis: int = -1, direction: str = "ASCENDING", name: Any = None) -> Any:
    """Sorts along an axis.

    Args:
        values: tensor, array or list of numbers.
        axis: along which.
        direction: "ASCENDING" or "DESCENDING".
        name: for TensorFlow's sake, without effect.
    """
    return torch.sort(as_tensor(values), dim=axis, descending=direction == "DESCENDING").values


def unique_with_counts(x: Any, out_idx: Any = torch.int32, name: Any = None) -> Any:
    """Gives (values, the index of each element's value, how often each value is there).

    Args:
        x: tensor, array, list or number.
        out_idx: dtype of indices and counts.
        name: for TensorFlow's sake, without effect.
    """
    values, indices = unique(x, out_idx)
    return values, indices, torch.bincount(indices.long(), minlength=len(values)).to(as_dtype(out_idx))


def unique(x: Any, out_idx: Any = torch.int32, name: Any = None) -> Any:
    """Gives (values in the order of their first appearance, the index of each element's value).

    Args:
        x: tensor, array, list or number.
        out_idx: dtype of the indices.
        name: for TensorFlow's sake, without effect.
    """
    values = as_tensor(x).flatten().tolist()
    seen = {value: position for position, value in enumerate(dict.fromkeys(values))}
    indices = torch.tensor([seen[value] for value in values], dtype=as_dtype(out_idx))
    return as_tensor(list(seen)).to(as_tensor(x).dtype), indices


def broadcast_to(input: Any, shape: Any, name: Any = None) -> Any:
    """Repeats a tensor to a shape, without copies.

    Args:
        input: tensor, array, list or number.
        shape: the new sides.
        name: for TensorFlow's sake, without effect.
    """
    return as_tensor(input).expand(sides(shape))


concatenate = concat
