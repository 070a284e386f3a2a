"""Every activation beside the real Keras: values and gradients."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from scene_lightning import activations
from scene_lightning.errors import InputError

FUNCTIONS = sorted(set(activations.__all__) - {"get", "serialize", "deserialize"})
ARGUMENTS: dict[str, list[dict[str, Any]]] = {
    "relu": [
        {}, {"negative_slope": 0.1}, {"max_value": 2.0}, {"max_value": 6}, {"threshold": 0.5},
        {"negative_slope": 0.2, "max_value": 1.5, "threshold": 0.7},
    ],
    "gelu": [{}, {"approximate": True}],
    "softmax": [{}, {"axis": 1}],
    "log_softmax": [{}, {"axis": 1}],
    "sparsemax": [{}, {"axis": 1}],
    "glu": [{}],
    "leaky_relu": [{}, {"negative_slope": 0.5}],
    "threshold": [{"threshold": 0.5, "default_value": -1.0}],
}  # fmt: skip
# never exactly at a kink (0, 0.5, 6 …), where the two libraries choose different subgradients
VALUES = hnp.arrays(np.int32, (2, 3, 4), elements=st.integers(-80, 80)).map(lambda i: (i / 10 + 0.0137).astype("f4"))


@pytest.mark.parametrize("name", FUNCTIONS)
@settings(max_examples=5, deadline=None)
@given(values=VALUES)
def test_values_and_gradients_equal_keras(name: str, values: np.ndarray) -> None:
    for arguments in ARGUMENTS.get(name, [{}]):
        results = []
        for library in (activations, keras.activations):
            x = torch.tensor(values, requires_grad=True)
            y = getattr(library, name)(x, **arguments)
            (y * torch.linspace(0.5, 1.5, y.numel()).view(y.shape)).sum().backward()
            results.append((y.detach().numpy(), x.grad.numpy()))  # type: ignore[union-attr]
        np.testing.assert_allclose(results[0][0], results[1][0], rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(results[0][1], results[1][1], rtol=1e-5, atol=2e-6)


def test_everything_keras_exports_is_here() -> None:
    assert not {n for n in dir(keras.activations) if not n.startswith("_")} - set(dir(activations))


def test_defaults_that_differ_from_torch() -> None:
    assert float(activations.get("leaky_relu")(torch.tensor(-1.0))) == pytest.approx(-0.2)
    assert float(activations.get("hard_sigmoid")(torch.tensor(1.0))) == pytest.approx(1 / 6 + 0.5)
    assert activations.get("swish") is activations.silu


def test_logits_are_kept() -> None:
    x = torch.randn(2, 3)
    assert activations.softmax(x)._keras_logits is x  # type: ignore[attr-defined]
    assert activations.sigmoid(x)._keras_logits is x  # type: ignore[attr-defined]


def test_arrays_and_lists_are_taken() -> None:
    assert activations.relu([-1, 2]).tolist() == [0.0, 2.0]
    assert activations.tanh(np.zeros(2)).dtype == torch.float64


def test_identifiers() -> None:
    assert activations.get(None) is activations.linear
    assert activations.get(torch.tanh) is torch.tanh
    assert activations.serialize(activations.relu) == "relu"
    assert activations.deserialize("relu") is activations.relu
    assert activations.get({"class_name": "function", "config": "relu"}) is activations.relu
    with pytest.raises(InputError, match="softmax"):
        activations.get("sofmax")
