"""`train` writes the page of its run; `report` makes anew what a run's folder lacks."""

from __future__ import annotations

import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from PIL import Image

from scene_lightning.cli import main as cli
from scene_lightning.demo_scenes.scenes import draw_scenes
from scene_lightning.runs import pages
from tests.run_report.test_page import data_of

SMALL = [
    "--config", "paper", "--set", "filters=[4]", "--set", "dense=[8]", "--set", "input_size=24", "--set",
    "batch_size=8", "--epochs", "1", "--precision", "32-true", "--accelerator", "cpu",
]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    draw_scenes(folder, 4, test_per_class=2, predict=1, size=32)
    return folder


@pytest.fixture(scope="module")
def run(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("runs") / "run"
    assert cli.run(["train", str(data), "--out", str(folder), *SMALL]) == 0
    return folder


def test_train_writes_the_page(run: Path) -> None:
    page = (run / "report.html").read_text(encoding="utf-8")
    photographs = data_of(page)["photographs"]
    assert len(photographs) == 12 and all(one[5] for one in photographs)
    mistakes = [one for one in photographs if one[2]]
    assert mistakes and all(one[6] for one in mistakes) == (find_spec("captum") is not None), "heat maps"
    assert "Peak memory" in page and "It is running" not in page
    with Image.open(run / "training_batch.jpg") as picture:
        assert picture.width > 600


def test_a_run_that_kept_no_answers_is_evaluated_anew(run: Path, tmp_path: Path) -> None:
    older = shutil.copytree(run, tmp_path / "older")
    kept = (older / "predictions.csv").read_text()
    batch = (older / "training_batch.jpg").read_bytes()
    for name in ("predictions.csv", "training_batch.jpg", "report.html"):
        (older / name).unlink()
    assert cli.run(["report", str(older)]) == 0
    assert (older / "predictions.csv").read_text() == kept
    assert (older / "training_batch.jpg").read_bytes() == batch, "the run's own feed, from its recipe and seed"
    assert len(data_of((older / "report.html").read_text())["photographs"]) == 12


def test_an_interrupted_run_is_evaluated_and_stays_unfinished(run: Path, tmp_path: Path) -> None:
    stopped = shutil.copytree(run, tmp_path / "stopped")
    for name in ("predictions.csv", "evaluation.json"):
        (stopped / name).unlink()
    record = json.loads((stopped / "run.json").read_text())
    (stopped / "run.json").write_text(json.dumps({**record, "status": "stopped"}))
    assert cli.run(["report", str(stopped)]) == 0
    page = (stopped / "report.html").read_text()
    assert "stopped by a signal" in page and len(data_of(page)["photographs"]) == 12
    assert not (stopped / "evaluation.json").exists(), "the run has not ended"


def test_a_page_that_cannot_be_written_fails_no_training(
    run: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*arguments: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(pages, "write_report", full)
    pages.report_of_training(run)
    assert "report.html was not written: [Errno 28] No space left on device" in capsys.readouterr().err


def test_photographs_in_shards_are_shown(data: Path, tmp_path: Path) -> None:
    assert cli.run(["shard", str(data), str(tmp_path / "shards")]) == 0
    assert cli.run(["train", str(tmp_path / "shards"), "--out", str(tmp_path / "run"), *SMALL]) == 0
    photographs = data_of((tmp_path / "run" / "report.html").read_text())["photographs"]
    assert len(photographs) == 12 and all(one[5] for one in photographs)
