"""One training in both libraries: data, a small network, and `compare`, which asks for equal History and weights."""

from __future__ import annotations

import keras as real_keras
import numpy as np

import scene_lightning as keras

RNG = np.random.default_rng(3)
N = 10
X = RNG.random((N, 4, 4, 3), dtype=np.float32)
LABELS = RNG.integers(0, 3, N)
Y = np.eye(3, dtype=np.float32)[LABELS]
W = RNG.random(N).astype(np.float32)
VX = RNG.random((5, 4, 4, 3), dtype=np.float32)
VY = np.eye(3, dtype=np.float32)[[0, 1, 2, 0, 1]]
VW = np.array([1.0, 2.0, 0.5, 0.0, 3.0], dtype=np.float32)


def network(k, units=3, activation="softmax", regularizer=None):
    return k.Sequential(
        [
            k.Input((4, 4, 3)),
            k.layers.Conv2D(4, 3, activation="relu", kernel_regularizer=regularizer),
            k.layers.BatchNormalization(),
            k.layers.Flatten(),
            k.layers.Dense(units, activation=activation, name="out"),
        ]
    )


def assert_histories(ours, theirs, rtol=2e-4):
    assert list(ours) == list(theirs)
    for name in theirs:
        np.testing.assert_allclose(ours[name], theirs[name], rtol=rtol, atol=1e-6, err_msg=name)


def assert_weights(ours, theirs, atol=1e-4):
    for a, b in zip(ours.get_weights(), theirs.get_weights(), strict=True):
        np.testing.assert_allclose(a, b, atol=atol)


def make_pair(make=network, **kwargs):
    ours, theirs = make(keras, **kwargs), make(real_keras, **kwargs)
    theirs.set_weights(ours.get_weights())
    return ours, theirs


def compare(fit, compile=None, make=network, **kwargs):
    """The same compile and fit with both libraries: equal History and weights. Returns both (model, History)."""
    ours, theirs = make_pair(make, **kwargs)
    compile = compile or (lambda k: {"optimizer": "sgd", "loss": "categorical_crossentropy", "metrics": ["accuracy"]})
    results = []
    for k, model in ((keras, ours), (real_keras, theirs)):
        model.compile(**compile(k))
        arguments = {"x": X, "y": Y, "batch_size": 4, "epochs": 3, "shuffle": False, "verbose": 0, **fit(k)}
        results.append((model, model.fit(**arguments)))
    assert_histories(results[0][1].history, results[1][1].history)
    assert results[0][1].epoch == results[1][1].epoch
    assert_weights(ours, theirs)
    return results


def compiled(optimizer="sgd", metrics=("accuracy",), make=network, **kwargs):
    """Our network, compiled."""
    model = make(keras, **kwargs)
    model.compile(optimizer, "categorical_crossentropy", metrics=list(metrics) if metrics else None)
    return model
