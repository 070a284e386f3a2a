"""Gives batches of the images in a folder with one folder a class: `flow_from_directory`'s iterator."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from scene_lightning._settings import floatx
from scene_lightning.data.overlay import read_overlay, split_name
from scene_lightning.data.walk import files_below
from scene_lightning.errors import DataError, InputError
from scene_lightning.preprocessing._iterators import BatchFromFilesMixin, Iterator


class MissingFolderError(FileNotFoundError, DataError):
    """The folder is not there: a FileNotFoundError, as in Keras, and an input error of this package."""


class DirectoryIterator(BatchFromFilesMixin, Iterator):
    """Endless, indexable batches of the images in a folder with one folder a class.

    `ImageDataGenerator.flow_from_directory` makes one, and prints `Found N images belonging to K classes.` Keras:
    `preprocessing.image.DirectoryIterator`.

    Args:
        directory: a folder that holds `<class>/**/*.jpg` (or png, bmp, ppm, tif); hidden class folders count, too.
        image_data_generator: the `ImageDataGenerator` that augments and normalises; None for neither.
        target_size: (height, width) in pixels that images are resized to.
        color_mode: "rgb", "rgba" or "grayscale".
        classes: the folders to take, in the order of their class numbers; None takes every folder, sorted.
        class_mode: what labels become: "categorical" (one-hot rows), "binary" (0 or 1), "sparse" (class numbers),
            "input" (the images themselves) or None (no labels).
        batch_size: images a batch; the last batch of a pass may be smaller.
        shuffle: whether each pass has a new order; else the files come class by class, sorted.
        seed: NumPy's global generator is reseeded with seed + batches seen before each batch; None leaves it alone.
        data_format: "channels_last" or "channels_first"; None takes `keras.config.image_data_format()`.
        save_to_dir: a folder into which every image that is yielded is written; None writes nothing.
        save_prefix: how the names of these files begin.
        save_format: their ending, such as "png" or "jpeg".
        follow_links: whether linked folders below a class are entered.
        subset: "training" or "validation", for a generator with `validation_split`; the first files of each class are
            the validation part. None takes all.
        interpolation: as for `load_img`.
        keep_aspect_ratio: crop to the target's proportions before resizing.
        dtype: of the batches; None takes `keras.config.floatx()`.
        exif: turn photographs upright, as their EXIF orientation says; not Keras'.
        overlay: a CSV file of corrected labels, as for `flow_from_directory`; not Keras'.
        scaled_decoding: decode large JPEGs at a smaller scale, as `load_img` does; not Keras'.

    Raises:
        MissingFolderError: no such folder.
        InputError: an unknown class_mode, color_mode, interpolation or subset, or a faulty overlay.
    """

    allowed_class_modes = {"categorical", "binary", "sparse", "input", None}

    def __init__(
        self,
        directory: str | os.PathLike[str],
        image_data_generator: Any,
        target_size: tuple[int, int] = (256, 256),
        color_mode: str = "rgb",
        classes: Sequence[str] | None = None,
        class_mode: str | None = "categorical",
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int | None = None,
        data_format: str | None = None,
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        follow_links: bool = False,
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: Any = None,
        exif: bool = False,
        overlay: str | os.PathLike[str] | None = None,
        scaled_decoding: bool = False,
    ) -> None:
        self.set_processing_attrs(
            image_data_generator,
            target_size,
            color_mode,
            data_format,
            save_to_dir,
            save_prefix,
            save_format,
            subset,
            interpolation,
            keep_aspect_ratio,
            exif,
            scaled_decoding,
        )
        self.directory = os.fspath(directory)
        if class_mode not in self.allowed_class_modes:
            raise InputError(f"Invalid class_mode: {class_mode}; expected one of: {self.allowed_class_modes}")
        self.class_mode, self.dtype = class_mode, dtype or floatx()
        names = list(classes) if classes else self._class_folders()
        self.num_classes = len(names)
        self.class_indices = {name: index for index, name in enumerate(names)}
        self.filenames: list[str] = []
        numbers: list[int] = []
        for name, index in self.class_indices.items():
            files = self._files_of(name, follow_links)
            self.filenames += files
            numbers += [index] * len(files)
        self.classes = np.array(numbers, dtype="int32")
        self._filepaths = [os.path.join(self.directory, name) for name in self.filenames]
        if overlay is not None:
            self._correct(overlay, names)
        self.samples = len(self.filenames)
        print(f"Found {self.samples} images belonging to {self.num_classes} classes.")
        Iterator.__init__(self, self.samples, batch_size, shuffle, seed)

    def _correct(self, overlay: str | os.PathLike[str], class_names: Sequence[str]) -> None:
        """Give the images the labels of an overlay, and leave out those that it drops."""
        corrections = read_overlay(overlay)
        classes = corrections.correct(self._filepaths, self.classes, class_names, split_name(self.directory))
        kept = np.flatnonzero(classes >= 0)
        self.classes = classes[kept].astype("int32")
        self.filenames = [self.filenames[row] for row in kept]
        self._filepaths = [self._filepaths[row] for row in kept]
        print(corrections.in_words())

    def _class_folders(self) -> list[str]:
        if not os.path.isdir(self.directory):
            raise MissingFolderError(
                f"No such directory: {self.directory!r}. Expected a folder with one folder of images a class."
            )
        return sorted(name for name in os.listdir(self.directory) if os.path.isdir(os.path.join(self.directory, name)))

    def _files_of(self, class_name: str, follow_links: bool) -> list[str]:
        """Files of a class, relative to the directory, cut to the subset."""

        def accept(name: str) -> bool:
            return name.lower().endswith(self.white_list_formats)

        # No dot is asked for before the ending, and hidden files count: Keras' rule.
        folder = os.path.join(self.directory, class_name)
        paths = files_below(folder, accept, follow_links=follow_links, hidden=True)
        if any(path.lower().endswith(".tiff") for path in paths):
            warnings.warn(
                'Using ".tiff" files with multiple bands will cause distortion. Please verify your output.',
                stacklevel=5,
            )
        names = [os.path.relpath(path, self.directory) for path in paths]
        if self.split is None:
            return names
        return names[int(self.split[0] * len(names)) : int(self.split[1] * len(names))]

    @property
    def filepaths(self) -> list[str]:
        """The paths of the images, class by class."""
        return self._filepaths

    @property
    def labels(self) -> Any:
        """The class number of every image."""
        return self.classes

    @property
    def sample_weight(self) -> Any:
        """None: folders give no weights."""
        return None
