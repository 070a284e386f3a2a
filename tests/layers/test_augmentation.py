"""Random* layers: given the same parameters they equal Keras'; draws stay in range; when they are active."""

from __future__ import annotations

from typing import Any

import keras
import numpy as np
import pytest
import torch

from scene_lightning import layers
from scene_lightning.errors import InputError

N, H, W = 3, 9, 12
FILLS = ["reflect", "nearest", "wrap", "constant"]


def pixels() -> torch.Tensor:
    return torch.rand(N, H, W, 3, generator=torch.Generator().manual_seed(6)) * 255


def check(ours: Any, parameters: dict[str, torch.Tensor], theirs: Any, transformation: Any, atol: float = 2e-3) -> None:
    found = ours.transform(pixels(), parameters)
    expected = theirs.transform_images(pixels(), transformation, training=True)
    np.testing.assert_allclose(found.numpy(), expected.detach().numpy(), atol=atol)
    assert found.dtype == torch.float32


def column(*values: float) -> torch.Tensor:
    return torch.tensor(values)


@pytest.mark.parametrize("fill", FILLS)
@pytest.mark.parametrize("interpolation", ["bilinear", "nearest"])
def test_rotation(fill: str, interpolation: str) -> None:
    options = {"fill_mode": fill, "fill_value": 7.0, "interpolation": interpolation}
    angle = column(20.0, -75.0, 191.0)
    theirs = keras.layers.RandomRotation(0.5, **options)
    zeros, ones = torch.zeros(N), torch.ones(N)
    matrix = theirs._compute_affine_matrix(0.5, 0.5, angle, zeros, zeros, ones, zeros, zeros, H, W)
    check(layers.RandomRotation(0.5, **options), {"degrees": angle}, theirs, {"rotation_matrix": matrix})


@pytest.mark.parametrize("fill", FILLS)
def test_zoom_translation_and_shear(fill: str) -> None:
    options: dict[str, Any] = {"fill_mode": fill, "fill_value": 30.0}
    rows, columns = column(0.7, 1.6, 1.0), column(1.3, 0.8, 2.4)
    check(
        layers.RandomZoom(0.5, 0.5, **options),
        {"height_zoom": rows, "width_zoom": columns},
        keras.layers.RandomZoom(0.5, 0.5, **options),
        {"height_zoom": rows[:, None], "width_zoom": columns[:, None]},
    )
    down, right = column(2.25, -3.5, 14.0), column(-1.5, 0.0, 4.75)
    check(
        layers.RandomTranslation(0.5, 0.5, **options),
        {"down": down, "right": right},
        keras.layers.RandomTranslation(0.5, 0.5, **options),
        {"translations": torch.stack([right, down], 1)},
    )
    x, y = column(0.3, -0.7, 0.0), column(-0.2, 0.4, 0.9)
    check(
        layers.RandomShear(0.9, 0.9, **options),
        {"x_shear": x, "y_shear": y},
        keras.layers.RandomShear(0.9, 0.9, **options),
        {"shear_factor": torch.stack([x, y], 1)},
    )


@pytest.mark.parametrize("mode", ["horizontal", "vertical", "horizontal_and_vertical"])
def test_flip(mode: str) -> None:
    flips = torch.tensor([True, False, True])
    check(layers.RandomFlip(mode), {"flips": flips}, keras.layers.RandomFlip(mode), {"flips": flips.view(-1, 1, 1, 1)})


def test_colours() -> None:
    four = (-1, 1, 1, 1)
    delta, contrast = column(40.0, -90.0, 0.0), column(0.5, 1.4, 1.0)
    grey, hue, saturation = torch.tensor([True, False, True]), column(0.2, -0.4, 0.0), column(0.3, 0.0, 1.0)
    check(
        layers.RandomBrightness(0.5),
        {"delta": delta},
        keras.layers.RandomBrightness(0.5),
        {"rgb_delta": delta.view(four)},
    )
    check(
        layers.RandomContrast(0.5),
        {"contrast": contrast},
        keras.layers.RandomContrast(0.5),
        {"contrast_factor": contrast.view(four)},
    )
    check(layers.RandomGrayscale(0.5), {"grey": grey}, keras.layers.RandomGrayscale(0.5), grey.view(four))
    check(layers.RandomHue(0.5), {"hue": hue}, keras.layers.RandomHue(0.5), {"factor": hue})
    check(
        layers.RandomSaturation(0.5),
        {"saturation": saturation},
        keras.layers.RandomSaturation(0.5),
        {"factor": saturation},
    )


def test_crop_cuts_a_window_in_training_and_fits_the_middle_in_inference() -> None:
    layer = layers.RandomCrop(4, 5)
    images = pixels()
    cut = layer.transform(images, {"top": torch.tensor(2), "left": torch.tensor(3)})
    assert torch.equal(cut, images[:, 2:6, 3:8])
    assert layer(images, training=True).shape == (N, 4, 5, 3)
    assert layer(images, training=False).shape == (N, 4, 5, 3)
    assert layers.RandomCrop(20, 20)(images).shape == (N, 20, 20, 3)
    assert layer.compute_output_shape((None, H, W, 3)) == (None, 4, 5, 3)


ALL: list[Any] = [
    lambda **k: layers.RandomFlip(**k),
    lambda **k: layers.RandomRotation(0.2, **k),
    lambda **k: layers.RandomZoom((-0.3, 0.1), **k),
    lambda **k: layers.RandomTranslation(0.2, (-0.1, 0.3), **k),
    lambda **k: layers.RandomShear(0.3, 0.1, **k),
    lambda **k: layers.RandomBrightness(0.3, **k),
    lambda **k: layers.RandomContrast(0.3, **k),
    lambda **k: layers.RandomGrayscale(0.5, **k),
    lambda **k: layers.RandomHue(0.3, **k),
    lambda **k: layers.RandomSaturation((0.2, 0.8), **k),
    lambda **k: layers.RandomColorJitter(brightness_factor=0.2, hue_factor=0.1, **k),
]


@pytest.mark.parametrize("make", ALL)
def test_active_in_training_and_bare_calls_only(make: Any) -> None:
    images = pixels().to(torch.uint8)
    layer = make(seed=3)
    assert torch.equal(layer(images, training=False), images.float())
    first = layer(images)
    assert first.dtype == torch.float32
    assert first.shape == images.shape
    assert not torch.equal(first, layer(images))
    assert torch.equal(first, make(seed=3)(images))
    assert layer(images[0]).shape == images.shape[1:]
    assert layer.compute_output_shape((None, None, None, 3)) == (None, None, None, 3)
    assert make(data_format="channels_first", seed=3)(images.permute(0, 3, 1, 2)).shape == (N, 3, H, W)


def test_keras_own_training_flag_is_not_recorded_in_the_graph() -> None:
    """Keras' files say training=True at every Random* layer; that must not make predict() random."""
    flip = layers.RandomFlip()
    flip(layers.Input((H, W, 3)), training=True)
    assert flip._inbound_nodes[0].kwargs == {}
    dropout = layers.Dropout(0.5)
    dropout(layers.Input((4,)), training=True)
    assert dropout._inbound_nodes[0].kwargs == {"training": True}


@pytest.mark.parametrize("make", [*ALL, lambda **k: layers.RandomCrop(3, 4, **k)])
def test_configs_go_both_ways(make: Any) -> None:
    layer = make(seed=3)
    theirs = getattr(keras.layers, type(layer).__name__).from_config(layer.get_config())
    again = type(layer).from_config(theirs.get_config())
    mine, back = layer.get_config(), again.get_config()
    assert {key: back[key] for key in mine if key != "seed"} == {key: mine[key] for key in mine if key != "seed"}


def test_draws_stay_in_their_ranges() -> None:
    cpu, shape = torch.device("cpu"), (2000, 10, 20, 3)
    zoom = layers.RandomZoom((-0.3, 0.1)).draw(shape, cpu)
    assert zoom["height_zoom"].min() >= 0.7 and zoom["height_zoom"].max() <= 1.1
    assert zoom["width_zoom"] is zoom["height_zoom"]
    shift = layers.RandomTranslation(0.5, (0.1, 0.2)).draw(shape, cpu)
    assert shift["down"].abs().max() <= 5 and shift["right"].min() >= 2 and shift["right"].max() <= 4
    degrees = layers.RandomRotation(0.25).draw(shape, cpu)["degrees"]
    assert -90 <= degrees.min() < -80 and 80 < degrees.max() <= 90
    contrast = layers.RandomContrast(0.4).draw(shape, cpu)["contrast"]
    assert 0.6 <= contrast.min() < 0.65 and 1.35 < contrast.max() <= 1.4
    assert layers.RandomFlip().draw(shape, cpu)["flips"].float().mean().item() == pytest.approx(0.5, abs=0.05)


def test_random_height_and_width_change_one_side() -> None:
    images = pixels()
    taller = layers.RandomHeight((0.5, 0.5))(images)
    assert taller.shape == (N, 13, W, 3)
    assert layers.RandomWidth((-0.5, -0.5), interpolation="nearest")(images).shape == (N, H, 6, 3)
    assert layers.RandomHeight(0.2)(images, training=False).shape == images.shape
    assert layers.RandomWidth(0.2).compute_output_shape((None, 5, 6, 3)) == (None, 5, None, 3)


@pytest.mark.parametrize("factor", [1.5, (0.1, 0.2, 0.3), "a", None])
def test_factors_are_checked(factor: Any) -> None:
    with pytest.raises(InputError, match="factor"):
        layers.RandomRotation(factor)


@pytest.mark.cuda
def test_runs_on_the_gpu() -> None:
    images = pixels().to(torch.uint8).cuda()
    for make in ALL:
        assert make(seed=1)(images).device.type == "cuda"
