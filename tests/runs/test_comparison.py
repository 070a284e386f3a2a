"""Networks side by side, and a model's card: what is written is what was measured."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scene_lightning.demo_scenes.scenes import draw_scenes
from scene_lightning.errors import InputError
from scene_lightning.inference.model_card import measure, write_card
from scene_lightning.inference.temperature import fit_temperature
from scene_lightning.models import load_model
from scene_lightning.runs.callbacks import RunRecorder
from scene_lightning.runs.comparison import COLUMNS, compare
from scene_lightning.runs.run_record import TrainingInterrupted
from scene_lightning.runs.train import train

SMALL = ["input_size=32", "batch_size=8", "epochs=1", "precision=32-true"]


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    draw_scenes(folder, 4, test_per_class=2, predict=1, size=32)
    return folder


def test_networks_are_trained_and_measured_side_by_side(data: Path, tmp_path: Path) -> None:
    settings = [*SMALL, "filters=[4,4]", "dense=[8]"]
    rows = compare(str(data), ["paper", "mobilenet_v3_small"], settings, out=str(tmp_path / "c")).rows
    assert [row["model"] for row in rows] == ["paper", "mobilenet_v3_small"]
    for row in rows:
        run = tmp_path / "c" / row["model"]
        assert row["accuracy"] == json.loads((run / "evaluation.json").read_text())["accuracy"]
        assert row["parameters"] == load_model(run / "best.ckpt").count_params()
    # 30*30 places of 27 x 4 products, 13*13 of 36 x 4, then 144 x 8 and 8 x 6; two operations each
    assert rows[0]["gflops"] * 1e9 == pytest.approx(2 * (900 * 108 + 169 * 144 + 6 * 6 * 4 * 8 + 48), rel=1e-6)
    with open(tmp_path / "c" / "comparison.csv", newline="") as file:
        written = list(csv.DictReader(file))
    assert list(written[0]) == list(COLUMNS)
    assert json.loads((tmp_path / "c" / "comparison.json").read_text()) == rows
    with Image.open(tmp_path / "c" / "comparison.png") as picture:
        assert min(picture.size) > 300


@pytest.mark.soak
def test_an_interrupted_comparison_goes_on(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = [*SMALL, "filters=[4,4]", "dense=[8]"]
    models, folder = ["paper", "mobilenet_v3_small"], tmp_path / "c"

    class Stop(RunRecorder):
        def on_epoch_begin(self, epoch: int, logs: object = None) -> None:
            if self.folder.name == models[1]:
                raise KeyboardInterrupt

    with monkeypatch.context() as patched, pytest.raises(TrainingInterrupted):
        patched.setattr("scene_lightning.runs.train.RunRecorder", Stop)
        compare(str(data), models, settings, out=str(folder))
    first = json.loads((folder / "comparison.json").read_text())
    assert [row["model"] for row in first] == models[:1]
    with pytest.raises(InputError, match="says something else"):
        compare(str(data), models, [*settings, "seed=7"], resume=str(folder))
    written = (folder / "paper" / "best.ckpt").stat().st_mtime_ns
    rows = compare(str(data), models, settings, resume=str(folder)).rows
    assert [row["model"] for row in rows] == models and rows[0]["accuracy"] == first[0]["accuracy"]
    assert (folder / "paper" / "best.ckpt").stat().st_mtime_ns == written, "what has finished is not trained again"
    with pytest.raises(InputError, match="holds none of the runs"):
        compare(str(data), models, settings, resume=str(tmp_path))


@pytest.mark.parametrize(
    ("models", "message"),
    [(["paper"], "two or more"), (["paper", "paper"], "different"), (["paper", "resnet5"], "Did you mean 'resnet50'")],
)
def test_what_cannot_be_compared_is_refused_before_anything_is_made(
    models: list[str], message: str, data: Path, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=message):
        compare(str(data), models, SMALL, out=str(tmp_path / "c"))
    assert not (tmp_path / "c").exists()


def test_a_card_says_what_was_measured(data: Path, tmp_path: Path) -> None:
    settings = [*SMALL, "filters=[4]", "dense=[8]", "mixup=0.3"]
    run = train(str(data), overrides=settings, out=str(tmp_path / "run"))
    found = write_card(str(run.folder), str(data / "seg_test"), tmp_path / "card.md", about="Drawn.", licence="MIT.")
    assert run.evaluation is not None
    np.testing.assert_array_equal(found.matrix, run.evaluation["confusion_matrix"])
    text = (tmp_path / "card.md").read_text()
    assert f"**{run.evaluation['accuracy']:.4f}**" in text
    assert "Drawn." in text and "MIT." in text and "mixup: 0.3" in text
    for name, figures in run.evaluation["per_class"].items():
        assert f"| {name} | {figures['precision']:.3f} | {figures['recall']:.3f} |" in text
    again = measure(str(run.folder), str(data))
    np.testing.assert_allclose(again.averaged, found.averaged, atol=1e-6)
    assert not np.allclose(again.averaged, again.plain, atol=1e-6)
    assert re.search(r"SHA-256 `[0-9a-f]{64}`", text)
    assert "on these photographs is" in text and "## Training" not in text


def test_a_card_tells_of_the_run_and_fits_the_temperature_on_what_training_held_out(data: Path, tmp_path: Path) -> None:
    alone = str(data / "seg_train")
    settings = [*SMALL, "filters=[4]", "dense=[8]", "val_split=0.34", "seed=5"]
    run = train(alone, overrides=settings, out=str(tmp_path / "run"))
    found = write_card(
        str(run.folder), str(data / "seg_test"), tmp_path / "card.md", run=str(run.folder), trained_on=alone
    )
    assert found.held_out is not None and run.evaluation is not None
    labels, answers = found.held_out
    assert len(labels) == run.evaluation["images"]
    assert (answers.argmax(1) == labels).mean() == pytest.approx(run.evaluation["accuracy"])
    text = (tmp_path / "card.md").read_text()
    assert f"on {len(labels)} photographs that training held out is {fit_temperature(answers, labels):.3f}" in text
    rows = (run.folder / "metrics.csv").read_text().splitlines()
    assert f"{len(rows) - 1} epochs, " in text
    last = dict(zip(rows[0].split(","), rows[-1].split(","), strict=True))
    assert f"| {last['epoch']} | {float(last['loss']):.4f} | {float(last['accuracy']):.4f} |" in text
    with pytest.raises(InputError, match="No run folder"):
        write_card(str(run.folder), str(data / "seg_test"), tmp_path / "other.md", run=str(tmp_path / "no"))
    assert not (tmp_path / "other.md").exists()
