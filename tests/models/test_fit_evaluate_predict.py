"""fit, evaluate, predict: History, logs and weights equal to the real Keras' for every argument."""

from __future__ import annotations

from pathlib import Path

import keras as real_keras
import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.models import one_batch
from tests.models.parity import (
    LABELS,
    RNG,
    VW,
    VX,
    VY,
    N,
    W,
    X,
    Y,
    assert_histories,
    assert_weights,
    compare,
    make_pair,
    network,
)

FITS = {
    "partial last batch": lambda k: {},
    "one batch": lambda k: {"batch_size": 64},
    "default batch size": lambda k: {"batch_size": None},
    "validation_split": lambda k: {"validation_split": 0.25},
    "validation_data": lambda k: {"validation_data": (VX, VY)},
    "validation_data list": lambda k: {"validation_data": [VX, VY]},
    "validation weights": lambda k: {"validation_data": (VX, VY, VW)},
    "validation_batch_size": lambda k: {"validation_data": (VX, VY), "validation_batch_size": 2},
    "validation_steps": lambda k: {"validation_data": (VX, VY), "validation_batch_size": 2, "validation_steps": 2},
    "validation_freq": lambda k: {"validation_data": (VX, VY), "validation_freq": 2},
    "validation_freq list": lambda k: {"validation_data": (VX, VY), "validation_freq": [1, 3]},
    "class_weight": lambda k: {"class_weight": {0: 1.0, 1: 2.0, 2: 0.5}, "validation_data": (VX, VY)},
    "sample_weight": lambda k: {"sample_weight": W, "validation_data": (VX, VY)},
    "sample_weight and split": lambda k: {"sample_weight": W, "validation_split": 0.3},
    "initial_epoch": lambda k: {"initial_epoch": 1},
    "steps_per_epoch": lambda k: {"steps_per_epoch": 2},
    "tensors": lambda k: {"x": torch.from_numpy(X), "y": torch.from_numpy(Y)},
}


@pytest.mark.filterwarnings("ignore:.*ran out of data")
@pytest.mark.parametrize("name", FITS)
def test_history_and_weights_are_keras(name):
    results = compare(FITS[name])
    params = results[0][1].params
    assert {key: params[key] for key in ("epochs", "steps", "verbose")} == dict(results[1][1].params)


COMPILES = {
    "adam, weighted metrics": lambda k: {
        "optimizer": "adam",
        "loss": "categorical_crossentropy",
        "metrics": ["acc"],
        "weighted_metrics": ["acc", "mse"],
    },
    "objects": lambda k: {
        "optimizer": k.optimizers.SGD(0.05, momentum=0.9, nesterov=True),
        "loss": k.losses.CategoricalCrossentropy(label_smoothing=0.1),
        "metrics": [
            k.metrics.CategoricalAccuracy(),
            k.metrics.TopKCategoricalAccuracy(k=2),
            k.metrics.AUC(),
            k.metrics.Precision(),
            k.metrics.Recall(),
            k.metrics.F1Score(average="macro"),
        ],
    },
    "clipnorm": lambda k: {"optimizer": k.optimizers.SGD(0.1, clipnorm=0.05), "loss": "categorical_crossentropy"},
    "global_clipnorm": lambda k: {
        "optimizer": k.optimizers.Adam(0.01, epsilon=1e-3, global_clipnorm=0.1),
        "loss": "mse",
    },
    "schedule": lambda k: {
        "optimizer": k.optimizers.SGD(k.optimizers.schedules.ExponentialDecay(0.1, 2, 0.5)),
        "loss": "categorical_crossentropy",
        "metrics": ["accuracy"],
    },
    "cosine with warmup": lambda k: {
        "optimizer": k.optimizers.AdamW(k.optimizers.schedules.CosineDecay(0.0, 6, warmup_target=0.01, warmup_steps=3)),
        "loss": "kl_divergence",
    },
    "focal": lambda k: {
        "optimizer": "rmsprop",
        "loss": k.losses.CategoricalFocalCrossentropy(gamma=3.0),
        "metrics": ["mae"],
    },
    "function": lambda k: {"optimizer": "sgd", "loss": lambda t, p: (t - p) ** 2, "metrics": [squared]},
    "same name twice": lambda k: {"optimizer": "sgd", "loss": "categorical_crossentropy", "metrics": ["mse", "mse"]},
}


def squared(y_true, y_pred):
    return ((y_true - y_pred) ** 2).mean(-1)


@pytest.mark.parametrize("name", COMPILES)
def test_compile_arguments_are_keras(name):
    fit = (
        (lambda k: {"sample_weight": W, "validation_data": (VX, VY, VW)})
        if "weighted" in name
        else (lambda k: {"validation_data": (VX, VY)})
    )
    results = compare(fit, COMPILES[name])
    here, there = (model.evaluate(X, Y, batch_size=4, verbose=0) for model, _ in results)
    if name not in ("adam, weighted metrics", "same name twice"):  # there Keras' list has a value twice
        np.testing.assert_allclose(here, there, rtol=2e-4, atol=1e-6)
    here, there = (model.evaluate(X, Y, batch_size=4, verbose=0, return_dict=True) for model, _ in results)
    assert_histories(here, there)


LOSSES = {
    "sparse": ("sparse_categorical_crossentropy", 3, "softmax", LABELS),
    "sparse column": ("sparse_categorical_crossentropy", 3, "softmax", LABELS[:, None]),
    "binary": ("binary_crossentropy", 1, "sigmoid", (LABELS > 0).astype("float32")),
    "binary column": ("binary_crossentropy", 1, "sigmoid", (LABELS > 0).astype("int64")[:, None]),
    "multi-label": ("binary_crossentropy", 3, "sigmoid", (RNG.random((N, 3)) > 0.5).astype("float32")),
    "regression": ("huber", 1, None, W),
    "hinge": ("categorical_hinge", 3, None, Y),
}


@pytest.mark.parametrize("name", LOSSES)
def test_losses_choose_the_kind_of_accuracy(name):
    loss, units, activation, y = LOSSES[name]
    compare(
        lambda k: {"y": y, "validation_split": 0.2},
        lambda k: {"optimizer": "sgd", "loss": loss, "metrics": ["accuracy"]},
        units=units,
        activation=activation,
    )


def test_from_logits_and_regularisers_join_loss_and_val_loss():
    compile = lambda k: {"optimizer": "sgd", "loss": k.losses.CategoricalCrossentropy(from_logits=True)}  # noqa: E731
    results = compare(lambda k: {"validation_data": (VX, VY)}, compile, activation=None, regularizer="l2")
    plain = compare(lambda k: {"validation_data": (VX, VY)}, compile, activation=None)
    assert results[0][1].history["loss"][0] != plain[0][1].history["loss"][0]


# -- several outputs ---------------------------------------------------------------------------------------------------


def two_headed(k, as_dict=False):
    image = k.Input((4, 4, 3), name="image")
    extra = k.Input((2,), name="extra")
    features = k.layers.concatenate([k.layers.Flatten()(image), extra])
    kind = k.layers.Dense(3, activation="softmax", name="kind")(features)
    size = k.layers.Dense(1, name="size")(features)
    return k.Model([image, extra], {"kind": kind, "size": size} if as_dict else [kind, size])


EXTRA = RNG.random((N, 2)).astype("float32")
MULTI = {
    "list": (
        lambda k: {
            "optimizer": "sgd",
            "loss": ["categorical_crossentropy", "mse"],
            "loss_weights": [1.0, 0.5],
            "metrics": [["accuracy"], ["mae"]],
        },
        [Y, W],
    ),
    "one loss for all": (lambda k: {"optimizer": "sgd", "loss": "mse"}, [Y, W]),
    "dicts by output name": (
        lambda k: {
            "optimizer": "sgd",
            "loss": {"kind": "categorical_crossentropy", "size": "mse"},
            "loss_weights": {"kind": 0.3, "size": 2.0},
            "metrics": {"kind": ["accuracy", "mse"], "size": "mae"},
        },
        {"kind": Y, "size": W},
    ),
    "metrics for one": (
        lambda k: {"optimizer": "sgd", "loss": ["categorical_crossentropy", "mse"], "metrics": {"kind": "accuracy"}},
        [Y, W],
    ),
}


@pytest.mark.parametrize(("name", "as_dict"), [*((name, False) for name in MULTI), ("dicts by output name", True)])
def test_several_outputs_log_each_one(name, as_dict):
    compile, y = MULTI[name]
    results = compare(
        lambda k: {"x": [X, EXTRA], "y": y, "validation_split": 0.3}, compile, two_headed, as_dict=as_dict
    )
    here, there = (model.evaluate([X, EXTRA], y, verbose=0, return_dict=True) for model, _ in results)
    assert_histories(here, there)
    here, there = (model.evaluate([X, EXTRA], y, verbose=0) for model, _ in results)
    np.testing.assert_allclose(here, there, rtol=2e-4)
    assert len(results[0][0].metrics_names) == len(here)
    here, there = (model.predict([X, EXTRA], batch_size=4, verbose=0) for model, _ in results)
    assert type(here) is type(there)
    for a, b in zip(*((v.values() if as_dict else v) for v in (here, there)), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)


def test_inputs_in_a_dict_train_too():
    compile, y = MULTI["list"]
    compare(lambda k: {"x": {"extra": EXTRA, "image": X}, "y": y}, compile, two_headed)


# -- one batch at a time -----------------------------------------------------------------------------------------------


def test_on_batch_verbs_are_keras():
    ours, theirs = make_pair()
    for k, model in ((keras, ours), (real_keras, theirs)):
        model.compile(
            # a large epsilon: Adam makes full steps of gradients that are nothing but rounding
            k.optimizers.Adam(0.01, epsilon=1e-3),
            "categorical_crossentropy",
            metrics=["accuracy"],
            weighted_metrics=["mse"],
        )
    for arguments in ({}, {"sample_weight": W[:4]}, {"class_weight": {0: 0.5, 2: 3.0}}):
        here, there = (model.train_on_batch(X[:4], Y[:4], **arguments) for model in (ours, theirs))
        np.testing.assert_allclose(here, there, rtol=1e-4)
    here, there = (model.test_on_batch(VX, VY, sample_weight=VW) for model in (ours, theirs))
    np.testing.assert_allclose(here, there, rtol=1e-4)
    here, there = (model.train_on_batch(X[:4], Y[:4], return_dict=True) for model in (ours, theirs))
    assert_histories(here, there)
    here, there = (model.test_on_batch(X[:4], Y[:4], return_dict=True) for model in (ours, theirs))
    assert_histories(here, there)
    np.testing.assert_allclose(ours.predict_on_batch(X), theirs.predict_on_batch(X), atol=1e-4)
    assert_weights(ours, theirs)
    assert ours.metrics_names == ["loss", "accuracy", "mse"]


def test_train_on_batch_builds_and_leaves_the_training_of_fit_going():
    model = keras.Sequential([keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")])
    model.compile("adam", "categorical_crossentropy")
    first = model.train_on_batch(X, Y)
    assert np.isscalar(first) and model.built
    model.fit(X, Y, batch_size=5, verbose=0)
    assert int(model.optimizer.iterations) == 3


def test_two_fits_keep_the_optimizer_state_as_keras_does():
    ours, theirs = make_pair()
    for k, model in ((keras, ours), (real_keras, theirs)):
        model.compile(k.optimizers.Adam(0.01, epsilon=1e-3), "categorical_crossentropy")
        for _ in range(2):
            model.fit(X, Y, batch_size=4, epochs=2, shuffle=False, verbose=0)
        model.train_on_batch(X, Y)
    assert int(ours.optimizer.iterations) == int(theirs.optimizer.iterations) == 13
    assert_weights(ours, theirs)


def test_unfreezing_and_compiling_again_trains_all():
    ours, theirs = make_pair()
    for k, model in ((keras, ours), (real_keras, theirs)):
        model.layers[0].trainable = False
        model.compile(k.optimizers.Adam(0.01, epsilon=1e-3), "categorical_crossentropy")
        model.fit(X, Y, batch_size=4, shuffle=False, verbose=0)
        model.layers[0].trainable = True
        model.compile(k.optimizers.Adam(0.001, epsilon=1e-3), "categorical_crossentropy")
        model.fit(X, Y, batch_size=4, shuffle=False, verbose=0)
    assert_weights(ours, theirs)


# -- predict -----------------------------------------------------------------------------------------------------------


def test_predict_streams_batches_when_asked():
    model, seen = network(keras), []
    assert model.predict(X, batch_size=4, verbose=0, on_batch=lambda out, batch: seen.append(out)) is None
    assert [len(out) for out in seen] == [4, 4, 2]
    np.testing.assert_allclose(np.concatenate(seen), model.predict(X, verbose=0), atol=1e-6)


def test_predict_needs_no_compile_and_takes_uint8():
    model = network(keras)
    images = (X * 255).astype("uint8")
    np.testing.assert_allclose(
        model.predict(images, verbose=0), model.predict(images.astype("float32"), verbose=0), atol=1e-6
    )


def test_dropout_is_off_in_evaluate_and_predict_and_gradients_are_free_afterwards():
    model = keras.Sequential(
        [keras.Input((4, 4, 3)), keras.layers.Flatten(), keras.layers.Dropout(0.5), keras.layers.Dense(3)]
    )
    np.testing.assert_array_equal(model.predict(X, verbose=0), model.predict(X, verbose=0))
    assert all(p.requires_grad for p in model.parameters())
    model(torch.from_numpy(X), training=True).sum().backward()


# -- callbacks ---------------------------------------------------------------------------------------------------------


def recorder(k, log):
    def hook(name):
        def record(self, *args, logs=None, **kwargs):
            *position, logs = args if len(args) == (2 if "epoch" in name or "batch" in name else 1) else (*args, logs)
            values = {key: round(float(value), 3) for key, value in dict(logs or {}).items() if key != "outputs"}
            log.append((name, *position, values))

        return record

    names = [
        f"on_{phase}_{when}"
        for phase in ("train", "epoch", "test", "train_batch", "test_batch", "predict", "predict_batch")
        for when in ("begin", "end")
    ]
    return type("Recorder", (k.callbacks.Callback,), {name: hook(name) for name in names})()


def test_callbacks_hear_what_keras_tells_in_its_order():
    logs = {keras: [], real_keras: []}
    results = compare(lambda k: {"callbacks": [recorder(k, logs[k])], "epochs": 2, "validation_data": (VX, VY)})
    for k, (model, _) in zip((keras, real_keras), results, strict=True):
        model.evaluate(X, Y, batch_size=4, verbose=0, callbacks=[recorder(k, logs[k])])
        model.predict(X, batch_size=4, verbose=0, callbacks=[recorder(k, logs[k])])
    assert [entry[:-1] for entry in logs[keras]] == [entry[:-1] for entry in logs[real_keras]]
    for ours, theirs in zip(logs[keras], logs[real_keras], strict=True):
        assert ours[-1] == pytest.approx(theirs[-1], abs=2e-3), ours[0]


def test_stop_training_in_a_batch_hook_ends_the_epoch_there():
    def stopper(k):
        class Stopper(k.callbacks.Callback):
            def on_train_batch_end(self, batch, logs=None):
                if batch == 1:
                    self.model.stop_training = True

        return Stopper()

    results = compare(lambda k: {"callbacks": [stopper(k)], "epochs": 5, "validation_data": (VX, VY)})
    assert results[0][1].epoch == [0] and "val_loss" in results[0][1].history
    assert int(results[0][0].optimizer.iterations) == 2


def test_early_stopping_restores_and_a_scheduler_changes_the_rate_as_in_keras():
    def callbacks(k):
        return [
            k.callbacks.EarlyStopping("val_loss", patience=1, restore_best_weights=True),
            k.callbacks.LearningRateScheduler(lambda epoch, rate: 0.5 / (epoch + 1)),
            k.callbacks.ReduceLROnPlateau("val_loss", patience=1, factor=0.1),
        ]

    results = compare(lambda k: {"callbacks": callbacks(k), "epochs": 8, "validation_data": (VX, VY[::-1].copy())})
    assert "learning_rate" in results[0][1].history


def test_nothing_to_do_gives_an_empty_history():
    for k in (keras, real_keras):
        model = network(k)
        model.compile("sgd", "categorical_crossentropy")
        assert model.fit(X, Y, epochs=2, initial_epoch=2, verbose=0).history == {}


def test_train_on_batch_mentions_an_idle_gpu_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    one_batch._mention_gpu.cache_clear()
    model = keras.Sequential([keras.Input((3,)), keras.layers.Dense(2)])
    model.compile("sgd", "mse")
    with pytest.warns(UserWarning, match=r'Call model.to\("cuda"\) first') as caught:
        for _ in range(2):
            model.train_on_batch(np.zeros((4, 3)), np.zeros((4, 2)))
    assert [Path(one.filename).name for one in caught] == [Path(__file__).name]
