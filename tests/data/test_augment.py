"""The batched augmentation against the real Keras' `apply_transform`, and against the digest's golden matrices."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from keras.src.legacy.preprocessing.image import ImageDataGenerator as KerasGenerator
from PIL import Image
from torchvision import tv_tensors
from torchvision.transforms import v2

from scene_lightning.data.augment import AffineParams, AugmentRanges, apply_affine
from scene_lightning.data.geometry import affine_matrices
from scene_lightning.data.torchvision_transform import KerasAffine
from scene_lightning.errors import InputError

pytestmark = pytest.mark.filterwarnings("ignore:Please import .affine_transform.:DeprecationWarning")  # Keras' own

PAPER = {"shear_range": 0.2, "zoom_range": 0.2, "horizontal_flip": True}
STRONG = {
    "rotation_range": 40,
    "width_shift_range": 0.2,
    "height_shift_range": 0.3,
    "shear_range": 20,
    "zoom_range": 0.3,
    "channel_shift_range": 30.0,
    "horizontal_flip": True,
    "vertical_flip": True,
}
PIXELS = {"height_shift_range": [-7, 3, 12], "width_shift_range": 5, "vertical_flip": True}
BRIGHT = {"brightness_range": (0.4, 1.8), "rotation_range": 10}
FILLS = ["nearest", "reflect", "constant", "wrap"]


def keras_result(images: np.ndarray, fill_mode: str, order: int, options: dict[str, Any]) -> tuple[Any, np.ndarray]:
    """(parameters, images after the real Keras), with parameters from Keras' own draw."""
    generator = KerasGenerator(fill_mode=fill_mode, cval=17.0, interpolation_order=order, **options)
    np.random.seed(3)
    drawn = [generator.get_random_transform(image.shape) for image in images]
    moved = [generator.apply_transform(image.copy(), one) for image, one in zip(images, drawn, strict=True)]
    return AffineParams.of(drawn), np.stack(moved)


@pytest.mark.parametrize("fill_mode", FILLS)
@pytest.mark.parametrize("options", [PAPER, STRONG, PIXELS], ids=["paper", "strong", "pixels"])
@pytest.mark.parametrize("size", [(150, 150), (64, 97), (41, 20)])
def test_equals_keras(pictures: Callable, size: tuple[int, int], options: dict[str, Any], fill_mode: str) -> None:
    """Within 0.01 of 255 grey levels by grid_sample (0.004 is reached), and to 0.0001 by gathering."""
    images = pictures(6, *size).astype(np.float32)
    params, expected = keras_result(images, fill_mode, 1, options)
    batch = torch.from_numpy(images)
    fast = apply_affine(batch, params, fill_mode, 17.0).numpy()
    exact = apply_affine(batch, params, fill_mode, 17.0, exact=True).numpy()
    assert np.abs(fast - expected).max() <= 0.01
    assert np.abs(exact - expected).max() <= 1e-4


@pytest.mark.parametrize("order", [0, 3])
@pytest.mark.parametrize("fill_mode", FILLS)
def test_other_interpolation_orders_equal_keras(pictures: Callable, fill_mode: str, order: int) -> None:
    images = pictures(4, 30, 44).astype(np.float32)
    params, expected = keras_result(images, fill_mode, order, STRONG)
    result = apply_affine(torch.from_numpy(images), params, fill_mode, 17.0, order=order).numpy()
    # Order 0 may fall to the other side of a half pixel where positions agree to 1e-12.
    assert (np.abs(result - expected) > 1e-3).mean() < 1e-3


def test_brightness_equals_keras(pictures: Callable) -> None:
    """PIL works in whole grey levels: a fraction of 0.003 may tip a pixel by one level times the factor, rarely."""
    images = pictures(6, 40, 52).astype(np.float32)
    params, expected = keras_result(images, "nearest", 1, BRIGHT)
    exact = apply_affine(torch.from_numpy(images), params, "nearest", 17.0, exact=True).numpy()
    np.testing.assert_array_equal(exact, expected)
    fast = apply_affine(torch.from_numpy(images), params, "nearest", 17.0).numpy()
    assert (np.abs(fast - expected) > 0.01).mean() < 0.001


@pytest.mark.parametrize("low, high", [(-100.0, 200.0), (0.0, 1.0), (10.0, 900.0)])
def test_brightness_of_unusual_ranges_equals_keras(low: float, high: float) -> None:
    images = np.random.default_rng(0).uniform(low, high, (3, 12, 10, 3)).astype(np.float32)
    params, expected = keras_result(images, "nearest", 1, {"brightness_range": (0.5, 1.5)})
    result = apply_affine(torch.from_numpy(images), params).numpy()
    np.testing.assert_allclose(result, expected, rtol=1e-6, atol=(high - low) * 1e-6)


def test_equals_keras_on_real_photographs(intel_dir: Path) -> None:
    files = sorted((intel_dir / "seg_test").glob("*/*.jpg"))[::150]
    images = np.stack([np.asarray(Image.open(file).convert("RGB").resize((150, 150))) for file in files])
    for options in (PAPER, STRONG):
        for fill_mode in FILLS:
            params, expected = keras_result(images.astype(np.float32), fill_mode, 1, options)
            result = apply_affine(torch.from_numpy(images), params, fill_mode, 17.0).numpy()
            assert np.abs(result - expected).max() <= 0.01


def test_identity_and_flips_are_exact(pictures: Callable) -> None:
    images = torch.from_numpy(pictures(4, 9, 13)).float()
    none = dict.fromkeys(["theta", "tx", "ty", "shear"], 0)
    params = AffineParams.of([none, {**none, "flip_horizontal": 1}, {**none, "flip_vertical": 1}, {"theta": 5.0}])
    result = apply_affine(images, params)
    assert torch.equal(result[0], images[0])
    assert torch.equal(result[1], images[1].flip(1))
    assert torch.equal(result[2], images[2].flip(0))
    assert not torch.equal(result[3], images[3])


GOLDENS = [
    ({"shear": 20.0}, [[0.93969, 0, 0.12061], [-0.34202, 1, 0.68404]]),
    ({"zx": 0.5, "zy": 2.0}, [[2, 0, -2], [0, 0.5, 1]]),
    ({"theta": 30.0}, [[0.86603, 0.5, -0.73205], [-0.5, 0.86603, 1.26795]]),
    ({"tx": 1.0}, [[1, 0, 0], [0, 1, 1]]),
    ({"ty": 2.0}, [[1, 0, 2], [0, 1, 0]]),
]


@pytest.mark.parametrize("parameters, expected", GOLDENS)
def test_golden_matrices(parameters: dict[str, float], expected: list[list[float]]) -> None:
    p = AffineParams.of([parameters])
    matrix = affine_matrices(p.theta, p.tx, p.ty, p.shear, p.zx, p.zy, 5, 5)
    np.testing.assert_allclose(matrix[0], expected, atol=1e-5)


def test_keras_28_geometry() -> None:
    """Before 2.9: axes not swapped, centre N/2 + 0.5 (Keras-Preprocessing 1.1.2)."""
    p = AffineParams.of([{"shear": 20.0}, {"tx": 1.0}])
    matrix = affine_matrices(p.theta, p.tx, p.ty, p.shear, p.zx, p.zy, 5, 7, "keras<=2.8")
    sine, cosine = np.sin(np.deg2rad(20)), np.cos(np.deg2rad(20))
    np.testing.assert_allclose(matrix[0], [[1, -sine, 4 * sine], [0, cosine, 4 * (1 - cosine)]], atol=1e-12)
    np.testing.assert_allclose(matrix[1], [[1, 0, 1], [0, 1, 0]], atol=1e-12)


@pytest.mark.parametrize(
    "fill_mode, expected",
    [
        ("nearest", [0, 0, 0, 0.5, 1.5]),
        ("reflect", [1.5, 0.5, 0, 0.5, 1.5]),
        ("wrap", [1.5, 2.5, 3.5, 0.5, 1.5]),
        ("constant", [9, 9, 9, 0.5, 1.5]),
    ],
)
def test_golden_borders(fill_mode: str, expected: list[float]) -> None:
    row = torch.arange(5.0).view(1, 1, 5, 1).expand(1, 5, 5, 1)
    moved = apply_affine(row, AffineParams.of([{"tx": -2.5}]), fill_mode, 9.0)
    np.testing.assert_allclose(moved[0, 2, :, 0], expected, atol=1e-5)


def test_drawn_parameters_have_keras_distribution() -> None:
    options = {**STRONG, "brightness_range": (0.5, 1.5)}
    ranges = AugmentRanges(**{**options, "zoom_range": (0.7, 1.3)})
    ours = ranges.draw(0, 0, np.arange(4000), 100, 60)
    generator = KerasGenerator(**options)
    np.random.seed(0)
    theirs = AffineParams.of([generator.get_random_transform((100, 60, 3)) for _ in range(4000)])
    for name in ("theta", "tx", "ty", "shear", "zx", "zy", "flip_h", "flip_v", "channel_shift", "brightness"):
        mine, real = getattr(ours, name).astype(float), getattr(theirs, name).astype(float)
        spread = real.std()
        assert abs(mine.mean() - real.mean()) < 0.1 * spread, name
        assert abs(mine.std() - spread) < 0.05 * spread, name
        assert mine.min() >= real.min() - 0.05 * spread and mine.max() <= real.max() + 0.05 * spread, name


def test_whole_pixel_shifts_draw_among_the_choices() -> None:
    params = AugmentRanges(width_shift_range=3, height_shift_range=[5, 8]).draw(0, 0, np.arange(400), 50, 50)
    assert set(params.ty.tolist()) == {-2.0, -1.0, 0.0, 1.0, 2.0}
    assert set(params.tx.tolist()) == {-8.0, -5.0, 5.0, 8.0}


def test_transform_composes_with_torchvision(pictures: Callable) -> None:
    images = torch.from_numpy(pictures(5, 20, 24)).permute(0, 3, 1, 2)
    chain = v2.Compose([KerasAffine(seed=1, horizontal_flip=True, zoom_range=0.2), v2.CenterCrop(16)])
    out = chain(tv_tensors.Image(images))
    assert isinstance(out, tv_tensors.Image) and out.shape == (5, 3, 16, 16) and out.dtype == torch.uint8
    plain = v2.Compose([KerasAffine(seed=1, horizontal_flip=True, zoom_range=0.2), v2.CenterCrop(16)])(images)
    assert torch.equal(plain, out.as_subclass(torch.Tensor))
    single, label = KerasAffine(rotation_range=90)(tv_tensors.Image(images[0]), 3)
    assert single.shape == images[0].shape and label == 3


def test_layouts_agree(pictures: Callable) -> None:
    images = torch.from_numpy(pictures(3, 20, 31))
    params = AugmentRanges(rotation_range=20, channel_shift_range=9).draw(0, 0, np.arange(3), 20, 31)
    last = apply_affine(images, params)
    first = apply_affine(images.permute(0, 3, 1, 2), params, channels_last=False)
    assert torch.equal(last, first.permute(0, 2, 3, 1)) and last.is_contiguous()


@pytest.mark.parametrize("options", [{"fill_mode": "mirror"}, {"variant": "keras3"}])
def test_unknown_names_are_refused(options: dict[str, str]) -> None:
    with pytest.raises(InputError, match="Expected one of"):
        AugmentRanges(**options)


@pytest.mark.cuda
def test_gpu_equals_cpu(pictures: Callable) -> None:
    images = torch.from_numpy(pictures(4, 60, 50))
    for fill_mode in FILLS:
        ranges = AugmentRanges(rotation_range=30, zoom_range=(0.7, 1.3), channel_shift_range=20, fill_mode=fill_mode)
        params = ranges.draw(0, 0, np.arange(4), 60, 50)
        difference = ranges.apply(images.cuda(), params).cpu() - ranges.apply(images, params)
        assert difference.abs().max() <= 0.01
