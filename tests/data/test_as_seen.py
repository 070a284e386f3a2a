"""Pictures as people see them: upright whatever EXIF says, on one background, and fitted without distortion."""

from __future__ import annotations

import csv
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scene_lightning import layers, models, utils
from scene_lightning.cli import main as cli
from scene_lightning.data.cache import cache_images
from scene_lightning.data.decode import BACKGROUND, DecodeSpec, decode_image, open_as_seen
from scene_lightning.data.image_files import header_size
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.data.scan import scan_folder
from scene_lightning.inference.inputs import info_of_model
from scene_lightning.preprocessing.image import ImageDataGenerator, load_img

# EXIF's orientation → how a camera that was turned so lays the upright picture down (TIFF 6.0, page 36).
STORED: dict[int, Callable[[np.ndarray], np.ndarray]] = {
    1: lambda upright: upright,
    2: lambda upright: upright[:, ::-1],
    3: lambda upright: upright[::-1, ::-1],
    4: lambda upright: upright[::-1],
    5: lambda upright: upright.transpose(1, 0, 2),
    6: lambda upright: np.rot90(upright),  # the camera's top is to the right
    7: lambda upright: upright.transpose(1, 0, 2)[::-1, ::-1],
    8: lambda upright: np.rot90(upright, -1),
}


def turned_files(folder: Path, upright: np.ndarray, ending: str) -> dict[int, Path]:
    """The same picture stored in all eight ways, without a loss."""
    folder.mkdir(parents=True, exist_ok=True)
    files = {}
    for orientation, lay in STORED.items():
        exif = Image.Exif()
        exif[0x0112] = orientation
        files[orientation] = folder / f"{orientation}.{ending}"
        options = {"lossless": True} if ending == "webp" else {}
        stored = Image.fromarray(np.ascontiguousarray(lay(upright)))
        stored.save(files[orientation], exif=exif, **options)
    return files


@pytest.mark.parametrize("ending", ["png", "webp", "tif"])
@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
def test_all_eight_orientations_decode_alike(
    tmp_path: Path, pictures: Callable[[int, int, int], np.ndarray], ending: str, fit: str
) -> None:
    upright = pictures(1, 30, 44)[0]
    files = turned_files(tmp_path, upright, ending)
    for interpolation in ("nearest", "bilinear", "lanczos"):
        spec = DecodeSpec.as_seen((17, 20), "rgb", interpolation, fit)
        expected = decode_image(str(files[1]), spec)
        for file in files.values():
            np.testing.assert_array_equal(decode_image(str(file), spec), expected)
            np.testing.assert_array_equal(np.asarray(open_as_seen(file)), upright)
            assert header_size(str(file)) == (30, 44)


def test_16_bit_and_grey_photographs_are_turned_too(tmp_path: Path) -> None:
    levels = (np.arange(6 * 4, dtype=np.uint16) * 2000).reshape(6, 4)
    exif = Image.Exif()
    exif[0x0112] = 6
    for name, stored in (("deep.png", np.rot90(levels)), ("grey.png", np.rot90((levels >> 8).astype(np.uint8)))):
        Image.fromarray(np.ascontiguousarray(stored)).save(tmp_path / name, exif=exif.tobytes())
        pixels = decode_image(str(tmp_path / name), DecodeSpec.as_seen((6, 4), "grayscale", "nearest"))[..., 0]
        assert (np.diff(pixels.ravel().astype(int)) > 0).all()


@pytest.fixture(scope="module")
def directed_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model file whose answer depends on where in the picture something is."""
    model = models.Sequential([layers.Input((12, 10, 3)), layers.Flatten(), layers.Dense(3, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy")
    model.image_info = ImageInfo(["forest", "glacier", "sea"], (12, 10), interpolation="bilinear").as_dict()
    file = tmp_path_factory.mktemp("model") / "directed.keras"
    model.save(file)
    return file


def test_a_photograph_in_all_eight_orientations_gets_one_answer(
    tmp_path: Path, directed_model: Path, pictures: Callable[[int, int, int], np.ndarray]
) -> None:
    """Through `predict`, `evaluate` and a cache of the photographs."""
    upright = pictures(1, 40, 28)[0]
    folder = tmp_path / "data" / "sea"
    turned_files(folder, upright, "png")
    assert cli.run(["predict", str(directed_model), str(folder), "--out", str(tmp_path / "p.csv")]) == 0
    rows = list(csv.reader((tmp_path / "p.csv").open()))[1:]
    assert len(rows) == 8 and all(row[1:] == rows[0][1:] for row in rows)
    assert cli.run(["evaluate", str(directed_model), str(tmp_path / "data"), "--json"]) == 0
    spec = ImageInfo(["sea"], (12, 10)).spec
    for mode in ("off", "ram", "disk"):
        cached = cache_images(scan_folder(str(tmp_path / "data")), spec, mode, folder=tmp_path / "cache")
        out = np.empty((8, 12, 10, 3), np.uint8)
        cached.source.read_into(np.arange(8), out)
        assert (out == out[0]).all()


def test_a_damaged_exif_block_says_nothing(tmp_path: Path) -> None:
    """The picture is sound: it is read as it lies."""
    image = Image.fromarray(np.arange(60, dtype=np.uint8).reshape(5, 4, 3))
    spec = DecodeSpec.as_seen((5, 4), "rgb", "nearest")
    for block in (b"Exif\0\0MM\0*\0\0\0\x08\xff\xff", b"Exif\0\0no exif at all", b"Exif\0\0II*\0\xff\xff\xff\xff", b""):
        image.save(tmp_path / "odd.png", exif=block)
        np.testing.assert_array_equal(decode_image(str(tmp_path / "odd.png"), spec), np.asarray(image))


def test_keras_own_loaders_turn_only_when_asked(
    tmp_path: Path, pictures: Callable[[int, int, int], np.ndarray], capsys: pytest.CaptureFixture[str]
) -> None:
    upright = pictures(1, 24, 16)[0]
    files = turned_files(tmp_path / "d" / "sea", upright, "png")
    lying = np.ascontiguousarray(STORED[6](upright))
    np.testing.assert_array_equal(np.asarray(load_img(files[6])), lying)
    np.testing.assert_array_equal(np.asarray(load_img(files[6], exif=True)), upright)
    for exif in (False, True):
        flow = ImageDataGenerator().flow_from_directory(
            str(tmp_path / "d"), (24, 16), shuffle=False, batch_size=8, exif=exif
        )
        assert all((image == upright).all() for image in flow[0][0]) == exif
        feed = flow.lightning_feed(training=False)
        out = np.empty((8, 24, 16, 3), np.uint8)
        feed.source.read_into(np.arange(8), out)
        np.testing.assert_array_equal(out, flow[0][0])
        dataset = utils.image_dataset_from_directory(
            str(tmp_path / "d"), image_size=(24, 16), shuffle=False, batch_size=8, exif=exif
        )
        images, _ = next(iter(dataset))
        assert all((image == upright).all() for image in np.asarray(images)) == exif


# -- transparency ------------------------------------------------------------------------------------------------------


def see_through(folder: Path, ending: str) -> Path:
    """Left half opaque green, right half wholly transparent with red hidden beneath."""
    pixels = np.zeros((4, 8, 4), np.uint8)
    pixels[:, :4], pixels[:, 4:] = (0, 200, 0, 255), (255, 0, 0, 0)
    image = Image.fromarray(pixels)
    file = folder / f"over.{ending.split('-')[0]}"
    if ending == "png-palette":
        image = Image.fromarray(pixels[..., :3]).convert("P", palette=Image.Palette.ADAPTIVE, colors=4)
        red = int(np.asarray(image)[0, 7])
        image.save(file, transparency=red)
    elif ending == "png-palette-bytes":
        image.quantize(4).save(file)
    elif ending == "png-rgb-colour":
        Image.fromarray(pixels[..., :3]).save(file, transparency=(255, 0, 0))
    elif ending == "gif":
        image.save(file)
    elif ending == "png-la":
        image.convert("LA").save(file)
    else:
        image.save(file, **({"lossless": True} if ending == "webp" else {}))
    return file


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    "ending", ["png", "png-palette", "png-palette-bytes", "png-rgb-colour", "png-la", "gif", "webp", "tif"]
)
def test_one_background_shows_through(tmp_path: Path, ending: str) -> None:
    file = see_through(tmp_path, ending)
    for color_mode in ("rgb", "grayscale"):
        pixels = decode_image(str(file), DecodeSpec.as_seen((4, 8), color_mode, "nearest"))
        assert (pixels[:, 4:] == BACKGROUND[0]).all()
        grey = color_mode == "grayscale" or ending == "png-la"
        assert (pixels[:, :4] == (117 if grey else (0, 200, 0))).all()
    kept = decode_image(str(file), DecodeSpec.as_seen((4, 8), "rgba", "nearest"))
    assert (kept[:, 4:, 3] == 0).all() and (kept[:, :4, 3] == 255).all()


def test_an_opaque_image_with_alpha_is_its_rgb_file(
    tmp_path: Path, pictures: Callable[[int, int, int], np.ndarray]
) -> None:
    image = Image.fromarray(pictures(1, 20, 30)[0])
    image.save(tmp_path / "rgb.png")
    image.convert("RGBA").save(tmp_path / "rgba.png")
    spec = DecodeSpec.as_seen((9, 9), "rgb", "bilinear")
    expected = decode_image(str(tmp_path / "rgb.png"), spec)
    np.testing.assert_array_equal(decode_image(str(tmp_path / "rgba.png"), spec), expected)


# -- fit ---------------------------------------------------------------------------------------------------------------


def test_fits(tmp_path: Path) -> None:
    """A wide picture of three squares: red, green, blue."""
    squares = np.zeros((10, 30, 3), np.uint8)
    for number in range(3):
        squares[:, number * 10 : number * 10 + 10, number] = 255
    Image.fromarray(squares).save(tmp_path / "wide.png")

    def decoded(fit: str, size: tuple[int, int]) -> np.ndarray:
        return decode_image(str(tmp_path / "wide.png"), DecodeSpec.as_seen(size, "rgb", "nearest", fit))

    np.testing.assert_array_equal(decoded("stretch", (6, 6))[0], squares[0, 2::5])
    np.testing.assert_array_equal(decoded("crop", (6, 6)), np.full((6, 6, 3), (0, 255, 0)))
    padded = decoded("pad", (6, 6))
    assert (padded[:2] == 0).all() and (padded[4:] == 0).all()
    np.testing.assert_array_equal(padded[2], squares[0, 2::5])
    with Image.open(tmp_path / "wide.png") as image:
        image.convert("RGBA").save(tmp_path / "wide.png")
    alpha = decode_image(str(tmp_path / "wide.png"), DecodeSpec.as_seen((6, 6), "rgba", "nearest", "pad"))
    assert (alpha[..., 3] == 255).all()


def test_pad_needs_little_memory_for_long_images(tmp_path: Path) -> None:
    Image.new("RGB", (20_000, 10), (9, 9, 9)).save(tmp_path / "long.png")
    pixels = decode_image(str(tmp_path / "long.png"), DecodeSpec.as_seen((15, 15), "rgb", "bilinear", "pad"))
    assert (pixels[7] == 9).all() and not pixels[:7].any() and not pixels[8:].any()


@pytest.mark.parametrize("ending", ["keras", "ckpt", "safetensors"])
def test_a_model_file_keeps_its_fit(tmp_path: Path, ending: str) -> None:
    model = models.Sequential([layers.Input((6, 6, 3)), layers.Flatten(), layers.Dense(2, activation="softmax")])
    model.compile("sgd", "categorical_crossentropy")
    model.image_info = ImageInfo(["a", "b"], (6, 6), fit="pad").as_dict()
    model.save(tmp_path / f"m.{ending}")
    info = info_of_model(models.load_model(tmp_path / f"m.{ending}"))
    assert info.fit == "pad" and info.spec.fit == "pad"
    del model.image_info["fit"]  # a file of an earlier version
    model.save(tmp_path / f"old.{ending}")
    assert info_of_model(models.load_model(tmp_path / f"old.{ending}")).fit == "stretch"
