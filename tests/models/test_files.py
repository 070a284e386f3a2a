"""Models in files: every format, both ways with the real Keras, training that goes on."""

from __future__ import annotations

import os
from pathlib import Path

import keras as real_keras
import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.errors import InputError, UnsupportedError
from tests.models.filed_networks import INFO, NETWORKS, X, Y, branched, go_on, same_outputs, sequential, trained


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("ending", [".keras", ".h5", ".ckpt"])
def test_own_files_keep_everything(tmp_path, network, ending):
    model, path = trained(keras, network), tmp_path / f"model{ending}"
    model.image_info = dict(INFO)
    model.save(path)
    loaded = keras.models.load_model(path)
    assert loaded.image_info == INFO and loaded.name == model.name
    assert [layer.name for layer in loaded.layers] == [layer.name for layer in model.layers]
    same_outputs(model, loaded, atol=0)
    np.testing.assert_allclose(loaded.evaluate(X, Y, verbose=0), model.evaluate(X, Y, verbose=0), rtol=1e-6)
    assert int(loaded.optimizer.iterations) == 4
    go_on(model, loaded)
    plain = keras.models.load_model(path, compile=False)
    assert not plain.compiled
    assert sorted(os.listdir(tmp_path)) == [path.name]


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_our_files_load_in_keras(tmp_path, network, ending):
    model, path = trained(keras, network), tmp_path / f"model{ending}"
    model.image_info = dict(INFO)
    model.save(path)
    if ending == ".h5" and network is branched:
        with pytest.raises(ValueError):  # Keras cannot read arithmetic on tensors from .h5, its own neither
            real_keras.models.load_model(path)
        return
    theirs = real_keras.models.load_model(path)
    same_outputs(model, theirs)
    if ending == ".keras":  # Keras drops the slots of every .h5
        go_on(model, theirs)


@pytest.mark.parametrize("network", NETWORKS)
@pytest.mark.parametrize("ending", [".keras", ".h5"])
def test_keras_files_load_here(tmp_path, network, ending):
    theirs, path = trained(real_keras, network), tmp_path / f"model{ending}"
    theirs.save(path)
    model = keras.models.load_model(path)
    same_outputs(theirs, model)
    np.testing.assert_allclose(model.evaluate(X, Y, verbose=0), theirs.evaluate(X, Y, verbose=0), rtol=1e-4)
    go_on(theirs, model)  # from .h5 too: the slots are there


@pytest.mark.parametrize("network", NETWORKS)
def test_weights_files_go_both_ways(tmp_path, network):
    model, path = trained(keras, network), tmp_path / "own.weights.h5"
    model.save_weights(path)
    other = network(keras)
    other.load_weights(path)
    theirs = network(real_keras)
    theirs.load_weights(path)
    same_outputs(model, other, theirs)
    theirs = trained(real_keras, network)
    theirs.save_weights(tmp_path / "theirs.weights.h5")
    model.load_weights(tmp_path / "theirs.weights.h5")
    same_outputs(model, theirs)
    model.save_weights(tmp_path / "old.h5")  # Keras 2's layout
    other.load_weights(tmp_path / "old.h5")
    theirs = network(real_keras)
    theirs.load_weights(tmp_path / "old.h5")
    same_outputs(model, other, theirs)
    model.save(tmp_path / "whole.keras")
    model.save(tmp_path / "whole.ckpt")
    for name in ("whole.keras", "whole.ckpt"):
        other = network(keras)
        other.load_weights(tmp_path / name)
        same_outputs(model, other)


# A large epsilon: with Keras' own, rounding noise in a gradient near zero becomes a whole step in either library.
OPTIMIZERS = {
    "sgd": lambda k: k.optimizers.SGD(0.1, momentum=0.9, nesterov=True),
    "rmsprop": lambda k: k.optimizers.RMSprop(0.01, momentum=0.5, centered=True, epsilon=1e-3),
    "adamw schedule": lambda k: k.optimizers.AdamW(
        k.optimizers.schedules.CosineDecay(0.01, 20), weight_decay=0.01, clipnorm=1.0, epsilon=1e-3
    ),
    "nadam": lambda k: k.optimizers.Nadam(0.01, epsilon=1e-3),
    "adagrad": lambda k: k.optimizers.Adagrad(0.01),
    "amsgrad": lambda k: k.optimizers.Adam(0.01, amsgrad=True, epsilon=1e-3),
    "adadelta": lambda k: k.optimizers.Adadelta(1.0, epsilon=1e-3),
    "adamax": lambda k: k.optimizers.Adamax(0.01, epsilon=1e-3),
    "ftrl": lambda k: k.optimizers.Ftrl(0.05),
    "adafactor": lambda k: k.optimizers.Adafactor(0.01, epsilon_1=1e-3),
    "lamb": lambda k: k.optimizers.Lamb(0.01, epsilon=1e-3),
    "muon": lambda k: k.optimizers.Muon(0.01, epsilon=1e-3),
    "ema and steps gathered": lambda k: k.optimizers.SGD(0.1, use_ema=True, gradient_accumulation_steps=2),
}


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_optimizers_go_on_both_ways(tmp_path, name):
    ours = trained(keras, sequential, OPTIMIZERS[name](keras))
    ours.save(tmp_path / "ours.keras")
    go_on(ours, real_keras.models.load_model(tmp_path / "ours.keras"), keras.models.load_model(tmp_path / "ours.keras"))
    theirs = trained(real_keras, sequential, OPTIMIZERS[name](real_keras))
    theirs.save(tmp_path / "theirs.keras")
    go_on(theirs, keras.models.load_model(tmp_path / "theirs.keras"))
    if name == "adafactor":  # Keras' own Adafactor gives two slots of an .h5 the same name, and cannot write it
        return
    theirs = trained(real_keras, sequential, OPTIMIZERS[name](real_keras))
    theirs.save(tmp_path / "theirs.h5")
    go_on(theirs, keras.models.load_model(tmp_path / "theirs.h5"))


@pytest.mark.parametrize("library", [keras, real_keras], ids=["ours", "theirs"])
def test_the_real_keras_compiles_again_what_it_loads_from_h5(tmp_path, library):
    """Its loader compiles the model but builds no slots, for its own files as for ours: docs/keras-users.md says so."""
    trained(library, sequential).save(tmp_path / "m.h5")
    loaded = real_keras.models.load_model(tmp_path / "m.h5")
    with pytest.raises(ValueError, match="Unknown variable"):
        loaded.fit(X, Y, verbose=0)
    loaded.compile("adam", "categorical_crossentropy")
    loaded.fit(X, Y, verbose=0)


COMPILES = {
    "strings": lambda k: {
        "optimizer": "adam",
        "loss": "categorical_crossentropy",
        "metrics": ["accuracy", "mse"],
        "weighted_metrics": ["mae"],
    },
    "objects": lambda k: {
        "optimizer": "sgd",
        "loss": k.losses.CategoricalCrossentropy(label_smoothing=0.1),
        "metrics": [k.metrics.CategoricalAccuracy(name="acc"), k.metrics.AUC(), k.metrics.Precision()],
    },
    "function": lambda k: {
        "optimizer": "sgd",
        "loss": k.losses.mean_squared_error,
        "metrics": [k.metrics.categorical_accuracy],
    },
    "dict": lambda k: {"optimizer": {"class_name": "SGD", "config": {"learning_rate": 0.5}}, "loss": "mse"},
}


@pytest.mark.parametrize("ending", [".keras", ".h5", ".ckpt"])
@pytest.mark.parametrize("name", COMPILES)
def test_compile_arguments_are_kept(tmp_path, name, ending):
    model, path = sequential(keras), tmp_path / f"model{ending}"
    model.compile(**COMPILES[name](keras))
    expected = model.evaluate(X, Y, verbose=0)
    model.save(path)
    loaded = keras.models.load_model(path)
    np.testing.assert_allclose(loaded.evaluate(X, Y, verbose=0), expected, rtol=1e-6)
    assert loaded.metrics_names == model.metrics_names
    assert float(loaded.optimizer.learning_rate) == float(model.optimizer.learning_rate)
    if ending != ".ckpt" and name != "dict":
        theirs = real_keras.models.load_model(path).evaluate(X, Y, verbose=0, return_dict=True)
        ours = loaded.evaluate(X, Y, verbose=0, return_dict=True)  # from .h5 Keras calls "mae" mean_absolute_error
        np.testing.assert_allclose(sorted(map(float, theirs.values())), sorted(ours.values()), rtol=1e-4)


@pytest.mark.parametrize("as_dict", [False, True])
def test_several_outputs_with_dicts_are_kept(tmp_path, as_dict):
    def make(k):
        inputs = k.Input((8, 8, 3))
        flat = k.layers.Flatten()(inputs)
        kind = k.layers.Dense(3, activation="softmax", name="kind")(flat)
        size = k.layers.Dense(1, name="size")(flat)
        return k.Model(inputs, {"kind": kind, "size": size} if as_dict else [kind, size])

    model = make(keras)
    model.compile(
        "adam",
        {"kind": "categorical_crossentropy", "size": "mse"},
        loss_weights={"kind": 1.0, "size": 0.1},
        metrics={"kind": ["accuracy"], "size": ["mae"]},
    )
    targets = {"kind": Y, "size": Y[:, 0]}
    model.fit(X, targets, verbose=0)
    model.save(tmp_path / "m.keras")
    loaded, theirs = keras.models.load_model(tmp_path / "m.keras"), real_keras.models.load_model(tmp_path / "m.keras")
    expected = model.evaluate(X, targets, verbose=0, return_dict=True)
    for other in (loaded, theirs):
        found = other.evaluate(X, targets, verbose=0, return_dict=True)
        assert {k: pytest.approx(float(v), rel=1e-4) for k, v in found.items()} == expected


# -- names -------------------------------------------------------------------------------------------------------------


def test_bare_names_and_paths(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    model = trained(keras, sequential)
    model.save("project_model.h7")  # the paper's: TensorFlow made a SavedModel folder of it
    model.save("bare")
    model.save(tmp_path / "old.h5", save_format="h5")
    model.save("UPPER.H5")
    for name in ("project_model.h7", "bare", "old.h5", "UPPER.H5"):
        same_outputs(model, keras.models.load_model(name), atol=0)
    keras.models.save_model(model, "other.keras")
    keras.saving.save_model(model, Path("third.keras"))
    same_outputs(model, keras.saving.load_model("third.keras"), keras.models.load_model("other.keras"), atol=0)
    with pytest.raises(InputError, match="exists"):
        model.save("other.keras", overwrite=False)
    with pytest.raises(InputError, match="save_weights"):
        model.save("m.weights.h5")
    os.mkdir("folder")
    for name in ("nowhere/m.keras", "folder"):  # Keras 2 made the one and filled the other
        model.save(name)
        same_outputs(model, keras.models.load_model(name), atol=0)
    with pytest.raises(InputError, match="There is no folder"):
        model.save("old.h5/m.keras")


def test_include_optimizer_false_leaves_it_out(tmp_path):
    model = trained(keras, sequential)
    for name in ("m.keras", "m.h5", "m.ckpt"):
        model.save(tmp_path / name, include_optimizer=False)
        loaded = keras.models.load_model(tmp_path / name)
        same_outputs(model, loaded, atol=0)
        assert not loaded.compiled or int(loaded.optimizer.iterations) == 0


# -- one's own classes -------------------------------------------------------------------------------------------------


class Twice(keras.layers.Layer):
    def __init__(self, factor=2.0, **kwargs):
        super().__init__(**kwargs)
        self.factor = factor

    def build(self, input_shape):
        self.gain = self.add_weight(shape=(input_shape[-1],), initializer="ones", name="gain")

    def call(self, inputs):
        return inputs * self.factor * self.gain

    def get_config(self):
        return {**super().get_config(), "factor": self.factor}


def half_squared(y_true, y_pred):
    return ((y_true - y_pred) ** 2).mean(-1) / 2


def half_relu(x):
    return torch.relu(x) / 2


@pytest.mark.parametrize("ending", [".keras", ".h5", ".ckpt"])
def test_own_layers_losses_and_activations_come_back_by_name(tmp_path, ending):
    path = tmp_path / f"m{ending}"
    model = keras.Sequential(
        [keras.Input((8, 8, 3)), keras.layers.Flatten(), Twice(3.0), keras.layers.Dense(3, activation=half_relu)]
    )
    model.compile("sgd", half_squared, metrics=[half_squared])
    model.fit(X, Y, verbose=0)
    model.save(path)
    own = {"Twice": Twice, "half_squared": half_squared, "half_relu": half_relu}
    loaded = keras.models.load_model(path, custom_objects=own)
    assert loaded.layers[1].factor == 3.0
    same_outputs(model, loaded, atol=0)
    np.testing.assert_allclose(loaded.evaluate(X, Y, verbose=0), model.evaluate(X, Y, verbose=0), rtol=1e-6)
    with keras.utils.custom_object_scope(own):
        same_outputs(model, keras.models.load_model(path), atol=0)
    with pytest.raises(UnsupportedError, match=r"Unknown layer 'Twice'.*custom_objects"):
        keras.models.load_model(path)
    with pytest.raises((UnsupportedError, InputError), match="half_"):
        keras.models.load_model(path, custom_objects={"Twice": Twice})


@pytest.mark.parametrize("ending", [".keras", ".h5", ".ckpt"])
def test_registered_classes_need_no_custom_objects(tmp_path, ending):
    @keras.saving.register_keras_serializable("mine")
    class Registered(keras.Model):
        def __init__(self, units=3, **kwargs):
            super().__init__(**kwargs)
            self.units = units
            self.flat = keras.layers.Flatten()
            self.stack = [keras.layers.Dense(4), keras.layers.Dense(units)]

        def call(self, x):
            x = self.flat(x)
            for layer in self.stack:
                x = layer(x)
            return x

        def get_config(self):
            return {**super().get_config(), "units": self.units}

    model, path = Registered(units=5), tmp_path / f"m{ending}"
    model(X)
    model.save(path)
    loaded = keras.models.load_model(path)
    assert type(loaded) is Registered and loaded.units == 5
    same_outputs(model, loaded, atol=0)


@pytest.mark.parametrize("name", ["w.weights.h5", "w.h5"])
def test_weights_of_a_model_with_code_of_its_own_can_be_saved(tmp_path, name):
    def network():
        layers = keras.layers
        model = keras.Sequential([layers.Input((4,)), layers.Lambda(lambda x: x / 255.0), layers.Dense(2)])
        model.compile("adam", "mse")
        return model

    first, second = network(), network()
    first.save_weights(tmp_path / name)
    second.load_weights(tmp_path / name)
    np.testing.assert_array_equal(first.layers[-1].kernel.detach(), second.layers[-1].kernel.detach())
    first._backup(tmp_path / "backup.ckpt")
    second._restore_backup(tmp_path / "backup.ckpt")
