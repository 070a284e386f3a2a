"""What tf.keras writes into its files and Keras 3 does not (texts taken from files that tf_keras 2.21 wrote)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import h5py
import keras as real_keras
import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.errors import FileFormatError, UnsupportedError
from scene_lightning.saving import normalize_compile_config

X = np.random.default_rng(0).random((2, 4, 6, 3)).astype("float32") * 255


def _layer(name: str, class_name: str, calls: Any = None, **config: Any) -> dict[str, Any]:
    entry = {"class_name": class_name, "config": {"name": name, "trainable": True, "dtype": "float32", **config}}
    return entry if calls is None else {**entry, "name": name, "inbound_nodes": calls}


def _h5(path: Path, class_name: str, config: dict[str, Any]) -> Path:
    with h5py.File(path, "w") as file:
        file.attrs["model_config"] = json.dumps({"class_name": class_name, "config": config})
        file.attrs["keras_version"] = "2.15.0"
        file.create_group("model_weights").attrs["layer_names"] = []
    return path


def _functional(path: Path, layers: list[dict[str, Any]]) -> Path:
    first = {"batch_input_shape": [None, 4, 6, 3], "dtype": "float32", "sparse": False, "name": "input_1"}
    entries = [{"class_name": "InputLayer", "config": first, "name": "input_1", "inbound_nodes": []}, *layers]
    ends = {"input_layers": [["input_1", 0, 0]], "output_layers": [[layers[-1]["name"], 0, 0]]}
    return _h5(path, "Functional", {"name": "model", "trainable": True, "layers": entries, **ends})


def _slice(*parts: Any) -> dict[str, Any]:
    spec = [{"start": p.start, "stop": p.stop, "step": p.step} if isinstance(p, slice) else p for p in parts]
    return {"slice_spec": spec}


def _softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)


FUNCTIONS = [
    ("math.truediv", ["input_1", 0, 0, {"y": 127.5, "name": None}], lambda x: x / 127.5),
    ("math.subtract", ["_CONSTANT_VALUE", -1, 1.0, {"y": ["input_1", 0, 0], "name": None}], lambda x: 1 - x),
    ("math.multiply", ["input_1", 0, 0, {"y": ["input_1", 0, 0], "name": None}], lambda x: x * x),
    ("nn.bias_add", ["input_1", 0, 0, {"bias": [1.0, 2.0, 3.0], "data_format": "NHWC"}], lambda x: x + np.arange(1, 4)),
    ("math.reduce_mean", ["input_1", 0, 0, {"axis": [1, 2]}], lambda x: x.mean((1, 2))),
    ("concat", [["input_1", 0, 0, {"axis": -1}], ["input_1", 0, 0, {"axis": -1}]],
     lambda x: np.concatenate([x, x], -1)),
    ("math.add_n", [["input_1", 0, 0, {}], ["input_1", 0, 0, {}]], lambda x: x + x),
    ("reshape", ["input_1", 0, 0, {"shape": [-1, 72]}], lambda x: x.reshape(-1, 72)),
    ("compat.v1.transpose", ["input_1", 0, 0, {"perm": [0, 3, 1, 2], "name": "transpose", "conjugate": False}],
     lambda x: x.transpose(0, 3, 1, 2)),
    ("compat.v1.pad", ["input_1", 0, 0, {"paddings": [[0, 0], [1, 1], [2, 0], [0, 0]], "mode": "CONSTANT",
                                         "name": None, "constant_values": 0}],
     lambda x: np.pad(x, [(0, 0), (1, 1), (2, 0), (0, 0)])),
    ("nn.leaky_relu", ["input_1", 0, 0, {"alpha": 0.3}], lambda x: np.where(x > 0, x, 0.3 * x)),
    ("nn.softmax", ["input_1", 0, 0, {}], _softmax),
    ("clip_by_value", ["input_1", 0, 0, {"clip_value_min": 10.0, "clip_value_max": 100.0}],
     lambda x: x.clip(10, 100)),
    ("__operators__.getitem", ["input_1", 0, 0, _slice(slice(None), slice(1, 3), slice(None, None, 2), 0)],
     lambda x: x[:, 1:3, ::2, 0]),
    ("identity", ["input_1", 0, 0, {}], lambda x: x),
]  # fmt: skip


@pytest.mark.parametrize(("function", "call", "truth"), FUNCTIONS, ids=[item[0] for item in FUNCTIONS])
def test_functions_of_tensorflow_become_keras_3s_operations(
    tmp_path: Path, function: str, call: list[Any], truth: Any
) -> None:
    kind = "SlicingOpLambda" if "getitem" in function else "TFOpLambda"
    layers = [_layer(f"tf.{function}", kind, [call], function=function)]
    model = keras.models.load_model(_functional(tmp_path / "m.h5", layers))
    answer = model.predict(X, verbose=0)
    np.testing.assert_allclose(answer, truth(X), rtol=1e-5, atol=1e-5)
    model.save(tmp_path / "m.keras")
    theirs = real_keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(np.asarray(theirs(X).cpu()), answer, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("kind", "config", "call", "says"), [
    ("TFOpLambda", {"function": "nn.space_to_depth"}, ["input_1", 0, 0, {"block_size": 2}], "nn.space_to_depth"),
    ("TFOpLambda", {"function": "math.add"}, ["input_1", 0, 0, {"y": "os.system"}], "an operand should be"),
    ("TFOpLambda", {"function": "image.resize"}, ["input_1", 0, 0, {"size": [2, 2], "preserve_aspect_ratio": True}],
     "preserve_aspect_ratio"),
    ("TensorFlowOpLayer", {"node_def": "x"}, ["input_1", 0, 0, {}], "TensorFlowOpLayer"),
])  # fmt: skip
def test_a_function_that_has_no_twin_is_named(
    tmp_path: Path, kind: str, config: dict[str, Any], call: list[Any], says: str
) -> None:
    path = _functional(tmp_path / "m.h5", [_layer("tf.some.call", kind, [call], **config)])
    with pytest.raises(FileFormatError, match=says):
        keras.models.load_model(path)


def test_preprocessing_layers_of_tf_keras(tmp_path: Path) -> None:
    affine = {"fill_mode": "reflect", "fill_value": 0.0, "interpolation": "bilinear", "seed": None}
    layers = [
        _layer("flip", "RandomFlip", rng_type="stateful", mode="horizontal", seed=None),
        _layer("turn", "RandomRotation", rng_type="stateful", factor=0.1, **affine),
        _layer("zoom", "RandomZoom", rng_type="stateful", height_factor=0.1, width_factor=None, **affine),
        _layer("contrast", "RandomContrast", rng_type="stateful", factor=0.2, seed=None),
        _layer("scale", "Rescaling", scale=0.5, offset=0.1),
    ]
    layers[0]["config"]["batch_input_shape"] = [None, 4, 6, 3]
    model = keras.models.load_model(_h5(tmp_path / "m.h5", "Sequential", {"name": "s", "layers": layers}))
    np.testing.assert_allclose(model.predict(X, verbose=0), X * 0.5 + 0.1, rtol=1e-6)


def test_metrics_of_several_outputs_lose_the_outputs_name() -> None:
    def wrapped(name: str, fn: str) -> dict[str, Any]:
        return {"class_name": "MeanMetricWrapper", "config": {"name": name, "dtype": "float32", "fn": fn}}

    metrics = [[wrapped("cls_accuracy", "categorical_accuracy")], [wrapped("cls_2_mae", "mean_absolute_error")]]
    config = {"loss": ["mse", "mse"], "metrics": metrics, "optimizer_config": {"class_name": "Adam", "config": {}}}
    found = normalize_compile_config(config, ["cls", "cls_2"])
    assert found is not None
    assert found["metrics"][0] == ["accuracy"]
    assert found["metrics"][1][0]["config"] == {"name": "mae"}


@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_an_adapted_normalization_keeps_its_count(tmp_path: Path, ending: str) -> None:
    layer = real_keras.layers.Normalization()
    layer.adapt(X)
    theirs = real_keras.Sequential([real_keras.Input((4, 6, 3)), layer])
    theirs.save(tmp_path / f"m{ending}")
    ours = keras.models.load_model(tmp_path / f"m{ending}")
    np.testing.assert_allclose(ours.predict(X, verbose=0), theirs.predict(X, verbose=0), atol=1e-5)


def test_arrays_that_stand_in_a_graph_go_both_ways(tmp_path: Path) -> None:
    inputs = real_keras.Input((4, 6, 3))
    theirs = real_keras.Model(inputs, (inputs - np.array([1, 2, 3], "float32"))[:, 1:, :, 0])
    theirs.save(tmp_path / "theirs.keras")
    ours = keras.models.load_model(tmp_path / "theirs.keras")
    np.testing.assert_allclose(ours.predict(X, verbose=0), theirs.predict(X, verbose=0), atol=1e-5)
    symbol = keras.Input((4, 6, 3))
    ours = keras.Model(symbol, (symbol - np.array([1, 2, 3], "float32"))[:, 1:, :, 0])
    ours.save(tmp_path / "ours.keras")
    again = real_keras.models.load_model(tmp_path / "ours.keras")
    np.testing.assert_allclose(again.predict(X, verbose=0), ours.predict(X, verbose=0), atol=1e-5)


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_layers_of_a_mixed_policy_keep_it_and_compute_with_the_runs_precision(tmp_path: Path, policy: str) -> None:
    first = real_keras.layers.Conv2D(4, 3, dtype=policy)
    last = real_keras.layers.Dense(2, dtype="float32")
    theirs = real_keras.Sequential([real_keras.Input((4, 6, 3)), first, real_keras.layers.Flatten(), last])
    theirs.save(tmp_path / "theirs.keras")
    ours = keras.models.load_model(tmp_path / "theirs.keras")
    assert {weight.dtype for weight in ours.get_weights()} == {np.dtype("float32")}
    np.testing.assert_allclose(ours.predict(X / 255, verbose=0), theirs.predict(X / 255, verbose=0), atol=0.02)
    ours.save(tmp_path / "ours.keras")
    assert real_keras.models.load_model(tmp_path / "ours.keras").layers[0].dtype_policy.name == policy


def test_a_layer_of_another_dtype_has_its_weights_in_it() -> None:
    layer = keras.layers.Dense(2, dtype="float64")
    assert layer(np.ones((1, 3), "float32")).dtype == layer.weights[0].dtype == torch.float64


def test_a_functional_model_inside_another_has_one_tensor_as_output_in_the_real_keras(tmp_path: Path) -> None:
    inputs = keras.Input((4, 6, 3))
    twice = keras.Sequential([keras.Input((4, 6, 3)), keras.layers.Conv2D(3, 3, padding="same")])
    middle = keras.Model(inputs, twice(twice(inputs)))
    ours = keras.Sequential([keras.Input((4, 6, 3)), middle, keras.layers.GlobalMaxPooling2D(), keras.layers.Dense(2)])
    ours.save(tmp_path / "m.keras")
    theirs = real_keras.models.load_model(tmp_path / "m.keras")
    assert isinstance(theirs.layers[0].output, real_keras.KerasTensor)
    np.testing.assert_allclose(theirs.predict(X, verbose=0), ours.predict(X, verbose=0), rtol=1e-5)


def test_an_unknown_layer_is_told_in_few_words(tmp_path: Path) -> None:
    path = _h5(tmp_path / "m.h5", "Sequential", {"name": "s", "layers": [_layer("a", "Z" * 5000)]})
    with pytest.raises(UnsupportedError, match="custom_objects") as caught:
        keras.models.load_model(path)
    assert len(str(caught.value)) < 600
