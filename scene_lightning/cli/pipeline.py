"""Imports what the commands call, when a command runs: `--help` needs no torch. Prints evaluations and runs."""

from __future__ import annotations

import json
from typing import Any

from scene_lightning._main_process import is_main_process
from scene_lightning.data.overlay import find_overlay
from scene_lightning.data.shard_writer import Sharded
from scene_lightning.data.shard_writer import shard as write_shards
from scene_lightning.dataset_check.check import check_dataset, progress_bar
from scene_lightning.dataset_check.page import write_page
from scene_lightning.dataset_check.report import require_place_for, show_check, write_findings
from scene_lightning.demo_scenes.demo import demo
from scene_lightning.inference.calibrate import calibrate
from scene_lightning.inference.evaluate import evaluate, format_evaluation
from scene_lightning.inference.inspection import curves, show_devices, stats, summary
from scene_lightning.inference.model_card import write_card
from scene_lightning.inference.predict import predict
from scene_lightning.inference.predictor import RunOn
from scene_lightning.runs.comparison import compare
from scene_lightning.runs.cross_validation import folds_of, show_folds, train_folds
from scene_lightning.runs.recipe_finders import find_batch_size, find_learning_rate
from scene_lightning.runs.rerun import rerun
from scene_lightning.runs.train import FinishedRun, train

__all__ = [
    "FinishedRun",
    "RunOn",
    "calibrate",
    "check_dataset",
    "compare",
    "curves",
    "demo",
    "evaluate",
    "find_batch_size",
    "find_learning_rate",
    "folds_of",
    "predict",
    "require_place_for",
    "rerun",
    "shard",
    "show_check",
    "show_devices",
    "show_evaluation",
    "show_folds",
    "show_run",
    "stats",
    "summary",
    "train",
    "train_folds",
    "write_card",
    "write_findings",
    "write_page",
]  # fmt: skip


def show_evaluation(result: dict[str, Any], *, as_json: bool = False) -> None:
    """Print an evaluation: one JSON object, or tables; nothing in the helper processes of a run on several devices.

    Args:
        result: what `evaluate` returns.
        as_json: print one JSON object and nothing else.
    """
    if is_main_process():
        print(json.dumps(result) if as_json else format_evaluation(result))


def show_run(run: FinishedRun) -> None:
    """Print how a run ended; nothing in the helper processes of a run on several devices.

    Args:
        run: what `train` returns.
    """
    if run.evaluation is not None:
        print(f"\nbest.ckpt on the validation images:\n\n{format_evaluation(run.evaluation)}\n")
        print(f"run       {run.folder}")


def shard(data: str, out: str, *, size_bytes: int, seed: int, overlay: str | None) -> Sharded:
    """Write the images of a data folder as shards, and print what was written.

    Args:
        data: the data folder.
        out: the folder to write.
        size_bytes: of a tar file, at most.
        seed: of the order of the images in the tar files.
        overlay: a CSV file of corrected labels.
    """
    corrections = find_overlay(overlay)
    with progress_bar("writing", None) as progress:
        written = write_shards(data, out, size_bytes=size_bytes, seed=seed, overlay=corrections, progress=progress)
    if corrections is not None:
        print(f"overlay   {corrections.in_words()}")
    if written.kept:
        print(f"note      {written.kept} of the tar files were complete already")
    images = " and ".join(f"{count:,}" for count in written.images)
    halves = "training and validation images" if len(written.images) == 2 else "images, not divided yet"
    print(f"images    {images} {halves}")
    print(f"shards    {out}: {written.tars:,} tar files, {written.size_bytes / 1e6:,.1f} MB")
    return written
