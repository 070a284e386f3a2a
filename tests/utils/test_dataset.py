"""`Dataset`'s chained calls behave as `tf.data` documents them."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.errors import DataError
from scene_lightning.utils import Dataset, split_dataset
from scene_lightning.utils.dataset import AUTOTUNE


def values(dataset: Dataset) -> list[Any]:
    return [element.tolist() for element in dataset]


class TestSources:
    def test_slices_of_one_array_a_tuple_and_a_dict(self) -> None:
        assert values(Dataset.from_tensor_slices([1, 2, 3])) == [1, 2, 3]
        x, y = next(iter(Dataset.from_tensor_slices((np.ones((4, 2)), np.arange(4)))))
        assert x.dtype == torch.float64 and x.numpy().shape == (2,) and int(y) == 0
        assert next(iter(Dataset.from_tensor_slices({"a": [5, 6]})))["a"].item() == 5
        assert list(Dataset.from_tensor_slices(["a", "b"])) == ["a", "b"]

    def test_arrays_of_other_lengths_are_refused(self) -> None:
        with pytest.raises(ValueError, match=r"lengths \[2, 3\]"):
            Dataset.from_tensor_slices(([1, 2], [1, 2, 3]))

    def test_generators_are_called_anew_for_each_pass(self) -> None:
        dataset = Dataset.from_generator(lambda n: iter(range(n)), output_types="int32", args=(3,))
        assert values(dataset) == values(dataset) == [0, 1, 2]
        with pytest.raises(TypeError, match="length is unknown"):
            len(dataset)
        with pytest.raises(ValueError, match="must be a Python callable"):
            Dataset.from_generator([1, 2])  # type: ignore[arg-type]

    def test_single_elements_and_ranges(self) -> None:
        assert Dataset.from_tensors([1, 2]).get_single_element().tolist() == [1, 2]
        assert values(Dataset.range(2, 8, 3)) == [2, 5]


class TestCalls:
    def test_batches(self) -> None:
        dataset = Dataset.range(7).batch(3)
        assert values(dataset) == [[0, 1, 2], [3, 4, 5], [6]] and len(dataset) == 3
        assert values(Dataset.range(7).batch(3, drop_remainder=True)) == [[0, 1, 2], [3, 4, 5]]
        assert values(dataset.unbatch()) == list(range(7)) and len(dataset.unbatch()) == 7
        assert values(dataset.rebatch(4)) == [[0, 1, 2, 3], [4, 5, 6]]

    def test_images_of_other_sizes_cannot_be_stacked(self) -> None:
        dataset = Dataset.from_generator(lambda: iter([np.zeros((2, 2)), np.zeros((3, 3))])).batch(2)
        with pytest.raises(ValueError, match="Cannot batch tensors with different shapes"):
            list(dataset)
        with pytest.raises(ValueError, match="at least 1"):
            Dataset.range(3).batch(0)

    def test_take_skip_shard_concatenate_repeat(self) -> None:
        dataset = Dataset.range(5)
        assert (
            values(dataset.take(2)) == [0, 1]
            and len(dataset.take(9)) == 5
            and values(dataset.take(-1)) == [0, 1, 2, 3, 4]
        )
        assert values(dataset.skip(3)) == [3, 4] and len(dataset.skip(9)) == 0 and values(dataset.skip(-1)) == []
        assert values(dataset.shard(2, 1)) == [1, 3] and len(dataset.shard(2, 0)) == 3
        assert values(dataset.take(1).concatenate(dataset.skip(4))) == [0, 4]
        assert values(dataset.take(2).repeat(2)) == [0, 1, 0, 1] and len(dataset.repeat(3)) == 15

    def test_endless_and_unknown_lengths(self) -> None:
        endless = Dataset.range(2).repeat()
        assert values(endless.take(5)) == [0, 1, 0, 1, 0] and endless.cardinality().numpy() == -1
        with pytest.raises(TypeError, match="infinite"):
            len(endless)
        odd = Dataset.range(5).filter(lambda n: n % 2 == 1)
        assert values(odd) == [1, 3] and odd.cardinality() == -2
        assert list(Dataset.range(3).filter(lambda n: n > 5).repeat()) == []

    def test_map_gets_tuples_as_arguments_and_gives_tensors(self) -> None:
        pairs = Dataset.from_tensor_slices((np.arange(3, dtype=np.float32), np.arange(3)))
        mapped = pairs.map(lambda x, y: (x / 2, {"label": y}))
        assert [(x.item(), y["label"].item()) for x, y in mapped] == [(0.0, 0), (0.5, 1), (1.0, 2)]
        assert Dataset.range(1).map(lambda n: 2.5).get_single_element().dtype == torch.float32
        assert Dataset.range(1).map(lambda n: [n, n]).get_single_element().tolist() == [0, 0]

    def test_parallel_map_keeps_the_order_and_uses_threads(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("scene_lightning.utils.dataset.default_threads", lambda: 4)
        second_is_done = threading.Event()

        def work(n: torch.Tensor) -> torch.Tensor:
            if n == 1:
                second_is_done.set()
            assert n != 0 or second_is_done.wait(60), "the second element waits for the first"
            return n

        assert values(Dataset.range(20).map(work, num_parallel_calls=AUTOTUNE)) == list(range(20))

    def test_errors_in_threads_are_raised_here(self) -> None:
        def fail(n: torch.Tensor) -> torch.Tensor:
            raise RuntimeError("broken")

        with pytest.raises(RuntimeError, match="broken"):
            list(Dataset.range(3).map(fail, num_parallel_calls=2).prefetch(2))

    def test_zip_enumerate_flat_map_reduce(self) -> None:
        two = Dataset.zip(Dataset.range(3), Dataset.range(10, 20))
        assert [(a.item(), b.item()) for a, b in two] == [(0, 10), (1, 11), (2, 12)] and len(two) == 3
        assert len(Dataset.zip((Dataset.range(2), Dataset.range(5)))) == 2
        assert [(i.item(), n.item()) for i, n in Dataset.range(5, 7).enumerate(start=3)] == [(3, 5), (4, 6)]
        assert values(Dataset.range(3).flat_map(lambda n: Dataset.range(int(n)))) == [0, 0, 1]
        assert Dataset.range(5).reduce(0, lambda total, n: total + n).item() == 10

    def test_shuffle_is_a_function_of_seed_and_pass(self) -> None:
        first, second = (Dataset.range(20).shuffle(20, seed=3) for _ in range(2))
        one, two = values(first), values(first)
        assert one != two != list(range(20)) and sorted(one) == sorted(two) == list(range(20))
        assert values(second) == one
        fixed = Dataset.range(20).shuffle(20, seed=3, reshuffle_each_iteration=False)
        assert values(fixed) == values(fixed)

    def test_a_small_buffer_mixes_nearby_elements_only(self) -> None:
        order = values(Dataset.range(100).shuffle(5, seed=0))
        assert sorted(order) == list(range(100)) and all(n <= place + 4 for place, n in enumerate(order))

    def test_set_random_seed_decides_an_unseeded_shuffle(self) -> None:
        orders = []
        for _ in range(2):
            keras.utils.set_random_seed(5)
            orders.append(values(Dataset.range(20).shuffle(20)))
        assert orders[0] == orders[1]

    def test_cache_reads_its_source_once(self) -> None:
        reads: list[int] = []

        def count(n: torch.Tensor) -> torch.Tensor:
            reads.append(1)
            return n

        cached = Dataset.range(3).map(count).cache()
        next(iter(cached))  # an unfinished pass is not kept
        assert values(cached) == values(cached) == [0, 1, 2]
        assert len(reads) == 4

    def test_leaving_early_leaves_no_thread(self) -> None:
        before = set(threading.enumerate())
        for _ in Dataset.range(1000).prefetch(2):
            (thread,) = set(threading.enumerate()) - before
            break
        assert not thread.is_alive()

    def test_the_rest(self) -> None:
        dataset = Dataset.range(4)
        assert dataset.with_options(None) is dataset and values(dataset.apply(lambda d: d.take(1))) == [0]
        assert [type(n) for n in dataset.take(1).as_numpy_iterator()] == [np.ndarray]
        assert bool(dataset.take(0)) and "length=4" in repr(dataset)

    def test_element_spec(self) -> None:
        x, y = Dataset.from_tensor_slices((np.zeros((5, 3), np.float32), np.zeros(5, np.int32))).batch(2).element_spec
        assert (x.shape, x.dtype, y.shape, y.dtype) == ((None, 3), torch.float32, (None,), torch.int32)
        with pytest.raises(ValueError, match="empty"):
            _ = Dataset.range(0).element_spec


class TestFit:
    def make(self, n: int = 10) -> Dataset:
        x = np.random.default_rng(0).normal(size=(n, 4)).astype(np.float32)
        return Dataset.from_tensor_slices((x, (x.sum(1) > 0).astype(np.int64)))

    def test_feed_knows_its_lengths(self) -> None:
        feed = self.make().batch(4).lightning_feed(training=True)
        assert (feed.steps, feed.samples, feed.batch_size) == (3, 10, 4)
        x, y, weight = next(iter(feed.batches(0)))
        assert x.shape == (4, 4) and y.shape == (4,) and weight is None
        taken = self.make().batch(4).take(2).prefetch(2).lightning_feed(training=True)
        assert (taken.steps, taken.samples) == (2, 8)
        assert self.make().batch(4).repeat().lightning_feed(training=True).steps is None

    def test_feed_reads_a_pass_by_its_epoch(self) -> None:
        feed = Dataset.range(10).shuffle(10, seed=1).batch(10).lightning_feed(training=True)
        orders = [next(iter(feed.batches(epoch)))[0].tolist() for epoch in (0, 1, 1)]
        assert orders[0] != orders[1] == orders[2]

    def test_devices_share_the_batches(self) -> None:
        feed = Dataset.range(8).batch(2).lightning_feed(training=True)
        shares = [[b[0].tolist() for b in feed.batches(0, rank, 2)] for rank in range(2)]
        assert shares == [[[0, 1], [4, 5]], [[2, 3], [6, 7]]]

    def test_a_model_learns_from_it(self) -> None:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.layers.Dense(2, activation="softmax")])
        model.compile(keras.optimizers.Adam(0.1), "sparse_categorical_crossentropy", metrics=["accuracy"])
        data = self.make(64).shuffle(64).batch(16)
        history = model.fit(data, validation_data=data, epochs=3, verbose=0)
        assert history.history["loss"][-1] < history.history["loss"][0]
        assert model.predict(data.map(lambda x, y: x), verbose=0).shape == (64, 2)


class TestSplit:
    def test_datasets_and_arrays(self) -> None:
        left, right = split_dataset(np.arange(10), left_size=0.8)
        assert values(left) == list(range(8)) and values(right) == [8, 9] and len(right) == 2
        left, right = split_dataset(Dataset.range(10).batch(4), right_size=3)
        assert values(left) == [[0, 1, 2, 3], [4, 5, 6]] and values(right) == [[7, 8, 9]]
        pairs, _ = split_dataset((np.arange(4), np.arange(4) * 2), left_size=2)
        assert [(a.item(), b.item()) for a, b in pairs] == [(0, 0), (1, 2)]
        torch_set = torch.utils.data.TensorDataset(torch.arange(4))
        assert len(split_dataset(torch_set, left_size=1)[1]) == 3

    def test_shuffled_alike_by_a_seed(self) -> None:
        one, two = (values(split_dataset(np.arange(20), left_size=15, shuffle=True, seed=4)[0]) for _ in range(2))
        assert one == two != list(range(15))

    @pytest.mark.parametrize(
        "sizes",
        [
            {},
            {"left_size": 1.5},
            {"left_size": 20},
            {"left_size": 0.8, "right_size": 0.4},
            {"left_size": 6, "right_size": 6},
            {"left_size": "half"},
            {"left_size": 0.01},
            {"right_size": -1},
        ],
        ids=str,
    )
    def test_impossible_sizes(self, sizes: dict[str, Any]) -> None:
        with pytest.raises(ValueError):
            split_dataset(np.arange(10), **sizes)

    def test_what_is_no_dataset(self) -> None:
        with pytest.raises(ValueError, match="Received: dataset=3"):
            split_dataset(3, left_size=1)


def test_files_are_listed_by_pattern(tmp_path: Path) -> None:
    for name in ("b.jpg", "a.jpg", "c.png"):
        (tmp_path / name).touch()
    listed = list(Dataset.list_files(f"{tmp_path}/*.jpg", shuffle=False))
    assert [Path(path).name for path in listed] == ["a.jpg", "b.jpg"] and listed[0].numpy() == str(listed[0]).encode()
    assert len(Dataset.list_files([f"{tmp_path}/*.jpg", tmp_path / "*.png"], seed=1)) == 3
    with pytest.raises(DataError, match=r"No files matched"):
        Dataset.list_files(f"{tmp_path}/*.gif")
