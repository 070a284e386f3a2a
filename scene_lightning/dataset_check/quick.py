"""The cheap part of `check`, which a training does by itself: wrong folders, and copies by the content of the files."""

from __future__ import annotations

import sys

from scene_lightning._main_process import is_main_process
from scene_lightning.data.copies import find_copies
from scene_lightning.data.scan import ImageTable
from scene_lightning.dataset_check.tree import inner_data_folder
from scene_lightning.errors import DataError


def refuse_wrapping_folder(data: str) -> None:
    """Refuse a folder that only wraps the data folder, whose one folder would be taken for a class.

    Args:
        data: the folder as it was given.

    Raises:
        DataError: it holds one folder, which holds splits or classes; the message names that one.
    """
    inner = inner_data_folder(data)
    if inner is not None:
        raise DataError(f"{data!r} holds one folder and nothing else. Did you mean {inner!r}?")


def refuse_single_class(table: ImageTable) -> None:
    """Refuse images that are all of one class.

    Args:
        table: the images to train on.

    Raises:
        DataError: there is one class only.
    """
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
            first, other = paths[found[0][0]], paths[found[0][-1]]
            more = f"{len(found)} images like it: " if len(found) > 1 else ""
            print(
                f"warning: the same file {what}: {first!r}, {other!r}. {more}scene-lightning check {data}",
                file=sys.stderr,
            )
