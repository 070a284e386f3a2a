"""The programs of examples/keras, run unchanged: each finishes, trains, predicts, and the report says what was cut."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

PROGRAMS = Path(__file__).resolve().parents[2] / "examples" / "keras"
TRIAL = ("--accelerator", "cpu", "--limit-epochs", "1", "--limit-batches", "2")


@pytest.mark.parametrize(("name", "says"), [
    ("old_generator.py", "learning rate: 1e-04"),
    ("functional_dataset.py", "This image most likely belongs to"),
    ("arrays_sklearn.py", "3 [0, 1, 2]"),
    ("dataframe_weights.py", "first layer:"),
])  # fmt: skip
def test_a_script_runs_unchanged(run, scenes: Path, name: str, says: str) -> None:
    done = run(*TRIAL, PROGRAMS / name, scenes)
    assert done.returncode == 0, done.stdout + done.stderr
    assert says in done.stdout
    report = " ".join(done.stderr.split())
    assert f"scene_lightning ran {name}: fit 1×" in report and "fit: 1 of" in report and "filled up" in report


@pytest.mark.soak
def test_a_notebook_of_records_for_a_tpu_trains_without_one(run, scenes: Path, tmp_path: Path) -> None:
    done = run("--accelerator", "cpu", PROGRAMS / "records_tpu.py", scenes, tmp_path / "work")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "Dataset: 36 training images, 12 validation images, 18 unlabeled test images" in done.stdout
    assert "Correct   labels:  (12,) [0 0 1 1 2 2 3 3 4 4 5 5]" in done.stdout and "Epoch 4/4" in done.stdout
    lines = (tmp_path / "work" / "submission.csv").read_text().splitlines()
    assert lines[0] == "id,label" and len(lines) == 19 and lines[1].startswith("buildings0.jpg,")


def test_a_notebook_runs_unchanged_and_keeps_its_outputs(run, tmp_path: Path) -> None:
    pytest.importorskip("nbclient", reason="needs the extra 'notebook'")
    pytest.importorskip("ipykernel", reason="needs the extra 'notebook'")
    done = run(*TRIAL, PROGRAMS / "scenes_notebook.ipynb", "--output", "out.ipynb")
    assert done.returncode == 0, done.stdout + done.stderr
    cells = json.loads((tmp_path / "out.ipynb").read_text())["cells"]
    texts = [str(output) for cell in cells for output in cell.get("outputs", [])]
    assert any("image/png" in text for text in texts) and any("val_accuracy" in text for text in texts)
    assert "scenes_notebook.ipynb: fit 1×, predict 1×" in " ".join(done.stderr.split())
