"""The names that only TensorFlow 1's `tf.image` has, for programs of its time that say `tf.image.resize_images`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from scene_lightning.compat.tensorflow.images.arguments import require
from scene_lightning.compat.tensorflow.images.resize import resize_with_pad as resize_image_with_pad
from scene_lightning.compat.tensorflow.images.v1 import resize as resize_images


def _by(method: str) -> Callable[..., torch.Tensor]:
    def call(
        images: Any, size: Any, align_corners: bool = False, name: Any = None, half_pixel_centers: bool = False
    ) -> Any:
        require(not half_pixel_centers, "half_pixel_centers=True is what tf.image.resize has: call that.")
        return resize_images(images, size, method, align_corners)

    call.__doc__ = f"`resize_images` with the method {method!r}."
    return call


resize_bilinear, resize_nearest_neighbor, resize_bicubic, resize_area = (
    _by(method) for method in ("bilinear", "nearest", "bicubic", "area")
)

__all__ = [
    "resize_area", "resize_bicubic", "resize_bilinear", "resize_image_with_pad", "resize_images",
    "resize_nearest_neighbor",
]  # fmt: skip
