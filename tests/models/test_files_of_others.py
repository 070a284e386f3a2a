"""Files that TensorFlow wrote give their answers; damaged and hostile ones one clear error."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import zipfile
from pathlib import Path

import h5py
import keras as real_keras
import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.errors import FileFormatError, InputError, SceneLightningError, UnsupportedError
from scene_lightning.layers.base import functions
from tests.models.filed_networks import branched, sequential, trained

FIXTURES = Path(__file__).parent.parent / "fixtures" / "keras_files"
ANSWERS = np.load(FIXTURES / "answers.npz")

# -- files that TensorFlow wrote

WHOLE = [
    "k2_branched.h5",
    "k2_branched.keras",
    "k2_branched_saved_model",
    "k2_legacy_adam.h5",
    "k2_legacy_adam_saved_model",
    "k2_rmsprop.h5",
    "k2_sequential.h5",
    "k2_sequential.keras",
    "k2_sequential_saved_model",
    "k3_branched.h5",
    "k3_branched.keras",
    "k3_sequential.h5",
    "k3_sequential.keras",
]
WEIGHTS = [
    ("k2_branched_weights.h5", "k2_branched.h5"),
    ("k2_sequential_weights.h5", "k2_sequential.h5"),
    ("k3_branched.weights.h5", "k3_branched.keras"),
    ("k3_sequential.weights.h5", "k3_sequential.keras"),
    ("k3_sequential_export", "k3_sequential.keras"),
]


@pytest.mark.parametrize("name", WHOLE)
def test_files_of_tensorflow_give_their_answers_and_train_on(name):
    model = keras.models.load_model(FIXTURES / name)
    np.testing.assert_allclose(model.predict(ANSWERS["inputs"], verbose=0), ANSWERS[name], atol=1e-5)
    if model.compiled:
        before = int(model.optimizer.iterations)
        model.fit(ANSWERS["inputs"], ANSWERS["targets"], verbose=0)
        assert int(model.optimizer.iterations) == before + 1


@pytest.mark.parametrize(("name", "network"), WEIGHTS)
def test_weights_files_of_tensorflow_load_by_topology(name, network):
    model = keras.models.clone_model(keras.models.load_model(FIXTURES / network, compile=False))
    model.load_weights(FIXTURES / name)
    np.testing.assert_allclose(model.predict(ANSWERS["inputs"], verbose=0), ANSWERS[name], atol=1e-5)
    with pytest.raises(FileFormatError, match="architecture"):
        keras.models.load_model(FIXTURES / name)


@pytest.mark.parametrize("name", ["k2_branched", "k2_sequential", "k2_legacy_adam"])
def test_tensorflow_checkpoints_load_by_their_prefix(tmp_path, name):
    """A SavedModel's `variables` are a checkpoint like those of `save_weights("dir/ckpt")`."""
    for file in (FIXTURES / f"{name}_saved_model" / "variables").iterdir():
        shutil.copy(file, tmp_path / file.name.replace("variables", "ckpt"))
    model = keras.models.clone_model(keras.models.load_model(FIXTURES / f"{name}.h5", compile=False))
    model.load_weights(str(tmp_path / "ckpt"))
    expected = ANSWERS[f"{name}_saved_model"]
    np.testing.assert_allclose(model.predict(ANSWERS["inputs"], verbose=0), expected, atol=1e-5)
    with pytest.raises(FileFormatError, match="architecture"):
        keras.models.load_model(tmp_path / "ckpt")
    data = tmp_path / "ckpt.data-00000-of-00001"
    data.write_bytes(data.read_bytes()[:100])
    with pytest.raises(FileFormatError, match="TensorFlow checkpoint"):
        model.load_weights(tmp_path / "ckpt")


def test_weights_load_by_name_into_a_longer_network():
    source = keras.models.load_model(FIXTURES / "k2_sequential.h5", compile=False)
    names = [layer.name for layer in source.layers]
    longer = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, name=names[0]),
            keras.layers.Flatten(),
            keras.layers.Dense(7, name="fresh"),
        ]
    )
    kept = longer.layers[-1].get_weights()
    longer.load_weights(FIXTURES / "k2_sequential_weights.h5", by_name=True)
    np.testing.assert_array_equal(longer.layers[0].get_weights()[0], source.layers[0].get_weights()[0])
    np.testing.assert_array_equal(longer.layers[-1].get_weights()[0], kept[0])


# -- bad files ---------------------------------------------------------------------------------------------------------


def test_weights_that_do_not_fit_change_nothing(tmp_path):
    model, other = sequential(keras), branched(keras)
    model.save_weights(tmp_path / "m.weights.h5")
    model.save_weights(tmp_path / "m.h5")
    model.save(tmp_path / "m.ckpt")
    before = other.get_weights()
    for name in ("m.weights.h5", "m.h5", "m.ckpt"):
        with pytest.raises(FileFormatError):
            other.load_weights(tmp_path / name)
    for a, b in zip(before, other.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)
    with pytest.raises(InputError, match="built"):
        keras.Sequential([keras.layers.Dense(2)]).load_weights(tmp_path / "m.h5")


def test_no_file_and_no_model_file(tmp_path):
    (tmp_path / "text.keras").write_text("hello")
    (tmp_path / "empty.h5").write_bytes(b"")
    for name in ("absent.keras", "text.keras", "empty.h5"):
        with pytest.raises(FileFormatError, match=name):
            keras.models.load_model(tmp_path / name)
    with pytest.raises(FileFormatError):
        keras.models.load_model(tmp_path)


ENDINGS = pytest.mark.parametrize("ending", [".keras", ".h5"])


def halved(x):
    return x * 0.5


def with_lambdas(library, shift=0.25):
    """A lambda that closes over a number and has a default and an argument, and a function with a name."""
    layers = library.layers
    inputs = library.Input((4,))
    x = layers.Lambda(lambda x, k=2.0, by=1.0: x * k * by + shift, arguments={"by": 3.0}, name="code")(inputs)
    x = layers.Lambda(halved, output_shape=(4,), name="named")(x)
    return library.Model(inputs, layers.Dense(2)(x))


@ENDINGS
def test_a_lambda_is_written_as_keras_writes_it(tmp_path, ending):
    model = with_lambdas(keras)
    model.compile("adam", "mse")
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    model.save(tmp_path / f"m{ending}")
    theirs = real_keras.models.load_model(
        tmp_path / f"m{ending}", safe_mode=False, custom_objects={"halved": halved}, compile=False
    )
    np.testing.assert_allclose(theirs.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    keys = ("class_name", "config", "module", "registered_name")
    mine, named = (m.get_layer("named").get_config()["function"] for m in (model, with_lambdas(real_keras)))
    assert {key: mine[key] for key in keys} == {key: named[key] for key in keys}
    plain = lambda x: x + 1  # noqa: E731
    assert (
        dict(keras.layers.Lambda(plain).get_config()["function"])
        == real_keras.layers.Lambda(plain).get_config()["function"]
    )


@ENDINGS
@pytest.mark.parametrize("library", [keras, real_keras], ids=["ours", "keras"])
def test_code_is_never_run_and_the_lambdas_function_is_handed_in(tmp_path, ending, library, monkeypatch):
    monkeypatch.setattr(functions, "_written", {})
    model = with_lambdas(library)
    x = np.random.default_rng(0).normal(size=(3, 4)).astype("float32")
    model.save(tmp_path / f"m{ending}")
    functions._written.clear()  # as if another process had written it
    for safe_mode in (True, False):
        with pytest.raises(UnsupportedError, match=r"never run .*custom_objects=\{'code': function\}.*load_weights"):
            keras.models.load_model(tmp_path / f"m{ending}", safe_mode=safe_mode)
    function = lambda x, by: x * 2.0 * by + 0.25  # noqa: E731
    with pytest.raises(UnsupportedError, match="'halved', unknown here"):
        keras.models.load_model(tmp_path / f"m{ending}", custom_objects={"code": function})
    loaded = keras.models.load_model(tmp_path / f"m{ending}", custom_objects={"code": function, "halved": halved})
    np.testing.assert_allclose(loaded.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)
    fresh = with_lambdas(keras)
    fresh.load_weights(tmp_path / f"m{ending}")
    np.testing.assert_allclose(fresh.predict(x, verbose=0), model.predict(x, verbose=0), rtol=1e-5, atol=1e-6)


@ENDINGS
def test_the_process_that_wrote_a_lambda_has_its_function_at_hand(tmp_path, ending, monkeypatch):
    monkeypatch.setattr(functions, "_written", {})
    monkeypatch.setattr("marshal.loads", lambda *_: pytest.fail("code from a file was read"))
    factor = 3.0
    built = [
        keras.Sequential([keras.Input((4,)), keras.layers.Lambda(function), keras.layers.Dense(2)])
        for function in (lambda x: x * factor, lambda x, by=2.0: x + by)
    ]
    x = np.ones((2, 4), "float32")
    for number, model in enumerate(built):
        model.save(tmp_path / f"{number}{ending}")
    for number, model in enumerate(built):
        loaded = keras.models.load_model(tmp_path / f"{number}{ending}")
        np.testing.assert_array_equal(loaded.predict(x, verbose=0), model.predict(x, verbose=0))
    array = np.ones(4, "float32")  # no data for a file: which array it was cannot be told from the file
    with pytest.warns(UserWarning, match="a file cannot hold"):
        keras.Sequential([keras.Input((4,)), keras.layers.Lambda(lambda x: x * array)]).save(tmp_path / f"a{ending}")
    with pytest.raises(UnsupportedError, match="never run"):
        keras.models.load_model(tmp_path / f"a{ending}")


def test_models_with_lambdas_are_cloned_and_wild_closures_warn(tmp_path):
    model = with_lambdas(keras)
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    x = np.ones((2, 4), "float32")
    np.testing.assert_array_equal(clone.predict(x, verbose=0), model.predict(x, verbose=0))
    with pytest.warns(UserWarning, match="a file cannot hold"):
        with_lambdas(keras, shift=np.ones(4, "float32")).save(tmp_path / "m.keras")


def _rewritten(path, change):
    """A .keras file with its config.json changed."""
    target = path.with_name("changed.keras")
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(target, "w") as out:
        for item in source.namelist():
            data = source.read(item)
            if item == "config.json":
                config = json.loads(data)
                change(config)
                data = json.dumps(config).encode()
            out.writestr(item, data)
    return target


def _layer(index, **values):
    return lambda c: c["config"]["layers"][index]["config"].update(values)


CHANGES = {
    "negative filters": _layer(1, filters=-4),
    "text for a number": _layer(1, filters="many"),
    "unknown argument": _layer(1, colour="red"),
    "kernel of text": _layer(1, kernel_size="x"),
    "huge": _layer(7, units=10**12),
    "wrong shape": _layer(7, units=4),
    "unknown activation": _layer(1, activation="rellu"),
    "unknown initializer": _layer(1, kernel_initializer={"class_name": "Glorot", "config": {}}),
    "initializer of a list": _layer(1, kernel_initializer=[1, 2]),
    "rate": _layer(5, rate=7),
    "input rank": _layer(0, batch_shape=[None, 8]),
    "input text": _layer(0, batch_shape="abc"),
    "input null": _layer(0, batch_shape=None),
    "layers is a number": lambda c: c["config"].update(layers=3),
    "layer is text": lambda c: c["config"]["layers"].__setitem__(1, "Conv2D"),
    "layer without a config": lambda c: c["config"]["layers"][1].pop("config"),
    "name is a number": _layer(1, name=3),
    "same names": _layer(2, name="conv2d"),
    "no layers": lambda c: c["config"].update(layers=[]),
    "config is a list": lambda c: c.update(config=[]),
    "class is a list": lambda c: c.update(class_name=[]),
    "code in the loss": lambda c: c["compile_config"].update(
        loss={"class_name": "__lambda__", "config": {"value": "x"}}
    ),
    "unknown optimizer": lambda c: c["compile_config"]["optimizer"].update(class_name="Adamm"),
    "optimizer argument": lambda c: c["compile_config"]["optimizer"]["config"].update(colour=1),
    "rate of text": lambda c: c["compile_config"]["optimizer"]["config"].update(learning_rate="fast"),
    "loss is a number": lambda c: c["compile_config"].update(loss=3),
    "metrics is a number": lambda c: c["compile_config"].update(metrics=3),
    "unknown metric": lambda c: c["compile_config"].update(metrics=["accuracyy"]),
    "metric with nonsense": lambda c: c["compile_config"].update(metrics=[{"class_name": "AUC", "config": {"x": 1}}]),
}


@pytest.fixture(scope="module")
def good_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("good") / "good.keras"
    trained(keras, sequential).save(path)
    return path


@pytest.mark.parametrize("name", CHANGES)
def test_damaged_configs_are_named_and_nothing_else_is_raised(good_file, name):
    with pytest.raises(SceneLightningError) as caught:
        keras.models.load_model(_rewritten(good_file, CHANGES[name]))
    assert isinstance(caught.value, FileFormatError | UnsupportedError), caught.value
    assert len(str(caught.value)) > 20


def test_damaged_graphs_are_named(tmp_path):
    path = tmp_path / "graph.keras"
    branched(keras).save(path)

    def tensor(history):
        def change(config):
            node = config["config"]["layers"][2]["inbound_nodes"][0]
            node["args"][0]["config"]["keras_history"] = history

        return change

    changes = [
        tensor(["nothing", 0, 0]),
        tensor(["a", 0, 0]),
        tensor(["rescaling", 9, 0]),
        tensor(["rescaling", 0, 9]),
        tensor(["rescaling"]),
        tensor(3),
        tensor(["rescaling", "x", 0]),
        tensor(["rescaling", -5, 0]),
        lambda c: c["config"]["layers"][2].update(inbound_nodes=5),
        lambda c: c["config"].update(output_layers=[["zzz", 0, 0]]),
        lambda c: c["config"].update(output_layers=[]),
        lambda c: c["config"].update(input_layers={"a": 3}),
        lambda c: c["config"].pop("input_layers"),
    ]
    for change in changes:
        with pytest.raises(FileFormatError):
            keras.models.load_model(_rewritten(path, change))


def test_truncated_and_flipped_files_raise_only_our_errors(tmp_path):
    model = trained(keras, sequential)
    for ending in (".keras", ".h5", ".ckpt", ".weights.h5"):
        path = tmp_path / f"m{ending}"
        (model.save_weights if "weights" in ending else model.save)(path)
        data = path.read_bytes()
        bad = tmp_path / f"bad{ending}"
        for size in (0, 1, 100, len(data) // 2, len(data) - 1):
            bad.write_bytes(data[:size])
            with pytest.raises(SceneLightningError):
                sequential(keras).load_weights(bad)
        for seed in range(10):
            flipped = bytearray(data)
            for place in np.random.default_rng(seed).integers(0, len(data), 20):
                flipped[place] ^= 0xFF
            bad.write_bytes(flipped)
            with contextlib.suppress(SceneLightningError):
                keras.models.load_model(bad)


@pytest.mark.parametrize("name", ["m.keras", "m.h5", "m.ckpt", "m.weights.h5"])
def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch, name):
    model, path = sequential(keras), tmp_path / name
    save = model.save_weights if "weights" in name else model.save
    save(path)
    before = path.read_bytes()

    def fail(*args, **kwargs):
        raise OSError("No space left on device")

    if name.endswith("ckpt"):
        monkeypatch.setattr(torch, "save", fail)
    else:
        monkeypatch.setattr(h5py.Group, "create_dataset", fail)
    with pytest.raises((OSError, SceneLightningError), match="No space"):
        save(path)
    assert path.read_bytes() == before and os.listdir(tmp_path) == [name]


def test_a_network_that_cannot_be_saved_says_so(tmp_path):
    with pytest.raises(InputError, match="build"):
        keras.Sequential([keras.layers.Dense(2)]).save(tmp_path / "m.keras")
    assert os.listdir(tmp_path) == []


def test_a_saved_model_folder_without_its_variables(tmp_path):
    shutil.copytree(FIXTURES / "k2_sequential_saved_model", tmp_path / "m")
    shutil.rmtree(tmp_path / "m" / "variables")
    with pytest.raises(FileFormatError):
        keras.models.load_model(tmp_path / "m")


def test_skip_mismatch_leaves_what_does_not_fit(tmp_path):
    model = sequential(keras)
    model.save_weights(tmp_path / "m.weights.h5")
    other = keras.Sequential([keras.Input((8, 8, 3)), *model.layers[:-1], keras.layers.Dense(5, name="dense")])
    fresh = keras.models.clone_model(other)
    kept = fresh.layers[-1].get_weights()
    with pytest.warns(UserWarning):
        fresh.load_weights(tmp_path / "m.weights.h5", skip_mismatch=True)
    np.testing.assert_array_equal(fresh.get_weights()[0], model.get_weights()[0])
    np.testing.assert_array_equal(fresh.layers[-1].get_weights()[0], kept[0])
