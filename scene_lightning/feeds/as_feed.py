"""Makes a feed of whatever `fit`, `evaluate` and `predict` are given as data."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import torch

from scene_lightning.errors import InputError
from scene_lightning.feeds.arrays import ArrayFeed
from scene_lightning.feeds.base import Feed
from scene_lightning.feeds.iterables import IterableFeed, SequenceFeed
from scene_lightning.feeds.wrappers import ClassWeightedFeed, SteppedFeed


def as_feed(
    x: Any,
    y: Any = None,
    sample_weight: Any = None,
    *,
    batch_size: int | None = None,
    shuffle: Any = True,
    training: bool,
    class_weight: Mapping[int, float] | None = None,
    steps: Any = None,
    loop: bool = False,
) -> Feed:
    """Make the feed that reads `x` (and `y`).

    Args:
        batch_size: images a batch of arrays; None or 0 means 32.
        steps: batches an epoch; with it an iterator goes on where the last epoch stopped. None or 0 means all.
        loop: start again without a word when the data end before `steps` (Keras 2's `fit_generator`).
        x: arrays, tensors, tables, a loader, a generator, a `Sequence`, a dataset, a directory iterator or a feed.
        y: targets, where `x` does not give them.
        sample_weight: a weight for each sample, or None.
        shuffle: whether training reads in a new order each epoch; for arrays also "batch".
        training: whether it is trained on.
        class_weight: class number → weight; None for none.

    Raises:
        InputError: lengths that differ, targets beside a generator, an unknown kind of data.
    """
    if class_weight is not None and sample_weight is not None:
        raise InputError("You cannot pass `class_weight` and `sample_weight` at the same time.")
    feed = _plain_feed(x, y, sample_weight, batch_size, shuffle, training, class_weight)
    if class_weight is not None:
        feed = ClassWeightedFeed(feed, class_weight)
    if steps:  # 0, as integer division of small folders gives, means all, as in Keras
        if steps < 0:
            raise InputError(f"The number of steps must be positive (0 or None: all); received {steps!r}.")
        feed = SteppedFeed(feed, math.ceil(steps), going_on=training, loop=loop)
    return feed


def _plain_feed(
    x: Any, y: Any, w: Any, batch_size: int | None, shuffle: Any, training: bool, class_weight: Any
) -> Feed:
    if isinstance(x, Feed):
        return x
    if x is None:
        raise InputError("There is no data: x is None. Pass an array, an iterator, a loader or a dataset.")
    if not _is_array_like(x) or hasattr(x, "lightning_feed"):
        if y is not None:
            raise InputError(
                f"`y` must not be given when `x` is a {type(x).__name__}: the targets come from `x` itself, as "
                "(inputs, targets) batches."
            )
        if hasattr(x, "lightning_feed"):
            return x.lightning_feed(training=training, shuffle=bool(shuffle))
        if isinstance(x, torch.utils.data.Dataset) and not isinstance(x, torch.utils.data.IterableDataset):
            x = torch.utils.data.DataLoader(x, batch_size=batch_size or 32, shuffle=training and bool(shuffle))
        if _is_sequence_object(x):
            return SequenceFeed(x, shuffle=training and bool(shuffle), training=training)
        if not isinstance(x, Iterable):
            raise InputError(
                f"Cannot read batches from {type(x).__name__}. Expected arrays, tensors, a DataLoader, a "
                "generator, a Sequence, a dataset or a directory iterator."
            )
        return IterableFeed(x, training)
    return ArrayFeed(x, y, w, batch_size or 32, shuffle if training else False, training)


def _is_array_like(x: Any) -> bool:
    if isinstance(x, np.ndarray | torch.Tensor) or hasattr(x, "to_numpy") or type(x).__module__.startswith("PIL"):
        return True
    if isinstance(x, Mapping):
        return all(_is_array_like(value) for value in x.values())
    return isinstance(x, list | tuple)


def _is_sequence_object(x: Any) -> bool:
    return hasattr(x, "__getitem__") and hasattr(x, "__len__") and not isinstance(x, torch.utils.data.DataLoader)
