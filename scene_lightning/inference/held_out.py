"""Finds again, in the data folder of a model's training, which photographs it trained on and which it held out."""

from __future__ import annotations

from pathlib import Path

from scene_lightning.data.label_file import match_labels
from scene_lightning.data.label_folders import find_label_splits
from scene_lightning.data.overlay import find_overlay
from scene_lightning.data.scan import find_splits, relabel
from scene_lightning.data.table import ImageTable, Splits
from scene_lightning.errors import InputError
from scene_lightning.inference.images_seen import CHOSE, TRAINED, ImagesSeen, digests_of
from scene_lightning.inference.predictor import Predictor
from scene_lightning.reports.named_files import find_named
from scene_lightning.reports.run_folder import OVERLAY, RECIPE


def held_out_images(predictor: Predictor, trained_on: str) -> ImageTable:
    """Find the images that training held out: which they were follows from the recipe in the model's file.

    Args:
        predictor: the loaded model.
        trained_on: the data folder of its training.

    Raises:
        InputError: a file without its recipe, or data that cannot be what it was trained on.
    """
    table, names = _splits(predictor, trained_on).validation, predictor.info.class_names
    return relabel(table, names) if table.targets is None else match_labels(table, names)


def training_images(predictor: Predictor, trained_on: str) -> ImageTable:
    """Find the images that a model was trained on, as `held_out_images` finds the others.

    Args:
        predictor, trained_on: as for `held_out_images`.

    Raises:
        InputError: as `held_out_images`.
    """
    return _splits(predictor, trained_on).train


def seen_by(predictor: Predictor, trained_on: str | None = None) -> ImagesSeen:
    """What the model's file says that it has seen; where it does not, the split of `trained_on` says it.

    Args:
        predictor: the loaded model.
        trained_on: the data folder of its training, or None.

    Raises:
        InputError: as `held_out_images`.
    """
    seen = ImagesSeen.of_model(predictor.model)
    if seen.complete or trained_on is None:
        return seen
    splits = _splits(predictor, trained_on)
    seen = seen.and_also(TRAINED, digests_of(splits.train.paths), complete=True)
    return seen.and_also(CHOSE, digests_of(splits.validation.paths))  # as in best.ckpt; nobody knows that it did not


def _splits(predictor: Predictor, trained_on: str) -> Splits:
    recipe = predictor.model._recipe
    if not recipe:
        raise InputError(
            "The model's file does not say which share of the data its training held out. Expected a model that "
            "`scene-lightning train` made, or other labelled photographs that it was not trained on."
        )
    data = recipe["data"]
    named = data.get("overlay")
    overlay = None if named is None else _find_overlay(named, predictor.folder)
    seed, group_by = recipe["training"]["seed"], data.get("group_by")
    if (multi_label := data.get("multi_label")) is not None:
        return find_label_splits(trained_on, multi_label, data["val_split"], seed, group_by)
    return find_splits(trained_on, data["val_split"], seed, find_overlay(overlay), group_by)


def _find_overlay(named: str, folder: Path | None) -> Path:
    """The corrections of labels that a model's file names: the copy of its run, or that file in a folder at hand."""
    copy = None if folder is None else folder / OVERLAY
    if copy is not None and copy.is_file() and (copy.parent / RECIPE).is_file():
        return copy
    file = find_named(named, *([] if folder is None else [folder]))
    if file is None:
        raise InputError(
            f"The model was trained with the corrections of labels in {named!r}, which are not there. Its run's "
            f"folder holds a copy, {OVERLAY}: put it, under the name it had, beside the model or into this folder."
        )
    return file
