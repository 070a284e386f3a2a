"""Explanations of photographs: where the heat lies on them, what covering it costs, the command and its pictures."""

from __future__ import annotations

import io
import json
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from scene_lightning import fast, layers, models
from scene_lightning.cli.main import run
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.errors import DataError, InputError
from scene_lightning.inference.explain import LARGEST_SIDE, Explainer
from scene_lightning.inference.predictor import Predictor, RunOn

SIDE = 32
RED, GREY = (255, 0, 0), (110, 110, 110)


def red_model(fit: str = "stretch", color_mode: str = "rgb") -> Any:
    """It answers "red" where a thirtieth of the picture is red, and "grey" otherwise, with hand-set weights."""
    look = layers.Conv2D(2, 3, padding="same", activation="relu")
    classes = layers.Dense(2, activation="softmax")
    model = models.Sequential([layers.Input((SIDE, SIDE, 3)), look, layers.GlobalAveragePooling2D(), classes])
    kernel = np.zeros((3, 3, 3, 2), dtype=np.float32)
    kernel[1, 1, :, 0] = (1, -0.5, -0.5)
    look.set_weights([kernel, np.zeros(2)])
    classes.set_weights([np.array([[0, 160], [0, 0]]), np.array([5, 0])])
    model.image_info = ImageInfo(("grey", "red"), (SIDE, SIDE), 1 / 255, color_mode, "bilinear", fit).as_dict()
    return model


def explainer(**options: Any) -> Explainer:
    model = red_model(**options)
    info = ImageInfo(**{**model.image_info, "input_size": (SIDE, SIDE)})
    return Explainer(Predictor(model, info, RunOn()))


def photograph(width: int, height: int, box: tuple[int, int, int, int]) -> Image.Image:
    image = Image.new("RGB", (width, height), GREY)
    image.paste(RED, box)
    return image


def centre_of(heat: np.ndarray) -> tuple[float, float]:
    """Of mass, (x, y) as shares of the width and height."""
    rows, columns = heat.sum(axis=1), heat.sum(axis=0)
    y, x = (float((part * (np.arange(len(part)) + 0.5)).sum() / part.sum()) for part in (rows, columns))
    return x / heat.shape[1], y / heat.shape[0]


# -- on the photograph -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("fit", ["stretch", "crop", "pad"])
@pytest.mark.parametrize(("width", "height"), [(120, 60), (60, 120), (SIDE, SIDE)])
def test_the_heat_lies_on_the_evidence_however_the_photograph_was_fitted(fit: str, width: int, height: int) -> None:
    x, y = width // 2 - 5, height // 2 + 3
    image = photograph(width, height, (x - 6, y - 6, x + 6, y + 6))
    heat = explainer(fit=fit).heat(image, 1)
    assert heat.shape == (height, width) and heat.dtype == np.float32 and heat.min() >= 0 and heat.max() <= 1
    across, down = centre_of(heat)
    assert abs(across * width - x) < 4 and abs(down * height - y) < 4


def test_outside_a_crop_there_is_no_heat() -> None:
    explanation = explainer(fit="crop").explain(photograph(120, 60, (50, 20, 70, 40)), 1)
    assert explanation.seen == (30, 0, 90, 60)
    assert not explanation.heat[:, :30].any() and not explanation.heat[:, 90:].any()
    assert explainer(fit="pad").explain(photograph(120, 60, (50, 20, 70, 40)), 1).seen == (0, 0, 120, 60)


def test_a_turned_photograph_is_explained_upright(tmp_path: Path) -> None:
    image = photograph(80, 40, (60, 5, 75, 20))  # on the right, above
    stored = image.transpose(Image.Transpose.ROTATE_90)  # what a camera stores that was held on its side
    exif = Image.Exif()
    exif[0x0112] = 6  # "turn it by 90° clockwise"
    stored.save(tmp_path / "turned.png", exif=exif)
    explanation = explainer().explain(tmp_path / "turned.png", 1)
    assert explanation.photograph.size == (80, 40)
    across, down = centre_of(explanation.heat)
    assert across > 0.7 and down < 0.5


def test_a_large_photograph_is_explained_small_and_the_callers_own_stays_whole(tmp_path: Path) -> None:
    photograph(3000, 1500, (200, 200, 800, 800)).save(tmp_path / "large.jpg")
    own = Image.open(tmp_path / "large.jpg")
    for source in (tmp_path / "large.jpg", own):
        explanation = explainer().explain(source, 1)
        assert explanation.photograph.size == (1024, 512) and explanation.seen == (0, 0, 1024, 512)
        across, down = centre_of(explanation.heat)
        assert across < 0.4 and down < 0.5
    assert own.size == (3000, 1500)


def test_a_file_bytes_an_image_and_an_array_are_one_picture(tmp_path: Path) -> None:
    image = photograph(48, 40, (5, 5, 15, 15))
    image.save(tmp_path / "a.png")
    heats = [
        explainer().heat(source)
        for source in (
            str(tmp_path / "a.png"), tmp_path / "a.png", io.BytesIO((tmp_path / "a.png").read_bytes()), image,
            np.asarray(image),
        )
    ]  # fmt: skip
    assert all(np.array_equal(heat, heats[0]) for heat in heats)


def test_large_photographs_are_shrunk() -> None:
    explanation = explainer().explain(photograph(3000, 1500, (0, 0, 500, 500)))
    assert explanation.photograph.size == (LARGEST_SIDE, LARGEST_SIDE // 2)
    assert explanation.heat.shape == (LARGEST_SIDE // 2, LARGEST_SIDE)


def test_grey_and_transparent_pictures() -> None:
    made = explainer()
    assert made.heat(Image.new("L", (20, 20), 90), 1).shape == (20, 20)
    see_through = Image.new("RGBA", (40, 40), (*RED, 0))
    see_through.paste((*RED, 255), (0, 0, 12, 12))
    across, down = centre_of(made.heat(see_through, 1))
    assert across < 0.4 and down < 0.4


# -- the test by covering ----------------------------------------------------------------------------------------------


def test_covering_the_evidence_changes_the_answer_and_covering_the_rest_does_not() -> None:
    explanation = explainer().explain(photograph(64, 64, (4, 4, 20, 20)))
    assert (explanation.class_name, explanation.class_index) == ("red", 1)
    assert explanation.probability > 0.99
    assert explanation.cold_covered > 0.99 and explanation.hot_covered < 0.2
    assert explanation.holds


def test_a_map_that_points_elsewhere_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    made = explainer()
    truly = made._mapper.maps
    monkeypatch.setattr(made._mapper, "maps", lambda images, classes=None: -truly(images, classes))
    explanation = made.explain(photograph(64, 64, (4, 4, 20, 20)))
    assert not explanation.holds and explanation.cold_covered < 0.2


def test_another_class() -> None:
    made = explainer()
    explanation = made.explain(photograph(64, 64, (4, 4, 20, 20)), made.class_index("grey"))
    assert explanation.class_name == "grey" and explanation.probability < 0.01
    with pytest.raises(InputError, match=r"No class 'rod'. Did you mean 'red'\? The model knows: grey, red"):
        made.class_index("rod")
    with pytest.raises(InputError, match="expected 0 to 1"):
        made.heat(photograph(64, 64, (4, 4, 20, 20)), 2)


# -- overlay -----------------------------------------------------------------------------------------------------------


def test_the_overlay_has_the_pictures_size_and_is_lightest_where_the_heat_is() -> None:
    image = Image.new("RGB", (50, 30), GREY)
    heat = np.zeros((15, 25), dtype=np.float32)
    heat[:5, :5] = 1
    laid = Explainer.overlay(image, heat)
    assert laid.size == (50, 30) and laid.mode == "RGB"
    light = np.asarray(laid.convert("L"), dtype=float)
    assert light[:6, :6].min() > light[20:, 20:].max() + 60
    assert image.getpixel((0, 0)) == GREY


# -- bad pictures, many threads ----------------------------------------------------------------------------------------


def test_damaged_pictures_are_named(tmp_path: Path) -> None:
    made = explainer()
    buffer = io.BytesIO()
    photograph(64, 64, (0, 0, 9, 9)).save(buffer, "JPEG")
    for name, content in {"cut.jpg": buffer.getvalue()[:300], "text.jpg": b"no image", "empty.jpg": b""}.items():
        (tmp_path / name).write_bytes(content)
        with pytest.raises(DataError, match=rf"Cannot read image '.*{name}'"):
            made.heat(tmp_path / name)
    with pytest.raises(DataError, match="No image at"):
        made.heat(str(tmp_path / "gone.jpg"))
    with pytest.raises(DataError, match="Cannot read image the picture"):
        made.heat(io.BytesIO(b"GIF89a"))
    with pytest.raises(InputError, match="dtype uint8"):
        made.heat(np.zeros((8, 8, 3)))


def test_threads_take_turns_and_predictions_go_on_meanwhile() -> None:
    model = red_model()
    info = ImageInfo(("grey", "red"), (SIDE, SIDE), 1 / 255, "rgb", "bilinear")
    made = Explainer(Predictor(model, info, RunOn()))
    images = [photograph(40, 40, (x, 0, x + 8, 8)) for x in (0, 10, 20, 30)]
    alone = [made.heat(image) for image in images]
    together: dict[int, np.ndarray] = {}
    answers: list[np.ndarray] = []
    batch = np.random.default_rng(0).random((4, SIDE, SIDE, 3), dtype=np.float32)
    expected = model.predict_on_batch(batch)
    threads = [threading.Thread(target=lambda n=n: together.__setitem__(n, made.heat(images[n]))) for n in range(4)]
    threads += [threading.Thread(target=lambda: answers.append(model.predict_on_batch(batch))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(together[n], alone[n]) for n in range(4))
    assert len(answers) == 4 and all(np.array_equal(answer, expected) for answer in answers)


# -- the command -------------------------------------------------------------------------------------------------------


@pytest.fixture
def model_file(tmp_path: Path) -> str:
    red_model().save(tmp_path / "red.keras")
    return str(tmp_path / "red.keras")


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    folder = tmp_path / "photos"
    (folder / "more").mkdir(parents=True)
    photograph(64, 64, (4, 4, 24, 24)).save(folder / "a.png")
    photograph(80, 40, (40, 4, 64, 30)).save(folder / "more" / "A.png")
    Image.new("RGB", (30, 60), GREY).save(folder / "b.jpg")
    return folder


def test_the_command_draws_a_picture_an_image_whose_names_never_collide(
    model_file: str, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "pictures"
    assert run(["explain", model_file, str(photographs), "--out", str(out)]) == 0
    assert sorted(path.name for path in out.iterdir()) == [
        "A-explained-2.jpg", "a-explained.jpg", "b-explained.jpg",
    ]  # fmt: skip
    with Image.open(out / "a-explained.jpg") as image:
        assert image.format == "JPEG" and image.width > 2 * image.height * 0.6
    printed = capsys.readouterr().out
    assert "3 images explained by" in printed and "of layer conv2d" in printed
    assert max(map(len, printed.splitlines())) <= 80 + len(str(out))
    before = {path: path.read_bytes() for path in photographs.rglob("*.*")}
    assert run(["explain", model_file, str(photographs), "--out", str(photographs)]) == 0  # beside the images
    assert run(["explain", model_file, str(photographs), "--out", str(photographs)]) == 0  # of which some are pictures
    assert all(path.read_bytes() == content for path, content in before.items())


def test_the_command_draws_a_sheet_and_prints_json(
    model_file: str, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    sheet = tmp_path / "sheet.png"
    assert run(["explain", model_file, str(photographs), "--out", str(sheet), "--class", "red", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [Path(row["path"]).name for row in rows] == ["a.png", "b.jpg", "A.png"]
    assert {row["class"] for row in rows} == {"red"} and [row["predicted"] for row in rows] == ["red", "grey", "red"]
    assert rows[0]["holds"] and rows[0]["hot_covered"] < rows[0]["cold_covered"]
    with Image.open(sheet) as image:
        assert image.format == "PNG"


def test_unreadable_images_are_named_and_the_others_explained(
    model_file: str, photographs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (photographs / "bad.jpg").write_bytes(b"\xff\xd8\xff")
    assert run(["explain", model_file, str(photographs), "--out", str(tmp_path / "out")]) == 3
    assert "bad.jpg" in capsys.readouterr().err and len(list((tmp_path / "out").iterdir())) == 3
    assert run(["explain", model_file, str(photographs), "--out", str(tmp_path / "none.png"), "--strict"]) == 2
    assert run(["explain", model_file, str(photographs / "bad.jpg"), "--out", str(tmp_path / "none.png")]) == 2
    assert not list(tmp_path.glob("*none*"))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--out", "x.gif"], "expected a name ending in .png"),
        (["--out", "no/such/x.png"], "Make it first"),
        (["--out", "o", "--class", "rod"], "Did you mean 'red'?"),
        (["--out", "o", "--method", "gradcm"], "Did you mean 'gradcam'?"),
        (["--out", "o", "--layer", "conv2"], "Did you mean 'conv2d'?"),
        (["--out", "photos/a.png"], "is not overwritten"),
        ([], "Missing option"),
    ],
)
def test_what_cannot_be_done_is_said_in_a_line(
    words: list[str], message: str, model_file: str, photographs: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.chdir(tmp_path)
    before = (photographs / "a.png").read_bytes()
    assert run(["explain", model_file, "photos", *words]) == 2
    error = capsys.readouterr().err
    assert message in error and "Traceback" not in error
    assert not Path("o").exists() and (photographs / "a.png").read_bytes() == before


def test_a_model_that_is_predicting_with_folded_weights_is_explained_as_it_stands() -> None:
    model = models.Sequential(
        [layers.Input((SIDE, SIDE, 3)), layers.Conv2D(4, 3), layers.BatchNormalization(), layers.ReLU(),
         layers.GlobalAveragePooling2D(), layers.Dense(2, activation="softmax")]
    )  # fmt: skip
    model.layers[1].moving_mean.data += 0.1
    info = ImageInfo(("grey", "red"), (SIDE, SIDE), 1 / 255, "rgb", "bilinear")
    image = photograph(40, 40, (5, 5, 20, 20))
    expected = Explainer(Predictor(model, info, RunOn())).heat(image)
    with fast.folded(model):
        made = Explainer(Predictor(model, info, RunOn()))
        assert np.allclose(made.heat(image), expected, atol=1e-6)
        assert model._folds is not None
