"""Functions of windows of images: convolutions, pooling, blocks of pixels."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from scene_lightning._settings import as_float, image_data_format
from scene_lightning.layers import pooling
from scene_lightning.layers.base.convolve import convolve
from scene_lightning.layers.base.types import Sizes
from scene_lightning.layers.base.windows import from_channels_first, same_paddings, to_channels_first
from scene_lightning.ops.operation import operation


@operation("nn", tensors=2)
def conv(
    inputs: Any, kernel: Any, strides: Sizes = 1, padding: str = "valid", data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> Tensor:  # fmt: skip
    """Convolve images, or signals or volumes, with kernels.

    Args:
        inputs: tensor of (batch, *sides, channels); channels second with "channels_first".
        kernel: tensor of (*kernel sides, channels / groups, filters); the groups follow from the channels.
        strides: step between windows, one number or one for each side.
        padding: "valid" (windows inside) or "same" (zeros around, as the layers pad).
        data_format: "channels_last" or "channels_first"; None: `keras.config.image_data_format()`.
        dilation_rate: distance between the pixels of a window, one number or one for each side.

    Returns:
        A tensor of (batch, *new sides, filters).
    """
    layout = data_format or image_data_format()
    images, rank = to_channels_first(as_float(inputs), layout), kernel.ndim - 2
    groups = images.shape[1] // kernel.shape[-2]
    weight = kernel.permute(rank + 1, rank, *range(rank))
    outputs = _convolved(images, weight, _each(strides, rank), padding, _each(dilation_rate, rank), groups)
    return from_channels_first(outputs, layout)


@operation("nn", tensors=2)
def depthwise_conv(
    inputs: Any, kernel: Any, strides: Sizes = 1, padding: str = "valid", data_format: str | None = None,
    dilation_rate: Sizes = 1,
) -> Tensor:  # fmt: skip
    """Convolve each channel with kernels of its own.

    Args:
        inputs: tensor of (batch, *sides, channels); channels second with "channels_first".
        kernel: tensor of (*kernel sides, channels, multiplier).
        strides: step between windows, one number or one for each side.
        padding: "valid" (windows inside) or "same" (zeros around, as the layers pad).
        data_format: "channels_last" or "channels_first"; None: `keras.config.image_data_format()`.
        dilation_rate: distance between the pixels of a window, one number or one for each side.

    Returns:
        A tensor of (batch, *new sides, channels · multiplier).
    """
    layout = data_format or image_data_format()
    images, rank = to_channels_first(as_float(inputs), layout), kernel.ndim - 2
    depth, multiplier = kernel.shape[-2:]
    weight = kernel.permute(rank, rank + 1, *range(rank)).reshape(depth * multiplier, 1, *kernel.shape[:rank])
    outputs = _convolved(images, weight, _each(strides, rank), padding, _each(dilation_rate, rank), depth)
    return from_channels_first(outputs, layout)


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
    inputs: Any, pool_size: Sizes, strides: Sizes | None = None, padding: str = "valid", data_format: str | None = None
) -> Tensor:
    """Largest value of each window.

    Args:
        inputs: tensor of (batch, *sides, channels); channels second with "channels_first".
        pool_size: sides of a window, one number or one for each side.
        strides: step between windows; None: `pool_size`.
        padding: "valid" (windows inside) or "same" (the borders are cut off, not padded with zeros).
        data_format: "channels_last" or "channels_first"; None: `keras.config.image_data_format()`.

    Returns:
        A tensor of (batch, *new sides, channels).
    """
    return _pooled("Max", inputs, pool_size, strides, padding, data_format)


@operation("nn")
def average_pool(
    inputs: Any, pool_size: Sizes, strides: Sizes | None = None, padding: str = "valid", data_format: str | None = None
) -> Tensor:
    """Mean of each window; what "same" pads does not count.

    Args:
        inputs: tensor of (batch, *sides, channels); channels second with "channels_first".
        pool_size: sides of a window, one number or one for each side.
        strides: step between windows; None: `pool_size`.
        padding: "valid" (windows inside) or "same".
        data_format: "channels_last" or "channels_first"; None: `keras.config.image_data_format()`.

    Returns:
        A tensor of (batch, *new sides, channels).
    """
    return _pooled("Average", inputs, pool_size, strides, padding, data_format)


def _pooled(
    kind: str, x: Tensor, pool_size: Sizes, strides: Sizes | None, padding: str, data_format: str | None
) -> Tensor:
    pool = getattr(pooling, f"{kind}Pooling{x.ndim - 2}D")
    return pool(pool_size, strides, padding, data_format=data_format, name=f"{kind.lower()}_pool").call(x)


@operation("nn")
def depth_to_space(x: Any, block_size: int, data_format: str = "channels_last") -> Tensor:
    """Rearrange channels into blocks of pixels.

    Args:
        x: images of (batch, height, width, channels · block_size²).
        block_size: side of a block, in pixels.
        data_format: "channels_last" or "channels_first".

    Returns:
        Images of (batch, height · block_size, width · block_size, channels).
    """
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
    """Rearrange blocks of pixels into channels.

    Args:
        x: images of (batch, height, width, channels).
        block_size: side of a block, in pixels.
        data_format: "channels_last" or "channels_first".

    Returns:
        Images of (batch, height / block_size, width / block_size, channels · block_size²).
    """
    b = int(block_size)
    if data_format == "channels_last":
        n, h, w, c = x.shape
        return x.reshape(n, h // b, b, w // b, b, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h // b, w // b, c * b * b)
    n, c, h, w = x.shape
    return x.reshape(n, c, h // b, b, w // b, b).permute(0, 1, 3, 5, 2, 4).reshape(n, c * b * b, h // b, w // b)


__all__ = ["average_pool", "conv", "depth_to_space", "depthwise_conv", "max_pool", "space_to_depth"]
