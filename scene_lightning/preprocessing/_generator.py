"""`ImageDataGenerator`: augments, normalises and reads images as Keras' class of that name does.

Source: keras.src.legacy.preprocessing.image.ImageDataGenerator (Keras 3.15).
"""

from __future__ import annotations

import inspect
import os
import warnings
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scene_lightning._registry import naming_unknown_words, refuse_unknown
from scene_lightning._settings import floatx
from scene_lightning.data.geometry import check_variant
from scene_lightning.data.sampling import check_fill_mode
from scene_lightning.errors import InputError
from scene_lightning.preprocessing._array_iterator import NumpyArrayIterator
from scene_lightning.preprocessing._arrays import check_data_format
from scene_lightning.preprocessing._dataframe import DataFrameIterator
from scene_lightning.preprocessing._directory import DirectoryIterator
from scene_lightning.preprocessing._random_transform import RandomTransform

Array = NDArray[Any]


class ImageDataGenerator(RandomTransform):
    """Gives batches of images with real-time augmentation. Keras: `preprocessing.image.ImageDataGenerator`.

    `flow`, `flow_from_directory` and `flow_from_dataframe` make iterators that `fit`, `evaluate` and `predict` take.
    Ranges are drawn for each image anew in each pass. Under `fit` whole batches are augmented on the device, as a
    function of (seed, epoch, image); the numbers of `next(iterator)` are those of Keras.

    Args:
        featurewise_center: subtract the data's mean per channel; needs `fit`.
        samplewise_center: subtract each image's own mean.
        featurewise_std_normalization: divide by the data's standard deviation per channel; needs `fit`.
        samplewise_std_normalization: divide each image by its own standard deviation.
        zca_whitening: decorrelate the pixels; needs `fit`, and memory for (height · width · channels)² values.
        zca_epsilon: keeps the whitening from dividing by zero.
        rotation_range: rotate by up to so many degrees either way.
        width_shift_range: shift sideways: a float below 1 is a share of the width, a larger float pixels; an int n
            chooses among -(n - 1)..n - 1 pixels, a list among its entries and their negatives.
        height_shift_range: shift up or down, in the same terms.
        brightness_range: (lowest, highest) factor of brightness; None leaves it.
        shear_range: shear by up to so many degrees either way.
        zoom_range: (lowest, highest) factor, or z for (1 - z, 1 + z); factors below 1 enlarge. The axes are drawn
            apart.
        channel_shift_range: add up to so many grey levels to all channels, either way.
        fill_mode: what lies beyond the borders: "nearest" (`aaaa|abcd|dddd`), "constant" (`cval`), "reflect"
            (`dcba|abcd|dcba`) or "wrap" (`abcd|abcd|abcd`).
        cval: the value beyond the borders for `fill_mode="constant"`.
        horizontal_flip: mirror a random half of the images left to right.
        vertical_flip: mirror a random half of the images top to bottom.
        rescale: a factor, such as `1/255`, applied after augmentation; None or 0 for none.
        preprocessing_function: called with each image `(height, width, channels)` after augmentation and resizing,
            before `rescale`; returns an array of the same shape.
        data_format: "channels_last" or "channels_first"; None takes `keras.config.image_data_format()`.
        validation_split: the share in (0, 1) that is kept for `subset="validation"`.
        interpolation_order: order of the spline that moved pixels are read with: 0 nearest, 1 linear, ….
        dtype: of the batches; None takes `keras.config.floatx()`.
        affine_variant: "keras>=2.9" (default) or "keras<=2.8", whose geometry and brightness differ. Not in Keras.

    Raises:
        InputError: an impossible value.

    Example:
        generator = keras.preprocessing.image.ImageDataGenerator(rescale=1 / 255, rotation_range=20, zoom_range=0.2,
                                                                 horizontal_flip=True)
        train = generator.flow_from_directory("seg_train", target_size=(150, 150), batch_size=32)
        model.fit(train, epochs=10)
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
        width_shift_range: float | Sequence[float] = 0.0,
        height_shift_range: float | Sequence[float] = 0.0,
        brightness_range: Sequence[float] | None = None,
        shear_range: float = 0.0,
        zoom_range: float | Sequence[float] = 0.0,
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
        self.dtype = dtype or floatx()
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
        """Batches of augmented images from arrays in memory.

        Args:
            x: images `(samples, height, width, channels)`, with 1, 3 or 4 channels; or `(images, [other arrays])`.
            y: labels, one a sample; None for batches without labels.
            batch_size: images a batch; the last batch of a pass may be smaller.
            shuffle: whether each pass has a new order.
            sample_weight: one weight a sample, or None.
            seed: makes order and augmentation repeatable; None draws from NumPy's global generator.
            save_to_dir: a folder into which every image that is yielded is written, to look at; None writes nothing.
            save_prefix: how the names of these files begin.
            save_format: their ending: "png" (default), "jpeg", ….
            ignore_class_split: whether the two subsets may hold different labels.
            subset: "training" or "validation", with the generator's `validation_split`; None takes all.

        Returns:
            A `NumpyArrayIterator` of (images, labels) batches; with `sample_weight`, of (images, labels, weights).

        Raises:
            InputError: lengths that differ, images that are not of rank 4, or a subset that lacks a label.

        Example:
            iterator = generator.flow(x_train, y_train, batch_size=32)
            model.fit(iterator, epochs=10, validation_data=(x_val, y_val))
        """
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
        directory: str | os.PathLike[str],
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
        exif: bool = False,
        overlay: str | os.PathLike[str] | None = None,
        scaled_decoding: bool = False,
    ) -> DirectoryIterator:
        """Batches of augmented images from a folder with one folder of images a class.

        Args:
            directory: a folder that holds `<class>/**/*.jpg` (or png, bmp, ppm, tif).
            target_size: (height, width) in pixels that images are resized to.
            color_mode: "rgb", "rgba" or "grayscale".
            classes: the folders to take, in the order of their class numbers; None takes every folder, sorted. The
                iterator's `class_indices` says which number a class has.
            class_mode: what labels become: "categorical" (one-hot rows), "binary" (0 or 1), "sparse" (class numbers),
                "input" (the images themselves) or None (no labels, for `predict`).
            batch_size: images a batch; the last batch of a pass may be smaller.
            shuffle: whether each pass has a new order. Pass False where predictions are to be in the files' order.
            seed: makes order and augmentation repeatable; None draws from NumPy's global generator.
            save_to_dir: a folder into which every image that is yielded is written, to look at; None writes nothing.
            save_prefix: how the names of these files begin.
            save_format: their ending: "png" (default), "jpeg", ….
            follow_links: whether linked folders below a class are entered.
            subset: "training" or "validation", with the generator's `validation_split`; None takes all.
            interpolation: "nearest" (default), "bilinear", "bicubic", "lanczos", "box" or "hamming".
            keep_aspect_ratio: crop to the target's proportions before resizing, so that nothing is distorted.
            exif: turn photographs upright that are stored otherwise, as their EXIF orientation says. Keras has no such
                argument and never does; nor does this by default.
            overlay: a CSV file of corrected labels, which `scene-lightning check --html` helps to make: images get
                another class, or are left out. None for none; Keras has no such argument.
            scaled_decoding: decode JPEGs of several times `target_size` at 1/8, 1/4 or 1/2 of their size, and resize
                that: it is faster. Keras has no such argument.

        Returns:
            A `DirectoryIterator` of (images, labels) batches; images are `(batch, height, width, channels)`.

        Raises:
            MissingFolderError: no such folder.
            InputError: an unknown class_mode, color_mode, interpolation or subset, or a faulty overlay.

        Example:
            generator = keras.preprocessing.image.ImageDataGenerator(rescale=1 / 255, validation_split=0.2)
            train = generator.flow_from_directory("seg_train", target_size=(150, 150), subset="training")
            # Found 11230 images belonging to 6 classes.
            validation = generator.flow_from_directory("seg_train", target_size=(150, 150), subset="validation")
            # Found 2804 images belonging to 6 classes.
        """
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
            exif=exif,
            overlay=overlay,
            scaled_decoding=scaled_decoding,
        )

    def flow_from_dataframe(
        self,
        dataframe: Any,
        directory: str | os.PathLike[str] | None = None,
        x_col: str = "filename",
        y_col: str | Sequence[str] = "class",
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
        """Batches of augmented images from the files that a pandas data frame names.

        Args:
            dataframe: a pandas data frame with one row an image.
            directory: the folder that file names are joined to; None: they are whole paths.
            x_col: the column of file names.
            y_col: the column of labels; a list of columns for `class_mode="multi_output"`.
            weight_col: the column of sample weights; None for none.
            target_size: (height, width) in pixels that images are resized to.
            color_mode: "rgb", "rgba" or "grayscale".
            classes: the classes and their order; rows of others are dropped. None takes those in `y_col`, sorted.
            class_mode: what labels become: "categorical" (one-hot rows; a list of names in a row sets several),
                "binary" (0 or 1), "sparse" (class numbers), "input" (the images themselves), "multi_output" (a list of
                arrays), "raw" (the column as it is) or None (no labels).
            batch_size: images a batch; the last batch of a pass may be smaller.
            shuffle: whether each pass has a new order.
            seed: makes order and augmentation repeatable; None draws from NumPy's global generator.
            save_to_dir: a folder into which every image that is yielded is written, to look at; None writes nothing.
            save_prefix: how the names of these files begin.
            save_format: their ending: "png" (default), "jpeg", ….
            subset: "training" or "validation", with the generator's `validation_split`; None takes all.
            interpolation: "nearest" (default), "bilinear", "bicubic", "lanczos", "box" or "hamming".
            validate_filenames: drop rows whose file is missing or no image, with a warning. False is faster.
            **kwargs: `keep_aspect_ratio`; `exif` and `scaled_decoding` as for `flow_from_directory` (not Keras'); and
                Keras 2's `has_ext`, `sort` and `drop_duplicates`, which only warn.

        Returns:
            A `DataFrameIterator` of (images, labels) batches, or (images, labels, weights) with `weight_col`.

        Raises:
            TypeError: labels of a type that the class_mode cannot use.
            InputError: an unknown class_mode or subset.
        """
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
            exif=kwargs.get("exif", False),
            scaled_decoding=kwargs.get("scaled_decoding", False),
        )


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


def _old_dataframe_arguments(class_mode: str | None, arguments: dict[str, Any]) -> str | None:
    """Keras' deprecated arguments of flow_from_dataframe, each with its warning; the class_mode to use."""
    meanings = {
        "has_ext": "filenames in the dataframe have to match the exact filenames in disk.",
        "sort": "batches will be created in the same order than the filenames provided if `shuffle` is set to `False`.",
        "drop_duplicates": "you can drop duplicates by using the pandas.DataFrame.drop_duplicates method.",
    }
    own = inspect.signature(ImageDataGenerator.flow_from_dataframe).parameters
    refuse_unknown(
        "flow_from_dataframe()",
        arguments,
        [*list(own)[1:-1], *meanings, "keep_aspect_ratio", "exif", "scaled_decoding"],
    )
    for name in meanings.keys() & arguments.keys():
        warnings.warn(f"{name} is deprecated, {meanings[name]}", DeprecationWarning, stacklevel=3)
    if class_mode == "other":
        warnings.warn(
            '`class_mode="other"` is deprecated, please use `class_mode="raw"`.', DeprecationWarning, stacklevel=3
        )
        return "raw"
    return class_mode
