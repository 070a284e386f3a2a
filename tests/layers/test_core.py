"""Input, Lambda, old spellings, errors in Keras' words, names that stand for what is not here."""

from __future__ import annotations

import warnings
from typing import Any

import keras
import numpy as np
import pytest
import torch

from scene_lightning import layers
from scene_lightning.errors import InputError, UnsupportedError


def test_input_layer_config_goes_both_ways() -> None:
    mine = layers.InputLayer(shape=(8, 6, 3), batch_size=2)
    assert mine.get_config() == {
        "batch_shape": [2, 8, 6, 3],
        "dtype": "float32",
        "sparse": False,
        "name": "input_layer",
    }
    assert tuple(keras.layers.InputLayer.from_config(mine.get_config()).batch_shape) == (2, 8, 6, 3)
    theirs = keras.layers.InputLayer(shape=(8, 6, 3))
    assert layers.InputLayer.from_config(theirs.get_config()).batch_shape == (None, 8, 6, 3)
    assert layers.InputLayer.from_config({"batch_input_shape": [None, 4], "name": "old"}).batch_shape == (None, 4)
    assert isinstance(layers.InputSpec(ndim=2), layers.InputSpec)


@pytest.mark.parametrize("arguments", [{}, {"shape": (3,), "batch_shape": (1, 3)}, {"shape": ("a",)}, {"shape": (-2,)}])
def test_input_refuses_nonsense(arguments: dict[str, Any]) -> None:
    with pytest.raises(InputError):
        layers.Input(**arguments)


def test_lambda_computes_and_wants_its_function_handed_in() -> None:
    double = layers.Lambda(lambda x, by: x * by, arguments={"by": 2.0})
    assert torch.equal(double(torch.ones(2, 3)), torch.full((2, 3), 2.0))
    assert double.compute_output_shape((None, 3)) == (None, 3)
    assert double(layers.Input((3,))).shape == (None, 3)
    assert layers.Lambda(lambda x: x.mean(-1), output_shape=())(layers.Input((3,))).shape == (None,)
    again = layers.Lambda.from_config(double.get_config())  # in this process the config knows the function
    assert torch.equal(again(torch.ones(2, 3)), double(torch.ones(2, 3)))
    with pytest.raises(UnsupportedError, match=r"custom_objects=\{'x': function\}"):
        layers.Lambda.from_config({"function": "x"})


def test_thresholded_relu_is_keras_2s() -> None:
    values = layers.ThresholdedReLU(theta=1.0)(torch.tensor([[-2.0, 0.5, 1.0, 1.5]]))
    assert values.tolist() == [[0.0, 0.0, 0.0, 1.5]]


def test_leaky_relu_slopes_differ_by_name() -> None:
    minus = torch.tensor([[-1.0]])
    assert layers.LeakyReLU()(minus).item() == pytest.approx(-0.3)
    assert layers.Activation("leaky_relu")(minus).item() == pytest.approx(-0.2)


def test_rescaling_takes_uint8_and_gives_float32() -> None:
    pixels = torch.tensor([[0, 255]], dtype=torch.uint8)
    scaled = layers.Rescaling(1 / 127.5, offset=-1)(pixels)
    assert scaled.dtype == torch.float32
    assert scaled.tolist() == [[-1.0, 1.0]]


OLD = [
    (lambda: layers.Dense(output_dim=3, init="uniform"), lambda: layers.Dense(3, kernel_initializer="uniform")),
    (lambda: layers.Dropout(p=0.3), lambda: layers.Dropout(0.3)),
    (
        lambda: layers.Conv2D(8, 3, 5, border_mode="same", subsample=(2, 2)),
        lambda: layers.Conv2D(8, (3, 5), padding="same", strides=2),
    ),
    (
        lambda: layers.Convolution2D(nb_filter=8, nb_row=3, nb_col=2, dim_ordering="th", bias=False),
        lambda: layers.Conv2D(8, (3, 2), data_format="channels_first", use_bias=False),
    ),
    (lambda: layers.LeakyReLU(alpha=0.1), lambda: layers.LeakyReLU(0.1)),
    (lambda: layers.MaxPooling2D(border_mode="same"), lambda: layers.MaxPooling2D(padding="same")),
    (lambda: layers.BatchNormalization(mode=0, axis=1), lambda: layers.BatchNormalization(axis=1)),
]


@pytest.mark.parametrize(("old", "new"), OLD)
def test_old_spellings_mean_the_same_and_warn(old: Any, new: Any) -> None:
    with pytest.warns(DeprecationWarning, match="older Keras"):
        before = old().get_config()
    after = new().get_config()
    before.pop("name"), after.pop("name")
    assert before == after


def test_two_numbers_after_the_filters_are_kernel_and_strides() -> None:
    with pytest.warns(UserWarning, match="strides=3"):
        layer = layers.Conv2D(8, 3, 3)
    assert layer.strides == (3, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layers.Conv2D(8, (3, 3), 2)


WRONG = [
    (lambda: layers.Dense(0), "positive integer"),
    (lambda: layers.Dense(3, unit=4), "Unrecognized keyword arguments passed to Dense"),
    (lambda: layers.Dense(3, "reluu"), "Did you mean 'relu'"),
    (lambda: layers.Conv2D(3, (3, 3, 3)), "tuple of 2 integers"),
    (lambda: layers.Conv2D(3, 3, padding="some"), "padding"),
    (lambda: layers.Conv2D(3, 3, strides=2, dilation_rate=2), "not supported in conjunction"),
    (lambda: layers.Conv2D(3, 3, groups=2), "evenly divisible"),
    (lambda: layers.Conv2D(4, 3, groups=2)(torch.ones(1, 5, 5, 3)), "evenly divisible"),
    (lambda: layers.Conv2D(4, 9)(torch.ones(1, 5, 5, 3)), "negative"),
    (lambda: layers.MaxPooling2D(9)(torch.ones(1, 5, 5, 3)), "negative"),
    (lambda: layers.Conv2D(4, 3)(torch.ones(5, 5, 3)), "expected min_ndim=4, found ndim=3"),
    (lambda: layers.Dropout(1.5), "between 0 and 1"),
    (lambda: layers.Reshape((4,))(torch.ones(2, 3)), "total size"),
    (lambda: layers.Cropping2D(3)(torch.ones(1, 5, 5, 3)), "smaller"),
    (lambda: layers.RandomFlip("sideways"), "Expected one of"),
    (lambda: layers.UpSampling2D(interpolation="bilinaer"), "Did you mean 'bilinear'"),
    (lambda: layers.Add()([torch.ones(2, 3), torch.ones(2, 4)]), "incompatible shapes"),
    (lambda: layers.Add()(torch.ones(2, 3)), "list of"),
    (lambda: layers.GroupNormalization(3)(torch.ones(2, 4)), "divide"),
]


@pytest.mark.parametrize(("make", "words"), WRONG)
def test_errors_say_what_is_wrong(make: Any, words: str) -> None:
    with pytest.raises(InputError, match=words):
        make()


def test_a_batch_with_channels_first_is_explained() -> None:
    layer = layers.Conv2D(2, 3)
    layer(torch.ones(1, 8, 8, 3))
    with pytest.raises(InputError, match=r"channels seem to come first.*transpose\(0, 2, 3, 1\)"):
        layer(torch.ones(1, 3, 8, 8))


def test_what_is_not_here_can_be_imported_and_says_so_when_used() -> None:
    with pytest.raises(UnsupportedError, match="LSTM is not supported"):
        layers.LSTM(3)
    with pytest.raises(UnsupportedError, match="Masking"):
        layers.Masking()
    with pytest.raises(AttributeError, match="Did you mean 'Conv2D'"):
        layers.Conv2d  # noqa: B018


def test_layers_serialize_as_keras_does() -> None:
    dense = layers.Dense(3)
    data = layers.serialize(dense)
    assert data["module"] == "keras.layers"
    assert keras.layers.deserialize(data).units == 3
    assert layers.deserialize(keras.layers.serialize(keras.layers.Dense(4))).units == 4


def test_activation_result_is_returned_itself_with_its_logits() -> None:
    outputs = layers.Dense(3, activation="softmax")(torch.ones(2, 4))
    assert outputs._keras_logits.shape == (2, 3)
    images = layers.Conv2D(3, 1, activation="softmax")(torch.ones(2, 4, 4, 2))
    assert images._keras_logits.shape == (2, 4, 4, 3)


def test_convolution_copies_no_images() -> None:
    """The permuted NHWC batch is channels_last memory, and so is what comes out: no copy between layers."""
    outputs = layers.Conv2D(8, 3)(torch.rand(2, 16, 16, 4))
    assert outputs.is_contiguous()
    assert layers.MaxPooling2D()(outputs).is_contiguous()
    assert layers.BatchNormalization()(outputs, training=True).is_contiguous()


def test_arrays_are_taken() -> None:
    assert layers.Flatten()(np.ones((2, 3, 4), "float64")).dtype == torch.float32


def test_seeded_dropout_repeats_between_runs_and_not_between_calls() -> None:
    ones = torch.ones(4, 50)
    first, second = (layers.Dropout(0.5, seed=7) for _ in range(2))
    a, b = first(ones, training=True), first(ones, training=True)
    assert torch.equal(a, second(ones, training=True))
    assert not torch.equal(a, b)
    assert set(a.unique().tolist()) == {0.0, 2.0}
    shared = layers.Dropout(0.5, noise_shape=(None, 1))(ones, training=True)
    assert (shared == shared[:, :1]).all()
    assert (layers.Dropout(1.0)(ones, training=True) == 0).all()


def test_spatial_dropout_drops_whole_channels() -> None:
    dropped = layers.SpatialDropout2D(0.5)(torch.ones(3, 4, 5, 16), training=True)
    assert (dropped == dropped[:, :1, :1]).all()
    assert set(dropped.unique().tolist()) == {0.0, 2.0}


@pytest.mark.parametrize(
    "make", [lambda: layers.GaussianNoise(0.5), lambda: layers.GaussianDropout(0.2), lambda: layers.AlphaDropout(0.2)]
)
def test_noise_has_keras_mean_and_spread(make: Any) -> None:
    inputs = torch.randn(400, 500, generator=torch.Generator().manual_seed(1))
    theirs = getattr(keras.layers, type(make()).__name__).from_config(make().get_config())
    found, expected = make()(inputs, training=True), theirs(inputs, training=True)
    assert found.mean().item() == pytest.approx(expected.mean().item(), abs=0.02)
    assert found.std().item() == pytest.approx(expected.std().item(), rel=0.02)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("interpolation", ["bilinear", "bicubic"])
def test_an_image_that_becomes_one_pixel_wide_keeps_its_rows(interpolation: str, channels: int) -> None:
    """As one that becomes one pixel high keeps its columns; Keras on torch 2.14 repeats the first row."""
    x = torch.rand(2, 7, 5, channels)
    options = {"interpolation": interpolation, "antialias": True}
    wide = layers.Resizing(1, 3, **options)(x.transpose(1, 2)).transpose(1, 2)
    np.testing.assert_allclose(layers.Resizing(3, 1, **options)(x), wide, atol=1e-6)
