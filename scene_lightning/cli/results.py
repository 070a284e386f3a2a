"""Prints what the commands that train have come to: as tables with the next commands, or as one JSON object."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from scene_lightning.cli.closing import REPORT, a_photograph, show_closing
from scene_lightning.demo_scenes.demo import GRID, PREDICTIONS
from scene_lightning.inference.evaluate import format_evaluation
from scene_lightning.reports.run_folder import BEST, CURVES, RECIPE, from_here
from scene_lightning.runs.comparison import Comparison, format_comparison
from scene_lightning.runs.cross_validation import FinishedFolds, format_folds
from scene_lightning.runs.run_record import RunRecord
from scene_lightning.runs.train import FinishedRun


def show_run(run: FinishedRun, *, as_json: bool = False, compared: str | None = None) -> None:
    """Print how a run ended; nothing in the helper processes of a run on several devices.

    Args:
        run: what `train` returns.
        as_json: print one JSON object and nothing else.
        compared: in words, how it compares with the run that it repeats.
    """
    if run.evaluation is None:
        return
    if as_json:
        more = {} if compared is None else {"compared": compared}
        print(json.dumps({**_files(run.folder), **more, "evaluation": run.evaluation}))
        return
    print(f"\nbest.ckpt on the validation images:\n\n{format_evaluation(run.evaluation)}\n")
    if compared is not None:
        print(f"compared  {compared}")
    show_closing("run", run.folder, _after_training(run.folder))


def _files(folder: Path) -> dict[str, str | None]:
    report = folder / REPORT
    return {"run": str(folder), "model": str(folder / BEST), "report": str(report) if report.is_file() else None}


def _after_training(folder: Path) -> list[Sequence[object]]:
    record = RunRecord.read(folder)
    data = "DATA" if record is None else from_here(Path(record.data))
    return [("predict", folder, a_photograph(folder)), ("evaluate", folder, data)]


def show_demo(run: FinishedRun, *, as_json: bool = False) -> None:
    """Print what the demo has made.

    Args:
        run: its run.
        as_json: print one JSON object and nothing else.
    """
    if run.evaluation is None:
        return
    folder = run.folder
    if as_json:
        made = {"predictions": str(folder / PREDICTIONS), "grid": str(folder / GRID)}
        print(json.dumps({**_files(folder), **made, "evaluation": run.evaluation}))
        return
    print(f"\nThe best epoch's model on {run.evaluation['images']} test scenes:\n")
    print(f"{format_evaluation(run.evaluation)}\n")
    print(f"Look at   {folder / GRID} (what it sees in new scenes)")
    print(f"and at    {folder / CURVES} (how it learned)")
    show_closing("run", folder, [("predict", folder, a_photograph(folder)), ("train", "DATA")])


def show_cross_validation(done: FinishedFolds, *, as_json: bool = False) -> None:
    """Print the folds' figures as a table, their mean and spread below.

    Args:
        done: what `train_folds` gave.
        as_json: print one JSON object and nothing else.
    """
    if as_json:
        print(json.dumps({"run": str(done.folder), **done.summary}))
        return
    print(f"\nbest.ckpt of each fold on its own validation images, which chose the epoch:\n\n{format_folds(done)}\n")
    record = RunRecord.read(done.folder)
    data = "DATA" if record is None else from_here(Path(record.data))
    fold = done.folder / "fold-1"
    commands = [("train", data, "--config", done.folder / RECIPE), ("predict", fold, a_photograph(fold))]
    show_closing("run", done.folder, commands)


def show_comparison(comparison: Comparison, data: str, *, as_json: bool = False) -> None:
    """Print a comparison of networks as a table.

    Args:
        comparison: what `compare` gave.
        data: what they were trained on.
        as_json: print one JSON object and nothing else.
    """
    if as_json:
        print(json.dumps({"comparison": str(comparison.folder), "models": comparison.rows}))
        return
    print(f"\n{format_comparison(comparison.rows)}\n")
    print("accuracy: of the best epoch, which the same validation images chose")
    best = max(comparison.rows, key=lambda row: float(row["accuracy"]))
    run = comparison.folder / best["model"]
    show_closing("folder", comparison.folder, [("evaluate", run, data), ("predict", run, a_photograph(run))])
