"""Misspelt and unknown keywords: what Keras refuses is refused here, with the nearest word there is."""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras as real
import numpy as np
import pytest

import scene_lightning as ours
from scene_lightning.errors import InputError
from scene_lightning.preprocessing.image import ImageDataGenerator

X, Y = np.ones((4, 2), np.float32), np.ones((4, 1), np.float32)


def model_of(keras):
    model = keras.Sequential([keras.layers.Input((2,)), keras.layers.Dense(1, kernel_initializer="ones")])
    model.compile(keras.optimizers.SGD(0.01), "mse")
    return model


VERBS = {
    "fit": lambda m, w: m.fit(X, Y, verbose=0, **w),
    "evaluate": lambda m, w: m.evaluate(X, Y, verbose=0, **w),
    "predict": lambda m, w: m.predict(X, verbose=0, **w),
    "train_on_batch": lambda m, w: m.train_on_batch(X, Y, **w),
    "test_on_batch": lambda m, w: m.test_on_batch(X, Y, **w),
    "predict_on_batch": lambda m, w: m.predict_on_batch(X, **w),
    "compile": lambda m, w: m.compile(**w),
}


@pytest.mark.parametrize(
    ("verb", "wrong", "right"),
    [
        ("fit", "callback", "callbacks"), ("fit", "epoch", "epochs"), ("fit", "validation_dat", "validation_data"),
        ("fit", "batchsize", "batch_size"), ("fit", "verbosity", "verbose"),
        ("fit", "step_per_epoch", "steps_per_epoch"),
        ("evaluate", "sample_weights", "sample_weight"), ("evaluate", "step", "steps"),
        ("predict", "batchsize", "batch_size"), ("predict", "callback", "callbacks"),
        ("train_on_batch", "sample_weights", "sample_weight"), ("train_on_batch", "class_weights", "class_weight"),
        ("test_on_batch", "return_dicts", "return_dict"), ("compile", "optimiser", "optimizer"),
        ("compile", "metric", "metrics"), ("compile", "losses", "loss"),
    ],
)  # fmt: skip
def test_verbs_name_the_nearest_word(verb, wrong, right):
    with pytest.raises((TypeError, ValueError)):
        VERBS[verb](model_of(real), {wrong: None})
    with pytest.raises(InputError, match=rf"{verb}\(\) got an unexpected argument '{wrong}'. Did you mean '{right}'\?"):
        VERBS[verb](model_of(ours), {wrong: None})


@pytest.mark.parametrize("verb", VERBS)
def test_verbs_refuse_what_is_like_nothing(verb):
    for keras in (real, ours):
        with pytest.raises((TypeError, ValueError)) as caught:
            VERBS[verb](model_of(keras), {"zzyzx": 1})
    assert "zzyzx" in str(caught.value) and "Trainer" not in str(caught.value)


def test_it_is_a_typeerror_for_programs_that_try():
    model = model_of(ours)
    with pytest.raises(TypeError):
        model.fit(X, Y, verbose=0, nothing_such=1)


def test_the_old_verbs_refuse_too():
    def pairs():
        yield X, Y

    model = model_of(ours)
    with pytest.warns(DeprecationWarning):
        with pytest.raises(InputError, match="validation_steps"):
            model.fit_generator(pairs(), 1, 1, verbose=0, validation_step=2)
        with pytest.raises(InputError, match="workers"):
            model.predict_generator(pairs(), 1, worker=2)
        with pytest.raises(InputError, match="Too many"):
            model.evaluate_generator(pairs(), 1, None, 10, 1, False, 0, "one more")


def test_what_a_trainer_takes_and_fit_says_otherwise():
    model = model_of(ours)
    model.fit(X, Y, verbose=0, gradient_clip_val=0.5)
    for wrong, right in (("max_epochs", "epochs"), ("check_val_every_n_epoch", "validation_freq")):
        with pytest.raises(InputError, match=right):
            model.fit(X, Y, verbose=0, **{wrong: 3})
    with pytest.raises(InputError, match="gradient_clip_val"):
        model.fit(X, Y, verbose=0, gradient_clip_value=0.5)


@pytest.mark.parametrize("keep", [True, False])
def test_reset_metrics_of_keras_2(keep):
    """It was taken and forgotten: the second value was that of the second batch alone."""
    model = model_of(ours)
    model.compile(ours.optimizers.SGD(0.0), "mse")
    first = model.train_on_batch(X, Y)
    second = model.train_on_batch(3 * X, Y, reset_metrics=not keep)
    alone = model.test_on_batch(3 * X, Y)
    assert second == pytest.approx((first + alone) / 2 if keep else alone)
    assert model.test_on_batch(X, Y, reset_metrics=not keep) == pytest.approx((first + alone) / 2 if keep else first)


WORDS = {
    "layer": lambda k: k.layers.Dense(1, activatoin="relu"),
    "every layer": lambda k: k.layers.Dense(1, input_shap=(2,)),
    "weight": lambda k: k.layers.Layer().add_weight(shape=(2,), initialiser="ones"),
    "spec": lambda k: k.layers.InputSpec(ndims=2),
    "loss": lambda k: k.losses.Huber(detla=1.0),
    "metric": lambda k: k.metrics.AUC(num_treshold=3),
    "state": lambda k: k.metrics.Mean().add_weight(shape=(), initialiser="zeros"),
    "optimizer": lambda k: k.optimizers.Adam(learnin_rate=0.1),
    "gradients": lambda k: k.optimizers.Adam().apply_gradients([], grads=1),
    "callback": lambda k: k.callbacks.EarlyStopping(patiense=3),
    "checkpoint": lambda k: k.callbacks.ModelCheckpoint("x.keras", save_best=True),
    "initializer": lambda k: k.initializers.RandomNormal(stdev=1.0),
    "seeds": lambda k: k.random.SeedGenerator(seeds=1),
    "policy": lambda k: k.mixed_precision.DTypePolicy(nam="float32"),
    "clone": lambda k: k.models.clone_model(model_of(k), clone_functions=None),
    "folder": lambda k: k.utils.image_dataset_from_directory(".", img_size=(3, 3)),
}


@pytest.mark.parametrize("make", WORDS.values(), ids=WORDS)
def test_what_keras_refuses_is_refused(make):
    for keras in (real, ours):
        with pytest.raises((TypeError, ValueError)):
            make(keras)


@pytest.mark.parametrize(
    ("make", "right"),
    [
        (WORDS["layer"], "activation"), (WORDS["every layer"], "input_shape"), (WORDS["weight"], "initializer"),
        (WORDS["loss"], "delta"), (WORDS["metric"], "num_thresholds"), (WORDS["optimizer"], "learning_rate"),
        (WORDS["callback"], "patience"), (WORDS["checkpoint"], "save_best_only"), (WORDS["initializer"], "stddev"),
        (WORDS["folder"], "image_size"), (lambda k: ImageDataGenerator(rotation=3), "rotation_range"),
        (lambda k: ImageDataGenerator().flow(np.ones((2, 4, 4, 3)), batchsize=3), "batch_size"),
        (lambda k: ImageDataGenerator().flow_from_directory(".", targetsize=3), "target_size"),
    ],
)  # fmt: skip
def test_makers_name_the_nearest_word(make, right):
    with pytest.raises(InputError, match=f"Did you mean '{right}'"):
        make(ours)


def test_a_hook_that_is_never_called_is_told():
    with pytest.warns(UserWarning, match="on_epoch_end"):
        ours.callbacks.LambdaCallback(on_epoch_ends=print)
    assert ours.callbacks.LambdaCallback(on_test_end=print).on_test_end is print


def test_words_of_tensorflow_that_change_nothing_are_taken():
    ours.callbacks.ModelCheckpoint("x.keras", options=None, period=2)
    layer = ours.layers.Layer()
    layer.add_weight(name="w", shape=(2,), synchronization="auto", aggregation="mean", use_resource=True)
    ours.metrics.Mean().add_weight(name="total", initializer="zeros", aggregation="sum")
    ours.mixed_precision.Policy("float32", loss_scale=None)
