"""CIFAR-10, 60,000 small photographs of ten kinds: `keras.datasets.cifar10`."""

from __future__ import annotations

import numpy as np

from scene_lightning.datasets import _cifar

__all__ = ["load_data"]


def load_data() -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Load CIFAR-10: 50,000 training and 10,000 test photographs of ten kinds.

    What Keras has in `~/.keras/datasets` is read, and the archives as they are given out: `cifar-10-python.tar.gz` and
    `cifar-10-binary.tar.gz`.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 images of shape (images, 32, 32, 3), uint8 labels of shape
        (images, 1).

    Raises:
        MissingFileError: none of them is there; the message names the file and its place.
        DataError: one is cut short.
    """
    return _cifar.load("cifar10", "cifar-10", "cifar-10-batches-py", label_bytes=1, label=b"labels", label_at=0)
