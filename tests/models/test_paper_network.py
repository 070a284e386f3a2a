"""Architecture parity: the paper's network here and in the real Keras, same weights in, same numbers out."""

from __future__ import annotations

import keras as real_keras
import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning.demo_scenes.scenes import SCENE_NAMES, draw_scene
from tests.models.networks import paper_network

ROWS = [896, 0, 128, 0, 18_496, 0, 256, 0, 73_856, 0, 512, 0, 295_168, 0, 1_024, 0, 0, 1_605_760, 0, 16_512, 0, 16_512,
        0, 16_512, 0, 774]  # fmt: skip


@pytest.fixture(scope="module")
def pair():
    """The network in both libraries, with the same weights (moving statistics off their starting values)."""
    torch.manual_seed(1)
    ours, theirs = paper_network(keras), paper_network(real_keras)
    rng = np.random.default_rng(0)
    weights = [
        w if w.ndim > 1 else np.abs(w + rng.normal(0, 0.1, w.shape)).astype("float32") for w in ours.get_weights()
    ]
    ours.set_weights(weights)
    theirs.set_weights(weights)
    return ours, theirs


@pytest.fixture(scope="module")
def batch():
    rng = np.random.default_rng(2)
    x = rng.random((4, 150, 150, 3), dtype=np.float32)
    return x, np.eye(6, dtype=np.float32)[[0, 3, 5, 1]]


def _compile(model):
    model.compile(loss="categorical_crossentropy", optimizer="adam", metrics=["accuracy"])
    return model


def test_counts_and_names_are_keras(pair):
    ours, theirs = pair
    assert ours.count_params() == 2_046_406
    assert sum(w.numel() for w in ours.trainable_weights) == 2_045_446
    assert sum(w.numel() for w in ours.non_trainable_weights) == 960
    assert [layer.count_params() for layer in ours.layers] == ROWS
    assert [layer.output_shape for layer in ours.layers] == [tuple(layer.output.shape) for layer in theirs.layers]
    assert ours.layers[16].output_shape == (None, 12_544)
    assert [w.shape for w in ours.get_weights()] == [w.shape for w in theirs.get_weights()]


def test_fresh_names_follow_keras():
    keras.backend.clear_session()
    real_keras.backend.clear_session()
    ours, theirs = paper_network(keras), paper_network(real_keras)
    assert [layer.name for layer in ours.layers] == [layer.name for layer in theirs.layers]
    assert ours.name == theirs.name == "sequential"


def test_initial_weights_are_drawn_as_keras_draws_them():
    model = paper_network(keras)
    for kernel, bias in (
        (model.layers[4].kernel, model.layers[4].bias),
        (model.layers[17].kernel, model.layers[17].bias),
    ):
        fan_in, fan_out = (np.prod(kernel.shape[:-1]), kernel.shape[-1] * np.prod(kernel.shape[:-2]))
        limit = np.sqrt(6 / (fan_in + fan_out))
        assert 0.97 * limit < kernel.detach().abs().max() <= limit
        assert abs(float(kernel.detach().std()) - limit / np.sqrt(3)) < 0.02 * limit
        assert not bias.any()


def test_probabilities_are_equal_layer_by_layer(pair, batch):
    ours, theirs = pair
    here, there = torch.from_numpy(batch[0]), torch.from_numpy(batch[0])
    with torch.no_grad():
        for own, other in zip(ours.layers, theirs.layers, strict=True):
            here, there = own(here), other(there)
            np.testing.assert_allclose(here.numpy(), there.numpy(), rtol=1e-5, atol=1e-5, err_msg=own.name)


def test_predict_equals_keras(pair, batch):
    ours, theirs = pair
    np.testing.assert_allclose(ours.predict(batch[0], verbose=0), theirs.predict(batch[0], verbose=0), atol=1e-5)


def test_loss_and_gradients_are_equal(pair, batch):
    ours, theirs = pair
    x, y = torch.from_numpy(batch[0]), torch.from_numpy(batch[1])
    ours.zero_grad()
    loss = keras.losses.get("categorical_crossentropy")(y, ours(x, training=False)).mean()
    loss.backward()
    for variable in theirs.trainable_variables:
        variable.value.grad = None
    their_loss = real_keras.losses.get("categorical_crossentropy")(y, theirs(x, training=False)).mean()
    their_loss.backward()
    assert float(loss) == pytest.approx(float(their_loss), rel=1e-5)
    for own, other in zip(ours.trainable_weights, theirs.trainable_variables, strict=True):
        scale = float(other.value.grad.abs().max())
        np.testing.assert_allclose(own.grad.numpy(), other.value.grad.numpy(), rtol=1e-5, atol=1e-5 * scale)


@pytest.fixture
def float64():
    before = real_keras.config.floatx(), real_keras.config.dtype_policy()
    real_keras.config.set_floatx("float64")
    real_keras.config.set_dtype_policy("float64")
    yield "float64"
    real_keras.config.set_floatx(before[0])
    real_keras.config.set_dtype_policy(before[1])


def test_adam_steps_and_moving_statistics_are_equal(float64):
    # In float64, for Adam turns rounding noise in a gradient near zero into a step. Keras on torch still rounds some
    # products to float32; on these images that tips no ReLU and no maximum the other way, so the gradients agree too.
    ours, theirs = (_compile(paper_network(k, dropout=0.0, size=94, dtype=float64)) for k in (keras, real_keras))
    ours.double()
    theirs.set_weights(ours.get_weights())
    scenes = [draw_scene(SCENE_NAMES[number % 6], number, size=94) for number in range(16)]
    x = torch.stack([torch.from_numpy(np.asarray(scene) / 255.0) for scene in scenes])
    y = torch.eye(6, dtype=torch.float64)[torch.arange(16) % 6]
    for _ in range(3):
        here = ours.train_on_batch(x, y, return_dict=True)
        there = theirs.train_on_batch(x.numpy(), y.numpy(), return_dict=True)
        assert here["loss"] == pytest.approx(float(there["loss"]), rel=1e-4)
        assert here["accuracy"] == pytest.approx(float(there["accuracy"]))
    for own, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(own.detach().numpy(), other.value.detach().numpy(), atol=2e-5, rtol=0)


def test_evaluate_equals_keras(pair, batch):
    ours, theirs = _compile(pair[0]), _compile(pair[1])
    np.testing.assert_allclose(
        ours.evaluate(*batch, verbose=0), theirs.evaluate(*batch, verbose=0), rtol=1e-5, atol=1e-6
    )
