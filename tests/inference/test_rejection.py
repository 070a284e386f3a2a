"""Rejection rules: the threshold keeps its promise, files keep the rule, predict and evaluate obey it."""

from __future__ import annotations

import csv
import json
import re
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

import scene_lightning as keras
from scene_lightning.cli.main import run
from scene_lightning.data.image_info import ImageInfo
from scene_lightning.demo_scenes.textures import texture
from scene_lightning.errors import FileFormatError, InputError
from scene_lightning.inference import rejection
from scene_lightning.inference.calibrate import calibrate
from scene_lightning.inference.predictor import Predictor, RunOn
from scene_lightning.inference.rejection import Rejection, energy, fit, unknown_name

CLASSES = ["dark", "bright"]


def colours(folder: Path, count: int = 60) -> Path:
    """Labelled pictures of red (dark) and blue (bright), each with a little chance in it."""
    rng = np.random.default_rng(0)
    for name, colour in zip(CLASSES, [(200, 20, 20), (20, 20, 200)], strict=True):
        (folder / name).mkdir(parents=True)
        for number in range(count):
            levels = np.clip(rng.normal(colour, 12), 0, 255).astype(np.uint8)
            Image.fromarray(np.broadcast_to(levels, (8, 8, 3))).save(folder / name / f"{number}.png")
    return folder


def colour_model(names: list[str] = CLASSES) -> Any:
    """Its features are the mean red, green and blue; its logits say red against blue, and are low for neither."""
    last = keras.layers.Dense(2, activation="softmax")
    model = keras.Sequential([keras.layers.Input((8, 8, 3)), keras.layers.GlobalAveragePooling2D(), last])
    kernel = np.array([[6, -6], [-3, -3], [-6, 6]], np.float32)
    model.layers[-1].set_weights([kernel, np.zeros(2, np.float32)])
    model.image_info = ImageInfo(tuple(names), (8, 8)).as_dict()
    return model


def predicted(table: str) -> list[dict[str, str]]:
    with open(table, newline="") as file:
        return [*csv.DictReader(file)]


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a model, labelled pictures, and one green picture of neither class."""
    monkeypatch.chdir(tmp_path)
    colours(tmp_path / "data")
    colour_model().save(tmp_path / "plain.keras")
    (tmp_path / "others").mkdir()
    Image.new("RGB", (8, 8), (10, 230, 10)).save(tmp_path / "others" / "green.png")
    return tmp_path


@pytest.mark.parametrize("kind", rejection.KINDS)
@pytest.mark.parametrize("coverage", [0.8, 0.95])
def test_new_images_of_the_same_kind_are_answered_as_often_as_was_wanted(kind: str, coverage: float) -> None:
    rng = np.random.default_rng(1)
    centres, kernel = rng.normal(size=(4, 16)) * 3, rng.normal(size=(16, 4))

    def drawn(count: int) -> tuple[np.ndarray, np.ndarray]:
        labels = rng.integers(0, 4, count)
        return centres[labels] + rng.normal(size=(count, 16)), labels

    features, labels = drawn(600)
    rule = fit(kind, features @ kernel, features, labels, coverage)
    assert (~rule.rejects(logits=features @ kernel, features=features)).mean() >= coverage
    fresh, _ = drawn(4000)
    assert (~rule.rejects(logits=fresh @ kernel, features=fresh)).mean() == pytest.approx(coverage, abs=0.03)
    assert rule.rejects(logits=np.full((1, 4), np.nan), features=np.full((1, 16), np.nan)).all()
    again = Rejection.of_dict(json.loads(json.dumps(rule.as_dict())))
    assert np.array_equal(
        again.scores(logits=fresh @ kernel, features=fresh), rule.scores(logits=fresh @ kernel, features=fresh)
    )


def test_energy_is_the_logarithm_of_the_sum_of_exponentials_and_alike_for_both_sides_of_a_sigmoid() -> None:
    logits = np.array([[1.0, 2.0, 800.0], [0.0, 0.0, 0.0]])
    np.testing.assert_allclose(energy(logits), [800.0, np.log(3)])
    np.testing.assert_allclose(energy(np.array([[5.0]])), energy(np.array([[-5.0]])))


@pytest.mark.parametrize("name", ["ruled.keras", "ruled.h5", "ruled.safetensors", "ruled.ckpt"])
@pytest.mark.parametrize("kind", rejection.KINDS)
def test_every_kind_of_model_file_keeps_the_rule(workplace: Path, name: str, kind: str) -> None:
    done = calibrate("plain.keras", "data", name, rule=kind, coverage=0.9)
    assert done.rejection is not None and done.rejection.kind == kind and done.accuracy_kept == 1.0
    model = keras.models.load_model(name)
    assert model.image_info is not None
    assert model.image_info["rejection"] == done.rejection.as_dict()
    rejected: list[int] = []
    files = [*sorted(map(str, Path("data").rglob("*.png"))), "others/green.png"]
    Predictor.load(name, RunOn()).predict(files, lambda *_: None, verbose=False, on_rejected=rejected.extend)
    assert len(files) - 1 in rejected and len(rejected) <= 14  # green, and a tenth of the others
    assert "rejection" not in (keras.models.load_model("plain.keras").image_info or {})


def test_predict_says_unknown_and_keeps_the_probabilities(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["calibrate", "plain.keras", "data", "--out", "ruled.keras", "--coverage", "0.99"]) == 0
    assert "Rejection rule: energy. It answers 99.0% of these photographs" in capsys.readouterr().out
    ask = ["predict", "ruled.keras", "others", "data/dark/0.png"]
    assert run([*ask, "--out", "ruled.csv"]) == 0
    assert "1 of 2 images look like none of the model's classes: 'unknown' (--accept-all" in capsys.readouterr().err
    assert run([*ask, "--out", "all.csv", "--accept-all"]) == 0
    assert "unknown" not in capsys.readouterr().err
    ruled, every = predicted("ruled.csv"), predicted("all.csv")
    assert [row.pop("predicted") for row in ruled] == ["unknown", "dark"]
    assert every[0].pop("predicted") in CLASSES and every[1].pop("predicted") == "dark"
    assert ruled == every  # paths, probabilities
    assert run([*ask, "--out", "ruled.json"]) == 0
    first = json.loads(Path("ruled.json").read_text())[0]
    assert first["predicted"] == "unknown" and set(first["probabilities"]) == set(CLASSES)
    capsys.readouterr()
    assert run(ask) == 0
    assert "unknown" in capsys.readouterr().out


def test_evaluate_says_what_is_kept_beside_the_plain_accuracy(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["calibrate", "plain.keras", "data", "--out", "ruled.keras"]) == 0
    Image.open("others/green.png").save("data/dark/green.png")
    capsys.readouterr()
    figures = {}
    for name in ("plain", "ruled"):
        assert run(["evaluate", f"{name}.keras", "data", "--json"]) == 0
        figures[name] = json.loads(capsys.readouterr().out)
    kept = figures["ruled"].pop("kept")
    assert "kept" not in figures["plain"] and figures["ruled"]["accuracy"] == figures["plain"]["accuracy"]
    assert kept["images"] == 114 and kept["coverage"] == pytest.approx(114 / 121) and kept["accuracy"] == 1.0
    assert run(["evaluate", "ruled.keras", "data"]) == 0
    assert "kept      114 of 121 (94.2%) by the model's rejection rule" in capsys.readouterr().out


def test_a_class_that_is_called_unknown_is_not_confused_with_none_of_the_classes(workplace: Path) -> None:
    assert unknown_name(["sea", "street"]) == "unknown"
    assert unknown_name(["Unknown", "street"]) == "none of these"
    Path("data/dark").rename("data/unknown")
    colour_model(["unknown", "bright"]).save("own.keras")
    assert run(["calibrate", "own.keras", "data", "--out", "ruled.keras"]) == 0
    assert run(["predict", "ruled.keras", "others", "data/unknown/1.png", "--out", "a.csv"]) == 0
    assert [row["predicted"] for row in predicted("a.csv")] == ["none of these", "unknown"]


def test_training_on_forgets_a_rule_that_was_made_for_other_weights(workplace: Path) -> None:
    calibrate("plain.keras", "data", "ruled.keras")
    model = keras.models.load_model("ruled.keras")
    model.compile("sgd", "sparse_categorical_crossentropy")
    assert model.image_info is not None and "rejection" in model.image_info
    model.fit(np.zeros((4, 8, 8, 3), np.float32), np.zeros(4, np.int64), verbose=0)
    assert "rejection" not in model.image_info and model.image_info["class_names"] == CLASSES
    calibrate("ruled.keras", "data", "none.keras", coverage=0)
    assert "rejection" not in (keras.models.load_model("none.keras").image_info or {})


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"kind": "crystal ball", "threshold": 1.0, "coverage": 0.9, "images": 1}, "'crystal ball'. Expected energy"),
        ({"kind": "energy", "threshold": "high", "coverage": 0.9, "images": 1}, "which are none"),
        ({"kind": "energy", "threshold": float("nan"), "coverage": 0.9, "images": 1}, "which are none"),
        ({"kind": "distance", "threshold": 1.0, "coverage": 0.9, "images": 1}, "class means"),
        (
            {"kind": "distance", "threshold": 1.0, "coverage": 0.9, "images": 1, "means_shape": [2, 10**9],
             "class_means": "AAAA"},
            "class means",
        ),
        (
            {"kind": "distance", "threshold": 1.0, "coverage": 0.9, "images": 1, "means_shape": [1, 2],
             "class_means": "AAAAAA=="},
            "made for 2 features, and its last layer takes 3",
        ),
    ],
)  # fmt: skip
def test_a_damaged_rule_is_told_and_can_be_left_aside(
    workplace: Path, rule: dict[str, Any], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    model = colour_model()
    model.image_info["rejection"] = rule
    model.save("odd.keras")
    assert run(["predict", "odd.keras", "others", "--out", "a.csv"]) == 2
    assert message in capsys.readouterr().err and not Path("a.csv").exists()
    assert run(["predict", "odd.keras", "others", "--out", "a.csv", "--accept-all"]) == 0


def test_a_rule_that_is_no_object_is_a_damaged_file(workplace: Path) -> None:
    model = colour_model()
    model.image_info["rejection"] = "energy"
    model.save("odd.keras")
    with pytest.raises(FileFormatError, match="rejection should be an object"):
        keras.models.load_model("odd.keras")


def test_what_calibrate_cannot_fit_is_told(workplace: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["calibrate", "plain.keras", "data", "--out", "a.keras", "--rule", "luck"]) == 2
    assert "expected energy or distance" in capsys.readouterr().err
    shutil.rmtree("data/bright")
    with pytest.raises(InputError, match=r"no photograph of 'bright'\. Use --rule energy"):
        calibrate("plain.keras", "data", "a.keras", rule="distance")
    assert not Path("a.keras").exists()


def test_a_pretrained_network_gets_the_distance_rule_and_no_reject_none(workplace: Path) -> None:
    model = colour_model()
    model._recipe = {"model": {"pretrained": True}}
    model.save("pretrained.ckpt")
    assert run(["calibrate", "pretrained.ckpt", "data", "--out", "a.keras"]) == 0
    assert run(["calibrate", "pretrained.ckpt", "data", "--out", "b.keras", "--no-reject"]) == 0
    one, other = (keras.models.load_model(name).image_info for name in ("a.keras", "b.keras"))
    assert one is not None and one["rejection"]["kind"] == "distance"
    assert other is not None and "rejection" not in other


def test_the_card_says_what_is_kept_and_what_is_let_through(
    workplace: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["calibrate", "plain.keras", "data", "--out", "ruled.keras", "--coverage", "0.9"]) == 0
    assert run(["card", "ruled.keras", "data", "--out", "ruled.md", "--others", "others"]) == 0
    card = Path("ruled.md").read_text()
    assert "The rule `energy`, made to answer 90.0% of 120 photographs, answers 90.0% of these, with accuracy" in card
    assert "| `others` | 1 | 0.0% |" in card and "gets a class too" not in card
    for name, count in (("generated textures", 140), ("drawn scenes", 60)):
        share = re.search(rf"\| {name} \| {count} \| ([\d.]+)% \|", card)
        assert share is not None and 0 <= float(share.group(1)) <= 100
    assert run(["card", "plain.keras", "data", "--out", "plain.md"]) == 0
    assert "None of these" not in Path("plain.md").read_text() and "gets a class too" in Path("plain.md").read_text()
    capsys.readouterr()
    assert run(["card", "plain.keras", "data", "--out", "plain.md", "--others", "others"]) == 2
    assert "has no rule for images of other things" in capsys.readouterr().err


def test_textures_are_the_same_at_every_call_and_of_several_kinds() -> None:
    first, second = (np.stack([np.asarray(texture(index, size=40)) for index in range(14)]) for _ in range(2))
    assert np.array_equal(first, second) and first.shape == (14, 40, 40, 3)
    assert len({image.tobytes() for image in first}) == 14
    assert not np.array_equal(first[0], np.asarray(texture(0, seed=1, size=40)))
