"""Random* layers in any configuration beside real Keras: what they draw, what they make of it, configs both ways."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from scene_lightning import layers
from tests.layers.augmentation_strategies import RANDOM_LAYERS, RANDOM_SIDES

JITTER = ("brightness", "contrast", "saturation", "hue")
MANY = 1000


def column(values: torch.Tensor) -> torch.Tensor:
    return values.view(-1, 1, 1, 1)


def theirs_of(name: str, ours: dict[str, torch.Tensor], layer: Any, shape: tuple[int, ...]) -> Any:
    """Keras' transformation with the numbers of our parameters."""
    if name == "RandomRotation":
        zeros, ones = torch.zeros(shape[0]), torch.ones(shape[0])
        angle = ours["degrees"]
        matrix = layer._compute_affine_matrix(0.5, 0.5, angle, zeros, zeros, ones, zeros, zeros, *shape[1:3])
        return {"rotation_matrix": matrix}
    if name == "RandomZoom":
        return {key: ours[key][:, None] for key in ("height_zoom", "width_zoom")}
    if name == "RandomTranslation":
        return {"translations": torch.stack([ours["right"], ours["down"]], 1)}
    if name == "RandomShear":
        return {"shear_factor": torch.stack([ours["x_shear"], ours["y_shear"]], 1)}
    if name == "RandomCrop":
        return int(ours["top"]), int(ours["left"])
    ((_, values),) = ours.items()
    if name == "RandomGrayscale":
        return column(values)
    key = {"RandomFlip": "flips", "RandomBrightness": "rgb_delta", "RandomContrast": "contrast_factor"}.get(name)
    return {key: column(values)} if key else {"factor": values}


def expected_of(name: str, ours: dict[str, torch.Tensor], layer: Any, images: torch.Tensor, nhwc: Any) -> Any:
    """What Keras makes of these images with our parameters; the jitter's steps one after another."""
    if name != "RandomColorJitter":
        return layer.transform_images(images.clone(), theirs_of(name, ours, layer, nhwc), training=True)
    for kind, key in zip(JITTER, ("delta", "contrast", "saturation", "hue"), strict=True):
        if key in ours:
            step = getattr(layer, f"random_{kind}")
            transformation = theirs_of(type(step).__name__, {key: ours[key]}, step, nhwc)
            images = step.transform_images(images.clone(), transformation, training=True)
    return images


def numbers_of(name: str, transformation: Any) -> list[np.ndarray]:
    """What is random in Keras' transformation."""
    if not isinstance(transformation, dict):
        transformation = {"grey": transformation}
    keys = [key for key in transformation if key not in ("input_shape", "image_height", "image_width", "batch_size")]
    tensors = [transformation[key] for key in keys if key != "rotation_matrix"]
    found = [np.asarray(tensor.detach()).reshape(tensor.shape[0], -1).astype("float64") for tensor in tensors]
    return [part for one in found for part in one.T]


def alike(a: np.ndarray, b: np.ndarray) -> None:
    """Drawn from one distribution: their cumulative distributions are closer than 0.13 everywhere.

    Of a thousand numbers each, alike ones are that far apart once in ten million times.
    """
    slack = 1e-4 * max(1e-3, float(np.abs(b).max()))
    a, b = np.sort(a), np.sort(b)
    places = np.concatenate([a, b])
    above = np.searchsorted(a, places + slack, "right") - np.searchsorted(b, places, "right")
    below = np.searchsorted(b, places, "right") - np.searchsorted(a, places - slack, "right")
    assert max(above.min() * -1, below.min() * -1) < 0.13 * MANY, "another distribution than Keras draws from"


def make(name: str, config: dict[str, Any]) -> tuple[Any, Any]:
    return getattr(keras.layers, name)(**config), getattr(layers, name)(**config)


def pixels_of(config: dict[str, Any], shape: tuple[int, ...], seed: int) -> torch.Tensor:
    high = config.get("value_range", (0, 255))[1]
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed)) * high


def nhwc_of(shape: tuple[int, ...], config: dict[str, Any]) -> tuple[int, ...]:
    first = config.get("data_format") == "channels_first"
    return (shape[0], *shape[2:], shape[1]) if first else shape


def check_configs(name: str, theirs: Any, ours: Any) -> None:
    """Each reads the other's config; what it then draws is what the other's own layer draws."""
    there, here = type(theirs).from_config(ours.get_config()), type(ours).from_config(theirs.get_config())
    assert type(ours).from_config(ours.get_config()).get_config() == ours.get_config(), "our own round trip"
    mine, read = ours.get_config(), here.get_config()
    names = set(mine) - {"dtype", "name", "seed"}
    listed = [{key: np.asarray(config[key]).tolist() for key in names} for config in (read, mine)]
    if name != "RandomColorJitter":  # which keeps its factors as they were given
        assert listed[0] == listed[1], "we read Keras' config"
    images = torch.zeros((5, 9, 9, 3) if theirs.data_format == "channels_last" else (5, 3, 9, 9))
    if name in ("RandomColorJitter", "RandomCrop"):
        same = [layer.get_config() for layer in (theirs, there)]
        assert all(np.array_equal(same[0][key], same[1][key]) for key in names), "Keras reads our config"
        return
    drawn = [numbers_of(name, layer.get_random_transformation(images, seed=7)) for layer in (theirs, there)]
    for a, b in zip(*drawn, strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-6, atol=1e-7, err_msg="Keras reads our config")


def check_inference(name: str, theirs: Any, ours: Any, images: torch.Tensor) -> None:
    found = ours(images, training=False)
    if name == "RandomCrop":  # what Keras documents; 3.15 leaves the image as it is
        fitted = keras.layers.Resizing(
            ours.height, ours.width, crop_to_aspect_ratio=True, data_format=theirs.data_format
        )
        np.testing.assert_allclose(found, fitted(images), atol=0.05)
    else:
        assert torch.equal(found, theirs(images, training=False)), "inference is the identity"


def check(name: str, config: dict[str, Any], shape: tuple[int, ...], seed: int) -> None:
    """The whole contract of a Random* layer, for one configuration."""
    theirs, ours = make(name, config)
    images, nhwc = pixels_of(config, shape, seed), nhwc_of(shape, config)
    assert ours.compute_output_shape((None, *shape[1:])) == tuple(theirs.compute_output_shape((None, *shape[1:])))
    check_configs(name, theirs, ours)
    check_inference(name, theirs, ours, images)
    found = ours(images, training=True)
    assert torch.equal(found, make(name, config)[1](images)), "the same seed, the same images; a bare call is training"
    reference = theirs(images.clone(), training=True)  # Keras' brightness is added to its input in place
    assert (found.shape, found.dtype) == (reference.shape, reference.dtype)
    parameters = make(name, config)[1].draw(nhwc, torch.device("cpu"))
    if name != "RandomCrop" or (nhwc[1] > ours.height and nhwc[2] > ours.width):
        expected = expected_of(name, parameters, theirs, images, nhwc)
        high = config.get("value_range", (0, 255))[1]
        np.testing.assert_allclose(found, expected.detach(), rtol=0, atol=1e-3 * high, err_msg="training")
    if name not in ("RandomColorJitter", "RandomCrop"):  # the jitter's steps are drawn by themselves
        many = torch.zeros((MANY, *shape[1:]))
        wanted = numbers_of(name, theirs.get_random_transformation(many, seed=keras.random.SeedGenerator(seed)))
        drawn = ours.draw((MANY, *nhwc[1:]), torch.device("cpu"))
        same = theirs_of(name, drawn, theirs, (MANY, *nhwc[1:]))
        if name == "RandomRotation":
            same = {"angle": drawn["degrees"]}
        for a, b in zip(numbers_of(name, same), wanted, strict=True):
            alike(a, b)


@pytest.mark.parametrize("name", sorted(RANDOM_LAYERS))
def test_any_configuration(name: str) -> None:
    @given(case=RANDOM_LAYERS[name], seed=st.integers(0, 99))
    def draw(case: Any, seed: int) -> None:
        check(name, *case, seed)

    draw()


def test_keras_config_of_a_single_saturation_is_read_as_documented() -> None:
    theirs = keras.layers.RandomSaturation(0.25).get_config()
    assert layers.RandomSaturation.from_config(theirs).factor == layers.RandomSaturation(0.25).factor == (0.0, 0.25)


@pytest.mark.parametrize("name", sorted(RANDOM_SIDES))
def test_any_side(name: str) -> None:
    """The side is in the range that Keras 2 documents, and the image is Keras' own resizing to it."""

    @given(case=RANDOM_SIDES[name])
    def draw(case: Any) -> None:
        config, shape = case
        layer = getattr(layers, name)(**config)
        images, axis = pixels_of(config, shape, 1), 1 if name == "RandomHeight" else 2
        found = layer(images, training=True)
        low, high = layer.factor
        assert max(1, int(shape[axis] * (1 + low) - 1e-6)) <= found.shape[axis] <= shape[axis] * (1 + high) + 1e-6
        resized = keras.layers.Resizing(*found.shape[1:3], interpolation=config.get("interpolation", "bilinear"))
        np.testing.assert_allclose(found, resized(images), atol=0.05)
        assert torch.equal(layer(images, training=False), images)
        again = type(layer).from_config(layer.get_config())
        assert again.get_config() == layer.get_config()
        assert torch.equal(again(images, training=True), found)

    draw()
