"""What `fit` reads: every kind of data as a feed, in Keras' order and with Keras' leftovers."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from scene_lightning.errors import InputError
from scene_lightning.feeds.arrays import ArrayFeed
from scene_lightning.feeds.as_feed import as_feed
from scene_lightning.feeds.wrappers import SteppedFeed

X = np.arange(20, dtype=np.float64).reshape(10, 2)
Y = np.arange(10)


def joined(batches):
    return [sample for batch in batches for sample in batch]


def first_column(feed, epoch=0, **kwargs):
    out = []
    for batch in feed.batches(epoch, **kwargs):
        x, _, _ = feed.to_device_batch(batch, epoch, True)
        out.append((x[:, 0] / 2).int().tolist())
    return out


def test_arrays_keep_order_and_the_last_partial_batch():
    feed = as_feed(X, Y, batch_size=4, shuffle=False, training=True)
    assert first_column(feed) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]
    assert (feed.steps, feed.samples) == (3, 10)
    x, y, w = next(iter(feed.batches(0)))
    assert x.dtype == torch.float32 and y.dtype == torch.int64 and w is None


def test_shuffling_is_a_function_of_seed_and_epoch():
    torch.manual_seed(5)
    feed, same = as_feed(X, Y, batch_size=4, training=True), None
    torch.manual_seed(5)
    same = as_feed(X, Y, batch_size=4, training=True)
    assert first_column(feed, 0) == first_column(same, 0)
    assert first_column(feed, 0) != first_column(feed, 1)
    assert sorted(joined(first_column(feed, 1))) == list(range(10))


def test_batch_shuffling_stays_inside_batches():
    feed = ArrayFeed(X, Y, None, 4, shuffle="batch")
    assert [sorted(batch) for batch in first_column(feed, 3)] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_ranks_take_each_batch_together():
    feed = as_feed(X, Y, batch_size=4, training=True)
    parts = [first_column(feed, 0, rank=rank, world_size=2) for rank in range(2)]
    whole = first_column(feed, 0)
    assert [sorted(one + two) for one, two in zip(*parts, strict=True)] == [sorted(batch) for batch in whole]


def test_steps_go_on_where_the_last_epoch_stopped():
    feed = as_feed(X, Y, batch_size=4, shuffle=False, training=True, steps=2)
    assert first_column(feed, 0) == [[0, 1, 2, 3], [4, 5, 6, 7]]
    with pytest.warns(UserWarning, match="ran out of data"):
        assert first_column(feed, 1) == [[8, 9]]
    assert first_column(feed, 2) == [[0, 1, 2, 3], [4, 5, 6, 7]]


def test_steps_beyond_the_data_loop_when_asked():
    feed = as_feed(X, Y, batch_size=4, shuffle=False, training=True, steps=5.5, loop=True)
    assert feed.steps == 6
    assert first_column(feed, 0) == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]] * 2


def test_generators_go_on_and_can_be_peeked():
    feed = as_feed(((X[i : i + 2], Y[i : i + 2]) for i in range(0, 10, 2)), training=True, steps=2)
    assert feed.peek()[:, 0].tolist() == [0.0, 2.0]
    assert first_column(feed, 0) == [[0, 1], [2, 3]]
    assert first_column(feed, 1) == [[4, 5], [6, 7]]


def test_sequence_is_indexed_and_told_of_epochs():
    class Numbers:
        ended = 0

        def __len__(self):
            return 3

        def __getitem__(self, index):
            return X[index * 2 : index * 2 + 2], Y[:2]

        def on_epoch_end(self):
            self.ended += 1

    numbers = Numbers()
    feed = as_feed(numbers, training=True, shuffle=False)
    assert first_column(feed) == [[0, 1], [2, 3], [4, 5]]
    feed.on_epoch_end()
    assert numbers.ended == 1
    assert sorted(first_column(as_feed(numbers, training=True))) == [[0, 1], [2, 3], [4, 5]]


def test_class_weight_looks_up_one_hot_and_integer_labels():
    one_hot = np.eye(3, dtype=np.float32)[[0, 1, 2, 1]]
    for y in (one_hot, one_hot.astype(bool), np.array([0, 1, 2, 1]), np.array([[0], [1], [2], [1]])):
        feed = as_feed(X[:4], y, training=True, shuffle=False, class_weight={0: 2.0, 1: 0.5})
        batch = next(iter(feed.batches(0)))
        assert feed.to_device_batch(batch, 0, True)[2].tolist() == [2.0, 0.5, 1.0, 0.5]


def test_lists_of_images_are_one_input():
    feed = as_feed([np.zeros((4, 4, 3))] * 3, [0, 1, 2], training=True)
    assert next(iter(feed.batches(0)))[0].shape == (3, 4, 4, 3)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"x": X, "y": Y[:5]}, "lengths \\[5, 10\\]"),
        ({"x": None}, "no data"),
        ({"x": X[:0], "y": Y[:0]}, "empty"),
        ({"x": X, "y": Y, "batch_size": -4}, "batch_size"),
        ({"x": iter([1]), "y": Y}, "must not be given"),
        ({"x": 5}, "Cannot read batches"),
        ({"x": X, "y": np.array(["a"] * 10)}, "strings"),
        ({"x": [np.zeros((2, 2)), np.zeros((3, 2))], "y": [0, 1]}, "ambiguous|one array"),
        ({"x": X, "y": Y, "class_weight": {0: 1}, "sample_weight": Y}, "at the same time"),
    ],
)
def test_wrong_data_is_named(arguments, words):
    with pytest.raises(InputError, match=words):
        feed = as_feed(training=True, **arguments)
        list(feed.batches(0))


def test_validation_restarts_each_time():
    feed = as_feed(X, Y, batch_size=4, shuffle=False, training=False, steps=2)
    assert isinstance(feed, SteppedFeed)
    assert first_column(feed, 0) == first_column(feed, 1) == [[0, 1, 2, 3], [4, 5, 6, 7]]
