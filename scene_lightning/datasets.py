"""The name of a small public data set in; its images and labels as arrays out, from files on this machine.

Keras: `keras.datasets`. Nothing is downloaded: the error says which file to put where. CIFAR is read from its binary
version, since the Python version is a pickle, which runs code when it is read.
"""

from __future__ import annotations

import gzip
import os
import tarfile
from types import SimpleNamespace
from typing import Any

import numpy as np

from scene_lightning._documented import absent, lookup
from scene_lightning.errors import DataError
from scene_lightning.utils.files import get_file

Split = tuple[np.ndarray, np.ndarray]

_KERAS = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"
_CIFAR = "https://www.cs.toronto.edu/~kriz"


def _local(name: str, path: str, origin: str) -> str:
    return path if os.path.isabs(path) and os.path.exists(path) else get_file(name, f"{origin}/{name}")


def _mnist(path: str = "mnist.npz") -> tuple[Split, Split]:
    """60,000 and 10,000 handwritten digits: uint8 (N, 28, 28), labels 0 to 9."""
    file = _local(os.path.basename(path), path, _KERAS)
    with np.load(file, allow_pickle=False) as arrays:
        missing = {"x_train", "y_train", "x_test", "y_test"} - set(arrays.files)
        if missing:
            raise DataError(f"{file!r} lacks {sorted(missing)}. Expected the mnist.npz that Keras gives out.")
        return (arrays["x_train"], arrays["y_train"]), (arrays["x_test"], arrays["y_test"])


def _fashion_mnist() -> tuple[Split, Split]:
    """60,000 and 10,000 pictures of clothes: uint8 (N, 28, 28), labels 0 to 9."""

    def read(name: str, skip: int) -> np.ndarray:
        with gzip.open(get_file(name, f"{_KERAS}/{name}", cache_subdir="datasets/fashion-mnist")) as file:
            return np.frombuffer(file.read(), np.uint8, offset=skip)

    splits = []
    for kind in ("train", "t10k"):
        labels = read(f"{kind}-labels-idx1-ubyte.gz", 8)
        splits.append((read(f"{kind}-images-idx3-ubyte.gz", 16).reshape(len(labels), 28, 28), labels))
    return splits[0], splits[1]


def _cifar(name: str, labels: int, kept: int) -> tuple[Split, Split]:
    rows: dict[bool, list[np.ndarray]] = {False: [], True: []}
    with tarfile.open(_local(name, name, _CIFAR)) as archive:
        for member in sorted(archive.getmembers(), key=lambda entry: entry.name):
            file = archive.extractfile(member) if member.name.endswith(".bin") else None
            if file is not None:
                whole = np.frombuffer(file.read(), np.uint8)
                if not whole.size or whole.size % (labels + 3072):
                    raise DataError(f"{member.name!r} in {name!r} is cut short: {whole.size} bytes.")
                rows["test" in os.path.basename(member.name)].append(whole.reshape(-1, labels + 3072))
    if not rows[False] or not rows[True]:
        raise DataError(f"{name!r} holds no training or no test images. Expected the binary version of the data set.")
    table = {kind: np.concatenate(parts) for kind, parts in rows.items()}
    train, test = (
        (part[:, labels:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1).copy(), part[:, kept : kept + 1].copy())
        for part in (table[False], table[True])
    )
    return train, test


def _cifar10() -> tuple[Split, Split]:
    """50,000 and 10,000 photographs: uint8 (N, 32, 32, 3), labels (N, 1), 0 to 9."""
    return _cifar("cifar-10-binary.tar.gz", 1, 0)


def _cifar100(label_mode: str = "fine") -> tuple[Split, Split]:
    """50,000 and 10,000 photographs: uint8 (N, 32, 32, 3), labels (N, 1), 0 to 99 ("fine") or 0 to 19 ("coarse")."""
    if label_mode not in ("fine", "coarse"):
        raise DataError(f"Expected label_mode 'fine' or 'coarse'; received {label_mode!r}.")
    return _cifar("cifar-100-binary.tar.gz", 2, int(label_mode == "fine"))


def _not_images(name: str) -> Any:
    advice = "This package classifies images: use mnist, fashion_mnist, cifar10, cifar100, or a folder of images"
    functions = ("load_data", "get_word_index", "get_label_names")
    return SimpleNamespace(**{function: absent(f"keras.datasets.{name}.{function}", advice) for function in functions})


mnist = SimpleNamespace(load_data=_mnist)
fashion_mnist = SimpleNamespace(load_data=_fashion_mnist)
cifar10 = SimpleNamespace(load_data=_cifar10)
cifar100 = SimpleNamespace(load_data=_cifar100)
boston_housing, california_housing, imdb, reuters = (
    _not_images(name) for name in ("boston_housing", "california_housing", "imdb", "reuters")
)

__all__ = [
    "boston_housing", "california_housing", "cifar10", "cifar100", "fashion_mnist", "imdb", "mnist", "reuters",
]  # fmt: skip

__getattr__ = lookup(__name__, __all__, {})
