"""Finds the images of a data folder with several labels each: those of labels.csv, or of all folders with a copy."""

from __future__ import annotations

import os
from collections import defaultdict

import numpy as np

from scene_lightning.data.copies import find_copies
from scene_lightning.data.iterative_split import iterative_parts
from scene_lightning.data.label_file import label_file, read_label_file, refuse_separators
from scene_lightning.data.scan import find_tables, require_folder
from scene_lightning.data.table import ImageTable, Splits
from scene_lightning.errors import DataError


def with_labels_of_folders(table: ImageTable) -> ImageTable:
    """Make one image of the files with the same content, with the labels of all their folders.

    Args:
        table: of class folders.

    Raises:
        DataError: no image lies in two folders, or a folder's name has a semicolon.
    """
    refuse_separators(table.class_names, table.root)
    copies: dict[int, list[int]] = defaultdict(list)
    first = {position: group[0] for group in find_copies(table.paths) for position in group}
    for position in range(len(table)):
        copies[first.get(position, position)].append(position)
    kept = sorted(copies)
    targets = np.zeros((len(kept), len(table.class_names)), dtype=np.float32)
    for row, position in enumerate(kept):
        targets[row, table.labels[copies[position]]] = 1
    if targets.sum(axis=1).max(initial=0) < 2:
        raise DataError(
            f"{table.root!r}: no image lies in two class folders. Expected copies of an image in the folder of each "
            "of its labels, or no data.multi_label."
        )
    return table.take(kept).with_targets(targets, table.class_names)


def has_several_labels(root: str, multi_label: str | None = None) -> bool:
    """Whether the images of a data folder have several labels each: it has a labels.csv, or `multi_label` says so.

    Args:
        root: the data folder.
        multi_label: the recipe's `data.multi_label`.
    """
    return multi_label == "folders" or label_file(root) is not None


def find_label_tables(root: str, multi_label: str | None = None) -> list[ImageTable]:
    """As `find_tables`, of images with several labels each: those to train on and to validate on, or one table.

    Args:
        root: the data folder.
        multi_label: "folders": an image has the labels of all folders with a copy of it; otherwise labels.csv is read.

    Raises:
        DataError: as `find_tables`, `read_label_file` and `with_labels_of_folders`.
    """
    require_folder(root)
    file = label_file(root)
    if multi_label == "folders" or file is None:
        return [with_labels_of_folders(table) for table in find_tables(os.fspath(root))]
    table, held_out = read_label_file(file)
    if held_out is None:
        return [table]
    return [table.take(np.flatnonzero(~held_out)), table.take(np.flatnonzero(held_out))]


def find_label_splits(
    root: str, multi_label: str | None, val_split: float, seed: int, group_by: str | None = None
) -> Splits:
    """As `find_splits`, of images with several labels: each label has its share on both sides, copies stay on one.

    Args:
        root, multi_label: as for `find_label_tables`.
        val_split, seed, group_by: as for `find_splits`.

    Raises:
        DataError: as `find_label_tables`; a label that one side lacks.
    """
    tables = find_label_tables(root, multi_label)
    return _checked(Splits(*tables)) if len(tables) == 2 else split_labels(tables[0], val_split, seed, group_by)


def split_labels(table: ImageTable, val_split: float, seed: int, group_by: str | None = None) -> Splits:
    """As `split_table`, of a table with several labels each.

    Args:
        table: the images.
        val_split, seed, group_by: as for `find_splits`.

    Raises:
        DataError: a label that one side lacks.
    """
    parts = iterative_parts(table, (1 - val_split, val_split), seed, group_by)
    return _checked(Splits(table.take(np.flatnonzero(parts == 0)), table.take(np.flatnonzero(parts == 1))))


def _checked(splits: Splits) -> Splits:
    for table, what in ((splits.train, "to train on"), (splits.validation, "to validate on")):
        if missing := [name for name, count in table.counts().items() if not count]:
            raise DataError(
                f"The label {missing[0]!r} is on no image {what}. Expected two different images of each label or more."
            )
    return splits
