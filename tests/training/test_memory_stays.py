"""A process that calls the verbs again and again takes no more memory for it."""

from __future__ import annotations

import gc
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scene_lightning as keras

pytestmark = [
    pytest.mark.soak,
    pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="reads the memory in use from /proc: Linux only"),
]
X = np.random.default_rng(0).random((32, 16, 16, 3), dtype=np.float32)
Y = np.eye(3, dtype=np.float32)[np.arange(32) % 3]


def network() -> Any:
    layers = keras.layers
    convolution = [layers.Conv2D(8, 3, activation="relu"), layers.MaxPooling2D(), layers.BatchNormalization()]
    model = keras.Sequential(
        [keras.Input((16, 16, 3)), *convolution, layers.Flatten(), layers.Dense(3, activation="softmax")]
    )
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def in_use() -> float:
    """MiB in use by this process."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


@pytest.mark.parametrize("verb, calls", [("predict", 1000), ("evaluate", 300), ("fit", 100), ("new models", 100)])
def test_memory_stays_the_same(verb: str, calls: int) -> None:
    model = network()

    def call() -> None:
        if verb == "predict":
            model.predict(X[:4], verbose=0)
        elif verb == "evaluate":
            model.evaluate(X, Y, verbose=0)
        elif verb == "fit":
            model.fit(X, Y, verbose=0, validation_data=(X, Y))
        else:
            one = network()
            one.fit(X, Y, verbose=0)
            one.predict(X, verbose=0)

    for _ in range(max(20, calls // 4)):  # libraries and allocators take what they keep
        call()
    gc.collect()
    before, objects = in_use(), len(gc.get_objects())
    for _ in range(calls):
        call()
    assert in_use() - before < 4, "MiB more"
    assert len(gc.get_objects()) - objects < 10 * calls**0.5, "objects more"
