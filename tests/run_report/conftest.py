"""Runs for the pages: folders as `train` leaves them, with drawn photographs and made-up answers."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from scene_lightning.inference.answers import Answers
from scene_lightning.recipes.recipe import dump_recipe, load_recipe
from scene_lightning.reports.metrics_file import write_metrics
from scene_lightning.reports.tables import report_from_matrix
from tests.conftest import picture

NAMES = ("forest", "sea", "town")
MakeRun = Callable[..., Path]


@pytest.fixture
def make_run(tmp_path: Path) -> MakeRun:
    """make_run(name, classes=…, per_class=…, seed=…, overrides=…) → the folder of a finished run on tmp_path/data."""

    def make(
        name: str = "run",
        classes: Sequence[str] = NAMES,
        per_class: int = 6,
        seed: int = 0,
        overrides: Sequence[str] = (),
    ) -> Path:
        folder, root = tmp_path / name, tmp_path / "data" / "test"
        folder.mkdir()
        chance = np.random.default_rng(seed)
        answers = Answers(list(classes))
        matrix = np.zeros((len(classes), len(classes)), int)
        for label, one in enumerate(classes):
            (root / one).mkdir(parents=True, exist_ok=True)
            for number in range(per_class):
                file = root / one / f"{number}.jpg"
                if not file.exists():
                    Image.fromarray(picture(40, 48, 100 * label + number)).save(file)
                row = chance.dirichlet(np.full(len(classes), 0.3)) + 0.8 * np.eye(len(classes))[label]
                answers.add(str(file), label, (row / row.sum()).astype(np.float32))
                matrix[label, int(row.argmax())] += 1
        answers.write(folder / "predictions.csv")
        evaluation = {**report_from_matrix(matrix, classes), "data": str(root), "split": "test", "loss": 0.5}
        (folder / "evaluation.json").write_text(json.dumps(evaluation))
        (folder / "recipe.yaml").write_text(dump_recipe(load_recipe("paper", overrides)))
        record = {
            "data": str(tmp_path / "data"), "status": "finished", "threads": 1, "peak_memory_mb": 812.5,
            "command": ["scene-lightning", "train", "data"], "versions": {"torch": "2.0"},
        }  # fmt: skip
        (folder / "run.json").write_text(json.dumps(record))
        metrics = [
            {"epoch": 1 + epoch, "accuracy": 0.5 + epoch / 20, "loss": 1 / (1 + epoch), "val_accuracy": accuracy,
             "val_loss": 1.2 / (1 + epoch), "learning_rate": 0.001 / (1 + epoch), "seconds": 2.5}
            for epoch, accuracy in enumerate((0.4, 0.6, 0.7, 0.8, 0.75, 0.7))
        ]  # fmt: skip
        write_metrics(folder / "metrics.csv", metrics)
        rows = [f"{path},validated on,{number + 1:016x}" for number, path in enumerate(answers.paths)]
        rows.append(f"{tmp_path}/data/train/sea/copy.jpg,trained on,{1:016x}")
        (folder / "images.csv").write_text("image,role,hash\n" + "\n".join(rows) + "\n")
        Image.fromarray(picture(60, 60, 1)).save(folder / "training_batch.jpg")
        return folder

    return make
