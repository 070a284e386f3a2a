"""Files that Keras 2 and 3 wrote (TensorFlow: fixtures; torch: here and now) give the writer's own probabilities."""

from __future__ import annotations

import importlib.util
import json
import sys
import zipfile
from pathlib import Path
from typing import Any

import h5py
import keras
import numpy as np
import pytest

from scene_lightning.errors import FileFormatError
from scene_lightning.saving import (
    LayerWeights,
    ModelArchive,
    align,
    read_keras,
    read_legacy_h5,
    read_saved_model_dir,
    read_weights_h5,
    refuse_unsafe,
    sniff,
    write_keras,
    write_legacy_h5,
    write_weights_h5,
)

_spec = importlib.util.spec_from_file_location("saving_real_keras", Path(__file__).with_name("real_keras.py"))
assert _spec is not None and _spec.loader is not None
real = importlib.util.module_from_spec(_spec)
sys.modules[_spec.name] = real
_spec.loader.exec_module(real)

ANSWERS = np.load(real.FIXTURES / "answers.npz")
WHOLE = sorted(name for name in ANSWERS.files if name not in ("inputs", "targets") and "weights" not in name)
WITH_CONFIG = [name for name in WHOLE if "export" not in name]
WEIGHTS = sorted(name for name in ANSWERS.files if "weights" in name or "export" in name)
IMAGE_INFO = {"class_names": ["a", "b", "ü"], "input_size": [8, 8], "rescale": 1 / 255, "color_mode": "rgb"}


def predicted(model: Any) -> np.ndarray:
    return np.asarray(model.predict(ANSWERS["inputs"], verbose=0))


@pytest.mark.parametrize("name", WITH_CONFIG)
def test_config_and_weights_of_any_era_give_the_writers_probabilities(name: str) -> None:
    archive = real.read_any(real.FIXTURES / name)
    refuse_unsafe(archive.config)
    assert np.allclose(predicted(real.rebuilt(archive)), ANSWERS[name], atol=1e-5)


@pytest.mark.parametrize("name", WEIGHTS)
def test_weights_only_files_fill_a_model_of_the_same_network(name: str) -> None:
    sibling = name.replace("_weights.h5", ".h5").replace(".weights.h5", ".h5").replace("_export", ".h5")
    model = real.rebuilt(read_legacy_h5(real.FIXTURES / sibling))
    for variable in real.variables_of(model):
        variable.assign(np.zeros(variable.shape, "float32"))
    archive = real.read_any(real.FIXTURES / name)
    assert archive.config is None
    assert np.allclose(predicted(real.fill(model, archive)), ANSWERS[name], atol=1e-5)


@pytest.mark.parametrize("write", [write_keras, write_legacy_h5])
@pytest.mark.parametrize("name", WITH_CONFIG)
def test_written_again_it_loads_in_the_real_keras(name: str, write: Any, tmp_path: Path) -> None:
    archive = real.read_any(real.FIXTURES / name)
    tree = real.tree_of(real.rebuilt(archive))
    written = ModelArchive(archive.config, archive.compile_config, tree, optimizer=archive.optimizer)
    written.image_info = IMAGE_INFO
    path = tmp_path / ("m.keras" if write is write_keras else "m.h5")
    write(path, written)
    model = keras.models.load_model(path)
    assert np.allclose(predicted(model), ANSWERS[name], atol=1e-5)
    again = real.read_any(path)
    assert again.image_info == IMAGE_INFO
    assert name == "k2_sequential.keras" or again.compile_config == archive.compile_config  # that one says just "adam"
    for ours, theirs in zip(align(tree, again), tree.all_arrays(), strict=True):
        assert ours is not None and np.array_equal(ours, theirs)
    assert [left.name for left in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("name", WITH_CONFIG)
def test_optimizer_slots_come_in_keras3_order(name: str) -> None:
    archive = real.read_any(real.FIXTURES / name)
    state = archive.optimizer
    assert state is not None and state.iterations == 2
    trained = [variable.shape for variable in real.rebuilt(archive).trainable_variables]
    shapes = [slot.shape for slot in state.slots]
    if "rmsprop" in name:  # Keras 3 has all velocities, then all momentums
        assert shapes == trained + trained
    else:
        assert shapes == [shape for shape in trained for _ in range(2)]
        second_moments = state.slots[1::2]
        assert all((slot >= 0).all() for slot in second_moments) and any((slot < 0).any() for slot in state.slots[::2])


def test_the_same_training_gives_the_same_slots_in_every_format() -> None:
    by_format = [
        real.read_any(real.FIXTURES / f"k2_branched{end}").optimizer for end in (".keras", ".h5", "_saved_model")
    ]
    legacy = [real.read_any(real.FIXTURES / f"k2_legacy_adam{end}").optimizer for end in (".h5", "_saved_model")]
    for states in (by_format, legacy):
        for state in states[1:]:
            assert all(np.array_equal(a, b) for a, b in zip(state.slots, states[0].slots, strict=True))


def test_training_goes_on_in_the_real_keras_with_the_slots_of_keras2(tmp_path: Path) -> None:
    archive = real.read_any(real.FIXTURES / "k2_branched.h5")
    assert archive.optimizer is not None
    tree = real.tree_of(real.rebuilt(archive))
    write_keras(
        tmp_path / "m.keras", ModelArchive(archive.config, archive.compile_config, tree, optimizer=archive.optimizer)
    )
    model = keras.models.load_model(tmp_path / "m.keras")
    restored = [np.array(keras.ops.convert_to_numpy(variable)) for variable in model.optimizer.variables[2:]]
    assert all(np.array_equal(a, b) for a, b in zip(restored, archive.optimizer.slots, strict=True))
    model.fit(ANSWERS["inputs"], ANSWERS["targets"], verbose=0)


def test_weights_h5_round_trip_with_the_real_keras(tmp_path: Path) -> None:
    model = keras.models.load_model(real.FIXTURES / "k3_branched.keras")
    model.save_weights(tmp_path / "theirs.weights.h5")
    archive = read_weights_h5(tmp_path / "theirs.weights.h5")
    write_weights_h5(tmp_path / "ours.weights.h5", archive)
    before = predicted(model)
    for variable in real.variables_of(model):
        variable.assign(np.zeros(variable.shape, "float32"))
    model.load_weights(tmp_path / "ours.weights.h5")
    assert np.array_equal(predicted(model), before)


def test_keras_on_torch_names_its_optimizer_so_that_others_load_it(tmp_path: Path) -> None:
    model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
    model.compile(keras.optimizers.AdamW(), "mse", metrics=["mae", keras.metrics.MeanSquaredError(name="m")])
    model.save(tmp_path / "m.keras")
    archive = read_keras(tmp_path / "m.keras")
    assert archive.compile_config is not None
    assert archive.compile_config["optimizer"]["module"] == "keras.optimizers"
    write_keras(tmp_path / "n.keras", archive)
    with zipfile.ZipFile(tmp_path / "n.keras") as members:
        assert b"keras.src" not in members.read("config.json")
    loaded = keras.models.load_model(tmp_path / "n.keras")
    assert type(loaded.optimizer) is type(model.optimizer) and loaded.optimizer.name == model.optimizer.name


def test_a_functional_model_that_ends_in_a_functional_model_counts_calls_from_zero(tmp_path: Path) -> None:
    inner_in = keras.Input((4,))
    inner = keras.Model(inner_in, keras.layers.Dense(2)(inner_in), name="inner")
    outer_in = keras.Input((4,))
    model = keras.Model(outer_in, inner(keras.layers.Dense(4)(outer_in)))
    model.save(tmp_path / "m.keras")
    archive = read_keras(tmp_path / "m.keras")
    assert archive.config is not None and archive.config["config"]["output_layers"] == ["inner", 0, 0]
    write_keras(tmp_path / "n.keras", archive)
    x = np.ones((1, 4), "float32")
    assert np.array_equal(
        keras.models.load_model(tmp_path / "n.keras").predict(x, verbose=0), model.predict(x, verbose=0)
    )


def test_a_frozen_layer_inside_a_nested_model_is_matched_by_name(tmp_path: Path) -> None:
    inner = keras.Sequential([keras.Input((3,)), keras.layers.Dense(3), keras.layers.Dense(3)], name="inner")
    model = keras.Sequential([keras.Input((3,)), inner])
    inner.layers[0].trainable = False
    model.save(tmp_path / "m.h5")
    expected = real.tree_of(model).all_arrays()
    inner.layers[0].trainable = True  # the file lists the second layer first
    found = align(real.tree_of(model), read_legacy_h5(tmp_path / "m.h5"))
    assert all(np.array_equal(a, b) for a, b in zip(found, expected, strict=True))


def test_many_layers_split_the_name_lists(tmp_path: Path) -> None:
    children = [LayerWeights(f"a_rather_long_layer_name_{i:05d}_{'x' * 40}", f"layers/dense_{i}") for i in range(1500)]
    children[7].arrays, children[7].weight_names = [np.ones(2, "float32")], ["kernel"]
    write_legacy_h5(tmp_path / "m.h5", ModelArchive(weights=LayerWeights(children=children)), weights_only=True)
    with h5py.File(tmp_path / "m.h5") as file:
        assert "layer_names1" in file.attrs and "layer_names" not in file.attrs
    again = read_legacy_h5(tmp_path / "m.h5").weights.children
    assert [layer.name for layer in again] == [layer.name for layer in children]


def test_sniff_goes_by_content(tmp_path: Path) -> None:
    (tmp_path / "wrong.ckpt").write_bytes((real.FIXTURES / "k3_sequential.keras").read_bytes())
    assert sniff(tmp_path / "wrong.ckpt") == "keras"
    for junk in (b"", b"PK", b"\x89HDF\r\n\x1a\nxxxx", b"hello world"):
        (tmp_path / "junk").write_bytes(junk)
        with pytest.raises(FileFormatError):
            sniff(tmp_path / "junk")
    with pytest.raises(FileFormatError, match="No such file"):
        sniff(tmp_path / "missing.keras")
    with pytest.raises(FileFormatError, match=r"saved_model\.pb"):
        sniff(tmp_path)


def test_saved_model_without_metadata_has_weights_only() -> None:
    archive = read_saved_model_dir(real.FIXTURES / "k3_sequential_export")
    assert archive.config is None and len(archive.weights.arrays) == 9


def test_configs_of_old_keras_are_read(tmp_path: Path) -> None:
    """Keras ≤ 2.2: a bare list of layers, no InputLayer, ndarray alpha, list axis, `lr` and `decay`, unnamed slots."""
    config = {
        "class_name": "Sequential",
        "config": [
            {
                "class_name": "Dense",
                "config": {"name": "d", "units": 2, "batch_input_shape": [None, 3], "dtype": "float32"},
            },
            {"class_name": "LeakyReLU", "config": {"name": "l", "alpha": {"type": "ndarray", "value": 0.1}}},
            {"class_name": "BatchNormalization", "config": {"name": "b", "axis": [1]}},
        ],
    }
    training = {
        "optimizer_config": {"class_name": "Adam", "config": {"lr": 0.01, "decay": 0.5, "epsilon": None}},
        "loss": "mse",
        "metrics": ["acc"],
        "sample_weight_mode": None,
        "loss_weights": None,
    }
    kernel, bias = np.ones((3, 2), "float32"), np.ones(2, "float32")
    with h5py.File(tmp_path / "old.h5", "w") as file:
        file.attrs["model_config"] = json.dumps(config).encode()
        file.attrs["training_config"] = json.dumps(training).encode()
        group = file.create_group("model_weights")
        group.attrs["layer_names"] = [b"d", b"l", b"b"]
        for name, arrays in {"d": [kernel, bias], "l": [], "b": [bias] * 4}.items():
            layer = group.create_group(name)
            layer.attrs["weight_names"] = [f"{name}/w{i}:0".encode() for i in range(len(arrays))]
            for i, array in enumerate(arrays):
                layer[f"{name}/w{i}:0"] = array
        slots = file.create_group("optimizer_weights")
        values = [np.int64(7), kernel, bias, kernel * 2, bias * 2, np.zeros(1, "f"), np.zeros(1, "f")]
        slots.attrs["weight_names"] = [f"training/Adam/Variable_{i}:0".encode() for i in range(len(values))]
        for i, value in enumerate(values):
            slots[f"training/Adam/Variable_{i}:0"] = value
    archive = read_legacy_h5(tmp_path / "old.h5")
    model = real.rebuilt(archive)
    assert model.input_shape == (None, 3) and [layer.name for layer in model.layers] == ["d", "l", "b"]
    assert model.layers[1].negative_slope == pytest.approx(0.1)
    assert archive.compile_config is not None
    optimizer = archive.compile_config["optimizer"]["config"]
    assert (optimizer["learning_rate"], optimizer["decay"]) == (0.01, 0.5)
    assert archive.optimizer is not None and archive.optimizer.iterations == 7
    assert [slot.sum() for slot in archive.optimizer.slots] == [6, 12, 2, 4]
