"""Imports what a command calls, when it runs: `--help` needs no torch, and `predict` nothing of what trains.

Prints evaluations and shards.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib import import_module
from typing import TYPE_CHECKING, Any

from scene_lightning._main_process import is_main_process
from scene_lightning._terminal import labelled
from scene_lightning.cli import lean_imports, output
from scene_lightning.cli.closing import show_next

if TYPE_CHECKING:
    from scene_lightning.cli.results import show_comparison, show_cross_validation, show_demo, show_run
    from scene_lightning.data.shard_writer import Sharded
    from scene_lightning.dataset_check.check import check_dataset
    from scene_lightning.dataset_check.page import write_page
    from scene_lightning.dataset_check.report import require_place_for, show_check, write_findings
    from scene_lightning.demo_scenes.demo import demo
    from scene_lightning.demo_scenes.textures import draw_others
    from scene_lightning.exporters.export import export
    from scene_lightning.exporters.int8 import Worth
    from scene_lightning.inference.calibrate import calibrate
    from scene_lightning.inference.evaluate import evaluate
    from scene_lightning.inference.explain_files import explain_files
    from scene_lightning.inference.inspection import curves, show_devices, stats, summary
    from scene_lightning.inference.model_card import write_card
    from scene_lightning.inference.predict import predict
    from scene_lightning.inference.predictor import RunOn
    from scene_lightning.runs.average import average
    from scene_lightning.runs.comparison import compare
    from scene_lightning.runs.cross_validation import folds_of, train_folds
    from scene_lightning.runs.recipe_finders import find_batch_size, find_learning_rate
    from scene_lightning.runs.rerun import compared_with, rerun
    from scene_lightning.runs.train import train

# module → the names here that it holds
_HELD = {
    "cli.results": "show_comparison show_cross_validation show_demo show_run",
    "dataset_check.check": "check_dataset",
    "dataset_check.page": "write_page",
    "dataset_check.report": "require_place_for show_check write_findings",
    "demo_scenes.demo": "demo",
    "demo_scenes.textures": "draw_others",
    "exporters.export": "export",
    "exporters.int8": "Worth",
    "inference.calibrate": "calibrate",
    "inference.evaluate": "evaluate",
    "inference.explain_files": "explain_files",
    "inference.inspection": "curves show_devices stats summary",
    "inference.model_card": "write_card",
    "inference.predict": "predict",
    "inference.predictor": "RunOn",
    "runs.average": "average",
    "runs.comparison": "compare",
    "runs.cross_validation": "folds_of train_folds",
    "runs.recipe_finders": "find_batch_size find_learning_rate",
    "runs.rerun": "compared_with rerun",
    "runs.train": "train",
}
_NAMES = {name: module for module, names in _HELD.items() for name in names.split()}

__all__ = [
    "RunOn",
    "Worth",
    "average",
    "calibrate",
    "check_dataset",
    "compare",
    "compared_with",
    "curves",
    "demo",
    "draw_others",
    "evaluate",
    "explain_files",
    "export",
    "find_batch_size",
    "find_learning_rate",
    "folds_of",
    "predict",
    "report",
    "require_place_for",
    "rerun",
    "shard",
    "show_check",
    "show_comparison",
    "show_cross_validation",
    "show_demo",
    "show_devices",
    "show_evaluation",
    "show_run",
    "stats",
    "summary",
    "train",
    "train_folds",
    "write_card",
    "write_findings",
    "write_page",
]  # fmt: skip

lean_imports.import_lightning()

if not TYPE_CHECKING:  # type checkers report a name that is not there

    def __getattr__(name: str) -> Any:
        """PEP 562: import the module behind `name`, remember what it gave."""
        if name not in _NAMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        value = getattr(import_module(f"scene_lightning.{_NAMES[name]}"), name)
        globals()[name] = value
        return value


def show_evaluation(result: dict[str, Any], *, as_json: bool = False) -> None:
    """Print an evaluation: one JSON object, or tables; nothing in the helper processes of a run on several devices.

    Args:
        result: what `evaluate` returns.
        as_json: print one JSON object and nothing else.
    """
    from scene_lightning.inference.evaluate import format_evaluation

    if is_main_process():
        print(json.dumps(result) if as_json else format_evaluation(result))


def shard(data: str, out: str, *, size_bytes: int, seed: int, overlay: str | None, as_json: bool = False) -> Sharded:
    """Write the images of a data folder as shards, and print what was written.

    Args:
        data: the data folder.
        out: the folder to write.
        size_bytes: of a tar file, at most.
        seed: of the order of the images in the tar files.
        overlay: a CSV file of corrected labels.
        as_json: print one JSON object and nothing else.
    """
    from scene_lightning.data.overlay import find_overlay
    from scene_lightning.data.shard_writer import shard as write_shards
    from scene_lightning.dataset_check.check import progress_bar

    corrections = find_overlay(overlay)
    with progress_bar("writing", None, not output.is_quiet()) as progress:
        written = write_shards(data, out, size_bytes=size_bytes, seed=seed, overlay=corrections, progress=progress)
    if as_json:
        print(json.dumps(asdict(written)))
        return written
    if corrections is not None:
        print(labelled("overlay", corrections.in_words()))
    if written.kept:
        print(labelled("note", f"{written.kept} of the tar files were complete already"))
    images = " and ".join(f"{count:,}" for count in written.images)
    halves = "training and validation images" if len(written.images) == 2 else "images, not divided yet"
    print(labelled("images", f"{images} {halves}"))
    print(labelled("shards", f"{out}: {written.tars:,} tar files, {written.size_bytes / 1e6:,.1f} MB"))
    show_next([("train", out)])
    return written


def report(runs: Sequence[str], *, out: str | None = None, data: str | None = None) -> None:
    """Write the page of a run, or of several side by side, and print where it is.

    Args:
        runs: folders.
        out: the page; None for report.html in the run's folder, or comparison.html here.
        data: where the images are now; None for where they were.
    """
    from scene_lightning.runs.pages import report as write_report

    print(f"report    {write_report(runs, out=out, data=data).in_words()}")
