"""Steps of 0, and data without targets: what Keras makes of them."""

from __future__ import annotations

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras as real
import numpy as np
import pytest

import scene_lightning as ours
from scene_lightning.errors import InputError
from scene_lightning.preprocessing.image import ImageDataGenerator

X = np.random.default_rng(0).random((8, 3), dtype=np.float32)
Y = np.random.default_rng(1).random((8, 2), dtype=np.float32)


def model_of(keras, **compiled):
    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2, kernel_initializer="ones")])
    model.compile(**{"optimizer": "sgd", "loss": "mse", "metrics": ["mae"], **compiled})
    return model


def pairs():
    return ((X[i : i + 2], Y[i : i + 2]) for i in range(0, 8, 2))


ZEROES = {
    "steps_per_epoch": lambda m: m.fit(X, Y, shuffle=False, steps_per_epoch=0, verbose=0),
    "of a generator": lambda m: m.fit(pairs(), steps_per_epoch=0, verbose=0),
    "validation_steps": lambda m: m.fit(X, Y, validation_data=(X, Y), validation_steps=0, shuffle=False, verbose=0),
    "and of a generator": lambda m: m.fit(pairs(), validation_data=pairs(), validation_steps=0, verbose=0),
    "evaluate": lambda m: m.evaluate(X, Y, steps=0, verbose=0),
    "predict": lambda m: m.predict(X, steps=0, verbose=0).tolist(),
    "batch_size": lambda m: m.fit(X, Y, batch_size=0, shuffle=False, verbose=0),
    "validation_batch_size": lambda m: m.fit(
        X, Y, validation_data=(X, Y), validation_batch_size=0, shuffle=False, verbose=0
    ),
    "epochs": lambda m: m.fit(X, Y, epochs=0, verbose=0),
}


@pytest.mark.parametrize("call", ZEROES.values(), ids=ZEROES)
def test_a_zero_means_what_it_means_in_keras(call):
    found, wanted = (getattr(call(model_of(keras)), "history", None) or call(model_of(keras)) for keras in (ours, real))
    if isinstance(wanted, dict):
        assert list(found) == list(wanted)
        found, wanted = list(found.values()), list(wanted.values())
    if not hasattr(wanted, "history"):  # epochs=0: both give a History of nothing
        np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_keras_2s_spellings_of_all():
    model = model_of(ours)
    wanted = model.evaluate(X, Y, verbose=0)
    with pytest.warns(DeprecationWarning):
        assert model.evaluate_generator(pairs(), steps=0) == pytest.approx(wanted)
        assert model.predict_generator(((X[i : i + 2],) for i in range(0, 8, 2)), steps=0).shape == (8, 2)
        images = ImageDataGenerator().flow(np.ones((6, 4, 4, 3)), np.ones((6, 1)), batch_size=4)
        network = ours.Sequential([ours.layers.Flatten(), ours.layers.Dense(1)])
        network.compile("sgd", "mse")
        network.fit_generator(images, steps_per_epoch=3 // 4, validation_data=images, validation_steps=0, verbose=0)
    assert int(network.optimizer.iterations) == 2
    with pytest.raises(InputError, match="steps"):
        model.fit(X, Y, steps_per_epoch=-1, verbose=0)


@pytest.mark.filterwarnings("always")
def test_an_evaluation_without_targets_is_0_with_a_warning():
    """What Keras 2 answers for a folder of unlabelled test images."""
    model = model_of(ours, metrics=["accuracy", ours.metrics.AUC(name="auc")])
    for data in (X, ((X[i : i + 2],) for i in range(0, 8, 2))):
        with pytest.warns(UserWarning, match="no targets"):
            assert model.evaluate(data, verbose=0) == [0.0, 0.0, 0.0]
    with pytest.warns(UserWarning, match="no targets"):
        assert model.test_on_batch(X) == [0.0, 0.0, 0.0]
    with pytest.raises(InputError, match="no targets to train on"):
        model.fit(X, verbose=0)
    labels = np.array([0, 1] * 4)  # what the metrics are is still for targets to say
    fresh = model_of(ours, loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    with pytest.warns(UserWarning, match="no targets"):
        fresh.evaluate(X, verbose=0)
    right = fresh.predict(X, verbose=0).argmax(1) == labels
    assert fresh.evaluate(X, labels, verbose=0)[1] == pytest.approx(right.mean())


def _with_a_loss_of_its_own(keras):
    class Penalty(keras.layers.Layer):
        def call(self, inputs):
            self.add_loss((inputs**2).mean())
            return inputs

    model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2, kernel_initializer="ones"), Penalty()])
    model.compile("sgd")
    return model


@pytest.mark.parametrize("targets", [None, Y])
def test_add_loss_alone_trains(targets):
    histories = [
        _with_a_loss_of_its_own(keras).fit(X, targets, epochs=2, shuffle=False, verbose=0).history["loss"]
        for keras in (ours, real)
    ]
    np.testing.assert_allclose(*histories, rtol=1e-5)
    assert _with_a_loss_of_its_own(ours).evaluate(X, verbose=0) == pytest.approx(histories[0][0], rel=1e-5)
