"""Makes a `Dataset` of (images, labels) batches from a folder of images: `image_dataset_from_directory`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from scene_lightning._registry import naming_unknown_words
from scene_lightning.callbacks.messages import print_message
from scene_lightning.data.color_modes import CHANNELS
from scene_lightning.data.decode import UNREADABLE, open_scaled
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.data.overlay import Overlay, read_overlay, split_name
from scene_lightning.data.scan import require_folder
from scene_lightning.data.walk import files_below
from scene_lightning.errors import DataError, InputError
from scene_lightning.utils.dataset import AUTOTUNE, Dataset
from scene_lightning.utils.resize import INTERPOLATIONS, crop_to_aspect, resize_image, resize_with_pad

FORMATS = (".bmp", ".gif", ".jpeg", ".jpg", ".png")


@naming_unknown_words
def image_dataset_from_directory(
    directory: str | os.PathLike[str],
    labels: str | Sequence[int] | None = "inferred",
    label_mode: str | None = "int",
    class_names: Sequence[str] | None = None,
    color_mode: str = "rgb",
    batch_size: int | None = 32,
    image_size: Sequence[int] = (256, 256),
    shuffle: bool = True,
    seed: int | None = None,
    validation_split: float | None = None,
    subset: str | None = None,
    interpolation: str = "bilinear",
    follow_links: bool = False,
    crop_to_aspect_ratio: bool = False,
    pad_to_aspect_ratio: bool = False,
    data_format: str | None = None,
    format: str = "tf",
    verbose: bool = True,
    smart_resize: bool = False,
    exif: bool = False,
    overlay: str | os.PathLike[str] | None = None,
    scaled_decoding: bool = False,
) -> Dataset | Any:  # Any: a list of two, for subset="both"
    """A dataset of image batches from a folder with one folder a class. Keras: `utils.image_dataset_from_directory`.

    Images are float32 `(batch, height, width, channels)` with values 0..255. Files are bmp, gif, jpeg and png.

    Args:
        directory: the folder; with `labels="inferred"` it holds `<class>/**/*.jpg`.
        labels: "inferred" from the folders (default), None for no labels, or a list with one integer a file, in the
            order of the sorted paths.
        label_mode: "int" (int32 `(batch,)`), "categorical" (float32 one-hot `(batch, classes)`), "binary" (float32
            `(batch, 1)`, for two classes) or None for no labels.
        class_names: the folders to take, in the order of their class numbers; None takes all, sorted.
        color_mode: "rgb" (default), "rgba" or "grayscale".
        batch_size: images a batch; None gives single images `(height, width, channels)`.
        image_size: (height, width) in pixels that images are resized to; one integer means a square.
        shuffle: mix the files before the split, and anew in each epoch (default). False keeps them sorted.
        seed: makes split and order repeatable; needed for a split with `shuffle=True`.
        validation_split: share in (0, 1) of the files that is kept for validation: the last ones.
        subset: "training", "validation" or "both"; goes with `validation_split`.
        interpolation: "bilinear" (default), "nearest", "bicubic", "area", "lanczos3", "lanczos5", "gaussian" or
            "mitchellcubic", as `tf.image.resize` computes them, without antialiasing.
        follow_links: whether linked folders are entered.
        crop_to_aspect_ratio: crop the centre to the target's proportions, so that nothing is distorted.
        pad_to_aspect_ratio: put black borders round the image instead.
        data_format: "channels_first" gives `(batch, channels, height, width)`; None and "channels_last" the other.
        format: "tf" or "grain", Keras' choice of library; both give this package's `Dataset`.
        verbose: print `Found N files belonging to K classes.`
        smart_resize: the name of `crop_to_aspect_ratio` in Keras 2.3.
        exif: turn photographs upright that are stored otherwise, as their EXIF orientation says. Keras has no such
            argument and never does; nor does this by default.
        overlay: a CSV file of corrected labels, which `scene-lightning check --html` helps to make: images are given
            another class, or left out, before the split. It goes with `labels="inferred"`. None for none; Keras has no
            such argument.
        scaled_decoding: decode a JPEG of several times `image_size` at 1/8, 1/4 or 1/2 of its size, and resize that:
            it is faster. Keras has no such argument.

    Returns:
        A `Dataset` with `class_names` and `file_paths`; with `subset="both"` a list of two, training and validation.

    Raises:
        InputError: arguments that do not go together, or an unknown mode.
        DataError: no such folder, no images in it, or a faulty overlay.

    Example:
        train, validation = keras.utils.image_dataset_from_directory(
            "seg_train", image_size=(150, 150), validation_split=0.2, subset="both", seed=0
        )
        print(train.class_names)  # ['buildings', 'forest', 'glacier', 'mountain', 'sea', 'street']
        model.fit(train, validation_data=validation, epochs=10)
    """
    crop_to_aspect_ratio = crop_to_aspect_ratio or smart_resize  # the argument's name in Keras 2.3
    _check_labels(labels, class_names, label_mode)
    _check_split(validation_split, subset, shuffle, seed)
    size = _check_size(image_size)
    reader = _Reader(
        color_mode,
        size,
        interpolation.lower(),
        crop_to_aspect_ratio,
        pad_to_aspect_ratio,
        data_format,
        exif,
        scaled_decoding,
    )
    if format not in ("tf", "grain"):
        raise InputError(f'`format` should be either "tf" or "grain". Received: format={format}')
    if labels is None or label_mode is None:
        labels = label_mode = None
    draws = shuffle and seed is None
    seed = int(np.random.randint(10**6)) if seed is None else seed
    paths, numbers, names = index_directory(
        os.fspath(directory), labels, FORMATS, class_names, shuffle, seed, follow_links, verbose
    )
    if overlay is not None:
        if labels != "inferred":
            raise InputError(f'`overlay` corrects labels="inferred". Received: labels={labels}')
        paths, numbers = _corrected(read_overlay(overlay), paths, numbers, names or [], os.fspath(directory))
    if label_mode == "binary" and len(names or ()) != 2:
        raise InputError(
            f'When passing `label_mode="binary"`, there must be exactly 2 class_names. Received: class_names={names}'
        )
    made = []
    for part in ("training", "validation") if subset == "both" else (subset,):
        files, targets = split_files(paths, numbers, validation_split, part)
        if not files:
            which = f"{part} " if subset == "both" else ""
            raise DataError(f"No {which}images found in directory {directory}. Allowed formats: {FORMATS}")
        mixes = shuffle and not (subset == "both" and part == "validation")
        dataset = _labelled(files, targets, label_mode, len(names or ()))
        dataset._draws = draws
        if mixes:
            dataset = dataset.shuffle(batch_size * 8 if batch_size else 1024, seed=seed)
        dataset = dataset.map(reader.labelled if label_mode else reader.read, num_parallel_calls=AUTOTUNE)
        if batch_size is not None:
            dataset = dataset.batch(batch_size)
        dataset = dataset.prefetch(AUTOTUNE)
        dataset.class_names, dataset.file_paths = names, files
        dataset.image_info = reader.image_info(names)
        made.append(dataset)
    return made if subset == "both" else made[0]


def _corrected(
    overlay: Overlay, paths: list[str], numbers: Any, names: list[str], directory: str
) -> tuple[list[str], Any]:
    """Paths and labels with the corrections applied; images that are dropped are left out."""
    corrected = overlay.correct(paths, numbers, names, split_name(directory))
    kept = np.flatnonzero(corrected >= 0)
    print_message(overlay.in_words())
    return [paths[row] for row in kept], corrected[kept].astype(np.int32)


class _Reader:
    """Reads one file as a float32 (H, W, C) tensor of one size."""

    def __init__(
        self,
        color_mode: str,
        size: tuple[int, int],
        interpolation: str,
        crop: bool,
        pad: bool,
        data_format: str | None,
        exif: bool,
        scaled_decoding: bool,
    ) -> None:
        if color_mode not in CHANNELS:
            raise InputError(
                f'`color_mode` must be one of {{"rgb", "rgba", "grayscale"}}. Received: color_mode={color_mode}'
            )
        if interpolation not in INTERPOLATIONS:
            raise InputError(
                f"Argument `interpolation` should be one of {INTERPOLATIONS}. Received: interpolation={interpolation}"
            )
        if crop and pad:
            raise InputError("Only one of `pad_to_aspect_ratio`, `crop_to_aspect_ratio` can be set to `True`.")
        if data_format not in (None, "channels_last", "channels_first"):
            raise InputError(f"`data_format` must be 'channels_last' or 'channels_first'; received {data_format!r}.")
        self.color_mode, self.size, self.interpolation = color_mode, size, interpolation
        self.crop, self.pad, self.channels_first, self.exif = crop, pad, data_format == "channels_first", exif
        self.scaled_decoding = scaled_decoding
        self.fit = "crop" if crop else "pad" if pad else "stretch"

    def read(self, path: str) -> torch.Tensor:
        """The image at `path`. Raises DataError, naming the file, when it cannot be read."""
        try:
            target = self.size[::-1] if self.scaled_decoding else None
            pixels = np.asarray(open_scaled(path, self.color_mode, self.exif, target, self.fit))
        except UNREADABLE as error:
            raise DataError(f"Cannot read image {path!r}: {error}") from error
        image = torch.from_numpy(np.atleast_3d(pixels).astype(np.float32))
        if self.pad:
            image = resize_with_pad(image, self.size, self.interpolation)
        else:
            image = crop_to_aspect(image, self.size) if self.crop else image
            image = resize_image(image, self.size, self.interpolation)
        return image.permute(2, 0, 1).contiguous() if self.channels_first else image

    def labelled(self, path: str, label: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """The image at `path`, and its label."""
        return self.read(path), label

    def image_info(self, class_names: list[str] | None) -> dict[str, Any]:
        """What prediction needs to read images in the same way."""
        return ImageInfo(class_names or [], self.size, 1.0, self.color_mode, self.interpolation, self.fit).as_dict()


def _labelled(files: list[str], labels: Any, label_mode: str | None, classes: int) -> Dataset:
    names = Dataset(lambda _: iter(files), len(files))
    if label_mode is None:
        return names
    numbers = torch.as_tensor(np.asarray(labels), dtype=torch.int32)
    if label_mode == "binary":
        numbers = numbers.float()[:, None]
    elif label_mode == "categorical":
        numbers = torch.nn.functional.one_hot(numbers.long(), classes).float()
    return Dataset.zip(names, Dataset.from_tensor_slices(numbers))


def _check_labels(labels: Any, class_names: Any, label_mode: Any) -> None:
    if labels is not None and not (isinstance(labels, str) and labels == "inferred"):
        if not isinstance(labels, list | tuple):
            raise InputError(
                "`labels` argument should be a list/tuple of integer labels, of the same size as the number of image "
                "files in the target directory. If you wish to infer the labels from the subdirectory names in the "
                'target directory, pass `labels="inferred"`. If you wish to get a dataset that only contains images '
                f"(no labels), pass `labels=None`. Received: labels={labels}"
            )
        if class_names:
            raise InputError(
                f'You can only pass `class_names` if `labels="inferred"`. Received: labels={labels}, and '
                f"class_names={class_names}"
            )
    if label_mode not in ("int", "categorical", "binary", None):
        raise InputError(
            '`label_mode` argument must be one of "int", "categorical", "binary", or None. '
            f"Received: label_mode={label_mode}"
        )


def _check_size(image_size: Any) -> tuple[int, int]:
    if isinstance(image_size, int):
        return image_size, image_size
    if not isinstance(image_size, list | tuple) or len(image_size) != 2:
        raise InputError(
            f"Invalid `image_size` value. Expected a tuple of 2 integers. Received: image_size={image_size}"
        )
    return int(image_size[0]), int(image_size[1])


def _check_split(validation_split: float | None, subset: str | None, shuffle: bool, seed: int | None) -> None:
    if validation_split and not 0 < validation_split < 1:
        raise InputError(f"`validation_split` must be between 0 and 1, received: {validation_split}")
    if (validation_split or subset) and not (validation_split and subset):
        raise InputError("If `subset` is set, `validation_split` must be set, and inversely.")
    if subset not in ("training", "validation", "both", None):
        raise InputError(f'`subset` must be either "training", "validation" or "both", received: {subset}')
    if validation_split and shuffle and seed is None:
        raise InputError(
            "If using `validation_split` and shuffling the data, you must provide a `seed` argument, to make sure that "
            "there is no overlap between the training and validation subset."
        )


def split_files(
    files: list[str], labels: Any, validation_split: float | None, subset: str | None
) -> tuple[list[str], Any]:
    """Takes the first files for training or the last int(share · n) for validation, and prints how many.

    Args:
        files: the paths, in their final order.
        labels: one a file, or None.
        validation_split: share in (0, 1) of the files for validation; None gives all files.
        subset: "training" or "validation".

    Raises:
        DataError: the share is less than one file (Keras would give all files to both).
    """
    if not validation_split:
        return files, labels
    count = int(validation_split * len(files))
    if not count:
        raise DataError(
            f"validation_split={validation_split} of {len(files)} files is less than one file. Give a larger share."
        )
    kept = slice(-count, None) if subset == "validation" else slice(None, -count)
    chosen = files[kept]
    print_message(f"Using {len(chosen)} files for {subset}.")
    return chosen, None if labels is None else labels[kept]


def index_directory(
    directory: str,
    labels: Any,
    formats: tuple[str, ...],
    class_names: Sequence[str] | None = None,
    shuffle: bool = True,
    seed: int | None = None,
    follow_links: bool = False,
    verbose: bool = True,
) -> tuple[list[str], Any, list[str] | None]:
    """Lists the files of a folder, their labels and the class names. Source: Keras' `index_directory`.

    Args:
        directory: the folder.
        labels: "inferred" from its folders, one integer a file, or None.
        formats: the endings of image files, in lower case.
        class_names: the folders to take, in the order of their numbers; None takes all, sorted.
        shuffle: mix files and labels.
        seed: makes the mix repeatable; None draws one.
        follow_links: whether linked folders are entered.
        verbose: print how many files were found.

    Raises:
        DataError: no such folder.
        InputError: class names that are no folders, or another number of labels than files.
    """
    require_folder(directory)
    folders = _class_folders(directory, labels, class_names)
    files: list[str] = []
    numbers: list[int] = []

    def wanted(name: str) -> bool:
        return name.lower().endswith(formats)

    for number, folder in enumerate(folders):
        paths = files_below(os.path.join(directory, folder), wanted, follow_links=follow_links, hidden=True)
        files += paths
        numbers += [number] * len(paths)
    names: list[str] | None = folders
    file_labels: Any = np.asarray(numbers, dtype=np.int32)
    if labels is None:
        names = file_labels = None
    elif not isinstance(labels, str):
        if len(labels) != len(files):
            raise InputError(
                "Expected the lengths of `labels` to match the number of files in the target directory. "
                f"len(labels) is {len(labels)} while we found {len(files)} files in directory {directory}."
            )
        file_labels, names = list(labels), [str(label) for label in sorted(set(labels))]
    if verbose:
        belonging = "." if names is None else f" belonging to {len(names)} classes."
        print_message(f"Found {len(files)} files{belonging}")
    if shuffle:
        seed = int(np.random.randint(10**6)) if seed is None else seed
        np.random.RandomState(seed).shuffle(files)
        if file_labels is not None:
            np.random.RandomState(seed).shuffle(file_labels)
    return files, file_labels, names


def _class_folders(directory: str, labels: Any, class_names: Sequence[str] | None) -> list[str]:
    if not isinstance(labels, str):
        if class_names is not None:
            raise InputError("When `labels=None` (no labels), argument `class_names` cannot be specified.")
        return [""]
    visible = [name for name in sorted(os.listdir(directory)) if not name.startswith(".")]
    folders = [name for name in visible if os.path.isdir(os.path.join(directory, name))]
    if class_names is None:
        return folders
    if not set(class_names) <= set(folders):
        raise InputError(
            "The `class_names` passed did not match the names of the subdirectories of the target directory. "
            f"Expected: {folders} (or a subset of it), but received: class_names={class_names}"
        )
    return list(class_names)
