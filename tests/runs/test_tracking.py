"""What a run shows to TensorBoard, MLflow and Weights & Biases, and that it costs no second validation."""

from __future__ import annotations

import csv
import importlib.util
import os
from pathlib import Path

import numpy as np
import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from scene_lightning.cli import main as cli
from scene_lightning.demo_scenes.scenes import draw_scenes
from scene_lightning.reports.metrics_file import read_metrics

SMALL = [
    "--set", "filters=[4]", "--set", "dense=[8]", "--set", "input_size=24", "--set", "batch_size=8", "--epochs", "2",
    "--precision", "32-true", "--accelerator", "cpu",
]  # fmt: skip


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("scenes")
    draw_scenes(folder, 4, test_per_class=2, predict=1, size=32)
    return folder


def trained(data: Path, out: Path, *options: str) -> Path:
    assert cli.run(["train", str(data), "--out", str(out), *SMALL, *options]) == 0
    return out


def events_of(run: Path) -> EventAccumulator:
    events = EventAccumulator(str(run / "tensorboard"), size_guidance={"images": 0, "scalars": 0})
    events.Reload()
    return events


def test_tensorboard_has_rates_pictures_graph_and_settings(data: Path, tmp_path: Path) -> None:
    run = trained(data, tmp_path / "run", "--set", "schedule=cosine", "--set", "learning_rate=0.01")
    events = events_of(run)
    rates = [one.value for one in events.Scalars("learning_rate")]
    rows = read_metrics(run / "metrics.csv")
    assert rates == pytest.approx([row["learning_rate"] for row in rows]) and 0 < rates[1] < rates[0] < 0.01
    for name in ("confusion_matrix", "sample_predictions"):
        pictures = events.Images(name)
        assert [one.step for one in pictures] == [1, 2] and all(one.width > 100 for one in pictures)
    assert len(events.Graph().node) > 5
    assert events.SummaryMetadata("_hparams_/session_start_info")
    best = max(row["val_accuracy"] for row in rows)
    assert events.Scalars("best_val_accuracy")[0].value == pytest.approx(best)


@pytest.mark.soak
def test_a_backbone_has_a_graph_too(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["train", str(data), "--out", str(tmp_path / "run"), "--model", "mobilenet_v3_small", "--epochs", "1"]
    assert cli.run([*words, "--set", "input_size=32", "--set", "batch_size=8", "--accelerator", "cpu"]) == 0
    assert events_of(tmp_path / "run").Graph().node
    out, err = capsys.readouterr()
    assert "No graph" not in out and "has no graph" not in err


def test_the_confusions_counted_on_the_way_are_those_of_the_evaluation(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from scene_lightning.runs import tracking

    drawn: list[np.ndarray] = []
    draw = tracking.matrix_picture
    monkeypatch.setattr(
        tracking, "matrix_picture", lambda matrix, names: (drawn.append(matrix), draw(matrix, names))[1]
    )
    run = trained(data, tmp_path / "run", "--epochs", "1")
    with open(run / "predictions.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    names = list(rows[0])[4:]
    expected = np.zeros((6, 6), int)
    for row in rows:
        expected[names.index(row["true"]), names.index(row["predicted"])] += 1
    assert drawn[-1].tolist() == expected.tolist()


def test_watching_changes_no_number(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from scene_lightning.runs import tracking

    watched = trained(data, tmp_path / "watched")
    for hook in ("on_fit_start", "on_validation_epoch_start"):
        monkeypatch.setattr(tracking.TrackValidation, hook, lambda self, trainer, pl_module: None)
    plain = trained(data, tmp_path / "plain")
    numbers = [
        [{name: value for name, value in row.items() if name != "seconds"} for row in read_metrics(run / "metrics.csv")]
        for run in (watched, plain)
    ]
    assert numbers[0] == numbers[1]


@pytest.mark.soak
def test_mlflow_keeps_a_run_in_a_local_file(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mlflow = pytest.importorskip("mlflow", reason="MLflow is not installed")
    pytest.importorskip("sqlalchemy", reason="MLflow's local file needs SQLAlchemy")
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    trained(data, tmp_path / "run", "--logger", "mlflow")
    client = mlflow.MlflowClient(f"sqlite:///{tmp_path / 'mlflow.db'}")
    (experiment,) = [one for one in client.search_experiments() if one.name == "scene-lightning"]
    (run,) = client.search_runs([experiment.experiment_id])
    assert run.info.run_name == "run" and run.data.params["training.epochs"] == "2"
    assert {"val_accuracy", "loss", "learning_rate"} <= set(run.data.metrics)
    assert len(client.get_metric_history(run.info.run_id, "val_loss")) == 2
    kept = [one.path for one in client.list_artifacts(run.info.run_id, "confusion_matrix")]
    assert kept == ["confusion_matrix/0001.png", "confusion_matrix/0002.png"]
    assert not (tmp_path / "run" / "tensorboard").exists()
    given = {one.path for one in client.list_artifacts(run.info.run_id)}
    assert {"report.html", "evaluation.json", "confusion_matrix.png", "recipe.yaml", "model"} <= given
    assert 0 <= run.data.metrics["best_accuracy"] <= 1 and run.info.status == "FINISHED"
    words = ["train", "--resume", str(tmp_path / "run"), "--epochs", "3", "--logger", "mlflow"]
    assert cli.run(words) == 0
    assert len(client.get_metric_history(run.info.run_id, "val_loss")) == 3, "the same run goes on"
    assert len(client.search_runs([experiment.experiment_id])) == 1


@pytest.mark.soak
def test_wandb_keeps_a_run_offline(data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    wandb = pytest.importorskip("wandb", reason="Weights & Biases is not installed")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    run = trained(data, tmp_path / "run", "--logger", "wandb")
    assert wandb.run is None, "it has ended: the next run is one of its own"
    assert list((run / "wandb").glob("offline-run-*/run-*.wandb"))
    pictures = {path.name.rpartition("_")[0] for path in run.glob("wandb/offline-run-*/files/media/images/*.png")}
    assert {name.partition("_")[0] for name in pictures} >= {"confusion", "sample"}


@pytest.mark.parametrize("name", ["mlflow", "wandb"])
def test_a_missing_package_is_said_with_its_cure(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], name: str
) -> None:
    there = importlib.util.find_spec
    monkeypatch.setattr(importlib.util, "find_spec", lambda one, *rest: None if one == name else there(one, *rest))
    assert cli.run(["train", str(data), "--out", str(tmp_path / "run"), "--logger", name]) == 2
    assert f"pip install 'scene-lightning[{name}]'" in capsys.readouterr().err
    assert not os.path.exists(tmp_path / "run")


def test_a_server_that_does_not_answer_is_said_before_the_training(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("mlflow", reason="MLflow is not installed")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "http://127.0.0.1:9")
    assert cli.run(["train", str(data), "--out", str(tmp_path / "run"), "--logger", "mlflow"]) == 2
    assert "http://127.0.0.1:9 does not answer" in capsys.readouterr().err and not (tmp_path / "run").exists()


def test_an_unknown_logger_is_refused(data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.run(["train", str(data), "--out", str(tmp_path / "run"), "--logger", "tensorbord"]) == 2
    assert "tensorboard" in capsys.readouterr().err
