"""The cheap part of `check`, which a training does by itself: wrong folders, and copies by the content of the files."""

from __future__ import annotations

import sys
from dataclasses import replace

from scene_lightning._main_process import is_main_process
from scene_lightning._terminal import labelled
from scene_lightning.data.copies import find_copies
from scene_lightning.data.label_file import refuse_several_labels
from scene_lightning.data.label_folders import find_label_splits, find_label_tables, has_several_labels
from scene_lightning.data.overlay import Overlay
from scene_lightning.data.scan import find_splits, find_training_images
from scene_lightning.data.table import ImageTable, Splits
from scene_lightning.errors import DataError


def checked_splits(
    data: str,
    val_split: float,
    seed: int,
    overlay: Overlay | None = None,
    group_by: str | None = None,
    several_labels: bool = False,
    multi_label: str | None = None,
) -> Splits:
    """`find_splits` for a training: what it cannot go well with is refused, and copies are told.

    Args:
        data, val_split, seed, overlay, group_by: as for `find_splits`.
        several_labels: whether the caller can take images with several labels; otherwise those are refused.
        multi_label: "folders" gives an image the labels of all folders that hold a copy of it; of a folder with a
            labels.csv the images have the labels that it says.

    Raises:
        DataError: as `find_splits`; a folder that only wraps the data folder; one class alone.
    """
    if not several_labels:
        refuse_several_labels(data)
    if has_several_labels(data, multi_label):
        return find_label_splits(data, multi_label, val_split, seed, group_by)
    splits = find_splits(data, val_split, seed, overlay, group_by)
    _refuse_single_class(splits.train)
    _tell_corrections(overlay)
    warn_of_copies(data, splits.train, splits.validation)
    return splits


def checked_training_images(
    data: str,
    overlay: Overlay | None = None,
    group_by: str | None = None,
    several_labels: bool = False,
    multi_label: str | None = None,
) -> ImageTable:
    """`find_training_images` for a training: what it cannot go well with is refused, and copies are told.

    Args:
        data, overlay, group_by: as for `find_training_images`.
        several_labels, multi_label: as for `checked_splits`.

    Raises:
        DataError: as `find_training_images`; a folder that only wraps the data folder; one class alone.
    """
    if not several_labels:
        refuse_several_labels(data)
    if has_several_labels(data, multi_label):
        return replace(find_label_tables(data, multi_label)[0], group_by=group_by)
    table = find_training_images(data, overlay, group_by)
    _refuse_single_class(table)
    _tell_corrections(overlay)
    warn_of_copies(data, table)
    return table


def _tell_corrections(overlay: Overlay | None) -> None:
    if overlay is not None and is_main_process():
        print(labelled("overlay", overlay.in_words()), flush=True)


def _refuse_single_class(table: ImageTable) -> None:
    if len(table.class_names) == 1:
        raise DataError(
            f"{table.root!r} has one class only, {table.class_names[0]!r}: nothing to tell it from. "
            f"Expected {table.root}/<class>/*.jpg with two classes or more."
        )


def warn_of_copies(data: str, train: ImageTable, validation: ImageTable | None = None) -> None:
    """Say on stderr, in a line for each kind, that files have copies in another class or in the other half.

    Args:
        data: the folder as it was given, for the command that shows all of them.
        train: the images to train on.
        validation: the images to validate on, with the same classes; None where folds will be made of `train`.
    """
    if not is_main_process():
        return
    tables = [train] if validation is None else [train, validation]
    paths = [path for table in tables for path in table.paths]
    labels = [label for table in tables for label in table.labels.tolist()]
    groups = find_copies(paths)
    contradicting = [group for group in groups if len({labels[position] for position in group}) > 1]
    leaking = [group for group in groups if group[0] < len(train) <= group[-1]]
    for found, what in (
        (contradicting, "lies in several classes"),
        (leaking, "is among the training and the validation images"),
    ):
        if found:
            example = f"{paths[found[0][0]]!r} and {paths[found[0][-1]]!r}"
            number = f"{len(found)} of them" if len(found) > 1 else "the only one"
            message = f"the same image {what}: {example} ({number}). See: scene-lightning check {data}"
            print(f"warning: {message}", file=sys.stderr)
