"""Windows, and elements of several datasets: the results that TensorFlow's documentation gives."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from scene_lightning.errors import InputError
from scene_lightning.utils.dataset import INFINITE, Dataset


def numbers(dataset: Any) -> list[Any]:
    return [np.asarray(element).tolist() for element in dataset]


def test_interleave_takes_turns() -> None:  # the example of tf.data's page
    dataset = Dataset.range(1, 6).interleave(
        lambda x: Dataset.from_tensors(x).repeat(6), cycle_length=2, block_length=4
    )
    assert numbers(dataset) == [
        1,
        1,
        1,
        1,
        2,
        2,
        2,
        2,
        1,
        1,
        2,
        2,
        3,
        3,
        3,
        3,
        4,
        4,
        4,
        4,
        3,
        3,
        4,
        4,
        5,
        5,
        5,
        5,
        5,
        5,
    ]


def test_windows_are_datasets() -> None:  # the examples of tf.data's page
    assert [numbers(window) for window in Dataset.range(7).window(3)] == [[0, 1, 2], [3, 4, 5], [6]]
    assert [numbers(w) for w in Dataset.range(7).window(3, drop_remainder=True)] == [[0, 1, 2], [3, 4, 5]]
    shifted = Dataset.range(7).window(3, shift=2, drop_remainder=True)
    assert [numbers(w) for w in shifted] == [[0, 1, 2], [2, 3, 4], [4, 5, 6]]
    assert [numbers(w) for w in Dataset.range(7).window(3, 1, 2, True)] == [[0, 2, 4], [1, 3, 5], [2, 4, 6]]
    assert [numbers(w) for w in Dataset.range(7).window(2, 3)] == [[0, 1], [3, 4], [6]]
    flat = Dataset.range(4).window(2, shift=1, drop_remainder=True).flat_map(lambda w: w.batch(2))
    assert numbers(flat) == [[0, 1], [1, 2], [2, 3]]
    pair = next(iter(Dataset.zip(Dataset.range(3), Dataset.range(3)).window(2)))
    assert [numbers(part) for part in pair] == [[0, 1], [0, 1]]
    with pytest.raises(InputError, match="at least 1"):
        Dataset.range(3).window(0)


def test_sampling_from_datasets() -> None:
    ones, tens = Dataset.range(10), Dataset.range(100, 110)
    both = Dataset.sample_from_datasets([ones, tens], [0.5, 0.5], seed=1)
    assert sorted(numbers(both)) == [*range(10), *range(100, 110)] and len(both) == 20
    assert set(numbers(Dataset.sample_from_datasets([ones, tens], [0.0, 1.0]))) == set(range(100, 110))
    endless = Dataset.sample_from_datasets([ones.repeat(), tens.repeat()])
    assert int(endless.cardinality()) == INFINITE
    drawn = numbers(endless.take(200))
    assert 60 < sum(number >= 100 for number in drawn) < 140
    chosen = Dataset.choose_from_datasets([ones, tens], Dataset.from_tensor_slices([1, 0, 1]))
    assert numbers(chosen) == [100, 0, 101]


def test_padded_batches_scan_and_take_while() -> None:
    rows = Dataset.range(1, 4).map(lambda n: n.repeat(int(n)))
    assert numbers(rows.padded_batch(2)) == [[[1, 0], [2, 2]], [[3, 3, 3]]]
    assert numbers(Dataset.range(5).scan(0, lambda state, n: (state + n, state + n))) == [0, 1, 3, 6, 10]
    assert numbers(Dataset.range(9).take_while(lambda n: n < 3)) == [0, 1, 2]


def test_texts_of_a_table_are_elements() -> None:
    names = np.array(["a.jpg", "b.jpg"], dtype=object)  # what pandas' `.values` gives
    elements = list(Dataset.from_tensor_slices((names, np.array([0.5, 1.0]))))
    assert [name for name, _ in elements] == ["a.jpg", "b.jpg"]
    assert [name.numpy() for name in Dataset.from_tensor_slices(np.array(["a", "b"]))] == [b"a", b"b"]
