"""Arguments that Keras 2's layers took without using them: under the runner they change nothing, and are told."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest

import scene_lightning as keras
from scene_lightning.errors import InputError, UnsupportedError
from scene_lightning.layers.base.legacy_spelling import old_keras

LAYERS: dict[str, tuple[Any, ...]] = {
    "SeparableConv1D": (4, 3),
    "SeparableConv2D": (4, 3),
    "DepthwiseConv1D": (3,),
    "DepthwiseConv2D": (3,),
}
GIVEN = {
    "kernel_initializer": "ones",
    "kernel_regularizer": keras.regularizers.L2(0.1),
    "kernel_constraint": keras.constraints.NonNeg(),
}


@pytest.fixture
def _under_the_runner() -> Iterator[None]:
    old_keras.under_runner = True
    yield
    old_keras.under_runner = False


@pytest.mark.usefixtures("_under_the_runner")
@pytest.mark.parametrize("name", LAYERS)
def test_kernel_arguments_of_depthwise_layers_change_nothing(name: str) -> None:
    cls, shape = getattr(keras.layers, name), (2, 8, 3) if name.endswith("1D") else (2, 8, 8, 3)
    with pytest.warns(UserWarning, match=r"changes nothing, as in Keras 2.*depthwise_") as told:
        given = cls(*LAYERS[name], **GIVEN)
    assert len(told) == 3 and {warning.filename for warning in told} == {__file__}
    plain = cls(*LAYERS[name])
    x = np.random.default_rng(0).normal(size=shape).astype("float32")
    for layer in (given, plain):
        layer(x)
        assert not layer.losses  # no penalty, for there is no kernel that it could be of
    assert not (given.get_weights()[0] == 1).all()  # glorot_uniform, not ones
    given.set_weights(plain.get_weights())
    np.testing.assert_array_equal(given(x).detach().numpy(), plain(x).detach().numpy())
    assert given.get_config().keys() == plain.get_config().keys()


@pytest.mark.usefixtures("_under_the_runner")
def test_none_needs_no_word(recwarn: pytest.WarningsRecorder) -> None:
    keras.layers.DepthwiseConv2D(3, kernel_constraint=None, kernel_regularizer=None)
    assert not [warning for warning in recwarn if "changes nothing" in str(warning.message)]


@pytest.mark.parametrize("name", LAYERS)
def test_outside_the_runner_they_are_refused_as_keras_3_does(name: str) -> None:
    with pytest.raises(InputError, match=r"has no kernel_regularizer.*Write depthwise_regularizer="):
        getattr(keras.layers, name)(*LAYERS[name], kernel_regularizer="l2")


def test_tensorflows_own_arguments() -> None:
    keras.layers.BatchNormalization(fused=True, renorm=False, virtual_batch_size=None, adjustment=None)
    assert keras.layers.Dense(2, dynamic=False).units == 2
    with pytest.raises(UnsupportedError, match="virtual_batch_size"):
        keras.layers.BatchNormalization(virtual_batch_size=8)
