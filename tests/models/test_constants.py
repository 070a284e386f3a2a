"""Tensors computed beside a functional model, nested outputs, and an activation taken off afterwards."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import torch

import scene_lightning as ours
from scene_lightning.utils.dataset import Dataset

RNG = np.random.default_rng(0)
X = RNG.normal(size=(6, 4)).astype("float32")


def test_a_computed_tensor_is_a_constant_of_the_graph() -> None:
    """As the position embeddings of https://keras.io/examples/vision/cct: made once, trained in no step."""
    table = ours.layers.Embedding(4, 4)
    inputs = ours.Input((4,))
    model = ours.Model(inputs, ours.layers.Dense(1)(inputs + table(torch.arange(4)).mean(0)))
    before = [weight.copy() for weight in table.get_weights()]
    model.compile("sgd", "mse")
    model.fit(X, X[:, 0], epochs=2, batch_size=2, verbose=0)
    np.testing.assert_array_equal(table.get_weights()[0], before[0])


def nested(library: Any) -> Any:
    inputs = library.Input((4,))
    dense = library.layers.Dense(2, kernel_initializer="ones")
    return library.Model(inputs, [[dense(inputs), inputs + 1], {"double": inputs * 2}])


def test_nested_outputs_are_predicted_in_their_structure() -> None:
    found, expected = nested(ours).predict(X, batch_size=4, verbose=0), nested(keras).predict(X, verbose=0)
    (dense, more), other = found
    np.testing.assert_allclose(dense, expected[0][0], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(more, expected[0][1], rtol=1e-6)
    np.testing.assert_allclose(other["double"], expected[1]["double"], rtol=1e-6)


def test_an_activation_can_be_taken_off() -> None:
    """As https://keras.io/examples/vision/grad_cam does, to look at logits."""
    inputs = ours.Input((4,))
    model = ours.Model(inputs, ours.layers.Dense(3, activation="softmax")(inputs))
    model.layers[-1].activation = None
    logits = X @ model.get_weights()[0]
    np.testing.assert_allclose(model.predict(X, verbose=0), logits, rtol=1e-4, atol=1e-5)
    assert model.layers[-1].get_config()["activation"] == "linear"


def test_a_sequence_of_resizings_takes_images_of_any_size() -> None:
    for library in (keras, ours):
        model = library.Sequential([library.layers.Resizing(5, 5), library.layers.Rescaling(2.0)])
        shapes = [tuple(model(np.zeros(shape, "float32")).shape) for shape in ((1, 8, 8, 3), (4, 9, 12, 3))]
        assert shapes == [(1, 5, 5, 3), (4, 5, 5, 3)]


def test_a_numpy_iterator_has_next() -> None:
    iterator = Dataset.from_tensor_slices(X).as_numpy_iterator()
    np.testing.assert_array_equal(iterator.next(), X[0])
    np.testing.assert_array_equal(next(iterator), X[1])
