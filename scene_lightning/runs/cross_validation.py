"""Cross-validates a recipe: a run for each fold, and the mean and spread of their figures.

For data sets that are too small to hold a validation part back: each image validates once, and trains otherwise
(k-fold cross-validation, stratified by class or label).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import mean, stdev
from typing import Any

import numpy as np

from scene_lightning._atomic_write import write_text
from scene_lightning.data.balance import class_weights, stratified_folds
from scene_lightning.data.overlay import find_overlay
from scene_lightning.dataset_check.quick import checked_training_images
from scene_lightning.errors import InputError
from scene_lightning.recipes.recipe import Override, Recipe, load_recipe
from scene_lightning.recipes.several_labels import suited_to
from scene_lightning.reports import run_folder
from scene_lightning.reports.tables import format_table
from scene_lightning.runs.budget import Clock
from scene_lightning.runs.choose_recipe import AUTO, before_the_choice, settled
from scene_lightning.runs.loggers import hand_over
from scene_lightning.runs.pages import report_of_training
from scene_lightning.runs.prepare import device_count, hardware_of, prepare_model
from scene_lightning.runs.resume_checkpoint import Resume
from scene_lightning.runs.run_record import RunRecord
from scene_lightning.runs.train import announce, decode_shown, recorded, recorded_data, train_in, write_recipe

_FIGURES = {"accuracy": "accuracy", "loss": "loss", "f1": "mean F1", "mean_average_precision": "mAP"}


@dataclass(frozen=True)
class FinishedFolds:
    """What a cross-validation leaves.

    Attributes:
        folder: holds fold-1, fold-2, …
        summary: what is in its folds.json.
    """

    folder: Path
    summary: dict[str, Any]


def train_folds(
    data: str | None,
    config: str | None = None,
    *,
    folds: int,
    overrides: Sequence[Override] = (),
    out: str | None = None,
    resume: str | None = None,
    strict: bool = False,
) -> FinishedFolds:
    """Train a recipe once for each fold of a folder's training images; a test or validation half is not looked at.

    Every fold starts from the same first weights (the recipe's seed). Its figures are those of the epoch that was best
    on the very images that it is judged by, as in any run: a little too good, by the more the smaller the folds are.

    Args:
        data, config, overrides, strict: as for `train`.
        folds: how many, at least 2, at most the images of the rarest class.
        out: the folder that gets fold-1, fold-2, … and folds.json; None makes runs/<recipe>-<date>-<time>.
        resume: the folder of a cross-validation that was interrupted: finished folds stay, the one in flight goes on.

    Raises:
        InputError: anything wrong with these, before training starts; more than one device.
        TrainingInterrupted: Ctrl-C or SIGTERM; `resume` goes on.
    """
    before = RunRecord.read(Path(resume)) if resume is not None else None
    if resume is not None:
        if before is None or before.folds != folds:
            held = f"has {before.folds or 'no'} folds" if before else "holds no cross-validation"
            raise InputError(
                f"--resume {resume!r} {held}; --folds {folds} were asked for. Start anew without --resume."
            )
        config = str(Path(resume) / run_folder.RECIPE)
    data = recorded_data(before, resume) if data is None else data
    recipe = before_the_choice(overrides) if config == AUTO else load_recipe(config or "paper", overrides)
    if recipe.training.budget is not None:
        raise InputError("--budget is the time of one run. Expected --folds without it, and --epochs.")
    hardware = hardware_of(recipe)
    if device_count(hardware) > 1:
        # Lightning starts a process a device by running the whole command again, which would begin with fold 1 again
        raise InputError(f"--folds trains on one device; {device_count(hardware)} were chosen. Add --devices 1.")
    overlay = find_overlay(recipe.data.overlay)
    table = checked_training_images(
        data, overlay, recipe.data.group_by, several_labels=True, multi_label=recipe.data.multi_label
    )
    suited_to(recipe, data)
    class_weights(recipe.training.class_weight, table)
    judged = -(-len(table) // folds)
    shares = table.take(range(len(table) - judged)), judged
    recipe, why = settled(recipe, config, shares, overrides, Clock()) if resume is None else (recipe, None)
    recipe = suited_to(recipe, data)
    stratified_folds(table, folds, recipe.training.seed)  # too few images are told before they are decoded
    folder = run_folder.make_run_folder(recipe.name, out) if resume is None else Path(resume)
    run_folder.forget_run_folder()  # each fold makes its own
    announce(f"{data}: {len(table)} images in {folds} folds", table.class_names, recipe, folder, hardware)
    write_recipe(recipe, folder, overlay)
    images = decode_shown(recipe, table, strict=strict, shared=False)
    results: list[dict[str, Any]] = []
    with recorded(folder, data, strict, folds, chosen=why):
        for number, held_out in enumerate(stratified_folds(images.table, folds, recipe.training.seed), start=1):
            rest = np.setdiff1d(np.arange(len(images.table)), held_out)
            print(
                f"\nfold {number} of {folds}: {len(rest)} images to train on, {len(held_out)} to validate on",
                flush=True,
            )
            parts = images.subset(rest), images.subset(held_out)
            figures = _one_fold(folder / f"fold-{number}", recipe, parts, hardware)
            results.append({"fold": number, "run": f"fold-{number}", **figures})
    summary = summarise(results)
    write_text(folder / run_folder.FOLDS, json.dumps(summary, indent=2) + "\n")
    return FinishedFolds(folder, summary)


def _one_fold(folder: Path, recipe: Recipe, images: Any, hardware: dict[str, Any]) -> dict[str, Any]:
    """The figures of one fold: trained, trained on from where it was cut off, or read where it has finished."""
    finished = folder / run_folder.EVALUATION
    if finished.is_file():
        return _figures(json.loads(finished.read_text(encoding="utf-8")))
    begun = (folder / run_folder.RECIPE).is_file()
    earlier = Resume.read(str(folder)) if begun else None
    try:
        if begun:
            run_folder.continue_run_folder(folder.resolve())
        else:
            run_folder.make_run_folder(recipe.name, folder)
        write_recipe(recipe, folder)
        model = prepare_model(recipe, images[0].table.class_names, len(images[0].table))
        run = train_in(folder, model, recipe, images, hardware, earlier)
        report_of_training(folder)
        hand_over(folder, recipe, run.evaluation)
    finally:
        run_folder.forget_run_folder()
    assert run.evaluation is not None  # one device, one process
    return _figures(run.evaluation)


def _figures(evaluation: dict[str, Any]) -> dict[str, Any]:
    return {"images": evaluation["images"], **{key: evaluation[key] for key in _FIGURES if key in evaluation}}


def folds_of(run: str) -> int | None:
    """How many folds the cross-validation in a folder has; None for anything else.

    Args:
        run: a run's folder, or a checkpoint.
    """
    record = RunRecord.read(Path(run)) if Path(run).is_dir() else None
    return record.folds if record is not None else None


def summarise(results: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Add the mean and spread of accuracy, loss and, of several labels an image, mean F1 and mAP to the folds' figures.

    The spread is the sample standard deviation (n - 1): of the folds, not of their mean.

    Args:
        results: for each fold a dict of fold, run, images and these.
    """
    summary: dict[str, Any] = {"folds": len(results)}
    for key in _FIGURES:
        values = [result[key] for result in results if result.get(key) is not None]
        if len(values) == len(results):
            summary[key] = {"mean": mean(values), "spread": stdev(values)}
    return {**summary, "runs": list(results)}


def format_folds(done: FinishedFolds) -> str:
    """The folds' figures as a table, their mean and spread below.

    Args:
        done: what `train_folds` gave.
    """
    summary = done.summary
    shown = [key for key in _FIGURES if key in summary]
    rows = [[str(run["fold"]), f"{run['images']:,}", *(f"{run[key]:.4f}" for key in shown)] for run in summary["runs"]]
    rows.append(["mean ± spread", "", *(_with_spread(summary[key]) for key in shown)])
    heads = {**_FIGURES, "accuracy": "all labels right"} if "f1" in summary else _FIGURES
    return format_table(["fold", "images", *(heads[key] for key in shown)], rows, rule_before_last=True)


def _with_spread(figures: dict[str, float]) -> str:
    return f"{figures['mean']:.4f} ± {figures['spread']:.4f}"
