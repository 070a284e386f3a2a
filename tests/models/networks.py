"""The paper's network, written once and built with either library: `paper_network(keras)`."""

from __future__ import annotations

from typing import Any


def paper_network(keras: Any, dropout: float = 0.2, size: int = 150, classes: int = 6, dtype: Any = None) -> Any:
    """Four convolutional blocks and four dense layers, in the paper's order. `keras`: the module to build with."""
    layers = keras.layers
    model = keras.models.Sequential()
    if dtype is not None:
        model.add(keras.Input((size, size, 3), dtype=dtype))
    for block, filters in enumerate((32, 64, 128, 256)):
        shape = {"input_shape": (size, size, 3)} if block == 0 and dtype is None else {}
        model.add(layers.Conv2D(filters, kernel_size=(3, 3), activation="relu", **shape))
        model.add(layers.MaxPooling2D(pool_size=(2, 2)))
        model.add(layers.BatchNormalization())
        model.add(layers.Dropout(dropout))
    model.add(layers.Flatten())
    for _ in range(4):
        model.add(layers.Dense(128, activation="relu"))
        model.add(layers.Dropout(dropout))
    model.add(layers.Dense(classes, activation="softmax"))
    return model
