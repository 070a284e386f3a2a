"""`tf.image`: parts, borders, mirrored and turned images. (H, W, C) or (N, H, W, C)."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from scene_lightning import ops
from scene_lightning.compat.tensorflow.images.arguments import picture, require
from scene_lightning.compat.tensorflow.ops.operation import as_tensor, operation


@operation
def resize_with_crop_or_pad(image: Any, target_height: Any, target_width: Any) -> Any:
    """Cuts images, or pads them with zeros, around the centre. An odd pixel is cut on the left and on the top.

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
        target_height, target_width: the new size in pixels.
    """
    given, height, width = picture(image), int(target_height), int(target_width)
    require(height > 0 and width > 0, f"The target size must be > 0; received {height} x {width}.")
    down, right = height - given.shape[-3], width - given.shape[-2]
    kept = crop_to_bounding_box(
        given, max(-down // 2, 0), max(-right // 2, 0), min(height, given.shape[-3]), min(width, given.shape[-2])
    )
    return pad_to_bounding_box(kept, max(down // 2, 0), max(right // 2, 0), height, width)


@operation
def central_crop(image: Any, central_fraction: Any) -> Any:
    """Cuts out the middle of images.

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
        central_fraction: the part of each side that stays, in (0, 1].
    """
    given, share = picture(image), float(central_fraction)
    require(0 < share <= 1, f"central_fraction must be within (0, 1]; received {central_fraction}.")
    top, left = (int((side - side * share) / 2) for side in given.shape[-3:-1])
    return given[..., top : given.shape[-3] - top, left : given.shape[-2] - left, :]


@operation
def crop_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Any:
    """Cuts out a part, which must lie within the images.

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
        offset_height, offset_width: its upper left corner, in pixels.
        target_height, target_width: its size in pixels.
    """
    given = picture(image)
    top, left, height, width = (int(n) for n in (offset_height, offset_width, target_height, target_width))
    require(top >= 0 and left >= 0, f"The offsets must be >= 0; received {top}, {left}.")
    require(height > 0 and width > 0, f"The target size must be > 0; received {height} x {width}.")
    require(
        top + height <= given.shape[-3] and left + width <= given.shape[-2],
        f"The part must lie within the image: {height} x {width} at {top}, {left} does not, in {given.shape[-3]} x "
        f"{given.shape[-2]}.",
    )
    return given[..., top : top + height, left : left + width, :]


@operation
def pad_to_bounding_box(
    image: Any, offset_height: Any, offset_width: Any, target_height: Any, target_width: Any
) -> Any:
    """Puts images on a black ground, which must have room for them.

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
        offset_height, offset_width: pixels above and to the left of them.
        target_height, target_width: the ground's size in pixels.
    """
    given = picture(image)
    top, left = int(offset_height), int(offset_width)
    below = int(target_height) - top - given.shape[-3]
    right = int(target_width) - left - given.shape[-2]
    require(top >= 0 and left >= 0, f"The offsets must be >= 0; received {top}, {left}.")
    require(
        below >= 0 and right >= 0,
        f"{given.shape[-3]} x {given.shape[-2]} at {top}, {left} needs more than {target_height} x {target_width}.",
    )
    return F.pad(given, (0, 0, left, right, top, below))


@operation
def flip_left_right(image: Any) -> Any:
    """Mirrors images, left to right.

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
    """
    return torch.flip(picture(image), (-2,))


@operation
def flip_up_down(image: Any) -> Any:
    """Turns images upside down.

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
    """
    return torch.flip(picture(image), (-3,))


@operation
def rot90(image: Any, k: Any = 1, name: Any = None) -> Any:
    """Turns images counter-clockwise by right angles.

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
        k: how many right angles.
        name: for TensorFlow's sake, without effect.
    """
    return torch.rot90(picture(image), int(k), (-3, -2))


@operation
def transpose(image: Any, name: Any = None) -> Any:
    """Exchanges the rows and columns of images.

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
        name: for TensorFlow's sake, without effect.
    """
    return picture(image).transpose(-3, -2)


@operation
def extract_patches(images: Any, sizes: Any, strides: Any, rates: Any, padding: str, name: Any = None) -> Any:
    """Cuts images into windows: (batch, rows, columns, height·width·channels).

    Args:
        images: (batch, height, width, channels).
        sizes: of the windows, [1, height, width, 1] in pixels.
        strides: from window to window, [1, down, right, 1].
        rates: from pixel to pixel within a window, [1, down, right, 1].
        padding: "SAME" (zeros around the image) or "VALID".
        name: for TensorFlow's sake, without effect.
    """
    given = as_tensor(images)
    size, step, rate = (tuple(int(n) for n in value[1:3]) for value in (sizes, strides, rates))
    return ops.image.extract_patches(given, size, step, rate, padding.lower())


resize_image_with_crop_or_pad = resize_with_crop_or_pad
