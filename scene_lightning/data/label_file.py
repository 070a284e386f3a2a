"""Reads labels.csv, which gives each image any number of labels, in the forms that people keep such files in."""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from scene_lightning._registry import did_you_mean, some_of
from scene_lightning.data.table import ImageTable
from scene_lightning.errors import DataError

NAME = "labels.csv"
FORMS = (
    "image,labels with labels such as 'red;round' (or separated by |, commas or spaces), or image and a column of 0 "
    "and 1 for each label; besides, a column split (train, val) if you like"
)
_IMAGE = ("path", "file", "filename", "file_name", "image", "image_name", "image_id", "image_path", "id", "name")
_LABELS = ("labels", "label", "tags", "tag", "classes", "categories")
_SPLIT = ("split", "is_valid", "subset", "fold")
_TRAIN, _VALIDATION = ("train", "training", "false", "0"), ("val", "valid", "validation", "test", "true", "1")
_SEPARATORS = ";|,"
_ENDINGS = ("", ".jpg", ".jpeg", ".png")
_MOST_LABELS = 1000


@dataclass(frozen=True)
class _Columns:
    image: int
    labels: int | None  # the column of names; None where each label has its own
    flags: Sequence[int]
    split: int | None


def label_file(root: str | os.PathLike[str]) -> Path | None:
    """Find the file that gives the images of a data folder several labels; None where there is none.

    An overlay of corrections may have the same name; its columns (hash, action, …) are others.

    Args:
        root: the data folder.
    """
    path = Path(root) / NAME
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            header = next(csv.reader(file), [])
    except (OSError, UnicodeDecodeError, csv.Error):
        return None
    return path if _image_column(header) is not None else None


def refuse_several_labels(data: str) -> None:
    """Raise DataError where a labels.csv gives images several labels, for what takes one class an image.

    Args:
        data: the data folder.
    """
    if label_file(data) is not None:
        raise DataError(
            f"{data!r} has a labels.csv with any number of labels an image; this takes images of one class each. "
            "Expected a folder of class folders."
        )


def refuse_separators(names: Sequence[str], source: str | os.PathLike[str]) -> None:
    """Raise DataError for a label with a semicolon, which separates the labels of an image in every file of answers.

    Args:
        names: the labels.
        source: where they come from, for the message.
    """
    if named := [name for name in names if ";" in name]:
        raise DataError(
            f"{str(source)!r} has the label {named[0]!r}. Expected names without ';', which separates the labels of an "
            "image: rename it."
        )


def read_label_file(
    path: Path, missing: list[tuple[int, str]] | None = None
) -> tuple[ImageTable, NDArray[np.bool_] | None]:
    """Read the images and labels of a file.

    Args:
        path: of the file; paths of images in it are relative to its folder.
        missing: takes the (line, path) of images that are not there, which are left out; None refuses them.

    Returns:
        (a table with `targets`, for each image whether it is for validation; None where the file does not say).

    Raises:
        DataError: an unclear header, an unknown value, a label with a semicolon, or an image that is not there.
    """
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = [(number, row) for number, row in enumerate(csv.reader(file), start=1) if any(map(str.strip, row))]
    header, body = rows[0][1], rows[1:]
    columns = _columns(header, [row for _, row in body], path)
    for number, row in body:
        if len(row) != len(header):
            raise DataError(f"'{path}', line {number}: expected {len(header)} columns; received {len(row)}.")
    if columns.labels is not None:
        cells = [row[columns.labels] for _, row in body]
        separator = next((sign for sign in _SEPARATORS if any(sign in cell for cell in cells)), None)
        sets = [{part.strip() for part in cell.split(separator) if part.strip()} for cell in cells]
        names = sorted(set().union(*sets))
    else:
        names = [header[column].strip() for column in columns.flags]
        sets = [{header[c].strip() for c in columns.flags if float(row[c]) == 1} for _, row in body]
    refuse_separators(names, path)
    if not 2 <= len(names) <= _MOST_LABELS:
        raise DataError(f"'{path}' names {len(names)} labels. Expected 2 to {_MOST_LABELS}; the header may be {FORMS}.")
    places = {name: place for place, name in enumerate(names)}
    targets = np.zeros((len(body), len(names)), dtype=np.float32)
    for row_number, labels in enumerate(sets):
        targets[row_number, [places[name] for name in labels]] = 1
    paths = _paths([(number, row[columns.image].strip()) for number, row in body], path, missing)
    table = ImageTable(paths, targets.argmax(axis=1).astype(np.int64), names, str(path.parent), targets=targets)
    there = np.flatnonzero(paths)
    if columns.split is None:
        return table.take(there), None
    held_out = np.array([_is_validation(row[columns.split], number, path) for number, row in body])
    return table.take(there), held_out[there]


def match_labels(table: ImageTable, class_names: Sequence[str]) -> ImageTable:
    """The table with the labels of a model, in its order.

    Args:
        table: of a label file.
        class_names: the model's.

    Raises:
        DataError: a label that the model does not know.
    """
    unknown = [name for name in table.class_names if name not in class_names]
    if unknown:
        raise DataError(
            f"{table.root!r} has the label {unknown[0]!r}, which the model does not know: {some_of(class_names)}."
            f"{did_you_mean(unknown[0], class_names)}"
        )
    assert table.targets is not None
    targets = np.zeros((len(table), len(class_names)), dtype=np.float32)
    targets[:, [list(class_names).index(name) for name in table.class_names]] = table.targets
    return table.with_targets(targets, class_names)


def _image_column(header: Sequence[str]) -> int | None:
    names = [name.strip().lower() for name in header]
    if len(names) < 2 or "hash" in names:
        return None
    return next((names.index(name) for name in _IMAGE if name in names), None)


def _columns(header: Sequence[str], body: Sequence[Sequence[str]], path: Path) -> _Columns:
    names = [name.strip().lower() for name in header]
    if len(set(names)) < len(names):
        raise DataError(f"'{path}', line 1: two columns have one name. Expected {FORMS}.")
    image = _image_column(header)
    assert image is not None
    split = next((names.index(name) for name in _SPLIT if name in names), None)
    rest = [place for place in range(len(names)) if place not in (image, split)]
    named = [place for place in rest if names[place] in _LABELS]
    if len(named) == 1 and len(rest) == 1:
        return _Columns(image, named[0], (), split)
    flags = {"0", "1", "0.0", "1.0"}
    odd = [header[place] for place in rest if any(row[place].strip() not in flags for row in body if len(row) > place)]
    if len(rest) > 1 and not odd:
        return _Columns(image, None, rest, split)
    what = f"the column {odd[0]!r} holds more than 0 and 1" if len(rest) > 1 else f"{header[rest[0]]!r} says nothing"
    raise DataError(f"'{path}': unclear what the labels are: {what}. Expected {FORMS}.")


def _paths(cells: Sequence[tuple[int, str]], path: Path, missing: list[tuple[int, str]] | None) -> list[str]:
    """Where the images lie; "" for those that are missing."""
    folder, seen, paths = path.parent, set(), []
    for number, cell in cells:
        file = next((folder / f"{cell}{end}" for end in _ENDINGS if (folder / f"{cell}{end}").is_file()), None)
        if cell and file is None and missing is not None:
            missing.append((number, cell))
            paths.append("")
            continue
        if not cell or file is None:
            raise DataError(f"'{path}', line {number}: no image {cell!r}. Expected its path from {str(folder)!r} on.")
        if file in seen:
            raise DataError(f"'{path}', line {number}: {cell!r} is there twice. Expected one line an image.")
        seen.add(file)
        paths.append(str(file))
    return paths


def _is_validation(cell: str, number: int, path: Path) -> bool:
    word = cell.strip().lower()
    if word not in (*_TRAIN, *_VALIDATION):
        raise DataError(f"'{path}', line {number}: expected train or val as split; received {cell!r}.")
    return word in _VALIDATION
