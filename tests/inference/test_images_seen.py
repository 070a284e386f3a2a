"""What `train` records of its images, and what `evaluate`, `card` and `calibrate` then say of others."""

from __future__ import annotations

import csv
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import scene_lightning as keras
from scene_lightning.cli import main as cli
from scene_lightning.demo_scenes.scenes import draw_scenes
from scene_lightning.errors import FileFormatError
from scene_lightning.inference.images_seen import ImagesSeen

RECIPE = """
model: {filters: [4], dense: [8], input_size: [24, 24]}
data: {interpolation: bilinear, cache: ram}
training: {epochs: 1, batch_size: 16, accelerator: cpu}
"""
TRAINED, TESTED = 72, 60  # images of the two halves


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """scenes/{seg_train,seg_test}, class folders alone in `alone`, and tiny.yaml."""
    folder = tmp_path_factory.mktemp("seen")
    draw_scenes(folder / "scenes", 12, test_per_class=10, predict=1, size=24)
    (folder / "tiny.yaml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def run(place: Path) -> Path:
    return trained(place, "run", "scenes")


@pytest.fixture(autouse=True)
def _here(place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(place)
    monkeypatch.delenv("SCENE_LIGHTNING_RUN_FOLDER", raising=False)


def trained(place: Path, name: str, data: str, *words: str) -> Path:
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(place)
        patch.delenv("SCENE_LIGHTNING_RUN_FOLDER", raising=False)
        assert cli.run(["train", data, "--config", "tiny.yaml", "--out", name, *words]) == 0
    return place / name


def asked(capsys: pytest.CaptureFixture[str], *words: object) -> str:
    capsys.readouterr()
    assert cli.run([str(word) for word in words]) == 0, capsys.readouterr().err
    return capsys.readouterr().out


def seen(capsys: pytest.CaptureFixture[str], model: object, data: str) -> dict[str, Any]:
    told = json.loads(asked(capsys, "evaluate", model, data, "--json"))
    return {"split": told["split"], **told["seen"]}


def test_a_run_lists_its_images(run: Path) -> None:
    rows = list(csv.DictReader((run / "images.csv").open()))
    roles = [row["role"] for row in rows]
    assert roles.count("trained on") == TRAINED and roles.count("validated on") == TESTED
    assert rows[0]["image"].startswith("scenes/seg_train/") and len(rows[0]["hash"]) == 16


def test_evaluate_says_which_split_it_took_and_that_it_chose_the_epoch(
    run: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told = seen(capsys, "run", "scenes")
    assert told == {
        "split": "seg_test", "known": True, "teachers_known": True, "trained": 0, "chose": TESTED, "watched": 0,
        "taught": 0, "calibrated": 0, "neither": 0,
    }  # fmt: skip
    text = asked(capsys, "evaluate", "run", "scenes")
    assert "data      scenes/seg_test: 60 images" in text
    assert "none of them trained on; all of them chose the epoch" in text and "a little too good" in text
    told = seen(capsys, "run", "scenes/seg_train")
    assert (told["split"], told["trained"], told["chose"], told["neither"]) == ("seg_train", TRAINED, 0, 0)
    assert "all of them trained on" in asked(capsys, "evaluate", "run", "scenes/seg_train")
    assert seen(capsys, "run/last.ckpt", "scenes")["watched"] == TESTED  # the last epoch was not chosen
    kept = json.loads((run / "evaluation.json").read_text())
    assert kept["seen"]["chose"] == TESTED and kept["data"] == "scenes/seg_test"


def test_a_card_of_the_training_folder_does_not_say_none(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = asked(capsys, "card", "run", "scenes/seg_train", "--out", "card.md")
    assert "all of them trained on" in said
    card = Path("card.md").read_text()
    assert "All of them trained on. Figures on images that were trained on say little" in card
    assert "none of them trained on" not in card
    said = asked(capsys, "card", "run", "scenes", "--out", "card.md", "--json")
    told = json.loads(said)
    assert told["seen"]["chose"] == TESTED and told["data"] == "scenes/seg_test" and told["images"] == TESTED
    assert "None of them trained on; all of them chose the epoch." in Path("card.md").read_text()


def test_images_are_known_by_content_not_by_name(run: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for half, name, new in (("seg_train", "sea", "a.jpg"), ("seg_test", "sea", "b.jpg"), ("seg_train", "street", "c")):
        folder = place / "mixed" / name
        folder.mkdir(parents=True, exist_ok=True)
        shutil.copy(sorted((place / "scenes" / half / name).iterdir())[0], folder / f"{new}.jpg")
    draw_scenes(place / "fresh", 1, test_per_class=1, predict=1, size=32, seed=5)
    shutil.copy(next((place / "fresh/seg_test/sea").iterdir()), place / "mixed/sea/d.jpg")
    told = seen(capsys, "run", "mixed")
    assert (told["trained"], told["chose"], told["neither"], told["split"]) == (2, 1, 1, None)
    assert "2 of them trained on; 1 of them chose the epoch" in asked(capsys, "card", "run", "mixed")


@pytest.mark.parametrize("ending", [".ckpt", ".keras", ".safetensors", ".h5"])
def test_the_record_travels_with_the_file(run: Path, capsys: pytest.CaptureFixture[str], ending: str) -> None:
    asked(capsys, "calibrate", "run", "scenes", "--out", f"even{ending}")
    assert not Path("elsewhere").exists()
    moved = Path(f"moved{ending}")
    shutil.move(f"even{ending}", moved)
    told = seen(capsys, moved, "scenes")
    assert (told["known"], told["trained"], told["chose"], told["calibrated"]) == (True, 0, TESTED, TESTED)
    assert seen(capsys, moved, "scenes/seg_train")["trained"] == TRAINED


def test_calibrating_on_what_was_trained_on_is_said(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said = asked(capsys, "calibrate", "run", "scenes/seg_train", "--out", "sure.ckpt")
    assert "all of them trained on" in said and "--held-out" in said
    assert "--held-out" not in asked(capsys, "calibrate", "run", "scenes", "--out", "even.ckpt")


def test_a_file_that_does_not_say_claims_nothing(run: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model = keras.models.load_model("run/best.ckpt")
    model.fit(np.zeros((2, 24, 24, 3), np.float32), np.eye(6, dtype=np.float32)[:2], verbose=0)
    model.save("further.ckpt")  # trained on something more, that no run recorded
    for name in ("further.ckpt", "scenes-large"):
        told = seen(capsys, name, "scenes")
        assert not told["known"] and told["trained"] is None and told["neither"] is None
    assert "it is not known" in asked(capsys, "evaluate", "further.ckpt", "scenes")
    assert "it is not known" in asked(capsys, "card", "further.ckpt", "scenes", "--out", "card.md")
    card = Path("card.md").read_text()
    assert "It is not known whether the model was trained on any of them" in card and "one of them trained" not in card
    said = asked(capsys, "card", "further.ckpt", "scenes", "--trained-on", "scenes")
    assert "none of them trained on; all of them chose the epoch" in said  # as for any best.ckpt


class OwnTrainStep(keras.Model):
    def train_step(self, data: Any) -> dict[str, Any]:
        x, y = data
        loss = self.compute_loss(x, y, self(x, training=True))
        self.zero_grad()
        loss.backward()
        self.optimizer.apply([weight.grad for weight in self.trainable_weights], self.trainable_weights)
        return {"loss": loss}


class OwnLightningStep(keras.Model):
    def training_step(self, batch: Any, batch_idx: int) -> Any:
        return self.compute_loss(batch[0], batch[1], self(batch[0]))


@pytest.mark.parametrize("cls", [OwnTrainStep, OwnLightningStep])
def test_training_by_steps_of_ones_own_leaves_no_old_claim(cls: Any, run: Path) -> None:
    known = keras.models.load_model("run/best.ckpt")
    assert ImagesSeen.of_model(known).complete
    x, y = np.zeros((4, 24, 24, 3), np.float32), np.eye(6, dtype=np.float32)[:4]
    whole = cls(known.inputs, known(known.inputs[0]))  # the loaded model is a part of it, and is trained too
    whole._images_seen = known._images_seen
    whole.compile("sgd", "categorical_crossentropy")
    whole.fit(x, y, verbose=0)
    assert not ImagesSeen.of_model(whole).complete and not ImagesSeen.of_model(known).complete


def test_training_in_other_processes_leaves_no_old_claim(run: Path) -> None:
    known = keras.models.load_model("run/best.ckpt")
    x, y = np.zeros((4, 24, 24, 3), np.float32), np.eye(6, dtype=np.float32)[:4]
    known.fit(x, y, batch_size=1, verbose=0, accelerator="cpu", devices=2, strategy="ddp_fork")
    assert not ImagesSeen.of_model(known).complete


def test_class_folders_alone_and_folds(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    trained(place, "split", "scenes/seg_train", "--val-split", "0.25")
    told = seen(capsys, "split", "scenes/seg_train")
    assert (told["trained"], told["chose"]) == (54, 18)
    assert seen(capsys, "split", "scenes/seg_test")["neither"] == TESTED
    trained(place, "folded", "scenes", "--folds", "2")
    assert "which chose the epoch" in capsys.readouterr().out
    parts = [seen(capsys, f"folded/fold-{number}", "scenes/seg_train") for number in (1, 2)]
    assert [(part["trained"], part["chose"]) for part in parts] == [(36, 36)] * 2
    assert seen(capsys, "folded/fold-1", "scenes")["neither"] == TESTED


def test_going_on_with_other_images_and_teachers(run: Path, place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    draw_scenes(place / "others", 4, test_per_class=2, predict=1, size=24, seed=3)
    trained(place, "longer", "others", "--resume", "run/best.ckpt", "--epochs", "2")
    assert seen(capsys, "longer", "others/seg_train")["trained"] == 24
    assert seen(capsys, "longer", "scenes/seg_train")["trained"] == TRAINED
    trained(place, "pupil", "others", "--set", "teacher=run")
    told = seen(capsys, "pupil", "scenes/seg_train")
    assert (told["trained"], told["taught"], told["teachers_known"]) == (0, TRAINED, True)
    trained(place, "stranger", "others", "--set", "teacher=further.ckpt")
    assert not seen(capsys, "stranger", "scenes")["teachers_known"]
    assert "what its teachers were trained on is not known" in asked(capsys, "evaluate", "stranger", "scenes")


def test_validation_images_that_are_trained_on_too_are_told(place: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(place / "scenes", place / "leaking")
    for file in sorted((place / "scenes/seg_train/sea").iterdir())[:3]:
        shutil.copy(file, place / "leaking/seg_test/sea" / f"again-{file.name}")
    trained(place, "leaks", "leaking")
    assert "3 of the validation images are trained on too" in capsys.readouterr().out


def test_a_damaged_record_is_refused() -> None:
    good = ImagesSeen({"trained": np.arange(3, dtype=np.uint64)}, complete=True)
    back = ImagesSeen.of_text(good.as_text())
    assert back.complete and back.roles["trained"].tolist() == [0, 1, 2]
    text = good.as_text()
    for damaged in ("[]", "{}", text.replace("blake2b-64", "md5"), text.replace('"trained": "', '"trained": "?')):
        with pytest.raises(FileFormatError):
            ImagesSeen.of_text(damaged)
