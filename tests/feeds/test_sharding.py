"""What several processes read: equal steps, and every sample once."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

import scene_lightning as keras
from scene_lightning.errors import DataError
from scene_lightning.feeds.as_feed import as_feed
from scene_lightning.feeds.sharding import Spare, cut, deal, rank_batches, rounds_in, steps_per_epoch
from scene_lightning.preprocessing.image import ImageDataGenerator
from scene_lightning.utils.dataset import Dataset


@given(n=st.integers(1, 60), batch_size=st.integers(1, 9), world_size=st.integers(1, 5))
def test_evaluation_counts_every_image_once(n: int, batch_size: int, world_size: int) -> None:
    if n < world_size:
        with pytest.raises(DataError, match="devices"):
            steps_per_epoch(n, batch_size, world_size, False)
        return
    order = np.random.default_rng(n).permutation(n)
    ranks = [rank_batches(cut(order, batch_size), batch_size, rank, world_size, False) for rank in range(world_size)]
    assert {len(one) for one in ranks} == {steps_per_epoch(n, batch_size, world_size, False)}
    assert all(len(batch) for one in ranks for batch in one)
    assert max(len(batch) for one in ranks for batch in one) <= max(batch_size, 2)
    np.testing.assert_array_equal(np.concatenate([batch for one in ranks for batch in one]), order)


@given(n=st.integers(1, 60), batch_size=st.integers(1, 9), world_size=st.integers(1, 5))
def test_training_takes_the_batches_of_one_process(n: int, batch_size: int, world_size: int) -> None:
    plan = cut(np.random.default_rng(n).permutation(n), batch_size)
    ranks = [rank_batches(plan, batch_size, rank, world_size, True) for rank in range(world_size)]
    assert {len(one) for one in ranks} == {len(plan)} == {steps_per_epoch(n, batch_size, world_size, True)}
    for whole, parts in zip(plan, zip(*ranks, strict=True), strict=True):
        np.testing.assert_array_equal(np.sort(np.concatenate(parts)), np.sort(whole))
        assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_process_without_a_part_reads_a_spare_batch() -> None:
    feed = as_feed(np.arange(5.0)[:, None], np.arange(5), batch_size=4, shuffle=False, training=True)
    shares = [list(feed.batches(0, rank, 2)) for rank in range(2)]
    assert [len(share) for share in shares] == [feed.steps_on(2)] * 2 == [2, 2]
    assert isinstance(shares[1][1], Spare) and shares[1][1].batch[1].tolist() == [4]
    counted = [batch[1].tolist() for share in shares for batch in share if not isinstance(batch, Spare)]
    assert counted == [[0, 2], [4], [1, 3]]


def _batches(samples, size):
    numbers = torch.arange(samples)
    return [(numbers[i : i + size], None) for i in range(0, samples, size)]


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("world_size", [1, 2, 3, 5])
@pytest.mark.parametrize(("samples", "size"), [(60, 12), (60, 10), (61, 12), (7, 3), (25, 6), (13, 6), (5, 1), (11, 2)])
def test_every_sample_comes_once_in_equal_steps(samples, size, world_size, training):
    batches = _batches(samples, size)
    shares = [list(deal(((lambda b=b: b) for b in batches), rank, world_size, training)) for rank in range(world_size)]
    assert {len(share) for share in shares} == {rounds_in(len(batches), size, samples, world_size, training)}
    seen = [int(n) for share in shares for batch, _ in share for n in batch]
    assert set(seen) == set(range(samples))
    assert all(len(batch) for share in shares for batch, _ in share)
    if not training:
        assert len(seen) == samples
    else:
        assert len(seen) - samples < world_size


def test_a_loader_may_leave_out_samples_of_its_data_set():
    """It gives 3 batches of one of a set of 100."""
    shares = [list(deal(((lambda b=b: b) for b in _batches(3, 1)), rank, 2, False)) for rank in range(2)]
    assert [len(share) for share in shares] == [rounds_in(3, 1, 100, 2, False)] * 2 == [1, 1]


class Negative(ImageDataGenerator):
    """Changes what a call does, so that its iterators are called."""

    def standardize(self, x):
        return -super().standardize(x)


@pytest.mark.parametrize("world_size", [1, 2, 3])
@pytest.mark.parametrize(("samples", "size"), [(5, 1), (9, 2), (12, 4), (4, 4)])
@pytest.mark.parametrize("kind", ["arrays", "iterator", "called iterator"])
def test_an_evaluation_counts_each_sample_once(samples, size, world_size, kind):
    x = np.arange(samples, dtype=np.float32).reshape(-1, 1, 1, 1)
    generator = {"iterator": ImageDataGenerator, "called iterator": Negative}.get(kind)
    data = (x, x) if generator is None else (generator().flow(x, x.ravel(), batch_size=size, shuffle=False),)
    feed = as_feed(*data, batch_size=size, shuffle=False, training=False)
    shares = [
        [feed.to_device_batch(batch, 0, False)[1].ravel() for batch in feed.batches(0, rank, world_size)]
        for rank in range(world_size)
    ]
    assert {len(share) for share in shares} == {feed.steps_on(world_size)}
    seen = torch.cat([labels for share in shares for labels in share])
    assert sorted(seen.tolist()) == list(range(samples))


@given(
    samples=st.integers(4, 40), size=st.integers(1, 7), steps=st.integers(1, 12), world_size=st.integers(1, 4),
    kind=st.sampled_from(["arrays", "shuffled iterator", "loader", "sequence"]),
)  # fmt: skip
def test_an_evaluation_of_so_many_steps_counts_the_samples_of_one_device(samples, size, steps, world_size, kind):
    steps = min(steps, -(-samples // size))
    numbers = np.arange(samples)
    batches = _batches(samples, size)
    if kind in ("loader", "sequence") and min(steps * size, samples) < world_size:
        return  # refused: test_too_few_to_evaluate
    if kind == "arrays":
        source = (numbers, numbers)
    elif kind == "shuffled iterator":
        source = (ImageDataGenerator().flow(numbers.reshape(-1, 1, 1, 1), numbers, batch_size=size, seed=3),)
    elif kind == "loader":
        pairs = torch.utils.data.TensorDataset(torch.arange(samples), torch.arange(samples))
        source = (torch.utils.data.DataLoader(pairs, batch_size=size),)
    else:
        source = (_as(kind, [(x, x) for x, _ in batches]),)

    def shares(devices):
        feeds = [as_feed(*source, batch_size=size, training=False, steps=steps) for _ in range(devices)]
        read = [
            [feed.to_device_batch(batch, 0, False)[1].ravel() for batch in feed.batches(0, rank, devices)]
            for rank, feed in enumerate(feeds)
        ]
        return read, feeds[0].steps_on(devices)

    (one,), _ = shares(1)
    several, steps_each = shares(world_size)
    assert max(map(len, several)) == (steps_each or len(several[0])) and len(one) == steps
    seen = sorted(torch.cat([labels for share in several for labels in share]).tolist())
    expected = sorted(torch.cat(one).tolist())
    if kind == "sequence":  # whose batches are cut and joined, and come twice only where they cannot be
        seen = sorted(set(seen))
    assert seen == expected


@pytest.mark.soak
def test_two_processes_validate_the_steps_of_one():
    rng = np.random.default_rng(0)
    x, y = rng.random((41, 6, 6, 3)).astype(np.float32), rng.integers(0, 2, 41)
    one, two = (
        _trained(x, (x, y), y=y, batch_size=5, validation_steps=3, **options)
        for options in ({}, {"devices": 2, "strategy": "ddp_fork"})
    )
    for name in ("val_accuracy", "val_loss"):
        np.testing.assert_allclose(two[name], one[name], rtol=1e-5)


def test_arrays_of_fewer_samples_than_processes_can_be_evaluated():
    feed = as_feed(np.zeros((2, 3)), np.arange(2), training=False)
    shares = [[batch[1].tolist() for batch in feed.batches(0, rank, 3)] for rank in range(3)]
    assert shares == [[[0]], [[1]], []] and feed.steps_on(3) == 1


def test_too_few_to_evaluate():
    with pytest.raises(DataError, match="devices=2"):
        list(deal(iter([lambda: (torch.arange(2), None)]), 0, 3, False))


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    image = pytest.importorskip("PIL.Image")
    root, rng = tmp_path_factory.mktemp("images"), np.random.default_rng(0)
    for name in ("a", "b"):
        (root / name).mkdir()
        for i in range(15):
            pixels = rng.integers(0, 128, (6, 6, 3)) + 100 * (name == "b")
            image.fromarray(pixels.astype(np.uint8)).save(root / name / f"{i}.png")
    return root


def _datasets(folder, size, **options):
    options = {"image_size": (6, 6), "batch_size": size, "seed": 3, "verbose": False, **options}
    return keras.utils.image_dataset_from_directory(folder, validation_split=0.3, subset="both", **options)


class Sees(keras.callbacks.Callback):
    """Counts the steps of training."""

    steps = 0

    def on_train_batch_end(self, batch, logs=None):
        self.steps = batch + 1


def _trained(train, validation, **options):
    keras.utils.set_random_seed(1)
    model = keras.Sequential(
        [keras.Input((6, 6, 3)), keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=True)
    model.compile(keras.optimizers.SGD(0.0), loss, metrics=["accuracy"])
    options = {"epochs": 2, "accelerator": "cpu", "verbose": 0, **options}
    return model.fit(train, validation_data=validation, **options).history


@pytest.mark.parametrize("size", [7, 6, 3])  # 21 images for training: 3, 4 and 7 batches; 9 to validate: 2, 2 and 3
@pytest.mark.parametrize("kind", ["folder", "loader", "sequence"])
def test_two_processes_count_what_one_does(folder, size, kind):
    train, validation = _datasets(folder, size)
    if kind != "folder":
        parts = [[(x.numpy(), y.numpy()) for x, y in data] for data in (train, validation)]
        train, validation = (_as(kind, part) for part in parts)
    one = _trained(train, validation, shuffle=False)
    two = _trained(train, validation, shuffle=False, devices=2, strategy="ddp_fork")
    assert list(one) == list(two) == ["accuracy", "loss", "val_accuracy", "val_loss"]
    for name in ("val_accuracy", "val_loss"):
        np.testing.assert_allclose(two[name], one[name], rtol=1e-5)
    if size == 7 or kind == "folder":  # nobody comes twice: 3 batches of 7, or a last one that two can share
        np.testing.assert_allclose(two["loss"], one["loss"], rtol=1e-5)


def _as(kind, batches):
    if kind == "loader":
        tensors = [(torch.as_tensor(x), torch.as_tensor(y)) for x, y in batches]
        return torch.utils.data.DataLoader(tensors, batch_size=None)

    class Batches(keras.utils.Sequence):
        def __len__(self):
            return len(batches)

        def __getitem__(self, index):
            return batches[index]

    return Batches()


@pytest.mark.soak
def test_processes_that_are_started_take_datasets_along(folder):
    """With functions of the program's own in them, which plain pickle refuses."""
    train, validation = (data.map(lambda x, y: (x / 2, y)).cache() for data in _datasets(folder, 7))
    one = _trained(train, validation)
    two = _trained(train, validation, devices=2, strategy="ddp_spawn")
    for name in one:
        np.testing.assert_allclose(two[name], one[name], rtol=1e-5)


@pytest.mark.parametrize("way", [copy.deepcopy, lambda data: pickle.loads(pickle.dumps(data))])
def test_datasets_can_be_copied(folder, way):
    factor = 3
    data = _datasets(folder, 7)[0].map(lambda x, y: (x * factor, y)).take(2)
    data = Dataset.zip((data, Dataset.range(5))).prefetch(1)
    for (a, _), (b, _) in zip(way(data), data, strict=True):
        np.testing.assert_array_equal(a[0].numpy(), b[0].numpy())
    assert len(way(data)) == 2 and way(_datasets(folder, 7)[0]).class_names == ["a", "b"]
