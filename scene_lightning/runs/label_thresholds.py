"""Judges the best checkpoint of a run whose images have several labels, and keeps the labels' thresholds in it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from scene_lightning.data.table import ImageTable
from scene_lightning.inference.label_scores import answers_about_labels, best_thresholds, score_labels
from scene_lightning.inference.predictor import Predictor
from scene_lightning.reports.run_folder import BEST, PREDICTIONS
from scene_lightning.saving.checkpoint import SECTION, read_checkpoint, write_checkpoint


def judge_labels(folder: Path, predictor: Predictor, table: ImageTable) -> dict[str, Any]:
    """Choose the thresholds on the validation images, keep them in best.ckpt, and measure it with them: its answers
    are kept as predictions.csv.

    Args:
        folder: the run's.
        predictor: its best checkpoint, in float32: in bfloat16 thresholds would lie between rounded values.
        table: the validation images.

    Returns:
        As `score_labels`.
    """
    answers = answers_about_labels(predictor, table, verbose=False)
    thresholds = best_thresholds(answers.rows(), answers.truth())
    answers.thresholds = thresholds
    state = read_checkpoint(folder / BEST)
    section = state[SECTION]
    section["image_info"] = json.dumps({**json.loads(section["image_info"]), "thresholds": thresholds})
    write_checkpoint(folder / BEST, state)
    answers.write(folder / PREDICTIONS)
    return score_labels(predictor, table, answers)
