"""A small exported model, and how it was before."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import scene_lightning as keras
from scene_lightning.exporters.graph import write_onnx
from scene_lightning.inference.predictor import Predictor, RunOn

INFO = {
    "class_names": ["forest", "glacier", "sea"],
    "input_size": [12, 14],
    "rescale": 1 / 255,
    "color_mode": "rgb",
    "interpolation": "bilinear",
    "fit": "crop",
}


@pytest.fixture(scope="session")
def model_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small network with every kind of layer that one meets, as a .keras file."""
    torch.manual_seed(0)
    model = keras.Sequential(
        [
            keras.Input((12, 14, 3)),
            keras.layers.Conv2D(4, 3, padding="same", activation="relu"),
            keras.layers.BatchNormalization(),
            keras.layers.MaxPooling2D(),
            keras.layers.Dropout(0.5),
            keras.layers.Flatten(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile(optimizer="adam", loss="sparse_categorical_crossentropy")
    model.image_info = INFO
    path = tmp_path_factory.mktemp("runtime") / "small.keras"
    model.save(path)
    return path


@pytest.fixture(scope="session")
def onnx_file(model_file: Path) -> Path:
    pytest.importorskip("onnxruntime")
    path = model_file.with_name("small.onnx")
    write_onnx(Predictor.load(str(model_file), RunOn()), path)
    return path
