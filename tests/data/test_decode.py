"""Decoding, bit for bit against the real Keras' load_img, and files that are no images."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from keras.utils import load_img as keras_load_img
from PIL import Image

from scene_lightning.data.decode import INTERPOLATIONS, DecodeSpec, decode_image, decode_many
from scene_lightning.errors import DataError, InputError


@pytest.fixture
def odd_files(tmp_path: Path) -> list[Path]:
    """One file of each kind that is not plain RGB."""
    random = np.random.default_rng(0)
    rgb = Image.fromarray(random.integers(0, 256, (30, 44, 3), dtype=np.uint8))
    files = []
    for mode, ending in [
        ("RGB", "jpg"), ("L", "jpg"), ("CMYK", "jpg"), ("RGBA", "png"), ("P", "png"), ("LA", "png"), ("1", "png"),
        ("P", "gif"), ("RGB", "bmp"), ("RGB", "webp"), ("RGB", "tiff"),
    ]:  # fmt: skip
        files.append(tmp_path / f"{mode}.{ending}")
        rgb.convert(mode).save(files[-1])
    return files


@pytest.mark.parametrize("interpolation", sorted(INTERPOLATIONS))
@pytest.mark.parametrize("keep_aspect_ratio", [False, True])
def test_equals_keras_load_img(odd_files: list[Path], interpolation: str, keep_aspect_ratio: bool) -> None:
    for color_mode in ("rgb", "rgba", "grayscale"):
        spec = DecodeSpec((17, 23), color_mode, interpolation, keep_aspect_ratio)
        for file in odd_files:
            expected = keras_load_img(file, color_mode, (17, 23), interpolation, keep_aspect_ratio)
            result = decode_image(str(file), spec)
            assert result.shape == spec.shape
            np.testing.assert_array_equal(result.squeeze(), np.asarray(expected))


def test_unreadable_files_are_named(tmp_path: Path, scenes: Path) -> None:
    whole = (scenes / "sea" / "0.jpg").read_bytes()
    cut, text = tmp_path / "cut.jpg", tmp_path / "text.jpg"
    cut.write_bytes(whole[: len(whole) // 2])
    text.write_text("no picture at all")
    paths = [str(scenes / "sea" / "0.jpg"), str(cut), str(text), str(tmp_path / "gone.jpg")]
    spec = DecodeSpec((10, 10))
    for path in paths[1:]:
        with pytest.raises(DataError, match=Path(path).name):
            decode_image(path, spec)
    out = np.zeros((4, *spec.shape), np.uint8)
    failed = decode_many(paths, spec, out)
    assert [one.position for one in failed] == [1, 2, 3] and [one.path for one in failed] == paths[1:]
    assert out[0].any()


def test_unknown_modes_suggest() -> None:
    with pytest.raises(InputError, match="Did you mean 'grayscale'"):
        DecodeSpec((4, 4), "greyscale")
    with pytest.raises(InputError, match="Did you mean 'bilinear'"):
        DecodeSpec((4, 4), interpolation="bilinar")


def test_equals_keras_on_real_photographs(intel_dir: Path) -> None:
    for file in sorted((intel_dir / "seg_test").glob("*/*.jpg"))[::90]:
        for size in ((150, 150), (64, 64)):
            expected = np.asarray(keras_load_img(file, target_size=size))
            np.testing.assert_array_equal(decode_image(str(file), DecodeSpec(size)), expected)
