"""Tensors in, tensors out: writing into parts, segments, blocks of pixels, normalising, windows and transforms.

What image programs take from `keras.ops.core`, `math` and `nn` beside the usual functions.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from scene_lightning._settings import epsilon as default_epsilon
from scene_lightning._settings import torch_dtype
from scene_lightning.errors import InputError
from scene_lightning.ops.operation import as_float, convert_to_tensor, operation

# -- writing into parts ------------------------------------------------------------------------------------------------


@operation("core", tensors=2)
def scatter(indices: Any, values: Any, shape: Any) -> Tensor:
    """Zeros of `shape` with `values` added at `indices` (N, axes). Keras: `ops.scatter`."""
    made = torch.zeros(tuple(shape), dtype=values.dtype, device=values.device)
    return made.index_put(tuple(indices.long().movedim(-1, 0)), values, accumulate=True)


_REDUCTIONS = {"max": "amax", "min": "amin", "mul": "prod"}


@operation("core", tensors=3)
def scatter_update(inputs: Any, indices: Any, updates: Any, reduction: str | None = None) -> Tensor:
    """`inputs` with `updates` set, or combined by "add", "max", "min" or "mul", at `indices` (N, axes).

    Keras: `ops.scatter_update`.
    """
    where = tuple(indices.long().movedim(-1, 0))
    updates = updates.to(inputs.dtype)
    if reduction in (None, "add"):
        return inputs.index_put(where, updates, accumulate=reduction == "add")
    if reduction not in _REDUCTIONS:
        raise InputError(f"`reduction` must be None, 'add', 'max', 'min' or 'mul'; received {reduction!r}.")
    known, rest = inputs.shape[: len(where)], inputs.shape[len(where) :]
    strides = [int(np.prod(known[axis + 1 :])) for axis in range(len(known))]
    rows = torch.stack([at % n * stride for at, n, stride in zip(where, known, strides, strict=True)]).sum(0)
    flat = inputs.reshape(-1, *rest)
    return flat.index_reduce(0, rows.flatten(), updates.reshape(-1, *rest), _REDUCTIONS[reduction]).reshape(
        inputs.shape
    )


@operation("core", tensors=3)
def slice_update(inputs: Any, start_indices: Any, updates: Any) -> Tensor:
    """`inputs` with `updates` written in from `start_indices` on. Keras: `ops.slice_update`."""
    made = inputs.clone()
    sides = zip(start_indices.tolist(), updates.shape, strict=True)
    made[tuple(slice(int(start), int(start) + side) for start, side in sides)] = updates.to(inputs.dtype)
    return made


def switch(index: Any, branches: list[Callable[..., Any]], *operands: Any) -> Any:
    """The result of the branch that `index` names, kept within bounds. Keras: `ops.switch`."""
    return branches[min(max(int(index), 0), len(branches) - 1)](*operands)


# -- segments ----------------------------------------------------------------------------------------------------------

_NEUTRAL = {"sum": 0.0, "prod": 1.0, "amax": float("-inf"), "amin": float("inf")}


def _segments(kind: str, data: Tensor, ids: Tensor, count: int | None) -> Tensor:
    """Rows of `data` with one id combined; rows with ids outside 0 … count−1 count nowhere."""
    count = int(ids.max()) + 1 if count is None else int(count)
    ids = ids.long()
    held = torch.where((ids >= 0) & (ids < count), ids, count)
    if data.is_floating_point() or kind in ("sum", "prod"):
        neutral = torch.full((count + 1, *data.shape[1:]), _NEUTRAL[kind], device=data.device).to(data.dtype)
    else:  # Keras on torch starts from an infinity, whole numbers have their own
        limits = torch.iinfo(data.dtype)
        start = limits.min if kind == "amax" else limits.max
        neutral = torch.full((count + 1, *data.shape[1:]), start, dtype=data.dtype, device=data.device)
    where = held.reshape(-1, *[1] * (data.ndim - 1)).expand_as(data)
    return neutral.scatter_reduce(0, where, data, kind)[:count]


def _segment(name: str, kind: str, what: str) -> Any:
    def reduce(data: Any, segment_ids: Any, num_segments: int | None = None, sorted: bool = False) -> Tensor:
        return _segments(kind, data, segment_ids, num_segments)

    reduce.__name__, reduce.__qualname__ = name, name
    reduce.__doc__ = f"The {what} of the rows of each segment, (num_segments, ...). Keras: `ops.{name}`."
    return operation("math", tensors=2)(reduce)


segment_sum = _segment("segment_sum", "sum", "sum")
segment_prod = _segment("segment_prod", "prod", "product")
segment_max = _segment("segment_max", "amax", "largest")
segment_min = _segment("segment_min", "amin", "smallest")


# -- normalising and blocks of pixels ----------------------------------------------------------------------------------


def _sides(x: Tensor, axis: Any) -> tuple[list[int], list[int]]:
    """(axes counted from the front, the shape of a parameter over them beside `x`)."""
    dims = sorted(one % x.ndim for one in (axis if isinstance(axis, list | tuple) else [axis]))
    return dims, [side if at in dims else 1 for at, side in enumerate(x.shape)]


@operation("nn", tensors=3, name="LayerNorm")
def layer_normalization(
    x: Any, gamma: Any = None, beta: Any = None, axis: Any = -1, epsilon: float | None = None
) -> Tensor:
    """(x − mean)/√(variance + epsilon)·gamma + beta over `axis`. Keras: `ops.layer_normalization`."""
    dims, sides = _sides(x, axis)
    x = as_float(x)
    centred = x - x.mean(dims, keepdim=True)
    made = centred * torch.rsqrt(centred.square().mean(dims, keepdim=True) + _or_default(epsilon))
    made = made if gamma is None else made * gamma.reshape(sides)
    return made if beta is None else made + beta.reshape(sides)


@operation("nn", tensors=2, name="RMSNorm")
def rms_normalization(x: Any, scale: Any = None, axis: Any = -1, epsilon: float | None = None) -> Tensor:
    """x/√(mean of squares + epsilon)·scale over `axis`. Keras: `ops.rms_normalization`."""
    dims, sides = _sides(x, axis)
    x = as_float(x)
    made = x * torch.rsqrt(x.square().mean(dims, keepdim=True) + _or_default(epsilon))
    return made if scale is None else made * scale.reshape(sides)


def _or_default(epsilon: float | None) -> float:
    return default_epsilon() if epsilon is None else epsilon


@operation("nn")
def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> Tensor:
    """Channels spread over blocks of pixels: (N, H, W, C·b²) → (N, H·b, W·b, C). Keras: `ops.depth_to_space`."""
    b = int(block_size)
    x = x if data_format == "channels_last" else x.movedim(1, -1)
    n, h, w, c = x.shape
    deep = c // b**2
    blocks = x.reshape(n, h, w, b, b, deep) if data_format == "channels_last" else x.reshape(n, h, w, deep, b, b)
    order = (0, 1, 3, 2, 4, 5) if data_format == "channels_last" else (0, 3, 1, 4, 2, 5)
    shape = (n, h * b, w * b, deep) if data_format == "channels_last" else (n, deep, h * b, w * b)
    return blocks.permute(order).reshape(shape)


@operation("nn")
def space_to_depth(x: Any, block_size: int, data_format: str = "channels_last") -> Tensor:
    """Blocks of pixels as channels: (N, H, W, C) → (N, H/b, W/b, C·b²). Keras: `ops.space_to_depth`."""
    b = int(block_size)
    if data_format == "channels_last":
        n, h, w, c = x.shape
        return x.reshape(n, h // b, b, w // b, b, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h // b, w // b, c * b * b)
    n, c, h, w = x.shape
    return x.reshape(n, c, h // b, b, w // b, b).permute(0, 1, 3, 5, 2, 4).reshape(n, c * b * b, h // b, w // b)


@operation("nn", tensors=2, name="PSNR")
def psnr(x1: Any, x2: Any, max_val: float) -> Tensor:
    """20·log10(max_val) − 10·log10(mean square difference). Keras: `ops.psnr`."""
    return 20 * torch.log10(torch.tensor(float(max_val))) - 10 * torch.log10((x1 - x2).square().mean())


# -- windows and transforms --------------------------------------------------------------------------------------------

_WINDOWS: dict[str, Callable[..., Tensor]] = {
    "bartlett": torch.bartlett_window, "blackman": torch.blackman_window, "hamming": torch.hamming_window,
    "hanning": torch.hann_window, "kaiser": torch.kaiser_window,
}  # fmt: skip


def _window(name: str, make: Callable[..., Tensor]) -> Any:
    def window(x: Any, *beta: Any) -> Tensor:
        return make(int(x), False, *map(float, beta), dtype=torch_dtype())

    window.__name__ = window.__qualname__ = name
    window.__doc__ = f"The symmetric window of x values{', with beta' * (name == 'kaiser')}. Keras: `ops.{name}`."
    return window


_MADE = {name: _window(name, make) for name, make in _WINDOWS.items()}
globals().update(_MADE)


def _transformed(x: Any, transform: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    if not isinstance(x, list | tuple) or len(x) != 2:
        raise InputError(f"Expected a tuple of two tensors, the real and the imaginary part; received {type(x)}.")
    real, imaginary = (as_float(convert_to_tensor(part)) for part in x)
    found = transform(torch.complex(real, imaginary))
    return found.real, found.imag


def fft2(x: Any) -> tuple[Tensor, Tensor]:
    """(real, imaginary) parts → those of the Fourier transform over the last two axes. Keras: `ops.fft2`."""
    return _transformed(x, torch.fft.fft2)


def ifft2(x: Any) -> tuple[Tensor, Tensor]:
    """(real, imaginary) parts → those of the inverse transform over the last two axes. Keras: `ops.ifft2`."""
    return _transformed(x, torch.fft.ifft2)


__all__ = [
    *_MADE,
    *("depth_to_space", "fft2", "ifft2", "layer_normalization", "psnr", "rms_normalization", "scatter"),
    *("scatter_update", "segment_max", "segment_min", "segment_prod", "segment_sum", "slice_update", "space_to_depth"),
    "switch",
]
