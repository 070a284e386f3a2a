"""A model that answers by colour, and photographs for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import scene_lightning as keras
from tests.conftest import picture

COLOURS = {"red": (1.0, 0.2, 0.2), "green": (0.2, 1.0, 0.2), "blue, <b>deep</b>": (0.2, 0.2, 1.0)}


@pytest.fixture
def colour_model(tmp_path: Path) -> Path:
    """Names the colour that is strongest; its classes are those of `COLOURS`."""
    model = keras.Sequential(
        [
            keras.layers.Input((8, 8, 3)),
            keras.layers.Conv2D(3, 1, name="channels"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.layers[-3].set_weights([np.eye(3, dtype="float32")[None, None], np.zeros(3, "float32")])
    model.layers[-1].set_weights([8 * np.eye(3, dtype="float32"), np.zeros(3, "float32")])
    model.compile(loss="categorical_crossentropy")
    model.image_info = {"class_names": list(COLOURS), "input_size": [8, 8], "rescale": 1 / 255}
    model.save(tmp_path / "colours.keras")
    return tmp_path / "colours.keras"


def coloured_picture(path: Path, name: str, seed: int, strength: float = 1.0) -> None:
    """A photograph whose strongest colour is `name`; the surer, the nearer `strength` is to 1."""
    shade = 1 - strength * (1 - np.array(COLOURS[name]))
    Image.fromarray((picture(60, 80, seed) * shade).astype(np.uint8)).save(path)


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """photographs/{a,b}: eight pictures, of which two have one name, and a file that is none."""
    folder = tmp_path / "photographs"
    for place in ("a", "b"):
        (folder / place).mkdir(parents=True)
    for number, name in enumerate((*COLOURS, *COLOURS, "red")):
        coloured_picture(folder / "ab"[number % 2] / f"{number}.jpg", name, number, 0.3 + 0.1 * number)
    coloured_picture(folder / "b" / "0.jpg", "red", 30)
    (folder / "b" / "broken.jpg").write_text("no image")
    return folder
