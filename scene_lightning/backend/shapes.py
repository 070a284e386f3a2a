"""Functions of `keras.backend` that rearrange tensors, multiply samples, and work on images."""

from __future__ import annotations

from typing import Any

import numpy as np

from scene_lightning import ops
from scene_lightning.errors import InputError
from scene_lightning.ops import shape


def concatenate(tensors: Any, axis: int = -1) -> Any:
    """Join tensors along an axis that they have, the last one by default.

    Args:
        tensors: list of tensors whose other sides are equal.
        axis: axis to join along.
    """
    return ops.concatenate(tensors, axis)


def stack(x: Any, axis: int = 0) -> Any:
    """Join tensors along a new axis.

    Args:
        x: list of tensors of one shape.
        axis: place of the new axis in the result.
    """
    return ops.stack(x, axis)


def expand_dims(x: Any, axis: int = -1) -> Any:
    """Insert an axis of size 1, the last one by default.

    Args:
        x: tensor or array-like.
        axis: its place in the result.
    """
    return ops.expand_dims(x, axis)


def squeeze(x: Any, axis: Any) -> Any:
    """Remove an axis of size 1.

    Args:
        x: tensor or array-like.
        axis: the axis.
    """
    return ops.squeeze(x, axis)


def flatten(x: Any) -> Any:
    """Flatten a tensor into one axis.

    Args:
        x: tensor or array-like.
    """
    return ops.reshape(x, -1)


def batch_flatten(x: Any) -> Any:
    """Flatten each sample: (batch, ...) becomes (batch, values).

    Args:
        x: tensor or array-like.
    """
    return ops.reshape(x, (-1, int(np.prod([int(n) for n in shape(x)[1:] if n is not None]))))


def permute_dimensions(x: Any, pattern: Any) -> Any:
    """Reorder the axes of a tensor.

    Args:
        x: tensor or array-like.
        pattern: the old axis for each new place.
    """
    return ops.transpose(x, pattern)


def reverse(x: Any, axes: Any) -> Any:
    """Reverse the order of entries along axes.

    Args:
        x: tensor or array-like.
        axes: axis or axes to reverse.
    """
    return ops.flip(x, axes)


def gather(reference: Any, indices: Any) -> Any:
    """Take entries of the first axis.

    Args:
        reference: tensor to take from.
        indices: whole numbers of any shape.

    Returns:
        A tensor of (*shape of indices, *other axes of reference).
    """
    return ops.take(reference, indices, 0)


def repeat_elements(x: Any, rep: int, axis: int) -> Any:
    """Repeat each entry along an axis.

    Args:
        x: tensor or array-like.
        rep: how often.
        axis: the axis.
    """
    return ops.repeat(x, rep, axis)


def repeat(x: Any, n: int) -> Any:
    """Repeat each vector: (batch, channels) becomes (batch, n, channels).

    Args:
        x: tensor or array-like.
        n: how often.
    """
    return ops.repeat(ops.expand_dims(x, 1), n, 1)


def dot(x: Any, y: Any) -> Any:
    """Dot product: the last axis of `x` with the last but one of `y`.

    Args:
        x: tensor or array-like.
        y: tensor or array-like.
    """
    return ops.dot(x, y)


def batch_dot(x: Any, y: Any, axes: Any = None) -> Any:
    """Product of each sample of `x` with that of `y`.

    Args:
        x: tensor of (batch, ...).
        y: tensor of (batch, ...).
        axes: axis of each that is summed over, a pair or one number for both; None: the last of `x`, the last but one
            of `y`.
    """
    first, second = (axes, axes) if isinstance(axes, int) else axes or (len(shape(x)) - 1, _middle_axis(y))
    left, right = ops.moveaxis(x, first, -1), ops.moveaxis(y, second, 1)
    if len(shape(x)) == 2:
        left = ops.expand_dims(left, 1)
    if len(shape(y)) == 2:
        right = ops.expand_dims(right, -1)
    product = ops.matmul(left, right)
    product = ops.squeeze(product, 1) if len(shape(x)) == 2 else product
    return ops.squeeze(product, -1) if len(shape(y)) == 2 and len(shape(x)) > 2 else product


def _middle_axis(y: Any) -> int:
    """The axis that `batch_dot` takes of its second argument: the last but one, never the batch axis."""
    return len(shape(y)) - 2 if len(shape(y)) > 2 else 1


def resize_images(
    x: Any, height_factor: int, width_factor: int, data_format: str | None = None, interpolation: str = "nearest"
) -> Any:
    """Enlarge images by whole factors.

    Args:
        x: images of (batch, height, width, channels).
        height_factor: factor for the height.
        width_factor: factor for the width.
        data_format: "channels_first", or else channels last.
        interpolation: "nearest" or "bilinear".
    """
    rows, columns = (1, 2) if data_format != "channels_first" else (2, 3)
    height, width = (shape(x)[axis] for axis in (rows, columns))
    if height is None or width is None:
        raise InputError(f"K.resize_images needs images of a known size; received {shape(x)}. Use UpSampling2D.")
    size = (height * height_factor, width * width_factor)
    return ops.image.resize(x, size, interpolation, data_format=data_format)


def spatial_2d_padding(x: Any, padding: Any = ((1, 1), (1, 1)), data_format: str | None = None) -> Any:
    """Add borders of zeros to images.

    Args:
        x: images of (batch, height, width, channels).
        padding: ((top, bottom), (left, right)) in pixels.
        data_format: "channels_first", or else channels last.
    """
    none, pairs = (0, 0), [tuple(pair) for pair in padding]
    return ops.pad(x, [none, none, *pairs] if data_format == "channels_first" else [none, *pairs, none])


def conv2d(
    x: Any, kernel: Any, strides: Any = (1, 1), padding: str = "valid", data_format: str | None = None,
    dilation_rate: Any = (1, 1),
) -> Any:  # fmt: skip
    """Convolve images with kernels.

    Args:
        x: images of (batch, height, width, channels).
        kernel: tensor of (height, width, channels, filters).
        strides: step between windows, (rows, columns).
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first"; None: `keras.config.image_data_format()`.
        dilation_rate: distance between the pixels of a window, (rows, columns).

    Returns:
        A tensor of (batch, new height, new width, filters).
    """
    return ops.conv(x, kernel, strides, padding, data_format, dilation_rate)


def pool2d(
    x: Any, pool_size: Any, strides: Any = (1, 1), padding: str = "valid", data_format: str | None = None,
    pool_mode: str = "max",
) -> Any:  # fmt: skip
    """Largest value or mean of each window of images.

    Args:
        x: images of (batch, height, width, channels).
        pool_size: (height, width) of a window in pixels.
        strides: step between windows, (rows, columns).
        padding: "valid" or "same".
        data_format: "channels_last" or "channels_first"; None: `keras.config.image_data_format()`.
        pool_mode: "max" or "avg".

    Returns:
        A tensor of (batch, new height, new width, channels).
    """
    return (ops.max_pool if pool_mode == "max" else ops.average_pool)(x, pool_size, strides, padding, data_format)


def bias_add(x: Any, bias: Any, data_format: str | None = None) -> Any:
    """Add a bias to each channel.

    Args:
        x: tensor or array-like.
        bias: vector of (channels,).
        data_format: "channels_first", or else channels last.
    """
    if data_format == "channels_first" and len(shape(x)) > 2:
        bias = ops.reshape(bias, (1, -1, *[1] * (len(shape(x)) - 2)))
    return ops.add(x, bias)


__all__ = [
    "batch_dot", "batch_flatten", "bias_add", "concatenate", "conv2d", "dot", "expand_dims", "flatten", "gather",
    "permute_dimensions", "pool2d", "repeat", "repeat_elements", "resize_images", "reverse", "spatial_2d_padding",
    "squeeze", "stack",
]  # fmt: skip
