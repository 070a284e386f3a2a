"""Ranges and switches in; an object that augments, normalises and reads images as Keras' ImageDataGenerator does.

Source: keras.src.legacy.preprocessing.image.ImageDataGenerator (Keras 3.15).
"""

from __future__ import annotations

import inspect
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scene_lightning import backend
from scene_lightning._registry import naming_unknown_words, refuse_unknown
from scene_lightning.data.augment import AugmentRanges
from scene_lightning.data.geometry import check_variant
from scene_lightning.data.sampling import check_fill_mode
from scene_lightning.errors import InputError
from scene_lightning.preprocessing._array_iterator import NumpyArrayIterator
from scene_lightning.preprocessing._arrays import check_data_format
from scene_lightning.preprocessing._dataframe import DataFrameIterator
from scene_lightning.preprocessing._iterators import DirectoryIterator
from scene_lightning.preprocessing._normalise import Normaliser
from scene_lightning.preprocessing._transforms import (
    apply_affine_transform,
    apply_brightness_shift,
    apply_channel_shift,
    flip_axis,
)

Array = NDArray[Any]


class ImageDataGenerator(Normaliser):
    """Batches of images with real-time augmentation.

    Args:
        featurewise_center, featurewise_std_normalization: subtract the data's mean per channel, divide by its
            standard deviation; both need `fit`.
        samplewise_center, samplewise_std_normalization: the same with each image's own mean and deviation.
        zca_whitening, zca_epsilon: decorrelate the pixels; needs `fit`.
        rotation_range, shear_range: degrees either way.
        width_shift_range, height_shift_range: a float below 1 is a share of the size, a larger float pixels, an int n
            chooses among 0..n-1 pixels, a list among its entries.
        brightness_range: two factors. channel_shift_range: grey levels.
        zoom_range: two factors, or z for (1 - z, 1 + z); the axes are drawn apart.
        fill_mode, cval: what lies beyond the borders: "nearest", "reflect", "constant" (`cval`) or "wrap".
        horizontal_flip, vertical_flip: mirror half of the images.
        rescale: factor applied after augmentation. preprocessing_function: called on each augmented image before it.
        data_format, dtype, interpolation_order: "channels_last" or "channels_first"; of the batches; spline order.
        validation_split: share in (0, 1) kept for subset="validation".
        affine_variant: "keras>=2.9" or "keras<=2.8", whose geometry differs (see data/geometry.py).

    Raises:
        InputError: an impossible value.
    """

    @naming_unknown_words
    def __init__(
        self,
        featurewise_center: bool = False,
        samplewise_center: bool = False,
        featurewise_std_normalization: bool = False,
        samplewise_std_normalization: bool = False,
        zca_whitening: bool = False,
        zca_epsilon: float = 1e-6,
        rotation_range: float = 0,
        width_shift_range: Any = 0.0,
        height_shift_range: Any = 0.0,
        brightness_range: Sequence[float] | None = None,
        shear_range: float = 0.0,
        zoom_range: Any = 0.0,
        channel_shift_range: float = 0.0,
        fill_mode: str = "nearest",
        cval: float = 0.0,
        horizontal_flip: bool = False,
        vertical_flip: bool = False,
        rescale: float | None = None,
        preprocessing_function: Callable[[Array], Array] | None = None,
        data_format: str | None = None,
        validation_split: float = 0.0,
        interpolation_order: int = 1,
        dtype: Any = None,
        *,
        affine_variant: str = "keras>=2.9",
    ) -> None:
        check_fill_mode(fill_mode)
        check_variant(affine_variant)
        self.featurewise_center, self.samplewise_center = featurewise_center, samplewise_center
        self.featurewise_std_normalization = featurewise_std_normalization
        self.samplewise_std_normalization = samplewise_std_normalization
        self.zca_whitening, self.zca_epsilon = zca_whitening, zca_epsilon
        self.rotation_range, self.shear_range = rotation_range, shear_range
        self.width_shift_range, self.height_shift_range = width_shift_range, height_shift_range
        self.zoom_range = _zoom_pair(zoom_range)
        self.channel_shift_range, self.brightness_range = channel_shift_range, _pair_or_none(brightness_range)
        self.fill_mode, self.cval, self.interpolation_order = fill_mode, cval, interpolation_order
        self.affine_variant = affine_variant
        self.horizontal_flip, self.vertical_flip = horizontal_flip, vertical_flip
        self.rescale, self.preprocessing_function = rescale, preprocessing_function
        self.dtype = dtype or backend.floatx()
        self.data_format = check_data_format(data_format)
        first = self.data_format == "channels_first"
        self.channel_axis, self.row_axis, self.col_axis = (1, 2, 3) if first else (3, 1, 2)
        if validation_split and not 0 < validation_split < 1:
            raise InputError(f"`validation_split` must be strictly between 0 and 1.  Received: {validation_split}")
        self._validation_split = validation_split
        self.settle_switches()

    @naming_unknown_words
    def flow(
        self,
        x: Any,
        y: Any = None,
        batch_size: int = 32,
        shuffle: bool = True,
        sample_weight: Any = None,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        ignore_class_split: bool = False,
        subset: str | None = None,
    ) -> NumpyArrayIterator:
        """Batches from images in memory (N, H, W, C); see `NumpyArrayIterator`."""
        return NumpyArrayIterator(
            x,
            y,
            self,
            batch_size=batch_size,
            shuffle=shuffle,
            sample_weight=sample_weight,
            seed=seed,
            data_format=self.data_format,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            ignore_class_split=ignore_class_split,
            subset=subset,
            dtype=self.dtype,
        )

    @naming_unknown_words
    def flow_from_directory(
        self,
        directory: Any,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
    ) -> DirectoryIterator:
        """Batches from a folder with one folder a class; see `DirectoryIterator`."""
        return DirectoryIterator(
            directory,
            self,
            target_size=target_size,
            color_mode=color_mode,
            classes=classes,
            class_mode=class_mode,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            data_format=self.data_format,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            follow_links=follow_links,
            subset=subset,
            interpolation=interpolation,
            keep_aspect_ratio=keep_aspect_ratio,
            dtype=self.dtype,
        )

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: Any = None,
        x_col: str = "filename",
        y_col: Any = "class",
        weight_col: str | None = None,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        validate_filenames: bool = True,
        **kwargs: Any,
    ) -> DataFrameIterator:
        """Batches from the files that a pandas data frame names; see `DataFrameIterator`."""
        class_mode = _old_dataframe_arguments(class_mode, kwargs)
        return DataFrameIterator(
            dataframe,
            directory,
            self,
            x_col=x_col,
            y_col=y_col,
            weight_col=weight_col,
            target_size=target_size,
            color_mode=color_mode,
            classes=classes,
            class_mode=class_mode,
            batch_size=batch_size,
            shuffle=shuffle,
            seed=seed,
            data_format=self.data_format,
            save_to_dir=save_to_dir,
            save_prefix=save_prefix,
            save_format=save_format,
            subset=subset,
            interpolation=interpolation,
            keep_aspect_ratio=kwargs.get("keep_aspect_ratio", False),
            dtype=self.dtype,
            validate_filenames=validate_filenames,
        )

    def ranges(self) -> AugmentRanges:
        """What the batched augmentation draws from."""
        return AugmentRanges(
            rotation_range=self.rotation_range,
            width_shift_range=self.width_shift_range,
            height_shift_range=self.height_shift_range,
            shear_range=self.shear_range,
            zoom_range=(self.zoom_range[0], self.zoom_range[1]),
            channel_shift_range=self.channel_shift_range,
            brightness_range=None if self.brightness_range is None else tuple(self.brightness_range),
            horizontal_flip=bool(self.horizontal_flip),
            vertical_flip=bool(self.vertical_flip),
            fill_mode=self.fill_mode,
            cval=self.cval,
            order=self.interpolation_order,
            variant=self.affine_variant,
        )

    def get_random_transform(self, img_shape: Sequence[int], seed: int | None = None) -> dict[str, Any]:
        """Parameters for one image, drawn in Keras' order from NumPy's global generator.

        Args:
            img_shape: of the image, in this generator's data_format.
            seed: reseeds that generator first.
        """
        if seed is not None:
            np.random.seed(seed)
        uniform = np.random.uniform
        theta = uniform(-self.rotation_range, self.rotation_range) if self.rotation_range else 0
        tx = _draw_shift(self.height_shift_range, img_shape[self.row_axis - 1])
        ty = _draw_shift(self.width_shift_range, img_shape[self.col_axis - 1])
        shear = uniform(-self.shear_range, self.shear_range) if self.shear_range else 0
        low, high = self.zoom_range
        zx, zy = (1, 1) if low == 1 and high == 1 else uniform(low, high, 2)
        # Both are drawn whatever the switches say: Keras' order of draws.
        flip_horizontal = (np.random.random() < 0.5) * self.horizontal_flip
        flip_vertical = (np.random.random() < 0.5) * self.vertical_flip
        channel_shift = None
        if self.channel_shift_range != 0:
            channel_shift = uniform(-self.channel_shift_range, self.channel_shift_range)
        brightness = None if self.brightness_range is None else uniform(*self.brightness_range)
        return {
            "theta": theta,
            "tx": tx,
            "ty": ty,
            "shear": shear,
            "zx": zx,
            "zy": zy,
            "flip_horizontal": flip_horizontal,
            "flip_vertical": flip_vertical,
            "channel_shift_intensity": channel_shift,
            "brightness": brightness,
        }

    def apply_transform(self, x: Array, transform_parameters: dict[str, Any]) -> Array:
        """One image of rank 3 → the image that the parameters of `get_random_transform` describe."""
        row, col, channel = self.row_axis - 1, self.col_axis - 1, self.channel_axis - 1
        get = transform_parameters.get
        x = apply_affine_transform(
            x,
            get("theta", 0),
            get("tx", 0),
            get("ty", 0),
            get("shear", 0),
            get("zx", 1),
            get("zy", 1),
            row_axis=row,
            col_axis=col,
            channel_axis=channel,
            fill_mode=self.fill_mode,
            cval=self.cval,
            order=self.interpolation_order,
            variant=self.affine_variant,
        )
        if get("channel_shift_intensity") is not None:
            x = apply_channel_shift(x, transform_parameters["channel_shift_intensity"], channel)
        if get("flip_horizontal", False):
            x = flip_axis(x, col)
        if get("flip_vertical", False):
            x = flip_axis(x, row)
        if get("brightness") is not None:
            last = x if channel == 2 else np.moveaxis(x, 0, 2)
            last = apply_brightness_shift(last, transform_parameters["brightness"], self.affine_variant == "keras<=2.8")
            x = last if channel == 2 else np.moveaxis(last, 2, 0)
        return x

    def random_transform(self, x: Array, seed: int | None = None) -> Array:
        """`apply_transform` with parameters of `get_random_transform`."""
        return self.apply_transform(x, self.get_random_transform(x.shape, seed))


def _zoom_pair(zoom_range: Any) -> list[float]:
    if isinstance(zoom_range, float | int | np.number):
        return [1 - zoom_range, 1 + zoom_range]
    if len(zoom_range) == 2 and all(isinstance(value, float | int | np.number) for value in zoom_range):
        return [zoom_range[0], zoom_range[1]]
    raise InputError(f"`zoom_range` should be a float or a tuple or list of two floats. Received: {zoom_range}")


def _pair_or_none(brightness_range: Any) -> Any:
    if brightness_range is not None and (not isinstance(brightness_range, tuple | list) or len(brightness_range) != 2):
        raise InputError(f"`brightness_range should be tuple or list of two floats. Received: {brightness_range}")
    return brightness_range


def _draw_shift(limit: Any, size: int) -> Any:
    """Keras' shift along one axis, in pixels: an int or a list holds choices, a float is a range."""
    if not (len(limit) if np.ndim(limit) else limit):
        return 0
    try:
        shift = np.random.choice(limit)
        shift *= np.random.choice([-1, 1])
    except ValueError:  # NumPy's answer to a float
        shift = np.random.uniform(-limit, limit)
    return shift * size if np.max(limit) < 1 else shift


def _old_dataframe_arguments(class_mode: str | None, arguments: dict[str, Any]) -> str | None:
    """Keras' deprecated arguments of flow_from_dataframe, each with its warning; the class_mode to use."""
    meanings = {
        "has_ext": "filenames in the dataframe have to match the exact filenames in disk.",
        "sort": "batches will be created in the same order than the filenames provided if `shuffle` is set to `False`.",
        "drop_duplicates": "you can drop duplicates by using the pandas.DataFrame.drop_duplicates method.",
    }
    own = inspect.signature(ImageDataGenerator.flow_from_dataframe).parameters
    refuse_unknown("flow_from_dataframe()", arguments, [*list(own)[1:-1], *meanings, "keep_aspect_ratio"])
    for name in meanings.keys() & arguments.keys():
        warnings.warn(f"{name} is deprecated, {meanings[name]}", DeprecationWarning, stacklevel=3)
    if class_mode == "other":
        warnings.warn(
            '`class_mode="other"` is deprecated, please use `class_mode="raw"`.', DeprecationWarning, stacklevel=3
        )
        return "raw"
    return class_mode
