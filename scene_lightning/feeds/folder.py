"""A Lightning data module of training and validation folders, for `L.Trainer.fit(model, datamodule=…)`."""

from __future__ import annotations

import os
from typing import Any

import numpy as np

from scene_lightning._main_process import is_main_process
from scene_lightning.data.augment import AugmentRanges
from scene_lightning.data.cache import CachedImages, cache_images
from scene_lightning.data.decode import DecodeSpec
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.data.overlay import Overlay, find_overlay
from scene_lightning.data.scan import find_splits, match_classes, scan_folder
from scene_lightning.data.standardize import Standardize
from scene_lightning.data.table import Splits
from scene_lightning.feeds.base import FeedModule
from scene_lightning.feeds.images import ImageFeed, encode_targets


class ImageFolderDataModule(FeedModule):
    """Images in class folders, augmented as Keras does it, on the device.

    Args:
        train: a folder of class folders; or, without `validation`, a data folder as `find_splits` knows them.
        validation: a folder of class folders with the same names, or None.
        target_size: (height, width) that every image is resized to.
        batch_size: images a batch, of all devices together in training.
        augment: a dict of `AugmentRanges` arguments, such as {"horizontal_flip": True, "zoom_range": (0.8, 1.2)};
            training only.
        rescale: factor applied last.
        class_mode: "categorical", "sparse" or "binary".
        color_mode, interpolation: as in Keras' `load_img`.
        keep_aspect_ratio: crop to the target's proportions before resizing, as in Keras' `load_img`.
        cache: "auto", "off", "ram" or "disk": see `cache_images`.
        strict: an unreadable image is an error.
        val_split: share held out when there is no validation folder.
        seed: of that split, the order, the augmentation.
        scaled_decoding: decode a JPEG of several times `target_size` at 1/8, 1/4 or 1/2 of its size, and resize that;
            False decodes every pixel.
        overlay: a CSV file of corrected labels, which `scene-lightning check --html` helps to make: images get other
            classes or are left out, before they are divided.

    Raises:
        DataError: no such folder, a class that is in one half alone, or a faulty overlay.

    Attributes:
        class_names, num_classes, input_size (H, W), rescale: what the model file must carry.
        train_images, validation_images: the `CachedImages`, unreadable files included.
    """

    def __init__(
        self,
        train: Any,
        validation: Any = None,
        *,
        target_size: tuple[int, int] = (150, 150),
        batch_size: int = 32,
        augment: dict[str, Any] | None = None,
        rescale: float = 1 / 255,
        class_mode: str = "categorical",
        color_mode: str = "rgb",
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        cache: str = "auto",
        strict: bool = False,
        val_split: float = 0.2,
        seed: int = 0,
        scaled_decoding: bool = True,
        overlay: str | os.PathLike[str] | None = None,
    ) -> None:
        super().__init__()
        fit = "crop" if keep_aspect_ratio else "stretch"
        self.spec = DecodeSpec.as_seen(target_size, color_mode, interpolation, fit, scaled_decoding)
        corrections = find_overlay(overlay)
        splits = _splits(train, validation, val_split, seed, corrections)
        if corrections is not None and is_main_process():
            print(corrections.in_words())
        self.class_names = splits.train.class_names
        self.num_classes = len(self.class_names)
        self.input_size = self.spec.target_size
        self.rescale, self.class_mode, self.batch_size, self.seed = rescale, class_mode, batch_size, seed
        self.train_images = cache_images(splits.train, self.spec, cache, strict=strict)
        self.validation_images = cache_images(splits.validation, self.spec, cache, strict=strict)
        self.train_feed = self._feed(self.train_images, True, AugmentRanges(**augment) if augment else None)
        self.validation_feed = self._feed(self.validation_images, False, None)

    def _feed(self, images: CachedImages, training: bool, augment: AugmentRanges | None) -> ImageFeed:
        return ImageFeed(
            images.source,
            encode_targets(np.asarray(images.table.labels), self.num_classes, self.class_mode),
            batch_size=self.batch_size,
            shuffle=training,
            seed=self.seed,
            training=training,
            augment=augment,
            standardize=Standardize(rescale=self.rescale),
        )

    def image_info(self) -> dict[str, Any]:
        """What prediction must know of the images; goes into the model file."""
        spec = self.spec
        return ImageInfo(
            self.class_names,
            spec.target_size,
            self.rescale,
            spec.color_mode,
            spec.interpolation,
            spec.fit,
            scaled_decoding=spec.scaled_decoding,
        ).as_dict()


def _splits(train: Any, validation: Any, val_split: float, seed: int, overlay: Overlay | None) -> Splits:
    if validation is None:
        return find_splits(train, val_split, seed, overlay)
    halves = match_classes(scan_folder(train), scan_folder(validation))
    return Splits(*halves) if overlay is None else Splits(*(overlay.apply(half) for half in halves))
