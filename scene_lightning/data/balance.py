"""Weighs, draws and splits images so that rare classes count: class weights, balanced sampling, stratified folds."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from scene_lightning._registry import did_you_mean, some_of
from scene_lightning.data.groups import keep_together
from scene_lightning.data.iterative_split import iterative_parts
from scene_lightning.data.randomness import permutation
from scene_lightning.data.scan import require_every_class
from scene_lightning.data.table import ImageTable
from scene_lightning.errors import DataError, InputError


def balanced_weights(labels: NDArray[np.int64], num_classes: int) -> NDArray[np.float64]:
    """Give each class the weight N / (K · its images), (K,): all classes then weigh the same together.

    scikit-learn's class_weight="balanced". The mean weight of the images is 1. A class without images gets 0.

    Args:
        labels: (N,) class numbers.
        num_classes: K.
    """
    counts = np.bincount(labels, minlength=num_classes)
    return np.divide(len(labels), num_classes * counts, out=np.zeros(num_classes), where=counts > 0)


def class_weights(wanted: str | Mapping[str, float] | None, table: ImageTable) -> NDArray[np.float64] | None:
    """Turn a recipe's `class_weight` into (K,) weights in the order of the table's classes; None for none.

    Args:
        wanted: "balanced"; or weights by class name, those that are not named weigh 1, as in Keras.
        table: the images whose classes are weighed.

    Raises:
        InputError: a name that is none of the classes.
    """
    names = table.class_names
    if wanted is None or isinstance(wanted, str):
        return None if wanted is None else balanced_weights(table.labels, len(names))
    unknown = [name for name in wanted if name not in names]
    if unknown:
        raise InputError(
            f"class_weight names {unknown[0]!r}, which is none of the classes {some_of(names)}."
            f"{did_you_mean(unknown[0], names)}"
        )
    return np.array([wanted.get(name, 1.0) for name in names])


def balanced_count(labels: NDArray[np.int64]) -> int:
    """Draws in an epoch of `balanced_order`: the multiple of the number of classes that is nearest to N.

    Args:
        labels: (N,) class numbers.
    """
    classes = len(np.unique(labels))
    return classes * max(1, round(len(labels) / classes)) if classes else 0


def balanced_order(labels: NDArray[np.int64], seed: int, epoch: int) -> NDArray[np.int64]:
    """An epoch in which every class is drawn equally often; a function of its arguments alone.

    An image of a rare class comes several times, each as often as the others of its class or once more; of a frequent
    class some images stay out, others in each epoch.

    Args:
        labels: (N,) class numbers.
        seed: any integer.
        epoch: counted from 0; another one gives another order.

    Returns:
        (M,) draws, M = `balanced_count(labels)`: image `draw % N`, for the `draw // N`-th time (so that each time can
        be augmented in its own way).
    """
    n, total = len(labels), balanced_count(labels)
    if not n:
        return np.arange(0)
    _, counts = np.unique(labels, return_counts=True)
    shuffled = permutation(seed, epoch, n)
    by_class = shuffled[np.argsort(labels[shuffled], kind="stable")]
    turns = np.arange(total // len(counts))[:, None]
    draws = by_class[np.cumsum(counts) - counts + turns % counts] + turns // counts * n
    # another epoch's number gives another stream: the same one would leave this order's classes half sorted
    return draws.ravel()[permutation(seed, -1 - epoch, total)]


def stratified_folds(table: ImageTable, folds: int, seed: int) -> list[NDArray[np.int64]]:
    """The rows of each of `folds` parts of a table: of every class, and in all, they differ by one image at most.

    A function of the table, `folds` and `seed`. Files with equal content, and the groups of `table.group_by`, are in
    one part; where a class has no other images to take their places, the parts differ by more. Of several labels an
    image each part has its share of every one (`iterative_parts`).

    Args:
        table: the images to divide.
        folds: how many parts, 2 or more.
        seed: any integer; another one gives other parts.

    Raises:
        DataError: fewer than two folds, or a class with fewer different images than folds.
    """
    counts = np.array(list(table.counts().values()))
    least = int(counts.argmin())
    if folds < 2:
        raise DataError(f"Expected at least two folds; received {folds}.")
    if counts[least] < folds:
        most = f"at most {counts[least]} folds" if counts[least] > 1 else "two images a class at the least"
        raise DataError(
            f"Class {table.class_names[least]!r} in {table.root!r} has {counts[least]} image(s): too few for {folds} "
            f"folds, each of which validates on every class. Expected {most}."
        )
    if table.targets is not None:
        parts = iterative_parts(table, [1 / folds] * folds, seed, table.group_by)
        for fold in range(folds):
            if missing := [
                name for name, number in table.take(np.flatnonzero(parts == fold)).counts().items() if not number
            ]:
                raise DataError(f"The label {missing[0]!r} is on too few different images for {folds} folds.")
        return [np.flatnonzero(parts == fold) for fold in range(folds)]
    random = np.random.Generator(np.random.Philox(key=seed))
    order = np.concatenate([random.permutation(np.flatnonzero(table.labels == one)) for one in range(len(counts))])
    # dealt out like cards, going on where the class before ended: sizes stay even within a class and in all
    parts = np.empty(len(table), dtype=np.int64)
    parts[order] = np.arange(len(table)) % folds
    parts = keep_together(table, parts, seed)
    require_every_class(table, parts, folds)
    return [np.flatnonzero(parts == fold) for fold in range(folds)]
