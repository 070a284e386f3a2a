"""One table of odd images, and the right answer of `train`, `stats`, `evaluate` and `predict` to each."""

from __future__ import annotations

import contextlib
import csv
import importlib.util
import io
import json
import re
import shutil
import struct
import sys
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, features

from scene_lightning.cli import main as cli
from scene_lightning.data.decode import DecodeSpec, decode_image
from scene_lightning.errors import DataError
from tests.programs import run_program

HEIC = Path(__file__).resolve().parents[1] / "fixtures" / "photograph.heic"  # PHOTOGRAPH, by pillow-heif at quality 80
HAS_HEIF = importlib.util.find_spec("pillow_heif") is not None
SIZE = (48, 64)
_coarse = np.random.default_rng(0).integers(0, 256, (6, 6, 3), dtype=np.uint8)
PHOTOGRAPH = np.asarray(Image.fromarray(_coarse).resize(SIZE[::-1], Image.Resampling.BICUBIC))
PALETTE = Image.fromarray(PHOTOGRAPH).quantize(256)
KEY = np.asarray(PALETTE) == np.asarray(PALETTE)[0, 0]  # where its first colour is
GREY = np.asarray(Image.fromarray(PHOTOGRAPH).convert("L"))
RECIPE = """
model: {filters: [4], dense: [8], input_size: [24, 32]}
data: {interpolation: box, cache: "off"}
training: {epochs: 1, batch_size: 8, accelerator: cpu}
"""


@dataclass(frozen=True)
class Odd:
    """An odd file and what is to become of it.

    Attributes:
        write: makes the file.
        shows: the picture (H, W) or (H, W, 3) that it is read as; None where it cannot be read.
        within: how many grey levels the mean pixel may be off.
        reason: a pattern for the reason why it cannot be read.
        header: whether `stats`, which reads headers alone, can tell its size.
    """

    write: Callable[[Path], object]
    shows: np.ndarray | None = None
    within: float = 0.0
    reason: str = ""
    header: bool = True


def saved(pixels: np.ndarray, mode: str | None = None, **options: object) -> Callable[[Path], object]:
    def write(path: Path) -> None:
        image = Image.fromarray(np.ascontiguousarray(pixels))
        (image if mode is None else image.convert(mode)).save(path, **options)

    return write


def as_bytes(pixels: np.ndarray, kind: str) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, kind)
    return file.getvalue()


def seen_through() -> np.ndarray:
    """The photograph in its left half, nothing in its right, as (H, W, 4)."""
    alpha = np.full((*SIZE, 1), 255, np.uint8)
    alpha[:, SIZE[1] // 2 :] = 0
    return np.concatenate([PHOTOGRAPH, alpha], axis=2)


def on_black() -> np.ndarray:
    return np.where(seen_through()[..., 3:] > 0, PHOTOGRAPH, 0).astype(np.uint8)


def palette_with_a_transparent_colour(path: Path) -> None:
    PALETTE.save(path, transparency=int(np.asarray(PALETTE)[0, 0]))


def several(path: Path) -> None:
    others = [Image.new("RGB", SIZE[::-1], colour) for colour in ("red", "blue")]
    Image.fromarray(PHOTOGRAPH).save(path, save_all=True, append_images=others)


def turned(orientation: int) -> Callable[[Path], object]:
    lay: dict[int, Callable[[np.ndarray], np.ndarray]] = {
        1: lambda x: x, 2: lambda x: x[:, ::-1], 3: lambda x: x[::-1, ::-1], 4: lambda x: x[::-1],
        5: lambda x: x.transpose(1, 0, 2), 6: np.rot90, 7: lambda x: x.transpose(1, 0, 2)[::-1, ::-1],
        8: lambda x: np.rot90(x, -1),
    }  # fmt: skip
    exif = Image.Exif()
    exif[0x0112] = orientation
    return saved(lay[orientation](PHOTOGRAPH), exif=exif.tobytes(), quality=95)


def bomb(path: Path) -> None:
    """A PNG whose header speaks of 30,000 x 30,000 pixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 30_000, 30_000, 8, 2, 0, 0, 0)
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(b"\0" * 999)))


DEEP = (np.arange(48 * 64, dtype=np.uint16) * 21).reshape(SIZE)
STRIP = np.zeros((10, 20_000, 3), np.uint8)
STRIP[:, 10_000:] = 200
ODD = {
    "truncated.jpg": Odd(lambda path: path.write_bytes(as_bytes(PHOTOGRAPH, "jpeg")[:-400]), reason="truncated"),
    "empty.jpg": Odd(lambda path: path.write_bytes(b""), reason="the file is empty", header=False),
    "text.jpg": Odd(lambda path: path.write_text("a note"), reason="not an image", header=False),
    "bomb.png": Odd(bomb, reason="decompression bomb", header=False),
    "png_as.jpg": Odd(lambda path: path.write_bytes(as_bytes(PHOTOGRAPH, "png")), PHOTOGRAPH),
    "cmyk.jpg": Odd(saved(PHOTOGRAPH, "CMYK", quality=95), PHOTOGRAPH, 6),
    "progressive.jpg": Odd(saved(PHOTOGRAPH, progressive=True, quality=95), PHOTOGRAPH, 3),
    "opaque.png": Odd(saved(PHOTOGRAPH, "RGBA"), PHOTOGRAPH),
    "rgba.png": Odd(saved(seen_through()), on_black()),
    "la.png": Odd(saved(seen_through(), "LA"), np.where(seen_through()[..., 3] > 0, GREY, 0)),
    "palette.png": Odd(lambda path: PALETTE.save(path), np.asarray(PALETTE.convert("RGB"))),
    "palette_key.png": Odd(palette_with_a_transparent_colour, np.where(KEY[..., None], 0, PALETTE.convert("RGB"))),
    "half_palette.png": Odd(lambda path: Image.fromarray(seen_through()).quantize(256).save(path), on_black(), 9),
    "one_bit.png": Odd(saved(GREY, "1"), np.asarray(Image.fromarray(GREY).convert("1")).astype(np.uint8) * 255),
    "grey.jpg": Odd(saved(GREY, quality=95), GREY, 2),
    "deep.png": Odd(saved(DEEP), (DEEP / 257).astype(np.uint8), 1),
    "animated.gif": Odd(several, PHOTOGRAPH, 9),
    "animated.webp": Odd(lambda path: several(path), PHOTOGRAPH, 6),
    "pages.tif": Odd(several, PHOTOGRAPH),
    "one_pixel.png": Odd(saved(np.full((1, 1, 3), 77, np.uint8)), np.full((1, 1, 3), 77, np.uint8)),
    "strip.png": Odd(saved(STRIP), STRIP),
    **{f"exif_{number}.jpg": Odd(turned(number), PHOTOGRAPH, 3) for number in range(1, 9)},
    "phone.heic": Odd(
        lambda path: shutil.copy(HEIC, path),
        PHOTOGRAPH if HAS_HEIF else None, 5, r"pip install 'scene-lightning\[heif\]'", HAS_HEIF,
    ),
    "phone.avif": Odd(
        (lambda path: Image.fromarray(PHOTOGRAPH).save(path, quality=90)) if features.check("avif")
        else (lambda path: path.write_bytes(b"\0\0\0\x1cftypavif" + bytes(99))),
        PHOTOGRAPH if features.check("avif") else None, 5, "Pillow 11.3", features.check("avif"),
    ),
}  # fmt: skip
READABLE = [name for name, odd in ODD.items() if odd.shows is not None]


@dataclass(frozen=True)
class Place:
    """What the commands gave: the folder, the model, and each command's output."""

    folder: Path
    printed: dict[str, str]
    errors: dict[str, str]
    status: dict[str, int]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Place:
    """One run of each command over a folder with all odd images in one class, and plain ones in another."""
    folder = tmp_path_factory.mktemp("odd")
    for half in ("train", "val"):
        for name in ("odd", "plain"):
            (folder / "data" / half / name).mkdir(parents=True)
        for number in range(4):
            noise = np.random.default_rng(number).integers(0, 256, (20, 20, 3), dtype=np.uint8)
            Image.fromarray(noise).save(folder / "data" / half / "plain" / f"{number}.png")
        for name, odd in ODD.items():
            odd.write(folder / "data" / half / "odd" / name)
    (folder / "tiny.yaml").write_text(RECIPE)
    data, run = str(folder / "data"), str(folder / "run")
    commands = {
        "train": ["train", data, "--config", str(folder / "tiny.yaml"), "--out", run],
        "stats": ["stats", data, "--json"],
        "evaluate": ["evaluate", run, data, "--json"],
        "predict": ["predict", run, str(folder / "data" / "val" / "odd"), "--out", str(folder / "p.csv")],
    }
    printed, errors, status = {}, {}, {}
    for name, words in commands.items():
        out, err = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            status[name] = cli.run(words)
        printed[name], errors[name] = out.getvalue(), err.getvalue()
    return Place(folder, printed, errors, status)


@pytest.mark.parametrize("name", ODD)
def test_pixels(tmp_path: Path, name: str) -> None:
    odd, file = ODD[name], tmp_path / name
    odd.write(file)
    size = SIZE if odd.shows is None else odd.shows.shape[:2]
    spec = DecodeSpec.as_seen((size[0], size[1]), "rgb", "nearest")
    if odd.shows is None:
        with pytest.raises(DataError, match=odd.reason) as error:
            decode_image(str(file), spec)
        assert name in str(error.value)
        return
    shown = odd.shows if odd.shows.ndim == 3 else np.repeat(odd.shows[..., None], 3, axis=2)
    assert np.abs(decode_image(str(file), spec).astype(int) - shown).mean() <= odd.within


def test_train_uses_what_can_be_read(place: Place) -> None:
    assert place.status["train"] == 0, place.errors["train"]
    rows = list(csv.DictReader((place.folder / "run" / "images.csv").open()))
    used = [Path(row["image"]).name for row in rows if row["role"] == "trained on" and "/odd/" in row["image"]]
    assert sorted(used) == sorted(READABLE)


def test_stats_counts_what_has_a_header(place: Place) -> None:
    assert place.status["stats"] == 0
    figures = json.loads(place.printed["stats"])["splits"]["train"]
    without = {name for name, odd in ODD.items() if not odd.header}
    assert {Path(path).name for path in figures["unreadable"]} == without
    assert figures["classes"]["odd"]["count"] == len(ODD) - len(without)
    assert figures["classes"]["odd"]["width"]["max"] == 20_000


def test_evaluate_counts_what_can_be_read(place: Place) -> None:
    assert place.status["evaluate"] == 0
    assert json.loads(place.printed["evaluate"])["images"] == 4 + len(READABLE)


@pytest.mark.parametrize("name", ODD)
def test_every_image_has_its_row_of_predict(place: Place, name: str) -> None:
    rows = {Path(row["path"]).name: row for row in csv.DictReader((place.folder / "p.csv").open())}
    assert list(rows) == sorted(ODD) and place.status["predict"] == 3
    row, odd = rows[name], ODD[name]
    if odd.shows is None:
        assert re.search(odd.reason, row["error"]) and name in row["error"]
        assert row["predicted"] == row["probability"] == row["plain"] == ""
    else:
        assert row["predicted"] in ("odd", "plain") and not row["error"]
        assert float(row["odd"]) + float(row["plain"]) == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("command", ["train", "evaluate", "predict"])
def test_each_unreadable_image_is_named_once(place: Place, command: str) -> None:
    for name, odd in ODD.items():
        named = len(re.findall(rf"^skipped: .*{re.escape(name)}", place.errors[command], re.MULTILINE))
        assert named == (0 if odd.shows is not None else 2 if command == "train" else 1), name


@pytest.mark.parametrize("ending", ["json", "jsonl"])
def test_json_has_every_row_too(place: Place, ending: str) -> None:
    out = place.folder / f"p.{ending}"
    assert cli.run(["predict", str(place.folder / "run"), str(place.folder / "data/val/odd"), "--out", str(out)]) == 3
    text = out.read_text()
    rows = json.loads(text) if ending == "json" else [json.loads(line) for line in text.splitlines()]
    assert [Path(row["path"]).name for row in rows] == sorted(ODD)
    assert {Path(row["path"]).name for row in rows if "error" in row} == set(ODD) - set(READABLE)


def test_rows_keep_their_order_whatever_the_batches(place: Place) -> None:
    """Unreadable images at the beginning, between and at the end of batches, and whole batches of them."""
    odd = place.folder / "data" / "val" / "odd"
    files = ["empty.jpg", "text.jpg", "opaque.png", "bomb.png", "rgba.png", "la.png", "text.jpg", "truncated.jpg"]
    paths = [str(odd / name) for name in dict.fromkeys(files)]
    for size in ("1", "2", "3"):
        out = place.folder / "order.csv"
        words = ["predict", str(place.folder / "run"), *paths, "--out", str(out), "--batch-size", size]
        assert cli.run(words) == 3
        assert [row["path"] for row in csv.DictReader(out.open())] == paths


def test_no_readable_image_still_gives_the_rows(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    paths = [str(place.folder / "data" / "val" / "odd" / name) for name in ("empty.jpg", "text.jpg")]
    out = place.folder / "none.csv"
    assert cli.run(["predict", str(place.folder / "run"), *paths, "--out", str(out)]) == 2
    assert "None of the 2 images could be read" in capsys.readouterr().err
    assert [bool(row["error"]) for row in csv.DictReader(out.open())] == [True, True]


def test_strict_stops_and_writes_nothing(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    out = place.folder / "strict.csv"
    words = ["predict", str(place.folder / "run"), str(place.folder / "data/val/odd"), "--out", str(out), "--strict"]
    assert cli.run(words) == 2
    assert "error: Cannot read image" in capsys.readouterr().err and not out.exists()


# -- HEIC --------------------------------------------------------------------------------------------------------------


def test_without_the_extra_heic_is_named_alike_in_a_folder_and_alone(
    place: Place, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "pillow_heif", None)
    monkeypatch.setattr(Image, "ID", [name for name in Image.ID if name != "HEIF"])  # an earlier test registered it
    folder = place.folder / "roll"
    folder.mkdir()
    for number in range(12):
        shutil.copy(HEIC, folder / f"{number:02}.heic")
    shutil.copy(place.folder / "data" / "val" / "plain" / "0.png", folder)
    out = place.folder / "roll.csv"
    for paths, count in (([folder], 13), ([folder / "00.heic", folder / "0.png"], 2)):
        assert cli.run(["predict", str(place.folder / "run"), *map(str, paths), "--out", str(out)]) == 3
        errors = [row["error"] for row in csv.DictReader(out.open())]
        assert len(errors) == count and sum("pip install 'scene-lightning[heif]'" in one for one in errors) == count - 1
        lines = [line for line in capsys.readouterr().err.splitlines() if line.startswith("skipped")]
        assert len(lines) == 1 and ("The same of 11 more files" in lines[0]) == (count == 13)


@pytest.mark.skipif(not HAS_HEIF, reason="pillow-heif is not installed: the extra [heif]")
def test_with_the_extra_heic_is_turned_upright_once(tmp_path: Path) -> None:
    import pillow_heif

    pillow_heif.register_heif_opener()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(np.ascontiguousarray(np.rot90(PHOTOGRAPH))).save(tmp_path / "turned.heic", exif=exif.tobytes())
    pixels = decode_image(str(tmp_path / "turned.heic"), DecodeSpec.as_seen(SIZE, "rgb", "nearest"))
    assert np.abs(pixels.astype(int) - PHOTOGRAPH).mean() < 6


# -- quiet -------------------------------------------------------------------------------------------------------------


def test_a_very_large_image_is_read_without_a_warning(place: Place, tmp_path: Path) -> None:
    Image.new("1", (12_000, 12_000), 1).save(tmp_path / "large.png")
    done = run_program("predict", place.folder / "run", "large.png", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Warning" not in done.stderr and ".py" not in done.stderr and "large.png" in done.stdout
