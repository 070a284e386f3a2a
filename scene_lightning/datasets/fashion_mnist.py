"""Fashion-MNIST, 70,000 pictures of clothes: `keras.datasets.fashion_mnist`."""

from __future__ import annotations

import gzip

import numpy as np

from scene_lightning.datasets import _cache
from scene_lightning.errors import DataError

__all__ = ["load_data"]

_ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets"


def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Load Fashion-MNIST: 60,000 training and 10,000 test pictures of ten kinds of clothes.

    The four files are those that Keras keeps in `~/.keras/datasets/fashion-mnist`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 images of shape (images, 28, 28), uint8 labels of shape (images,).

    Raises:
        MissingFileError: a file is not there; the message names it and its place.
        DataError: one is cut short.
    """
    return _split("train"), _split("t10k")


def _split(kind: str) -> tuple[np.ndarray, np.ndarray]:
    labels = _bytes(f"{kind}-labels-idx1-ubyte.gz", 8)
    images = _bytes(f"{kind}-images-idx3-ubyte.gz", 16)
    if images.size != labels.size * 28 * 28:
        raise DataError(f"fashion_mnist: {kind} has {labels.size} labels and {images.size} pixels, not 784 each.")
    return images.reshape(-1, 28, 28), labels


def _bytes(name: str, header: int) -> np.ndarray:
    path = _cache.find("fashion_mnist", [name], f"{_ORIGIN}/{name}", "fashion-mnist")
    with gzip.open(path) as file:
        return np.frombuffer(file.read(), np.uint8, offset=header)
