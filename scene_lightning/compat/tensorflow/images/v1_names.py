"""The names that only TensorFlow 1's `tf.image` has, for programs of its time that say `tf.image.resize_images`."""

from scene_lightning.compat.tensorflow.images.v1 import (
    resize_area,
    resize_bicubic,
    resize_bilinear,
    resize_image_with_pad,
    resize_images,
    resize_nearest_neighbor,
)

__all__ = [
    "resize_area", "resize_bicubic", "resize_bilinear", "resize_image_with_pad", "resize_images",
    "resize_nearest_neighbor",
]  # fmt: skip
