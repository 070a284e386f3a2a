"""A layer's dtype policy, beside the real Keras'; loops that scale their loss as mixed precision asked for."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Iterator
from typing import Any

import keras as real
import numpy as np
import pytest
import torch

import scene_lightning as keras


@pytest.fixture(autouse=True)
def _policies() -> Iterator[None]:
    yield
    keras.mixed_precision.set_global_policy("float32")
    real.config.set_dtype_policy("float32")


@pytest.mark.parametrize("own", [None, "float32", "mixed_bfloat16", "float64", "uint8"])
@pytest.mark.parametrize("general", ["float32", "mixed_float16", "mixed_bfloat16"])
def test_policies_are_keras(general: str, own: str | None) -> None:
    def told(api: Any) -> tuple[Any, ...]:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # there is no GPU
            api.config.set_dtype_policy(general)
        layer = api.layers.Rescaling(1.0, dtype=own)
        api.config.set_dtype_policy("float32")  # a layer keeps what it was made under
        return layer.dtype_policy.name, layer.compute_dtype, layer.variable_dtype, layer.dtype

    assert told(keras) == told(real)


def test_policies_can_be_set_and_are_copied() -> None:
    layer = keras.layers.Dense(2, dtype=keras.mixed_precision.Policy("mixed_bfloat16"))
    assert copy.deepcopy(layer).dtype_policy == layer.dtype_policy == keras.mixed_precision.Policy("mixed_bfloat16")
    layer.dtype_policy = "float32"
    assert layer.dtype_policy.name == "float32"
    assert keras.Sequential([layer]).dtype_policy.compute_dtype == "float32"


class Scaled(keras.layers.Layer):
    """A layer as Keras' guides write them, with `self.dtype` and `self.compute_dtype`."""

    def build(self, input_shape: Any) -> None:
        self.scale = self.add_weight(shape=(input_shape[-1],), initializer="ones", dtype=self.dtype, name="scale")

    def call(self, inputs: Any) -> Any:
        return keras.ops.cast(inputs, self.compute_dtype) * self.scale


def test_layers_of_ones_own_may_ask_for_it() -> None:
    layer = Scaled()
    assert layer(torch.ones(2, 3, dtype=torch.float64)).dtype == torch.float32
    assert layer.scale.dtype in ("float32", torch.float32)


def test_a_loop_that_scales_its_loss_takes_the_same_steps() -> None:
    x, y = torch.rand(8, 3), torch.rand(8, 2)

    def trained(scales: bool) -> list[np.ndarray]:
        keras.utils.set_random_seed(0)
        model = keras.Sequential([keras.layers.Input((3,)), keras.layers.Dense(2)])
        optimizer = keras.optimizers.Adam(0.1)
        if scales:
            with pytest.warns(UserWarning, match="gives back the optimizer"):
                optimizer = keras.mixed_precision.LossScaleOptimizer(optimizer)
        for _ in range(3):
            loss = ((model(x) - y) ** 2).mean()
            scaled = optimizer.get_scaled_loss(loss) if scales else loss
            gradients = list(torch.autograd.grad(scaled, model.trainable_variables))
            if scales:
                gradients = optimizer.get_unscaled_gradients(gradients)
            optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        assert optimizer.inner_optimizer is optimizer
        return model.get_weights()  # type: ignore[no-any-return]

    for scaled, plain in zip(trained(True), trained(False), strict=True):
        np.testing.assert_array_equal(scaled, plain)
