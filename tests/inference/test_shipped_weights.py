"""The models that come with the package: each file is what its card says, and answers right after installation."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path

import pytest

import scene_lightning as keras
from scene_lightning.cli.main import main
from scene_lightning.demo_scenes.scenes import draw_scenes
from scene_lightning.inference.evaluate import evaluate
from scene_lightning.models.shipped import shipped_file, shipped_names

CLASSES = ["buildings", "forest", "glacier", "mountain", "sea", "street"]
MOST_BYTES = {"scenes": 5_000_000, "scenes-large": 10_000_000}
CARD_KEPT = 0.002  # what another processor's rounding may change of an accuracy


def card_of(name: str) -> str:
    file = shipped_file(name)
    assert file is not None
    return file.with_suffix(".md").read_text(encoding="utf-8")


def figure(pattern: str, card: str) -> str:
    found = re.search(pattern, card)
    assert found is not None, pattern
    return found.group(1)


def test_these_come_with_the_package() -> None:
    assert shipped_names() == sorted(MOST_BYTES)


@pytest.mark.parametrize("name", MOST_BYTES)
def test_the_file_is_the_one_that_the_card_describes(name: str) -> None:
    file, card = shipped_file(name), card_of(name)
    assert file is not None
    assert hashlib.sha256(file.read_bytes()).hexdigest() == figure(r"SHA-256 `([0-9a-f]{64})`", card)
    assert file.stat().st_size == int(figure(r"File: ([\d,]+) bytes", card).replace(",", ""))
    assert file.stat().st_size <= MOST_BYTES[name]
    model = keras.models.load_model(name)
    assert model.count_params() == int(figure(r"([\d,]+) parameters", card).replace(",", ""))
    assert model.image_info["class_names"] == CLASSES
    for text in (json.dumps(model._recipe), card.partition("## Licence")[0]):
        assert not re.search(r"(?<![\w.*])/\w+/|[A-Z]:\\", text), "a path of some machine"


def test_scenes_is_the_papers_network() -> None:
    model = keras.models.load_model("scenes")
    assert model.count_params() == 2_046_406
    assert model.input_shape == (None, 150, 150, 3)
    kinds = [type(layer).__name__ for layer in model.layers]
    block = ["Conv2D", "MaxPooling2D", "BatchNormalization", "Dropout"]
    assert kinds == [*block * 4, "Flatten", *["Dense", "Dropout"] * 4, "Dense"]


def test_the_notice_of_the_weights_that_scenes_large_began_from_is_kept() -> None:
    assert "Apache License" in card_of("scenes-large")
    assert "EfficientNet" in card_of("scenes-large")


@pytest.mark.parametrize("name", MOST_BYTES)
def test_a_photograph_is_named_on_the_command_line(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    draw_scenes(tmp_path / "drawn", 1, test_per_class=1, predict=2, size=150)
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit) as ended:
        main(["predict", name, "drawn/seg_pred", "--out", "answers.json"])
    assert not ended.value.code, capsys.readouterr().err
    answers = json.loads((tmp_path / "answers.json").read_text())
    assert len(answers) == 2
    assert {answer["predicted"] for answer in answers} <= set(CLASSES)


@pytest.mark.parametrize("name", MOST_BYTES)
def test_the_accuracy_is_the_one_on_the_card(name: str, intel_dir: Path) -> None:
    found = evaluate(name, str(intel_dir / "seg_test"))
    card = card_of(name)
    assert found["images"] == int(figure(r"On (\d+) photographs of `seg_test`", card))
    assert found["accuracy"] == pytest.approx(float(figure(r"\*\*(0\.\d+)\*\*", card)), abs=CARD_KEPT)
