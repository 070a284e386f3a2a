"""Gives an image the labels of all class folders that hold a copy of it."""

from __future__ import annotations

import os
from collections import defaultdict

import numpy as np

from scene_lightning.data.copies import find_copies
from scene_lightning.data.label_file import divided
from scene_lightning.data.scan import find_tables
from scene_lightning.data.table import ImageTable, Splits
from scene_lightning.errors import DataError


def with_labels_of_folders(table: ImageTable) -> ImageTable:
    """Make one image of the files with the same content, with the labels of all their folders.

    Args:
        table: of class folders.

    Raises:
        DataError: no image lies in two folders.
    """
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


def split_folders_of_labels(root: str, val_split: float, seed: int, group_by: str | None = None) -> Splits:
    """The training and validation images of class folders in which an image may lie several times.

    Args:
        root, val_split, seed, group_by: as for `find_splits`.
    """
    train, *rest = find_tables(os.fspath(root))
    if rest:
        return Splits(with_labels_of_folders(train), with_labels_of_folders(rest[0]))
    return divided(with_labels_of_folders(train), None, val_split, seed, group_by)
