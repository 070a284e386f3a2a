"""Keras' `keras.preprocessing.image`: the public names of this package's image preprocessing."""

from scene_lightning.preprocessing._array_iterator import NumpyArrayIterator
from scene_lightning.preprocessing._arrays import array_to_img, img_to_array, load_img, save_img, smart_resize
from scene_lightning.preprocessing._dataframe import DataFrameIterator, validate_filename
from scene_lightning.preprocessing._directory import DirectoryIterator
from scene_lightning.preprocessing._generator import ImageDataGenerator
from scene_lightning.preprocessing._iterators import BatchFromFilesMixin, Iterator
from scene_lightning.preprocessing._transforms import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    flip_axis,
    random_brightness,
    random_channel_shift,
    random_rotation,
    random_shear,
    random_shift,
    random_zoom,
)

__all__ = [
    "BatchFromFilesMixin", "DataFrameIterator", "DirectoryIterator", "ImageDataGenerator", "Iterator",
    "NumpyArrayIterator", "apply_affine_transform", "apply_brightness_shift", "apply_channel_shift", "array_to_img",
    "flip_axis", "img_to_array", "load_img", "random_brightness", "random_channel_shift", "random_rotation",
    "random_shear", "random_shift", "random_zoom", "save_img", "smart_resize", "validate_filename",
]  # fmt: skip
