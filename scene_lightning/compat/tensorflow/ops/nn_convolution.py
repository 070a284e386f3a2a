"""`tf.nn`'s convolutions, bias and normalisation, on kernels that the program keeps itself. TensorFlow: `tf.nn`.

Images are NHWC (or NCHW with data_format), kernels HWIO; strides and dilations are one number, two, or TensorFlow's
four, of which those of the spatial axes count.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from scene_lightning.compat.tensorflow.ops.operation import as_tensor, operation
from scene_lightning.errors import InputError
from scene_lightning.ops import nn


def _settings(strides: Any, dilations: Any, data_format: str | None) -> tuple[Any, Any, str]:
    first = (data_format or "").startswith("NC")
    layout = "channels_first" if first else "channels_last"
    return _spatial(strides, first), _spatial(1 if dilations is None else dilations, first), layout


def _spatial(value: Any, channels_first: bool) -> Any:
    if isinstance(value, int):
        return value
    values = [int(item) for item in value]
    if len(values) == 4:
        values = values[2:] if channels_first else values[1:3]
    return values[0] if len(values) == 1 else tuple(values)


def _padded(x: torch.Tensor, padding: Any) -> tuple[torch.Tensor, str]:
    """Explicit paddings [[0, 0], [top, bottom], [left, right], [0, 0]] are put on; then the convolution is 'valid'."""
    if isinstance(padding, str):
        if padding.lower() not in ("same", "valid"):
            raise InputError(f"padding must be 'SAME', 'VALID' or four pairs of numbers; received {padding!r}.")
        return x, padding.lower()
    pairs = [int(number) for pair in reversed(list(padding)) for number in pair]
    return F.pad(x, pairs), "valid"


@operation
def conv2d(
    input: Any, filters: Any = None, strides: Any = 1, padding: Any = "VALID", data_format: str | None = "NHWC",
    dilations: Any = None, name: Any = None, filter: Any = None, use_cudnn_on_gpu: bool = True,
) -> Any:  # fmt: skip
    """Convolves images: (batch, height, width, channels) → (batch, height', width', filters).

    Args:
        input: images, in `data_format`.
        filters: (height, width, channels / groups, filters).
        strides: pixels from window to window.
        padding: "SAME", "VALID", or four pairs of numbers (before, after), for each axis.
        data_format: "NHWC" or "NCHW"; None for "NHWC".
        dilations: pixels from weight to weight; None for 1.
        filter: TensorFlow 1's spelling of `filters`.
        name, use_cudnn_on_gpu: for TensorFlow's sake, without effect.
    """
    step, dilation, layout = _settings(strides, dilations, data_format)
    images, how = _padded(as_tensor(input), padding)
    return nn.conv(images, as_tensor(filter if filters is None else filters), step, how, layout, dilation)


convolution = conv2d


@operation
def depthwise_conv2d(
    input: Any, filter: Any, strides: Any, padding: Any, data_format: str | None = None, dilations: Any = None,
    name: Any = None,
) -> Any:  # fmt: skip
    """Convolves each channel by itself: (batch, height, width, channels) → (…, channels · multiplier).

    Args:
        input: images, in `data_format`.
        filter: (height, width, channels, multiplier).
        strides: pixels from window to window.
        padding: "SAME", "VALID", or four pairs of numbers (before, after), for each axis.
        data_format: "NHWC" or "NCHW"; None for "NHWC".
        dilations: pixels from weight to weight; None for 1.
        name: for TensorFlow's sake, without effect.
    """
    step, dilation, layout = _settings(strides, dilations, data_format)
    images, how = _padded(as_tensor(input), padding)
    return nn.depthwise_conv(images, as_tensor(filter), step, how, layout, dilation)


@operation
def separable_conv2d(
    input: Any, depthwise_filter: Any, pointwise_filter: Any, strides: Any, padding: Any,
    data_format: str | None = None, dilations: Any = None, name: Any = None,
) -> Any:  # fmt: skip
    """Does a `depthwise_conv2d`, then a 1 by 1 `conv2d`.

    Args:
        input: images, in `data_format`.
        depthwise_filter: (height, width, channels, multiplier).
        pointwise_filter: (1, 1, channels · multiplier, filters).
        strides: pixels from window to window, of the first.
        padding: "SAME", "VALID", or four pairs of numbers, of the first.
        data_format: "NHWC" or "NCHW"; None for "NHWC".
        dilations: pixels from weight to weight, of the first; None for 1.
        name: for TensorFlow's sake, without effect.
    """
    deep = depthwise_conv2d(input, depthwise_filter, strides, padding, data_format, dilations)
    return conv2d(deep, pointwise_filter, 1, "VALID", data_format or "NHWC")


@operation
def conv2d_transpose(
    input: Any, filters: Any = None, output_shape: Any = None, strides: Any = 1, padding: Any = "SAME",
    data_format: str | None = "NHWC", dilations: Any = None, name: Any = None, filter: Any = None,
) -> Any:  # fmt: skip
    """Gives the gradient of `conv2d` with respect to its images.

    Args:
        input: (batch, height, width, channels).
        filters: (height, width, filters, channels).
        output_shape: (batch, height', width', filters), in `data_format`.
        strides: as of the `conv2d`: input pixels become so many.
        padding: "SAME", "VALID", or four pairs of numbers.
        data_format: "NHWC" or "NCHW"; None for "NHWC".
        dilations: pixels from weight to weight; None for 1.
        filter: TensorFlow 1's spelling of `filters`.
        name: for TensorFlow's sake, without effect.
    """
    kernel = as_tensor(filter if filters is None else filters)
    sides = tuple(int(side) for side in as_tensor(output_shape))
    like = torch.zeros(sides, dtype=kernel.dtype, device=kernel.device, requires_grad=True)
    with torch.enable_grad():
        there = conv2d(like, kernel, strides, padding, data_format, dilations)
        return torch.autograd.grad(there, like, as_tensor(input), create_graph=True)[0]


@operation
def bias_add(value: Any, bias: Any, data_format: str | None = None, name: Any = None) -> Any:
    """Adds one number to each channel.

    Args:
        value: images, in `data_format`.
        bias: (channels,).
        data_format: None or "N…C" for channels last; "NC…" for channels first.
        name: for TensorFlow's sake, without effect.
    """
    x, numbers = as_tensor(value), as_tensor(bias)
    if (data_format or "").startswith("NC"):
        numbers = numbers.reshape(-1, *[1] * (x.ndim - 2))
    return x + numbers


@operation
def batch_normalization(
    x: Any, mean: Any, variance: Any, offset: Any, scale: Any, variance_epsilon: float, name: Any = None
) -> Any:
    """Gives (x − mean) / √(variance + epsilon) · scale + offset.

    Args:
        x: tensor, array, list or number.
        mean, variance: of each channel.
        offset, scale: of each channel; None leaves it out.
        variance_epsilon: keeps the root from zero.
        name: for TensorFlow's sake, without effect.
    """
    factor = torch.rsqrt(as_tensor(variance) + variance_epsilon)
    if scale is not None:
        factor = factor * as_tensor(scale)
    result = (as_tensor(x) - as_tensor(mean)) * factor
    return result if offset is None else result + as_tensor(offset)


@operation
def local_response_normalization(
    input: Any, depth_radius: int = 5, bias: float = 1.0, alpha: float = 1.0, beta: float = 0.5, name: Any = None
) -> Any:
    """Gives x / (bias + alpha · Σ x²)^beta, the sum over neighbouring channels: AlexNet's normalisation.

    Args:
        input: (batch, height, width, channels).
        depth_radius: how far the channels of the sum are away at most.
        bias, alpha, beta: the formula's numbers.
        name: for TensorFlow's sake, without effect.
    """
    x = as_tensor(input)
    squares = F.pad(x**2, (depth_radius, depth_radius)).unfold(-1, 2 * depth_radius + 1, 1).sum(-1)
    return x / (bias + alpha * squares) ** beta


lrn = local_response_normalization


@operation
def compute_average_loss(
    per_example_loss: Any, sample_weight: Any = None, global_batch_size: Any = None, **_: Any
) -> Any:
    """Divides the sum of losses by the batch size: for loops under a `tf.distribute` strategy.

    Args:
        per_example_loss: (batch,).
        sample_weight: (batch,) factors; None for 1.
        global_batch_size: what to divide by; None for the number of losses.
        **_: for TensorFlow's sake, without effect.
    """
    losses = as_tensor(per_example_loss)
    weighted = losses if sample_weight is None else losses * as_tensor(sample_weight)
    return weighted.sum() / (len(losses) if global_batch_size is None else global_batch_size)


@operation
def scale_regularization_loss(regularization_loss: Any) -> Any:
    """Gives the sum, divided by the number of replicas: one here.

    Args:
        regularization_loss: one or several numbers.
    """
    return as_tensor(regularization_loss).sum()
