"""MNIST, 70,000 handwritten digits: `keras.datasets.mnist`."""

from __future__ import annotations

import os

import numpy as np

from scene_lightning.datasets import _cache
from scene_lightning.errors import DataError

__all__ = ["load_data"]

_ORIGIN = "https://storage.googleapis.com/tensorflow/tf-keras-datasets/mnist.npz"
_ARRAYS = ("x_train", "y_train", "x_test", "y_test")


def load_data(path: str = "mnist.npz") -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Load MNIST: 60,000 training and 10,000 test images of handwritten digits.

    Args:
        path: the file that Keras gives out: an absolute path, a name in `~/.keras/datasets`, or one in the working
            folder.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 images of shape (images, 28, 28), uint8 labels of shape (images,).

    Raises:
        MissingFileError: there is no such file; the message names it and its place.
        DataError: it lacks an array.
    """
    path = os.path.expanduser(os.fspath(path))
    here = [os.path.abspath(path)] if os.path.isfile(path) else []  # beside the script, as on Kaggle
    file = _cache.find("mnist", [path, os.path.basename(path), *here], _ORIGIN)
    with np.load(file, allow_pickle=False) as arrays:
        missing = set(_ARRAYS) - set(getattr(arrays, "files", ()))
        if missing:
            raise DataError(f"{file!r} lacks {sorted(missing)}. Expected the mnist.npz that Keras gives out.")
        x_train, y_train, x_test, y_test = (arrays[name] for name in _ARRAYS)
    return (x_train, y_train), (x_test, y_test)
