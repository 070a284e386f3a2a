"""Endless, indexable batches: the base classes of the iterators that `ImageDataGenerator` gives.

`it[i]` and `next(it)` follow Keras call by call: the same numbers from NumPy's global generator. `fit` and the other
verbs take `it.lightning_feed(…)` instead, which does the same to whole batches on the device (_feeds.py).
Source: keras.src.legacy.preprocessing.image (Keras 3.15).
"""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator as AbstractIterator
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from scene_lightning.data.color_modes import CHANNELS, check_color_mode
from scene_lightning.data.decode import UNREADABLE, check_interpolation
from scene_lightning.errors import InputError
from scene_lightning.preprocessing._arrays import array_to_img, check_data_format, img_to_array, load_img
from scene_lightning.preprocessing._feeds import FileFeedMixin

Array = NDArray[Any]


class Iterator:
    """The base of image iterators: batches over `n` samples, by index or one after another without end.

    A subclass defines `_get_batches_of_transformed_samples(index_array)`. Keras: `preprocessing.image.Iterator`.

    Args:
        n: how many samples there are.
        batch_size: samples a batch; the last batch of a pass may be smaller.
        shuffle: whether each pass has a new order.
        seed: NumPy's global generator is reseeded with seed + batches seen before each batch; None leaves it alone.
        **kwargs: Keras' `workers`, `use_multiprocessing` and `max_queue_size`, kept as attributes.

    Raises:
        InputError: a batch size below 1.
    """

    white_list_formats = ("png", "jpg", "jpeg", "bmp", "ppm", "tif", "tiff")

    def __init__(self, n: int, batch_size: int, shuffle: bool, seed: int | None, **kwargs: Any) -> None:
        self.workers = kwargs.pop("workers", 1)
        self.use_multiprocessing = kwargs.pop("use_multiprocessing", False)
        self.max_queue_size = kwargs.pop("max_queue_size", 10)
        if kwargs:
            raise TypeError(f"Iterator() got unexpected keyword arguments {sorted(kwargs)}")
        if not batch_size or int(batch_size) < 1:
            raise InputError(f"batch_size must be at least 1; received {batch_size}.")
        self.n, self.batch_size, self.shuffle, self.seed = n, int(batch_size), shuffle, seed
        self.batch_index = 0
        self.total_batches_seen = 0
        self.lock = threading.Lock()
        self.index_array: Array | None = None
        self.index_generator = self._flow_index()

    def __getstate__(self) -> dict[str, Any]:
        """For copies and pickles: they go on where this one stands."""
        return {name: value for name, value in self.__dict__.items() if name not in ("lock", "index_generator")}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        self.lock = threading.Lock()
        self.index_generator = self._go_on()

    def _set_index_array(self) -> None:
        self.index_array = np.random.permutation(self.n) if self.shuffle else np.arange(self.n)

    def __getitem__(self, idx: int) -> Any:
        if idx < 0:
            idx += len(self)
        if not 0 <= idx < len(self):
            raise ValueError(f"Asked to retrieve element {idx}, but the Sequence has length {len(self)}")
        if self.seed is not None:
            np.random.seed(self.seed + self.total_batches_seen)
        self.total_batches_seen += 1
        if self.index_array is None:
            self._set_index_array()
        assert self.index_array is not None
        return self._get_batches_of_transformed_samples(
            self.index_array[self.batch_size * idx : self.batch_size * (idx + 1)]
        )

    def __len__(self) -> int:
        return (self.n + self.batch_size - 1) // self.batch_size

    @property
    def num_batches(self) -> int:
        """How many batches one pass has. Keras: `PyDataset.num_batches`."""
        return len(self)

    def on_epoch_end(self) -> None:
        """Draw a new order (or the plain one)."""
        self._set_index_array()

    def reset(self) -> None:
        """Let `next` begin a new pass."""
        self.batch_index = 0

    def _flow_index(self) -> AbstractIterator[Array]:
        self.reset()
        yield from self._go_on()

    def _go_on(self) -> AbstractIterator[Array]:
        while True:
            if self.seed is not None:
                np.random.seed(self.seed + self.total_batches_seen)
            if self.batch_index == 0:
                self._set_index_array()
            start = (self.batch_index * self.batch_size) % self.n if self.n else 0
            self.batch_index = self.batch_index + 1 if self.n > start + self.batch_size else 0
            self.total_batches_seen += 1
            assert self.index_array is not None
            yield self.index_array[start : start + self.batch_size]

    def __iter__(self) -> Iterator:
        return self

    def __next__(self) -> Any:
        with self.lock:
            index_array = next(self.index_generator)
        return self._get_batches_of_transformed_samples(index_array)

    def next(self) -> Any:
        """The next batch, for ever: Keras 2's spelling of `next(iterator)`."""
        return self.__next__()

    def _get_batches_of_transformed_samples(self, index_array: Array) -> Any:
        """Sample positions → a batch."""
        raise NotImplementedError


def save_batch(iterator: Any, batch: Array, index_array: Array, hashes: int) -> None:
    """Write a batch's images into `save_to_dir`, if there is one, under Keras' names.

    Args:
        iterator: what the batch comes from; it says where and under which prefix.
        batch: the images.
        index_array: the number of each image in the data.
        hashes: how many random numbers there are for the end of a name.
    """
    if not iterator.save_to_dir:
        return
    for image, index in zip(batch, index_array, strict=True):
        name = f"{iterator.save_prefix}_{index}_{np.random.randint(hashes)}.{iterator.save_format}"
        picture = array_to_img(image, iterator.data_format, scale=True)
        picture.save(os.path.join(iterator.save_to_dir, name))


class BatchFromFilesMixin(FileFeedMixin):
    """The part of an image iterator that reads files and makes batches of them."""

    white_list_formats: Any
    class_mode: str | None
    class_indices: dict[str, int]
    classes: Any
    dtype: Any

    def set_processing_attrs(
        self,
        image_data_generator: Any,
        target_size: Sequence[int],
        color_mode: str,
        data_format: str | None,
        save_to_dir: str | None,
        save_prefix: str,
        save_format: str,
        subset: str | None,
        interpolation: str,
        keep_aspect_ratio: bool = False,
        exif: bool = False,
        scaled_decoding: bool = False,
    ) -> None:
        """Set the attributes that reading needs, as `ImageDataGenerator.flow_from_directory` describes them.

        Args:
            image_data_generator: augments and normalises; None for neither.
            target_size: (height, width) in pixels.
            color_mode: "rgb", "rgba" or "grayscale".
            data_format: "channels_last" or "channels_first"; None takes `keras.config.image_data_format()`.
            save_to_dir: a folder for what is yielded, or None.
            save_prefix: how the names of these files begin.
            save_format: their ending.
            subset: "training", "validation" or None.
            interpolation: as for `load_img`.
            keep_aspect_ratio: crop to the target's proportions before resizing.
            exif: turn photographs upright, as their EXIF orientation says.
            scaled_decoding: as for `load_img`.
        """
        check_color_mode(color_mode)
        check_interpolation(interpolation)
        if len(tuple(target_size)) != 2:
            raise InputError(f"target_size must be (height, width); received {target_size!r}.")
        self.image_data_generator = image_data_generator
        self.target_size = (int(target_size[0]), int(target_size[1]))
        self.keep_aspect_ratio, self.color_mode, self.exif = keep_aspect_ratio, color_mode, exif
        self.scaled_decoding = scaled_decoding
        self.data_format = check_data_format(data_format)
        channels = (CHANNELS[color_mode],)
        last = self.data_format == "channels_last"
        self.image_shape: tuple[int, ...] = self.target_size + channels if last else channels + self.target_size
        self.save_to_dir, self.save_prefix, self.save_format = save_to_dir, save_prefix, save_format
        self.interpolation, self.subset = interpolation, subset
        self.split: tuple[float, float] | None = None
        if subset is not None:
            if subset not in ("training", "validation"):
                raise InputError(f'Invalid subset name: {subset};expected "training" or "validation"')
            share = self.image_data_generator._validation_split
            self.split = (0, share) if subset == "validation" else (share, 1)

    def _get_batches_of_transformed_samples(self, index_array: Array) -> Any:
        batch_x = np.zeros((len(index_array), *self.image_shape), dtype=self.dtype)
        filepaths = self.filepaths
        for i, j in enumerate(index_array):
            x = self._load(filepaths[j])
            if self.image_data_generator:
                params = self.image_data_generator.get_random_transform(x.shape)
                x = self.image_data_generator.apply_transform(x, params)
                x = self.image_data_generator.standardize(x)
            batch_x[i] = x
        save_batch(self, batch_x, index_array, 10**7)
        batch_y = self._targets_of(index_array, batch_x)
        if batch_y is None:
            return batch_x
        if self.sample_weight is None:
            return batch_x, batch_y
        return batch_x, batch_y, self.sample_weight[index_array]

    def _load(self, path: str) -> Array:
        try:
            img = load_img(
                path,
                color_mode=self.color_mode,
                target_size=self.target_size,
                interpolation=self.interpolation,
                keep_aspect_ratio=self.keep_aspect_ratio,
                exif=self.exif,
                scaled_decoding=self.scaled_decoding,
            )
            return img_to_array(img, data_format=self.data_format)  # here at the latest the file is decoded
        except FileNotFoundError:
            raise  # it names the file
        except UNREADABLE as error:  # Keras' own does not say which file
            raise OSError(f"Cannot read image {path!r}: {error}") from error

    def _targets_of(self, index_array: Array, batch_x: Array) -> Any:
        if self.class_mode == "input":
            return batch_x.copy()
        if self.class_mode in ("binary", "sparse"):
            return np.array([self.classes[j] for j in index_array], dtype=self.dtype)
        if self.class_mode == "categorical":
            one_hot = np.zeros((len(index_array), len(self.class_indices)), dtype=self.dtype)
            for i, j in enumerate(index_array):
                one_hot[i, self.classes[j]] = 1.0  # a list of classes sets several: Keras' multi-hot labels
            return one_hot
        if self.class_mode == "multi_output":
            return [output[index_array] for output in self.labels]
        if self.class_mode == "raw":
            return self.labels[index_array]
        return None

    @property
    def filepaths(self) -> list[str]:
        """Paths of the files."""
        raise NotImplementedError

    @property
    def labels(self) -> Any:
        """Labels of every sample."""
        raise NotImplementedError

    @property
    def sample_weight(self) -> Any:
        """Weights of every sample, or None."""
        raise NotImplementedError
