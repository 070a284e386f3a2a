"""`merge`, `Merge` and `AtrousConvolution2D` give the layers that took their place."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

import scene_lightning as keras
from scene_lightning import layers
from scene_lightning.errors import InputError, UnsupportedError

RNG = np.random.default_rng(3)
A, B = (torch.from_numpy(RNG.normal(size=(2, 3, 4)).astype("float32")) for _ in range(2))
TODAY = {
    "sum": layers.Add(),
    "mul": layers.Multiply(),
    "ave": layers.Average(),
    "max": layers.Maximum(),
    "concat": layers.Concatenate(axis=1),
    "dot": layers.Dot(axes=2),
    "cos": layers.Dot(axes=2, normalize=True),
}


@pytest.mark.parametrize("mode", TODAY)
def test_merge_is_the_layer_of_its_mode(mode: str) -> None:
    options: dict[str, Any] = {"concat_axis": 1, "dot_axes": ([2], [2])}
    expected = TODAY[mode]([A, B])
    assert torch.equal(layers.merge([A, B], mode=mode, **options), expected)
    assert torch.equal(layers.Merge(mode=mode, **options)([A, B]), expected)


def test_merge_in_a_model_and_with_a_function() -> None:
    first, second = keras.Input((4,)), keras.Input((4,))
    joined = layers.merge([first, second], mode="concat", concat_axis=-1, name="joined")
    shifted = layers.merge([first, second], mode=lambda tensors: tensors[0] - tensors[1], output_shape=(4,))
    model = keras.Model(input=[first, second], output=[joined, shifted])
    assert model.get_layer("joined").output_shape == (None, 8)
    outputs = model.predict([np.ones((3, 4)), np.zeros((3, 4))], verbose=0)
    assert outputs[0].shape == (3, 8) and outputs[1].tolist() == [[1.0] * 4] * 3


def test_what_merge_cannot_do() -> None:
    with pytest.raises(InputError, match="'concat'"):
        layers.merge([A, B], mode="concatenate")
    with pytest.raises(UnsupportedError, match="several inputs"):
        layers.Merge([keras.Sequential(), keras.Sequential()], mode="concat")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_atrous_convolution_is_a_dilated_one() -> None:
    layer = layers.AtrousConvolution2D(4, 3, 5, atrous_rate=(2, 2), border_mode="same")
    assert layer.kernel_size == (3, 5) and layer.dilation_rate == (2, 2) and layer.padding == "same"
    assert layers.AtrousConvolution1D(4, 3, atrous_rate=2).dilation_rate == (2,)


def test_a_list_given_to_a_layer_may_grow_afterwards() -> None:
    """As hand-written DenseNets do: the graph keeps what the call was given."""
    x = inputs = keras.Input((2,))
    features = [x]
    for _ in range(3):
        features.append(layers.Dense(2)(x))
        x = layers.concatenate(features)
    model = keras.Model(inputs, x)
    assert model.output_shape == (None, 8) and len(model.layers) == 7


def test_what_old_programs_ask_of_layers_and_symbolic_tensors() -> None:
    shared, first, second = layers.Dense(3), keras.Input((2,)), keras.Input((2,))
    outputs = [shared(first), shared(second)]
    assert shared.get_input_at(1) is second and shared.get_output_at(0) is outputs[0]
    assert shared.get_output_shape_at(1) == (None, 3) and shared.get_input_shape_at(-1) == (None, 2)
    with pytest.raises(InputError, match=r"called 2 time\(s\); there is no call 2"):
        shared.get_output_at(2)
    assert outputs[0].get_shape().as_list() == outputs[0].shape.as_list() == [None, 3]
    assert outputs[0]._keras_shape == keras.backend.int_shape(outputs[0]) == (None, 3)
    assert outputs[0].shape == (None, 3) and outputs[0].shape.ndims == outputs[0].shape.rank == 2


def test_a_layer_without_call_passes_its_inputs_on() -> None:
    class Normalise(layers.Layer):
        def get_output(self, train: bool = False) -> Any:  # Keras 0's name of call; nothing asks for it since
            raise AssertionError

    with pytest.warns(UserWarning, match="defines no call"):
        outputs = Normalise()(keras.Input((4,)))
    assert outputs.shape == (None, 4)
