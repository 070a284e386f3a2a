"""The functions beside the merging layers; arithmetic on symbolic tensors, recorded as Keras records it."""

from __future__ import annotations

import json
from typing import Any

import keras
import numpy as np
import pytest
import torch

from scene_lightning import layers
from scene_lightning.errors import InputError
from scene_lightning.layers.base.operators import operator_layers


@pytest.mark.parametrize("name", ["add", "subtract", "multiply", "average", "maximum", "minimum", "concatenate", "dot"])
def test_functions_are_their_layers(name: str) -> None:
    inputs = [torch.randn(2, 5), torch.randn(2, 5)]
    np.testing.assert_allclose(getattr(layers, name)(inputs), getattr(keras.layers, name)(inputs), rtol=1e-6)
    assert getattr(layers, name)([layers.Input((5,)), layers.Input((5,))]).shape[0] is None


EXPRESSIONS: list[Any] = [
    lambda x: x * 2,
    lambda x: x / 255.0,
    lambda x: 1 - x,
    lambda x: x + x * 0.5,
    lambda x: (x - 1) ** 2,
    lambda x: 2 / (x + 3),
    lambda x: x[:, 1:, ::2],
    lambda x: x[..., 0],
]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_operators_record_what_keras_records(expression: Any) -> None:
    ours, theirs = expression(layers.Input((6, 5, 3))), expression(keras.Input((6, 5, 3)))
    assert ours.shape == tuple(theirs.shape)
    layer, reference = ours._keras_history.layer, theirs._keras_history.operation
    assert type(layer).__name__ == type(reference).__name__
    assert layer._keras_module == type(reference).__module__
    assert type(reference).from_config(layer.get_config()).name == layer.name
    assert json.dumps(layer.get_config())
    assert operator_layers()[type(reference).__name__].from_config({"name": "x"}).name == "x"


def test_operators_compute_with_numbers_arrays_and_tensors() -> None:
    values = torch.randn(2, 3)
    ops = operator_layers()
    torch.testing.assert_close(ops["Subtract"]()(1, values), 1 - values)
    torch.testing.assert_close(ops["Multiply"]()(values, np.float32(2)), values * 2)
    torch.testing.assert_close(ops["Add"]()(values, torch.ones(3)), values + 1)
    torch.testing.assert_close(ops["TrueDivide"]()(values, np.full((3,), 2.0, "float32")), values / 2)
    torch.testing.assert_close(ops["GetItem"]()(values, (slice(None), 1)), values[:, 1])
    with pytest.raises(InputError, match="broadcast"):
        layers.Input((3,)) + layers.Input((4,))
