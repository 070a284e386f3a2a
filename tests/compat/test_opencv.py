"""The stand-in for OpenCV beside OpenCV itself, where it is installed, or beside numbers that OpenCV 5.0 gave."""

from __future__ import annotations

import importlib.util
import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scene_lightning.compat.opencv import functions as cv2
from scene_lightning.errors import UnsupportedError

SMALL = np.array([[0, 10, 200, 255], [30, 60, 90, 120], [255, 1, 254, 2]], np.uint8)
# cv2.resize(SMALL, size, interpolation=...) of OpenCV 5.0
GIVEN = {
    "NEAREST": {
        (2, 2): [[0, 200], [30, 90]],
        (5, 3): [[0, 0, 10, 200, 255], [30, 30, 60, 90, 120], [255, 255, 1, 254, 2]],
        (3, 6): [[0, 10, 200], [0, 10, 200], [30, 60, 90], [30, 60, 90], [255, 1, 254], [255, 1, 254]],
    },
    "LINEAR": {
        (2, 2): [[15, 197], [107, 122]],
        (5, 3): [[0, 7, 105, 216, 255], [30, 51, 75, 99, 120], [255, 77, 128, 178, 2]],
        (3, 6): [[1, 105, 246], [10, 98, 213], [26, 83, 148], [79, 88, 97], [168, 114, 62], [213, 127, 44]],
    },
    "CUBIC": {
        (2, 2): [[0, 213], [92, 137]],
        (5, 3): [[0, 0, 101, 236, 255], [28, 48, 75, 102, 122], [255, 44, 127, 212, 0]],
        (3, 6): [[0, 104, 255], [0, 93, 223], [7, 75, 154], [78, 84, 85], [174, 115, 54], [233, 133, 35]],
    },
    "AREA": {
        (2, 2): [[18, 187], [100, 120]],
        (5, 3): [[0, 8, 105, 214, 255], [30, 53, 75, 98, 120], [255, 65, 128, 191, 2]],
        (3, 6): [[3, 105, 241], [3, 105, 241], [38, 75, 113], [38, 75, 113], [192, 128, 65], [192, 128, 65]],
    },
}  # fmt: skip


@pytest.mark.parametrize(("kind", "size"), [(kind, size) for kind in GIVEN for size in GIVEN[kind]])
def test_sizes_are_opencvs(kind: str, size: tuple[int, int]) -> None:
    made = cv2.resize(SMALL, size, interpolation=getattr(cv2, f"INTER_{kind}"))
    assert made.dtype == np.uint8 and made.shape == (size[1], size[0])
    assert np.abs(made.astype(int) - GIVEN[kind][size]).max() <= 1  # it rounds whole-number weights
    in_colour = cv2.resize(np.dstack([SMALL] * 3), size, interpolation=getattr(cv2, f"INTER_{kind}"))
    assert (in_colour == made[..., None]).all() and in_colour.shape == (size[1], size[0], 3)


def test_a_factor_is_a_size_too() -> None:
    pixels = np.arange(48, dtype=np.float32).reshape(4, 4, 3)
    assert np.array_equal(cv2.resize(pixels, None, fx=0.5, fy=0.5), cv2.resize(pixels, (2, 2)))
    assert cv2.resize(pixels[..., :1], (2, 2)).shape == (2, 2)
    for size in (None, (2.0, 2), (0, 3)):
        with pytest.raises(cv2.error):
            cv2.resize(pixels, size)
    with pytest.raises(cv2.error, match="empty"):
        cv2.resize(None, (2, 2))
    with pytest.raises(UnsupportedError, match="pip install opencv-python-headless"):
        cv2.resize(pixels, (2, 2), interpolation=4)


def test_files_stand_in_blue_green_red(tmp_path: Path) -> None:
    rgb = np.random.default_rng(0).integers(0, 256, (5, 7, 3), dtype=np.uint8)
    Image.fromarray(rgb).save(tmp_path / "x.png")
    bgr = cv2.imread(tmp_path / "x.png")
    assert np.array_equal(bgr, rgb[..., ::-1]) and np.array_equal(cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB), rgb)
    assert cv2.imwrite(tmp_path / "y.png", bgr) and np.array_equal(cv2.imread(str(tmp_path / "y.png")), bgr)
    assert np.array_equal(cv2.imdecode(cv2.imencode(".png", bgr)[1], cv2.IMREAD_COLOR), bgr)
    assert cv2.imread(tmp_path / "none.png") is None and cv2.imdecode(np.zeros(9, np.uint8), 1) is None
    exif = Image.Exif()
    exif[0x112] = 6  # turned by a quarter
    Image.fromarray(rgb).save(tmp_path / "turned.jpg", exif=exif)
    assert cv2.imread(tmp_path / "turned.jpg").shape == (7, 5, 3)
    grey = cv2.imread(tmp_path / "turned.jpg", cv2.IMREAD_GRAYSCALE)
    levels = Image.open(io.BytesIO((tmp_path / "turned.jpg").read_bytes()))
    levels.draft("L", levels.size)
    assert np.array_equal(grey, np.rot90(np.array(levels), -1))
    Image.fromarray(np.dstack([rgb, rgb[..., :1]])).save(tmp_path / "alpha.png")
    assert np.array_equal(cv2.imread(tmp_path / "alpha.png"), bgr)
    assert cv2.imread(tmp_path / "alpha.png", cv2.IMREAD_UNCHANGED).shape == (5, 7, 4)


def test_colours_turns_and_borders() -> None:
    pixels = np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255], [10, 20, 30]]], np.uint8)
    assert cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY).tolist() == [[29, 150, 76, 22]]  # OpenCV's numbers
    assert cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY).tolist() == [[76, 150, 29, 18]]
    grey = cv2.cvtColor(pixels, cv2.COLOR_BGR2GRAY)
    assert cv2.cvtColor(grey, cv2.COLOR_GRAY2BGR).shape == (1, 4, 3)
    assert cv2.cvtColor(pixels, cv2.COLOR_BGR2BGRA)[..., 3].tolist() == [[255] * 4]
    assert cv2.flip(grey, 1).tolist() == [[22, 76, 150, 29]] and cv2.flip(grey, 0).tolist() == grey.tolist()
    assert cv2.rotate(grey, cv2.ROTATE_90_CLOCKWISE).tolist() == [[29], [150], [76], [22]]
    framed = cv2.copyMakeBorder(pixels, 1, 0, 0, 2, cv2.BORDER_CONSTANT, value=[1, 2, 3])
    assert framed.shape == (2, 6, 3) and framed[0, 0].tolist() == framed[1, 5].tolist() == [1, 2, 3]
    assert cv2.copyMakeBorder(grey, 0, 0, 1, 0, cv2.BORDER_REPLICATE)[0, 0] == 29
    assert cv2.addWeighted(grey, 0.5, grey, 0.9, 1).tolist() == [[42, 211, 107, 32]]
    assert np.array_equal(cv2.merge(cv2.split(pixels)), pixels)
    with pytest.raises(cv2.error, match="empty"):
        cv2.cvtColor(None, cv2.COLOR_BGR2RGB)
    with pytest.raises(UnsupportedError, match=r"cv2\.Canny needs OpenCV.*pip install opencv-python-headless"):
        cv2.Canny  # noqa: B018


PROGRAM = """
import cv2, numpy as np
from cv2 import imread, resize, INTER_AREA
image = cv2.imread("x.png")
image = cv2.cvtColor(cv2.resize(image, (8, 6)), cv2.COLOR_BGR2RGB)
assert image.shape == (6, 8, 3) and cv2.imread("nowhere.png") is None
try:
    cv2.resize(None, (2, 2))
except cv2.error:
    print("no image")
try:
    import cv2.ximgproc
except ImportError:
    pass
cv2.CascadeClassifier("face.xml")
"""


def test_a_program_without_opencv(run, tmp_path: Path) -> None:
    if importlib.util.find_spec("cv2") is not None:
        pytest.skip("OpenCV is installed, and programs get it")
    Image.new("RGB", (9, 9)).save(tmp_path / "x.png")
    script = tmp_path / "reader.py"
    script.write_text(PROGRAM)
    done = run(script)
    assert done.returncode == 1 and done.stdout == "no image\n", done.stderr
    assert "cv2.CascadeClassifier needs OpenCV" in done.stderr and "reader.py, line 15" in done.stderr
    report = " ".join(done.stderr.split())
    assert "cv2 (now a stand-in for its commonest functions: pip install opencv-python-headless)" in report


def test_a_missing_package_is_named_with_its_distribution(run, tmp_path: Path) -> None:
    script = tmp_path / "lacking.py"
    script.write_text("import skimage_nowhere\n")
    done = run(script)
    assert done.returncode == 1 and "pip install skimage-nowhere" in done.stderr
    script.write_text("from efficientnet.tfkeras import EfficientNetB0\n")
    assert "keras.applications" in run(script).stderr
