"""Finds the images of a folder tree and gives their paths, labels and class names.

Discovery is torchvision's ImageFolder machinery (`find_classes`, `make_dataset`), minus hidden folders and files.
Classes are matched by name everywhere, never by position.
"""

from __future__ import annotations

import glob
import os
import stat
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray
from torchvision.datasets.folder import find_classes, make_dataset

from scene_lightning._registry import did_you_mean
from scene_lightning.data.copies import find_copies, keep_copies_together
from scene_lightning.data.overlay import Overlay
from scene_lightning.data.table import ImageTable, Splits
from scene_lightning.errors import DataError

EXTENSIONS = (".png", ".jpg", ".jpeg", ".bmp", ".ppm", ".tif", ".tiff", ".gif", ".webp")
_ENDINGS = ", ".join(EXTENSIONS)
# What the folders are called that hold a split, in the order in which they are looked for.
TRAIN_FOLDERS = ("seg_train", "train", "training")
VALIDATION_FOLDERS = ("seg_test", "val", "validation", "valid", "test", "testing")


# What archive programs, file servers and others leave in folders: no classes, and nothing in them is an image.
STRAY_FOLDERS = ("__MACOSX", "@eaDir", "__pycache__", "lost+found")


def list_class_files(root: str, class_name: str, accept: Callable[[str], bool], follow_links: bool = True) -> list[str]:
    """The files under root/class_name that `accept` takes, folders and names sorted; none where there is no folder.

    Args:
        root: the data folder.
        class_name: a folder in it.
        accept: says of a path whether it counts.
        follow_links: whether symbolic links to folders below the class are followed.
    """
    folder = os.path.join(root, class_name)

    def wanted(path: str) -> bool:
        return accept(path) and (follow_links or not _crosses_link(folder, path))

    samples = make_dataset(root, {class_name: 0}, is_valid_file=wanted, allow_empty=True)
    return [path for path, _ in samples]


def _crosses_link(folder: str, path: str) -> bool:
    """Whether a folder between `folder` and the file `path` is a symbolic link."""
    parent = os.path.dirname(path)
    while len(parent) > len(folder):
        if os.path.islink(parent):
            return True
        parent = os.path.dirname(parent)
    return False


def _is_hidden(path: str, root: str) -> bool:
    return any(part.startswith(".") or part in STRAY_FOLDERS for part in os.path.relpath(path, root).split(os.sep))


def _is_special(path: str) -> bool:
    """Whether it is a pipe, a socket or a device, which may keep a reader waiting for good."""
    try:
        return not stat.S_ISREG(os.stat(path).st_mode)
    except OSError:
        return False


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
        raise DataError(f"No folder {root!r}.{did_you_mean(name, siblings)}")
    if not os.path.isdir(root):
        raise DataError(f"{root!r} is a file. Expected a folder with one folder of images a class.")


def class_folders(root: str) -> list[str]:
    """Names of the visible folders in `root`, sorted; empty when there are none.

    Args:
        root: the folder's path.
    """
    try:
        return [name for name in find_classes(root)[0] if not name.startswith(".") and name not in STRAY_FOLDERS]
    except FileNotFoundError:
        return []


def _holds_images(folder: str) -> bool:
    """Whether images lie directly in `folder`: it then looks like a class."""
    with os.scandir(folder) as entries:
        return any(is_image_name(entry.name) for entry in entries)


def scan_folder(root: str, classes: Sequence[str] | None = None, follow_links: bool = True) -> ImageTable:
    """Every image of every class under `root`.

    Args:
        root: a folder with one folder a class: root/<class>/**/*.jpg.
        classes: names and order of the classes; None takes every visible folder, sorted.
        follow_links: whether symbolic links to folders below a class are followed.

    Raises:
        DataError: no such folder, no class folders, a named class without a folder, or a class without images.
    """
    root = os.fspath(root)
    require_folder(root)
    folders = class_folders(root)
    if not folders:
        inside = "Its images lie loose." if _holds_images(root) else "It is empty."
        raise DataError(f"No class folders in {root!r}. {inside} Expected {root}/<class>/*.jpg.")
    nested = _first_of((*TRAIN_FOLDERS, *VALIDATION_FOLDERS), folders)
    if classes is None and nested and not _holds_images(os.path.join(root, nested)):
        raise DataError(
            f"No class folders in {root!r}. Expected {root}/<class>/*.jpg. Did you mean {os.path.join(root, nested)!r}?"
        )
    names = list(classes) if classes is not None else folders
    for name in names:
        if not os.path.isdir(os.path.join(root, name)):
            raise DataError(f"No folder for class {name!r} in {root!r}.{did_you_mean(name, folders)}")

    def accept(path: str) -> bool:
        return is_image_name(path) and not _is_hidden(path, root) and not _is_special(path)

    paths: list[str] = []
    labels: list[int] = []
    for label, name in enumerate(names):
        files = list_class_files(root, name, accept, follow_links)
        paths += files
        labels += [label] * len(files)
    if not paths:
        raise DataError(f"No images in the class folders of {root!r}. Expected files ending in {_ENDINGS}.")
    table = ImageTable(paths, np.array(labels, dtype=np.int64), names, root)
    empty = [name for name, count in table.counts().items() if not count]
    if empty:
        raise DataError(f"No images of class {empty[0]!r} in {os.path.join(root, empty[0])!r}.")
    return table


def scan_images(paths: Iterable[str], recursive: bool = True) -> list[str]:
    """Files, folders and globs → image paths, for prediction.

    Args:
        paths: a file is taken whatever it is called; a folder gives its images, sorted; a glob what it matches.
        recursive: whether folders within folders are read.

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
            images += _images_under(path, recursive)
        elif glob.has_magic(path):
            matches = sorted(glob.glob(path, recursive=True))
            files = [match for match in matches if os.path.isfile(match) and is_image_name(match)]
            if not files:
                raise DataError(f"No image matches {path!r}.")
            images += files
        else:
            parent, name = os.path.split(os.path.abspath(path))
            siblings = os.listdir(parent) if os.path.isdir(parent) else []
            raise DataError(f"No file or folder {path!r}.{did_you_mean(name, siblings)}")
    return list(dict.fromkeys(images))


def _images_under(folder: str, recursive: bool) -> list[str]:
    paths: list[str] = []
    for root, folders, files in os.walk(folder, followlinks=True):
        visible = (name for name in folders if not name.startswith(".") and name not in STRAY_FOLDERS)
        folders[:] = sorted(visible) if recursive else []
        files = [os.path.join(root, name) for name in sorted(files) if is_image_name(name)]
        paths += [path for path in files if not _is_special(path)]
    if not paths:
        raise DataError(f"No images in {folder!r}. Expected files ending in {_ENDINGS}.")
    return sorted(paths)


def find_splits(root: str, val_split: float = 0.2, seed: int = 0, overlay: Overlay | None = None) -> Splits:
    """Find the training and validation images of a data folder.

    Args:
        root: holds seg_train/seg_test, or train/val (validation, valid, test), or class folders alone; those are
            split stratified.
        val_split: share of each class that goes to validation when class folders stand alone, in (0, 1).
        seed: of that split.
        overlay: corrections of labels, applied before the split.

    Raises:
        DataError: the folder is none of these, only one half is there, or a class is in one half and not the other.
    """
    root = os.fspath(root)
    require_folder(root)
    folders = class_folders(root)
    train = _first_of(TRAIN_FOLDERS, folders)
    validation = _first_of(VALIDATION_FOLDERS, folders)
    if train and validation:
        halves = scan_folder(split_folder(root, train)), scan_folder(split_folder(root, validation))
        return Splits(*(_corrected(half, overlay) for half in match_classes(*halves)))
    if train and not _holds_images(os.path.join(root, train)):
        root = split_folder(root, train)
    elif validation and not _holds_images(os.path.join(root, validation)):
        raise DataError(
            f"{root!r} holds {validation!r} but no training images. "
            f"Expected one of {', '.join(TRAIN_FOLDERS)} beside it."
        )
    return Splits(*split_table(_corrected(scan_folder(root), overlay), val_split, seed))


def find_training_images(root: str, overlay: Overlay | None = None) -> ImageTable:
    """Find the training images of a data folder: those of seg_train or train, or all where class folders stand alone.

    Args:
        root: the data folder's path.
        overlay: corrections of labels.

    Raises:
        DataError: the folder is no data folder, or has a validation half only.
    """
    root = os.fspath(root)
    require_folder(root)
    train = _first_of(TRAIN_FOLDERS, class_folders(root))
    if train and not _holds_images(os.path.join(root, train)):
        root = split_folder(root, train)
    return _corrected(scan_folder(root), overlay)


def _corrected(table: ImageTable, overlay: Overlay | None) -> ImageTable:
    return table if overlay is None else overlay.apply(table)


def split_folder(root: str, name: str) -> str:
    """Where the classes of a split lie: root/name, or root/name/name where that is all it holds (Kaggle's archives).

    Args:
        root: a data folder.
        name: of the split's folder, such as seg_train.
    """
    folder = os.path.join(root, name)
    inner = os.path.join(folder, name)
    only = class_folders(folder) == [name] and not _holds_images(folder)
    return inner if only and class_folders(inner) and not _holds_images(inner) else folder


def _first_of(names: Sequence[str], present: Sequence[str]) -> str | None:
    """The folder with the first of these names, whatever its case."""
    spelt = {name.lower(): name for name in reversed(present)}
    return next((spelt[name] for name in names if name in spelt), None)


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

    Files with equal content are on the same side.

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
    parts = keep_copies_together(parts, table.labels, find_copies(table.paths))
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
    if len(short):
        name = table.class_names[short[0]]
        raise DataError(
            f"Class {name!r} in {table.root!r} has too few different images for {count} parts: copies of one image "
            f"stay together. Add images, or delete the copies that `scene-lightning check {table.root}` names."
        )
