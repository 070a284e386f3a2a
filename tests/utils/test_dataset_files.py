"""`Dataset.save` and `Dataset.load`: every kind of element comes back as it was, and nothing is executed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.errors import DataError, InputError
from scene_lightning.utils.dataset import Dataset
from scene_lightning.utils.text import Text


def equal(one: Any, other: Any) -> bool:
    if isinstance(one, tuple):
        return isinstance(other, tuple) and all(map(equal, one, other)) and len(one) == len(other)
    if isinstance(one, dict):
        return list(one) == list(other) and all(equal(one[key], other[key]) for key in one)
    if isinstance(one, torch.Tensor):
        return one.dtype == other.dtype and one.shape == other.shape and bool((one == other).all())
    if isinstance(one, np.ndarray):
        return one.tolist() == other.tolist()
    return type(one) is type(other) and one == other


def elements() -> list[Any]:
    return [
        (
            {"image": torch.full((2 + n, 3), n, dtype=torch.uint8), "half": torch.tensor(n / 3, dtype=torch.bfloat16)},
            torch.tensor(n % 2 == 0),
            Text(f"name {n}"),
            bytes([n, 0, 0]),
            np.array(["a", "b" * n]),
            None,
        )
        for n in range(5)
    ]


@pytest.mark.parametrize("compression", [None, "GZIP"])
def test_every_kind_of_element_comes_back(tmp_path: Path, compression: str | None) -> None:
    Dataset(lambda _: iter(elements()), 5).save(tmp_path / "a/b", compression=compression)
    again = Dataset.load(tmp_path / "a/b")
    assert len(again) == 5
    for _ in range(2):  # it can be read again
        assert all(equal(one, other) for one, other in zip(elements(), again, strict=True))


def test_batches_train_as_before(tmp_path: Path) -> None:
    x, y = np.random.default_rng(0).normal(size=(700, 3)).astype("float32"), np.ones((700, 1), np.float32)
    dataset = Dataset.from_tensor_slices((x, y)).batch(1)  # more batches than one file holds
    dataset.class_names = ["one"]
    dataset.save(tmp_path / "data")
    loaded = Dataset.load(str(tmp_path / "data"))
    assert loaded.class_names == ["one"] and len(loaded) == 700
    assert len(list((tmp_path / "data").glob("*/*.npz"))) == 2

    def loss(data: Dataset) -> float:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        return float(model.fit(data, verbose=0).history["loss"][0])

    assert loss(loaded) == loss(dataset)
    assert len(list(loaded.unbatch().batch(100))) == 7
    mixed = Dataset.load(tmp_path / "data", reader_func=lambda parts: parts.interleave(lambda part: part))
    assert len(list(mixed)) == 700


def test_saving_again_replaces(tmp_path: Path) -> None:
    Dataset.range(3).save(tmp_path)
    Dataset.load(tmp_path).map(lambda n: n + 10).save(tmp_path)  # read while it is written anew
    assert [int(n) for n in Dataset.load(tmp_path)] == [10, 11, 12]
    assert len([path for path in tmp_path.iterdir() if path.is_dir()]) == 1


def test_what_cannot_be_saved_leaves_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no end"):
        Dataset.range(3).repeat().save(tmp_path / "a")
    uneven = Dataset(lambda _: iter([torch.tensor(1), (torch.tensor(1), torch.tensor(2))]), 2)
    with pytest.raises(InputError, match="one structure"):
        uneven.save(tmp_path / "b")
    with pytest.raises(InputError, match="compression"):
        Dataset.range(3).save(tmp_path / "c", compression="zstd")
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_what_is_no_saved_dataset_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"no dataset.json in it"):
        Dataset.load(tmp_path)
    (tmp_path / "dataset_spec.pb").touch()
    with pytest.raises(DataError, match="TensorFlow saved it"):
        Dataset.load(tmp_path)
    Dataset.range(3).save(tmp_path / "good")
    index = tmp_path / "good/dataset.json"
    told = json.loads(index.read_text())
    index.write_text(json.dumps({**told, "run": "../../elsewhere"}))
    with pytest.raises(DataError, match="points outside"):
        Dataset.load(tmp_path / "good")
    index.write_text(json.dumps(told))
    part = next((tmp_path / "good").glob("*/*.npz"))
    np.savez(part, **{"0": np.array([object()] * 3, dtype=object)})  # a pickle in NumPy's clothes
    with pytest.raises(DataError, match="Cannot read"):
        list(Dataset.load(tmp_path / "good"))
