"""Decoding, bit for bit against the real Keras' load_img, and files that are no images."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from keras.utils import load_img as keras_load_img
from PIL import Image

import scene_lightning as keras
from scene_lightning.data.decode import INTERPOLATIONS, DecodeSpec, decode_image, decode_many
from scene_lightning.data.statistics import image_size
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
@pytest.mark.parametrize("fit", ["stretch", "crop"])
def test_equals_keras_load_img(odd_files: list[Path], interpolation: str, fit: str) -> None:
    for color_mode in ("rgb", "rgba", "grayscale"):
        spec = DecodeSpec((17, 23), color_mode, interpolation, fit)
        for file in odd_files:
            expected = keras_load_img(file, color_mode, (17, 23), interpolation, fit == "crop")
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


def test_no_damage_raises_anything_but_a_data_error(tmp_path: Path) -> None:
    """Found by tests/fuzz: PIL's reader of DDS raises NotImplementedError."""
    buffer = io.BytesIO()
    Image.new("RGB", (8, 8)).save(buffer, "DDS")
    dds = bytearray(buffer.getvalue())
    dds[80:84] = bytes(4)  # the flags that say what the pixels are
    path = tmp_path / "strange.jpg"
    path.write_bytes(dds)
    with pytest.raises(DataError, match="Unknown pixel format"):
        decode_image(str(path), DecodeSpec((4, 4)))
    assert image_size(str(path)) is None
    dataset = keras.utils.image_dataset_from_directory(str(tmp_path), labels=None, image_size=(4, 4), verbose=False)
    with pytest.raises(DataError, match=r"strange\.jpg.*Unknown pixel format"):
        list(dataset)
    (tmp_path / "one").mkdir()
    path.rename(tmp_path / "one" / path.name)
    with pytest.raises(OSError, match=r"strange\.jpg.*Unknown pixel format"):
        next(keras.preprocessing.image.ImageDataGenerator().flow_from_directory(str(tmp_path), target_size=(4, 4)))


def test_a_file_larger_than_any_image_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "huge.jpg"
    with open(path, "wb") as file:
        file.truncate(80 * 2**30)
    with pytest.raises(DataError, match=r"huge\.jpg.*it has 85899345920 bytes"):
        decode_image(str(path), DecodeSpec((4, 4)))


def test_a_picture_of_too_many_pixels_is_named(tmp_path: Path) -> None:
    chunks = [b"IHDR" + struct.pack(">IIBBBBB", 40_000, 40_000, 8, 2, 0, 0, 0), b"IDAT" + zlib.compress(bytes(999))]
    parts = [struct.pack(">I", len(chunk) - 4) + chunk + struct.pack(">I", zlib.crc32(chunk)) for chunk in chunks]
    path = tmp_path / "bomb.png"
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(parts))
    with pytest.raises(DataError, match=r"bomb\.png.*exceeds limit"):
        decode_image(str(path), DecodeSpec((4, 4)))
    dataset = keras.utils.image_dataset_from_directory(str(tmp_path), labels=None, image_size=(4, 4), verbose=False)
    with pytest.raises(DataError, match=r"bomb\.png.*exceeds limit"):
        list(dataset)


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


# -- 16-bit grey levels ------------------------------------------------------------------------------------------------

RAMP = np.arange(256, dtype=np.uint16) * 257  # the 16-bit levels that are 8-bit levels exactly


def deep_file(folder: Path, ending: str, levels: np.ndarray) -> str:
    file = folder / f"ramp.{ending}"
    if ending == "be.tif":
        Image.frombytes("I;16B", levels.shape[::-1], levels.astype(">u2").tobytes()).save(file, "tiff")
    else:
        Image.fromarray(levels).save(file)
    return str(file)


@pytest.mark.parametrize("ending", ["png", "tiff", "be.tif", "pgm"])
@pytest.mark.parametrize("color_mode", ["grayscale", "rgb", "rgba"])
def test_16_bit_levels_are_scaled_not_clipped(tmp_path: Path, ending: str, color_mode: str) -> None:
    file = deep_file(tmp_path, ending, RAMP.reshape(16, 16))
    pixels = decode_image(file, DecodeSpec((16, 16), color_mode))
    for channel in range(min(pixels.shape[2], 3)):
        np.testing.assert_array_equal(pixels[..., channel].ravel(), np.arange(256))
    if color_mode == "rgba":
        assert (pixels[..., 3] == 255).all()


def test_levels_between_are_rounded_after_resizing(tmp_path: Path) -> None:
    levels = np.array([[0, 0, 65535, 65535], [0, 0, 65535, 65535], [128, 129, 385, 386], [100, 100, 400, 400]])
    file = deep_file(tmp_path, "png", levels.astype(np.uint16))
    whole = decode_image(file, DecodeSpec((4, 4), "grayscale"))[..., 0]
    assert whole[2].tolist() == [0, 1, 1, 2] and whole[0].tolist() == [0, 0, 255, 255]
    halved = decode_image(file, DecodeSpec((2, 2), "grayscale", "box"))[..., 0]
    # means of 114.25 and 392.75: 0.44 and 1.53 of 255
    assert halved.tolist() == [[0, 255], [0, 2]]


def test_32_bit_levels_beyond_16_bits_are_clipped(tmp_path: Path) -> None:
    levels = np.array([[-5, 0, 257, 65535, 70000, 2**30]], dtype=np.int32)
    file = tmp_path / "deep.tiff"
    Image.fromarray(levels).save(file)
    assert decode_image(str(file), DecodeSpec((1, 6), "grayscale")).ravel().tolist() == [0, 0, 1, 255, 255, 255]


@pytest.mark.parametrize("size", [(9, 1200), (1200, 9)])
def test_long_and_large_images_are_shrunk_to_any_proportion(tmp_path: Path, size: tuple[int, int]) -> None:
    """A picture that is dark on its first half and bright on the other, along its long side."""
    tall = size[0] > size[1]
    pixels = np.zeros((*size, 3), np.uint8)
    pixels[600:] = 200 if tall else 0
    pixels[:, 600:] = pixels[:, 600:] if tall else 200
    Image.fromarray(pixels).save(tmp_path / "long.png")
    spec = DecodeSpec((10, 4) if tall else (4, 10), "rgb", "box")
    shrunk = decode_image(str(tmp_path / "long.png"), spec)
    assert shrunk.shape == spec.shape
    along = shrunk.mean((1, 2) if tall else (0, 2))
    np.testing.assert_array_equal(along, [0] * 5 + [200] * 5)
