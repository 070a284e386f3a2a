"""Large JPEGs are decoded at a smaller scale with Pillow's pixels; by Keras' loaders only when asked."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from scene_lightning import layers, models, utils
from scene_lightning.cli import main as cli
from scene_lightning.data.decode import DecodeSpec, decode_image, open_as_seen
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.errors import DataError
from scene_lightning.feeds.images import ImageFeed
from scene_lightning.inference.inputs import info_of_model, info_of_recipe
from scene_lightning.preprocessing.image import ImageDataGenerator, load_img
from scene_lightning.recipes.recipe import load_recipe

SIZE = (20, 24)  # height, width of the result
TURNED = Image.Exif()
TURNED[0x0112] = 6  # stored lying: turn it by 90 degrees clockwise
KINDS: dict[str, Callable[[Image.Image, io.BytesIO], None]] = {
    "baseline": lambda image, file: image.save(file, "JPEG", quality=92),
    "progressive": lambda image, file: image.save(file, "JPEG", quality=92, progressive=True),
    "grey": lambda image, file: image.convert("L").save(file, "JPEG", quality=92),
    "CMYK": lambda image, file: image.convert("CMYK").save(file, "JPEG", quality=92),
    "MPO": lambda image, file: image.save(file, "MPO", save_all=True, append_images=[image.resize((32, 24))]),
    "turned": lambda image, file: image.transpose(Image.Transpose.ROTATE_90).save(file, "JPEG", exif=TURNED),
}


@pytest.fixture(scope="module")
def photograph(pictures: Callable[[int, int, int], np.ndarray]) -> Image.Image:
    """448 × 288 pixels, as smooth as photographs are at their full size."""
    return Image.fromarray(pictures(1, 8, 12)[0]).resize((448, 288), Image.Resampling.BICUBIC)


def saved(folder: Path, photograph: Image.Image, kind: str = "baseline") -> Path:
    file = io.BytesIO()
    KINDS[kind](photograph, file)
    path = folder / f"{kind}.jpg"
    path.write_bytes(file.getvalue())
    return path


def by_pillow(path: Path, scale: int, fit: str = "stretch") -> np.ndarray:
    """What Pillow gives of a file that it decodes at 1/scale, upright, and then fits and resizes."""
    image = Image.open(path)
    image.draft(None, (image.width // scale, image.height // scale))
    image = image.convert("RGB")
    image = image.transpose(Image.Transpose.ROTATE_270) if path.stem == "turned" else image
    assert scale == 1 or max(image.size) == 448 // scale
    size = SIZE[::-1]
    if fit == "crop":  # of 24 : 20
        width = image.height * 24 // 20
        left = (image.width - width) // 2
        return np.asarray(image.resize(size, Image.Resampling.BILINEAR, box=(left, 0, left + width, image.height)))
    if fit == "pad":
        canvas = Image.new("RGB", size)
        canvas.paste(image.resize((24, 15), Image.Resampling.BILINEAR), (0, 2))
        return np.asarray(canvas)
    return np.asarray(image.resize(size, Image.Resampling.BILINEAR))


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_jpeg_is_decoded_at_the_scale_that_leaves_twice_the_pixels(
    tmp_path: Path, photograph: Image.Image, kind: str
) -> None:
    path = saved(tmp_path, photograph, kind)
    for fit, scale in (("stretch", 4), ("crop", 4), ("pad", 8)):  # 448 × 288 → 48 × 40, or 48 × 30 within borders
        pixels = decode_image(str(path), DecodeSpec.as_seen(SIZE, "rgb", "bilinear", fit))
        np.testing.assert_array_equal(pixels, by_pillow(path, scale, fit))
        whole = decode_image(str(path), DecodeSpec.as_seen(SIZE, "rgb", "bilinear", fit, scaled_decoding=False))
        np.testing.assert_array_equal(whole, by_pillow(path, 1, fit))
        assert np.abs(pixels.astype(int) - whole).mean() < 3
    assert open_as_seen(path, 20).size == (56, 36) and open_as_seen(path).size == (448, 288)


def test_what_is_no_large_jpeg_keeps_its_pixels(tmp_path: Path, photograph: Image.Image) -> None:
    small = photograph.resize((90, 60))
    small.save(tmp_path / "small.jpg", quality=95)
    photograph.save(tmp_path / "large.png")
    for name in ("small.jpg", "large.png"):
        pixels = decode_image(str(tmp_path / name), DecodeSpec.as_seen(SIZE, "rgb", "bilinear"))
        np.testing.assert_array_equal(pixels, by_pillow(tmp_path / name, 1))


def test_a_file_that_ends_early_is_an_error_at_any_scale(tmp_path: Path, photograph: Image.Image) -> None:
    for kind in ("baseline", "progressive"):
        path = saved(tmp_path, photograph, kind)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        with pytest.raises(DataError, match="truncated"):
            decode_image(str(path), DecodeSpec.as_seen(SIZE, "rgb", "bilinear"))


def test_keras_own_loaders_scale_only_when_asked(tmp_path: Path, photograph: Image.Image) -> None:
    (tmp_path / "sea").mkdir()
    path = saved(tmp_path / "sea", photograph)
    whole, scaled = by_pillow(path, 1), by_pillow(path, 4)
    assert (whole != scaled).any()
    for asked, expected in (({}, whole), ({"scaled_decoding": True}, scaled)):
        np.testing.assert_array_equal(load_img(path, target_size=SIZE, interpolation="bilinear", **asked), expected)
        flow = ImageDataGenerator().flow_from_directory(tmp_path, SIZE, interpolation="bilinear", **asked)
        np.testing.assert_array_equal(flow[0][0][0], expected)
        model = models.Sequential([layers.Input((*SIZE, 3)), layers.Flatten()])
        np.testing.assert_array_equal(model.predict(flow, verbose=0)[0], expected.ravel())
    assert load_img(path, scaled_decoding=True).size == (448, 288)  # nothing to scale to
    pixels = [
        next(iter(utils.image_dataset_from_directory(tmp_path, labels=None, image_size=SIZE, verbose=False, **asked)))
        for asked in ({}, {"scaled_decoding": True})
    ]
    assert (pixels[0] != pixels[1]).any()
    quarter = Image.open(path)
    quarter.draft("RGB", (112, 72))
    planes = torch.from_numpy(np.asarray(quarter).copy()).permute(2, 0, 1)[None].float()
    expected = torch.nn.functional.interpolate(planes, size=SIZE, mode="bilinear").permute(0, 2, 3, 1)
    torch.testing.assert_close(pixels[1], expected)


def test_a_model_is_asked_with_the_pixels_that_its_recipe_says(tmp_path: Path, photograph: Image.Image) -> None:
    path = saved(tmp_path, photograph)
    answers = []
    for scaled_decoding, scale in ((True, 4), (False, 1)):
        model = models.Sequential([layers.Input((*SIZE, 3)), layers.Flatten(), layers.Dense(2, activation="softmax")])
        recipe = load_recipe(
            "paper", ["data.interpolation=bilinear", f"data.scaled_decoding={str(scaled_decoding).lower()}"]
        )
        assert info_of_recipe(recipe, "ab").scaled_decoding is scaled_decoding
        model.image_info = ImageInfo(
            "ab", SIZE, 1 / 255, interpolation="bilinear", scaled_decoding=scaled_decoding
        ).as_dict()
        model.save(tmp_path / "model.keras")
        assert info_of_model(models.load_model(tmp_path / "model.keras")).scaled_decoding is scaled_decoding
        assert cli.run(["predict", str(tmp_path / "model.keras"), str(path), "--out", str(tmp_path / "p.csv")]) == 0
        row = next(csv.DictReader((tmp_path / "p.csv").open()))
        expected = model.predict(by_pillow(path, scale)[None] / np.float32(255), verbose=0)[0]
        np.testing.assert_allclose([float(row["a"]), float(row["b"])], expected, atol=1e-5)
        answers.append(expected)
    assert answers[0][0] != answers[1][0]


def test_batches_that_are_made_ahead_are_bounded_by_their_bytes(tmp_path: Path) -> None:
    for side, ahead in ((150, 4), (1000, 2), (3000, 1)):  # 32 images: 2 MB, 96 MB, 864 MB
        spec = DecodeSpec.as_seen((side, side), "rgb", "bilinear")
        assert ImageFeed.from_paths([str(tmp_path / "a.jpg")], spec).prefetch == ahead
