"""Makes the feeds that a run trains and validates on, from its recipe and tables of images."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

from scene_lightning.data.augment import AugmentRanges
from scene_lightning.data.balance import class_weights
from scene_lightning.data.cache import CachedImages, cache_images
from scene_lightning.data.overlay import Overlay, find_overlay, read_overlay
from scene_lightning.data.standardize import Standardize
from scene_lightning.data.table import ImageTable
from scene_lightning.errors import InputError
from scene_lightning.feeds.images import ImageFeed, encode_targets
from scene_lightning.feeds.mixing import mixer
from scene_lightning.inference.inputs import info_of_recipe
from scene_lightning.recipes.recipe import Recipe
from scene_lightning.reports import run_folder
from scene_lightning.runs.progressive_resizing import progressive_sizes


def overlay_of_run(recipe: Recipe, folder: Path | None) -> Overlay | None:
    """Read the corrections of labels that a recipe names; those that a run began with, where it goes on in its folder.

    Args:
        recipe: its `data` section counts.
        folder: that of a run which goes on, or None.

    Raises:
        DataError: no such file, or a faulty one.
        InputError: the run began with others.
    """
    path = recipe.data.overlay
    kept = None if folder is None else folder / run_folder.OVERLAY
    if kept is None or not kept.is_file():
        return find_overlay(path)
    overlay = read_overlay(kept)
    if path is None or (os.path.exists(path) and read_overlay(path).text != overlay.text):
        now = f"{path!r} holds others now" if path else "the recipe has none now"
        raise InputError(
            f"The run was begun with the corrections of labels in {str(kept)!r}; {now}. Go on with --overlay {kept}, "
            "or begin a new run without --resume."
        )
    return overlay


def decode_all(recipe: Recipe, table: ImageTable, *, strict: bool, shared: bool) -> CachedImages:
    """Decode the images of a table once, as the recipe's `data.cache` asks.

    Args:
        strict: an unreadable image is an error; otherwise it is left out.
        shared: several processes will read: "auto" then takes the memory map on disk, which they have in common.
        recipe: its `data` section counts.
        table: the images.
    """
    mode = "disk" if shared and recipe.data.cache == "auto" else recipe.data.cache
    return cache_images(table, info_of_recipe(recipe, table.class_names).spec, mode, strict=strict)


def training_feed(recipe: Recipe, images: CachedImages, targets: Any = None) -> ImageFeed:
    """Make the feed of the training images: shuffled and augmented each epoch, as a function of the recipe's seed.

    Args:
        targets: (N, K) shares of classes to learn instead of the labels.
        recipe: its `data` and `training` sections count.
        images: the decoded training images.
    """
    table = images.table
    mix = mixer(recipe.data.mixup, recipe.data.cutmix, len(table.class_names))
    weights = class_weights(recipe.training.class_weight, table)
    return _labelled(
        recipe, images, targets, shuffle=True, training=True, seed=recipe.training.seed, augment=_ranges(recipe),
        mix=mix, progressive_sizes=progressive_sizes(recipe),
        sample_weight=None if weights is None else weights[table.labels],
        balance=table.labels if recipe.data.sampling == "balanced" else None,
    )  # fmt: skip


def trial_feed(recipe: Recipe, images: CachedImages, batch_size: int) -> ImageFeed:
    """Make the feed of a few steps that are timed: the training images, in the largest size that the run has them in.

    Args:
        recipe: its `data` and `training` sections count.
        images: the decoded training images.
        batch_size: images a batch.
    """
    feed = training_feed(recipe, images)
    if feed.progressive_sizes is not None:
        feed.progressive_sizes = replace(feed.progressive_sizes, sizes=[max(feed.progressive_sizes.sizes)])
    feed.batch_size = batch_size
    feed.steps = feed.steps_on(1)
    return feed


def validation_feed(recipe: Recipe, images: CachedImages) -> ImageFeed:
    """Make the feed of the validation images: in order, not augmented.

    Args:
        recipe: its `data` and `training` sections count.
        images: the decoded validation images.
    """
    return _labelled(recipe, images)


def sample_feed(recipe: Recipe, images: CachedImages) -> ImageFeed:
    """Make a feed of images in an order drawn by the recipe's seed, not augmented and not read ahead.

    Args:
        recipe: its `data` and `training` sections count.
        images: decoded images.
    """
    return _labelled(recipe, images, shuffle=True, seed=recipe.training.seed, prefetch=0)


def _labelled(recipe: Recipe, images: CachedImages, targets: Any = None, **options: Any) -> ImageFeed:
    table = images.table
    if table.targets is not None:
        targets = table.targets
    elif targets is None:
        targets = encode_targets(table.labels, len(table.class_names), recipe.class_mode)
    return ImageFeed(
        images.source,
        targets,
        batch_size=recipe.training.batch_size,
        standardize=Standardize(rescale=recipe.data.rescale),
        skip_unreadable=not images.strict,  # one that was readable when the run began
        **options,
    )


def _ranges(recipe: Recipe) -> AugmentRanges:
    wanted = recipe.data.augmentation.model_dump()
    zoom = wanted.pop("zoom_range")
    return AugmentRanges(**wanted, zoom_range=zoom if isinstance(zoom, tuple) else (1 - zoom, 1 + zoom))
