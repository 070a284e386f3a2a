"""Every fast path against the plain one."""

from __future__ import annotations

import os
import subprocess
import sys
from unittest import mock

import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning import fast
from scene_lightning.fast import reordering
from scene_lightning.fast.reordering import graph_calls, stack_calls
from scene_lightning.layers import Activation, Conv2D, Dense, Flatten, Input, MaxPooling2D, ReLU
from scene_lightning.models import Model, Sequential

IMAGES = torch.randn(4, 15, 13, 3, generator=torch.Generator().manual_seed(0))


def convolution_pool(**pool: object) -> Sequential:
    return Sequential([Input((15, 13, 3)), Conv2D(8, 3, activation="relu"), MaxPooling2D(**pool), Flatten(), Dense(2)])


def residual() -> Model:
    inputs = Input((15, 13, 3))
    wide = Conv2D(8, 3, padding="same", activation="relu")(inputs)  # used twice: its ReLU must stay
    pooled = MaxPooling2D(2)(wide)
    deep = ReLU()(Conv2D(8, 3, padding="same")(wide))
    other = MaxPooling2D(2, padding="same")(deep)
    cropped = keras.layers.Cropping2D(((0, 1), (0, 1)))(other)
    return Model(inputs, Dense(2)(Flatten()(keras.layers.Add()([pooled, cropped]))))


def stem() -> Sequential:
    layers = [
        Input((15, 13, 3)),
        Conv2D(4, 3),
        keras.layers.BatchNormalization(),
        Activation("relu"),
        MaxPooling2D(3, 2),
    ]
    return Sequential([*layers, Flatten(), Dense(2)])


NETWORKS = {
    "convolution": convolution_pool,
    "overlapping": lambda: convolution_pool(pool_size=3, strides=2, padding="same"),
    "graph": residual,
    "batch normalisation": stem,
}


def outcome(model: Model, training: bool) -> tuple[torch.Tensor, list[torch.Tensor]]:
    outputs = model(IMAGES, training=training)
    return outputs, list(torch.autograd.grad(outputs.square().sum(), model.trainable_weights))


@pytest.mark.parametrize("training", [False, True], ids=["inference", "training"])
@pytest.mark.parametrize("name", NETWORKS)
def test_pooling_before_relu_gives_the_very_same_numbers(name: str, training: bool) -> None:
    model = NETWORKS[name]()
    with fast.plain_paths():
        plain, plain_gradients = outcome(model, training)
    quick, quick_gradients = outcome(model, training)
    torch.testing.assert_close(quick, plain, rtol=1e-6, atol=1e-6)  # the bias is added at another moment
    for expected, found in zip(plain_gradients, quick_gradients, strict=True):
        torch.testing.assert_close(found, expected, rtol=1e-5, atol=1e-6)  # and its gradient summed in another order
    with torch.no_grad():  # without a gradient to sum the bias stays where it was
        quick = model(IMAGES, training=training)
        with fast.plain_paths():
            assert torch.equal(quick, model(IMAGES, training=training))


def moved(model: Model) -> int:
    """How many ReLUs of the model wait for the pool after them."""
    nodes = getattr(model, "_nodes", None)
    with mock.patch.object(reordering, "_without_relu", wraps=reordering._without_relu) as of_convolutions:
        calls = stack_calls(model.layers) if nodes is None else graph_calls(nodes, model._joined)
    return of_convolutions.call_count + calls.count(reordering._as_it_is)


def test_a_relu_that_something_else_sees_stays_where_it_is() -> None:
    assert moved(convolution_pool()) == 1
    assert moved(residual()) == 1
    inputs = Input((15, 13, 3))
    features = Conv2D(4, 3, activation="relu")(inputs)
    both = Model(inputs, [features, MaxPooling2D()(features)])
    assert moved(both) == 0
    assert (both(IMAGES)[0] >= 0).all()
    watched = convolution_pool()
    watched.layers[0].register_forward_hook(lambda layer, given, found: None)
    assert moved(watched) == 0
    penalised = Sequential(
        [Input((15, 13, 3)), Conv2D(8, 3, activation="relu", activity_regularizer="l2"), MaxPooling2D()]
    )
    assert moved(penalised) == 0
    with fast.plain_paths():
        assert moved(convolution_pool()) == 0


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_call_that_was_put_into_a_layer_is_made(number: int) -> None:
    model = Sequential([Input((15, 13, 3)), Conv2D(8, 3, activation="relu"), MaxPooling2D(), Conv2D(8, 3)])
    layer = model.layers[number]
    own = layer.call
    layer.call = lambda inputs: own(inputs) + 1
    quick = model(IMAGES)
    with fast.plain_paths():
        torch.testing.assert_close(quick, model(IMAGES), rtol=1e-6, atol=1e-6)


def test_part_of_a_model_still_sees_its_relu() -> None:
    model = convolution_pool()
    features = Model(model.inputs, model.layers[0].output)
    assert (features(IMAGES) >= 0).all()


def test_the_environment_turns_them_off() -> None:
    asked = [sys.executable, "-c", "from scene_lightning import fast; print(fast.fast_paths_enabled())"]
    for value, expected in (("off", "False"), ("1", "True")):
        done = subprocess.run(asked, capture_output=True, text=True, env={**os.environ, "SCENE_LIGHTNING_FAST": value})
        assert done.stdout.strip() == expected


def test_the_switch_is_in_config() -> None:
    before = keras.config.fast_paths_enabled()
    keras.config.set_fast_paths(False)
    try:
        assert not keras.config.fast_paths_enabled()
    finally:
        keras.config.set_fast_paths(before)


def test_training_runs_alike_with_and_without_fast_paths() -> None:
    histories = []
    images, labels = IMAGES.numpy(), np.array([0, 1, 0, 1])
    for enabled in (True, False):
        keras.utils.set_random_seed(5)
        model = convolution_pool()
        model.compile("adam", keras.losses.SparseCategoricalCrossentropy(from_logits=True))
        keras.config.set_fast_paths(enabled)
        try:
            histories.append(
                model.fit(images, labels, batch_size=2, epochs=3, shuffle=False, verbose=0).history["loss"]
            )
        finally:
            keras.config.set_fast_paths(True)
    np.testing.assert_allclose(histories[0], histories[1], rtol=1e-5)
