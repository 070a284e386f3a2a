"""`CategoryEncoding` beside the real Keras."""

from __future__ import annotations

from typing import Any

import keras as real
import numpy as np
import pytest

import scene_lightning as keras
from scene_lightning.errors import InputError


@pytest.mark.parametrize("mode", ["one_hot", "multi_hot", "count"])
@pytest.mark.parametrize(
    "numbers", [[3, 2, 0, 1], [[0, 1], [0, 0], [1, 2], [3, 1]], [[2], [0]], 2], ids=["flat", "rows", "column", "one"]
)
def test_vectors_are_keras(mode: str, numbers: Any) -> None:
    def encoded(api: Any) -> np.ndarray:
        return np.asarray(api.layers.CategoryEncoding(num_tokens=4, output_mode=mode)(np.array(numbers)))

    ours = encoded(keras)
    np.testing.assert_array_equal(ours, encoded(real))
    assert ours.dtype == np.float32


def test_counts_may_be_weighted() -> None:
    layer = keras.layers.CategoryEncoding(num_tokens=4, output_mode="count")
    numbers = np.array([[0, 1], [0, 0], [3, 1]])
    weights = np.array([[0.1, 0.2], [0.1, 0.1], [0.4, 0.2]])
    found = layer(numbers, count_weights=weights)
    np.testing.assert_allclose(found, [[0.1, 0.2, 0, 0], [0.2, 0, 0, 0], [0, 0.2, 0, 0.4]], rtol=1e-6)
    with pytest.raises(InputError, match="needs output_mode='count'"):
        keras.layers.CategoryEncoding(num_tokens=4)(numbers, count_weights=weights)


def test_in_a_model() -> None:
    inputs = keras.Input((3,), dtype="int64")
    model = keras.Model(inputs, keras.layers.CategoryEncoding(num_tokens=5)(inputs))
    assert model.output_shape == (None, 5)
    assert model.predict(np.array([[0, 4, 4]]), verbose=0).tolist() == [[1, 0, 0, 0, 1]]
    again = keras.models.model_from_json(model.to_json())
    assert again.layers[-1].num_tokens == 5


def test_what_is_wrong_is_named() -> None:
    for make, said in (
        (lambda: keras.layers.CategoryEncoding(), "num_tokens must be set"),
        (lambda: keras.layers.CategoryEncoding(num_tokens=0), "positive integer"),
        (lambda: keras.layers.CategoryEncoding(num_tokens=3, output_mode="int"), "one_hot"),
        (lambda: keras.layers.CategoryEncoding(num_tokens=3)(np.array([1, 3])), "0 <= values < num_tokens"),
    ):
        with pytest.raises(InputError, match=said):
            make()
