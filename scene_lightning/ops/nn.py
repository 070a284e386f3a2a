"""Tensors in, tensors out: activations, cross-entropies, convolution, pooling, normalisation. Keras: `keras.ops.nn`.

Image tensors are NHWC; "same" pads as the layers pad.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from scene_lightning import _objectives, activations
from scene_lightning._settings import epsilon as default_epsilon
from scene_lightning._settings import image_data_format, torch_dtype
from scene_lightning._unsupported import lookup
from scene_lightning.layers.base.convolve import convolve
from scene_lightning.layers.base.windows import from_channels_first, same_paddings, to_channels_first
from scene_lightning.layers.pooling import (
    AveragePooling1D,
    AveragePooling2D,
    AveragePooling3D,
    MaxPooling1D,
    MaxPooling2D,
    MaxPooling3D,
)
from scene_lightning.ops.operation import as_float, operation
from scene_lightning.ops.slicing import depth_to_space as depth_to_space
from scene_lightning.ops.slicing import layer_normalization as layer_normalization
from scene_lightning.ops.slicing import psnr as psnr
from scene_lightning.ops.slicing import rms_normalization as rms_normalization
from scene_lightning.ops.slicing import space_to_depth as space_to_depth
from scene_lightning.ops.unsupported import INSTEAD

_POOLS = {
    "max": (MaxPooling1D, MaxPooling2D, MaxPooling3D),
    "average": (AveragePooling1D, AveragePooling2D, AveragePooling3D),
}


def _activation(function: Callable[..., Tensor]) -> Callable[..., Any]:
    return operation("nn")(function)


celu = _activation(activations.celu)
elu = _activation(activations.elu)
glu = _activation(activations.glu)
hard_shrink = _activation(activations.hard_shrink)
hard_sigmoid = _activation(activations.hard_sigmoid)
hard_silu = hard_swish = _activation(activations.hard_silu)
hard_tanh = _activation(activations.hard_tanh)
leaky_relu = _activation(activations.leaky_relu)
log_sigmoid = _activation(activations.log_sigmoid)
log_softmax = _activation(activations.log_softmax)
relu6 = _activation(activations.relu6)
selu = _activation(activations.selu)
sigmoid = _activation(activations.sigmoid)
silu = swish = _activation(activations.silu)
soft_shrink = _activation(activations.soft_shrink)
softmax = _activation(activations.softmax)
softplus = _activation(activations.softplus)
softsign = _activation(activations.softsign)
sparse_plus = _activation(activations.sparse_plus)
sparse_sigmoid = _activation(activations.sparse_sigmoid)
sparsemax = _activation(activations.sparsemax)
squareplus = _activation(activations.squareplus)
tanh_shrink = _activation(activations.tanh_shrink)
threshold = _activation(activations.threshold)


@operation("nn")
def relu(x: Any) -> Tensor:
    """max(x, 0). Keras: `ops.relu`."""
    return torch.relu(x)


@operation("nn")
def gelu(x: Any, approximate: bool = True) -> Tensor:
    """x·Φ(x), by the tanh approximation unless told otherwise (the activation is exact). Keras: `ops.gelu`."""
    return activations.gelu(x, approximate)


# -- targets and losses ------------------------------------------------------------------------------------------------


@operation("nn")
def one_hot(x: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Tensor:
    """Class numbers → rows with a one at that place; numbers outside the classes give zeros. Keras: `ops.one_hot`."""
    places = torch.arange(num_classes, device=x.device)
    hot = (x.long()[..., None] == places).to(torch_dtype(dtype))
    return hot if axis in (-1, x.ndim) else torch.movedim(hot, -1, axis)


@operation("nn")
def multi_hot(inputs: Any, num_classes: int, axis: int = -1, dtype: Any = None, sparse: bool = False) -> Tensor:
    """Several class numbers a sample → one row with a one at each. Keras: `ops.multi_hot`."""
    hot = inputs.long()[..., None] == torch.arange(num_classes, device=inputs.device)
    return hot.any(dim=-2 if inputs.ndim > 1 or axis == -1 else 0).to(torch_dtype(dtype))


@operation("nn", tensors=2)
def binary_crossentropy(target: Any, output: Any, from_logits: bool = False) -> Tensor:
    """−t·log p − (1−t)·log(1−p), value by value (no mean). Keras: `ops.binary_crossentropy`."""
    target = target.to(output.dtype)
    if from_logits:
        return F.binary_cross_entropy_with_logits(output, target, reduction="none")
    held = torch.clamp(output, default_epsilon(), 1.0 - default_epsilon())
    return -(target * torch.log(held) + (1.0 - target) * torch.log(1.0 - held))


@operation("nn", tensors=2)
def categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Tensor:
    """−Σ t·log p along `axis`. Keras: `ops.categorical_crossentropy`."""
    return _objectives.categorical_crossentropy(target, _bare(output), from_logits=from_logits, axis=axis)


@operation("nn", tensors=2)
def sparse_categorical_crossentropy(target: Any, output: Any, from_logits: bool = False, axis: int = -1) -> Tensor:
    """−log of the probability of the class with this number. Keras: `ops.sparse_categorical_crossentropy`."""
    return _objectives.sparse_categorical_crossentropy(target, _bare(output), from_logits=from_logits, axis=axis)


def _bare(output: Tensor) -> Tensor:
    # The operation works on the numbers it is given: not on the logits that a softmax left beside them.
    return output.view_as(output) if hasattr(output, "_keras_logits") else output


# -- normalisation -----------------------------------------------------------------------------------------------------


@operation("nn")
def moments(x: Any, axes: Any, keepdims: bool = False, synchronized: bool = False) -> tuple[Tensor, Tensor]:
    """Mean and variance (÷N) along `axes`. Keras: `ops.moments`."""
    along = tuple(axes) if isinstance(axes, list | tuple) else axes
    x = as_float(x)
    return torch.mean(x, along, keepdim=keepdims), torch.var(x, along, correction=0, keepdim=keepdims)


@operation("nn")
def normalize(x: Any, axis: Any = -1, order: int = 2, epsilon: float | None = None) -> Tensor:
    """x ÷ its norm along `axis`. Keras: `ops.normalize`."""
    along = tuple(axis) if isinstance(axis, list | tuple) else axis
    smallest = default_epsilon() if epsilon is None else epsilon
    x = as_float(x)
    return x / torch.clamp(torch.linalg.vector_norm(x, order, along, keepdim=True), min=smallest)


@operation("nn", tensors=3)
def batch_normalization(
    x: Any, mean: Any, variance: Any, axis: int, offset: Any = None, scale: Any = None, epsilon: float = 1e-3
) -> Tensor:
    """(x − mean)·scale/√(variance + epsilon) + offset, along `axis`. Keras: `ops.batch_normalization`."""
    sides = [1] * x.ndim
    sides[axis] = x.shape[axis]
    result = (x - mean.reshape(sides)) * torch.rsqrt(variance.reshape(sides) + epsilon)
    result = result if scale is None else result * torch.as_tensor(scale, device=x.device).reshape(sides)
    return result if offset is None else result + torch.as_tensor(offset, device=x.device).reshape(sides)


# -- convolution and pooling -------------------------------------------------------------------------------------------


@operation("nn", tensors=2)
def conv(
    inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid", data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Tensor:  # fmt: skip
    """(N, …, C) ∗ (…, C/groups, filters) → (N, …', filters). Keras: `ops.conv`."""
    layout = data_format or image_data_format()
    images, rank = to_channels_first(as_float(inputs), layout), kernel.ndim - 2
    groups = images.shape[1] // kernel.shape[-2]
    weight = kernel.permute(rank + 1, rank, *range(rank))
    found = _convolved(images, weight, _each(strides, rank), padding, _each(dilation_rate, rank), groups)
    return from_channels_first(found, layout)


@operation("nn", tensors=2)
def depthwise_conv(
    inputs: Any, kernel: Any, strides: Any = 1, padding: str = "valid", data_format: str | None = None,
    dilation_rate: Any = 1,
) -> Tensor:  # fmt: skip
    """Each channel with kernels of its own: (…, C, multiplier). Keras: `ops.depthwise_conv`."""
    layout = data_format or image_data_format()
    images, rank = to_channels_first(as_float(inputs), layout), kernel.ndim - 2
    depth, multiplier = kernel.shape[-2:]
    weight = kernel.permute(rank, rank + 1, *range(rank)).reshape(depth * multiplier, 1, *kernel.shape[:rank])
    found = _convolved(images, weight, _each(strides, rank), padding, _each(dilation_rate, rank), depth)
    return from_channels_first(found, layout)


def _convolved(
    images: Tensor, weight: Tensor, strides: list[int], padding: str, dilation: list[int], groups: int
) -> Tensor:
    pads = [(0, 0)] * len(strides)
    if padding == "same":
        pads = same_paddings(tuple(images.shape[2:]), tuple(weight.shape[2:]), strides, dilation)
    return convolve(images, weight, None, strides, pads, dilation, groups)


def _each(value: Any, rank: int) -> list[int]:
    return [value] * rank if isinstance(value, int) else [int(n) for n in value]


@operation("nn")
def max_pool(
    inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
) -> Tensor:
    """The largest value of each window. Keras: `ops.max_pool`."""
    return _pooled("max", inputs, pool_size, strides, padding, data_format)


@operation("nn")
def average_pool(
    inputs: Any, pool_size: Any, strides: Any = None, padding: str = "valid", data_format: str | None = None
) -> Tensor:
    """The mean of each window, of real pixels alone. Keras: `ops.average_pool`."""
    return _pooled("average", inputs, pool_size, strides, padding, data_format)


def _pooled(kind: str, x: Tensor, pool_size: Any, strides: Any, padding: str, data_format: str | None) -> Tensor:
    layer = _POOLS[kind][x.ndim - 3](pool_size, strides, padding, data_format=data_format, name=f"{kind}_pool")
    return layer.call(x)


__getattr__ = lookup(__name__, [], INSTEAD)
