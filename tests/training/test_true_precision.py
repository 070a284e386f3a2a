"""Lightning's "64-true" and "bf16-true" compute the whole run in their dtype and leave the model in its own."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import scene_lightning as keras

RNG = np.random.default_rng(0)
X = RNG.integers(0, 256, (8, 8, 8, 3), dtype=np.uint8)
Y = np.eye(3, dtype=np.float32)[RNG.integers(0, 3, 8)]


def functional():
    inputs = keras.Input((8, 8, 3))
    x = keras.layers.Conv2D(4, 3, activation="relu")(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.GlobalAveragePooling2D()(keras.layers.BatchNormalization()(x))
    return keras.Model(inputs, keras.layers.Dense(3, activation="softmax")(x))


def sequential():
    flat = [keras.layers.Rescaling(1 / 255), keras.layers.Flatten(), keras.layers.Dense(3, activation="softmax")]
    return keras.Sequential([keras.Input((8, 8, 3)), *flat])


@pytest.mark.parametrize("precision", ["64-true", "bf16-true"])
@pytest.mark.parametrize("network", [functional, sequential])
def test_a_run_in_another_dtype(network, precision, tmp_path):
    plain, other = network(), network()
    other.set_weights(plain.get_weights())
    common = dict(epochs=2, batch_size=4, shuffle=False, verbose=0, validation_data=(X, Y))
    losses = []
    for model, options in ((plain, {}), (other, {"precision": precision})):
        model.compile(keras.optimizers.Adam(0.01, epsilon=1e-3), "categorical_crossentropy", metrics=["accuracy"])
        losses.append(model.fit(X, Y, **common, **options).history["val_loss"])
    np.testing.assert_allclose(*losses, rtol=1e-5 if precision == "64-true" else 0.05)
    assert other.evaluate(X, Y, verbose=0, precision=precision)[0] == pytest.approx(losses[1][-1], rel=0.05)
    assert other.predict(X, verbose=0, precision=precision).shape == (8, 3)
    assert {weight.dtype for weight in other.weights} == {torch.float32}
    other.fit(X, Y, **common)  # the optimizer's slots are of the weights' dtype again
    other.save(tmp_path / "m.keras")
    again = keras.models.load_model(tmp_path / "m.keras")
    np.testing.assert_allclose(again.predict(X, verbose=0), other.predict(X, verbose=0), atol=1e-6)
