"""The preprocessing that is exported gives the loader's pixels, for every fit, interpolation and colour mode."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scene_lightning.data.color_modes import CHANNELS
from scene_lightning.data.decode import FITS, INTERPOLATIONS, decode_for_graph, decode_image
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.exporters.preprocessing import Preprocessing
from tests.conftest import picture

# (height, width) of photographs and of the network's images; the last are enlarged
SIZES = [((40, 61), (24, 24)), ((24, 24), (24, 24)), ((31, 90), (17, 30)), ((9, 14), (24, 30))]


def save(folder: Path, height: int, width: int, color_mode: str) -> str:
    pixels = picture(height, width, seed=height)
    if color_mode == "rgba":  # parts that are transparent, half so, and not at all
        alpha = np.linspace(0, 255, height * width).reshape(height, width, 1).astype(np.uint8)
        pixels = np.concatenate([pixels, alpha], axis=2)
    path = str(folder / f"{height}x{width}.png")
    Image.fromarray(pixels).save(path)
    return path


def differences(folder: Path, color_mode: str, interpolation: str, fit: str, sizes: list) -> np.ndarray:
    """The grey levels by which the exported preprocessing misses the loader, of all pixels of all sizes."""
    missed = []
    for (height, width), target in sizes:
        info = ImageInfo(["a"], target, 1.0, color_mode, interpolation, fit)
        path = save(folder, height, width, color_mode)
        loaded = decode_image(path, info.spec).astype(np.float32)
        exported = Preprocessing(info)(torch.from_numpy(decode_for_graph(path, info.spec))[None])[0].numpy()
        assert exported.shape == loaded.shape == (*target, CHANNELS[color_mode])
        missed.append(np.abs(exported - loaded).ravel())
    return np.concatenate(missed)


@pytest.mark.parametrize("fit", FITS)
def test_a_large_jpeg_is_given_to_the_graph_at_the_scale_at_which_the_loader_decodes_it(
    tmp_path: Path, fit: str
) -> None:
    Image.fromarray(picture(211, 330, seed=1)).save(tmp_path / "large.jpg", quality=92)
    for interpolation in ("nearest", "bilinear"):
        info = ImageInfo(["a"], (20, 24), 1.0, "rgb", interpolation, fit)
        given = decode_for_graph(tmp_path / "large.jpg", info.spec)
        assert given.shape[:2] == (53, 83)  # 1/4
        exported = Preprocessing(info)(torch.from_numpy(given)[None])[0].numpy()
        assert np.abs(exported - decode_image(str(tmp_path / "large.jpg"), info.spec)).max() <= 1


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("color_mode", list(CHANNELS))
def test_nearest_picks_the_loaders_pixels(tmp_path: Path, color_mode: str, fit: str) -> None:
    assert differences(tmp_path, color_mode, "nearest", fit, SIZES).max() == 0


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("interpolation", [name for name in INTERPOLATIONS if name != "nearest"])
@pytest.mark.parametrize("color_mode", ["rgb", "grayscale"])
def test_filters_give_the_loaders_pixels(tmp_path: Path, color_mode: str, interpolation: str, fit: str) -> None:
    assert differences(tmp_path, color_mode, interpolation, fit, SIZES).max() == 0


@pytest.mark.parametrize("fit", FITS)
def test_transparent_photographs_are_filtered_by_opacity(tmp_path: Path, fit: str) -> None:
    assert differences(tmp_path, "rgba", "bilinear", fit, SIZES).max() == 0


def test_ties_between_two_pixels_fall_as_pils_do(tmp_path: Path) -> None:
    """PIL adds up its steps, so that 1.5 · 4/3 may be 1.9999: every width shows whether that is followed."""
    for width in range(1, 90):
        row = np.repeat(np.arange(width, dtype=np.uint8)[None, :, None], 3, axis=2)
        info = ImageInfo(["a"], (1, 33), 1.0)
        loaded = np.asarray(Image.fromarray(row).resize((33, 1), Image.Resampling.NEAREST))
        exported = Preprocessing(info)(torch.from_numpy(row)[None])[0].numpy()
        np.testing.assert_array_equal(exported, loaded)


def test_photographs_that_pillow_may_resize_rows_first_miss_by_little(tmp_path: Path) -> None:
    """Pillow 13 takes some upright photographs' rows before their columns, and rounds between: grey levels move."""
    upright = [((100, 33), (24, 24)), ((90, 40), (30, 50))]
    missed = differences(tmp_path, "rgb", "bilinear", "stretch", upright)
    assert missed.max() <= 1


def test_grey_levels_are_rescaled(tmp_path: Path) -> None:
    info = ImageInfo(["a"], (8, 8), 1 / 255)
    images = torch.full((1, 8, 8, 3), 255, dtype=torch.uint8)
    assert float(Preprocessing(info)(images).max()) == 1.0
