"""Reads `validation_split` and `validation_data` of `fit`: what they hold, and what callbacks see of it."""

from __future__ import annotations

from typing import Any

import numpy as np

from scene_lightning.errors import InputError
from scene_lightning.feeds.as_feed import as_feed
from scene_lightning.feeds.base import Feed
from scene_lightning.training import engine
from scene_lightning.tree import flatten, map_structure


def validation_feed(data: Any, batch_size: int | None, steps: Any) -> Feed:
    """Make a feed of `validation_data` as Keras takes it: (x, y), (x, y, weights), or anything that gives batches.

    Args:
        data: what `fit` was given.
        batch_size: samples a batch, for arrays; None takes 32.
        steps: batches of validation; None or 0 takes all.
    """
    if isinstance(data, tuple | list) and 2 <= len(data) <= 3 and not isinstance(data[0], tuple):
        x, y, *rest = data
        return as_feed(
            x, y, rest[0] if rest else None, batch_size=batch_size, shuffle=False, training=False, steps=steps
        )
    return as_feed(data, batch_size=batch_size, shuffle=False, training=False, steps=steps, loop=True)


class _ValidationData(list[Any]):
    """What Keras 2 put into `callback.validation_data`: inputs, targets and weights in one list, as arrays."""


def show_validation_data(callbacks: Any, data: Any) -> None:
    """Give callbacks the arrays that `fit` validates on, for those that ask `self.validation_data`, as Keras 2 did.

    A callback that was given data of its own keeps them, and generators are not shown.

    Args:
        callbacks: what `fit` was given.
        data: its `validation_data`.
    """
    if not (isinstance(data, tuple | list) and 2 <= len(data) <= 3 and not isinstance(data[0], tuple)):
        return
    shown = _ValidationData(part for part in flatten(list(data)) if part is not None)
    if all(weights is None for weights in data[2:]):
        shown.append(np.ones(len(shown[0]), np.float32))
    for callback in engine.split_callbacks(callbacks)[0]:
        known = getattr(callback, "validation_data", None)
        if known is None or isinstance(known, _ValidationData):
            callback.validation_data = shown


def split_arrays(
    x: Any, y: Any, sample_weight: Any, fraction: float
) -> tuple[tuple[Any, Any, Any], tuple[Any, Any, Any]]:
    """Take the last part of the arrays for validation, before any shuffling.

    Args:
        x: inputs, as `fit` takes them.
        y: targets, or None.
        sample_weight: one weight a sample, or None.
        fraction: share of the samples, in (0, 1).
    """
    x, y, sample_weight = (_array_of_numbers(part) for part in (x, y, sample_weight))
    leaves = [leaf for leaf in flatten([x, y, sample_weight]) if leaf is not None]
    if not leaves or any(not hasattr(leaf, "__getitem__") or not hasattr(leaf, "shape") for leaf in leaves):
        if not (isinstance(x, list) and x):
            raise InputError(
                "`validation_split` is only supported for arrays and tensors. For an iterator pass validation_data, or "
                "split the folder with ImageDataGenerator(validation_split=...) and subset=."
            )
        x, y = np.asarray(x), None if y is None else np.asarray(y)
    if not 0.0 < fraction < 1.0:
        raise InputError(f"validation_split must lie between 0 and 1; received {fraction!r}.")
    count = len(flatten(x)[0])
    at = int(count * (1.0 - fraction))
    if at == 0 or at == count:
        raise InputError(
            f"Training data contains {count} samples, which is not sufficient to split it into a validation and "
            f"training set as specified by validation_split={fraction}. Provide more data, or another value."
        )

    def cut(part: slice) -> Any:
        def take(leaf: Any) -> Any:
            return None if leaf is None else leaf.iloc[part] if hasattr(leaf, "iloc") else leaf[part]

        return map_structure(take, (x, y, sample_weight))

    return cut(slice(0, at)), cut(slice(at, None))


def _array_of_numbers(values: Any) -> Any:
    """A list of labels as the array that Keras makes of it; other structures, such as several inputs, as they are."""
    plain = isinstance(values, list) and bool(values) and all(not hasattr(leaf, "shape") for leaf in flatten(values))
    return np.asarray(values) if plain else values
