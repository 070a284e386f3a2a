"""One library, one case in; seconds a step out, as one JSON line. Each side runs in a process of its own.

Usage: python -m benchmarks.side SIDE CASE STEPS BATCH
SIDE: ours, keras-torch, keras-tensorflow, keras-jax, lightning
"""

from __future__ import annotations

import json
import os
import sys
import time
from typing import Any

import numpy as np

SIZE, CLASSES = 150, 6
WARM_UP = 3


def images(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Random photographs' stand-ins: float32 in 0..1, and one-hot labels."""
    rng = np.random.default_rng(0)
    return rng.random((count, SIZE, SIZE, 3), dtype=np.float32), np.eye(CLASSES, dtype=np.float32)[
        rng.integers(0, CLASSES, count)
    ]


def paper_network(keras: Any) -> Any:
    """The paper's network with Keras' words."""
    layers = keras.layers
    model = keras.Sequential([layers.Input((SIZE, SIZE, 3))])
    for filters in (32, 64, 128, 256):
        model.add(layers.Conv2D(filters, (3, 3), activation="relu"))
        model.add(layers.MaxPooling2D((2, 2)))
        model.add(layers.BatchNormalization())
        model.add(layers.Dropout(0.2))
    model.add(layers.Flatten())
    for _ in range(4):
        model.add(layers.Dense(128, activation="relu"))
        model.add(layers.Dropout(0.2))
    model.add(layers.Dense(CLASSES, activation="softmax"))
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"])
    return model


def plain_lightning() -> tuple[Any, Any]:
    """The same network the usual way: NCHW modules, a LightningModule, a Trainer."""
    import lightning as L
    import torch
    from torch import nn

    blocks: list[Any] = []
    channels = 3
    for filters in (32, 64, 128, 256):
        blocks += [
            nn.Conv2d(channels, filters, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.BatchNorm2d(filters),
            nn.Dropout(0.2),
        ]
        channels = filters
    blocks += [nn.Flatten()]
    width = 12_544
    for _ in range(4):
        blocks += [nn.Linear(width, 128), nn.ReLU(), nn.Dropout(0.2)]
        width = 128
    network = nn.Sequential(*blocks, nn.Linear(128, CLASSES))

    class Module(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = network

        def training_step(self, batch: Any, index: int) -> Any:
            x, y = batch
            return nn.functional.cross_entropy(self.network(x), y)

        def predict_step(self, batch: Any, index: int) -> Any:
            return self.network(batch[0]).softmax(-1)

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters())

    trainer = L.Trainer(max_epochs=1, logger=False, enable_checkpointing=False, enable_progress_bar=False,
                        enable_model_summary=False, accelerator="cpu")  # fmt: skip
    return Module(), trainer


def measure_lightning(case: str, steps: int, batch: int) -> float:
    """Seconds a step of the plain Lightning program."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    x, y = images((steps + WARM_UP) * batch)
    data = TensorDataset(torch.from_numpy(x).permute(0, 3, 1, 2).contiguous(), torch.from_numpy(y))
    stamps: list[float] = []

    class Timed(DataLoader[Any]):
        def __iter__(self) -> Any:
            for item in super().__iter__():
                stamps.append(time.perf_counter())
                yield item
            stamps.append(time.perf_counter())

    module, trainer = plain_lightning()
    run = trainer.fit if case == "train" else trainer.predict
    run(module, Timed(data, batch_size=batch))
    return (stamps[-1] - stamps[WARM_UP]) / steps


def measure_keras(keras: Any, case: str, steps: int, batch: int) -> float:
    """Seconds a step of a program with Keras' words, its first steps left out."""
    x, y = images((steps + WARM_UP) * batch)
    model = paper_network(keras)
    stamps: list[float] = []

    class Clock(keras.callbacks.Callback):  # type: ignore[misc,name-defined]
        def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
            stamps.append(time.perf_counter())

        def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
            stamps.append(time.perf_counter())

    if case == "train":
        model.fit(x, y, batch_size=batch, epochs=1, verbose=0, callbacks=[Clock()])
    else:
        model.predict(x, batch_size=batch, verbose=0, callbacks=[Clock()])
    return (stamps[-1] - stamps[WARM_UP - 1]) / (len(stamps) - WARM_UP)


def main() -> None:
    side, case, steps, batch = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    if side.startswith("keras-"):
        os.environ["KERAS_BACKEND"] = side.removeprefix("keras-")
        import keras
    elif side == "ours":
        import scene_lightning as keras  # type: ignore[no-redef]
    seconds = measure_lightning(case, steps, batch) if side == "lightning" else measure_keras(keras, case, steps, batch)
    print(json.dumps({"side": side, "case": case, "seconds_per_step": seconds, "images_per_second": batch / seconds}))


if __name__ == "__main__":
    main()
