"""Class weights against scikit-learn; balanced orders and folds by what they promise; the feed that draws so."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from scene_lightning.data.augment import AugmentRanges
from scene_lightning.data.balance import (
    balanced_count,
    balanced_order,
    balanced_weights,
    class_weights,
    stratified_folds,
)
from scene_lightning.data.sources import ArraySource
from scene_lightning.data.table import ImageTable
from scene_lightning.errors import DataError, InputError
from scene_lightning.feeds.images import ImageFeed
from scene_lightning.feeds.sharding import Spare

RARE = np.repeat([0, 1, 2], [90, 9, 1])


def table_of(labels: np.ndarray, names: list[str]) -> ImageTable:
    return ImageTable([f"{i}.png" for i in range(len(labels))], labels, names, "root")


# -- weights -----------------------------------------------------------------------------------------------------------


def test_weights_equal_scikit_learns() -> None:
    found = balanced_weights(RARE, 3)
    np.testing.assert_allclose(found, [100 / 270, 100 / 27, 100 / 3])
    np.testing.assert_allclose(found, compute_class_weight("balanced", classes=np.arange(3), y=RARE))
    assert found[RARE].mean() == pytest.approx(1.0)


def test_weights_by_name() -> None:
    table = table_of(RARE, ["road", "crack", "hole"])
    assert class_weights(None, table) is None
    np.testing.assert_array_equal(class_weights({"hole": 5.0}, table), [1, 1, 5])
    np.testing.assert_array_equal(class_weights("balanced", table), balanced_weights(RARE, 3))
    with pytest.raises(InputError, match=r"'holes'.*none of the classes road, crack, hole.*Did you mean 'hole'"):
        class_weights({"holes": 5.0}, table)


# -- balanced sampling -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("counts", [[90, 9, 1], [5, 5, 5], [1, 1], [7, 2, 300, 41], [4]])
def test_every_class_is_drawn_equally_often(counts: list[int]) -> None:
    labels = np.random.default_rng(0).permutation(np.repeat(np.arange(len(counts)), counts))
    draws = balanced_order(labels, seed=3, epoch=5)
    images, times = draws % len(labels), draws // len(labels)
    each = max(1, round(len(labels) / len(counts)))
    np.testing.assert_array_equal(np.bincount(labels[images]), [each] * len(counts))
    assert len(draws) == balanced_count(labels) == each * len(counts)
    assert len(set(draws.tolist())) == len(draws), "no image comes twice as its n-th time"
    for label in range(len(counts)):
        seen = np.bincount(images, minlength=len(labels))[labels == label]
        assert seen.max() - seen.min() <= 1, "within a class all come equally often, or once more"
    assert times.max() == -(-each // min(counts)) - 1


def test_the_order_depends_on_seed_and_epoch_alone() -> None:
    first = balanced_order(RARE, 1, 0)
    np.testing.assert_array_equal(first, balanced_order(RARE, 1, 0))
    assert not np.array_equal(first, balanced_order(RARE, 1, 1))
    assert not np.array_equal(first, balanced_order(RARE, 2, 0))
    frequent = [set((balanced_order(RARE, 1, epoch) % 100)[RARE[balanced_order(RARE, 1, epoch) % 100] == 0].tolist())
                for epoch in range(12)]  # fmt: skip
    assert len(set.union(*frequent)) > 80, "other images of the frequent class in each epoch"
    halves = RARE[first % 100]
    assert abs(np.mean(halves[:50] == 2) - np.mean(halves[50:] == 2)) < 0.25, "classes are spread over the epoch"


def test_no_images_are_no_draws() -> None:
    assert balanced_count(np.array([], int)) == 0 and len(balanced_order(np.array([], int), 0, 0)) == 0


def feed_of(labels: np.ndarray, **options: object) -> ImageFeed:
    images = np.arange(len(labels), dtype=np.uint8).reshape(-1, 1, 1, 1) * np.ones((1, 4, 4, 3), np.uint8)
    targets = np.eye(3, dtype=np.float32)[labels]
    return ImageFeed(ArraySource(images), targets, batch_size=8, training=True, shuffle=True, balance=labels, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize("world_size", [1, 2, 3])
def test_a_feed_draws_so_on_any_number_of_devices(world_size: int) -> None:
    feed = feed_of(RARE, seed=4)
    assert feed.samples == 99
    seen = []
    for rank in range(world_size):
        batches = list(feed.batches(2, rank, world_size))
        assert len(batches) == feed.steps_on(world_size)
        for batch in batches:
            assert not isinstance(batch, Spare)
            np.testing.assert_array_equal(batch.images[:, 0, 0, 0].numpy(), batch.indices)
            np.testing.assert_array_equal(batch.targets.numpy().argmax(1), RARE[batch.indices])
            seen.append(batch.indices)
    counts = np.bincount(RARE[np.concatenate(seen)])
    assert counts.tolist() == [33, 33, 33]


def test_each_time_an_image_comes_it_is_augmented_anew() -> None:
    feed = feed_of(RARE, seed=4, augment=AugmentRanges(rotation_range=90.0))
    angles = []
    for batch in feed.batches(0):
        assert batch.params is not None
        angles += batch.params.theta[batch.indices == 99].tolist()
    assert len(angles) == 33 and len(set(angles)) == 33


# -- folds -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("folds", [2, 3, 5])
def test_folds_are_stratified_and_hold_each_image_once(folds: int) -> None:
    labels = np.random.default_rng(1).permutation(np.repeat([0, 1, 2], [23, 11, 5]))
    parts = stratified_folds(table_of(labels, list("abc")), folds, seed=9)
    np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.arange(39))
    for sizes in ([len(part) for part in parts], *([(labels[part] == k).sum() for part in parts] for k in range(3))):
        assert max(sizes) - min(sizes) <= 1
    again = stratified_folds(table_of(labels, list("abc")), folds, seed=9)
    assert all(map(np.array_equal, parts, again))
    assert not all(map(np.array_equal, parts, stratified_folds(table_of(labels, list("abc")), folds, seed=10)))


def test_too_few_images_for_the_folds_are_named() -> None:
    with pytest.raises(DataError, match=r"'crack' .* has 2 image.*at most 2 folds"):
        stratified_folds(table_of(np.repeat([0, 1], [9, 2]), ["road", "crack"]), 3, 0)
    with pytest.raises(DataError, match="at least two folds"):
        stratified_folds(table_of(np.repeat([0, 1], [9, 2]), ["road", "crack"]), 1, 0)
