"""TensorFlow 1's resizing, `tf.compat.v1.image`: its pixels lie elsewhere than those of `tf.image.resize`."""

from __future__ import annotations

from typing import Any

import numpy as np

from scene_lightning.compat.tensorflow.images.arguments import pair, picture, require
from scene_lightning.compat.tensorflow.images.resize import fitting, method_named
from scene_lightning.compat.tensorflow.ops.operation import operation
from scene_lightning.utils.resize import cubic_steps, overlaps, weighted


class ResizeMethod:
    """The numbers of the interpolations. TensorFlow: `tf.compat.v1.image.ResizeMethod`."""

    BILINEAR, NEAREST_NEIGHBOR, BICUBIC, AREA = 0, 1, 2, 3


@operation
def resize(
    images: Any, size: Any, method: Any = 0, align_corners: bool = False, preserve_aspect_ratio: bool = False,
    name: Any = None,
) -> Any:  # fmt: skip
    """Resizes images: float32, except with "nearest" and at their own size.

    Args:
        method: 0 bilinear, 1 nearest, 2 bicubic, 3 area, or TensorFlow 2's names for them.
        align_corners: the corner pixels' middles keep their places; otherwise the upper left pixel's corner does.
        images: (height, width, channels) or (batch, height, width, channels).
        size: (height, width) in pixels.
        preserve_aspect_ratio: whether `size` is the most, and the proportions stay.
        name: for TensorFlow's sake, without effect.
    """
    given, target, how = picture(images, "images"), pair(size), method_named(method)
    require(how in ("bilinear", "nearest", "bicubic", "area"), f"Resize method is not implemented: {method}")
    if preserve_aspect_ratio:
        target = fitting(given, target)
    if tuple(given.shape[-3:-1]) == target:
        return given
    sides = zip(given.shape[-3:-1], target, strict=True)
    rows, columns = (_weights(side, wanted, how, bool(align_corners)) for side, wanted in sides)
    made = weighted(given, rows, columns)
    return made.to(given.dtype) if how == "nearest" else made


def _weights(length: int, target: int, method: str, align_corners: bool) -> np.ndarray:
    """(target, length): how much of each input pixel goes into each output pixel."""
    scale = np.float32((length - 1) / (target - 1) if align_corners and target > 1 else length / target)
    if method == "area":
        return overlaps(length, target, float(scale))
    places = np.arange(target, dtype=np.float32) * scale
    if method == "nearest":
        near = np.floor(places + 0.5) if align_corners else np.floor(places)
        taps = [(near, np.ones(target))]
    elif method == "bilinear":
        share = places - np.floor(places)
        taps = [(np.floor(places), 1 - share), (np.floor(places) + 1, share)]
    else:
        taps = cubic_steps(places, -0.75)
    weights = np.zeros((target, length))
    for pixel, share in taps:  # what would lie outside is the outermost pixel
        np.add.at(weights, (np.arange(target), np.clip(pixel, 0, length - 1).astype(int)), share)
    return weights
