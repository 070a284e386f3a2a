"""Turns Keras' image iterators into the feeds that `fit`, `evaluate` and `predict` read.

The fast feed does to whole batches on the device what the iterator does image by image. Where somebody has changed
what an iterator or a generator does per call (a subclass, `save_to_dir`, several inputs), the calls are made instead.
"""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from scene_lightning.data.decode import DecodeSpec
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.data.memory import available_memory
from scene_lightning.data.sources import ArraySource, FileSource, ImageSource
from scene_lightning.feeds.base import Feed
from scene_lightning.feeds.images import ImageFeed, encode_targets
from scene_lightning.feeds.per_call import PerCallFeed

# Methods that the batched path replaces; overriding one in a subclass means that it must be called.
_ITERATOR_METHODS = ("_get_batches_of_transformed_samples", "__getitem__")
_GENERATOR_METHODS = (
    "get_random_transform",
    "apply_transform",
    "random_transform",
    "standardize",
    "ranges",
    "normalisation",
)


class FeedMixin:
    """`lightning_feed` and `image_info`, for the iterators of this package."""

    n: int
    batch_size: int
    shuffle: bool
    seed: int | None
    data_format: str
    dtype: Any
    save_to_dir: str | None
    image_data_generator: Any
    image_shape: tuple[int, ...]
    sample_weight: Any

    def lightning_feed(self, training: bool, shuffle: bool = True) -> Feed:
        """What one verb reads from.

        Args:
            training: for `fit`; else for validation, `evaluate` or `predict`.
            shuffle: `fit`'s argument: an iterator that does not shuffle has the order of its batches shuffled, as in
                Keras. One that does is shuffled in any case, `evaluate` and `predict` included, as in Keras;
                `index_array` then holds the order.

        Returns:
            A feed whose batches depend on (seed, epoch, sample index) alone; without a seed of the iterator one is
            drawn here from NumPy's global generator.
        """
        seed = int(np.random.randint(2**31 - 1)) if self.seed is None else self.seed
        if self._is_customised():
            return PerCallFeed(self, training, shuffle, seed)
        generator = self.image_data_generator
        order: bool | str = bool(self.shuffle) or ("batches" if training and shuffle else False)
        options: dict[str, Any] = {}
        if generator is not None:
            options = {
                "augment": generator.ranges(),
                "standardize": generator.normalisation(),
                "host_function": generator.preprocessing_function,
            }
        return ImageFeed(
            self._source(training),
            self._feed_targets(),
            self.sample_weight,
            batch_size=self.batch_size,
            shuffle=order,
            seed=seed,
            training=training,
            augment_always=True,  # Keras augments validation images too, if their generator says so
            channels_first=self.data_format == "channels_first",
            on_order=self._note_order,
            **options,
        )

    def image_info(self) -> dict[str, Any]:
        """What prediction must know of the images: class names, input size, rescale, colour mode, interpolation."""
        height, width = self.image_shape[:2] if self.data_format == "channels_last" else self.image_shape[1:]
        generator = self.image_data_generator
        return ImageInfo(
            [str(name) for name in getattr(self, "class_indices", None) or []],
            (int(height), int(width)),
            float(generator.rescale) if generator is not None and generator.rescale else 1.0,
            getattr(self, "color_mode", "rgb"),
            getattr(self, "interpolation", "nearest"),
            "crop" if getattr(self, "keep_aspect_ratio", False) else "stretch",
        ).as_dict()

    def _note_order(self, order: Any) -> None:
        self.index_array = order

    def _is_customised(self) -> bool:
        generator = self.image_data_generator
        return (
            bool(self.save_to_dir)
            or str(np.dtype(self.dtype)) != "float32"
            or _overrides(self, _ITERATOR_METHODS)
            or (generator is not None and _overrides(generator, _GENERATOR_METHODS))
        )

    def _source(self, training: bool) -> ImageSource:
        raise NotImplementedError

    def _feed_targets(self) -> Any:
        raise NotImplementedError


def _overrides(obj: Any, names: tuple[str, ...]) -> bool:
    """Whether a class outside this package, or the object itself, redefines one of the methods."""
    for name in names:
        if name in vars(obj):
            return True
        for cls in type(obj).__mro__:
            if name in vars(cls):
                if not cls.__module__.startswith("scene_lightning."):
                    return True
                break
    return False


class ArrayFeedMixin(FeedMixin):
    """Feeds of images in memory."""

    _pixels: Any
    x_misc: list[Any]
    y: Any

    def _is_customised(self) -> bool:
        return bool(self.x_misc) or super()._is_customised()

    def _source(self, training: bool) -> ImageSource:
        channels_last = self.data_format == "channels_last"
        return ArraySource(self._pixels if channels_last else self._pixels.transpose(0, 2, 3, 1))

    def _feed_targets(self) -> Any:
        return self.y


class FileFeedMixin(FeedMixin):
    """Feeds of image files. Decoded images are remembered while they fit into a quarter of the free memory."""

    target_size: tuple[int, int]
    color_mode: str
    interpolation: str
    keep_aspect_ratio: bool
    exif: bool
    scaled_decoding: bool
    class_mode: str | None
    class_indices: dict[str, int]
    classes: Any
    filepaths: Any
    labels: Any
    _remembered: tuple[Any, FileSource] | None = None

    def _source(self, training: bool) -> ImageSource:
        paths = list(self.filepaths)
        fit = "crop" if self.keep_aspect_ratio else "stretch"
        spec = DecodeSpec(
            self.target_size, self.color_mode, self.interpolation, fit, self.exif, scaled_decoding=self.scaled_decoding
        )
        stamp = (spec, [_stamp(path) for path in paths])
        if self._remembered is not None and self._remembered[0] == stamp:
            source = self._remembered[1]
        else:
            source = FileSource(paths, spec)
            self._remembered = (stamp, source)
        if source.keep_after is None and len(paths) * int(np.prod(spec.shape)) <= available_memory() // 4:
            # One pass of prediction needs no memory of what it saw; a validation set is read again and again.
            source.keep_after = 0 if training else len(paths)
        return source

    def _feed_targets(self) -> Any:
        if self.class_mode == "raw":
            return np.asarray(self.labels)
        if self.class_mode == "multi_output":
            return [np.asarray(output) for output in self.labels]
        if self.class_mode in ("input", None):
            return self.class_mode
        count = len(self.class_indices)
        if self.class_mode == "categorical" and any(isinstance(one, list) for one in self.classes):
            return _multi_hot(self.classes, count)
        return encode_targets(np.asarray(self.classes, dtype=np.int64), count, self.class_mode)


def _stamp(path: str) -> Any:
    """What changes when a file does; None when it is not there."""
    try:
        status = os.stat(path)
        return path, status.st_size, status.st_mtime_ns
    except OSError:
        return path, None


def _multi_hot(classes: Any, count: int) -> Any:
    rows = np.zeros((len(classes), count), dtype=np.float32)
    for row, numbers in zip(rows, classes, strict=True):
        row[numbers] = 1.0
    return rows
