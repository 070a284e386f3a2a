"""Gives batches of images that lie in memory: the iterator of `ImageDataGenerator.flow`."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scene_lightning._settings import floatx
from scene_lightning.errors import InputError
from scene_lightning.preprocessing._arrays import check_data_format
from scene_lightning.preprocessing._feeds import ArrayFeedMixin
from scene_lightning.preprocessing._iterators import Iterator, save_batch

Array = NDArray[Any]


class NumpyArrayIterator(ArrayFeedMixin, Iterator):
    """Endless, indexable batches of images that lie in memory, as `ImageDataGenerator.flow` gives them.

    `iterator[i]` is batch `i`, `next(iterator)` the next one. Keras: `preprocessing.image.NumpyArrayIterator`.

    Args:
        x: images `(samples, height, width, channels)`; or `(images, [other arrays])`, whose other arrays of the same
            length are passed on beside the images.
        y: labels, one a sample, of any shape; None for batches without labels.
        image_data_generator: the `ImageDataGenerator` that augments and normalises.
        batch_size: images a batch; the last batch of a pass may be smaller.
        shuffle: whether each pass has a new order.
        sample_weight: one weight a sample, or None.
        seed: NumPy's global generator is reseeded with seed + batches seen before each batch; None leaves it alone.
        data_format: "channels_last" or "channels_first"; None takes `keras.config.image_data_format()`.
        save_to_dir: a folder into which every image that is yielded is written; None writes nothing.
        save_prefix: how the names of these files begin.
        save_format: their ending, such as "png" or "jpeg".
        subset: "training" or "validation", for a generator with `validation_split`; the first samples are the
            validation part, with nothing mixed before. None takes all.
        ignore_class_split: whether the two parts may hold different labels.
        dtype: of the batches; None takes `keras.config.floatx()`.

    Raises:
        InputError: lengths that differ, images that are not of rank 4, or a subset that lacks a label.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        image_data_generator: Any,
        batch_size: int = 32,
        shuffle: bool = False,
        sample_weight: Any = None,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        ignore_class_split: bool = False,
        dtype: Any = None,
    ) -> None:
        self.data_format, self.dtype = check_data_format(data_format), dtype or floatx()
        x, others = _images_and_others(x)
        _check_lengths(x, others, y, sample_weight)
        if subset is not None:
            rows = _subset_rows(subset, len(x), y, image_data_generator._validation_split, ignore_class_split)
            x, others = x[rows], [other[rows] for other in others]
            y = None if y is None else y[rows]
        pixels = np.asarray(x)
        self.x, self.x_misc = np.asarray(x, dtype=self.dtype), [np.asarray(other) for other in others]
        if self.x.ndim != 4:
            raise InputError(
                f"Input data in `NumpyArrayIterator` should have rank 4. You passed an array with shape {self.x.shape}"
            )
        self._pixels = pixels if pixels.dtype == np.uint8 else self.x  # bytes are cheaper to carry to the device
        self._warn_channels()
        self.y = None if y is None else np.asarray(y)
        self.sample_weight = None if sample_weight is None else np.asarray(sample_weight)
        self.image_data_generator = image_data_generator
        self.save_to_dir, self.save_prefix, self.save_format = save_to_dir, save_prefix, save_format
        self.image_shape: tuple[int, ...] = self.x.shape[1:]
        self.samples = len(self.x)
        super().__init__(len(self.x), batch_size, shuffle, seed)

    def _warn_channels(self) -> None:
        axis = 3 if self.data_format == "channels_last" else 1
        if self.x.shape[axis] not in {1, 3, 4}:
            warnings.warn(
                f'NumpyArrayIterator is set to use the data format convention "{self.data_format}" (channels on axis '
                f"{axis}), i.e. expected either 1, 3, or 4 channels on axis {axis}. However, it was passed an array "
                f"with shape {self.x.shape} ({self.x.shape[axis]} channels).",
                stacklevel=4,
            )

    def _get_batches_of_transformed_samples(self, index_array: Array) -> Any:
        batch_x = np.zeros((len(index_array), *self.x.shape[1:]), dtype=self.dtype)
        for i, j in enumerate(index_array):
            params = self.image_data_generator.get_random_transform(self.x[j].shape)
            # A copy: `standardize` works in place, and identity transforms hand back what they were given.
            image = self.image_data_generator.apply_transform(np.array(self.x[j], dtype=self.dtype), params)
            batch_x[i] = self.image_data_generator.standardize(image)
        save_batch(self, batch_x, index_array, 10**4)
        images = [batch_x, *(other[index_array] for other in self.x_misc)] if self.x_misc else batch_x
        if self.y is None:
            return images
        if self.sample_weight is None:
            return images, self.y[index_array]
        return images, self.y[index_array], self.sample_weight[index_array]


def _images_and_others(x: Any) -> tuple[Any, list[Any]]:
    if not isinstance(x, tuple | list):
        return x, []
    others = x[1] if isinstance(x[1], list) else [x[1]]
    return np.asarray(x[0]), [np.asarray(other) for other in others]


def _check_lengths(x: Any, others: list[Any], y: Any, sample_weight: Any) -> None:
    for other in others:
        if len(x) != len(other):
            raise InputError(
                "All of the arrays in `x` should have the same length. Found a pair with: "
                f"len(x[0]) = {len(x)}, len(x[?]) = {len(other)}"
            )
    for name, meaning, values in (("y", " (labels)", y), ("sample_weight", "", sample_weight)):
        if values is not None and len(x) != len(values):
            raise InputError(
                f"`x` (images tensor) and `{name}`{meaning} should have the same length. Found: x.shape = "
                f"{np.shape(x)}, {name}.shape = {np.shape(values)}"
            )


def _subset_rows(subset: str, n: int, y: Any, share: float, ignore_class_split: bool) -> slice:
    if subset not in ("training", "validation"):
        raise InputError(f'Invalid subset name: {subset}; expected "training" or "validation".')
    at = int(n * share)
    if y is not None and not ignore_class_split and not np.array_equal(np.unique(y[:at]), np.unique(y[at:])):
        raise InputError(
            "Training and validation subsets have different number of classes after the split. If your numpy arrays "
            "are sorted by the label, you might want to shuffle them."
        )
    return slice(None, at) if subset == "validation" else slice(at, None)
