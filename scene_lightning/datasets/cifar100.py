"""CIFAR-100, 60,000 small photographs of a hundred kinds: `keras.datasets.cifar100`."""

from __future__ import annotations

import numpy as np

from scene_lightning.datasets import _cifar
from scene_lightning.errors import DataError

__all__ = ["load_data"]


def load_data(label_mode: str = "fine") -> tuple[tuple[np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]:
    """Load CIFAR-100: 50,000 training and 10,000 test photographs of a hundred kinds.

    What Keras has in `~/.keras/datasets` is read, and the archives as they are given out: `cifar-100-python.tar.gz` and
    `cifar-100-binary.tar.gz`.

    Args:
        label_mode: "fine" for labels 0 to 99, or "coarse" for 0 to 19.

    Returns:
        `(x_train, y_train), (x_test, y_test)`: uint8 images of shape (images, 32, 32, 3), uint8 labels of shape
        (images, 1).

    Raises:
        MissingFileError: none of them is there; the message names the file and its place.
        DataError: one is cut short, or an unknown label_mode.
    """
    if label_mode not in ("fine", "coarse"):
        raise DataError(f"Expected label_mode 'fine' or 'coarse'; received {label_mode!r}.")
    label = f"{label_mode}_labels".encode()
    return _cifar.load(
        "cifar100", "cifar-100", "cifar-100-python", label_bytes=2, label=label, label_at=int(label_mode == "fine")
    )
