"""Functions of images: sizes, borders, patches, colours. Keras: `keras.ops.image`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from scene_lightning._settings import as_float, image_data_format
from scene_lightning._unsupported import explain_missing_names
from scene_lightning.errors import InputError
from scene_lightning.layers.base.types import Sizes
from scene_lightning.layers.preprocessing import Resizing
from scene_lightning.ops.operation import operation


@operation("image")
def resize(
    images: Any,
    size: Sequence[int],
    interpolation: str = "bilinear",
    antialias: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    fill_mode: str = "constant",
    fill_value: float = 0.0,
    data_format: str | None = None,
) -> Tensor:
    """Resize images.

    Args:
        images: (height, width, channels), or a batch of them.
        size: target (height, width) in pixels.
        interpolation: "nearest", "bilinear", "bicubic", "lanczos3" or "lanczos5".
        antialias: whether to blur before shrinking.
        crop_to_aspect_ratio: whether to cut the sides off that would distort the image.
        pad_to_aspect_ratio: whether to add borders that keep it undistorted.
        fill_mode: how the borders are filled; "constant" alone.
        fill_value: their value.
        data_format: "channels_last" or "channels_first"; None: `keras.config.image_data_format()`.

    Returns:
        Images of the new size, in the dtype of `images`; whole numbers are rounded.
    """
    height, width = size
    layer = Resizing(
        int(height), int(width), interpolation, crop_to_aspect_ratio, pad_to_aspect_ratio, fill_mode, fill_value,
        antialias, data_format, name="resize",
    )  # fmt: skip
    resized = layer.call(as_float(images))
    return resized if images.is_floating_point() else torch.round(resized).to(images.dtype)


@operation("image", name="RGBToGrayscale")
def rgb_to_grayscale(images: Any, data_format: str | None = None) -> Tensor:
    """Convert colour images to grey ones: 0.2989·R + 0.587·G + 0.114·B.

    Args:
        images: (height, width, 3), or a batch; one channel stays as it is.
        data_format: "channels_last" or "channels_first"; None: `keras.config.image_data_format()`.

    Returns:
        Images with one channel.
    """
    axis = _channel_axis(images, data_format)
    if images.shape[axis] not in (1, 3):
        raise InputError(f"Expected images with 1 or 3 channels; received shape {tuple(images.shape)}.")
    if images.shape[axis] == 1:
        return images
    sides = [1] * images.ndim
    sides[axis] = 3
    shares = torch.tensor([0.2989, 0.587, 0.114], device=images.device).reshape(sides)
    grey = (as_float(images) * shares.to(as_float(images).dtype)).sum(dim=axis, keepdim=True)
    return grey.to(images.dtype)


@operation("image")
def pad_images(
    images: Any,
    top_padding: int | None = None,
    left_padding: int | None = None,
    bottom_padding: int | None = None,
    right_padding: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Tensor:
    """Add black borders to images; of each pair of sides and target, two are given.

    Args:
        images: (height, width, channels), or a batch of them.
        top_padding: rows to add above.
        left_padding: columns to add on the left.
        bottom_padding: rows to add below.
        right_padding: columns to add on the right.
        target_height: height of the result in pixels.
        target_width: width of the result in pixels.
        data_format: "channels_last" or "channels_first"; None: `keras.config.image_data_format()`.
    """
    axis = _height_axis(images, data_format)
    height, width = images.shape[axis : axis + 2]
    top, bottom = _two_of_three(top_padding, bottom_padding, target_height, height)
    left, right = _two_of_three(left_padding, right_padding, target_width, width)
    after = 2 * (images.ndim - axis - 2)
    return torch.nn.functional.pad(images, [0] * after + [left, right, top, bottom])


@operation("image")
def crop_images(
    images: Any,
    top_cropping: int | None = None,
    left_cropping: int | None = None,
    bottom_cropping: int | None = None,
    right_cropping: int | None = None,
    target_height: int | None = None,
    target_width: int | None = None,
    data_format: str | None = None,
) -> Tensor:
    """Cut borders off images; of each pair of sides and target, two are given.

    Args:
        images: (height, width, channels), or a batch of them.
        top_cropping: rows to cut above.
        left_cropping: columns to cut on the left.
        bottom_cropping: rows to cut below.
        right_cropping: columns to cut on the right.
        target_height: height of the result in pixels.
        target_width: width of the result in pixels.
        data_format: "channels_last" or "channels_first"; None: `keras.config.image_data_format()`.
    """
    axis = _height_axis(images, data_format)
    height, width = images.shape[axis : axis + 2]
    top, bottom = _two_of_three(top_cropping, bottom_cropping, target_height, height, crop=True)
    left, right = _two_of_three(left_cropping, right_cropping, target_width, width, crop=True)
    return images.narrow(axis, top, height - top - bottom).narrow(axis + 1, left, width - left - right)


@operation("image")
def extract_patches(
    images: Any,
    size: Sizes,
    strides: Sizes | None = None,
    dilation_rate: Sizes = 1,
    padding: str = "valid",
    data_format: str | None = None,
) -> Tensor:
    """Cut images into windows.

    Args:
        images: (height, width, channels), or a batch of them.
        size: (height, width) of a window, or one number for both.
        strides: step between windows; None: `size`, so that windows lie side by side.
        dilation_rate: distance between the pixels that a window takes.
        padding: "valid" (windows inside) or "same" (zeros around).
        data_format: "channels_last" or "channels_first"; None: `keras.config.image_data_format()`.

    Returns:
        (batch, rows, columns, window height · window width · channels), each window in row, column, channel order.
    """
    last = _channel_axis(images, data_format) == -1
    planes = as_float(images.movedim(-1, -3) if last else images)
    batch = planes.unsqueeze(0) if planes.ndim == 3 else planes
    window, step, rate = (_both(value) for value in (size, size if strides is None else strides, dilation_rate))
    if padding.lower() == "same":
        borders: list[int] = []
        for axis in (1, 0):  # the last axis first, as torch pads
            side = batch.shape[2 + axis]
            total = max((-(-side // step[axis]) - 1) * step[axis] + (window[axis] - 1) * rate[axis] + 1 - side, 0)
            borders += [total // 2, total - total // 2]
        batch = torch.nn.functional.pad(batch, borders)
    columns = torch.nn.functional.unfold(batch, window, rate, 0, step)
    counts = [
        (side - (length - 1) * gap - 1) // stride + 1
        for side, length, gap, stride in zip(batch.shape[2:], window, rate, step, strict=True)
    ]
    depth = batch.shape[1] * window[0] * window[1]
    patches = columns.reshape(batch.shape[0], batch.shape[1], window[0] * window[1], *counts)
    patches = patches.permute(0, 3, 4, 2, 1).reshape(batch.shape[0], *counts, depth).to(images.dtype)
    patches = patches if last else patches.movedim(-1, 1)
    return patches if images.ndim == 4 else patches[0]


def _both(value: Any) -> tuple[int, int]:
    return (value, value) if isinstance(value, int) else (int(value[0]), int(value[1]))


@operation("image", name="RGBToHSV")
def rgb_to_hsv(images: Any, data_format: str | None = None) -> Tensor:
    """Convert colours from red, green and blue to hue, saturation and value.

    Args:
        images: floats between 0 and 1, (height, width, 3), or a batch.
        data_format: "channels_last" or "channels_first"; None: `keras.config.image_data_format()`.

    Returns:
        Floats between 0 and 1, in the same shape.
    """
    axis = _channel_axis(images, data_format)
    red, green, blue = images.unbind(axis)
    value, least = images.amax(axis), images.amin(axis)
    chroma = value - least
    safe = torch.where(chroma == 0, torch.ones_like(chroma), chroma)
    hue = torch.where(
        value == red,
        (green - blue) / safe,
        torch.where(value == green, 2 + (blue - red) / safe, 4 + (red - green) / safe),
    )
    hue = torch.where(chroma == 0, torch.zeros_like(hue), (hue / 6) % 1)
    saturation = torch.where(value > 0, chroma / torch.where(value > 0, value, torch.ones_like(value)), chroma * 0)
    return torch.stack([hue, saturation, value], axis)


@operation("image", name="HSVToRGB")
def hsv_to_rgb(images: Any, data_format: str | None = None) -> Tensor:
    """Convert colours from hue, saturation and value to red, green and blue.

    Args:
        images: floats between 0 and 1, (height, width, 3), or a batch.
        data_format: "channels_last" or "channels_first"; None: `keras.config.image_data_format()`.

    Returns:
        Floats between 0 and 1, in the same shape.
    """
    axis = _channel_axis(images, data_format)
    hue, saturation, value = images.unbind(axis)

    def colour(turn: float) -> Tensor:
        place = (turn + hue * 6) % 6
        return value - value * saturation * torch.clamp(torch.minimum(place, 4 - place), 0, 1)

    return torch.stack([colour(5.0), colour(3.0), colour(1.0)], axis)


def _two_of_three(before: int | None, after: int | None, target: int | None, side: int, crop: bool = False) -> Any:
    if [before, after, target].count(None) != 1:
        raise InputError(
            "Expected exactly two of: the border before, the border after, the target size. Received "
            f"{before}, {after}, {target}."
        )
    total = 0 if target is None else side - target if crop else target - side
    first = total - (after or 0) if before is None else before
    last = total - (before or 0) if after is None else after
    if first < 0 or last < 0:
        raise InputError(f"Borders of {first} and {last} pixels around a side of {side} cannot be.")
    return first, last


def _channel_axis(images: Tensor, data_format: str | None) -> int:
    if images.ndim not in (3, 4):
        raise InputError(f"Expected an image (H, W, C) or a batch (N, H, W, C); received shape {tuple(images.shape)}.")
    return -1 if (data_format or image_data_format()) == "channels_last" else -3


def _height_axis(images: Tensor, data_format: str | None) -> int:
    return images.ndim - (3 if _channel_axis(images, data_format) == -1 else 2)


__all__ = [
    "crop_images", "extract_patches", "hsv_to_rgb", "pad_images", "resize", "rgb_to_grayscale", "rgb_to_hsv",
]  # fmt: skip

explain_missing_names(__name__, __all__)
