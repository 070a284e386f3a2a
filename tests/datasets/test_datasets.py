"""The data sets of `keras.datasets` are read from every form in which Keras or their makers give them out."""

from __future__ import annotations

import gzip
import importlib
import io
import os
import pickle
import tarfile
from pathlib import Path

import keras
import numpy as np
import pytest

import scene_lightning as ours
from scene_lightning.errors import DataError, MissingFileError, UnsupportedError

RNG = np.random.default_rng(0)


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty `$KERAS_HOME/datasets`."""
    monkeypatch.setenv("KERAS_HOME", str(tmp_path / "home"))
    folder = tmp_path / "home" / "datasets"
    folder.mkdir(parents=True)
    return folder


def digits(path: Path) -> np.ndarray:
    path.parent.mkdir(parents=True, exist_ok=True)
    pixels = RNG.integers(0, 256, (3, 28, 28), dtype=np.uint8)
    np.savez(path, x_train=pixels, y_train=[1, 2, 3], x_test=pixels[:1], y_test=[4])
    return pixels


def test_mnist_lies_where_keras_looks(cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load = ours.datasets.mnist.load_data
    with pytest.raises(MissingFileError) as caught:
        load()
    assert str(cache / "mnist.npz") in str(caught.value) and "unsupported" not in str(caught.value).lower()
    pixels = digits(cache / "mnist.npz")
    (x, y), (x_test, y_test) = load()
    assert np.array_equal(x, pixels) and y.tolist() == [1, 2, 3] and len(x_test) == 1 and y_test.tolist() == [4]
    elsewhere = digits(tmp_path / "other" / "digits.npz")
    assert np.array_equal(load(path=str(tmp_path / "other" / "digits.npz"))[0][0], elsewhere)
    monkeypatch.chdir(tmp_path / "other")
    assert np.array_equal(load("digits.npz")[0][0], elsewhere)
    with pytest.raises(MissingFileError, match=r"nowhere/digits\.npz"):
        load(str(tmp_path / "nowhere" / "digits.npz"))
    np.savez(cache / "mnist.npz", x_train=pixels)
    with pytest.raises(DataError, match="lacks"):
        load()


def test_the_cache_is_in_the_home_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KERAS_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    pixels = digits(tmp_path / ".keras" / "datasets" / "mnist.npz")
    assert np.array_equal(ours.datasets.mnist.load_data()[0][0], pixels)


def test_fashion_mnist(cache: Path) -> None:
    with pytest.raises(MissingFileError, match=r"fashion-mnist/train-labels-idx1-ubyte\.gz"):
        ours.datasets.fashion_mnist.load_data()
    pixels = RNG.integers(0, 256, (2, 28, 28), dtype=np.uint8)
    (cache / "fashion-mnist").mkdir()
    for kind in ("train", "t10k"):
        for name, header, content in (("labels-idx1", 8, b"\x07\x09"), ("images-idx3", 16, pixels.tobytes())):
            with gzip.open(cache / "fashion-mnist" / f"{kind}-{name}-ubyte.gz", "wb") as file:
                file.write(bytes(header) + content)
    (x, y), (x_test, _) = ours.datasets.fashion_mnist.load_data()
    assert np.array_equal(x, pixels) and y.tolist() == [7, 9] and np.array_equal(x_test, pixels)


IMAGES = RNG.integers(0, 256, (4, 3, 32, 32), dtype=np.uint8)
LABELS = [3, 1, 4, 1]


def python_batch(labels: dict[str, list[int]], protocol: int = 2) -> bytes:
    return pickle.dumps({"data": IMAGES.reshape(4, -1), **labels}, protocol=protocol)


def tar(path: Path, folder: str, members: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            info = tarfile.TarInfo(f"{folder}/{name}")
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


PYTHON10 = {name: python_batch({"labels": LABELS}) for name in ("data_batch_1", "test_batch")}
BINARY10 = {
    f"{name}.bin": np.concatenate([np.array(LABELS, np.uint8)[:, None], IMAGES.reshape(4, -1)], 1).tobytes()
    for name in ("data_batch_1", "test_batch")
}


@pytest.mark.parametrize("form", ["binary", "python", "keras2", "keras2 folder", "keras3", "keras3 folder"])
def test_cifar10_is_read_in_every_form(cache: Path, form: str) -> None:
    with pytest.raises(MissingFileError, match=r"cifar-10-python\.tar\.gz"):
        ours.datasets.cifar10.load_data()
    name = {
        "binary": "cifar-10-binary.tar.gz", "python": "cifar-10-python.tar.gz", "keras2": "cifar-10-batches-py.tar.gz",
        "keras3": "cifar-10-batches-py-target_archive",
    }.get(form)  # fmt: skip
    if name is not None:
        tar(cache / name, "cifar-10-batches-py", BINARY10 if form == "binary" else PYTHON10)
    else:
        inner = "cifar-10-batches-py-target/cifar-10-batches-py" if "3" in form else "cifar-10-batches-py"
        (cache / inner).mkdir(parents=True)
        for file, content in PYTHON10.items():
            (cache / inner / file).write_bytes(content)
    (x, y), (x_test, y_test) = ours.datasets.cifar10.load_data()
    assert np.array_equal(x, IMAGES.transpose(0, 2, 3, 1)) and np.array_equal(x_test, x)
    assert y.tolist() == [[3], [1], [4], [1]] == y_test.tolist() and y.dtype == np.uint8


@pytest.mark.parametrize("protocol", [2, 4])
def test_cifar100_has_two_labels(cache: Path, protocol: int) -> None:
    labels = {"fine_labels": LABELS, "coarse_labels": [0, 1, 0, 1]}
    members = {name: python_batch(labels, protocol) for name in ("train", "test")}
    tar(cache / "cifar-100-python.tar.gz", "cifar-100-python", members)
    assert ours.datasets.cifar100.load_data()[0][1].ravel().tolist() == LABELS
    assert ours.datasets.cifar100.load_data("coarse")[1][1].ravel().tolist() == [0, 1, 0, 1]
    with pytest.raises(DataError, match="label_mode"):
        ours.datasets.cifar100.load_data("medium")


class Hostile:
    def __reduce__(self) -> object:
        return os.mkdir, ("hostile",)


@pytest.mark.parametrize(("content", "message"), [
    (pickle.dumps(Hostile()), "posix.mkdir|nt.mkdir"), (b"\x80\x02", "no batch"),
    (pickle.dumps({"data": 1}), "no batch"),
    (pickle.dumps({"data": np.zeros((1, 3)), "labels": [1]}), "no batch"),
])  # fmt: skip
def test_an_archive_runs_no_code(
    cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    monkeypatch.chdir(tmp_path)
    tar(cache / "cifar-10-python.tar.gz", "cifar-10-batches-py", {"data_batch_1": content, "test_batch": content})
    with pytest.raises(DataError, match=message):
        ours.datasets.cifar10.load_data()
    assert not (tmp_path / "hostile").exists()


@pytest.mark.parametrize("name", ["mnist", "fashion_mnist", "cifar10", "cifar100", "imdb", "reuters"])
def test_each_is_a_module_with_keras_functions(name: str) -> None:
    module = importlib.import_module(f"scene_lightning.datasets.{name}")
    assert module is getattr(ours.datasets, name)
    public = {function for function in dir(getattr(keras.datasets, name)) if not function.startswith("_")}
    assert public <= set(module.__all__)


@pytest.mark.parametrize("name", ["boston_housing", "california_housing", "imdb", "reuters"])
def test_data_without_images_is_named_so(name: str) -> None:
    with pytest.raises(UnsupportedError, match=rf"keras\.datasets\.{name}\.load_data is not supported.*images"):
        getattr(ours.datasets, name).load_data()
