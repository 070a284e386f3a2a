"""Whole models for tf.keras 2: the facts of its JSON (taken from files of tf_keras 2.21), and what reads them back."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import h5py
import keras as real_keras
import numpy as np
import pytest

import scene_lightning as keras
from scene_lightning.errors import InputError, UnsupportedError

L = keras.layers
X = np.random.default_rng(0).random((2, 8, 8, 3)).astype("float32")


def _cnn() -> Any:
    model = keras.Sequential(
        [
            L.Input((8, 8, 3)),
            L.RandomFlip("horizontal"),
            L.Rescaling(0.5),
            L.Conv2D(4, 3, activation="silu", kernel_regularizer="l2", kernel_initializer="he_normal"),
            L.BatchNormalization(),
            L.LeakyReLU(negative_slope=0.25),
            L.SpatialDropout2D(0.2),
            L.Flatten(),
            L.Dense(3, activation="softmax"),
        ]
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(X, np.array([0, 2]), epochs=2, verbose=0)
    return model


def _branches() -> Any:
    base_input = keras.Input((8, 8, 3))
    base = keras.Model(base_input, L.BatchNormalization()(L.Conv2D(4, 3)(base_input)), name="base")
    inputs = keras.Input((8, 8, 3), name="photo")
    head = keras.Sequential([L.Input((4,)), L.Dense(4, activation="tanh")], name="head")
    pooled = L.GlobalAveragePooling2D()(base(inputs, training=False))
    once = head(pooled)
    return keras.Model(inputs, [L.Add(name="sum")([once, head(once)]), once])


def _saved(model: Any, folder: Path) -> tuple[Path, dict[str, Any], dict[str, Any]]:
    path = folder / "m.h5"
    model.save(path, save_format="keras2")
    with h5py.File(path) as file:
        training = json.loads(file.attrs["training_config"]) if "training_config" in file.attrs else {}
        return path, json.loads(file.attrs["model_config"]), training


def _close(ours: Any, theirs: Any) -> None:
    for a, b in zip(ours if isinstance(ours, list) else [ours], theirs if isinstance(theirs, list) else [theirs],
                    strict=True):  # fmt: skip
        np.testing.assert_allclose(np.asarray(a), np.asarray(b), atol=1e-6)


def test_layers_are_written_as_keras_2_writes_them(tmp_path: Path) -> None:
    path, config, _ = _saved(_cnn(), tmp_path)
    assert list(config) == ["class_name", "config"]
    first, flip, _, conv, norm, leaky, spatial, _, dense = config["config"]["layers"]
    assert first["config"]["batch_input_shape"] == [None, 8, 8, 3]
    assert "data_format" not in flip["config"] and "data_format" not in spatial["config"]
    assert conv["config"]["dtype"] == "float32"
    assert conv["config"]["activation"] == "swish"
    assert conv["config"]["kernel_initializer"]["class_name"] == "HeNormal"
    assert set(conv["config"]["kernel_regularizer"]) == {"class_name", "config"}
    assert norm["config"]["axis"] == [3] or norm["config"]["axis"] == [-1]
    assert "synchronized" not in norm["config"]
    assert leaky["config"]["alpha"] == 0.25 and "negative_slope" not in leaky["config"]
    assert set(dense) == {"class_name", "config"}
    with h5py.File(path) as file:
        assert str(file.attrs["keras_version"]).startswith("2.") and file.attrs["backend"] == "tensorflow"
        group = file["model_weights"]
        names = [str(name) for name in group["batch_normalization"].attrs["weight_names"]]
        assert [name.split("/")[-1] for name in names] == ["gamma:0", "beta:0", "moving_mean:0", "moving_variance:0"]
        assert not [name for name in file["optimizer_weights"].attrs["weight_names"] if "learning_rate" in str(name)]


def test_the_compilation_is_written_as_keras_2_writes_it(tmp_path: Path) -> None:
    _, _, training = _saved(_cnn(), tmp_path)
    assert training["loss"] == "sparse_categorical_crossentropy" and training["metrics"] == ["accuracy"]
    optimizer = training["optimizer_config"]
    assert optimizer["class_name"] == "Custom>Adam"
    assert optimizer["config"]["learning_rate"] == pytest.approx(1e-3)


def test_calls_are_lists_and_a_sub_models_own_call_is_counted(tmp_path: Path) -> None:
    _, config, _ = _saved(_branches(), tmp_path)
    layers = {layer["name"]: layer for layer in config["config"]["layers"]}
    assert layers["base"]["inbound_nodes"] == [[["photo", 0, 0, {"training": False}]]]
    pooling = next(layer for layer in layers.values() if layer["class_name"] == "GlobalAveragePooling2D")
    assert pooling["inbound_nodes"] == [[["base", 1, 0, {}]]]
    assert layers["head"]["inbound_nodes"][1] == [["head", 1, 0, {}]]
    assert layers["sum"]["inbound_nodes"] == [[["head", 1, 0, {}], ["head", 2, 0, {}]]]
    assert config["config"]["input_layers"] == [["photo", 0, 0]]
    assert config["config"]["output_layers"] == [["sum", 0, 0], ["head", 1, 0]]


@pytest.mark.parametrize("make", [_cnn, _branches])
def test_it_loads_back_here_and_trains_on(make: Any, tmp_path: Path) -> None:
    model = make()
    path, _, _ = _saved(model, tmp_path)
    again = keras.models.load_model(path)
    _close(again.predict(X, verbose=0), model.predict(X, verbose=0))
    if model.compiled:
        assert int(again.optimizer.iterations) == 2
        for ours, theirs in zip(again.optimizer.slot_arrays(), model.optimizer.slot_arrays(), strict=True):
            np.testing.assert_allclose(ours, theirs, rtol=1e-6)


def test_real_keras_3_loads_it(tmp_path: Path) -> None:
    model = _cnn()
    path, _, _ = _saved(model, tmp_path)
    theirs = real_keras.models.load_model(path, compile=False)
    _close(model.predict(X, verbose=0), theirs.predict(X, verbose=0))


@pytest.mark.parametrize(
    ("layer", "name"),
    [
        (L.RMSNormalization(name="rms"), "rms"),
        (L.RandomHue(0.1, name="hue"), "hue"),
        (L.Activation("hard_sigmoid", name="hard"), "hard"),
        (L.Resizing(4, 4, antialias=True, name="smooth"), "smooth"),
    ],
)
def test_what_keras_2_lacks_is_refused_by_name_and_nothing_is_written(layer: Any, name: str, tmp_path: Path) -> None:
    model = keras.Sequential([L.Input((8, 8, 3)), layer, L.Flatten()])
    with pytest.raises(UnsupportedError, match=name):
        model.save(tmp_path / "m.h5", save_format="keras2")
    assert list(tmp_path.iterdir()) == []


def test_operators_and_foreign_optimizers_are_refused(tmp_path: Path) -> None:
    inputs = keras.Input((4,))
    with pytest.raises(UnsupportedError, match="no layer 'Multiply'"):
        keras.Model(inputs, L.Dense(2)(inputs * 2.0)).save(tmp_path / "m.h5", save_format="keras2")
    model = keras.Sequential([L.Input((4,)), L.Dense(2)])
    model.compile("lamb", "mse")
    with pytest.raises(UnsupportedError, match="Lamb"):
        model.save(tmp_path / "m.h5", save_format="keras2")
    model.save(tmp_path / "m.h5", save_format="keras2", include_optimizer=False)


def test_decay_becomes_a_schedule(tmp_path: Path) -> None:
    model = keras.Sequential([L.Input((4,)), L.Dense(2)])
    with warnings.catch_warnings():  # it warns once for a line of a program: not again in a second test
        warnings.simplefilter("ignore", DeprecationWarning)
        model.compile(keras.optimizers.SGD(0.1, decay=0.5), "mse")
    _, _, training = _saved(model, tmp_path)
    rate = training["optimizer_config"]["config"]["learning_rate"]
    assert rate["class_name"] == "InverseTimeDecay" and rate["config"]["decay_rate"] == 0.5


def test_the_name_must_not_ask_for_another_format(tmp_path: Path) -> None:
    model = keras.Sequential([L.Input((4,)), L.Dense(2)])
    with pytest.raises(InputError, match=r"m\.h5"):
        model.save(tmp_path / "m.keras", save_format="keras2")
