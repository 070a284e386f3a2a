"""Gives batches of the image files that a pandas data frame names: `flow_from_dataframe`'s iterator."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

from scene_lightning.errors import InputError
from scene_lightning.preprocessing._iterators import BatchFromFilesMixin, Iterator

_UNCLASSED = ("input", "multi_output", "raw", None)
_CURE = "For numbered classes"


def validate_filename(filename: str, white_list_formats: tuple[str, ...]) -> bool:
    """Whether a file is there and has the ending of an image.

    Args:
        filename: the path.
        white_list_formats: the endings that count, in lower case, such as `("png", "jpg")`.
    """
    return filename.lower().endswith(white_list_formats) and os.path.isfile(filename)


class DataFrameIterator(BatchFromFilesMixin, Iterator):
    """Endless, indexable batches of the images that a data frame names.

    `ImageDataGenerator.flow_from_dataframe` makes one. Keras: `preprocessing.image.DataFrameIterator`.

    Args:
        dataframe: a pandas data frame with one row an image.
        directory: the folder that file names are joined to; None: they are whole paths.
        image_data_generator: the `ImageDataGenerator` that augments and normalises; None for neither.
        x_col: the column of file names.
        y_col: the column of labels; a list of columns for `class_mode="multi_output"`.
        weight_col: the column of sample weights; None for none.
        target_size: (height, width) in pixels that images are resized to.
        color_mode: "rgb", "rgba" or "grayscale".
        classes: the classes and their order; rows of others are dropped. None takes those in `y_col`, sorted.
        class_mode: what labels become: "categorical" (one-hot rows; a list of names in a row sets several), "binary"
            (0 or 1), "sparse" (class numbers), "input" (the images themselves), "multi_output" (a list of arrays),
            "raw" (the column as it is) or None (no labels).
        batch_size: images a batch; the last batch of a pass may be smaller.
        shuffle: whether each pass has a new order.
        seed: NumPy's global generator is reseeded with seed + batches seen before each batch; None leaves it alone.
        data_format: "channels_last" or "channels_first".
        save_to_dir: a folder into which every image that is yielded is written; None writes nothing.
        save_prefix: how the names of these files begin.
        save_format: their ending, such as "png" or "jpeg".
        subset: "training" or "validation", for a generator with `validation_split`; the first rows are the validation
            part. None takes all.
        interpolation: as for `load_img`.
        keep_aspect_ratio: crop to the target's proportions before resizing.
        dtype: of the batches.
        validate_filenames: drop rows whose file is missing or no image, with a warning. False is faster.
        exif: turn photographs upright, as their EXIF orientation says; not Keras'.
        scaled_decoding: decode large JPEGs at a smaller scale, as `load_img` does; not Keras'.

    Raises:
        TypeError: labels of a type that the class_mode cannot use.
        InputError: an unknown class_mode or subset.
    """

    allowed_class_modes = {"binary", "categorical", "input", "multi_output", "raw", "sparse", None}

    def __init__(
        self,
        dataframe: Any,
        directory: str | os.PathLike[str] | None = None,
        image_data_generator: Any = None,
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
        data_format: str = "channels_last",
        save_to_dir: str | None = None,
        save_prefix: str = "",
        save_format: str = "png",
        subset: str | None = None,
        interpolation: str = "nearest",
        keep_aspect_ratio: bool = False,
        dtype: Any = "float32",
        validate_filenames: bool = True,
        exif: bool = False,
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
        self.directory = os.fspath(directory) if directory else ""
        self.class_mode, self.dtype = class_mode, dtype
        frame = dataframe.copy()
        self._check_params(frame, x_col, y_col, weight_col, classes)
        if validate_filenames:
            frame = self._filter_valid_filepaths(frame, x_col)
        if class_mode not in _UNCLASSED:
            frame, names = self._filter_classes(frame, y_col, classes)
            self.class_indices = {name: index for index, name in enumerate(names)}
            self.num_classes = len(names)
        if self.split:
            count = len(frame)
            frame = frame.iloc[int(self.split[0] * count) : int(self.split[1] * count), :]
        self._take_columns(frame, x_col, y_col, weight_col)
        checked = "validated" if validate_filenames else "non-validated"
        tail = "." if class_mode in _UNCLASSED else f" belonging to {self.num_classes} classes."
        print(f"Found {self.samples} {checked} image filenames{tail}")
        Iterator.__init__(self, self.samples, batch_size, shuffle, seed)

    def _take_columns(self, frame: Any, x_col: str, y_col: Any, weight_col: str | None) -> None:
        if self.class_mode not in _UNCLASSED:
            self.classes = self.get_classes(frame, y_col)
        self.filenames: list[str] = frame[x_col].tolist()
        self._sample_weight = frame[weight_col].values if weight_col else None
        self._targets: Any = None
        if self.class_mode == "multi_output":
            self._targets = [np.array(frame[column].tolist()) for column in y_col]
        elif self.class_mode == "raw":
            self._targets = frame[y_col].values
        self.samples = len(self.filenames)
        self._filepaths = [os.path.join(self.directory, name) for name in self.filenames]

    def _check_params(
        self, frame: Any, x_col: str, y_col: Any, weight_col: str | None, classes: Sequence[str] | None
    ) -> None:
        mode = self.class_mode
        if mode not in self.allowed_class_modes:
            raise InputError(f"Invalid class_mode: {mode}; expected one of: {self.allowed_class_modes}")
        if mode == "multi_output" and not isinstance(y_col, list):
            raise TypeError(f'If class_mode="{mode}", y_col must be a list. Received {type(y_col).__name__}.')
        if not all(isinstance(value, str) for value in frame[x_col]):
            raise TypeError(f"All values in column x_col={x_col} must be strings.")
        if mode not in _UNCLASSED and isinstance(y_col, list | tuple):
            raise TypeError(
                f'If class_mode="{mode}", y_col is the name of one column of labels; received {list(y_col)}. For '
                'columns of numbers, such as one-hot labels, use class_mode="raw"; for a model with several outputs, '
                'class_mode="multi_output".'
            )
        cure = f'{_CURE}: frame["{y_col}"] = frame["{y_col}"].astype(str); for numbers to predict, class_mode="raw".'
        if mode in ("binary", "sparse") and not all(isinstance(value, str) for value in frame[y_col]):
            raise TypeError(f'If class_mode="{mode}", y_col="{y_col}" column values must be strings. {cure}')
        if mode == "binary":
            count = len(set(classes)) if classes else frame[y_col].nunique()
            if count != 2:
                were = f"{count} class/es were given." if classes else f"Found {count} classes."
                raise InputError(f'If class_mode="binary" there must be 2 classes. {were}')
        if mode == "categorical" and not all(isinstance(value, str | list | tuple) for value in frame[y_col]):
            raise TypeError(
                f'If class_mode="{mode}", y_col="{y_col}" column values must be type string, list or tuple. {cure}'
            )
        if classes and mode in _UNCLASSED:
            warnings.warn(f'`classes` will be ignored given the class_mode="{mode}"', stacklevel=4)
        if weight_col and not issubclass(frame[weight_col].dtype.type, np.number):
            raise TypeError(f"Column weight_col={weight_col} must be numeric.")

    def get_classes(self, df: Any, y_col: str) -> list[Any]:
        """Each row's class number, or list of numbers."""
        number = self.class_indices
        return [
            [number[one] for one in label] if isinstance(label, list | tuple) else number[label] for label in df[y_col]
        ]

    @staticmethod
    def _filter_classes(frame: Any, y_col: Any, classes: Sequence[str] | None) -> tuple[Any, list[str]]:
        frame = frame.copy()
        if not classes:
            all_names: set[str] = set()
            for label in frame[y_col]:
                all_names.update(label if isinstance(label, list | tuple) else [label])
            return frame.dropna(subset=[y_col]), sorted(all_names)
        names = list(dict.fromkeys(classes))

        def keep(label: Any) -> Any:
            if isinstance(label, list | tuple):
                return [one for one in label if one in names] or None
            return label if label in names else None

        frame[y_col] = frame[y_col].apply(keep)
        return frame.dropna(subset=[y_col]), names

    def _filter_valid_filepaths(self, frame: Any, x_col: str) -> Any:
        valid = np.array(
            [validate_filename(os.path.join(self.directory, name), self.white_list_formats) for name in frame[x_col]],
            dtype=bool,
        )
        if not valid.all():
            warnings.warn(
                f'Found {int((~valid).sum())} invalid image filename(s) in x_col="{x_col}". These filename(s) will be '
                "ignored.",
                stacklevel=4,
            )
        return frame[valid]

    @property
    def filepaths(self) -> list[str]:
        """The paths of the images, in the data frame's order."""
        return self._filepaths

    @property
    def labels(self) -> Any:
        """The class number of every image, or for "raw" and "multi_output" the columns."""
        return self._targets if self.class_mode in ("multi_output", "raw") else self.classes

    @property
    def sample_weight(self) -> Any:
        """The weight of every image, or None."""
        return self._sample_weight
