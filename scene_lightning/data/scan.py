"""Finds the images of a folder tree and gives their paths, labels and class names.

Hidden files and folders, and what programs leave behind, are left out. Classes are matched by name everywhere, never by
position.
"""

from __future__ import annotations

import glob
import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from scene_lightning._registry import did_you_mean, some_of
from scene_lightning.data.groups import keep_together
from scene_lightning.data.overlay import Overlay
from scene_lightning.data.shards import is_sharded, read_shards
from scene_lightning.data.table import ImageTable, Splits
from scene_lightning.data.walk import LeftOut, files_below, is_folder, is_hidden
from scene_lightning.errors import DataError

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff", ".gif", ".webp", ".heic", ".heif", ".avif")
_ENDINGS = ", ".join(EXTENSIONS)
# What the folders are called that hold a split, in the order in which they are looked for.
TRAIN_FOLDERS = ("seg_train", "train", "training")
VALIDATION_FOLDERS = ("seg_test", "val", "validation", "valid", "test", "testing")
SPLIT_FOLDERS = (*TRAIN_FOLDERS, *VALIDATION_FOLDERS)


def is_image_name(name: str) -> bool:
    """Whether a file name has the extension of an image; `.DS_Store` and other hidden names have not.

    Args:
        name: a file's name or path.
    """
    base = os.path.basename(name)
    return not base.startswith(".") and base.lower().endswith(EXTENSIONS)


def require_folder(root: str) -> None:
    """Raise DataError unless `root` is a folder with something in it.

    Args:
        root: the folder's path.
    """
    if not os.path.exists(root):
        parent, name = os.path.split(os.path.abspath(root))
        siblings = os.listdir(parent) if os.path.isdir(parent) else []
        cure = did_you_mean(name, siblings) or f" Expected a folder of images; here: {os.getcwd()}"
        raise DataError(f"No folder {root!r}.{cure}")
    if not os.path.isdir(root):
        raise DataError(f"{root!r} is a file. Expected a folder with one folder of images a class.")


def class_folders(root: str, left_out: LeftOut | None = None) -> list[str]:
    """Names of the visible folders in `root`, sorted; empty when there are none.

    Args:
        root: a folder.
        left_out: takes note of what else lies in it.
    """
    names = []
    with os.scandir(root) as entries:
        for entry in entries:
            if is_hidden(entry.name):
                if left_out is not None:
                    left_out.add(entry.path)
            elif is_folder(entry):
                names.append(entry.name)
    return sorted(names)


def split_among(names: Sequence[str], folders: Sequence[str]) -> str | None:
    """The first of the `folders` that is called as one of `names` (those of splits), whatever its case.

    Args:
        names: `TRAIN_FOLDERS` or `VALIDATION_FOLDERS`: the order in which they are looked for.
        folders: names of folders that are there.
    """
    by_case = sorted(folders, key=lambda folder: folder != folder.lower())  # `train` before `Train`
    return next((folder for name in names for folder in by_case if folder.lower() == name), None)


def holds_images(folder: str) -> bool:
    """Whether images lie directly in `folder`: it then looks like a class.

    Args:
        folder: an existing folder.
    """
    with os.scandir(folder) as entries:
        return any(is_image_name(entry.name) for entry in entries)


def _data_folder_below(root: str, folders: Sequence[str], depth: int = 4) -> str | None:
    """The folder with the splits or classes, where `root` is above it; None where `root` looks like that itself."""
    for name in folders:
        inner = os.path.join(root, name)
        if holds_images(inner):
            continue
        below = class_folders(inner)
        if any(class_folders(os.path.join(inner, one)) for one in below if one.lower() in SPLIT_FOLDERS):
            return inner
        if len(folders) == 1:
            if sum(holds_images(os.path.join(inner, one)) for one in below) > 1:
                return inner
            return _data_folder_below(inner, below, depth - 1) if depth else None
    return None


def _unwrapped(root: str) -> str:
    """`root`, or the folder of the same name that is all that it holds, as archives unpack (seg_train/seg_train)."""
    folders = class_folders(root)
    if len(folders) == 1 and folders[0].lower() == os.path.basename(os.path.abspath(root)).lower():
        inner = os.path.join(root, folders[0])
        return inner if not holds_images(inner) and class_folders(inner) else root
    return root


def scan_folder(
    root: str, classes: Sequence[str] | None = None, follow_links: bool = True, known: Sequence[str] = ()
) -> ImageTable:
    """Every image of every class under `root`.

    Args:
        root: a folder with one folder a class: root/<class>/**/*.jpg.
        classes: names and order of the classes; None takes every visible folder, sorted.
        follow_links: whether symbolic links to folders below a class are followed.
        known: names that are certainly classes: such a folder is not taken for a wrapper of others.

    Raises:
        DataError: no such folder, no class folders, folders one level too high, a named class without a folder,
            or a class without images.
    """
    root = os.fspath(root)
    require_folder(root)
    root, left_out = _unwrapped(root), LeftOut()
    folders = class_folders(root, left_out)
    if not folders:
        inside = "Its images lie loose." if holds_images(root) else "It is empty."
        raise DataError(f"No class folders in {root!r}. {inside} Expected {root}/<class>/*.jpg.")
    names = list(classes) if classes is not None else folders
    if classes is None:
        _refuse_other_levels(root, folders, known)
    for name in names:
        if not os.path.isdir(os.path.join(root, name)):
            raise DataError(f"No folder for class {name!r} in {root!r}.{did_you_mean(name, folders)}")
        if not name.isprintable() and any("\udc80" <= letter <= "\udcff" for letter in name):
            raise DataError(f"The name of the class folder {name!r} in {root!r} is not UTF-8. Rename it.")

    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        folder = os.path.join(root, name)
        files = files_below(folder, is_image_name, follow_links=follow_links, left_out=left_out)
        paths += files
        labels += [label] * len(files)
    if not paths:
        raise DataError(f"No images in the class folders of {root!r}. Expected files ending in {_ENDINGS}.")
    table = ImageTable(paths, np.array(labels, dtype=np.int64), names, root, left_out)
    empty = [name for name, count in table.counts().items() if not count]
    if empty:
        raise DataError(f"No images of class {empty[0]!r} in {os.path.join(root, empty[0])!r}.")
    return table


def _refuse_other_levels(root: str, folders: Sequence[str], known: Sequence[str]) -> None:
    """DataError with the right path where `root` holds splits, or wraps the folder that was meant."""
    nested = split_among(SPLIT_FOLDERS, folders)
    if nested is not None and not holds_images(os.path.join(root, nested)):
        raise DataError(
            f"No class folders in {root!r}. Expected {root}/<class>/*.jpg. Did you mean {os.path.join(root, nested)!r}?"
        )
    if any(name in known for name in folders):
        return
    meant = _data_folder_below(root, folders)
    if meant is not None:
        raise DataError(
            f"{root!r} is above the folder of the data: it holds {some_of(folders)}. Expected {root}/<class>/*.jpg. "
            f"Did you mean {meant!r}?"
        )


def scan_images(paths: Iterable[str], recursive: bool = True, left_out: LeftOut | None = None) -> list[str]:
    """Files, folders and globs → image paths, for prediction.

    Args:
        paths: a file is taken whatever it is called; a folder gives its images, sorted; a glob what it matches.
        recursive: whether folders within folders are read.
        left_out: takes note of what lies in the folders and is no image.

    Returns:
        Each file once, in the order of `paths`, sorted within each.

    Raises:
        DataError: a path that is not there, a glob that matches nothing, or a folder without images.
    """
    images: list[str] = []
    for path in map(os.fspath, paths):
        if os.path.isfile(path):
            images.append(path)
        elif os.path.isdir(path):
            images += _images_under(path, recursive, left_out)
        elif glob.has_magic(path):
            matches = sorted(glob.glob(path, recursive=True))
            files = [match for match in matches if os.path.isfile(match) and is_image_name(match)]
            if not files:
                raise DataError(f"No image matches {path!r}.")
            images += files
        elif os.path.exists(path):
            raise DataError(f"{path!r} is neither a file nor a folder, and is not opened.")
        else:
            parent, name = os.path.split(os.path.abspath(path))
            siblings = os.listdir(parent) if os.path.isdir(parent) else []
            raise DataError(f"No file or folder {path!r}.{did_you_mean(name, siblings)}")
    return list(dict.fromkeys(images))


def _images_under(folder: str, recursive: bool, left_out: LeftOut | None) -> list[str]:
    paths = files_below(folder, is_image_name, recursive=recursive, left_out=left_out)
    if not paths:
        raise DataError(f"No images in {folder!r}. Expected files ending in {_ENDINGS}.")
    return sorted(paths)


def find_splits(
    root: str, val_split: float = 0.2, seed: int = 0, overlay: Overlay | None = None, group_by: str | None = None
) -> Splits:
    """Find the training and validation images of a data folder.

    Args:
        root: holds seg_train/seg_test, or train/val (validation, valid, test), or class folders alone; those are
            split stratified. Or the shards of such a folder.
        val_split: share of each class that goes to validation when class folders stand alone, in (0, 1).
        seed: of that split.
        overlay: corrections of labels, applied before the split.
        group_by: a regular expression; images in whose paths it finds the same text stay on one side of the split.

    Raises:
        DataError: the folder is none of these, only one half is there, or a class is in one half and not the other.
    """
    train, *rest = find_tables(root, overlay)
    return Splits(train, *rest) if rest else Splits(*split_table(replace(train, group_by=group_by), val_split, seed))


def find_tables(root: str, overlay: Overlay | None = None) -> list[ImageTable]:
    """Find the images of a data folder: training and validation images, or one table where they are not divided.

    Args:
        root: as for `find_splits`.
        overlay: corrections of labels.
    """
    root = os.fspath(root)
    require_folder(root)
    if is_sharded(root):
        return [_corrected(table, overlay) for table in read_shards(root)]
    folders = class_folders(root)
    train = split_among(TRAIN_FOLDERS, folders)
    validation = split_among(VALIDATION_FOLDERS, folders)
    if train and validation:
        halves = scan_folder(os.path.join(root, train)), scan_folder(os.path.join(root, validation))
        class_folders(root, halves[0].left_out)
        return [_corrected(half, overlay) for half in match_classes(*halves)]
    if train and not holds_images(os.path.join(root, train)):
        root = os.path.join(root, train)
    elif validation and not holds_images(os.path.join(root, validation)):
        raise DataError(
            f"{root!r} holds {validation!r} but no training images. "
            f"Expected one of {', '.join(TRAIN_FOLDERS)} beside it."
        )
    return [_corrected(scan_folder(root), overlay)]


def find_training_images(root: str, overlay: Overlay | None = None, group_by: str | None = None) -> ImageTable:
    """Find the training images of a data folder: those of seg_train or train, or all where class folders stand alone.

    Args:
        root: the data folder's path.
        overlay: corrections of labels.
        group_by: a regular expression; images in whose paths it finds the same text are never divided.

    Raises:
        DataError: the folder is no data folder, or has a validation half only.
    """
    root = os.fspath(root)
    require_folder(root)
    if is_sharded(root):
        return replace(_corrected(read_shards(root)[0], overlay), group_by=group_by)
    train = split_among(TRAIN_FOLDERS, class_folders(root))
    if train and not holds_images(os.path.join(root, train)):
        root = os.path.join(root, train)
    return replace(_corrected(scan_folder(root), overlay), group_by=group_by)


def _corrected(table: ImageTable, overlay: Overlay | None) -> ImageTable:
    return table if overlay is None else overlay.apply(table)


def split_folder(root: str, name: str) -> str:
    """Where the classes of a split lie: root/name, or root/name/name where that is all it holds (Kaggle's archives).

    Args:
        root: a data folder.
        name: of the split's folder, such as seg_train.
    """
    return _unwrapped(os.path.join(root, name))


def match_classes(train: ImageTable, other: ImageTable) -> tuple[ImageTable, ImageTable]:
    """Renumber the labels of `other` by class name, to the order of `train`.

    Args:
        train: its class order stays.
        other: the table to renumber.

    Raises:
        DataError: a class that only one of the two has.
    """
    for has, lacks in ((train, other), (other, train)):
        missing = [name for name in has.class_names if name not in lacks.class_names]
        if missing:
            raise DataError(
                f"Class {missing[0]!r} is in {has.root!r} and not in {lacks.root!r}."
                f"{did_you_mean(missing[0], lacks.class_names)}"
            )
    return train, relabel(other, train.class_names)


def relabel(table: ImageTable, class_names: Sequence[str]) -> ImageTable:
    """`table` with its labels counted in `class_names`, by name; DataError for a class that is not among them.

    Args:
        table: the images.
        class_names: the new order; it may hold more classes than the table.
    """
    position = {name: index for index, name in enumerate(class_names)}
    unknown = [name for name in table.class_names if name not in position]
    if unknown:
        raise DataError(
            f"Class {unknown[0]!r} in {table.root!r} is none of {', '.join(class_names)}."
            f"{did_you_mean(unknown[0], class_names)}"
        )
    mapping = np.array([position[name] for name in table.class_names], dtype=np.int64)
    return replace(table, labels=mapping[table.labels], class_names=list(class_names))


def split_table(table: ImageTable, val_split: float, seed: int = 0) -> tuple[ImageTable, ImageTable]:
    """Divide a table into (training, validation), the same share of each class; a function of its arguments alone.

    Args:
        table: the images.
        val_split: share of the images of each class to hold out, between 0 and 1.
        seed: any integer; another one holds out others.

    Files with equal content are on the same side, and so are the groups of `table.group_by`.

    Raises:
        DataError: a share outside (0, 1), or a class with fewer than two different images.
    """
    if not 0 < val_split < 1:
        raise DataError(f"The validation share must lie between 0 and 1; received {val_split}.")
    random = np.random.Generator(np.random.Philox(key=seed))
    sizes = Counter(table.labels.tolist())
    held_out: list[int] = []
    for label, name in enumerate(table.class_names):
        if sizes[label] < 2:
            raise DataError(f"Class {name!r} in {table.root!r} has {sizes[label]} image(s): too few to split.")
        rows = np.flatnonzero(table.labels == label)
        count = min(max(1, round(val_split * len(rows))), len(rows) - 1)
        held_out += random.permutation(rows)[:count].tolist()
    parts = np.zeros(len(table), dtype=np.int64)
    parts[held_out] = 1
    parts = keep_together(table, parts, seed)
    require_every_class(table, parts, 2)
    return table.take(np.flatnonzero(parts == 0)), table.take(np.flatnonzero(parts == 1))


def require_every_class(table: ImageTable, parts: NDArray[np.int64], count: int) -> None:
    """Check that every part of a divided table has an image of every class.

    Args:
        table: what was divided.
        parts: (N,) the number of the part that each image is in, 0 to `count - 1`.
        count: of the parts.

    Raises:
        DataError: a class is missing from a part, because its images are copies of too few.
    """
    present = np.zeros((len(table.class_names), count), dtype=bool)
    present[table.labels, parts] = True
    short = np.flatnonzero(~present.all(axis=1))
    if len(short) and len(table.class_names) > 1:  # one class alone is refused by what trains on it
        name = table.class_names[short[0]]
        raise DataError(
            f"Class {name!r} in {table.root!r} has too few different images for {count} parts: copies of one image "
            f"stay together. Add images, or delete the copies that `scene-lightning check {table.root}` names."
        )
