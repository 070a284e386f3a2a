"""Draws the first training images of a run as the network is shown them: training_batch.jpg in its folder."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from scene_lightning._atomic_write import atomic_write
from scene_lightning.data.label_folders import find_label_splits
from scene_lightning.data.scan import find_splits
from scene_lightning.errors import SceneLightningError
from scene_lightning.feeds.images import ImageFeed
from scene_lightning.recipes.recipe import Recipe
from scene_lightning.reports.quick_pictures import mosaic
from scene_lightning.reports.run_folder import TRAINING_BATCH
from scene_lightning.runs.inputs import decode_all, overlay_of_run, training_feed

_IMAGES = 24


def keep_training_batch(folder: Path, feed: ImageFeed, class_names: Sequence[str], recipe: Recipe) -> None:
    """Write training_batch.jpg: the first images of the first epoch, augmented. A failure is told and harms nothing.

    Neither the feed nor torch's random state changes.

    Args:
        folder: the run's.
        feed: as `training_feed` makes it.
        class_names: the classes.
        recipe: the run's.
    """
    try:
        with torch.random.fork_rng(devices=[]), atomic_write(folder / TRAINING_BATCH) as temporary:
            torch.manual_seed(feed.seed)  # for mixup's and CutMix's shares
            tiles = _first_images(feed, _IMAGES, recipe.data.rescale)
            label = _label if recipe.data.multi_label is None else _labels
            picture = mosaic([(pixels, label(target, class_names)) for pixels, target in tiles])
            picture.save(temporary, "JPEG", quality=80)
    except (OSError, ValueError, RuntimeError, SceneLightningError) as error:
        print(f"note: {TRAINING_BATCH} was not written: {error}", file=sys.stderr)


def draw_training_batch_again(folder: Path, recipe: Recipe, data: str) -> None:
    """Write the training_batch.jpg of a run that kept none, from its recipe and its images.

    Args:
        folder: the run's.
        recipe: the run's.
        data: where its images are.

    Raises:
        InputError: the images are no longer those of the run.
    """
    overlay = overlay_of_run(recipe, folder)
    settings = recipe.data
    given = settings.val_split, recipe.training.seed
    if settings.multi_label is None:
        table = find_splits(data, *given, overlay, settings.group_by).train
    else:
        table = find_label_splits(data, settings.multi_label, *given, settings.group_by).train
    uncached = recipe.model_copy(update={"data": recipe.data.model_copy(update={"cache": "off"})})
    images = decode_all(uncached, table, strict=False, shared=False)
    keep_training_batch(folder, training_feed(recipe, images), table.class_names, recipe)


def _first_images(feed: ImageFeed, count: int, rescale: float) -> list[tuple[np.ndarray, np.ndarray]]:
    """(pixels, targets) of the first `count` images of epoch 0."""
    tiles: list[tuple[np.ndarray, np.ndarray]] = []
    for indices in feed.plan(0):
        host = feed.read(indices[: count - len(tiles)], 0)
        if host is None:
            continue
        images, targets, _ = feed.to_device_batch(host, 0, True)
        pixels = (images.float() / rescale).clamp(0, 255).round().to(torch.uint8).cpu().numpy()
        tiles += zip(pixels, torch.as_tensor(targets).cpu().numpy(), strict=True)
        if len(tiles) >= count:
            break
    return tiles


def _label(target: Any, class_names: Sequence[str]) -> str:
    """The class, or the shares of the classes that were mixed."""
    row = np.atleast_1d(target)
    if len(row) == 1:
        return class_names[int(row[0])]
    parts = [place for place in np.argsort(-row)[:2] if row[place] >= 0.05]
    if not parts:
        return "none"
    if len(parts) == 1 or row[parts[0]] > 0.99:
        return class_names[int(parts[0])]
    return ", ".join(f"{class_names[int(place)]} {100 * row[place]:.0f} %" for place in parts)


def _labels(target: Any, class_names: Sequence[str]) -> str:
    """Labels that do not exclude one another; smoothing leaves those that an image has above a half."""
    return ", ".join(class_names[int(place)] for place in np.flatnonzero(np.asarray(target) > 0.5)) or "no label"
