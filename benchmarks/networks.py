"""The paper's network three ways: with Keras' words, and as an ordinary Lightning program; made-up photographs."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

SIZE, CLASSES, PARAMETERS = 150, 6, 2_046_406
AUGMENTATION: dict[str, Any] = {"shear_range": 0.2, "zoom_range": 0.2, "horizontal_flip": True}


def images(count: int, size: int = SIZE, classes: int = CLASSES) -> tuple[Any, Any]:
    """(count, size, size, 3) float32 in 0..1, brighter from class to class so that there is something to learn."""
    rng = np.random.default_rng(0)
    labels = rng.integers(0, classes, count)
    x = rng.random((count, size, size, 3), dtype=np.float32) * 0.5
    x += (labels / max(1, classes - 1) * 0.5).astype(np.float32)[:, None, None, None]
    return x, np.eye(classes, dtype=np.float32)[labels]


def draw_photographs(folder: Path, count: int, size: int = SIZE, classes: int = CLASSES) -> None:
    """JPEGs of smooth shapes under fine grain, as large as photographs of scenes are: a folder a class."""
    rng = np.random.default_rng(0)
    for number in range(count):
        coarse = Image.fromarray(rng.integers(0, 256, (8, 8, 3), dtype=np.uint8)).resize(
            (size, size), Image.Resampling.BICUBIC
        )
        pixels = np.asarray(coarse).astype(int) + rng.integers(-12, 13, (size, size, 3))
        path = folder / f"class {number % classes}" / f"{number}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels.clip(0, 255).astype(np.uint8)).save(path, quality=90)


def paper_network(keras: Any, size: int = SIZE, classes: int = CLASSES, jit_compile: Any = "auto") -> Any:
    """The paper's network, compiled as in the paper, by whichever library `keras` is."""
    layers = keras.layers
    model = keras.Sequential([layers.Input((size, size, 3))])
    for filters in (32, 64, 128, 256):
        model.add(layers.Conv2D(filters, (3, 3), activation="relu"))
        model.add(layers.MaxPooling2D((2, 2)))
        model.add(layers.BatchNormalization())
        model.add(layers.Dropout(0.2))
    model.add(layers.Flatten())
    for _ in range(4):
        model.add(layers.Dense(128, activation="relu"))
        model.add(layers.Dropout(0.2))
    model.add(layers.Dense(classes, activation="softmax"))
    model.compile("adam", "categorical_crossentropy", metrics=["accuracy"], jit_compile=jit_compile)
    return model


def torch_layers() -> list[Any]:
    """The paper's network as torch modules, without the softmax."""
    from torch import nn

    layers: list[Any] = []
    channels = 3
    for filters in (32, 64, 128, 256):
        layers += [
            nn.Conv2d(channels, filters, 3),
            nn.ReLU(),
            nn.MaxPool2d(2),
            nn.BatchNorm2d(filters),
            nn.Dropout(0.2),
        ]
        channels = filters
    layers += [nn.Flatten()]
    width = 12_544
    for _ in range(4):
        layers += [nn.Linear(width, 128), nn.ReLU(), nn.Dropout(0.2)]
        width = 128
    return [*layers, nn.Linear(128, CLASSES)]


def plain_lightning(
    losses: list[Any], precision: str = "32-true", accelerator: str = "cpu", epochs: int = 1, callbacks: Any = ()
) -> tuple[Any, Any]:
    """(module, trainer): the same network as Lightning's guides have it; losses, tensors, are added to `losses`.

    torch modules with channels_last activations, which oneDNN is quickest with, and a Trainer.
    """
    import lightning as L
    import torch
    from torch import nn

    class Module(L.LightningModule):
        def __init__(self) -> None:
            super().__init__()
            self.network = nn.Sequential(*torch_layers())

        def training_step(self, batch: Any, index: int) -> Any:
            x, y = batch
            x = x.contiguous(memory_format=torch.channels_last)
            loss = nn.functional.cross_entropy(self.network(x), y)
            losses.append(loss.detach())
            return loss

        def predict_step(self, batch: Any, index: int) -> Any:
            return self.network(batch[0].contiguous(memory_format=torch.channels_last)).softmax(-1)

        def configure_optimizers(self) -> Any:
            return torch.optim.Adam(self.parameters())

    quiet = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
    trainer = L.Trainer(
        max_epochs=epochs, accelerator=accelerator, devices=1, precision=precision, callbacks=list(callbacks), **quiet
    )
    return Module().to(memory_format=torch.channels_last), trainer


def write_answers(path: str, names: Any, probabilities: Any, classes: Any) -> None:
    """The CSV file that prediction ends with."""
    with Path(path).open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["path", "predicted", "probability", *classes])
        for name, row in zip(names, probabilities, strict=True):
            best = int(np.argmax(row))
            writer.writerow([name, classes[best], row[best], *row])
