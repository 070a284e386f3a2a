"""Every name that Keras documents answers here: with the thing itself, or with what to use instead of it."""

from __future__ import annotations

import json
import tarfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import torch

import scene_lightning as ours
from scene_lightning import mixed_precision
from scene_lightning._unsupported import is_absent
from scene_lightning.backend import functions, shapes, variables
from scene_lightning.errors import UnsupportedError
from scene_lightning.training.devices import Hardware, Inventory, trainer_arguments

SPACES = (
    "", "activations", "backend", "callbacks", "config", "constraints", "datasets", "initializers", "layers", "losses",
    "metrics", "mixed_precision", "ops", "optimizers", "optimizers.schedules", "preprocessing", "preprocessing.image",
    "random", "regularizers", "saving", "utils",
)  # fmt: skip
KERAS2 = json.loads((Path(__file__).parent / "fixtures" / "keras2_names.json").read_text())


def find(library: Any, path: str) -> Any:
    for part in filter(None, path.split(".")):
        library = getattr(library, part)
    return library


@pytest.mark.parametrize("space", SPACES)
def test_every_documented_name_answers(space: str) -> None:
    names = {name for name in dir(find(keras, space)) if name[0] != "_"} | set(KERAS2.get(space, "").split())
    silent = []
    for name in sorted(names):
        try:
            getattr(find(ours, space), name)
        except AttributeError as error:
            silent.append(str(error))
    assert not silent


@pytest.mark.parametrize("space", SPACES)
def test_exports_exist(space: str) -> None:
    module = find(ours, space)
    assert [name for name in module.__all__ if is_absent(getattr(module, name))] == []


def test_stand_ins_say_what_to_use() -> None:
    for use in (
        lambda: ours.metrics.MeanTensor(),
        lambda: ours.distribution.DataParallel,
        lambda: ours.backend.placeholder((2,)),
        lambda: ours.preprocessing.text.Tokenizer(),
        lambda: type("Own", (ours.utils.Config,), {})(),
    ):
        with pytest.raises(UnsupportedError, match=r"keras\.\w+.* is not supported \(test_n\w+\.py, line \d+\)\. \w+"):
            use()
    assert not isinstance(3, ours.metrics.MeanTensor)
    with pytest.raises(AttributeError, match="Sequential"):
        _ = ours.Sequentiall


# -- K: custom losses and metrics --------------------------------------------------------------------------------------

K = ours.backend


def recall_m(y_true: Any, y_pred: Any) -> Any:
    found = K.sum(K.round(K.clip(y_true * y_pred, 0, 1)))
    return found / (K.sum(K.round(K.clip(y_true, 0, 1))) + K.epsilon())


def precision_m(y_true: Any, y_pred: Any) -> Any:
    found = K.sum(K.round(K.clip(y_true * y_pred, 0, 1)))
    return found / (K.sum(K.round(K.clip(y_pred, 0, 1))) + K.epsilon())


def f1_m(y_true: Any, y_pred: Any) -> Any:
    precision, recall = precision_m(y_true, y_pred), recall_m(y_true, y_pred)
    return 2 * ((precision * recall) / (precision + recall + K.epsilon()))


def own_loss(y_true: Any, y_pred: Any) -> Any:
    return K.mean(K.square(y_pred - y_true), axis=-1) + 0.1 * K.categorical_crossentropy(y_true, y_pred)


def test_metrics_and_losses_written_with_k() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(20, 5)).astype("float32"), np.eye(3, dtype="float32")[rng.integers(0, 3, 20)]
    model = ours.Sequential([ours.Input((5,)), ours.layers.Dense(3, activation="softmax")])
    model.compile("sgd", own_loss, metrics=["accuracy", f1_m, recall_m])
    history = model.fit(x, y, batch_size=8, epochs=2, verbose=0).history
    assert list(history) == ["accuracy", "f1_m", "loss", "recall_m"]
    p = model.predict(x, verbose=0)
    result = model.evaluate(x, y, batch_size=20, verbose=0, return_dict=True)
    hit, asked, given = (y * p).round().sum(), y.sum(), p.round().sum()
    precision, recall = hit / (given + 1e-7), hit / (asked + 1e-7)
    assert result["f1_m"] == pytest.approx(2 * precision * recall / (precision + recall + 1e-7), abs=1e-5)
    loss = ((p - y) ** 2).mean(-1) - 0.1 * (y * np.log(p)).sum(-1)
    assert result["loss"] == pytest.approx(loss.mean(), abs=1e-5)


def test_k_has_keras_2s_defaults_and_orders() -> None:
    x = np.array([[[1.0, -2.0, 2.5]]], "float32")
    equal = {
        "argmax": (K.argmax(x), [[2]]),
        "argmin": (K.argmin(x), [[1]]),
        "relu": (K.relu(x, alpha=0.1, max_value=2.0), [[[1.0, -0.2, 2.0]]]),
        "hard_sigmoid": (K.hard_sigmoid(x), [[[0.7, 0.1, 1.0]]]),
        "sqrt": (K.sqrt(x * x * np.sign(x)), [[[1.0, 0.0, 2.5]]]),
        "flatten": (K.flatten(x), [1.0, -2.0, 2.5]),
        "batch_flatten": (K.batch_flatten(x), [[1.0, -2.0, 2.5]]),
        "concatenate": (K.shape(K.concatenate([x, x])), (1, 1, 6)),
        "stack": (K.shape(K.stack([x, x])), (2, 1, 1, 3)),
        "expand_dims": (K.shape(K.expand_dims(x)), (1, 1, 3, 1)),
        "squeeze": (K.squeeze(x, 0), [[1.0, -2.0, 2.5]]),
        "permute_dimensions": (K.shape(K.permute_dimensions(x, (2, 0, 1))), (3, 1, 1)),
        "reverse": (K.reverse(x, -1), [[[2.5, -2.0, 1.0]]]),
        "gather": (K.gather(x[0], [0, 0]), [[1.0, -2.0, 2.5]] * 2),
        "repeat_elements": (K.shape(K.repeat_elements(x, 2, 2)), (1, 1, 6)),
        "repeat": (K.shape(K.repeat(x[0], 4)), (1, 4, 3)),
        "batch_dot": (K.batch_dot(x[0], x[0], axes=1), [[11.25]]),
        "dot": (K.dot(x[0], x[0].T), [[11.25]]),
        "l2_normalize": (K.sum(K.square(K.l2_normalize(x, -1)), -1), [[1.0]]),
        "switch": (K.switch(x > 0, x, 0 * x), [[[1.0, 0.0, 2.5]]]),
        "in_train_phase": (K.in_train_phase(x, 0 * x, training=0), 0 * x),
        "in_test_phase": (K.in_test_phase(x, 0 * x, training=0), x),
        "cumsum": (K.cumsum(x[0, 0]), [1.0, -1.0, 1.5]),
        "cumprod": (K.cumprod(x[0, 0]), [1.0, -2.0, -5.0]),
        "softmax": (K.sum(K.softmax(x), -1), [[1.0]]),
        "round": (K.round(x), [[[1.0, -2.0, 2.0]]]),
        "pow": (K.pow(x, 2), [[[1.0, 4.0, 6.25]]]),
        "clip": (K.clip(x, 0, 2), [[[1.0, 0.0, 2.0]]]),
        "bias_add": (K.bias_add(x, [1.0, 1.0, 1.0]), x + 1),
        "zeros": (K.zeros((2,)), [0, 0]),
        "ones": (K.ones((2,)), [1, 1]),
        "constant": (K.constant([1.0]), [1.0]),
        "resize_images": (K.shape(K.resize_images(np.zeros((1, 2, 3, 1), "f"), 2, 3)), (1, 4, 9, 1)),
        "spatial_2d_padding": (K.shape(K.spatial_2d_padding(np.zeros((1, 2, 3, 1), "f"))), (1, 4, 5, 1)),
        "conv2d": (K.shape(K.conv2d(np.zeros((1, 5, 5, 1), "f"), np.zeros((3, 3, 1, 2), "f"))), (1, 3, 3, 2)),
        "pool2d": (K.shape(K.pool2d(np.zeros((1, 5, 5, 1), "f"), (2, 2), pool_mode="avg")), (1, 4, 4, 1)),
    }  # fmt: skip
    for name, (found, expected) in equal.items():
        np.testing.assert_allclose(np.asarray(found), np.asarray(expected), atol=1e-6, err_msg=name)
    # the others are the functions of `ops`, which have tests of their own
    own = {
        name for part in (functions, shapes, variables) for name in part.__all__
        if getattr(getattr(part, name), "__module__", "") == part.__name__
    }  # fmt: skip
    elsewhere = {"update", "update_add", "update_sub", "moving_average_update", "variable", "dropout",
                 "print_tensor", "is_keras_tensor", "is_sparse", "set_session", "get_session",
                 "manual_variable_initialization"}  # fmt: skip
    assert {n for n in own if not n.startswith(("random_", "truncated"))} - set(equal) - elsewhere == set()


def test_variables_functions_and_draws_of_k() -> None:
    weight = K.variable([1.0, 2.0])
    K.update_add(weight, 1.0)
    K.update_sub(K.update(weight, weight * 2), 1.0)
    assert K.get_value(K.moving_average_update(weight, torch.zeros(2), 0.5)).tolist() == [1.5, 2.5]
    model = ours.Sequential([ours.Input((3,)), ours.layers.Dense(2, name="a"), ours.layers.Dense(1)])
    x = np.ones((4, 3), "float32")
    activations = K.function([model.input, K.learning_phase()], [model.get_layer("a").output])([x, 0])
    np.testing.assert_allclose(activations[0], x @ model.get_layer("a").get_weights()[0], atol=1e-6)
    for draw in (K.random_normal, K.random_uniform, K.truncated_normal, K.random_bernoulli):
        assert torch.equal(draw((50,), seed=3), draw((50,), seed=3))
    assert K.tensorflow_backend is K and not K.is_sparse(weight) and K.get_session() is None
    assert set(np.unique(K.dropout(torch.ones(50), 0.5, seed=1))) == {0.0, 2.0}


def test_gradients_in_a_graph_are_torch_s() -> None:
    """Grad-CAM and filter maximisation as François Chollet's book writes them, on a frozen model."""
    model = ours.Sequential(
        [
            ours.Input((6, 6, 3)),
            ours.layers.Conv2D(4, 3, activation="tanh", name="convolution"),
            ours.layers.Flatten(),
            ours.layers.Dense(5, activation="softmax"),
        ]
    )
    model.trainable = False
    layer = model.get_layer("convolution")
    x = np.random.default_rng(0).normal(size=(1, 6, 6, 3)).astype("float32")
    by_map = K.gradients(model.output[:, 2], layer.output)[0]
    loss = K.mean(layer.output[:, :, :, 1])
    (by_pixel,) = K.gradients(loss, [model.input])
    by_pixel /= K.sqrt(K.mean(K.square(by_pixel))) + 1e-5
    evaluate = K.function([model.input], [K.mean(by_map, axis=(0, 1, 2)), layer.output[0], loss, by_pixel])
    pooled, maps, value, steps = evaluate([x])

    image = torch.from_numpy(x).requires_grad_()
    seen = layer(image)
    probability = model.layers[2](model.layers[1](seen))[:, 2].sum()
    expected = torch.autograd.grad(probability, seen, retain_graph=True)[0].mean((0, 1, 2)).numpy()
    np.testing.assert_allclose(pooled, expected, atol=1e-6)
    np.testing.assert_allclose(maps, seen[0].detach(), atol=1e-6)
    np.testing.assert_allclose(value, seen[..., 1].mean().item(), atol=1e-6)
    slope = torch.autograd.grad(seen[..., 1].mean(), image)[0]
    np.testing.assert_allclose(steps, slope / (slope.square().mean().sqrt() + 1e-5), atol=1e-4)


def test_gradients_of_tensors_with_values() -> None:
    x = torch.tensor([1.0, 2.0], requires_grad=True)
    (slope,) = K.gradients(K.sum(x**3), [x])
    assert slope.tolist() == [3.0, 12.0] and K.gradients(slope, x)[0].tolist() == [6.0, 12.0]


# -- the other small namespaces ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(("name", "arguments"), [
    ("normal", {"mean": 1.0, "stddev": 2.0}), ("uniform", {"minval": -1.0, "maxval": 3.0}),
    ("truncated_normal", {"stddev": 0.5}), ("randint", {"minval": 0, "maxval": 9}),
    ("binomial", {"counts": 8.0, "probabilities": 0.3}),
])  # fmt: skip
def test_random_has_keras_distributions(name: str, arguments: dict[str, Any]) -> None:
    draws = [getattr(library.random, name)((4000,), seed=5, **arguments) for library in (ours, keras)]
    a, b = (draw.double().numpy() for draw in draws)
    assert str(draws[0].dtype) == str(draws[1].dtype)
    assert a.mean() == pytest.approx(b.mean(), abs=4 * b.std() / 40) and a.std() == pytest.approx(b.std(), rel=0.08)
    seeds = ours.random.SeedGenerator(5)
    first, second = (getattr(ours.random, name)((9,), seed=seeds, **arguments) for _ in range(2))
    assert not torch.equal(first, second)
    again = getattr(ours.random, name)((9,), seed=ours.random.SeedGenerator(5), **arguments)
    assert torch.equal(first, again)


def test_random_choices() -> None:
    assert sorted(ours.random.shuffle([3, 1, 2], seed=1).tolist()) == [1, 2, 3]
    assert ours.random.categorical([[0.0, 99.0]], 5).tolist() == [[1] * 5]
    assert set(np.unique(ours.random.dropout(np.ones(50, "f"), 0.5, seed=1))) == {0.0, 2.0}


def test_policies_become_the_precision_of_verbs(monkeypatch: pytest.MonkeyPatch) -> None:
    cpu = Inventory()
    try:
        mixed_precision.set_global_policy("mixed_bfloat16")
        assert trainer_arguments(Hardware(), cpu)["precision"] == "bf16-mixed"
        assert trainer_arguments(Hardware(precision="32-true"), cpu)["precision"] == "32-true"
        assert ours.config.dtype_policy().compute_dtype == "bfloat16"
        monkeypatch.setattr(mixed_precision, "take_inventory", Inventory)
        with pytest.warns(UserWarning, match="needs a GPU"):
            ours.config.set_dtype_policy(ours.DTypePolicy("mixed_float16"))
        assert trainer_arguments(Hardware(), cpu)["precision"] == "32-true"
        assert mixed_precision.global_policy() == mixed_precision.Policy("mixed_float16")
        with pytest.raises(ValueError, match="mixed_float16"):
            mixed_precision.set_global_policy("mixed_float8")
    finally:
        mixed_precision.set_global_policy("float32")
    inner = ours.optimizers.Adam()
    with pytest.warns(UserWarning, match="scales the loss"):
        assert mixed_precision.LossScaleOptimizer(inner, dynamic=True) is inner


def test_config_is_the_backends_settings() -> None:
    config = ours.config
    try:
        config.set_image_data_format("channels_first")
        config.set_epsilon(1e-5)
        config.set_max_epochs(2)
        config.set_max_steps_per_epoch(3)
        assert (K.image_data_format(), K.epsilon(), config.max_epochs(), config.max_steps_per_epoch()) == (
            "channels_first", 1e-5, 2, 3,
        )  # fmt: skip
    finally:
        config.set_image_data_format("channels_last")
        config.set_epsilon(1e-7)
        config.set_max_epochs(None)
        config.set_max_steps_per_epoch(None)
    assert (config.backend(), config.floatx()) == ("torch", "float32")
    before = config.is_interactive_logging_enabled()
    config.disable_interactive_logging()
    assert not config.is_interactive_logging_enabled()
    config.enable_interactive_logging()
    assert config.is_interactive_logging_enabled()
    if not before:
        config.disable_interactive_logging()
    with pytest.raises(UnsupportedError, match="PyTorch"):
        config.set_backend("jax")


@pytest.mark.parametrize("make", [
    lambda k: k.layers.Dense(3, activation="relu", kernel_regularizer=k.regularizers.L2(0.1)),
    lambda k: k.losses.CategoricalCrossentropy(label_smoothing=0.1), lambda k: k.metrics.AUC(),
    lambda k: k.optimizers.Adam(0.01), lambda k: k.initializers.HeNormal(), lambda k: k.regularizers.L1(0.2),
    lambda k: k.constraints.MaxNorm(2), lambda k: k.optimizers.schedules.ExponentialDecay(0.1, 10, 0.5),
    lambda k: k.activations.relu,
])  # fmt: skip
def test_objects_serialise_as_in_keras_both_ways(make: Any) -> None:
    mine, theirs = make(ours), make(keras)
    here = ours.saving.deserialize_keras_object(keras.saving.serialize_keras_object(theirs))
    there = keras.saving.deserialize_keras_object(ours.saving.serialize_keras_object(mine))
    if mine is ours.activations.relu:
        assert here is mine and there is theirs
        return
    assert type(here) is type(mine) and type(there) is type(theirs)
    expected, found = mine.get_config(), here.get_config()
    for key in set(expected) - {"name"}:
        assert found[key] == (pytest.approx(expected[key]) if isinstance(expected[key], float) else expected[key])


def test_saving_has_the_functions_of_models(tmp_path: Path) -> None:
    model = ours.Sequential([ours.Input((2,)), ours.layers.Dense(1)])
    ours.saving.save_model(model, tmp_path / "m.keras")
    again = ours.saving.load_model(tmp_path / "m.keras")
    ours.saving.save_weights(model, tmp_path / "m.weights.h5")
    ours.saving.load_weights(again, tmp_path / "m.weights.h5")
    assert np.array_equal(again.get_weights()[0], model.get_weights()[0])
    assert ours.saving.get_custom_objects() is ours.utils.get_custom_objects()
    nested = {"a": (1, [np.arange(2)]), "b": None}
    back = ours.saving.deserialize_keras_object(ours.saving.serialize_keras_object(nested))
    assert back["a"][0] == 1 and back["a"][1][0].tolist() == [0, 1] and back["b"] is None


def test_datasets_read_files_that_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    folder = tmp_path / "datasets"
    folder.mkdir()
    with pytest.raises(UnsupportedError, match=r"mnist\.npz"):
        ours.datasets.mnist.load_data()
    digits = np.arange(2 * 784, dtype="uint8").reshape(2, 28, 28)
    np.savez(folder / "mnist.npz", x_train=digits, y_train=[1, 2], x_test=digits[:1], y_test=[3])
    (x, y), (x_test, _) = ours.datasets.mnist.load_data()
    assert np.array_equal(x, digits) and y.tolist() == [1, 2] and len(x_test) == 1
    row = np.concatenate([[7], np.arange(3072) % 256]).astype("uint8")
    with tarfile.open(folder / "cifar-10-binary.tar.gz", "w:gz") as archive:
        for name in ("data_batch_1.bin", "test_batch.bin"):
            (tmp_path / name).write_bytes(row.tobytes())
            archive.add(tmp_path / name, f"cifar-10-batches-bin/{name}")
    (x, y), _ = ours.datasets.cifar10.load_data()
    assert x.shape == (1, 32, 32, 3) and y.tolist() == [[7]] and x[0, 0, :2, 0].tolist() == [0, 1]
    with pytest.raises(UnsupportedError, match="images"):
        ours.datasets.imdb.load_data()


def test_names_of_dtypes() -> None:
    for dtype in ("float32", "int64", "bool", "bfloat16", int, float, bool, np.float16, np.dtype("uint8"), torch.int32):
        assert K.standardize_dtype(dtype) == keras.backend.standardize_dtype(dtype)
        assert K.is_float_dtype(dtype) == keras.backend.is_float_dtype(dtype)
        assert K.is_int_dtype(dtype) == keras.backend.is_int_dtype(dtype)
    for pair in (("int32", "float32"), ("float16", "float32"), ("uint8", "int32"), ("bool", "int32")):
        assert K.result_type(*pair) == keras.backend.result_type(*pair)
    try:
        ours.config.set_floatx("float16")
        assert K.zeros((1,)).dtype == torch.float16
    finally:
        ours.config.set_floatx("float32")
    K.reset_uids()
    assert K.get_uid("dense") == "dense"


def test_registered_names() -> None:
    @ours.saving.register_keras_serializable("mine")
    class Own:
        pass

    try:
        assert ours.saving.get_registered_name(Own) == "mine>Own"
        assert ours.saving.get_registered_object("mine>Own") is Own
    finally:
        for name in ("mine>Own", "Own"):
            ours.saving.get_custom_objects().pop(name)


def test_functions_that_have_a_class_as_well() -> None:
    p = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]], "float32")
    arguments = (torch.tensor([0, 2]), torch.tensor(p), 0.7)
    found, expected = (k.losses.categorical_generalized_cross_entropy(*arguments) for k in (ours, keras))
    np.testing.assert_allclose(found.numpy(), expected.numpy(), rtol=1e-5)
    images = np.random.default_rng(0).uniform(0, 255, (5, 6, 3)).astype("float32")
    theirs = keras.src.legacy.preprocessing.image
    mine = ours.preprocessing.image
    np.testing.assert_allclose(
        mine.apply_channel_shift(images, 20.0, channel_axis=2), theirs.apply_channel_shift(images, 20.0, channel_axis=2)
    )
    np.testing.assert_array_equal(mine.flip_axis(images, 1), theirs.flip_axis(images, 1))
    model = ours.Sequential([ours.Input((2,)), ours.layers.Dense(1)])
    config = {"class_name": "Sequential", "config": model.get_config()}
    assert ours.models.model_from_config(config).get_config() == model.get_config()
