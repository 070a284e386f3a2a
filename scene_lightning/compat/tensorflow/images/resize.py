"""`tf.image.resize` and its relatives, with TensorFlow's pixels for every method. (H, W, C) or (N, H, W, C)."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from scene_lightning.compat.tensorflow.images.arguments import pair, picture, require
from scene_lightning.compat.tensorflow.images.geometry import pad_to_bounding_box
from scene_lightning.compat.tensorflow.ops.operation import operation
from scene_lightning.utils.resize import INTERPOLATIONS, resize_image


class ResizeMethod:
    """The names of the interpolations. TensorFlow: `tf.image.ResizeMethod`."""

    AREA, BICUBIC, BILINEAR, GAUSSIAN = "area", "bicubic", "bilinear", "gaussian"
    LANCZOS3, LANCZOS5, MITCHELLCUBIC, NEAREST_NEIGHBOR = "lanczos3", "lanczos5", "mitchellcubic", "nearest"


_NUMBERED = {0: "bilinear", 1: "nearest", 2: "bicubic", 3: "area"}  # TensorFlow 1's ResizeMethod


def method_named(method: Any) -> str:
    """Gives the name of an interpolation. Raises InputError when there is none such.

    Args:
        method: TensorFlow's name, or the number that TensorFlow 1 has for it.
    """
    name = _NUMBERED.get(method, method)
    known = name in INTERPOLATIONS
    require(known, f"Resize method is not implemented: {method}. There are {', '.join(INTERPOLATIONS)}.")
    return str(name)


def fitting(given: torch.Tensor, size: tuple[int, int]) -> tuple[int, int]:
    """Gives the largest (height, width) within `size` that has the image's proportions, rounded.

    Args:
        given: (…, height, width, channels).
        size: (height, width) in pixels.
    """
    sides = np.asarray(given.shape[-3:-1], np.float32)
    scaled = np.round((np.asarray(size, np.float32) / sides).min() * sides)
    return int(scaled[0]), int(scaled[1])


@operation
def resize(
    images: Any, size: Any, method: Any = "bilinear", preserve_aspect_ratio: bool = False, antialias: bool = False,
    name: Any = None,
) -> Any:  # fmt: skip
    """Resizes images: float32, except with "nearest", which keeps the dtype.

    Args:
        images: (height, width, channels) or (batch, height, width, channels).
        size: (height, width) in pixels.
        method: one of `ResizeMethod`.
        preserve_aspect_ratio: whether `size` is the most, and the proportions stay.
        antialias: whether to blur before shrinking.
        name: for TensorFlow's sake, without effect.
    """
    given, target, how = picture(images, "images"), pair(size), method_named(method)
    if preserve_aspect_ratio:
        target = fitting(given, target)
    require(min(target) > 0, f"The new size must be positive; received {target}.")
    made = resize_image(given, target, how, antialias)
    return made.to(given.dtype) if how == "nearest" else made


@operation
def resize_with_pad(
    image: Any, target_height: Any, target_width: Any, method: Any = "bilinear", antialias: bool = False
) -> Any:
    """Resizes images to fit into a size, on a black ground.

    Args:
        image: (height, width, channels) or (batch, height, width, channels).
        target_height, target_width: the size in pixels.
        method: one of `ResizeMethod`.
        antialias: whether to blur before shrinking.
    """
    given, target = picture(image), (int(target_height), int(target_width))
    require(min(target) > 0, f"The target size must be > 0; received {target}.")
    sides, wanted = np.asarray(given.shape[-3:-1], np.float32), np.asarray(target, np.float32)
    inner = sides / (sides / wanted).max()  # TensorFlow reckons with 32 bits, and puts the odd pixel accordingly
    top, left = np.maximum(np.floor((wanted - inner) / 2), 0)
    resized = resize(given, np.floor(inner).astype(np.int32), method, antialias=antialias)
    return pad_to_bounding_box(resized, top, left, *target)


__all__ = ["ResizeMethod", "resize", "resize_with_pad"]
