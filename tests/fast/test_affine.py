"""Frozen BatchNormalization inside the weights of the layer before it: training gives the plain layers' numbers."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from scene_lightning import fast
from scene_lightning.fast import affine
from scene_lightning.fast.folding import fold
from scene_lightning.layers import (
    Activation,
    Add,
    BatchNormalization,
    Conv2D,
    Dense,
    DepthwiseConv2D,
    GlobalAveragePooling2D,
    Input,
    ReLU,
)  # fmt: skip
from scene_lightning.models import Model, Sequential

RNG = np.random.default_rng(0)
IMAGES = torch.from_numpy(RNG.normal(size=(4, 13, 11, 3)).astype("float32"))


def mobile() -> Model:
    """Expansion, depthwise convolution with a multiplier, projection, residual: what mobile networks are made of."""
    inputs = Input((13, 11, 3))
    first = ReLU(6.0)(BatchNormalization()(Conv2D(6, 3, padding="same", use_bias=False)(inputs)))
    inside = ReLU(6.0)(BatchNormalization(scale=False)(DepthwiseConv2D(3, padding="same", depth_multiplier=2)(first)))
    outside = BatchNormalization(center=False)(Conv2D(6, 1, padding="same")(inside))
    return Model(inputs, Dense(3)(GlobalAveragePooling2D()(Add()([first, outside]))))


def stack() -> Model:
    return Sequential(
        [Input((13, 11, 3)), Conv2D(4, 3), BatchNormalization(), Activation("relu"), GlobalAveragePooling2D(),
         Dense(5), BatchNormalization(), Dense(2)]
    )  # fmt: skip


def norms(model: Model) -> list[Any]:
    return [layer for layer in model.modules() if isinstance(layer, BatchNormalization)]


def frozen(build: Any) -> Model:
    """A model with statistics and weights as after training, its normalisation frozen."""
    torch.manual_seed(0)
    model = build()
    for layer in norms(model):
        with torch.no_grad():
            layer.moving_mean.normal_()
            layer.moving_variance.uniform_(0.3, 3.0)
            for weight in (layer.gamma, layer.beta):
                if weight is not None:
                    weight.normal_()
        layer.trainable = False
    return model


def step(model: Model) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """(outputs, gradients by name) of one pass over all images."""
    model.zero_grad()
    outputs = model(IMAGES, training=True)
    outputs.square().sum().backward()
    found = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    return outputs.detach(), found


def calls_to_batch_norm(model: Model) -> int:
    with torch.profiler.profile() as profile:
        model(IMAGES, training=True)
    return sum(event.count for event in profile.key_averages() if event.key == "aten::batch_norm")


@pytest.mark.parametrize("build", [mobile, stack])
def test_outputs_and_gradients_are_those_of_the_plain_layers_to_rounding(build: Any) -> None:
    model = frozen(build)
    with fast.plain_paths():
        plain, plain_gradients = step(model)
        assert calls_to_batch_norm(model) == len(norms(model))
    quick, gradients = step(model)
    assert calls_to_batch_norm(model) == 0
    torch.testing.assert_close(quick, plain, rtol=1e-5, atol=1e-5 * float(plain.abs().max()))
    assert set(gradients) == set(plain_gradients)
    assert any("kernel" in name for name in gradients)
    for name, value in plain_gradients.items():
        torch.testing.assert_close(gradients[name], value, rtol=1e-4, atol=1e-4 * float(value.abs().max()))


def test_layers_that_learn_their_statistics_or_are_watched_are_called_as_they_stand() -> None:
    model = frozen(mobile)
    learning, watched, *_ = norms(model)
    learning.trainable = True
    watched.register_forward_hook(lambda layer, given, found: None)
    assert calls_to_batch_norm(model) == 2
    before = learning.moving_mean.clone()
    model(IMAGES, training=True)
    assert not torch.equal(learning.moving_mean, before)


def test_depthwise_convolutions_take_in_what_follows_them_in_prediction_too() -> None:
    model = frozen(mobile)
    assert len(fold(*model._chain()).gone) == 3
    with fast.plain_paths():
        plain = model.predict(IMAGES.numpy(), verbose=0)
    np.testing.assert_allclose(model.predict(IMAGES.numpy(), verbose=0), plain, rtol=1e-4, atol=1e-5)


def test_a_depthwise_convolution_takes_in_nothing_that_comes_before_it() -> None:
    """Its channels are not mixed, but its kernel has no axis of inputs to scale alone."""
    model = Sequential(
        [Input((13, 11, 3)), Conv2D(4, 3, activation="relu"), BatchNormalization(), DepthwiseConv2D(3), Dense(2)]
    )
    assert not fold(*model._chain()).gone
    assert affine.takes(model.layers[2])
